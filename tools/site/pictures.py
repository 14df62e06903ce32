"""Write the pictures of the documentation from the figures of a run.

python -m tools.site.pictures results/paper [FIGURE ...]

Each figure of the run (or those named) becomes `docs/img/<figure>.webp`, at most 1,400 pixels
wide and 300 KB. `docs/img/published-and-ours.webp` has the numbers of the run against the published
ones. Runs on simulated cells are refused, since the documentation shows real ones.
"""

import argparse
import io
from pathlib import Path

import matplotlib
import pandas as pd
from PIL import Image

from scripts.common.config.load import load
from scripts.common.config.plain import read_yaml
from scripts.common.tables import read_table
from scripts.report.forest import Estimate, estimates
from scripts.report.report_page import place
from tools.site.real_cells import PUBLISHED_AND_OURS
from vega.errors import InputError
from vega.files import atomic_write

ROOT = Path(__file__).resolve().parents[2]
WIDTH, MOST_BYTES = 1400, 300_000
QUALITIES = (88, 75, 60)  # of WebP, from the best; then the picture is made smaller
COLOURS = {"reproduced": "#00805a", "direction only": "#c07a00", "differs": "#b3245f"}
OTHER = "#7a828c"  # not judged


def packed(image: Image.Image) -> bytes:
    """Return a picture as WebP of at most `WIDTH` pixels and `MOST_BYTES`."""
    image, width = image.convert("RGB"), WIDTH
    while True:
        small = image.copy()
        small.thumbnail((width, image.height), Image.LANCZOS)
        for quality in QUALITIES:
            file = io.BytesIO()
            small.save(file, "WEBP", quality=quality, method=6)
            if file.tell() <= MOST_BYTES:
                return file.getvalue()
        width = width * 4 // 5


def published_and_ours(claims: pd.DataFrame, values: pd.DataFrame) -> Image.Image:
    """Draw how far each number of a run is from the published one, one row per claim.

    `claims` and `values` are the tables `claims.tsv` and `tables/claim_values.tsv` of the run.
    """
    matplotlib.use("Agg")
    from matplotlib import pyplot

    found, verdicts = estimates(values), claims.set_index("id")
    rows = [claim for claim in verdicts.index if found.get(claim)]
    figure, ax = pyplot.subplots(figsize=(9, 0.24 * len(rows) + 1.1), layout="constrained")
    for at, claim in enumerate(rows):
        verdict = verdicts.loc[claim, "verdict"]
        for each in found[claim]:
            _draw(ax, each, at, COLOURS.get(verdict, OTHER))
    ax.axvline(0, color="#444", lw=0.8, zorder=0)
    names = [f"{verdicts.loc[claim, 'statement']}  {claim}" for claim in rows]
    ax.set_yticks(
        range(len(rows)),
        [name if len(name) < 62 else f"{name[:54]}…  {name[-3:]}" for name in names],
    )
    ax.set_xticks([-1, -0.5, 0, 0.5, 1], ["−100 %", "−50 %", "as published", "+50 %", "+100 %"])
    ax.set(xlim=(-1.06, 1.06), ylim=(len(rows) - 0.4, -0.6))
    ax.tick_params(labelsize=8, length=0)
    ax.grid(axis="x", color="#e3e5e8", lw=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    for verdict, colour in {**COLOURS, "not judged": OTHER}.items():
        ax.plot([], [], "o", ms=5, color=colour, label=verdict)
    ax.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=180, facecolor="white")
    pyplot.close(figure)
    return Image.open(file)


def _draw(ax, each: Estimate, at: int, colour: str) -> None:
    """Draw a number of a claim: an arrow head if it is beyond the axis."""
    inside = min(max(each.deviation, -1), 1)
    marker = "o" if inside == each.deviation else ">" if inside > 0 else "<"
    ax.plot(inside, at, marker, color=colour, ms=5, alpha=0.75, mec="none")


def write_pictures(run: Path, docs: Path, figures: list[str] | None = None) -> list[Path]:
    """Write the pictures of a run's figures into `docs/img`; return their paths."""
    settings = read_yaml(run / "config.yaml")["settings"]
    if settings["data"].startswith("simulated"):
        raise InputError(f"{run}: its cells are simulated; take a run on real cells")
    known = sorted(load({}, ROOT / "config").figures, key=place)
    named = figures or [name for name in known if (run / "figures" / f"{name}.png").is_file()]
    pictures = {}
    for name in named:
        path = run / "figures" / f"{name}.png"
        if not path.is_file():
            raise InputError(f"{path}: not found; the run has no figure {name}")
        with Image.open(path) as image:
            pictures[name] = packed(image)
    if figures is None:
        tables = (read_table(run / path) for path in ("claims.tsv", "tables/claim_values.tsv"))
        pictures[PUBLISHED_AND_OURS[0]] = packed(published_and_ours(*tables))
    written = []
    for name, content in pictures.items():
        written.append(docs / "img" / f"{name}.webp")
        with atomic_write(written[-1]) as part:
            part.write_bytes(content)
    return written


def main() -> None:
    """Parse the command line, and write the pictures."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.site.pictures", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("run", type=Path, help="the folder of a run on real cells")
    parser.add_argument("figures", nargs="*", help="by default all that the run has")
    options = parser.parse_args()
    try:
        written = write_pictures(options.run, ROOT / "docs", options.figures or None)
    except InputError as error:
        parser.exit(1, f"error: {error}\n")
    for path in written:
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} KB")


if __name__ == "__main__":
    main()
