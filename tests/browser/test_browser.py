"""The report in a browser, as those who open it see and use it.

Needs Chromium and its driver (Debian: chromium, chromium-driver).
"""

import json
import re
from itertools import pairwise

import pytest
from conftest import ROOT
from helpers.chromium import CHROMIUM, DRIVER, headless
from helpers.report_of_a_run import VERDICTS, claims_in_turn, write_report
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

DEMO = ROOT / "results" / "demo" / "report.html"
WIDTHS = {"desktop": 1280, "tablet": 768, "phone": 360}

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium (install chromium and chromium-driver)"
)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    return write_report(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module", params=["made up", "of the demo"])
def report(request, made_up):
    """A report of made-up results, and that of the demo where it has been run."""
    if request.param == "made up":
        return made_up
    if not DEMO.exists():
        pytest.skip("no report of the demo (run `make demo`)")
    return DEMO


@pytest.fixture(scope="module")
def chromium():
    with headless("force-color-profile=srgb") as driver:
        yield driver


@pytest.fixture
def browser(chromium):
    """Chromium as it is at first: light, and as wide as a desktop."""
    look(chromium, 1280)
    return chromium


def look(driver, width, scheme="light", media="screen"):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )


def show(driver, report, fragment=""):
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(report.as_uri() + fragment)


def visible_claims(driver):
    rows = driver.find_elements(By.CSS_SELECTOR, "#claims-table tbody tr")
    return [row.get_attribute("id") for row in rows if row.is_displayed()]


def test_all_pictures_show_and_nothing_is_asked_for_or_complained_of(browser, report):
    show(browser, report)
    pictures = browser.execute_script(
        "return [...document.images].map(i => [i.complete, i.naturalWidth, i.width, i.alt])"
    )
    assert len(pictures) >= 17
    for complete, natural, shown, alt in pictures:
        assert complete
        assert natural > 0
        assert shown > 300
        assert alt
    assert browser.get_log("browser") == []
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {
        message["params"]["request"]["url"].split(":", 1)[0]
        for message in asked
        if message["method"] == "Network.requestWillBeSent"
    }
    assert urls <= {"file", "data", "about"}


def test_a_page_without_claims_complains_of_nothing(browser, tmp_path):
    show(browser, write_report(tmp_path, of_paper=False))
    assert browser.get_log("browser") == []
    assert len(browser.find_elements(By.CSS_SELECTOR, "figure")) == 1
    table = browser.find_elements(By.CSS_SELECTOR, "table.sortable")[-1]
    assert table.find_elements(By.TAG_NAME, "button")


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_it_fits_every_screen(browser, report, width):
    look(browser, width)
    show(browser, report)
    room = browser.execute_script("return document.documentElement.clientWidth")
    wide = browser.execute_script(
        "return [...document.querySelectorAll('body *')]"
        ".filter(e => !e.closest('.scroll *, .skip'))"
        ".map(e => [e.tagName, e.className, e.getBoundingClientRect().right])"
    )
    assert width - 20 < room <= width  # the bar at the side has its own
    assert [element for element in wide if element[2] > room + 1] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") == room


def test_published_numbers_and_ours_are_seen_at_once_on_a_phone(browser, report):
    look(browser, WIDTHS["phone"])
    show(browser, report, "#forest")
    region = "document.querySelector('.forest').parentElement"
    assert browser.execute_script(f"return {region}.scrollWidth - {region}.clientWidth") == 0
    drawings = browser.execute_script(
        "return [...document.querySelectorAll('.forest tbody svg')]"
        ".map(e => [e.getBoundingClientRect().width, e.querySelectorAll('.dot').length])"
    )
    assert drawings
    assert all(width > 200 and dots == 1 for width, dots in drawings)


def test_tables_sort_both_ways(browser, report):
    show(browser, report)
    header = browser.find_element(By.CSS_SELECTOR, "#claims-table thead th")
    button = header.find_element(By.TAG_NAME, "button")
    first = visible_claims(browser)
    button.click()
    assert header.get_attribute("aria-sort") == "ascending"
    ascending = visible_claims(browser)
    assert ascending == sorted(first, key=lambda id: (id[0], int(id[1:])))
    button.click()
    assert header.get_attribute("aria-sort") == "descending"
    assert visible_claims(browser) == ascending[::-1]


