"""Pictures of the documentation: from real cells, small enough, and as the figures are."""

import numpy as np
import pytest
from helpers.report_of_a_run import claims_in_turn, values_around_the_published
from PIL import Image

from scripts.common.tables import write_table
from tools.site.pictures import MOST_BYTES, WIDTH, write_pictures
from vega.errors import InputError


@pytest.fixture
def run(tmp_path):
    """A run on real cells with a plain figure, and one that does not compress."""
    folder = tmp_path / "run"
    for sub in ("figures", "tables"):
        (folder / sub).mkdir(parents=True)
    (folder / "config.yaml").write_text("settings: {data: public}\n")
    Image.new("RGB", (2800, 1000), (10, 120, 200)).save(folder / "figures" / "fig1.png")
    noise = np.random.default_rng(1).integers(0, 255, (1000, 1400, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((2000, 1400)).save(folder / "figures" / "sfig4.png")
    Image.new("RGB", (10, 10)).save(folder / "figures" / "unknown.png")
    claims = claims_in_turn().drop(columns="numbers")
    write_table(claims, folder / "claims.tsv")
    write_table(values_around_the_published([1]), folder / "tables" / "claim_values.tsv")
    (tmp_path / "docs" / "img").mkdir(parents=True)
    return folder


def test_each_figure_of_the_run_becomes_a_picture_that_is_small_enough(run, tmp_path):
    written = write_pictures(run, tmp_path / "docs")
    assert [path.name for path in written] == ["fig1.webp", "sfig4.webp", "published-and-ours.webp"]
    assert all(path.stat().st_size <= MOST_BYTES for path in written)
    fig1, _, ours = map(Image.open, written)
    assert fig1.size == (WIDTH, 500)
    assert np.abs(np.asarray(fig1.convert("RGB")) - [10, 120, 200]).max() < 6
    dots = np.asarray(ours.convert("RGB")).astype(int)
    for colour in ((0x00, 0x80, 0x5A), (0xC0, 0x7A, 0x00), (0xB3, 0x24, 0x5F)):  # the verdicts
        assert (np.abs(dots - colour).sum(axis=2) < 60).sum() > 100


def test_named_figures_alone_are_written(run, tmp_path):
    written = write_pictures(run, tmp_path / "docs", ["fig1"])
    assert [path.name for path in written] == ["fig1.webp"]
    with pytest.raises(InputError, match=r"fig2.png: not found; the run has no figure fig2"):
        write_pictures(run, tmp_path / "docs", ["fig2"])


def test_simulated_cells_are_refused(run, tmp_path):
    (run / "config.yaml").write_text("settings: {data: simulated_authors}\n")
    with pytest.raises(InputError, match="its cells are simulated; take a run on real cells"):
        write_pictures(run, tmp_path / "docs")
    assert not list((tmp_path / "docs" / "img").iterdir())
