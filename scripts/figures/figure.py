"""All panels of a figure, and its page."""

from paper.script import run


def main(snakemake):
    """Read the model's results, draw each panel on its own and all on one page."""
    import logging
    from pathlib import Path

    from paper.config import Study
    from paper.figures.data import load
    from paper.figures.page import write_figure

    logging.getLogger("fontTools").setLevel(logging.WARNING)  # tells of each glyph it embeds
    params, inputs = snakemake.params, snakemake.input
    study = Study.model_validate(params.study)
    write_figure(
        params.figure,
        params.title,
        params.panels,
        load(inputs.latent, inputs.differential, inputs.gsea, study),
        Path(snakemake.output.page).parent,
    )


run(main, snakemake)
