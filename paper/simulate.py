"""Simulated studies whose truth is known, in the sources' own file formats.

The truth is planted by `config/simulations.yaml`. Cell i of type t and donor d has of gene g

    counts ~ negative binomial, mean = size_i * 2^(level_g + type_tg + donor_dg + programme_ig)

where `programme` adds up the effects of all planted programmes that meet in the cell, and a
doublet's mean is the sum of two cells' means. Means are not scaled to the cell's total: a planted
effect is the fold change of the expected counts themselves.

Adding a study is adding an entry to that table; adding a format is adding a writer to `WRITERS`.
"""

import gzip
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from io import BytesIO
from math import ceil
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
from scipy.io import mmwrite
from scipy.sparse import csc_matrix

from paper.config import Programme, Simulation, Simulations, Study, simulated_groups
from paper.errors import InputError
from paper.provenance import record
from vega.files import written_whole

TABLE = "config/simulations.yaml"
LOW_QUALITY = 0.25  # library size of a low-quality cell, relative to a good one


@dataclass(frozen=True)
class Simulated:
    """A simulated study of C cells and G genes.

    Attributes
    ----------
    genes
        G rows, columns `id` (Ensembl's form) and `symbol`.
    cells
        C rows: `matrix` (number of its matrix in the study), `barcode`, the matrix' `obs`,
        `cell_type` (None where the annotation misses it), `donor`, `multiplet`, and the
        columns that only the annotation's format asks for: `cluster`, `tsne1`, `tsne2`.
    counts
        C x G integers.
    truth
        Which gene sets respond where, see `truth`.
    """

    genes: pd.DataFrame
    cells: pd.DataFrame
    counts: np.ndarray
    truth: pd.DataFrame


# ---------------------------------------------------------------- genes and gene sets


def gene_symbols(simulations: Simulations) -> list[str]:
    """Symbols of all simulated genes: the real ones, then synthetic ones."""
    sets = [named for table in simulations.gene_sets.values() for named in table.named.values()]
    real = dict.fromkeys([g for named in sets for g in named.genes] + simulations.genes.outside)
    synthetic = simulations.genes.n - len(real)
    if synthetic < 0:
        raise InputError(f"{TABLE}: genes.n: {len(real)} genes have real symbols, ask for as many")
    return [*real, *(f"SIM{i:04d}" for i in range(1, synthetic + 1))]


def simulate_gene_sets(simulations: Simulations, file: str) -> dict[str, list[str]]:
    """Genes of the sets of one simulated GMT file, by name; real symbols come first.

    A named set holds its own genes, all those of its subsets, and synthetic ones that no other
    named set has: named sets overlap as their table says and not by chance. Random sets take
    synthetic genes by popularity, so that some genes are in many sets and some in none.

    Raises
    ------
    InputError
        If sets are subsets of each other in a circle, or a set is too small for its genes.
    """
    table, seed = simulations.gene_sets[file], simulations.genes.seed
    where = f"{TABLE}: gene_sets.{file}"
    subsets: dict[str, list[str]] = {name: [] for name in table.named}
    for name, named in table.named.items():
        if named.subset_of is not None:
            subsets[named.subset_of].append(name)
    try:
        order = list(TopologicalSorter(subsets).static_order())  # subsets first
    except CycleError as error:
        raise InputError(f"{where}: subset_of goes in a circle: {error.args[1]}") from None

    fill = [gene for gene in gene_symbols(simulations) if gene.startswith("SIM")]
    free = dict.fromkeys(fill)  # an ordered set: what no named set has yet
    members: dict[str, list[str]] = {}
    for name in order:
        own = [*table.named[name].genes, *(g for subset in subsets[name] for g in members[subset])]
        own = list(dict.fromkeys(own))
        missing = table.named[name].size - len(own)
        if not 0 <= missing <= len(free):
            raise InputError(
                f"{where}.named.{name}: size is {table.named[name].size}, but it has {len(own)} "
                f"genes of its own and of its subsets, and {len(free)} are left to fill it"
            )
        drawn = _rng(seed, name).choice(list(free), missing, replace=False).tolist()
        free = dict.fromkeys(gene for gene in free if gene not in set(drawn))
        members[name] = own + drawn

    rng = _rng(seed, file)
    popularity = rng.lognormal(0, 1, len(fill))
    sizes = rng.lognormal(np.log(table.median_size), table.size_log_sd, table.sets)
    sizes = sizes.clip(table.min_size, min(table.max_size, len(fill))).round().astype(int)
    random = {
        f"{table.prefix}SIMULATED_SET_{i:03d}": rng.choice(
            fill, size, replace=False, p=popularity / popularity.sum()
        ).tolist()
        for i, size in enumerate(sizes, start=1)
    }
    return {name: members[name] for name in table.named} | random


