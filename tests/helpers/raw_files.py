"""Raw files as GEO and 10x have them: Matrix Market, Cell Ranger's HDF5, archives, SOFT."""

import io
import tarfile
import zipfile

import h5py
import numpy as np
import scipy.io
import scipy.sparse as sp


def market(counts, kind="integer") -> bytes:
    """Return a Matrix Market file of counts (cells x genes), genes down, cell by cell as GEO."""
    content = io.BytesIO()
    scipy.io.mmwrite(content, sp.csc_matrix(np.asarray(counts).T), field=kind)
    return content.getvalue()


def cell_ranger(counts, barcodes, symbols, ids=None, kinds=None) -> bytes:
    """Return a file of 10x's Cell Ranger with these counts (cells x genes)."""
    matrix = sp.csc_matrix(np.asarray(counts).T)
    ids = ids or [f"ENSG{i:011d}" for i in range(len(symbols))]
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(barcodes, dtype="S")
        for name, values in (
            ("data", matrix.data.astype(np.int32)), ("indices", matrix.indices.astype(np.int64)),
            ("indptr", matrix.indptr.astype(np.int64)), ("shape", np.array(matrix.shape, np.int32)),
        ):  # fmt: skip
            group.create_dataset(name, data=values, compression="gzip")
        features = group.create_group("features")
        features["_all_tag_keys"] = np.array(["genome"], dtype="S")
        features["id"], features["name"] = np.array(ids, dtype="S"), np.array(symbols, dtype="S")
        features["feature_type"] = np.array(kinds or ["Gene Expression"] * len(ids), dtype="S")
        features["genome"] = np.array(["GRCh38"] * len(ids), dtype="S")
    return content.getvalue()


def packed(name, members, prefix="") -> bytes:
    """Return an archive of the kind that its name says."""
    content = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                archive.writestr(prefix + member, data)
    else:
        with tarfile.open(fileobj=content, mode="w:gz" if name.endswith("gz") else "w") as archive:
            for member, data in members.items():
                info = tarfile.TarInfo(prefix + member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


def pack(path, members, prefix=""):
    path.write_bytes(packed(path.name, members, prefix))


SUPPLEMENT = "ftp://ftp.example.org/GSE1_data.csv.gz"
COUNTS = "ftp://ftp.example.org/GSM1_matrix.mtx.gz"
# Like Darmanis et al.: GEO's spelling of a cell type, a value with a colon, a key twice, a key
# that only some samples have, one named like a fixed column, and one entry without a key.
SAMPLES = {
    "GSM1": ("cell A", ["tissue: Tumor", "cell type: Astocyte", "patient id: BT_S2"]),
    "GSM2": ("cell B", ["tissue: Periphery", "cell type: Neoplastic", "marker: HEPACAM: high"]),
    "GSM3": ("cell C", ["cell type: OPC", "cell type: Oligodendrocyte", "title: x", "frozen"]),
}


def soft_text(
    samples=SAMPLES, title="toy", series="GSE1", files=(SUPPLEMENT,), sample_files=None,
    organism="Homo sapiens", relations=(),
) -> str:  # fmt: skip
    """Return a SOFT family file.

    `samples` are titles and characteristics by accession, `sample_files` URLs by accession.
    """
    sample_files = {"GSM1": [COUNTS]} if sample_files is None else sample_files
    lines = ["^DATABASE = GeoMiame", "!Database_name = GEO", f"^SERIES = {series}"]
    lines += [f"!Series_title = {title}", *(f"!Series_sample_id = {name}" for name in samples)]
    lines += [f"!Series_supplementary_file = {url}" for url in (*files, "NONE")]
    lines += [f"!Series_relation = {relation}" for relation in relations]
    lines += ["^PLATFORM = GPL1", "!Platform_title = sequencer"]
    for name, (sample_title, characteristics) in samples.items():
        lines += [f"^SAMPLE = {name}", f"!Sample_title = {sample_title}"]
        lines += ["!Sample_source_name_ch1 = brain", f"!Sample_organism_ch1 = {organism}"]
        lines += [f"!Sample_characteristics_ch1 = {text}" for text in characteristics]
        urls = enumerate(sample_files.get(name) or ["NONE"], start=1)
        lines += [f"!Sample_supplementary_file_{number} = {url}" for number, url in urls]
        lines += ["!Sample_data_row_count = 0"]
    return "\n".join(lines) + "\n"
