"""A new study from a series of GEO: its files are chosen, and read as they were made."""

import gzip
import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from conftest import snakemake
from helpers.file_server import serving
from helpers.own_study import GENES, new_study, write_gmt
from helpers.raw_files import cell_ranger, market, packed, soft_text

from scripts.common.config.load import load
from scripts.preprocess.readers import read

SUPPLEMENT = "/series/GSE1nnn/GSE1234/suppl"
FAMILY = "/series/GSE1nnn/GSE1234/soft/GSE1234_family.soft.gz"
PUBLIC = "https://ftp.ncbi.nlm.nih.gov/geo"
ALL_GENES = range(len(GENES))  # their places
TRIPLE = ("matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz")
RAW = "GSE1234_RAW.tar"
# By accession: title, characteristics. The last one has no counts, and alone another tissue; of
# the first no age is said.
SAMPLES = {
    "GSM11": ("blood a", ["tissue: blood", "treatment: IFN-beta", "donor id: d1"]),
    "GSM12": ("blood b", ["tissue: blood", "treatment: none", "donor id: d1", "age: 1"]),
    "GSM13": ("blood c", ["tissue: blood", "treatment: none", "donor id: d2", "age: 2"]),
    "GSM14": ("bulk", ["tissue: bone", "treatment: none"]),
}
SIZES = {"GSM13": 30, "GSM11": 20, "GSM12": 25}  # in the order of the archive


def family(
    samples=SAMPLES, files=(), sample_files=(), organism="Homo sapiens", relations=()
) -> bytes:
    """Return a SOFT family file."""
    root = "ftp://ftp.ncbi.nlm.nih.gov/geo"
    urls = {sample: [] for sample in samples}
    for name in sample_files:
        sample = name.split("_")[0]
        urls[sample].append(f"{root}/samples/GSMnnn/{sample}/suppl/{name}")
    files = [f"{root}{SUPPLEMENT}/{name}" for name in files]
    soft = soft_text(samples, "Cells of a test", "GSE1234", files, urls, organism, relations)
    return gzip.compress(soft.encode())


def barcodes(cells: int) -> list[str]:
    """The same in each sample, as those of 10x often are."""
    return [f"AAAC{i:04d}-1" for i in range(cells)]


def triple(counts: np.ndarray, genes=ALL_GENES) -> list[bytes]:
    """Return a Matrix Market file and its lists; `genes` are the places of its genes in GENES."""
    counts = counts[:, genes]
    genes = "".join(f"ENSG{i:011d}\t{GENES[i]}\n" for i in genes)
    names = "".join(f"{name}\n" for name in barcodes(len(counts)))
    return [gzip.compress(part) for part in (market(counts), names.encode(), genes.encode())]


def table(counts: np.ndarray, names: list[str], down=False) -> bytes:
    cells = pd.DataFrame(counts, names, GENES)
    return gzip.compress((cells if down else cells.T).to_csv().encode())


@pytest.fixture(scope="module")
def truth() -> dict[str, np.ndarray]:
    """Counts of each sample, cells x genes."""
    return {
        sample: np.random.default_rng(seed).poisson(4, (cells, len(GENES)))
        for seed, (sample, cells) in enumerate(SIZES.items())
    }