def gmt(gene_sets: Mapping[str, list[str]]) -> bytes:
    """The gene sets as a GMT file: name, description, genes, separated by tabs."""
    return _lines("\t".join((name, "simulated", *genes)) for name, genes in gene_sets.items())


# ---------------------------------------------------------------- the truth


def responders(programme: Programme, gene_sets: Mapping[str, list[str]]) -> list[str]:
    """Genes that a programme shifts: the first `share` of its set."""
    genes = gene_sets[programme.gene_set]
    return genes[: ceil(programme.share * len(genes))]


def truth(study: Study, simulation: Simulation, gene_sets: Mapping[str, list[str]]) -> pd.DataFrame:
    """Which gene sets respond where, one row per programme and gene set it reaches.

    Returns
    -------
    Table with the columns

    - `programme`: number of the programme in the study's table, from 0
    - `gene_set`, and its `kind`: `planted` is the programme's own set, a `superset` holds all
      of that set, an `overlap` some of the genes planted
    - `where`: the cells in words; `cell_type`, `condition`: all types and conditions meant,
      separated by `;`
    - `effect`: log2 fold change of the programme (those that meet in a cell add up)
    - `share`: share of the set's genes that are planted; `genes`: which, separated by `;`
    """
    groups = simulated_groups(study, simulation)
    rows = []
    for number, programme in enumerate(simulation.programmes):
        planted, whole = responders(programme, gene_sets), set(gene_sets[programme.gene_set])
        cells = [f"{column}: {', '.join(values)}" for column, values in programme.where.items()]
        for name, genes in gene_sets.items():
            reached = [gene for gene in planted if gene in set(genes)]
            if not reached:
                continue
            kind = "superset" if whole.issubset(genes) else "overlap"
            rows.append(
                {
                    "programme": number,
                    "gene_set": name,
                    "kind": "planted" if name == programme.gene_set else kind,
                    "where": "; ".join(cells) or "all cells",
                    **{
                        column: ";".join(programme.where.get(column, groups.get(column, [])))
                        for column in ("cell_type", "condition")
                    },
                    "effect": programme.effect,
                    "share": round(len(reached) / len(genes), 4),
                    "genes": ";".join(reached),
                }
            )
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- cells and counts


def simulate_study(name: str, study: Study, simulations: Simulations) -> Simulated:
    """Draw the cells and counts of study `name`; the same table gives the same study.

    Raises
    ------
    InputError
        If the tables ask for something that cannot be, such as more markers than genes.
    """
    simulation = simulations.studies[name]
    rng = np.random.default_rng(simulation.seed)
    symbols = pd.Index(gene_symbols(simulations))
    gene_sets = {
        name: genes
        for file in simulations.gene_sets
        for name, genes in simulate_gene_sets(simulations, file).items()
    }
    cells = _cells(study, simulation, rng)

    level = _levels(simulations, symbols)
    # Markers are in no named set, so that the truth of those is the planted one alone.
    named = {
        g for table in simulations.gene_sets.values() for n in table.named for g in gene_sets[n]
    }
    types = _type_profiles(simulations, simulation, ~symbols.isin(named))
    donors = rng.normal(0, simulation.donor_log2_sd, (len(simulation.donors), len(symbols)))
    log2_mean = level + types[_codes(cells["cell_type"], simulation.cell_types)]
    log2_mean += donors[_codes(cells["donor"], simulation.donors)]
    for programme in simulation.programmes:
        mask = np.logical_and.reduce([cells[c].isin(v) for c, v in programme.where.items()])
        genes = symbols.isin(responders(programme, gene_sets))
        log2_mean += programme.effect * np.outer(np.broadcast_to(mask, len(cells)), genes)

    mean = np.exp2(log2_mean) * (_library(simulation, cells, rng) / np.exp2(level).sum())[:, None]
    mean = _with_partners(mean, cells, rng)
    # The negative binomial as a Poisson whose mean is Gamma distributed.
    dispersion = simulation.dispersion
    counts = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, mean.shape))

    unlabelled = rng.random(len(cells)) < simulation.unlabelled
    return Simulated(
        genes=pd.DataFrame({"id": _ensembl_ids(len(symbols)), "symbol": symbols}),
        cells=cells.assign(cell_type=cells["cell_type"].mask(unlabelled, None)),
        counts=counts.astype(np.int32),
        truth=truth(study, simulation, gene_sets),
    )


