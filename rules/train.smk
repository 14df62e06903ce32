# in:  results/<run>/data/<study>.h5ad, results/<run>/raw/gene_sets/<collection>.gmt
# out: results/<run>/models/<model>/seed<N>/{weights.safetensors,model.json,history.tsv}

MODEL_FILES = ["weights.safetensors", "model.json", "history.tsv"]


# One rule per entry of models.yaml: the members of a family train in one job, since starting a
# job costs as long as training a small model. The state of an unfinished training is kept beside
# these files, and is no output of the rule, so that Snakemake leaves it where it is when a run
# breaks off.
for name, entry in CONFIG.models.items():

    rule:
        name:
            f"train_{name}"
        input:
            data=f"{RUN}/data/{entry.study}.h5ad",
            gene_sets=f"{RUN}/raw/gene_sets/{entry.gene_sets}",
            sources=VEGA_SOURCES,
        output:
            expand(
                f"{RUN}/models/{{model}}/seed{{{{seed}}}}/{{file}}",
                model=CONFIG.members(name),
                file=MODEL_FILES,
            ),
        log:
            f"{LOGS}/train/{name}_seed{{seed}}.log",
        benchmark:
            f"{LOGS}/train/{name}_seed{{seed}}.benchmark.tsv"
        conda:
            "../envs/vega.yaml"
        threads: 8
        resources:
            gpu=1,
            mem_mb=lambda wildcards, attempt: 8000 * attempt,
            runtime=lambda wildcards, attempt: 240 * attempt,
        params:
            folders=lambda wildcards, members=CONFIG.members(name): {
                member: f"{RUN}/models/{member}/seed{wildcards.seed}"
                for member in members
            },
            configs={
                member: CONFIG.model(member).training_settings(
                    SETTINGS.fidelity, SETTINGS.training
                )
                for member in CONFIG.members(name)
            },
            device=SETTINGS.device,
            precision=SETTINGS.precision,
            models_per_gpu=SETTINGS.models_per_gpu,
            require_gpu=SETTINGS.require_gpu,
        script:
            "../scripts/train/train.py"
