"""A study of two conditions in two Matrix Market files, as GEO has Kang."""

import numpy as np

from scripts.common.config.studies import Study

GENES = [("ENSG00000000001", "CD3D"), ("ENSG00000000002", "LYZ"), ("ENSG00000000003", "LYZ")]
CONTROL, STIMULATED = ["AAAC-1", "AAAG-1"], ["AAAC-1", "AAAT-1"]
COUNTS = {"a": np.array([[1, 0], [0, 2], [3, 0]]), "b": np.array([[4, 0], [5, 6], [0, 0]])}
TABLE = """tsne1\tind\tstim\tcell\tmultiplets
AAAC-1\t0.5\t101\tctrl\tB cells\tsinglet
AAAG-1\t0.5\t101\tctrl\tNA\tdoublet
AAAC-11\t0.5\t107\tstim\tNK cells\tsinglet
AAAT-1\t0.5\t107\tstim\tB cells\tsinglet
"""


def study(gz=".gz", **changes):
    """Return the study of files that end in `gz`."""
    entry = {
        "title": "Two cells, twice",
        "format": "mtx",
        "matrices": [
            {
                "matrix": f"{m}.mtx{gz}",
                "barcodes": f"{m}_barcodes.tsv{gz}",
                "genes": f"genes.tsv{gz}",
            }
            | {"obs": {"condition": condition}}
            for m, condition in (("a", "control"), ("b", "stimulated"))
        ],
        "annotations": [
            {
                "file": f"cells.tsv{gz}",
                "columns": {"stim": "condition", "cell": "cell_type", "multiplets": "multiplet"},
                "values": {
                    "condition": {"ctrl": "control", "stim": "stimulated"},
                    "cell_type": {"B cells": "B", "NK cells": "NK"},
                },
                "match": ["condition", "barcode"],
            }
        ],
        "steps": [{"normalise": "median"}],
    }
    return Study.model_validate(entry | changes)
