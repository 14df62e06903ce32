"""The claims table as a page of its own."""

from paper.script import run


def main(snakemake):
    from paper.report import claims_page
    from paper.tables import read_table
    from vega.files import written_whole

    page = claims_page(
        read_table(snakemake.input.table),
        snakemake.params.settings,
        snakemake.params.left_out,
        snakemake.input.template,
    )
    with written_whole(snakemake.output.page) as temporary:
        temporary.write_text(page, encoding="utf-8")


run(main, snakemake)
