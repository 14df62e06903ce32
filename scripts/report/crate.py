"""Keep the workflow in the run, and describe both as an RO-Crate."""

from paper.script import log, run


def main(snakemake):
    from pathlib import Path

    from paper.crate import keep_workflow, state_of_code, write_crate
    from paper.jobs import jobs_behind

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
