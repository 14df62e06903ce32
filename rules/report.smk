# in:  everything the run has computed
# out: results/<run>/config.yaml, results/<run>/claims.tsv, results/<run>/claims.html; in the end
#      results/<run>/ro-crate-metadata.json and results/<run>/workflow/


# What the run really used, defaults and command line included.
rule effective_config:
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
                CONFIG.is_shown, [*CONFIG.selected_models, *CONFIG.selected_peers]
            ),
            seed=SETTINGS.seeds,
        ),
        differential=expand(
            rules.differential.output.table,
            model=filter(CONFIG.asks_contrasts, CONFIG.selected_models),
            seed=SETTINGS.seeds,
        ),
        gsea=expand(
            rules.gsea.output.table,
            model=filter(CONFIG.asks_gsea, CONFIG.selected_models),
        ),
        out_of_sample=OUT_OF_SAMPLE,
        tables=[*SILHOUETTES, *FAMILIES, *WEIGHTS, *TIMES],
        # Figures whose panels and claims compute the same.
        sources=[
            *sorted(map(str, Path("paper/claims").glob("*.py"))),
            *(
                f"paper/figures/{figure}.py"
                for figure in ("fig3", "sfig9", "sfig10", "sfig12")
            ),
            "vega/metrics.py",
        ],
    output:
        table=f"{RUN}/claims.tsv",
    log:
        f"{LOGS}/claims.log",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=growing(8000),
    params:
        settings=config,
        digest=CONFIG.digest(),
    script:
        "../scripts/report/claims.py"


rule claims_page:
    input:
        table=rules.claims.output.table,
        template="report/claims.html.jinja",
    output:
        page=report(
            f"{RUN}/claims.html",
            category="Claims",
            caption="../report/claims.rst",
        ),
    log:
        f"{LOGS}/claims_page.log",
    localrule: True
    conda:
        "../envs/vega.yaml"
    params:
        settings=SETTINGS.model_dump(),
        left_out=CONFIG.left_out,
    script:
        "../scripts/report/claims_page.py"


# What a run is made by, kept in it.
WORKFLOW_FILES = [
    str(path)
    for pattern in (
        *(
            "Snakefile",
            "Makefile",
            "README.md",
            "LICENSE",
            "CITATION.cff",
            "pyproject.toml",
        ),
        *("requirements.*", "config/**/*", "envs/*", "profiles/**/*", "report/*"),
        *("rules/*.smk", "scripts/**/*.py", "paper/**/*.py", "vega/**/*.py"),
    )
    for path in sorted(Path().glob(pattern))
    if path.is_file() and "__pycache__" not in path.parts
]


rule crate:
    """Describes the run: what it was made from, by which steps, and the checksums of all files."""
    input:
        results=[
            rules.effective_config.output.config,
            rules.claims.output.table,
            rules.claims_page.output.page,
            *FIGURES,
            *STANDARD_PAGES,
            *SUPPLEMENTARY_DATA,
        ],
        workflow=WORKFLOW_FILES,
    output:
        crate=f"{RUN}/ro-crate-metadata.json",
        workflow=directory(f"{RUN}/workflow"),
    log:
        f"{LOGS}/crate.log",
    localrule: True
    conda:
        "../envs/vega.yaml"
    params:
        simulated=SETTINGS.data == "simulated",
    script:
        "../scripts/report/crate.py"
