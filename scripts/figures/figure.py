"""All panels of a figure, and its page."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from scripts.common.config.figures import FigureConfig
from scripts.common.config.studies import Study
from scripts.common.run import run
from scripts.figures.data import FigureData, read_figure_data
from scripts.figures.layout import Panel, write_panels
from vega.errors import InputError


def write_figure(
    name: str, title: str, panels: Sequence[str], data: FigureData, folder: Path
) -> None:
    """Draw a figure into `folder`: `<name>.{png,pdf}` and `<name>/<panel>.{png,pdf}`.

    Raises
    ------
    InputError
        If a panel has no function in `scripts/figures/<name>.py` or no place on its page.
    """
    module = import_module(f"scripts.figures.{name}")
    functions: dict[str, Panel] = {}
    for panel in panels:
        if not hasattr(module, panel) or panel not in "".join(module.LAYOUT.mosaic):
            raise InputError(
                f"config/figures.yaml: {name}.panels: scripts/figures/{name}.py has no panel "
                f"{panel}; write its function and its place in LAYOUT, or remove it here"
            )
        functions[panel] = getattr(module, panel)
    write_panels(name, functions, module.LAYOUT, title, data, folder)


def main(snakemake):
    """Read what the figure shows, draw each panel on its own and all on one page."""
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


if __name__ == "__main__":
    run(main, snakemake)
