# Simulated raw files with known truth, in place of the download (`data: simulated`).
# in:  config/simulations.yaml
# out: raw/<study>/* and raw/gene_sets/* with their provenance, tables/<study>_truth.tsv

if SETTINGS.data == "simulated":

    GMT_FILES = sorted(
        {CONFIG.models[model].gene_sets for model in CONFIG.selected_models}
    )

    rule simulate_gene_sets:
        """Makes the GMT files of the run's models."""
        input:
            code="paper/simulate.py",
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

    # One rule per study, since each writes files of its own names.
    for study in CONFIG.selected_studies:

        rule:
            name:
                f"simulate_{study}"
            input:
                code="paper/simulate.py",
            output:
                **raw_outputs(
                    study,
                    [
                        *CONFIG.studies[study].files,
                        *filter(None, [CONFIG.studies[study].family_file]),
                    ],
                ),
                truth=f"{RUN}/tables/{study}_truth.tsv",
            log:
                f"{LOGS}/simulate/{study}.log",
            conda:
                "../envs/vega.yaml"
            params:
                name=study,
                study=CONFIG.studies[study].model_dump(exclude_unset=True),
                simulations=CONFIG.simulations.model_dump(
                    include={
                        "genes": True,
                        "gene_sets": True,
                        "studies": {study: True},
                    }
                ),
            script:
                "../scripts/simulate/simulate_study.py"
