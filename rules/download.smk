# Raw files, each trusted only once its checksum is verified.
# in:  the URLs and checksums of config/files.tsv and config/files.lock.tsv, or a mirror
# out: raw/<study>/<file> and raw/<study>/.provenance/<file>.json; by name: the target `verify`
#      and tables/<study>_samples.tsv, the sample annotations of a GEO series

if not SETTINGS.simulated:

    rule download:
        """Download one raw file, verify it and record what it is, or that it is not available."""
        # update(): a file that is right already is kept, and a failed attempt leaves the old one.
        input:
            code=code_of("download/download.py"),
        output:
            raw=update(f"{RUN}/raw/{{study}}/{{file}}"),
            provenance=update(f"{RUN}/raw/{{study}}/.provenance/{{file}}.json"),
        log:
            f"{LOGS}/download/{{study}}/{{file}}.log",
        wildcard_constraints:
            study="[A-Za-z0-9][A-Za-z0-9_.-]*",
            file="[A-Za-z0-9][A-Za-z0-9_.-]*",
        # Nodes of a cluster may have no way out.
        localrule: True
        conda:
            "../envs/vega.yaml"
        resources:
            network=1,
        params:
            row=lambda w: CONFIG.file(w.study, w.file).model_dump(exclude_none=True),
            mirror=lambda w: SETTINGS.mirror,  # as it is, whatever braces it has
            optional=lambda w: CONFIG.is_optional(w.study, w.file),
        script:
            "../scripts/download/download.py"


rule sample_annotations:
    """Write a table of what GEO says of each sample of a study's series."""
    input:
        lambda w: f"{RUN}/raw/{w.study}/{CONFIG.studies[w.study].family_file}",
        code=code_of("download/sample_annotations.py"),
    output:
        f"{RUN}/tables/{{study}}_samples.tsv",
    log:
        f"{LOGS}/download/{{study}}_samples.log",
    wildcard_constraints:
        study="|".join(s for s, study in CONFIG.studies.items() if study.series),
    conda:
        "../envs/vega.yaml"
    script:
        "../scripts/download/sample_annotations.py"


rule verify:
    """Check raw files and results against their checksums. Without inputs and outputs, it always runs."""
    log:
        f"{LOGS}/download/verify.log",
    localrule: True
    conda:
        "../envs/vega.yaml"
    params:
        run=RUN,
        rows=[
            CONFIG.file(*raw).model_dump(exclude_none=True) for raw in CONFIG.raw_files
        ],
    script:
        "../scripts/download/verify.py"
