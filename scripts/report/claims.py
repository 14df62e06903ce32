"""Measure and judge every claim of the paper in the results of this run."""

from paper.script import run


def main(snakemake):
    from pathlib import Path

    from paper.claims.core import evaluate, read_claims
    from paper.claims.evidence import Evidence
    from paper.config import load
    from paper.script import log
    from paper.tables import write_table

    config = load(snakemake.params.settings)
    table, values = evaluate(
        read_claims(snakemake.input.claims),
        Evidence(Path(snakemake.output.table).parent, config),
        config.settings.seeds,
    )
    write_table(table, snakemake.output.table)
    write_table(values, snakemake.output.values)
    counts = table["verdict"].value_counts()
    log.info("claims: %s", ", ".join(f"{n} {verdict}" for verdict, n in counts.items()))


run(main, snakemake)
