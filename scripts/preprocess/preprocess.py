"""Raw files of a study -> its preprocessed cells, the table of what was removed, and its figure."""

from paper.script import run


def main(snakemake):
    """Read, check, preprocess, write."""
    from pathlib import Path

    from paper.config import Study
    from paper.figures.page import save
    from paper.figures.qc import qc_figure
    from paper.formats import check_namespace, read
    from paper.formats.files import RawFile
    from paper.h5ad import read_cells, write_cells
    from paper.orthologs import one_to_one
    from paper.preprocess import about, preprocess
    from paper.provenance import provenance
    from vega.files import written_whole
    from vega.gene_sets import read_gmt

    name, study = snakemake.wildcards.study, Study.model_validate(snakemake.params.study)
    folder = Path(snakemake.input.raw[0]).parent
    given = {}
    if study.ortholog_table:
        given["orthologs"] = one_to_one(RawFile(folder / study.ortholog_table))
    if study.reindexed_to:
        given["reindex"] = read_cells(snakemake.input.other[0], backed=True).var
    cells, qc = preprocess(read(study, folder), study, given)
    cells.uns["provenance"] = about(name, study, provenance(folder))
    for path in snakemake.input.gene_sets:
        check_namespace(cells.var_names, read_gmt(path), f"{name} with {path}")

    with written_whole(snakemake.output.table) as path:
        qc.to_csv(path, sep="\t", index=False)
    figure = qc_figure(qc, study.title, simulated=snakemake.params.simulated)
    for output in (snakemake.output.png, snakemake.output.pdf):
        save(figure, output)
    write_cells(cells, snakemake.output.cells)


run(main, snakemake)
