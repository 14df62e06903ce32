# in:  results/<run>/models/<model>/seed<N>/, results/<run>/data/<study>.h5ad, gene sets
# out: results/<run>/models/<model>/seed<N>/latent.h5ad, results/<run>/tables/

# The paper's Supplementary Data: number and model.
SUPPLEMENTARY_MODELS = {1: "kang", 2: "organoid"}
SUPPLEMENTARY_DATA = [
    f"{RUN}/tables/supplementary_data_{number}.csv"
    for number, model in SUPPLEMENTARY_MODELS.items()
    if model in CONFIG.selected_models
]


rule embed:
    input:
        data=study_data,
        gene_sets=gene_set_file,
        weights=f"{RUN}/models/{{model}}/seed{{seed}}/weights.safetensors",
        model=f"{RUN}/models/{{model}}/seed{{seed}}/model.json",
    output:
        latent=f"{RUN}/models/{{model}}/seed{{seed}}/latent.h5ad",
    log:
        f"{LOGS}/embed/{{model}}_seed{{seed}}.log",
    conda:
        "../envs/vega.yaml"
    threads: 2
    resources:
        mem_mb=8000,
    params:
        embedding=lambda wildcards: CONFIG.model(wildcards.model).embedding,
        tsne_learning_rate=lambda wildcards: CONFIG.model(
            wildcards.model
        ).tsne_learning_rate,
    script:
        "../scripts/analyse/embed.py"


rule differential:
    input:
        latent=rules.embed.output.latent,
        sources=["vega/differential.py", "vega/all_pairs.py"],
    output:
        table=f"{RUN}/tables/{{model}}_seed{{seed}}_differential.tsv",
    log:
        f"{LOGS}/differential/{{model}}_seed{{seed}}.log",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=8000,
    params:
        questions=lambda wildcards: CONFIG.model(wildcards.model).questions(),
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
        questions=lambda wildcards: CONFIG.model(wildcards.model).questions(),
    script:
        "../scripts/analyse/gsea.py"


# One rule per table, since each has a caption of its own.
for number, model in SUPPLEMENTARY_MODELS.items():

    rule:
        name:
            f"supplementary_data_{number}"
        input:
            table=f"{RUN}/tables/{model}_seed{SEED}_differential.tsv",
        output:
            table=report(
                f"{RUN}/tables/supplementary_data_{number}.csv",
                category="Tables",
                caption=f"../report/supplementary_data_{number}.rst",
            ),
        log:
            f"{LOGS}/supplementary_data_{number}.log",
        conda:
            "../envs/vega.yaml"
        script:
            "../scripts/analyse/supplementary_data.py"


# Cells that a model has not learnt from (Figure 4): of Kang alone if Zheng is not part of the run.
OUT_OF_SAMPLE = (
    [
        f"{RUN}/tables/out_of_sample_{table}.tsv"
        for table in ("overlap", "r2", "activity")
    ]
    if {"kang", "kang_control"}.issubset(CONFIG.selected_models)
    and "kang_holdout" in CONFIG.models
    else []
)

if OUT_OF_SAMPLE:
    HELD_OUT = dict(
        zip(CONFIG.studies["kang"].cell_types, CONFIG.members("kang_holdout"))
    )

    # All seeds in one job: each model encodes cells once.
    rule out_of_sample:
        input:
            cells=f"{RUN}/data/kang.h5ad",
            other=[
                f"{RUN}/data/{study}.h5ad"
                for study in CONFIG.selected_studies
                if study == "zheng"
            ],
            models=expand(
                f"{RUN}/models/{{model}}/seed{{seed}}/{{file}}",
                model=["kang", "kang_control", *HELD_OUT.values()],
                seed=SETTINGS.seeds,
                file=["weights.safetensors", "model.json"],
            ),
            sources=[
                "paper/out_of_sample.py",
                "vega/differential.py",
                "vega/metrics.py",
            ],
        output:
            overlap=f"{RUN}/tables/out_of_sample_overlap.tsv",
            r2=f"{RUN}/tables/out_of_sample_r2.tsv",
            activity=f"{RUN}/tables/out_of_sample_activity.tsv",
        log:
            f"{LOGS}/out_of_sample.log",
        conda:
            "../envs/vega.yaml"
        threads: 2
        resources:
            mem_mb=8000,
            runtime=120,
        params:
            folder=lambda w, input: str(Path(input.models[0]).parents[2]),
            full="kang",
            control="kang_control",
            held_out=HELD_OUT,
            seeds=SETTINGS.seeds,
        script:
            "../scripts/analyse/out_of_sample.py"
