"""Simulated genes and gene sets."""

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from io import BytesIO
from zlib import crc32

import numpy as np
import pandas as pd

from scripts.common.config.simulations import SimulatedSets, Simulation, Simulations, named_sets
from scripts.common.config.studies import Study
from vega.errors import InputError

TABLE = "config/simulations.yaml"
NOT_ONE_TO_ONE = 50
BIOMART = (
    "Gene stable ID", "Gene name", "Human gene name", "Human gene stable ID",
    "Human homology type", "Human orthology confidence [0 low, 1 high]",
    "Human Gene-order conservation score",
)  # fmt: skip


def gene_symbols(simulations: Simulations, file: str) -> list[str]:
    """Return the symbols that go with a GMT file: the real ones, then synthetic ones.

    A file that extends another has the other's, then its own real ones.
    """
    table = simulations.gene_sets[file]
    own = [gene for named in table.named.values() for gene in named.genes]
    if table.extends:
        return list(dict.fromkeys([*gene_symbols(simulations, table.extends), *own]))
    real = dict.fromkeys(own + simulations.genes.outside)
    synthetic = simulations.genes.n - len(real)
    if synthetic < 0:
        raise InputError(
            f"{TABLE}: genes.n: expected at least {len(real)}, the number of genes with real "
            f"symbols, found {simulations.genes.n}; raise it"
        )
    return [*real, *(f"SIM{i:04d}" for i in range(1, synthetic + 1))]


def measured_symbols(simulations: Simulations, simulation: Simulation) -> pd.Index:
    """Return the symbols of the genes that a study measures, those outside of all sets last."""
    symbols = gene_symbols(simulations, simulation.gene_sets)
    if simulation.genes:
        synthetic = range(simulations.genes.n + 1, simulations.genes.n + simulation.genes + 1)
        symbols = [*symbols, *(f"SIM{i}" for i in synthetic)]
        symbols = symbols[: simulation.genes - len(simulation.outside)]
    return pd.Index(dict.fromkeys([*symbols, *simulation.outside]))


def simulate_gene_sets(simulations: Simulations, file: str) -> dict[str, list[str]]:
    """Return the genes of each set of a simulated GMT file; real symbols come first.

    A named set has its own genes, all those of its subsets, and synthetic ones that no other named
    set has, so that named sets overlap only as their table says. Random sets take synthetic genes
    by popularity, so that some genes are in many sets and some in none.
    """
    table, seed = simulations.gene_sets[file], simulations.genes.seed
    before = simulate_gene_sets(simulations, table.extends) if table.extends else {}
    fill = [gene for gene in gene_symbols(simulations, file) if gene.startswith("SIM")]
    elsewhere = named_sets(simulations, table.extends) if table.extends else {}
    taken = {gene for name in elsewhere for gene in before[name]}
    named = _named(table, file, [gene for gene in fill if gene not in taken], seed)

    rng = named_rng(seed, file)
    popularity = rng.lognormal(0, 1, len(fill))
    sizes = rng.lognormal(np.log(table.median_size), table.size_log_sd, table.sets)
    sizes = sizes.clip(table.min_size, min(table.max_size, len(fill))).round().astype(int)
    numbered = (f"{table.prefix}SIMULATED_SET_{i:03d}" for i in range(1, table.sets + 1))
    random = {
        name: rng.choice(fill, size, replace=False, p=popularity / popularity.sum()).tolist()
        for name, size in zip([*table.names, *numbered][: table.sets], sizes, strict=True)
    }
    return before | named | random


def _named(table: SimulatedSets, file: str, fill: list[str], seed: int) -> dict[str, list[str]]:
    """Return the genes of the named sets; `fill` are genes that they may take."""
    where = f"{TABLE}: gene_sets.{file}"
    subsets: dict[str, list[str]] = {name: [] for name in table.named}
    for name, named in table.named.items():
        if named.subset_of is not None:
            subsets[named.subset_of].append(name)
    order = list(TopologicalSorter(subsets).static_order())  # subsets first
    free = dict.fromkeys(fill)  # an ordered set: what no named set has yet
    members: dict[str, list[str]] = {}
    for name in order:
        own = [*table.named[name].genes, *(g for subset in subsets[name] for g in members[subset])]
        own = list(dict.fromkeys(own))
        missing = table.named[name].size - len(own)
        if not 0 <= missing <= len(free):
            raise InputError(
                f"{where}.named.{name}: size: expected {len(own)} (its genes and those of its "
                f"subsets) to {len(own) + len(free)}, found {table.named[name].size}; correct it"
            )
        drawn = named_rng(seed, name).choice(list(free), missing, replace=False).tolist()
        free = dict.fromkeys(gene for gene in free if gene not in set(drawn))
        members[name] = own + drawn
    return {name: members[name] for name in table.named}


def genes_of(study: Study, symbols: Iterable[str]) -> pd.DataFrame:
    """Return Ensembl `id`, `symbol` in the gene sets, and `name` in a study's files of each gene.

    Ids are from a range that no real gene has; names of mouse genes are capitalised.
    """
    symbols = list(symbols)
    mouse = study.organism == "mouse"
    prefix = "ENSMUSG" if mouse else "ENSG"
    ids = [f"{prefix}999{i:08d}" for i in range(1, len(symbols) + 1)]
    names = [s.capitalize() if mouse and s.isupper() else s for s in symbols]
    return pd.DataFrame({"id": ids, "symbol": symbols, "name": names})


def orthologs(genes: pd.DataFrame) -> bytes:
    """Return BioMart's table of the human orthologs of a study's mouse genes.

    Genes outside of gene sets have none; every `NOT_ONE_TO_ONE`-th synthetic gene has two.
    """
    rows = []
    for number, gene in enumerate(genes.itertuples()):
        known = [gene.symbol] if gene.symbol != gene.name else []
        if known and gene.symbol.startswith("SIM") and number % NOT_ONE_TO_ONE == 0:
            known.append(f"{gene.symbol}B")
        kind = "ortholog_one2one" if len(known) == 1 else "ortholog_one2many"
        found = [(human, f"ENSG{gene.id[-11:]}", kind, 1, 100) for human in known]
        rows += [(gene.id, gene.name, *entry) for entry in found or [(None,) * 5]]
    table = pd.DataFrame(rows, columns=BIOMART, dtype=object)
    return table.to_csv(index=False, lineterminator="\n").encode()


def gmt(gene_sets: Mapping[str, list[str]]) -> bytes:
    return lines("\t".join((name, "simulated", *genes)) for name, genes in gene_sets.items())


def named_rng(seed: int, name: str) -> np.random.Generator:
    """Return a generator for one named thing, which does not depend on others."""
    return np.random.default_rng([seed, crc32(name.encode())])


def lines(lines: Iterable[str]) -> bytes:
    """Return a text file of these lines; they are made one at a time."""
    content = BytesIO()
    for line in lines:
        content.write(f"{line}\n".encode())
    return content.getvalue()
