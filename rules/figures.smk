# The panels of every figure as files of their own, and its page.
# in:  of the models that the figure names models/<model>/seed<N>/latent.h5ad and their tables;
#      the tables and the expression that it names
# out: figures/<figure>/<panel>.{png,pdf} and figures/<figure>.{png,pdf}; the same below
#      figures/standard/ for every model that no figure names, and by name for any other

FIGURES = [
    f"{RUN}/figures/{figure}.{suffix}"
    for figure in CONFIG.selected_figures
    for suffix in ("png", "pdf")
]

STANDARD_PAGES = [
    f"{RUN}/figures/standard/{model}.{suffix}"
    for model in CONFIG.summary_models
    for suffix in ("png", "pdf")
]

# One rule per figure, since each writes files of its own names.
for figure, entry in CONFIG.figures.items():
    shown = [member for name in entry.models for member in CONFIG.members(name)]

    rule:
        name:
            figure
        input:
            **results_of(shown),
            tables=[f"{RUN}/tables/{table}.tsv" for table in entry.tables],
            expression=[f"{RUN}/data/{study}.h5ad" for study in entry.expression],
            # A figure of tables alone has to know where their cells are from.
            cells=[
                f"{RUN}/data/{study}.h5ad"
                for study in entry.studies
                if not entry.models
            ],
            code=code_of("figures/figure.py", f"scripts.figures.{figure}"),
        output:
            panels=expand(
                "{run}/figures/{figure}/{panel}.{suffix}",
                run=RUN,
                figure=figure,
                panel=entry.panels,
                suffix=["png", "pdf"],
            ),
            pdf=f"{RUN}/figures/{figure}.pdf",
            page=report(
                f"{RUN}/figures/{figure}.png",
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"figure": figure, "shows": entry.title},
            ),
        log:
            f"{LOGS}/figures/{figure}.log",
        conda:
            "../envs/vega.yaml"
        resources:
            mem_mb=growing(4000),
        params:
            # What the configuration says, so that a changed entry draws again.
            figure=figure,
            entry=entry.model_dump(),
            models=shown,
            studies=[
                CONFIG.studies[CONFIG.latent(m).study].model_dump(exclude_unset=True)
                for m in shown
            ],
        script:
            "../scripts/figures/figure.py"


rule summary_page:
    """Draws all that can be shown of any model, for studies that are on no figure of the paper."""
    input:
        unpack(lambda w: results_of([w.model])),
        genes=f"{RUN}/tables/{{model}}_seed{SEED}_top_genes.tsv",
        code=code_of("figures/summary_page.py"),
    output:
        panels=directory(f"{RUN}/figures/standard/{{model}}"),
        pdf=f"{RUN}/figures/standard/{{model}}.pdf",
        page=report(
            f"{RUN}/figures/standard/{{model}}.png",
            caption="../report/standard.rst",
            category="Standard pages",
            labels={"model": "{model}"},
        ),
    log:
        f"{LOGS}/figures/standard/{{model}}.log",
    wildcard_constraints:
        model="[^/]+",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=growing(4000),
    params:
        study=lambda w: CONFIG.studies[CONFIG.model(w.model).study].model_dump(
            exclude_unset=True
        ),
    script:
        "../scripts/figures/summary_page.py"