@pytest.fixture
def geo(repository, monkeypatch, capsys, caplog):
    """A mirror of GEO on this machine, and the command with it in a repository."""
    monkeypatch.chdir(repository)
    monkeypatch.setattr("scripts.download.transfer.sleep", lambda seconds: None)
    write_gmt(repository / "own.gmt")
    answers = {}

    def config():
        return {p: p.read_bytes() for p in (repository / "config").rglob("*") if p.is_file()}

    def serve(samples=SAMPLES, sample_files=(), organism="Homo sapiens", relations=(), **files):
        """Serve a series with its supplementary files."""
        content = family(samples, files, sample_files, organism, relations)
        answers[FAMILY] = [(200, {}, content)]
        for name, data in files.items():
            answers[f"{SUPPLEMENT}/{name}"] = [(200, {}, data)]

    def run(*words, root=None):
        words = ["GSE1234", "--gene-sets", "own.gmt", "--geo", root or base, *words]
        return new_study(monkeypatch, capsys, *words)

    def adds(*words):
        """Add the study; return it with its cells as the workflow reads them."""
        code, _, error = run("--yes", *words)
        assert code == 0, error
        study = load({}, repository / "config").studies["GSE1234"]
        return study, read(study, repository / "results" / "paper" / "raw" / "GSE1234")

    def fails(*words, **options):
        """Return output and error; the configuration is as before."""
        before = config()
        code, output, error = run("--yes", *words, **options)
        assert code == 1, output
        assert config() == before
        assert error.startswith("error: ") and "\n" not in error
        return output, error

    caplog.set_level("INFO", "workflow")  # restored after the command has changed it
    with serving(answers) as (base, seen):
        yield SimpleNamespace(
            repository=repository, answers=answers, seen=seen, base=base, serve=serve,
            run=run, adds=adds, fails=fails, config=config,
        )  # fmt: skip


def archive_of(members: dict[str, bytes]) -> dict:
    """Return what `serve` needs for a series whose archive has these files of samples."""
    return {RAW: packed(RAW, members), "sample_files": [*members]}


def bundle(geo, truth, **more):
    """A series whose samples have a Matrix Market file each, and one a table in addition."""
    members = {"GSM12_normalised.csv.gz": table(truth["GSM12"] / 2, barcodes(25))}
    for sample, counts in truth.items():
        members |= {
            f"{sample}_x_{end}": part for end, part in zip(TRIPLE, triple(counts), strict=True)
        }
    series = archive_of(members)
    geo.serve(**series, **more)
    return series[RAW]


def assert_cells(cells, truth, conditions):
    """All counts are there, in the order of the archive, each with its sample and condition."""
    np.testing.assert_array_equal(cells.X.toarray(), np.vstack([*truth.values()]))
    assert list(cells.var_names) == GENES
    of_cells = [sample for sample, counts in truth.items() for _ in counts]
    assert list(cells.obs["sample"]) == of_cells
    assert list(cells.obs["condition"]) == [conditions[sample] for sample in of_cells]


TREATED = {"GSM11": "IFN-beta", "GSM12": "none", "GSM13": "none"}


def test_an_archive_of_samples_gives_a_matrix_of_each(geo, truth):
    archive = bundle(geo, truth)
    before = geo.config()
    code, output, _ = geo.run()
    assert code == 0 and geo.config() == before  # nobody has agreed
    for said in (
        "GSE1234: Cells of a test", "4 samples of Homo sapiens", "tissue: blood, bone",
        "treatment: IFN-beta, none", "file GSE1234_RAW.tar", "75 cells, 240 genes, counts",
        "treatment: IFN-beta (20), none (55)",
    ):  # fmt: skip
        assert said in output
    assert "tissue: blood (75)" not in output  # says nothing of the cells with counts

    study, cells = geo.adds()
    assert geo.seen == {FAMILY: 1, f"{SUPPLEMENT}/{RAW}": 1}  # files are kept
    assert (study.title, study.series, study.organism) == ("Cells of a test", "GSE1234", "human")
    assert study.format == "mtx"
    matrix = study.matrices[0]
    names = (matrix.archive, matrix.matrix, matrix.barcodes, matrix.genes)
    assert names == (RAW, *(f"GSM13_x_{end}" for end in TRIPLE))
    assert list(cells.obs["batch"]) == ["d2"] * 30 + ["d1"] * 45
    assert study.conditions == ["none", "IFN-beta"]
    assert_cells(cells, truth, TREATED)
    config = load({}, geo.repository / "config")
    contrast = config.models["GSE1234"].analyses.contrasts["IFN-beta"]
    assert (contrast.group, contrast.reference) == ("IFN-beta", "none")
    row = config.file("GSE1234", RAW)
    assert row.url == f"{PUBLIC}{SUPPLEMENT}/{RAW}"  # and not that of the mirror
    assert row.bytes == len(archive)
    assert row.md5 == hashlib.md5(archive).hexdigest()
    assert row.sha256 == hashlib.sha256(archive).hexdigest()
    assert config.file("GSE1234", study.family_file).url == f"{PUBLIC}{FAMILY}"