def _cells(study: Study, simulation: Simulation, rng: np.random.Generator) -> pd.DataFrame:
    """All that is known of each cell, matrix after matrix."""
    per_matrix = simulation.cells // len(study.matrices)
    matrix = np.repeat(np.arange(len(study.matrices)), per_matrix)
    n = len(matrix)
    types = simulation.cell_types
    shares = np.array([kind.share for kind in types.values()])
    cells = pd.DataFrame(
        {
            "matrix": matrix,
            "barcode": _barcodes(n, rng),
            "cell_type": rng.choice(list(types), n, p=shares / shares.sum()),
            "donor": rng.choice(simulation.donors, n),
            "multiplet": np.where(rng.random(n) < simulation.doublets, "doublet", "singlet"),
        }
    )
    for column in dict.fromkeys(c for m in study.matrices for c in m.obs):
        cells[column] = [study.matrices[i].obs.get(column) for i in matrix]
    # Barcodes come from one list: some are drawn again in every further matrix.
    shared = cells["barcode"].to_numpy()[: simulation.shared_barcodes]
    for number in range(1, len(study.matrices)):
        first = number * per_matrix
        cells.loc[first : first + len(shared) - 1, "barcode"] = shared
    cells["cluster"] = _codes(cells["cell_type"], types)
    centres = rng.normal(0, 15, (len(types), 2))[cells["cluster"]]
    drawn = centres + 4 * matrix[:, None] + rng.normal(0, 2, (n, 2))
    return cells.assign(tsne1=drawn[:, 0], tsne2=drawn[:, 1])


def _levels(simulations: Simulations, symbols: pd.Index) -> np.ndarray:
    """log2 expression of each gene before anything happens to it; the median is about 0.

    Real symbols are named because their genes are seen: none lies below the median, and none so
    high that its programme would outweigh the rest of the cell.
    """
    level = _rng(simulations.genes.seed, "levels").normal(
        0, simulations.genes.log2_sd, len(symbols)
    )
    return np.where(symbols.str.startswith("SIM"), level, np.abs(level) / 2)


def _type_profiles(
    simulations: Simulations, simulation: Simulation, candidates: np.ndarray
) -> np.ndarray:
    """log2 fold changes of each type's genes: its own markers and its lineage's, T x G.

    `candidates` (G booleans) may be markers. Which are hangs on the name of the type or lineage,
    so that studies share them.
    """
    free = np.flatnonzero(candidates)
    if simulation.markers > len(free):
        raise InputError(
            f"{TABLE}: studies: markers: {simulation.markers} are asked for, but only {len(free)} "
            "genes are in no named set; take fewer or raise genes.n"
        )
    profiles = np.zeros((len(simulation.cell_types), len(candidates)))
    for profile, (name, kind) in zip(profiles, simulation.cell_types.items(), strict=True):
        for programme in filter(None, (name, kind.lineage)):
            rng = _rng(simulations.genes.seed, f"markers of {programme}")
            markers = rng.choice(free, simulation.markers, replace=False)
            profile[markers] += rng.exponential(simulation.marker_log2, simulation.markers)
    return profiles


