"""Measure and judge every claim of the paper in the results of this run."""

from pathlib import Path

from scripts.claims import (  # each registers its claims
    architectures,  # noqa: F401
    darmanis,  # noqa: F401
    data,  # noqa: F401
    field,  # noqa: F401
    kang,  # noqa: F401
    mixseq,  # noqa: F401
    out_of_sample,  # noqa: F401
    supplement,  # noqa: F401
)
from scripts.claims.judging import MEASURES, Measure, evaluate, read_claims
from scripts.claims.run_results import RunResults
from scripts.common.config.load import load
from scripts.common.run import log, run
from scripts.common.tables import write_table


def load_measures() -> dict[str, Measure]:
    """Return the measures of all claims that have a function, by id."""
    return MEASURES


def main(snakemake):
    """Rule `claims`."""
    config = load(snakemake.params.settings)
    table, values = evaluate(
        read_claims(snakemake.input.claims),
        RunResults(Path(snakemake.output.table).parent, config),
        config.settings.seeds,
    )
    write_table(table, snakemake.output.table)
    write_table(values, snakemake.output.values)
    counts = table["verdict"].value_counts()
    log.info("claims: %s", ", ".join(f"{n} {verdict}" for verdict, n in counts.items()))


if __name__ == "__main__":
    run(main, snakemake)