def test_the_condition_may_be_any_column_of_the_samples(geo, truth):
    bundle(geo, truth)
    study, cells = geo.adds("--condition", "title", "--batch", "-")
    assert_cells(cells, truth, {"GSM11": "blood a", "GSM12": "blood b", "GSM13": "blood c"})
    assert study.matrices[0].obs == {"sample": "GSM13", "condition": "blood c"}


@pytest.mark.parametrize("down", [False, True])
def test_an_archive_may_hold_a_table_of_each_sample(geo, truth, down):
    members = {
        f"{sample}_counts.csv.gz": table(counts, barcodes(len(counts)), down)
        for sample, counts in truth.items()
    } | {"GSM11_metadata.csv.gz": b"not counts"}
    geo.serve(**archive_of(members))
    study, cells = geo.adds()
    assert study.format == "table"
    assert [matrix.cells_down for matrix in study.matrices] == [down] * 3
    assert_cells(cells, truth, TREATED)


def test_a_matrix_of_the_series_is_read_with_its_lists(geo, truth):
    names = [f"GSE1234_all%2B1.{end}" for end in TRIPLE]
    geo.serve(**dict(zip(names, triple(truth["GSM11"]), strict=True)))
    study, cells = geo.adds()
    assert study.files == [f"GSE1234_all_1.{end}" for end in TRIPLE]
    np.testing.assert_array_equal(cells.X.toarray(), truth["GSM11"])
    row = load({}, geo.repository / "config").file("GSE1234", "GSE1234_all_1.matrix.mtx.gz")
    assert row.url == f"{PUBLIC}{SUPPLEMENT}/GSE1234_all%2B1.matrix.mtx.gz"


CELLS = [f"1001.A{i}" for i in range(24)]
TYPES = ["Neuron", "OPC", "Immune cell"] * 8


def test_samples_that_are_cells_annotate_them(geo, truth):
    samples = {  # in another order than the cells, and one that is not there
        f"GSM{i}": (name, [f"cell type: {kind}", f"patient id: p{i % 2}"])
        for i, (name, kind) in [*enumerate(zip(CELLS, TYPES, strict=True))][::-1]
    } | {"GSM99": ("1001.Z9", ["cell type: OPC"])}
    counts = truth["GSM13"][:24]
    geo.serve(samples, **{"GSE1234_all.csv.gz": table(counts, CELLS)})
    study, cells = geo.adds()
    (annotation,) = study.annotations
    assert (annotation.file, annotation.barcode) == ("GSE1234_family.soft.gz", "{title}")
    assert study.cell_types == ["Immune cell", "Neuron", "OPC"]
    np.testing.assert_array_equal(cells.X.toarray(), counts)
    assert list(cells.obs_names) == CELLS
    assert list(cells.obs["cell_type"]) == TYPES
    assert list(cells.obs["batch"]) == ["p0", "p1"] * 12


def test_samples_with_repeated_names_are_not_the_cells(geo, truth):
    names = [*CELLS, CELLS[0]]
    samples = {f"GSM{i}": (name, [f"cell type: {TYPES[i % 3]}"]) for i, name in enumerate(names)}
    geo.serve(samples, **{"GSE1234_all.csv.gz": table(truth["GSM13"][:24], CELLS)})
    assert geo.adds()[0].annotations == []


