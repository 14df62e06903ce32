"""The documentation as it is opened from a folder: the search finds, and nothing is fetched.

Needs Chromium and its driver (Debian: chromium, chromium-driver).
"""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT
from helpers.chromium import CHROMIUM, DRIVER, headless
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium (install chromium and chromium-driver)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as `make docs` builds it, but for the notebooks, which are not run."""
    folder = tmp_path_factory.mktemp("site")
    text = (ROOT / "mkdocs.yml").read_text().replace("execute: true", "execute: false")
    for path in ("tools/site/pages.py", "tools/site/reference.py"):
        text = text.replace(path, str(ROOT / path))
    config = folder / "mkdocs.yml"
    config.write_text(f"docs_dir: {ROOT / 'docs'}\nsite_dir: {folder / 'site'}\n{text}")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", config]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return folder / "site"


@pytest.fixture(scope="module")
def browser():
    with headless("window-size=1280,900") as driver:
        yield driver


def test_the_search_finds_a_page_from_a_folder_and_asks_no_other_host(browser, site):
    browser.get((site / "start.html").as_uri())
    box = browser.find_element(By.CSS_SELECTOR, "[data-md-component=search-query]")
    assert box.is_displayed()
    box.click()
    box.send_keys("duplicate set")
    results = WebDriverWait(browser, 30).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, ".md-search-result__item a")
    )
    assert any("error-messages.html" in each.get_attribute("href") for each in results)
    assert browser.get_log("browser") == []
    sent = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    urls = {
        m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"
    }
    assert {url.split(":")[0] for url in urls} <= {"file", "data", "about", "blob"}


@pytest.mark.parametrize("page", ["index", "findings", "architecture", "error-messages"])
def test_pages_fit_a_phone(browser, site, page):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": True},
    )
    browser.get((site / f"{page}.html").as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    broken = "return [...document.images].filter(i => i.complete && !i.naturalWidth).length"
    assert browser.execute_script(broken) == 0
