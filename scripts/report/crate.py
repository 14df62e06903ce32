"""Keep the workflow in the run, and describe both as an RO-Crate."""

from scripts.common.run import log, run


def main(snakemake):
    from pathlib import Path

    from scripts.report.crate_ import keep_workflow, state_of_code, write_crate
    from scripts.report.jobs import jobs_behind

    folder, targets = Path(snakemake.output.crate).parent, list(snakemake.input.results)
    keep_workflow(snakemake.input.workflow, folder)
    jobs = jobs_behind(targets, folder)
    write_crate(
        folder,
        targets,
        jobs,
        state=state_of_code(Path()),
        simulated=snakemake.params.simulated,
    )
    log.info("%s: %d jobs led to %d results", snakemake.output.crate, len(jobs), len(targets))


run(main, snakemake)
