"""Beyond the paper: which published findings survive which choices, a cell per claim and choice."""

from textwrap import wrap

import pandas as pd
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle

from scripts.claims.judging import shown
from scripts.figures.data import FigureData
from scripts.figures.layout import Layout, Panel, axes_at, inches, write

LAYOUT = Layout(("a",), widths=(12,), heights=(7,))
LEFT, RIGHT, TOP, BOTTOM = 3.75, 0.1, 1.75, 0.35  # inches around the cells
WIDEST = 0.6  # inches of a cell
MEASURE = 2.8  # inches from the left to the names of the numbers
LINE = 54  # letters of a claim
SMALL = {"size": 6, "va": "center"}

# Signs and colours of verdicts, those of the report.
VERDICTS = {
    "reproduced": ("✓", "#00603f"),
    "direction only": ("↗", "#7a4b00"),
    "differs": ("✗", "#a3195b"),
    "not run": ("–", "#555b63"),
}
CAUTION = "⚠"
OTHERS = f"{CAUTION} uninformative criterion        empty: the claim is not asked of this choice"


def verdicts(data: FigureData) -> pd.DataFrame:
    """Return verdict and number of each claim under each choice that it depends on."""
    columns = ["claim", "statement", "heading", "choice", "measure", "value", "verdict", "caution"]
    table = data.tables["robustness"]
    return table.assign(choice=table["label"])[columns]


def number_of_cell(value: float) -> str:
    """Return a number with three digits, and at most three after the point, so that it fits."""
    decimals = abs(value) < 1 and value != round(value)
    return (f"{value:.3f}" if decimals else shown(value)).replace("-", "−")


def draw(figure: FigureBase, table: pd.DataFrame) -> None:
    """Draw a row per claim and a column per choice, with sign and number where both meet."""
    claims, choices = (table.drop_duplicates(kind) for kind in ("claim", "choice"))
    width, height = inches(figure)
    cell = min((width - LEFT - RIGHT) / len(choices), WIDEST)
    ax = axes_at(figure, LEFT, BOTTOM, cell * len(choices), height - TOP - BOTTOM)
    ax.set(xlim=(0, len(choices)), ylim=(len(claims), 0))
    ax.axis("off")

    def text(x: float, y: float, words: str, **style) -> None:
        """Write at `x` inches from the left and in row `y`, which may be above the first."""
        ax.text((x - LEFT) / cell, y + 0.5, words, **{**SMALL, **style})

    row = (height - TOP - BOTTOM) / len(claims)  # in inches
    rows, columns = list(claims["claim"]), list(choices["choice"])
    for each in table.itertuples():
        x, y = columns.index(each.choice), rows.index(each.claim)
        sign, colour = VERDICTS[each.verdict]
        sign += "" if pd.isna(each.caution) else f" {CAUTION}"
        box = {"facecolor": colour, "edgecolor": "white", "linewidth": 1.5, "alpha": 0.15}
        ax.add_patch(Rectangle((x, y), 1, 1, **box))
        number = "" if pd.isna(each.value) else number_of_cell(each.value)
        middle = LEFT + (x + 0.5) * cell
        text(middle, y - 0.2, sign, color=colour, ha="center", weight="bold")
        text(middle, y + 0.2, number, color=colour, ha="center")
    # A claim may have no number under some choice.
    measures = table.dropna(subset="measure").groupby("claim")["measure"].first()
    for y, each in enumerate(claims.itertuples()):
        lines = wrap(f"{each.claim}  {each.statement}", LINE, max_lines=2, placeholder=" …")
        text(0.1, y, "\n".join(lines))
        text(MEASURE, y, measures.get(each.claim, ""), color="0.35", style="italic")
    for x, each in enumerate(choices.itertuples()):
        middle = LEFT + (x + 0.5) * cell
        text(middle, -0.5 - 0.06 / row, each.choice, rotation=90, ha="center", va="bottom")
    for heading, of_kind in choices.assign(x=range(len(choices))).groupby("heading", sort=False):
        first, last = of_kind["x"].min(), of_kind["x"].max() + 1
        middle = LEFT + (first + last) / 2 * cell
        write(figure, middle, 0.08, heading, ha="center", weight="bold", size=6.5)
        ends, above = (first + 0.08, last - 0.08), (0.24 - TOP) / row
        ax.plot(ends, (above, above), color="0.5", linewidth=0.6, clip_on=False)
    left = 0.1
    for verdict, (sign, colour) in VERDICTS.items():
        write(figure, left, height - 0.22, f"{sign} {verdict}", color=colour, size=6.5)
        left += 1.1
    write(figure, left, height - 0.22, OTHERS, color="0.35", size=6.5)


PANELS = {
    "a": Panel("Verdict and number of each claim under each choice.", draw, verdicts),
}
