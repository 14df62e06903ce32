# in:  results/<run>/models/, results/<run>/data/<study>.h5ad, gene sets
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
        code=code_of("analyse/embed.py"),
    output:
        latent=f"{RUN}/models/{{model}}/seed{{seed}}/latent.h5ad",
        genes=f"{RUN}/tables/{{model}}_seed{{seed}}_top_genes.tsv",
    log:
        f"{LOGS}/embed/{{model}}_seed{{seed}}.log",
    wildcard_constraints:
        model="(?!(" + "|".join(CONFIG.baselines) + ")/)[^/]+",
    conda:
        "../envs/vega.yaml"
    threads: 2
    resources:
        mem_mb=scale_with_attempt(8000),
    params:
        # No figure draws the cells of an extra seed.
        embedding=lambda w: (
            CONFIG.model(w.model).analyses.embedding
            if int(w.seed) in SETTINGS.seeds
            else "none"
        ),
        tsne_learning_rate=lambda w: CONFIG.model(w.model).analyses.tsne_learning_rate,
    script:
        "../scripts/analyse/embed.py"


rule differential:
    input:
        latent=rules.embed.output.latent,
        code=code_of("analyse/differential.py"),
    output:
        table=f"{RUN}/tables/{{model}}_seed{{seed}}_differential.tsv",
    log:
        f"{LOGS}/differential/{{model}}_seed{{seed}}.log",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=scale_with_attempt(8000),
    params:
        analyses=lambda wildcards: CONFIG.model(wildcards.model).comparisons(),
        fidelity=SETTINGS.fidelity,
    script:
        "../scripts/analyse/differential.py"


# What the models of all seeds of an entry agree on.
rule consensus:
    input:
        tables=lambda w: differential_tables(w.model),
        code=code_of("analyse/consensus.py"),
    output:
        table=f"{RUN}/tables/{{model}}_consensus.tsv",
    log:
        f"{LOGS}/consensus/{{model}}.log",
    conda:
        "../envs/vega.yaml"
    script:
        "../scripts/analyse/consensus.py"


rule gsea:
    input:
        data=study_data,
        all_genes=filtered_genes,
        gene_sets=gene_set_file,
        code=code_of("analyse/gsea.py"),
    output:
        table=f"{RUN}/tables/{{model}}_gsea.tsv",
        control=f"{RUN}/tables/{{model}}_gsea_control.tsv.gz",
    log:
        f"{LOGS}/gsea/{{model}}.log",
    conda:
        "../envs/vega.yaml"
    threads: 2
    resources:
        mem_mb=scale_with_attempt(8000),
    params:
        analyses=lambda wildcards: CONFIG.model(wildcards.model).comparisons(),
        shuffles=lambda w: CONFIG.model(w.model).analyses.shuffles,
    script:
        "../scripts/analyse/gsea.py"


# Of every model or other method that is asked for them, all seeds in one table.
rule silhouettes:
    input:
        latents=expand(
            f"{RUN}/models/{{{{name}}}}/seed{{seed}}/latent.h5ad", seed=SETTINGS.seeds
        ),
        code=code_of("analyse/silhouettes.py"),
    output:
        table=f"{RUN}/tables/{{name}}_silhouettes.tsv",
        control=f"{RUN}/tables/{{name}}_silhouettes_control.tsv",
    log:
        f"{LOGS}/silhouettes/{{name}}.log",
    conda:
        "../envs/vega.yaml"
    threads: 2
    resources:
        mem_mb=scale_with_attempt(8000),
    params:
        seeds=SETTINGS.seeds,
        silhouettes=lambda w: CONFIG.latent(w.name).analyses.model_dump()["silhouettes"],
        shuffles=lambda w: CONFIG.latent(w.name).analyses.shuffles,
    script:
        "../scripts/analyse/silhouettes.py"


# Epochs, losses and silhouettes of all models of a sweep, in one job.
rule sweep:
    input:
        data=lambda w: f"{RUN}/data/{CONFIG.models[w.sweep].study}.h5ad",
        models=sweep_files,
        code=code_of("analyse/sweep.py"),
    output:
        table=f"{RUN}/tables/{{sweep}}_sweep.tsv",
        control=f"{RUN}/tables/{{sweep}}_sweep_control.tsv",
    log:
        f"{LOGS}/sweeps/{{sweep}}.log",
    conda:
        "../envs/vega.yaml"
    threads: 4
    resources:
        mem_mb=scale_with_attempt(8000),
        runtime=scale_with_attempt(120),
    params:
        models=sweep_models,
        seeds=SETTINGS.seeds,
        silhouettes=lambda w: CONFIG.models[w.sweep].analyses.model_dump()[
            "silhouettes"
        ],
        shuffles=lambda w: CONFIG.models[w.sweep].analyses.shuffles,
    script:
        "../scripts/analyse/sweep.py"


