# in:  everything the run has computed
# out: results/<run>/config.yaml, results/<run>/claims.tsv and its numbers by seed,
#      results/<run>/tables/claim_values.tsv, results/<run>/report.html; in the end
#      results/<run>/ro-crate-metadata.json and results/<run>/workflow/


# What the run really used, defaults and command line included.
rule effective_config:
    input:
        code=code_of("report/effective_config.py"),
    output:
        config=f"{RUN}/config.yaml",
    log:
        f"{LOGS}/effective_config.log",
    localrule: True
    conda:
        "../envs/vega.yaml"
    params:
        settings=config,
        # Stands for all tables, so that a changed one runs again without printing them.
        digest=CONFIG.digest(),
    script:
        "../scripts/report/effective_config.py"


rule claims:
    input:
        claims="config/claims.tsv",
        data=expand(f"{RUN}/data/{{study}}.h5ad", study=CONFIG.selected_studies),
        gene_sets=[
            f"{RUN}/raw/{s}/{f}" for s, f in CONFIG.raw_files if s == "gene_sets"
        ],
        latent=expand(
            rules.embed.output.latent,
            model=filter(
                CONFIG.is_shown, [*CONFIG.selected_models, *CONFIG.selected_baselines]
            ),
            seed=SETTINGS.seeds,
        ),
        differential=[
            table
            for model in filter(CONFIG.asks_contrasts, CONFIG.selected_models)
            for table in differential_tables(model)
        ],
        gsea=expand(
            rules.gsea.output.table,
            model=filter(CONFIG.asks_gsea, CONFIG.selected_models),
        ),
        out_of_sample=OUT_OF_SAMPLE,
        tables=[*SILHOUETTES, *SWEEPS, *WEIGHTS, *TIMES],
        code=code_of("claims/claims.py"),
    output:
        table=f"{RUN}/claims.tsv",
        values=f"{RUN}/tables/claim_values.tsv",
    log:
        f"{LOGS}/claims.log",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=scale_with_attempt(8000),
    params:
        settings=config,
        digest=CONFIG.digest(),
    script:
        "../scripts/claims/claims.py"


# Figures of the report: name, title, further tables.
REPORTED = [
    (name, CONFIG.figures[name].title, CONFIG.figures[name].tables)
    for name in CONFIG.selected_figures
] + [(f"summary/{model}", model, []) for model in CONFIG.summary_models]

# How each model was trained, by entry.
TRAINED = {
    entry: model_files(CONFIG.runs_of(entry), ["model.json"])
    for entry in CONFIG.selected_entries
}


rule report_page:
    """Write the regenerated paper as one page: figures, claims, errata, run times."""
    input:
        table=rules.claims.output.table,
        values=rules.claims.output.values,
        figures=[*FIGURES, *SUMMARY_PAGES],
        models=[path for paths in TRAINED.values() for path in paths],
        captions=sorted(map(str, Path("report").glob("*.rst"))),
        templates=sorted(map(str, Path("report").glob("report.*"))),
        errata="docs/errata.md",
        code=code_of("report/report_page.py"),
    output:
        page=report(
            f"{RUN}/report.html",
            category="Report",
            caption="../report/report.rst",
        ),
    log:
        f"{LOGS}/report_page.log",
    localrule: True
    conda:
        "../envs/vega.yaml"
    params:
        figures=REPORTED,
        models=TRAINED,
        settings=SETTINGS.model_dump(),
        left_out=CONFIG.left_out,
    script:
        "../scripts/report/report_page.py"


# What a run is made by, kept in it.
WORKFLOW = """
    Snakefile Makefile README.md LICENSE CITATION.cff pyproject.toml requirements.*
    config/**/* docs/* envs/* profiles/**/* report/* rules/*.smk scripts/**/*.py vega/**/*.py
"""
WORKFLOW_FILES = [
    str(path)
    for pattern in WORKFLOW.split()
    for path in sorted(Path().glob(pattern))
    if path.is_file() and "__pycache__" not in path.parts
]


rule ro_crate:
    """Describe the run as an RO-Crate: inputs, jobs, and the checksums of all files."""
    input:
        results=[
            rules.effective_config.output.config,
            rules.claims.output.table,
            rules.report_page.output.page,
            *FIGURES,
            *SUMMARY_PAGES,
            *QC_FIGURES,
            *SUPPLEMENTARY_DATA,
            *CONSENSUS,
        ],
        workflow=WORKFLOW_FILES,
        code=code_of("report/ro_crate.py"),
    output:
        metadata=f"{RUN}/ro-crate-metadata.json",
        workflow=directory(f"{RUN}/workflow"),
    log:
        f"{LOGS}/ro_crate.log",
    localrule: True
    conda:
        "../envs/vega.yaml"
    params:
        simulated=SETTINGS.simulated,
    script:
        "../scripts/report/ro_crate.py"
