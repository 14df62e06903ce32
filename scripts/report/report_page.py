"""The report of the run, as one page."""

from scripts.common.run import run


def main(snakemake):
    from pathlib import Path

    from scripts.common.tables import read_table
    from scripts.report import page
    from scripts.report.facts import run_facts, steps_of, trainings
    from scripts.report.forest import estimates
    from scripts.report.jobs import jobs_behind
    from scripts.report.texts import document
    from vega.files import written_whole

    params, inputs = snakemake.params, snakemake.input
    folder, texts = Path(snakemake.output.page).parent, Path(inputs.templates[0]).parent
    claims = read_table(inputs.table)
    jobs = jobs_behind([inputs.table, *inputs.figures], folder)
    text = page.report_page(
        claims,
        [
            page.figure(folder, *shown, claims, params.settings, texts)
            for shown in sorted(params.figures, key=lambda shown: page.place(shown[0]))
        ],
        estimates=estimates(read_table(inputs.values)),
        settings=params.settings,
        left_out=params.left_out,
        errata=document(inputs.errata),
        steps=steps_of(jobs),
        trainings=trainings({e: [*map(Path, paths)] for e, paths in params.models.items()}),
        facts=run_facts(jobs),
        templates=texts,
    )
    with written_whole(snakemake.output.page) as part:
        part.write_text(text, encoding="utf-8")


run(main, snakemake)