rule weights:
    input:
        models=sweep_files,
        code=code_of("analyse/weights.py"),
    output:
        table=f"{RUN}/tables/{{sweep}}_weights.tsv",
    log:
        f"{LOGS}/weights/{{sweep}}.log",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=scale_with_attempt(4000),
    params:
        models=sweep_models,
        seeds=SETTINGS.seeds,
        weights_of=lambda w: CONFIG.models[w.sweep].analyses.weights_of,
    script:
        "../scripts/analyse/weights.py"


# Tables that a run has whatever its figures, so that claims find them.
SILHOUETTES = [
    f"{RUN}/tables/{name}_silhouettes.tsv"
    for name in (*CONFIG.selected_entries, *CONFIG.selected_baselines)
    if not CONFIG.is_sweep(name) and CONFIG.latent(name).analyses.silhouettes
]
SWEEPS = [
    f"{RUN}/tables/{name}_sweep.tsv"
    for name in CONFIG.entries_asking("silhouettes")
    if CONFIG.is_sweep(name)
]
WEIGHTS = [
    f"{RUN}/tables/{name}_weights.tsv" for name in CONFIG.entries_asking("weights_of")
]
CONSENSUS = [
    f"{RUN}/tables/{model}_consensus.tsv"
    for model in filter(CONFIG.asks_contrasts, CONFIG.selected_models)
    if len(CONFIG.seeds_of(model)) > 1
]
# The regularised autoencoder, and the model with which it is compared (Fig. S9).
AUTOENCODERS = [
    baseline
    for baseline in map(CONFIG.baselines.get, CONFIG.selected_baselines)
    if baseline.method == "intercode" and baseline.epochs_of
]
TIMED = next(iter(AUTOENCODERS), None)
TIMES = [f"{RUN}/tables/time_per_epoch.tsv"] if TIMED else []

if TIMED:

    # Both train in turns. Other jobs on the machine slow both.
    rule time_per_epoch:
        input:
            data=f"{RUN}/data/{TIMED.study}.h5ad",
            gene_sets=f"{RUN}/raw/gene_sets/{TIMED.gene_sets}",
            code=code_of("analyse/time_per_epoch.py"),
        output:
            table=f"{RUN}/tables/time_per_epoch.tsv",
        log:
            f"{LOGS}/time_per_epoch.log",
        conda:
            "../envs/vega.yaml"
        threads: 8
        resources:
            gpu=1,
            mem_mb=scale_with_attempt(8000),
        params:
            training={
                name: value
                for blocks in CONFIG.training_settings(TIMED.epochs_of).values()
                for name, value in {**blocks["model"], **blocks["train"]}.items()
                if name in ("n_hidden", "batch_size", "learning_rate")
            },
            device=SETTINGS.device,
            seed=SEED,
        script:
            "../scripts/analyse/time_per_epoch.py"


# How well VEGA and other methods recover the activity planted in simulated cells.
rule simulation_benchmark:
    input:
        data=expand(f"{RUN}/data/{{study}}.h5ad", study=CONFIG.scored),
        truth=[
            f"{RUN}/tables/{CONFIG.group(study)}_truth.tsv" for study in CONFIG.scored
        ],
        gene_sets=[
            f"{RUN}/raw/gene_sets/{CONFIG.model(next(iter(models.values()))).gene_sets}"
            for models in CONFIG.scored.values()
        ],
        models=model_files(
            [m for models in CONFIG.scored.values() for m in models.values()],
            ["weights.safetensors", "model.json"],
        ),
        code=code_of("analyse/simulation_benchmark.py"),
    output:
        comparisons=f"{RUN}/tables/recovery_comparisons.tsv",
        activity=f"{RUN}/tables/recovery_activity.tsv",
    log:
        f"{LOGS}/simulation_benchmark.log",
    conda:
        "../envs/vega.yaml"
    threads: 4
    resources:
        mem_mb=scale_with_attempt(8000),
    params:
        studies={
            study: {
                "models": {n: f"{RUN}/models/{m}" for n, m in models.items()},
                "analyses": CONFIG.model(next(iter(models.values()))).comparisons(),
            }
            for study, models in CONFIG.scored.items()
        },
        seeds=SETTINGS.seeds,
    script:
        "../scripts/analyse/simulation_benchmark.py"


