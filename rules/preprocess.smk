# From raw counts to normalised cells, as the study's entry in config/studies.yaml says.
# in:  raw/<study>/ with the records of the download, raw/gene_sets/ of the study's models, and
#      data/<other>.h5ad of the study whose genes it takes
# out: data/<study>.h5ad, tables/<study>_qc.tsv, figures/qc/<study>.{png,pdf}


rule preprocess:
    """Reads a study's counts and annotation, filters and normalises its cells."""
    input:
        raw=lambda w: [
            f"{RUN}/raw/{CONFIG.raw_folder(w.study)}/{f}"
            for f in CONFIG.studies[w.study].files
        ],
        provenance=lambda w: [
            f"{RUN}/raw/{CONFIG.raw_folder(w.study)}/.provenance/{f}.json"
            for f in CONFIG.studies[w.study].files
        ],
        gene_sets=lambda w: sorted(
            {
                f"{RUN}/raw/gene_sets/{CONFIG.model(m).gene_sets}"
                for m in CONFIG.selected_models
                if CONFIG.model(m).study == w.study
            }
        ),
        other=lambda w: [
            f"{RUN}/data/{other}.h5ad"
            for other in filter(None, [CONFIG.studies[w.study].reindexed_to])
        ],
        code=[*PREPROCESSING_SOURCES, "paper/figures/qc.py"],
    output:
        cells=f"{RUN}/data/{{study}}.h5ad",
        table=f"{RUN}/tables/{{study}}_qc.tsv",
        png=f"{RUN}/figures/qc/{{study}}.png",
        pdf=f"{RUN}/figures/qc/{{study}}.pdf",
    log:
        f"{LOGS}/preprocess/{{study}}.log",
    wildcard_constraints:
        study="|".join(CONFIG.studies),
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=growing(8000),
    params:
        # What the entry says, so that a changed entry runs again.
        study=lambda w: CONFIG.studies[w.study].model_dump(exclude_unset=True),
        simulated=SETTINGS.simulated,
    script:
        "../scripts/preprocess/preprocess.py"
