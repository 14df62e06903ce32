"""All panels of a figure, and its page."""

from scripts.common.run import run


def main(snakemake):
    """Read what the figure shows, draw each panel on its own and all on one page."""
    from pathlib import Path

    from scripts.common.config import FigureConfig, Study
    from scripts.figures.data import read_figure_data
    from scripts.figures.page import write_figure

    params, inputs = snakemake.params, snakemake.input
    entry = FigureConfig.model_validate(params.entry)
    studies = [Study.model_validate(study) for study in params.studies]
    data = read_figure_data(
        dict(zip(params.models, studies, strict=True)),
        latents=inputs.latent,
        tables=[*inputs.differential, *inputs.gsea, *inputs.tables],
        expression=inputs.expression,
        cells=inputs.cells,
    )
    page = Path(snakemake.output.page)
    write_figure(params.figure, entry.title, entry.panels, data, page.parent)


run(main, snakemake)