# One rule per table, since each has a caption of its own.
for number, model in SUPPLEMENTARY_MODELS.items():

    rule:
        name:
            f"supplementary_data_{number}"
        input:
            table=f"{RUN}/tables/{model}_seed{SEED}_differential.tsv",
            code=code_of("analyse/supplementary_data.py"),
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
        zip(CONFIG.studies["kang"].cell_types, CONFIG.runs_of("kang_holdout"))
    )

    # All seeds in one job: each model encodes cells once.
    rule out_of_sample:
        input:
            cells=f"{RUN}/data/kang.h5ad",
            other=[
                f"{RUN}/data/{s}.h5ad" for s in CONFIG.selected_studies if s == "zheng"
            ],
            models=model_files(
                ["kang", "kang_control", *HELD_OUT.values()],
                ["weights.safetensors", "model.json"],
            ),
            code=code_of("analyse/out_of_sample.py"),
        output:
            overlap=f"{RUN}/tables/out_of_sample_overlap.tsv",
            r2=f"{RUN}/tables/out_of_sample_r2.tsv",
            activity=f"{RUN}/tables/out_of_sample_activity.tsv",
            overlap_control=f"{RUN}/tables/out_of_sample_overlap_control.tsv",
            r2_control=f"{RUN}/tables/out_of_sample_r2_control.tsv",
            activity_control=f"{RUN}/tables/out_of_sample_activity_control.tsv.gz",
        log:
            f"{LOGS}/out_of_sample.log",
        conda:
            "../envs/vega.yaml"
        threads: 2
        resources:
            mem_mb=scale_with_attempt(8000),
            runtime=scale_with_attempt(120),
        params:
            folder=lambda w, input: str(Path(input.models[0]).parents[2]),
            full="kang",
            control="kang_control",
            held_out=HELD_OUT,
            seeds=SETTINGS.seeds,
            # For the noise floor: by model, another seed of each seed.
            other_seeds={
                model: {
                    seed: CONFIG.other_seed(model, seed) for seed in SETTINGS.seeds
                }
                for model in ("kang", "kang_control")
            },
        script:
            "../scripts/analyse/out_of_sample.py"


if CONFIG.choices:
    # Studies whose cells, beyond the genes of models, or whose labels differ: GSEA runs again.
    GSEA_AGAIN = [
        CONFIG.filtered_genes(CONFIG.study_of_choice(name, CONFIG.model("kang").study))
        for name, choice in CONFIG.choices.items()
        if choice.changes_cells or choice.shuffled
    ]

    # Claims on Kang under each choice of the run, and those of the run itself.
    rule robustness:
        input:
            **results_of(["kang"]),
            claims="config/claims.tsv",
            others=[
                f"{RUN}/models/{m}/seed{SEED}/latent.h5ad"
                for m in ["kang_counts", *CONFIG.runs_of("kang_latent_dropout")]
            ],
            tables=[f"{RUN}/tables/kang_silhouettes.tsv", *OUT_OF_SAMPLE],
            models=model_files(sorted(COMPARED), ["weights.safetensors", "model.json"]),
            own=rules.train_robustness.output if CHOICES else [],
            cells=[
                f"{RUN}/data/{file}"
                for file in dict.fromkeys(
                    [
                        "kang.h5ad",
                        "kang_counts.h5ad",
                        *(f"{study}.h5ad" for study in CONFIG.derived_studies),
                        *GSEA_AGAIN,
                    ]
                )
            ],
            gene_sets=f"{RUN}/raw/gene_sets/{CONFIG.model('kang').gene_sets}",
            code=code_of("analyse/robustness.py"),
        output:
            table=f"{RUN}/tables/robustness.tsv",
        log:
            f"{LOGS}/robustness.log",
        conda:
            "../envs/vega.yaml"
        threads: 2
        resources:
            mem_mb=scale_with_attempt(12000),
            runtime=scale_with_attempt(240),
        params:
            settings=config,
            # What it depends on beyond its inputs, so that a changed entry runs again.
            choices={n: c.model_dump() for n, c in CONFIG.choices.items()},
            analyses=CONFIG.model("kang").comparisons(),
        script:
            "../scripts/analyse/robustness.py"
