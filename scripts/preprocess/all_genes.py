"""Raw files of a study -> its preprocessed cells with all filtered genes, which GSEA ranks."""

from scripts.common.config.studies import Study
from scripts.common.h5ad import read_cells, write_cells
from scripts.common.run import run
from scripts.preprocess.preprocess import cells_of
from vega.errors import InputError


def main(snakemake):
    """Read and preprocess as rule `preprocess` does, but keep genes that vary little."""
    study = Study.model_validate(snakemake.params.study).without_gene_selection()
    cells, _ = cells_of(snakemake, study)
    chosen = read_cells(snakemake.input.cells, backed=True)
    if not cells.obs_names.equals(chosen.obs_names):
        raise InputError(
            f"{snakemake.input.cells}: its cells are not those of the raw files; remove it and run "
            "again"
        )
    del cells.layers["counts"]
    write_cells(cells, snakemake.output.cells)


if __name__ == "__main__":
    run(main, snakemake)
