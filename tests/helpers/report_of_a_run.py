"""A report of made-up results with all that a report may show, to be tested and looked at."""

import numpy as np
import pandas as pd
from conftest import ROOT
from PIL import Image

from scripts.claims.judging import UNINFORMATIVE, VALUES, read_claims
from scripts.common.config.load import load
from scripts.report import report_page as page
from scripts.report.facts import Step, Training
from scripts.report.forest import estimates
from scripts.report.texts import document

VERDICTS = ["reproduced", "direction only", "differs", "not run"]
TEMPLATES = ROOT / "report"


def claims_in_turn(**fields):
    """All published claims, their verdicts in turn; other fields as given."""
    claims = read_claims(ROOT / "config" / "claims.tsv")
    verdicts = [VERDICTS[i % 4] for i in range(len(claims))]
    cautions = ["" if i % 8 else UNINFORMATIVE for i in range(len(claims))]
    control = {"control": "AUC 0.5 ±0.02", "control_holds": "0 of 20", "caution": cautions}
    values = {"reproduced": "AUC 0.99", "spread": "AUC ±0.01", "note": "", **control, **fields}
    return claims.assign(verdict=verdicts, **values)


def values_around_the_published(seeds):
    """Values of all claims: of the first seed as published, of each further one larger by 100 %.

    Under shuffling they are 0 with a standard deviation of a tenth of the published number.
    """
    return pd.DataFrame(
        [
            (row.id, name, seed, number, number + deviation * size, deviation, 0.0, size / 10)
            for row in read_claims(ROOT / "config" / "claims.tsv").itertuples()
            for name, number in row.numbers.values.items()
            for size in [abs(number)]
            for deviation, seed in enumerate(seeds)
        ],
        columns=[*VALUES],
    )


def write_report(run, claims=None, of_paper=True, **settings):
    """Write `report.html` into the folder of a run, with the files that it links to.

    A run that is not `of_paper` has a summary page alone.
    """
    config = load({"run": "x", **settings}, ROOT / "config")
    claims = claims_in_turn() if claims is None else claims
    told = config.settings.model_dump()
    named = config.figures.items() if of_paper else []
    entries = [(name, entry.title, entry.tables) for name, entry in named]
    entries.append(("summary/kang", "kang", []))
    figures = []
    for number, (name, title, tables) in enumerate(sorted(entries, key=lambda e: page.place(e[0]))):
        folder = run / "figures" / name
        folder.mkdir(parents=True)
        colours = np.random.default_rng(number).integers(0, 255, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((400, 300)).save(f"{folder}.png")
        folder.with_suffix(".pdf").touch()
        for file in ("a.tsv", "b.tsv.gz", "columns.tsv"):
            (folder / file).touch()
        for table in tables:
            (run / "tables").mkdir(exist_ok=True)
            (run / "tables" / f"{table}.tsv").touch()
        shown = page.figure(run, name, title, tables, claims, told, TEMPLATES)
        figures.append(shown)
        code = run / shown.links["code"]
        code.parent.mkdir(parents=True, exist_ok=True)
        code.touch()
    for file in ("ro-crate-metadata.json", "config.yaml"):
        (run / file).touch()
    text = page.report_page(
        claims,
        figures,
        TEMPLATES,
        estimates=estimates(values_around_the_published(told["seeds"])),
        settings=told,
        left_out={"fig2": ["darmanis"]},
        errata=document(ROOT / "docs" / "errata.md"),
        steps=[Step("train_kang", 1, 4000.0), Step("embed", 12, 75.0), Step("gsea", 2, 7.4)],
        trainings=[
            Training("kang", 1, 18868, "119", 400.0, "cuda", "bfloat16"),
            Training("kang_holdout", 7, 17000, "90 to 131", 2100.0, "cpu, cuda", "float32"),
            Training("zheng", 1, 2600, "80", 59.0, "cpu", "float32"),
        ],
        facts={"machine": "Linux", "versions": "vega 0.1.0"},
    )
    path = run / "report.html"
    path.write_text(text, encoding="utf-8")
    return path