def test_samples_and_a_table_may_both_annotate_the_cells(geo, truth):
    types = [TYPES[i % 3] for i in range(30)]
    said = pd.DataFrame({"cell_type": types}, barcodes(30)).to_csv().encode()
    bundle(geo, truth, **{"GSE1234_types.csv.gz": gzip.compress(said)})
    _, cells = geo.adds("--counts", RAW, "--annotation", "GSE1234_types.csv.gz")
    assert_cells(cells, truth, TREATED)
    assert list(cells.obs["cell_type"]) == types + types[:20] + types[:25]
    assert load({}, geo.repository / "config").models["GSE1234"].analyses.one_vs_rest == "cell_type"


@pytest.mark.parametrize("of_the_series", [True, False])
def test_a_table_of_the_cells_is_of_the_series_or_a_local_file(geo, truth, of_the_series):
    name = "GSE1234_cell_types.csv.gz"
    said = gzip.compress(pd.DataFrame({"cell_type": TYPES}, CELLS).to_csv().encode())
    files = {"GSE1234_all.csv.gz": table(truth["GSM13"][:24], CELLS)}
    kept = geo.repository / "results" / "paper" / "raw" / "GSE1234" / name
    if of_the_series:
        files[name] = said
    else:
        (geo.repository / name).write_bytes(said)
        kept.parent.mkdir(parents=True)
        kept.write_bytes(said)  # as the run copies it
    geo.serve(**files)
    study, cells = geo.adds("--annotation", name)
    row = load({}, geo.repository / "config").file("GSE1234", name)
    public = f"{PUBLIC}{SUPPLEMENT}/{name}"
    assert row.url == (public if of_the_series else f"file:{geo.repository / name}")
    assert row.sha256 == hashlib.sha256(said).hexdigest()
    assert list(cells.obs["cell_type"]) == TYPES
    assert study.annotations[0].columns == {"cell_type": "cell_type"}


def test_of_several_files_of_counts_one_must_be_named(geo, truth):
    counts = table(truth["GSM11"], barcodes(20))
    bundle(geo, truth, **{"GSE1234_all.csv.gz": counts, "GSE1234_barcodes.tsv.gz": b"not counts"})
    output, error = geo.fails()
    assert "  file GSE1234_barcodes.tsv.gz" in output
    asks = "2 files seem to be counts; name one with --counts"
    assert error.endswith(f"{asks}: GSE1234_all.csv.gz, {RAW}")
    assert geo.seen == {FAMILY: 1}  # nothing large is downloaded before
    unknown = geo.fails("--counts", "GSE1234_none.csv.gz")[1]
    assert "no GSE1234_none.csv.gz; name one with --counts: " in unknown
    study, cells = geo.adds("--counts", "GSE1234_all.csv.gz")
    assert study.files == ["GSE1234_all.csv.gz"]
    np.testing.assert_array_equal(cells.X.toarray(), truth["GSM11"])


def test_a_file_without_the_name_of_counts_must_be_named(geo, truth):
    name = "GSE1234_markers.csv.gz"
    geo.serve(**{name: table(truth["GSM11"], barcodes(20))})
    assert f"no files seem to be counts; name one with --counts: {name}" in geo.fails()[1]
    np.testing.assert_array_equal(geo.adds("--counts", name)[1].X.toarray(), truth["GSM11"])


def test_an_h5ad_file_may_be_gzipped(geo, truth):
    obs = pd.DataFrame({"stim": ["ctrl", "IFN"] * 10}, barcodes(20))
    counts = sp.csr_matrix(truth["GSM11"], dtype=np.float32)
    AnnData(counts, obs=obs, var=pd.DataFrame(index=GENES)).write_h5ad("whole.h5ad")
    name = "GSE1234_all.h5ad.gz"
    geo.serve(**{name: gzip.compress((geo.repository / "whole.h5ad").read_bytes())})
    study, cells = geo.adds()
    assert (study.format, study.files) == ("h5ad", [name])
    np.testing.assert_array_equal(cells.X.toarray(), truth["GSM11"])
    assert list(cells.obs["condition"]) == ["ctrl", "IFN"] * 10
    assert study.conditions == ["ctrl", "IFN"]


