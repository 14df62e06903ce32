# in:  results/<run>/data/<study>.h5ad, results/<run>/raw/gene_sets/<collection>.gmt
# out: results/<run>/models/<model>/seed<N>/{weights.safetensors,model.json,history.tsv}, the same in
#      models/robustness/<choice>/<model>/, and of other methods
#      models/<name>/seed<N>/{latent.h5ad,method.json}

# One rule per entry of models.yaml: the runs of a sweep, and all seeds of each, train in one
# job, in parallel. The state of each training, also of a finished one, is kept next to these files
# until the job ends, and is no output of the rule, so that Snakemake leaves it where it is when a
# run breaks off.
for name, entry in CONFIG.models.items():

    rule:
        name:
            f"train_{name}"
        input:
            data=[f"{RUN}/data/{entry.study}.h5ad"],
            gene_sets=[f"{RUN}/raw/gene_sets/{entry.gene_sets}"],
            code=code_of("train/train.py"),
        output:
            model_files(CONFIG.runs_of(name)),
        log:
            f"{LOGS}/train/{name}.log",
        benchmark:
            f"{LOGS}/train/{name}.benchmark.tsv"
        conda:
            "../envs/vega.yaml"
        threads: 8
        resources:
            gpu=1,
            mem_mb=scale_with_attempt(6000 + 2000 * len(CONFIG.seeds_of(name))),
            runtime=scale_with_attempt(240 * len(CONFIG.seeds_of(name))),
        params:
            models=lambda w, output: str(Path(output[0]).parents[2]),
            configs=CONFIG.trainings(name),
            # Snakemake does not compare what depends on the output: that something else is asked of
            # a model is no reason to train it again.
            analyses=lambda w, output, entry=entry: entry.analyses.model_dump(),
            device=SETTINGS.device,
            models_per_gpu=SETTINGS.models_per_gpu,
            require_gpu=SETTINGS.require_gpu,
        script:
            "../scripts/train/train.py"


CHOICES = CONFIG.choice_trainings

if CHOICES:

    # The models of all choices of the robustness page, as those of an entry.
    rule train_robustness:
        input:
            data=[
                f"{RUN}/data/{study}.h5ad"
                for study in dict.fromkeys(
                    c["data"]["study"] for c in CHOICES.values()
                )
            ],
            gene_sets=[
                f"{RUN}/raw/gene_sets/{file}"
                for file in dict.fromkeys(
                    c["data"]["gene_sets"] for c in CHOICES.values()
                )
            ],
            code=code_of("train/train.py"),
        output:
            expand(
                f"{RUN}/models/robustness/{{model}}/{{file}}",
                model=CHOICES,
                file=MODEL_FILES,
            ),
        log:
            f"{LOGS}/train/robustness.log",
        benchmark:
            f"{LOGS}/train/robustness.benchmark.tsv"
        conda:
            "../envs/vega.yaml"
        threads: 8
        resources:
            gpu=1,
            mem_mb=scale_with_attempt(16000),
            runtime=scale_with_attempt(240 + 20 * len(CHOICES)),
        params:
            models=lambda w, output: str(Path(output[0]).parents[2]),
            configs=CHOICES,
            device=SETTINGS.device,
            models_per_gpu=SETTINGS.models_per_gpu,
            require_gpu=SETTINGS.require_gpu,
        script:
            "../scripts/train/train.py"


# Baselines: each writes its latent space in one step.
rule baseline:
    input:
        data=lambda w: f"{RUN}/data/{CONFIG.baselines[w.baseline].study}.h5ad",
        gene_sets=lambda w: f"{RUN}/raw/gene_sets/{CONFIG.baselines[w.baseline].gene_sets}",
        epochs_of=lambda w: [
            f"{RUN}/models/{model}/seed{w.seed}/model.json"
            for model in filter(None, [CONFIG.baselines[w.baseline].epochs_of])
        ],
        code=lambda w: code_of("train/baseline.py", method_of(w).module),
    output:
        latent=f"{RUN}/models/{{baseline}}/seed{{seed}}/latent.h5ad",
        facts=f"{RUN}/models/{{baseline}}/seed{{seed}}/method.json",
    log:
        f"{LOGS}/baseline/{{baseline}}_seed{{seed}}.log",
    benchmark:
        f"{LOGS}/baseline/{{baseline}}_seed{{seed}}.benchmark.tsv"
    wildcard_constraints:
        baseline="|".join(CONFIG.baselines),
    conda:
        "../envs/vega.yaml"
    threads: 4
    resources:
        gpu=lambda w: int(method_of(w).is_trained),
        mem_mb=scale_with_attempt(12000),
        runtime=scale_with_attempt(240),
    params:
        entry=lambda w: CONFIG.baselines[w.baseline].model_dump(
            exclude={"analyses": {"silhouettes"}}
        ),
        overrides=SETTINGS.training_overrides,
        device=SETTINGS.device,
        require_gpu=SETTINGS.require_gpu,
    script:
        "../scripts/train/baseline.py"
