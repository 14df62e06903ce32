"""Whether the cells have what is asked of a model, known before it is trained."""

from typing import Any

import pandas as pd

from scripts.analyse.silhouettes import check_columns
from scripts.common.contrasts import groups


def check_asked(obs: pd.DataFrame, analyses: dict[str, Any], model: str) -> None:
    """Refuse a column that the cells lack, and a group or a reference without cells.

    `analyses` are those of an entry, as config.Analyses has them.
    """
    check_columns(obs, analyses["silhouettes"], f"{model}.")
    for _ in groups(obs, analyses, f"{model}."):
        pass