def test_filtered_counts_of_cell_ranger_are_read_of_each_sample(geo, truth):
    files = {
        f"{sample}_{kind}_feature_bc_matrix.h5": cell_ranger(counts, barcodes(len(counts)), GENES)
        for sample, counts in truth.items()
        for kind in ("filtered", "raw")
    }
    geo.serve(**archive_of(files))
    study, cells = geo.adds()
    assert study.format == "10x_h5"
    assert [m.matrix for m in study.matrices] == [name for name in files if "filtered" in name]
    assert_cells(cells, truth, TREATED)


@pytest.mark.parametrize("format", ["mtx", "table"])
def test_samples_with_other_genes_or_another_order_are_joined_by_gene(geo, truth, caplog, format):
    # The first sample lacks a gene, the second has them from the last to the first.
    genes = {"GSM13": [*range(1, 240)], "GSM11": [*range(240)][::-1], "GSM12": [*range(240)]}
    members = {}
    for sample, counts in truth.items():
        if format == "mtx":
            files = zip(TRIPLE, triple(counts, genes[sample]), strict=True)
            members |= {f"{sample}_x_{end}": part for end, part in files}
        else:
            cells = pd.DataFrame(counts, barcodes(len(counts)), GENES).iloc[:, genes[sample]]
            members[f"{sample}_counts.csv.gz"] = gzip.compress(cells.T.to_csv().encode())
    geo.serve(**archive_of(members))
    _, cells = geo.adds()
    expected = np.vstack([*truth.values()])
    expected[: SIZES["GSM13"], 0] = 0
    assert list(cells.var_names) == [*GENES[1:], GENES[0]]
    np.testing.assert_array_equal(cells[:, GENES].X.toarray(), expected)
    told = "matrices have other genes, the fewest 239: of all 240 those that one lacks are zero"
    assert told in caplog.text


def test_an_h5ad_file_of_each_sample(geo, truth):
    members, kinds = {}, []
    for number, (sample, counts) in enumerate(truth.items()):
        obs = pd.DataFrame({"kind": ["T", "B"] * 15, "tissue": "none", "n": 1.0}, barcodes(30))
        obs = obs.iloc[: len(counts), : 3 - number]  # n is only of the first
        kinds += [*obs["kind"]]
        cells = AnnData(sp.csr_matrix(counts, dtype=np.float32), obs)
        cells.var_names = GENES
        cells.layers["umis"], cells.X = cells.X, cells.X.log1p()
        cells.write_h5ad("x.h5ad")
        content = (geo.repository / "x.h5ad").read_bytes()
        members[f"{sample}_cells.h5ad.gz"] = gzip.compress(content)
    geo.serve(**archive_of(members))
    study, cells = geo.adds("--cell-type", "kind")
    assert study.format == "h5ad"
    assert study.matrices[0].layer == "umis"
    assert_cells(cells, truth, TREATED)
    assert list(cells.obs["cell_type"]) == kinds
    assert study.cell_types == ["B", "T"]


@pytest.mark.parametrize("names", ["{}_{}.matrix.mtx.gz", "{}_A.{}_matrix.mtx.gz"])
def test_filtered_matrices_are_taken_and_raw_ones_told(geo, truth, names):
    members = {}
    for sample, counts in truth.items():
        for kind, of_kind in (("raw", np.vstack([counts, counts])), ("filtered", counts)):
            for end, part in zip(TRIPLE, triple(of_kind), strict=True):
                name = names.format(sample, kind).replace("matrix.mtx.gz", end)
                members[name] = part
    geo.serve(**archive_of(members))
    _, output, _ = geo.run()
    raw = [name for name in members if "raw" in name and "mtx" in name]
    assert f"note: not taken of GSE1234_RAW.tar: {', '.join(raw)}" in output
    study, cells = geo.adds()
    assert all("filtered" in matrix.matrix for matrix in study.matrices)
    assert_cells(cells, truth, TREATED)


