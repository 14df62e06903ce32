"""All panels of a figure, the tables that they are drawn from, and its page."""

from importlib import import_module
from pathlib import Path

from scripts.common.config.studies import Study
from scripts.common.run import run
from scripts.figures.data import FigureData, read_figure_data
from scripts.figures.layout import write_panels


def write_figure(name: str, title: str, data: FigureData, folder: Path) -> None:
    """Write the figure of `scripts/figures/<name>.py` into a folder, see `layout.write_panels`."""
    module = import_module(f"scripts.figures.{name}")
    write_panels(name, module.PANELS, module.LAYOUT, title, data, folder)


def main(snakemake):
    """Read what the figure shows, write its tables, draw from them."""
    params, inputs = snakemake.params, snakemake.input
    studies = map(Study.model_validate, params.studies)
    data = read_figure_data(
        dict(zip(params.models, studies, strict=True)),
        latents=inputs.latent,
        tables=[*inputs.differential, *inputs.gsea, *inputs.tables],
        expression=inputs.expression,
        cells=inputs.cells,
    )
    write_figure(snakemake.wildcards.figure, params.title, data, Path(snakemake.output.page).parent)


if __name__ == "__main__":
    run(main, snakemake)
