# Simulated raw files with known truth, in place of the download (`data: simulated`).
# in:  config/simulations.yaml
# out: raw/<study>/* and raw/gene_sets/* with their provenance, tables/<study>_truth.tsv; studies
#      that share their raw files are one here, named by the folder

if SETTINGS.data == "simulated":

    GMT_FILES = [file for folder, file in CONFIG.raw_files if folder == "gene_sets"]
    SIMULATION_SOURCES = [
        "paper/cells.py",
        *sorted(map(str, Path("paper/simulate").glob("*.py"))),
    ]

    rule simulate_gene_sets:
        """Makes the GMT files of the run's models."""
        input:
            SIMULATION_SOURCES,
        output:
            **raw_outputs("gene_sets", GMT_FILES),
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

    # One rule per folder of raw files, since each writes files of its own names.
    for folder in dict.fromkeys(map(CONFIG.raw_folder, CONFIG.needed_studies)):
        source = CONFIG.raw_source(folder)

        rule:
            name:
                f"simulate_{folder}"
            input:
                SIMULATION_SOURCES,
            output:
                **raw_outputs(
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