def test_an_unknown_or_unreachable_series_is_named(geo):
    geo.answers[FAMILY] = [(404, {}, b"")]
    _, error = geo.fails()
    assert f"GSE1234: {geo.base}{FAMILY}: the server answers 404 Not Found; check the acc" in error
    assert not [*(geo.repository / "results").glob("**/*.*")]
    _, error = geo.fails(root="http://127.0.0.1:9")
    assert "GSE1234: could not reach 127.0.0.1 (" in error
    assert "name a mirror of GEO with --geo" in error


def unreadable(*names):
    return archive_of(dict.fromkeys(names, b"x"))


OTHER_GENES = gzip.compress(b",c1\nGENE0,1\nRPL13A,2\nMT-ND1,2\n")


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({}, "GSE1234: it has no supplementary files; convert the counts to h5ad"),
        (
            {"GSE1234_seurat.rds": b"x", "GSE1234_a.mat": b"x"},
            "none of its files can be read as counts: GSE1234_seurat.rds, GSE1234_a.mat; convert "
            "the counts to h5ad and give that as FILE",
        ),
        (
            unreadable("GSM11_a.rds", "GSM12_matrix.mtx.gz"),  # without its lists
            "none of its files can be read as counts: GSE1234_RAW.tar, GSM11_a.rds, GSM12_matrix",
        ),
        (
            {"relations": ["BioProject: x", "SuperSeries of: GSE11", "SuperSeries of: GSE12"]},
            "GSE1234: a SuperSeries; give one of its SubSeries: GSE11, GSE12",
        ),
        ({"organism": "Danio rerio"}, "its samples are of Danio rerio, and a study is of Homo"),
        (
            unreadable("GSM99_a.csv.gz") | {"sample_files": ["GSM11_a.csv.gz"]},
            "GSE1234_RAW.tar: GSM99_a.csv.gz is of no sample of the series",
        ),
        (
            unreadable("GSM11_a.csv.gz", "GSM11_b.csv.gz"),
            "GSE1234_RAW.tar: two matrices of GSM11 (GSM11_a.csv.gz, GSM11_b.csv.gz)",
        ),
        (
            archive_of({
                "GSM11_counts.csv.gz": table(np.ones((20, len(GENES)), int), barcodes(20)),
                "GSM12_counts.csv.gz": OTHER_GENES,
            }),
            "GSM12_counts.csv.gz: only 1 of its 3 genes are in",
        ),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_as_counts_are_named(geo, series, message):
    geo.serve(**series)
    assert message in geo.fails()[1]


@pytest.mark.parametrize(
    ("words", "message", "downloads"),
    [
        (["--name", "kang"], "studies.yaml: there is an entry kang; choose another --name", False),
        (["--annotation", "no.csv"], "no.csv: no such file, and not one of GSE1234_RAW.tar", True),
    ],
)
def test_a_name_in_use_and_an_unknown_table_are_refused(geo, truth, words, message, downloads):
    bundle(geo, truth)
    assert message in geo.fails(*words)[1]
    assert bool(geo.seen) == downloads


@pytest.mark.slow
def test_the_run_verifies_the_files_and_does_not_download_them_again(geo, truth):
    archive = bundle(geo, truth)
    geo.adds()
    settings = ("--config", "run=paper", "data=public", "studies=GSE1234")
    snakemake(geo.repository, *settings, "--", "results/paper/data/GSE1234.h5ad", profile=None)
    raw = geo.repository / "results" / "paper" / "raw" / "GSE1234"
    assert (raw / RAW).read_bytes() == archive
    record = json.loads((raw / ".provenance" / f"{RAW}.json").read_text())
    assert (record["identity"], record["source"]) == ("pinned", f"{PUBLIC}{SUPPLEMENT}/{RAW}")
