"""Raw files of a study -> its preprocessed cells, the table of what was removed, and its figure."""

from scripts.common.run import run


def main(snakemake):
    """Read, check, preprocess, write."""
    from pathlib import Path

    from scripts.common.config import Study
    from scripts.common.h5ad import write_cells
    from scripts.figures.page import save
    from scripts.figures.qc import qc_figure
    from scripts.preprocess.preprocess_ import read_and_preprocess
    from scripts.preprocess.readers import check_namespace
    from vega.files import written_whole
    from vega.gene_sets import read_gmt

    name, study = snakemake.wildcards.study, Study.model_validate(snakemake.params.study)
    folder = Path(snakemake.input.raw[0]).parent
    cells, qc = read_and_preprocess(name, study, folder, snakemake.input.other)
    for path in snakemake.input.gene_sets:
        check_namespace(cells.var_names, read_gmt(path), f"{name} with {path}")

    with written_whole(snakemake.output.table) as path:
        qc.to_csv(path, sep="\t", index=False)
    figure = qc_figure(qc, study.title, simulated=snakemake.params.simulated)
    for output in (snakemake.output.png, snakemake.output.pdf):
        save(figure, output)
    write_cells(cells, snakemake.output.cells)


run(main, snakemake)
