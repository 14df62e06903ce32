# Simulated raw files with known truth, in place of the download (`data: simulated`), or the authors'
# processed data that would come of them (`data: simulated_authors`).
# in:  config/simulations.yaml
# out: raw/<study>/* (raw/authors/*) and raw/gene_sets/* with their provenance,
#      tables/<study>_truth.tsv; studies that share their public raw files are one here, named by
#      the folder

if SETTINGS.simulated:

    GMT_FILES = [file for folder, file in CONFIG.raw_files if folder == "gene_sets"]

    rule simulate_gene_sets:
        """Simulate the GMT files of the run's models."""
        input:
            code=code_of("simulate/simulate_gene_sets.py"),
        output:
            **raw_with_provenance("gene_sets", GMT_FILES),
        log:
            f"{LOGS}/simulate/gene_sets.log",
        conda:
            "../envs/vega.yaml"
        params:
            # What the files depend on: a changed table makes them again.
            simulations=CONFIG.simulations.model_dump(exclude={"studies"})
            | {"studies": {}},
        script:
            "../scripts/simulate/simulate_gene_sets.py"

    # Studies whose authors' files are simulated, all at once: an archive holds several of them.
    AUTHORS = [
        s
        for s in CONFIG.studies
        if SETTINGS.from_authors
        and CONFIG.public[s].authors
        and CONFIG.group(s) in CONFIG.simulations.studies
    ]
    GROUPS = list(dict.fromkeys(map(CONFIG.group, AUTHORS)))
    # One rule per folder of raw files, since each writes files of its own names.
    for folder in dict.fromkeys(
        CONFIG.raw_folder(s) for s in CONFIG.needed_studies if s not in AUTHORS
    ):
        source = CONFIG.raw_source(folder)

        rule:
            name:
                f"simulate_{folder}"
            input:
                code=code_of("simulate/simulate_study.py"),
            output:
                **raw_with_provenance(
                    folder,
                    dict.fromkeys(
                        [*source.files, *filter(None, [source.family_file])]
                    ),
                ),
                truth=f"{RUN}/tables/{folder}_truth.tsv",
            log:
                f"{LOGS}/simulate/{folder}.log",
            conda:
                "../envs/vega.yaml"
            params:
                name=folder,
                study=source.model_dump(exclude_unset=True),
                simulations=CONFIG.simulations.model_dump(
                    include={
                        "genes": True,
                        "gene_sets": True,
                        "studies": {folder: True},
                    }
                ),
            script:
                "../scripts/simulate/simulate_study.py"

    if AUTHORS:

        rule simulate_authors:
            """Simulate the authors' processed data of all studies that have some."""
            input:
                code=code_of("simulate/simulate_authors.py"),
            output:
                **raw_with_provenance(
                    "authors",
                    dict.fromkeys(f for s in AUTHORS for f in CONFIG.studies[s].files),
                ),
                truth=expand(f"{RUN}/tables/{{group}}_truth.tsv", group=GROUPS),
            log:
                f"{LOGS}/simulate/authors.log",
            conda:
                "../envs/vega.yaml"
            resources:
                mem_mb=scale_with_attempt(8000),
            params:
                studies={
                    s: CONFIG.public[s].model_dump(exclude_unset=True) for s in AUTHORS
                },
                sources={
                    group: CONFIG.raw_source(group).model_dump(exclude_unset=True)
                    for group in GROUPS
                },
                simulations=CONFIG.simulations.model_dump(),
            script:
                "../scripts/simulate/simulate_authors.py"
