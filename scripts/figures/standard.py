"""The standard page of a model, and its panels."""

from scripts.common.run import run


def main(snakemake):
    """Read the model's results, draw what there is to show of them."""
    from pathlib import Path

    from scripts.common.config import Study
    from scripts.figures.data import read_figure_data
    from scripts.figures.summary_page import write_standard_page

    inputs, model = snakemake.input, snakemake.wildcards.model
    data = read_figure_data(
        {model: Study.model_validate(snakemake.params.study)},
        latents=inputs.latent,
        tables=[*inputs.differential, *inputs.gsea, inputs.genes],
    )
    write_standard_page(model, data, Path(snakemake.output.page).parent)


run(main, snakemake)
