"""The table of simulated effects."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

import pandas as pd

from scripts.common.config.simulations import Programme, Simulation, simulated_groups
from scripts.common.config.studies import Study

GeneSets = Mapping[str, list[str]]


def responders(programme: Programme, gene_sets: GeneSets) -> list[str]:
    """Return the genes that a programme shifts: the first `share` of its set, and its own."""
    genes = gene_sets[programme.gene_set] if programme.gene_set else []
    return genes[: ceil(programme.share * len(genes))] + programme.genes


def truth(study: Study, simulation: Simulation, gene_sets: GeneSets) -> pd.DataFrame:
    """Return which gene sets respond where, one row per programme and gene set it reaches.

    - `programme`: number of the programme in the study's table, from 0
    - `gene_set`, and its `kind`: `planted` is the programme's own set, a `superset` has all of
      its genes, an `overlap` some of the planted genes; genes in no set are `outside`, and a
      `shift` moves every gene by its own random amount
    - `where`: the cells in words; then a column per column of cells, values separated by `;`
    - `effect`: log2 fold change of the programme (effects in a cell add up), or SD of the shift
    - `share` of the set's genes that are shifted, and these `genes`, separated by `;`
    """
    groups = simulated_groups(study, simulation)
    named = {column for programme in simulation.programmes for column in programme.where}
    groups = {column: values for column, values in groups.items() if column in named}
    rows = []
    for number, programme in enumerate(simulation.programmes):
        cells = [f"{column}: {', '.join(values)}" for column, values in programme.where.items()]
        where = {"where": "; ".join(cells) or "all cells"} | {
            column: ";".join(programme.where.get(column, values))
            for column, values in groups.items()
        }
        for reached in _reached(programme, gene_sets):
            rows.append({"programme": number, **reached, **where, "effect": programme.effect})
    for column, entry in simulation.columns.items():
        if entry.log2_sd:
            rows.append({"kind": "shift", "where": f"each {column}", "effect": entry.log2_sd})
    columns = ["programme", "gene_set", "kind", "where", *groups, "effect", "share", "genes"]
    return pd.DataFrame(rows, columns=columns).astype({"programme": "Int64"})


def _reached(programme: Programme, gene_sets: GeneSets) -> Iterator[dict[str, Any]]:
    """Yield each gene set with genes that the programme shifts, then the genes in none."""
    planted = responders(programme, gene_sets)
    own = set(gene_sets[programme.gene_set]) if programme.gene_set else set()
    outside = dict.fromkeys(planted)
    for name, genes in gene_sets.items():
        reached = [gene for gene in planted if gene in set(genes)]
        if not reached:
            continue
        outside = [gene for gene in outside if gene not in set(reached)]
        kind = "superset" if own and own.issubset(genes) else "overlap"
        yield {
            "gene_set": name,
            "kind": "planted" if name == programme.gene_set else kind,
            "share": round(len(reached) / len(genes), 4),
            "genes": ";".join(reached),
        }
    if outside:
        yield {"kind": "outside", "genes": ";".join(outside)}
