"""What is asked of models is compared with the cells before training."""

import pandas as pd
import pytest
from helpers.checks import one_line_error

from scripts.analyse.asked import check_asked
from scripts.common.config.models import Analyses

OBS = pd.DataFrame({
    "cell_type": [*"aaabbb", None],
    "donor": ["1", "2", "2", "1", "1", "1", "2"],
    "site": ["x", "x", "y", "y", "y", "y", "x"],
})  # fmt: skip


def check(**analyses):
    check_asked(OBS, Analyses(**analyses).model_dump(), "mine")


def test_what_the_cells_have_may_be_asked_of_them():
    by_type = {"column": "donor", "group": "1", "reference": "2", "by": "cell_type"}
    within = {"column": "donor", "group": "2", "reference": "1", "within": {"site": ["y"]}}
    check(
        one_vs_rest="cell_type", contrasts={"by_type": by_type, "in_y": within},
        silhouettes={"s": {"column": "donor", "within": {"site": ["x"]}}},
    )  # fmt: skip


def contrast(**changed):
    return {"contrasts": {"d": {"column": "donor", "group": "1", "reference": "2", **changed}}}


def silhouette(**asked):
    return {"silhouettes": {"s": asked}}


@pytest.mark.parametrize(
    ("analyses", "message"),
    [
        (contrast(group="3"), "^config/models.yaml: mine.d: no cell has donor 3; there are 1, 2$"),
        (contrast(reference="one"), "mine.d: no cell has donor one; there are 1, 2"),
        (contrast(column="Donor"), "mine.d: obs has no column Donor; it has cell_type, donor, sit"),
        (contrast(within={"site": ["z"]}), "mine.d: no cell has donor 2; there are none"),
        (contrast(by="lane"), "mine.d: obs has no column lane"),
        (
            contrast(column="cell_type", group="a", reference="b", by="cell_type"),
            "mine.d: no cell_type has cells of the group and of the reference",
        ),
        ({"one_vs_rest": "type"}, "mine.one_vs_rest: obs has no column type"),
        (silhouette(column="lane"), "mine.silhouettes.s: .* no column lane"),
        (
            silhouette(column="donor", within={"lane": ["1"]}),
            "mine.silhouettes.s: .* no column lane; it has cell_type, donor, site",
        ),
    ],
)
def test_what_the_cells_do_not_have_is_named(analyses, message):
    with one_line_error(message):
        check(**analyses)
