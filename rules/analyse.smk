# in:  results/<run>/models/<model>/seed<N>/, results/<run>/data/<study>.h5ad, gene sets
# out: results/<run>/models/<model>/seed<N>/latent.h5ad, results/<run>/tables/

SUPPLEMENTARY_DATA = (
    [f"{RUN}/tables/supplementary_data_1.csv"]
    if "kang" in CONFIG.selected_models
    else []
)


rule embed:
    input:
        data=study_data,
        gene_sets=gene_set_file,
        weights=rules.train.output.weights,
        model=rules.train.output.model,
    output:
        latent=f"{RUN}/models/{{model}}/seed{{seed}}/latent.h5ad",
    log:
        f"{LOGS}/embed/{{model}}_seed{{seed}}.log",
    conda:
        "../envs/vega.yaml"
    threads: 2
    resources:
        mem_mb=8000,
    script:
        "../scripts/analyse/embed.py"


rule differential:
    input:
        latent=rules.embed.output.latent,
        sources="vega/differential.py",
    output:
        table=f"{RUN}/tables/{{model}}_seed{{seed}}_differential.tsv",
    log:
        f"{LOGS}/differential/{{model}}_seed{{seed}}.log",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=8000,
    params:
        questions=lambda wildcards: CONFIG.models[wildcards.model].questions(),
        fidelity=SETTINGS.fidelity,
    script:
        "../scripts/analyse/differential.py"


rule gsea:
    input:
        data=study_data,
        gene_sets=gene_set_file,
    output:
        table=f"{RUN}/tables/{{model}}_gsea.tsv",
    log:
        f"{LOGS}/gsea/{{model}}.log",
    conda:
        "../envs/vega.yaml"
    threads: 2
    resources:
        mem_mb=8000,
    params:
        questions=lambda wildcards: CONFIG.models[wildcards.model].questions(),
    script:
        "../scripts/analyse/gsea.py"


rule supplementary_data:
    input:
        table=f"{RUN}/tables/kang_seed{SEED}_differential.tsv",
    output:
        table=report(
            f"{RUN}/tables/supplementary_data_1.csv",
            category="Tables",
            caption="../report/supplementary_data_1.rst",
        ),
    log:
        f"{LOGS}/supplementary_data.log",
    conda:
        "../envs/vega.yaml"
    script:
        "../scripts/analyse/supplementary_data.py"