def test_times_sort_by_their_length_and_not_by_their_words(browser, made_up):
    show(browser, made_up)
    table = browser.find_elements(By.CSS_SELECTOR, "table.sortable")[-1]
    table.find_elements(By.TAG_NAME, "button")[2].click()
    times = [row.find_elements(By.TAG_NAME, "td")[-1].text for row in table.find_elements(
        By.CSS_SELECTOR, "tbody tr")]  # fmt: skip
    assert times == ["7 s", "1 min 15 s", "1 h 6 min"]


def test_claims_are_searched_and_filtered(browser, made_up):
    show(browser, made_up)
    claims = claims_in_turn()
    search = browser.find_element(By.ID, "search")
    count = browser.find_element(By.ID, "shown")
    assert count.text == f"{len(claims)} of {len(claims)} claims"
    search.send_keys("k04")
    assert visible_claims(browser) == ["K04"]
    assert count.text == f"1 of {len(claims)} claims"
    search.clear()
    search.send_keys(" ", Keys.BACKSPACE)
    verdict = Select(browser.find_element(By.ID, "verdict"))
    assert [option.text for option in verdict.options] == ["all", *VERDICTS]
    verdict.select_by_visible_text("differs")
    assert visible_claims(browser) == claims.loc[claims["verdict"] == "differs", "id"].tolist()


def test_a_link_to_a_claim_that_is_filtered_out_shows_it(browser, made_up):
    show(browser, made_up)
    browser.find_element(By.ID, "search").send_keys("K04")
    link = browser.find_element(By.CSS_SELECTOR, "#fig1 ~ figure a[href='#K05']")
    browser.execute_script("arguments[0].click()", link)
    row = browser.find_element(By.ID, "K05")
    assert row.is_displayed()
    top = browser.execute_script("return arguments[0].getBoundingClientRect().top", row)
    assert 0 <= top < 900


def test_the_keyboard_suffices(browser, made_up):
    show(browser, made_up)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    skip = browser.switch_to.active_element
    assert skip.get_attribute("class") == "skip"
    assert skip.is_displayed()
    skip.send_keys(Keys.ENTER)
    assert browser.current_url.endswith("#main")
    header = browser.find_element(By.CSS_SELECTOR, "#claims-table thead th")
    header.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert header.get_attribute("aria-sort") == "ascending"
    scrolled = browser.find_elements(By.CSS_SELECTOR, ".scroll")
    assert all(each.get_attribute("tabindex") == "0" for each in scrolled)
    assert all(each.get_attribute("aria-label") for each in scrolled)


def luminance(colour):
    red, green, blue = (int(v) / 255 for v in re.findall(r"\d+", colour)[:3])
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
              for v in (red, green, blue)]  # fmt: skip
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """After WCAG 2: 4.5 is what text needs."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(browser, made_up, scheme):
    look(browser, 1280, scheme)
    show(browser, made_up)
    colours = browser.execute_script(
        "const ground = e => { for (; e; e = e.parentElement) {"
        " const c = getComputedStyle(e).backgroundColor;"
        " if (c !== 'rgba(0, 0, 0, 0)') return c; } };"
        "return [...document.querySelectorAll('h1, p, a, small, .verdict, th, td, figcaption, b')]"
        ".map(e => [e.tagName + '.' + e.className, getComputedStyle(e).color, ground(e)])"
    )
    assert len(colours) > 300
    page = {ground for *_, ground in colours}
    assert (max(map(luminance, page)) < 0.2) == (scheme == "dark")
    poor = {name for name, ink, ground in colours if contrast(ink, ground) < 4.5}
    assert poor == set()


def test_headings_go_step_by_step(browser, report):
    show(browser, report)
    levels = browser.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(e => +e.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_print_leaves_out_what_only_a_screen_can_use(browser, made_up):
    look(browser, 1280, "dark", media="print")
    show(browser, made_up)
    hidden = [browser.find_element(By.CSS_SELECTOR, s) for s in ("nav", ".tools", ".links")]
    assert not any(element.is_displayed() for element in hidden)
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert luminance(ground) == 1
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 100_000


def test_without_scripts_all_claims_are_there(browser, made_up):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, made_up)
        page = browser.page_source
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert page.count("data-verdict=") == len(claims_in_turn())
