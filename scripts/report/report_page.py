"""The page: figures with their captions and claims, all claims, errata, times, devices."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from scripts.claims.judging import Verdict
from scripts.common.run import run
from scripts.common.shuffles import SHUFFLES
from scripts.common.tables import read_table
from scripts.report.facts import duration, run_facts, steps_of, trainings
from scripts.report.forest import Estimate, estimates
from scripts.report.summary import what_it_shows, words_of
from scripts.report.texts import caption, document
from scripts.report.upstream_jobs import upstream_jobs
from vega.files import atomic_write

PANEL = re.compile(r"(S?)(\d+)")  # how `config/claims.tsv` names panels: 1e, S4
SUMMARY = "Summary page"
# Values of a claim that are its noise: how the page calls them.
NOISE = {"by chance": "random choices", "seed alone": "two seeds of one model"}
FIGURE = re.compile(r"(s?)fig(\d+)")  # names of the paper's own figures
WIDTH = 1800  # pixels: sharp on a screen of twice the usual density, where a page is 900 wide
QUALITY = 86


@dataclass(frozen=True)
class Picture:
    """A picture as a part of the page itself."""

    data: str
    width: int
    height: int


@dataclass(frozen=True)
class Shown:
    """A figure on the page."""

    name: str
    label: str
    title: str
    picture: Picture
    caption: str
    links: Mapping[str, str]
    panels: Mapping[str, str]  # the source data of each panel
    claims: Sequence[Mapping[str, str]]


def figure(
    run: Path,
    name: str,
    title: str,
    tables: Sequence[str],
    claims: pd.DataFrame,
    settings: Mapping[str, Any],
    captions: Path,
) -> Shown:
    """Return a figure of a run, with links (relative to the run) to the files it was made from.

    `name`, `title` and `tables` are of `config/figures.yaml`. `claims` are all of the run. The
    folder `captions` has `figure.rst`, which includes `<figure>.rst`, and `summary_page.rst`.
    """
    summary = name.startswith("summary/")
    source = "summary_page" if summary else name
    wildcards = {"model": name.removeprefix("summary/")} if summary else {"figure": name}
    template = captions / ("summary_page.rst" if summary else "figure.rst")
    data = sorted((run / "figures" / name).glob("*.tsv*"))
    links = {
        "full size": f"figures/{name}.png",
        "PDF": f"figures/{name}.pdf",
        "all panels": f"figures/{name}/",
        "code": f"workflow/scripts/figures/{source}.py",
        **{f"{table}.tsv": f"tables/{table}.tsv" for table in tables},
    }
    return Shown(
        name=name.replace("/", "-"),
        label=label(name),
        title=title,
        picture=embedded(run / "figures" / f"{name}.png"),
        caption=caption(template, settings, **wildcards),
        links=links,
        panels={path.name.split(".")[0]: f"figures/{name}/{path.name}" for path in data},
        claims=records(claims[claims["panel"].map(figure_of) == name]),
    )


def embedded(path: Path) -> Picture:
    """Return a picture file as WebP in a data URI, no wider than a page shows it."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.LANCZOS)
    packed = io.BytesIO()
    image.save(packed, "WEBP", quality=QUALITY, method=4)
    text = base64.b64encode(packed.getvalue()).decode()
    return Picture(f"data:image/webp;base64,{text}", image.width, image.height)


def records(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of the table of claims, with `noise` taken out of `reproduced`."""
    rows = claims.fillna("").to_dict("records")
    for row in rows:
        values = [part for part in row["reproduced"].split("; ") if part]
        noise = {part: name for part in values for name in NOISE if part.startswith(f"{name} ")}
        row["reproduced"] = "; ".join(part for part in values if part not in noise)
        row["noise"] = [f"{NOISE[n]}: {part.removeprefix(n).strip()}" for part, n in noise.items()]
    return rows


def figure_of(panel: str) -> str:
    """Return the figure of a panel, such as `sfig12` of `S12`; empty if it is no panel."""
    found = PANEL.match(panel)
    return f"{'sfig' if found[1] else 'fig'}{found[2]}" if found else ""


def label(name: str) -> str:
    """Return a figure's name as the paper has it, or what it is instead."""
    if found := FIGURE.fullmatch(name):
        return f"Figure {found[1].upper()}{found[2]}"
    return SUMMARY if name.startswith("summary/") else "Beyond the paper"


def place(name: str) -> tuple[int, int]:
    """Return where a figure is in the order of the paper; what goes beyond it comes last."""
    found = FIGURE.fullmatch(name)
    return (len(found[1]), int(found[2])) if found else (2, 0)


def breakable(text: str) -> Markup:
    """Return a text whose long lists of numbers, as in `1304/1192`, may wrap."""
    return Markup(escape(text).replace("/", Markup("/<wbr>")))


def report_page(
    claims: pd.DataFrame,
    figures: Sequence[Shown],
    templates: Path | str,
    *,
    estimates: Mapping[str, Sequence[Estimate]],
    left_out: Mapping[str, Sequence[str]],
    **parts: Any,
) -> str:
    """Return the report of a run as one self-contained HTML page, from `report.html.jinja`.

    `claims` is the table of `scripts.claims.judging.evaluate`. `left_out` are figures that are not
    part of the run, with the studies they lack. The template takes the other parts as they are:
    `settings`, `errata` (HTML), `steps`, `trainings` and `facts`.
    """
    environment = Environment(
        loader=FileSystemLoader(templates), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"duration": duration, "breakable": breakable}
    of_paper = any(figure.label != SUMMARY for figure in figures)
    counts = claims["verdict"].value_counts()
    figure_names = claims["panel"].map(figure_of)
    labels = figure_names.map(lambda name: label(name) if name else "")
    in_order = (
        claims.fillna("").assign(label=labels).loc[figure_names.map(place).sort_values().index]
    )
    simulated = parts["settings"]["data"].startswith("simulated")
    return environment.get_template("report.html.jinja").render(
        claims=records(claims.assign(figure=figure_names)),
        shows=what_it_shows(in_order, simulated) if of_paper else [],
        simulated=simulated,
        words=words_of(simulated),
        verdicts={str(v): int(counts.get(v, 0)) for v in Verdict},
        figures=figures,
        estimates=estimates if of_paper else {},
        of_paper=of_paper,
        shuffles=SHUFFLES,
        left_out={label(name): left_out[name] for name in sorted(left_out, key=place) if of_paper},
        **parts,
    )


def main(snakemake):
    """Rule `report_page`."""
    params, inputs = snakemake.params, snakemake.input
    folder, texts = Path(snakemake.output.page).parent, Path(inputs.templates[0]).parent
    claims = read_table(inputs.table)
    jobs = upstream_jobs([inputs.table, *inputs.figures], folder)
    shown = sorted(params.figures, key=lambda entry: place(entry[0]))
    text = report_page(
        claims,
        [figure(folder, *entry, claims, params.settings, texts) for entry in shown],
        texts,
        estimates=estimates(read_table(inputs.values)),
        settings=params.settings,
        left_out=params.left_out,
        errata=document(inputs.errata),
        steps=steps_of(jobs),
        trainings=trainings({e: [*map(Path, paths)] for e, paths in params.models.items()}),
        facts=run_facts(jobs),
    )
    with atomic_write(snakemake.output.page) as part:
        part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)
