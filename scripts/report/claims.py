"""Measure and judge every claim of the paper in the results of this run."""

from scripts.common.run import run


def main(snakemake):
    from pathlib import Path

    from scripts.claims.core import evaluate, read_claims
    from scripts.claims.evidence import Evidence
    from scripts.common.config import load
    from scripts.common.run import log
    from scripts.common.tables import write_table

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
