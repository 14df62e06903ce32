"""The latent space of another method, with its embedding."""

from scripts.common.run import run


def main(snakemake):
    import json
    from pathlib import Path

    from scripts.common.h5ad import read_cells, write_cells
    from scripts.train.baselines.run import run_peer
    from scripts.train.train_ import choose_device
    from vega.files import written_whole

    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    given_gpu = snakemake.resources.get("gpu", 0) > 0
    latent, facts = run_peer(
        read_cells(inputs.data),
        Path(inputs.gene_sets),
        params.entry,
        epochs_of=next(map(Path, inputs.epochs_of), None),
        instead=params.instead,
        device=choose_device(params.device, given_gpu, params.require_gpu),
        seed=int(snakemake.wildcards.seed),
        threads=snakemake.threads,
    )
    write_cells(latent, outputs.latent)
    with written_whole(outputs.facts) as temporary:
        temporary.write_text(json.dumps(facts, indent=1) + "\n")


run(main, snakemake)
