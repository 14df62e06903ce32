# The panels of every figure as files of their own, the tables they are drawn from, and its page.
# in:  of the models that the figure names models/<model>/seed<N>/latent.h5ad and their tables;
#      the tables and the expression that it names; tables/<study>_qc.tsv
# out: figures/<figure>/<panel>.{png,pdf,tsv} (.tsv.gz above 5,000 rows), columns.tsv, which
#      describes the columns of these tables, and figures/<figure>.{png,pdf}; the same below
#      figures/summary/ for every model that no figure names, and by name for any other;
#      figures/qc/<study>.{png,pdf}

FIGURES = pages(CONFIG.selected_figures)
SUMMARY_PAGES = pages(f"summary/{model}" for model in CONFIG.summary_models)
QC_FIGURES = pages(f"qc/{study}" for study in CONFIG.needed_studies)


rule figure:
    """Write the tables of a figure's panels, and draw panels and page from them."""
    input:
        unpack(figure_inputs),
    output:
        panels=directory(f"{RUN}/figures/{{figure}}"),
        pdf=f"{RUN}/figures/{{figure}}.pdf",
        page=report(
            f"{RUN}/figures/{{figure}}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels=lambda w: {
                "figure": w.figure,
                "shows": CONFIG.figures[w.figure].title,
            },
        ),
    log:
        f"{LOGS}/figures/{{figure}}.log",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=scale_with_attempt(4000),
    params:
        # What the configuration says, so that a changed entry draws again.
        title=lambda w: CONFIG.figures[w.figure].title,
        models=shown_models,
        studies=lambda w: [
            CONFIG.studies[CONFIG.latent(m).study].model_dump(exclude_unset=True)
            for m in shown_models(w)
        ],
    script:
        "../scripts/figures/figure.py"


rule qc:
    """Draw how many cells and genes remain after each step of preprocessing."""
    input:
        table=f"{RUN}/tables/{{study}}_qc.tsv",
        code=code_of("figures/qc.py"),
    output:
        png=f"{RUN}/figures/qc/{{study}}.png",
        pdf=f"{RUN}/figures/qc/{{study}}.pdf",
    log:
        f"{LOGS}/figures/qc/{{study}}.log",
    conda:
        "../envs/vega.yaml"
    params:
        title=lambda w: CONFIG.studies[w.study].title,
        simulated=SETTINGS.simulated,
    script:
        "../scripts/figures/qc.py"


rule summary_page:
    """Draw the summary page of a model that is on no figure of the paper."""
    input:
        unpack(lambda w: results_of([w.model])),
        genes=f"{RUN}/tables/{{model}}_seed{SEED}_top_genes.tsv",
        code=code_of("figures/summary_page.py"),
    output:
        panels=directory(f"{RUN}/figures/summary/{{model}}"),
        pdf=f"{RUN}/figures/summary/{{model}}.pdf",
        page=report(
            f"{RUN}/figures/summary/{{model}}.png",
            caption="../report/summary_page.rst",
            category="Summary pages",
            labels={"model": "{model}"},
        ),
    log:
        f"{LOGS}/figures/summary/{{model}}.log",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=scale_with_attempt(4000),
    params:
        study=lambda w: CONFIG.studies[CONFIG.model(w.model).study].model_dump(
            exclude_unset=True
        ),
    script:
        "../scripts/figures/summary_page.py"
