"""The latent space of another method, with its embedding."""

from paper.script import run


def main(snakemake):
    import json
    from pathlib import Path

    from anndata import read_h5ad

    from paper.peers.run import run_peer
    from vega.files import written_whole

    inputs, outputs = snakemake.input, snakemake.output
    latent, facts = run_peer(
        read_h5ad(inputs.data),
        Path(inputs.gene_sets),
        snakemake.params.entry,
        epochs_of=next(map(Path, inputs.epochs_of), None),
        instead=snakemake.params.instead,
        seed=int(snakemake.wildcards.seed),
        threads=snakemake.threads,
    )
    with written_whole(outputs.latent) as temporary:
        latent.write_h5ad(temporary, compression="gzip")
    with written_whole(outputs.facts) as temporary:
        temporary.write_text(json.dumps(facts, indent=1) + "\n")


run(main, snakemake)
