"""The VEGA model: gene sets in, GMV activities out."""

import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from anndata.abc import CSCDataset, CSRDataset

from vega import io
from vega.data import BackedData, Data, InMemoryData
from vega.description import AGAIN
from vega.errors import InputError
from vega.files import read_errors
from vega.gene_sets import EXTRA_NODE, gene_mask
from vega.module import LinearDecoder, VEGAModule
from vega.posterior import Posterior
from vega.settings import ModelSettings, TrainSettings, read_settings
from vega.train import train
from vega.trainer import as_input, resolve_precision
from vega.values import layers_of

_GLOBAL_GENERATOR = threading.Lock()  # torch draws initial weights from one that threads share


class VEGA:
    """A variational autoencoder whose latent variables are gene module variables (GMVs).

    By default the decoder is one linear layer in which each GMV reaches only the genes of its set,
    with weights that are kept non-negative (Seninge et al. 2021, Fig. 1a and Methods).

    Parameters
    ----------
    genes
        Names of the G genes of the data, each once.
    gene_sets
        Genes by set name, such as `read_gmt` gives; one GMV each, also where no gene is shared.
    batches
        Names of the batches; with more than one, the decoder (not the encoder) is given the batch.
    seed
        Of the initial weights, and the default of `fit`.
    **settings
        See `settings.ModelSettings`; the defaults are the published ones. The paper's variants are
        other choices of `encoder`, `decoder` and `likelihood`. Where neither encoder nor decoder
        uses the sets, the latent variables are named `LATENT_1`, ...

    Attributes
    ----------
    gmvs
        Names of the K latent variables: the gene sets, then `UNANNOTATED_1`, ...
    settings
        What the model is made of (`settings.ModelSettings`).
    annotation
        Boolean, K x genes: which genes are in the set of which variable.
    module
        The network (`module.VEGAModule`).
    history
        Losses per cell, one row per epoch.
    target_sum
        The total that the counts of each training cell were scaled to before log1p, which `fit`
        takes from `adata.uns["normalisation"]["target_sum"]`; None if it is not there.

    Raises
    ------
    ValueError
        If no gene is in any set, a gene is named twice, or a setting is not valid.
    """

    def __init__(
        self,
        genes: Iterable[str],
        gene_sets: Mapping[str, Sequence[str]],
        *,
        batches: Sequence[str] = (),
        seed: int = 1,
        **settings: Any,
    ):
        genes = list(map(str, genes))  # of numpy's strings too
        gene_sets = {str(name): members for name, members in gene_sets.items()}
        chosen = read_settings(ModelSettings, settings)
        annotation = np.vstack(
            [gene_mask(gene_sets, genes), np.ones((chosen.extra_nodes, len(genes)), dtype=bool)]
        )
        gmvs = [*gene_sets, *extra_node_names(chosen.extra_nodes)]
        if (chosen.encoder, chosen.decoder) == ("deep", "deep"):
            gmvs = [f"LATENT_{i + 1}" for i in range(len(gmvs))]
        self._build((genes, gmvs, list(map(str, batches))), annotation, chosen, seed)

    def _build(
        self, names: Sequence[list[str]], annotation: np.ndarray, settings: ModelSettings, seed: int
    ) -> None:
        self.genes, self.gmvs, self.batches = names
        self.annotation, self.settings, self.seed = annotation, settings, int(seed)
        self.training: dict[str, Any] = {}
        self.target_sum: float | None = None
        self.history = pd.DataFrame(columns=["train_loss", "validation_loss"])
        with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.module = VEGAModule(annotation, settings, max(1, len(self.batches)))

    @classmethod
    def from_description(cls, description: Mapping[str, Any], annotation: np.ndarray) -> Self:
        """Return an untrained model from what `describe` returns and its annotation, K x genes."""
        model = cls.__new__(cls)
        names = [list(description[kind]) for kind in ("genes", "gmvs", "batches")]
        settings = read_settings(ModelSettings, description["settings"])
        model._build(names, annotation, settings, description["seed"])
        model.training = dict(description["training"])
        model.target_sum = description.get("target_sum")
        return model

    def describe(self) -> dict[str, Any]:
        """Return everything about the model but its weights, as plain data."""
        last = self.history.iloc[-1].to_dict() if len(self.history) else {}
        losses = {name: None if math.isnan(loss) else loss for name, loss in last.items()}
        return {
            "settings": asdict(self.settings),
            "batches": self.batches,
            "seed": self.seed,
            "training": self.training,
            "target_sum": self.target_sum,
            "losses": {"epochs": len(self.history), **losses},
            "versions": io.versions(),
            "gmvs": self.gmvs,
            "genes": self.genes,
        }

    def fit(
        self,
        adata: AnnData,
        *,
        batch_key: str | None = None,
        validation: np.ndarray | None = None,
        device: str = "auto",
        checkpoint: Path | str | None = None,
        checkpoint_every: int = 10,
        progress: bool = True,
        log: Callable[[str], None] | None = None,
        **settings: Any,
    ) -> pd.DataFrame:
        """Learn from expression, until the losses stop falling.

        Parameters
        ----------
        adata
            Cells; `X` (or `layer`) holds the genes of the model, in any order, log-normalised or as
            counts. If the file was opened with `backed="r"`, `X` is read some cells at a time; so
            is a layer given as `anndata.io.sparse_dataset(file["layers/counts"])`. anndata loads
            all other layers when it opens a file.
        batch_key
            Column of `obs` with the batch, for a model with batches.
        validation
            Boolean, one per cell: which cells are not trained on but validate; by default a random
            share.
        device
            `auto` takes a GPU where there is one.
        checkpoint
            File from which an interrupted training resumes. It is kept after training, so that the
            same call returns the same model at once; it may be removed when the model is saved.
        checkpoint_every
            Epochs from one checkpoint to the next.
        progress
            Whether to show a progress bar.
        log
            Called with a line on the losses after each checkpoint, for jobs without a terminal.
        **settings
            See `settings.TrainSettings`; the defaults are the published ones.

        Returns
        -------
        Losses per cell (error of the likelihood + beta * KL), one row per epoch; no validation
        loss where all cells are trained on.

        Raises
        ------
        ValueError
            If `adata` lacks genes of the model, holds values that are not finite, has unknown
            batches or too few cells, if a setting, `validation` or `batch_key` is not valid, or if
            the loss stops being finite.
        """
        target = resolve_device(device)
        chosen = read_settings(TrainSettings, {"seed": self.seed, **settings})
        chosen = replace(chosen, precision=resolve_precision(chosen.precision, target))
        state = train(
            self.module,
            self._cells(adata, self._batch_labels(adata, batch_key)),
            chosen,
            target,
            None if validation is None else np.asarray(validation),
            Path(checkpoint) if checkpoint else None,
            checkpoint_every,
            progress,
            log,
        )
        target_sum = adata.uns.get("normalisation", {}).get("target_sum")
        self.target_sum = None if target_sum is None else float(target_sum)
        self.history = pd.DataFrame(
            state.losses,
            columns=["train_loss", "validation_loss"],
            index=pd.RangeIndex(1, len(state.losses) + 1, name="epoch"),
        )
        self.training = {
            **asdict(chosen),
            "n_cells": int(adata.n_obs),
            "device": str(target),
            "threads": torch.get_num_threads(),
            "early_stopped": state.stopped,
            "seconds": round(state.seconds, 3),
        }
        return self.history

    def posterior(self, adata: AnnData, batch_size: int = 4096) -> Posterior:
        """Return mean and variance of each cell's GMV activities, each cells x K, float32."""
        cells = self._cells(adata)
        device = next(self.module.parameters()).device
        self.module.eval()
        shape = len(cells), len(self.gmvs)
        posterior = Posterior(np.empty(shape, np.float32), np.empty(shape, np.float32))
        start = 0
        with torch.no_grad():
            for x, _ in cells.minibatches(np.arange(len(cells)), batch_size):
                seen = self.module.likelihood.transform(as_input(x, device))
                mean, log_variance = self.module.encoder(seen)
                part = slice(start, start + len(mean))
                posterior.mean[part] = mean.cpu().numpy()
                posterior.variance[part] = log_variance.exp().cpu().numpy()
                start = part.stop
        return posterior

    def embed(self, adata: AnnData) -> np.ndarray:
        """Return the GMV activities of each cell: the posterior mean, cells x K."""
        return self.posterior(adata).mean

    def latent(self, adata: AnnData) -> AnnData:
        """Return the cells by their GMVs, as scanpy and `vega.plot` take them.

        Returns
        -------
        Cells x K: `X` the posterior mean, `layers["variance"]` its variance, `obs` that of `adata`.
        """
        posterior = self.posterior(adata)
        return AnnData(
            posterior.mean,
            obs=adata.obs.copy(),
            var=pd.DataFrame(index=pd.Index(self.gmvs, name="gmv")),
            layers={"variance": posterior.variance},
        )

    def decode(
        self, activities: np.ndarray, batch: str | None = None, library: float = 1e4
    ) -> np.ndarray:
        """Return the expected expression (cells x genes) of given activities (cells x K).

        Log-normalised, or counts of cells with `library` counts in all. `batch` is the batch to
        decode into; None is the first.
        """
        device = next(self.module.parameters()).device
        z = torch.as_tensor(np.asarray(activities, dtype=np.float32)).to(device)
        label = self.batches.index(batch) if batch is not None else 0
        labels = torch.full((len(z),), label, device=device)
        self.module.eval()
        with torch.no_grad():
            decoded = self.module.decoder(z, labels)
            return self.module.likelihood.mean(decoded, library).cpu().numpy()

    def weights(self) -> pd.DataFrame:
        """Return decoder weights, genes x K; zero where a gene is not in a GMV's set.

        Raises
        ------
        ValueError
            If the decoder is not linear.
        """
        if not isinstance(self.module.decoder, LinearDecoder):
            raise InputError("a deep decoder has no weights of single latent variables")
        weight = self.module.decoder.dense_weight().detach().cpu().numpy()
        return pd.DataFrame(weight, index=self.genes, columns=self.gmvs)

    def differential_activity(
        self,
        adata: AnnData,
        groupby: str,
        groups: Any = "all",
        reference: Any = "rest",
        *,
        within: Mapping[str, Any] | None = None,
        by: str | None = None,
        method: str = "exact",
        seed: int | None = None,
        bayes_factor: float = 3.0,
        fdr: float | None = None,
        min_difference: float = 0.0,
    ) -> pd.DataFrame:
        """Compare the GMV activities of groups of cells.

        Parameters
        ----------
        adata
            Cells, as `embed` takes them.
        groupby
            Column of `obs` whose values are the groups. Cells without a value are in none.
        groups
            A value, several, or `"all"` values but the reference. Numbers may be given as text.
        reference
            The value to compare each group with; `"rest"` or None is all other cells.
        within
            Only cells with these values: a value or several, by column of `obs`.
        by
            Column of `obs` for whose values each comparison is made apart.
        method
            `exact` (all pairs of cells and their whole posterior), `monte_carlo` (random pairs, as
            published) or `rank` (all pairs of one sample per cell).
        seed
            Of what is drawn; by default that of the model.
        bayes_factor, fdr, min_difference
            What counts as significant, see `differential.differential_activity`.

        Returns
        -------
        One row per comparison and GMV, those of a comparison by |log Bayes factor|: `comparison`
        (its name), `group`, `reference`, with `by` its value, `gmv`, the numbers of cells `n_group`
        and `n_reference`, and the columns of `differential.differential_activity`.

        Raises
        ------
        ValueError
            If a column is missing, or a group or its reference has no cell.

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> table = model.differential_activity(adata, "cell_type")
        >>> highest = table.loc[table.groupby("group")["difference"].idxmax()]
        >>> dict(zip(highest["group"], highest["gmv"]))
        {'B': 'B cells', 'T': 'T cells'}
        >>> table = model.differential_activity(
        ...     adata, "condition", "stimulated", "control", by="cell_type", fdr=0.05
        ... )
        >>> table.groupby("by")["gmv"].first().to_dict()
        {'B': 'Interferon', 'T': 'Interferon'}
        """
        from vega.comparisons import REST, comparisons, labels_of
        from vega.differential import compare

        if reference == REST:
            if REST in labels_of(adata.obs, groupby).cat.categories:
                raise InputError(
                    f"{groupby} has a value {REST!r}, which also means all other cells; give "
                    "reference=None for these, or rename the value"
                )
            reference = None
        several = isinstance(groups, list | tuple | set | np.ndarray | pd.Index)
        chosen = None if isinstance(groups, str) and groups == "all" else groups
        chosen = chosen if several or chosen is None else [groups]
        asked = list(comparisons(adata.obs, groupby, chosen, reference, within, by))
        if not asked:
            raise InputError(f"no value of {by} has cells of a group and of its reference")
        tables = compare(
            self.posterior(adata),
            [(each.side == 1, each.side == -1) for each in asked],
            self.gmvs,
            method,
            self.seed if seed is None else seed,
            bayes_factor=bayes_factor,
            fdr=fdr,
            min_difference=min_difference,
        )
        rows = []
        for each, table in zip(asked, tables, strict=True):
            name = f"{each.group} vs {each.reference}"
            about = {"comparison": name, "group": each.group, "reference": each.reference}
            if each.part is not None:
                about = {**about, "comparison": f"{each.part}: {name}", "by": each.part}
            n = {
                f"n_{k}": int((each.side == s).sum()) for k, s in (("group", 1), ("reference", -1))
            }
            frame = table.reset_index()
            for column, value in reversed({**about, "gmv": frame.pop("gmv"), **n}.items()):
                frame.insert(0, column, value)
            rows.append(frame)
        return pd.concat(rows, ignore_index=True)

    def save(self, folder: Path | str) -> None:
        """Write the model to a folder; `vega.load` reads it back.

        The files are `weights.safetensors`, `history.tsv` and `model.json`, which holds names of
        genes and GMVs, settings, device, versions and losses, and the files' checksums.
        """
        weights, description = self.module.state_dict(), self.describe()
        io.write_model(Path(folder), weights, self.annotation, self.history, description)

    def _cells(self, adata: AnnData, batch: np.ndarray | None = None) -> Data:
        """Return the cells of `adata`, in memory or on disk, with the genes of the model.

        Batch labels are 0 by default.
        """
        where = None
        if not adata.var_names.equals(pd.Index(self.genes)):
            if not adata.var_names.is_unique:
                raise InputError("gene names are not unique; call adata.var_names_make_unique()")
            where = adata.var_names.get_indexer(self.genes)
            if (where < 0).any():
                missing = [g for g, i in zip(self.genes, where, strict=True) if i < 0]
                raise InputError(
                    f"{len(missing)} of the model's {len(self.genes)} genes are not in the data, "
                    f"such as {', '.join(missing[:3])}; add them as zeros if they were not seen"
                )
        labels = np.zeros(adata.n_obs, dtype=np.int64) if batch is None else batch
        layer = self.settings.layer
        if layer is not None and layer not in adata.layers:
            there = ", ".join(layers_of(adata)) or "none"
            raise InputError(f"the model reads the layer {layer!r} of the data; there is {there}")
        if not adata.is_view:  # anndata reads a view into memory
            stored = adata.X if layer is None else adata.layers[layer]
            if isinstance(stored, CSCDataset):
                raise InputError(
                    f"{stored.group.file.filename}: {layer or 'X'} is stored gene by gene, so that "
                    "its cells cannot be read one by one; write it as a CSR matrix"
                )
            if isinstance(stored, CSRDataset | h5py.Dataset):
                file = stored.file if isinstance(stored, h5py.Dataset) else stored.group.file
                return BackedData(stored, where, labels, Path(file.filename))
        cells = adata if where is None else adata[:, where]
        return InMemoryData(cells.X if layer is None else cells.layers[layer], labels)

    def _batch_labels(self, adata: AnnData, batch_key: str | None) -> np.ndarray:
        if batch_key is None and len(self.batches) < 2:
            return np.zeros(adata.n_obs, dtype=np.int64)
        if not self.batches:
            raise InputError(
                f"batch_key {batch_key!r} is given, but the model has no batches; build it with "
                f"VEGA(..., batches=adata.obs[{batch_key!r}].unique()), or leave batch_key out"
            )
        if batch_key is None or batch_key not in adata.obs:
            raise InputError(f"the model has batches: name their column of obs, got {batch_key!r}")
        labels = pd.Index(self.batches).get_indexer(adata.obs[batch_key].astype(str))
        if (labels < 0).any():
            unknown = adata.obs[batch_key][labels < 0].iloc[0]
            raise InputError(
                f"obs[{batch_key!r}] has the batch {unknown!r}, which is not among the model's: "
                f"{', '.join(self.batches)}"
            )
        return labels.astype(np.int64)


def load(folder: Path | str) -> VEGA:
    """Read a model written by `VEGA.save`; it computes on the CPU until it is moved.

    Raises
    ------
    ValueError
        If the folder does not hold one whole model, saying which file is at fault.
    """
    tensors, annotation, history, description = io.read_model(Path(folder))
    with read_errors(folder, io.FITTING, AGAIN):
        model = VEGA.from_description(description, annotation)
        model.module.load_state_dict(tensors)
    model.history = history
    return model


def extra_node_names(n: int) -> list[str]:
    """Return the names of `n` latent variables that reach all genes."""
    return [f"{EXTRA_NODE}{i + 1}" for i in range(n)]


def resolve_device(device: str = "auto") -> torch.device:
    """Return the device meant by `auto`, `cpu`, `cuda` or `mps`; refuse one that is not there."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        device = next(name for name, found in available.items() if found)
    if not available.get(device.split(":")[0], False):
        raise InputError(f"device {device!r} is not there; use auto or cpu")
    return torch.device(device)
