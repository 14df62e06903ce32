# From raw counts to normalised cells, as the study's entry in config/studies.yaml says.
# in:  raw/<study>/ with the records of the download, raw/gene_sets/ of the study's models, and
#      data/<other>.h5ad of the study whose genes it takes
# out: data/<study>.h5ad, tables/<study>_qc.tsv; where GSEA is asked, data/<study>_all_genes.h5ad


rule preprocess:
    """Read a study's counts and annotations, filter and normalise its cells."""
    input:
        unpack(preprocessing_inputs),
        gene_sets=lambda w: sorted(
            {
                f"{RUN}/raw/gene_sets/{CONFIG.model(m).gene_sets}"
                for m in CONFIG.selected_models
                if CONFIG.model(m).study == w.study
            }
        ),
        code=code_of("preprocess/preprocess.py"),
    output:
        cells=f"{RUN}/data/{{study}}.h5ad",
        table=f"{RUN}/tables/{{study}}_qc.tsv",
    log:
        f"{LOGS}/preprocess/{{study}}.log",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=scale_with_attempt(10000),
    params:
        # What the entry says, so that a changed entry runs again.
        study=lambda w: CONFIG.study(w.study).model_dump(exclude_unset=True),
    script:
        "../scripts/preprocess/preprocess.py"


rule all_genes:
    """Keep all filtered genes of the same cells, which GSEA ranks as in the paper."""
    input:
        unpack(preprocessing_inputs),
        cells=f"{RUN}/data/{{study}}.h5ad",
        code=code_of("preprocess/all_genes.py"),
    output:
        cells=f"{RUN}/data/{{study}}_all_genes.h5ad",
    log:
        f"{LOGS}/preprocess/{{study}}_all_genes.log",
    conda:
        "../envs/vega.yaml"
    resources:
        mem_mb=scale_with_attempt(8000),
    params:
        study=lambda w: CONFIG.study(w.study).model_dump(exclude_unset=True),
    script:
        "../scripts/preprocess/all_genes.py"
