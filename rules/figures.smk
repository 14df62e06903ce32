# The panels of every figure as files of their own, and its page.
# in:  models/kang/seed<N>/latent.h5ad, tables/kang_seed<N>_differential.tsv, tables/kang_gsea.tsv
# out: figures/<figure>/<panel>.{png,pdf} and figures/<figure>.{png,pdf}

FIGURES = [
    f"{RUN}/figures/{figure}.{suffix}"
    for figure in CONFIG.selected_figures
    for suffix in ("png", "pdf")
]

# What all figures are drawn with; beside its own file, an edit of these draws a figure again.
FIGURE_SOURCES = [
    *(f"paper/figures/{name}.py" for name in ("data", "page", "style")),
    *sorted(map(str, Path("vega/plot").glob("*.py"))),
]

# One rule per figure, since each writes files of its own names.
for figure, table in CONFIG.figures.items():

    rule:
        name:
            figure
        input:
            latent=f"{RUN}/models/kang/seed{SEED}/latent.h5ad",
            differential=f"{RUN}/tables/kang_seed{SEED}_differential.tsv",
            gsea=f"{RUN}/tables/kang_gsea.tsv",
            sources=[
                f"paper/figures/{figure}.py",
                *sorted(map(str, Path("paper/figures").glob(f"{figure}_*.py"))),
                *FIGURE_SOURCES,
            ],
        output:
            panels=expand(
                "{run}/figures/{figure}/{panel}.{suffix}",
                run=RUN,
                figure=figure,
                panel=table.panels,
                suffix=["png", "pdf"],
            ),
            pdf=f"{RUN}/figures/{figure}.pdf",
            page=report(
                f"{RUN}/figures/{figure}.png",
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"figure": figure, "shows": table.title},
            ),
        log:
            f"{LOGS}/figures/{figure}.log",
        conda:
            "../envs/vega.yaml"
        resources:
            mem_mb=4000,
        params:
            # What the configuration says, so that a changed entry draws again.
            figure=figure,
            title=table.title,
            panels=table.panels,
            study=CONFIG.studies["kang"].model_dump(exclude_unset=True),
        script:
            "../scripts/figures/figure.py"
