"""Overlaps, R2 and activities of cells that a model has not learnt from (Figure 4)."""

from scripts.common.run import run


def main(snakemake):
    """Write the three tables, for all seeds, with study B where it is part of the run."""
    from pathlib import Path

    import torch

    import vega
    from scripts.analyse.out_of_sample_ import encode, held_out, joined, other_study
    from scripts.common.h5ad import read_cells
    from scripts.common.run import log
    from scripts.common.tables import write_table

    torch.set_num_threads(snakemake.threads)
    params, inputs = snakemake.params, snakemake.input
    cells, parts = read_cells(inputs.cells), []
    for seed in params.seeds:
        log.info("seed %d", seed)
        models = {
            model: vega.load(Path(params.folder, model, f"seed{seed}"))
            for model in (params.full, params.control, *params.held_out.values())
        }
        full = encode(models[params.full], cells)
        unseen = {cell_type: models[model] for cell_type, model in params.held_out.items()}
        parts.append(held_out(full, unseen, seed))
        for study in inputs.other:
            control = models[params.control]
            parts.append(other_study(full, control, read_cells(study), list(unseen), seed))
    for name, table in joined(parts)._asdict().items():
        write_table(table, getattr(snakemake.output, name))


run(main, snakemake)
