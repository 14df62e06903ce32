# in:  results/<run>/data/<study>.h5ad, results/<run>/raw/gene_sets/<collection>.gmt
# out: results/<run>/models/<model>/seed<N>/{weights.safetensors,model.json,history.tsv}


# The state of an unfinished training is kept beside these files, and is no output of the rule, so
# that Snakemake leaves it where it is when a run breaks off.
rule train:
    input:
        data=study_data,
        gene_sets=gene_set_file,
        sources=VEGA_SOURCES,
    output:
        weights=f"{RUN}/models/{{model}}/seed{{seed}}/weights.safetensors",
        model=f"{RUN}/models/{{model}}/seed{{seed}}/model.json",
        history=f"{RUN}/models/{{model}}/seed{{seed}}/history.tsv",
    log:
        f"{LOGS}/train/{{model}}_seed{{seed}}.log",
    benchmark:
        f"{LOGS}/train/{{model}}_seed{{seed}}.benchmark.tsv"
    conda:
        "../envs/vega.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        config=lambda wildcards: CONFIG.models[wildcards.model].training_settings(
            SETTINGS.fidelity
        ),
        device=SETTINGS.device,
        require_gpu=SETTINGS.require_gpu,
    script:
        "../scripts/train/train.py"
