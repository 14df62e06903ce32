"""A small study in files, and what reading it says."""

import pandas as pd
from helpers.checks import one_line_error
from helpers.raw_files import market

from scripts.common.config.studies import Source
from scripts.preprocess.readers import read

COUNTS = [[1, 0, 3], [0, 2, 0]]  # cells x genes
CELLS = ["AAAC-1", "AAAG-1"]
MEMBERS = {
    "matrix.mtx": market(COUNTS),
    "barcodes.tsv": "\n".join(CELLS).encode(),
    "genes.tsv": b"ENSG00000000001\tCD3D\nENSG00000000002\tLYZ\nENSG00000000003\tLYZ",
    "cells.csv": b"barcode,singlet_ID,cell_quality\nAAAG-1,A375_SKIN,normal\n"
    b"AAAC-1,T47D_BREAST,doublet\n",
}
SIDES = {"matrix": "matrix.mtx", "barcodes": "barcodes.tsv", "genes": "genes.tsv"}
ARCHIVES = ["a.zip", "a.tar.gz", "a.tar"]


def source(format, *matrices, annotations=(), steps=({"normalise": "median"},)):
    return Source.model_validate(
        {"format": format, "matrices": matrices, "annotations": annotations, "steps": steps}
    )


def says(entry, folder, *words):
    """Assert that reading ends in one line with these words."""
    with one_line_error("") as error:
        read(entry, folder)
    for word in words:
        assert word in str(error.value)


def labels(adata, column):
    """A column of the cells as a list, with None where a value is missing."""
    values = adata.obs[column].astype(object)
    return [None if pd.isna(value) else value for value in values]
