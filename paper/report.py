"""Pages of the report, from tables and a template."""

from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

from paper.claims.core import Verdict


def claims_page(
    claims: pd.DataFrame,
    settings: dict[str, Any],
    left_out: dict[str, list[str]],
    template: Path | str,
) -> str:
    """The claims table as one self-contained HTML page.

    Parameters
    ----------
    claims
        As `claims.core.evaluate` gives it.
    settings
        Of the run: its name, kind of data and seeds are told at the top.
    left_out
        Figures that are not part of the run, with the studies they lack.
    template
        The page's Jinja template.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    counts = claims["verdict"].value_counts()
    return environment.from_string(Path(template).read_text(encoding="utf-8")).render(
        claims=claims.fillna("").to_dict("records"),
        verdicts=[(str(v), int(counts.get(v, 0))) for v in Verdict],
        settings=settings,
        left_out=left_out,
    )
