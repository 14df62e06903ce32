# in:  results/<run>/data/<study>.h5ad, results/<run>/raw/gene_sets/<collection>.gmt
# out: results/<run>/models/<model>/seed<N>/{weights.safetensors,model.json,history.tsv}, the same in
#      models/robustness/<choice>/<model>/, and of other methods
#      models/<name>/seed<N>/{latent.h5ad,method.json}

CHOICES = CONFIG.choice_trainings
# By rule: folder below models/, what its models depend on, megabytes, minutes.
TRAININGS = {
    name: ("", CONFIG.trainings(name), 6000 + 2000 * seeds, 240 * seeds)
    for name in CONFIG.models
    for seeds in [len(CONFIG.seeds_of(name))]
}
if CHOICES:
    TRAININGS["robustness"] = "robustness/", CHOICES, 16000, 240 + 20 * len(CHOICES)

# One rule per entry of models.yaml, and one for all choices of the robustness page: the runs of a
# sweep, and all seeds of each, train in one job, in parallel. The state of each training, also of a
# finished one, is kept next to these files until the job ends, and is no output of the rule, so
# that Snakemake leaves it where it is when a run breaks off.
for name, (folder, trainings, megabytes, minutes) in TRAININGS.items():

    rule:
        name:
            f"train_{name}"
        input:
            data=expand(
                f"{RUN}/data/{{study}}.h5ad",
                study=dict.fromkeys(t["data"]["study"] for t in trainings.values()),
            ),
            gene_sets=expand(
                f"{RUN}/raw/gene_sets/{{file}}",
                file=dict.fromkeys(t["data"]["gene_sets"] for t in trainings.values()),
            ),
            code=code_of("train/train.py"),
        output:
            expand(
                f"{RUN}/models/{folder}{{model}}/{{file}}",
                model=trainings,
                file=MODEL_FILES,
            ),
        log:
            f"{LOGS}/train/{name}.log",
        benchmark:
            f"{LOGS}/train/{name}.benchmark.tsv"
        conda:
            "../envs/vega.yaml"
        threads: 8
        resources:
            gpu=1,
            mem_mb=scale_with_attempt(megabytes),
            runtime=scale_with_attempt(minutes),
        params:
            models=lambda w, output: str(Path(output[0]).parents[2]),
            configs=trainings,
            # Snakemake does not compare what depends on the output: that something else is asked of
            # a model is no reason to train it again.
            analyses=lambda w, output, entry=CONFIG.models.get(name): (
                entry and entry.analyses.model_dump()
            ),
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