def _library(simulation: Simulation, cells: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Expected counts of each cell with every gene at its level."""
    relative = cells["cell_type"].map({n: k.library for n, k in simulation.cell_types.items()})
    spread = np.exp2(rng.normal(0, simulation.library_log2_sd, len(cells)))
    poor = np.where(rng.random(len(cells)) < simulation.low_quality, LOW_QUALITY, 1)
    return simulation.library * relative.to_numpy() * spread * poor


def _with_partners(mean: np.ndarray, cells: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Expected counts where each doublet holds those of a random singlet of its matrix too."""
    doublet = (cells["multiplet"] == "doublet").to_numpy()
    total = mean.copy()
    for number in cells["matrix"].unique():
        here = (cells["matrix"] == number).to_numpy()
        doublets, singlets = np.flatnonzero(here & doublet), np.flatnonzero(here & ~doublet)
        total[doublets] += mean[rng.choice(singlets, len(doublets))]
    return total


def _barcodes(n: int, rng: np.random.Generator) -> list[str]:
    """10x barcodes of the first chemistry, 14 bases and the number of the lane, all different."""
    numbers = rng.choice(4**14, n, replace=False)
    bases = str.maketrans("0123", "ACGT")
    return [np.base_repr(i, 4).zfill(14).translate(bases) + "-1" for i in numbers]


def _ensembl_ids(n: int) -> list[str]:
    """Gene ids in Ensembl's form, from a range that no real gene has."""
    return [f"ENSG999{i:08d}" for i in range(1, n + 1)]


def _codes(values: pd.Series, categories: Iterable[str]) -> np.ndarray:
    return pd.Categorical(values, categories=list(categories)).codes.astype(int)


def _rng(seed: int, name: str) -> np.random.Generator:
    """Random numbers of one named thing: what is drawn for others does not move them."""
    return np.random.default_rng([seed, crc32(name.encode())])


# ---------------------------------------------------------------- the sources' file formats


def raw_files(study: Study, simulated: Simulated, header: list[str]) -> dict[str, bytes]:
    """Content of the study's raw files by name, before compression.

    `header` names the columns of the annotation as the source has them.
    """
    files = WRITERS[study.format](study, simulated)
    if study.annotation:
        files[study.annotation.file] = _annotation(study, simulated.cells, header)
    if study.family_file:
        files[study.family_file] = _soft(study)
    return files


def _matrix_market(study: Study, simulated: Simulated) -> dict[str, bytes]:
    """Each matrix genes x cells in coordinates, and its side files without headers."""
    files = {}
    for number, names in enumerate(study.matrices):
        here = (simulated.cells["matrix"] == number).to_numpy()
        content = BytesIO()
        mmwrite(content, csc_matrix(simulated.counts[here].T), field="integer", symmetry="general")
        files[names.matrix] = content.getvalue()
        files[names.barcodes] = _lines(simulated.cells.loc[here, "barcode"])
        files[names.genes] = _lines(simulated.genes["id"] + "\t" + simulated.genes["symbol"])
    return files


WRITERS: dict[str, Callable[[Study, Simulated], dict[str, bytes]]] = {"mtx": _matrix_market}


def _annotation(study: Study, cells: pd.DataFrame, header: list[str]) -> bytes:
    """The table of cells as R writes one: row names, which the header does not count, come first.

    Row names had to be unique: a barcode met before carries one more "1". Values are the
    source's, that is what `annotation.values` would translate to ours.
    """
    annotation = study.annotation
    columns = {}
    for theirs in header:
        ours = annotation.columns.get(theirs, theirs)
        if ours not in cells:
            raise InputError(
                f"{TABLE}: header: column {theirs} is not simulated; choose from "
                f"{', '.join(cells)} or name it in the study's annotation.columns"
            )
        back = {new: old for old, new in annotation.values.get(ours, {}).items()}
        columns[theirs] = cells[ours].replace(back)
    rows = cells["barcode"] + cells["barcode"].duplicated().map({True: "1", False: ""})
    body = pd.DataFrame(columns).set_index(rows)
    text = body.to_csv(sep="\t", header=False, na_rep="NA", lineterminator="\n")
    return _lines(["\t".join(header)]) + text.encode()


def _soft(study: Study) -> bytes:
    """A GEO family file with the study's samples and their characteristics."""
    lines = [
        "^DATABASE = GeoMiame",
        "!Database_name = Gene Expression Omnibus (GEO)",
        f"^SERIES = {study.series}",
        f"!Series_title = Simulated: {study.title}",
        f"!Series_geo_accession = {study.series}",
    ]
    samples = [matrix.obs for matrix in study.matrices if "sample" in matrix.obs]
    lines += [f"!Series_sample_id = {sample['sample']}" for sample in samples]
    for sample in samples:
        lines += [
            f"^SAMPLE = {sample['sample']}",
            f"!Sample_title = Simulated: {sample['sample']}",
            f"!Sample_geo_accession = {sample['sample']}",
            f"!Sample_organism_ch1 = {ORGANISMS[study.organism]}",
            *(
                f"!Sample_characteristics_ch1 = {key}: {value}"
                for key, value in sample.items()
                if key != "sample"
            ),
            f"!Sample_series_id = {study.series}",
        ]
    return _lines(lines)


ORGANISMS = {"human": "Homo sapiens", "mouse": "Mus musculus"}


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def write(files: Mapping[str, bytes], folder: Path | str, source: str) -> None:
    """Write each file whole, compressed where its name says so, and record where it is from.

    The bytes depend on the content alone: no time of writing is in them.
    """
    for name, content in files.items():
        path = Path(folder) / name
        with written_whole(path) as temporary:
            compressed = gzip.compress(content, 6, mtime=0) if path.suffix == ".gz" else content
            temporary.write_bytes(compressed)
        record(path, source, "simulated")
