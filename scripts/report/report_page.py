"""The report of the run, as one page."""

from paper.script import run


def main(snakemake):
    from pathlib import Path

    from snakemake.persistence.file import FilePersistence

    from paper.jobs import jobs_of, leading_to
    from paper.report import page
    from paper.report.facts import run_facts, steps_of, trainings
    from paper.report.texts import document
    from paper.tables import read_table
    from vega.files import written_whole

    params, inputs = snakemake.params, snakemake.input
    folder, texts = Path(snakemake.output.page).parent, Path(inputs.templates[0]).parent
    claims = read_table(inputs.table)
    record = FilePersistence(nolock=True)._read_record  # see scripts/report/crate.py
    jobs = leading_to([inputs.table, *inputs.figures], jobs_of(folder, record))
    text = page.report_page(
        claims,
        [
            page.figure(folder, *shown, claims, params.settings, texts)
            for shown in page.in_order(params.figures)
        ],
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
