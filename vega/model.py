"""The VEGA model, as one uses it: gene sets in, GMV activities out."""

import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from anndata.abc import CSCDataset, CSRDataset

from vega import io
from vega.autoencoder import Autoencoder
from vega.cells import Cells, CellsInMemory, CellsOnDisk
from vega.decoders import LinearDecoder, build_decoder
from vega.description import plain
from vega.encoders import Shape, build_encoder
from vega.epochs import as_input, resolve_precision
from vega.errors import InputError
from vega.gene_sets import EXTRA_NODE, gene_mask
from vega.likelihoods import build_likelihood
from vega.posterior import Posterior
from vega.train import TrainSettings, train
from vega.values import layers_of

NAMED = 10  # values of a column that an error names at most
# torch draws initial weights from its one generator, which threads share.
_GLOBAL_GENERATOR = threading.Lock()


class VEGA:
    """A variational autoencoder whose latent variables are gene module variables (GMVs).

    By default the decoder is one linear layer in which each GMV reaches only the genes of its set,
    with weights that are kept non-negative (Seninge et al. 2021, Fig. 1a and Methods). The paper's
    variants are other choices of the parts `encoder`, `decoder` and `likelihood`.

    Parameters
    ----------
    genes
        Names of the G genes of the data, each once.
    gene_sets
        Genes by set name, such as `read_gmt` gives; one GMV each, also where no gene is shared.
    extra_nodes
        Fully connected latent variables for what no gene set explains.
    batches
        Names of the batches; with more than one, the decoder (not the encoder) sees the batch.
    encoder
        `deep`; or, seeing the genes of each set only, `masked` (with ReLU) or `masked_linear`
        (with weights >= 0), see `encoders`.
    decoder
        `masked`; `binary` (weights of 1 that never change); `soft` (weights outside the sets at a
        price); or `deep`, see `decoders`. Where neither encoder nor decoder knows the sets, the
        latent variables are named `LATENT_1`, ...
    likelihood
        `gaussian`, of log-normalised expression; or `negative_binomial`, of counts.
    layer
        Layer of `adata` that holds the expression; None is `X`.
    n_hidden, n_layers, dropout, latent_dropout, norm_momentum, norm_epsilon, positive_start
        See `encoders.Shape`.
    beta
        Weight of the KL divergence.
    positive, bias
        Whether the decoder's weights of GMVs are kept >= 0, and whether it has a bias.
    penalty, penalty_step
        Of the soft decoder, see `decoders.SoftDecoder`.
    seed
        Of the initial weights, and the default of `fit`.

    Attributes
    ----------
    gmvs
        Names of the K latent variables: the gene sets, then `UNANNOTATED_1`, ...
    annotation
        Boolean, K x genes: which genes are in the set of which variable.
    module
        The network (`autoencoder.Autoencoder`).
    history
        Losses per cell, one row per epoch.
    target_sum
        The total that the counts of each training cell were scaled to before log1p, which `fit`
        takes from `adata.uns["normalisation"]["target_sum"]`; None if it is not there.

    Raises
    ------
    ValueError
        If no gene is in any set, a gene is named twice, or there is no such part.
    """

    def __init__(
        self,
        genes: Iterable[str],
        gene_sets: Mapping[str, Sequence[str]],
        *,
        extra_nodes: int = 1,
        batches: Sequence[str] = (),
        encoder: str = "deep",
        decoder: str = "masked",
        likelihood: str = "gaussian",
        layer: str | None = None,
        n_hidden: int = 800,
        n_layers: int = 2,
        dropout: float = 0.5,
        latent_dropout: float = 0.5,
        norm_momentum: float = 0.01,
        norm_epsilon: float = 1e-3,
        positive_start: str = "clamped",
        beta: float = 1e-4,
        positive: bool = True,
        bias: bool = True,
        penalty: float = 10,
        penalty_step: str = "multiplicative",
        seed: int = 1,
    ):
        genes = list(map(str, genes))  # which may be numpy's
        gene_sets = {str(name): members for name, members in gene_sets.items()}
        annotation = np.vstack(
            [gene_mask(gene_sets, genes), np.ones((extra_nodes, len(genes)), dtype=bool)]
        )
        gmvs = [*gene_sets, *extra_node_names(extra_nodes)]
        if (encoder, decoder) == ("deep", "deep"):
            gmvs = [f"LATENT_{i + 1}" for i in range(len(gmvs))]
        settings = {
            "encoder": encoder,
            "decoder": decoder,
            "likelihood": likelihood,
            "layer": layer,
            "n_hidden": n_hidden,
            "n_layers": n_layers,
            "dropout": dropout,
            "latent_dropout": latent_dropout,
            "norm_momentum": norm_momentum,
            "norm_epsilon": norm_epsilon,
            "positive_start": positive_start,
            "beta": beta,
            "positive": positive,
            "bias": bias,
            "penalty": penalty,
            "penalty_step": penalty_step,
            "seed": seed,
        }
        architecture = {"batches": list(map(str, batches)), **plain(settings)}
        self._build(genes, gmvs, annotation, architecture)

    def _build(
        self,
        genes: list[str],
        gmvs: list[str],
        annotation: np.ndarray,
        architecture: dict[str, Any],
    ) -> None:
        self.genes = genes
        self.gmvs = gmvs
        self.annotation = annotation
        self.architecture = architecture
        self.batches: list[str] = architecture["batches"]
        self.seed: int = architecture["seed"]
        self.training: dict[str, Any] = {}
        self.target_sum: float | None = None
        self.history = pd.DataFrame(columns=["train_loss", "validation_loss"])
        names = [field.name for field in fields(Shape)]
        # Older models were saved without some of these, and have their defaults.
        shape = Shape(**{name: architecture[name] for name in names if name in architecture})
        n_batches = max(1, len(self.batches))
        with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.module = Autoencoder(
                build_encoder(architecture["encoder"], annotation, shape),
                build_decoder(architecture["decoder"], annotation, shape, n_batches, architecture),
                build_likelihood(architecture["likelihood"], len(genes)),
                architecture["beta"],
            )

    @classmethod
    def from_description(cls, description: Mapping[str, Any], annotation: np.ndarray) -> Self:
        """An untrained model of the shape that `describe` told, annotated K x genes."""
        model = cls.__new__(cls)
        model._build(
            list(description["genes"]),
            list(description["gmvs"]),
            annotation,
            dict(description["architecture"]),
        )
        model.training = dict(description["training"])
        model.target_sum = description.get("target_sum")
        return model

    def describe(self) -> dict[str, Any]:
        """Everything about the model but its weights, as plain data."""
        last = self.history.iloc[-1].to_dict() if len(self.history) else {}
        losses = {name: None if math.isnan(loss) else loss for name, loss in last.items()}
        return {
            "architecture": self.architecture,
            "training": self.training,
            "target_sum": self.target_sum,
            "losses": {"epochs": len(self.history), **losses},
            "versions": io.versions(),
            "gmvs": self.gmvs,
            "genes": self.genes,
        }

    # ------------------------------------------------------------------ training

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
            File from which a run that was broken off goes on. It stays when training has ended, and
            gives the same model again at once; whoever has saved the model may remove it.
        checkpoint_every
            Epochs from one checkpoint to the next.
        progress
            Whether to show a progress bar.
        log
            Called with a line on the losses now and then, for where no bar is seen.
        **settings
            See `train.TrainSettings`; the defaults are the published ones.

        Returns
        -------
        Losses per cell (error of the likelihood + beta * KL), one row per epoch; no validation
        loss where all cells are trained on.

        Raises
        ------
        ValueError
            If `adata` lacks genes of the model, holds values that are not finite, has unknown
            batches or too few cells, if a setting is not plain data, if `validation` or `batch_key`
            does not fit, or if the loss stops being finite.
        """
        target = resolve_device(device)
        chosen = replace(TrainSettings(seed=self.seed), **plain(settings))
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

    # ------------------------------------------------------------------ what it says of cells

    def posterior(self, adata: AnnData, batch_size: int = 4096) -> Posterior:
        """Mean and variance of each cell's GMV activities, each cells x K, float32."""
        cells = self._cells(adata)
        device = next(self.module.parameters()).device
        self.module.eval()
        shape = len(cells), len(self.gmvs)
        posterior = Posterior(np.empty(shape, np.float32), np.empty(shape, np.float32))
        with torch.no_grad():
            start = 0
            for x, _ in cells.minibatches(np.arange(len(cells)), batch_size):
                seen = self.module.likelihood.seen(as_input(x, device))
                mean, log_variance = self.module.encoder(seen)
                stop = start + len(mean)
                posterior.mean[start:stop] = mean.cpu().numpy()
                posterior.variance[start:stop] = log_variance.exp().cpu().numpy()
                start = stop
        return posterior

    def embed(self, adata: AnnData) -> np.ndarray:
        """GMV activities of each cell: the posterior mean, cells x K."""
        return self.posterior(adata).mean

    def latent(self, adata: AnnData) -> AnnData:
        """The cells by their GMVs, as scanpy and `vega.plot` take them.

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
        """Expected expression (cells x genes) of given activities (cells x K).

        Log-normalised; of a count model the counts of cells with `library` counts in all. `batch`
        names the batch to decode into; None is the first.
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
        """Decoder weights, genes x K; zero where a gene is not in a GMV's set.

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
        column: str,
        group: str | float,
        reference: str | float | None = None,
        *,
        method: str = "monte_carlo",
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Compare `group` with `reference` of an `obs` column, or with all other cells.

        A value of the column may also be given as text. Cells without a value are on no side.

        See `differential.differential_activity` for the methods and the columns of the result.
        """
        from vega.differential import differential_activity

        if column not in adata.obs:
            raise InputError(
                f"obs has no column {column!r}; it has {', '.join(map(str, adata.obs.columns))}"
            )
        labels = adata.obs[column].convert_dtypes()  # integers stay such beside missing values
        chosen = _having(labels, group)
        if reference is None:
            others = labels.notna().to_numpy() & ~chosen
            if not others.any():
                raise InputError(f"all cells have {column} {group}; there is no other to compare")
        else:
            others = _having(labels, reference)
        posterior = self.posterior(adata)
        return differential_activity(
            posterior[chosen], posterior[others], self.gmvs, method=method, seed=seed
        )

    def save(self, folder: Path | str) -> None:
        """Write the model to a folder; `vega.load` reads it back."""
        io.save(self, folder)

    # ------------------------------------------------------------------ checks

    def _cells(self, adata: AnnData, batch: np.ndarray | None = None) -> Cells:
        """The model's genes of `adata`, in the model's order, and batch labels, by default all 0.

        In memory as in `adata`, or where they are on disk.
        """
        where = None
        if not adata.var_names.equals(pd.Index(self.genes)):
            where = adata.var_names.get_indexer(self.genes) if adata.var_names.is_unique else None
            if where is None:
                raise InputError("gene names are not unique; call adata.var_names_make_unique()")
            if (where < 0).any():
                missing = [g for g, i in zip(self.genes, where, strict=True) if i < 0]
                raise InputError(
                    f"{len(missing)} of the model's {len(self.genes)} genes are not in the data, "
                    f"such as {', '.join(missing[:3])}; add them as zeros if they were not seen"
                )
        labels = np.zeros(adata.n_obs, dtype=np.int64) if batch is None else batch
        layer = self.architecture["layer"]
        if layer is not None and layer not in adata.layers:
            there = ", ".join(layers_of(adata)) or "none"
            raise InputError(f"the model reads the layer {layer!r} of the data; there is {there}")
        if not adata.is_view:  # of which anndata reads the cells into memory
            stored = adata.X if layer is None else adata.layers[layer]
            if isinstance(stored, CSCDataset):
                raise InputError(
                    f"{stored.group.file.filename}: {layer or 'X'} is stored gene by gene, so that "
                    "its cells cannot be read one by one; write it as a CSR matrix"
                )
            if isinstance(stored, CSRDataset | h5py.Dataset):
                file = stored.file if isinstance(stored, h5py.Dataset) else stored.group.file
                return CellsOnDisk(stored, where, labels, Path(file.filename))
        cells = adata if where is None else adata[:, where]
        return CellsInMemory(cells.X if layer is None else cells.layers[layer], labels)

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


def _having(labels: pd.Series, value: str | float) -> np.ndarray:
    """Which cells have a value, or else one that is written like it."""
    for equal in (labels == value, labels.astype(str) == str(value)):
        cells = equal.fillna(False).to_numpy(dtype=bool) & labels.notna().to_numpy()
        if cells.any():
            return cells
    there = sorted(map(str, labels.dropna().unique()))
    more = f" and {len(there) - NAMED} more" if len(there) > NAMED else ""
    raise InputError(
        f"no cell has {labels.name} {value}; there are {', '.join(there[:NAMED]) or 'none'}{more}"
    )


def extra_node_names(n: int) -> list[str]:
    """Names of `n` latent variables that reach all genes."""
    return [f"{EXTRA_NODE}{i + 1}" for i in range(n)]


def resolve_device(device: str = "auto") -> torch.device:
    """The device meant by `auto`, `cpu`, `cuda` or `mps`.

    Raises
    ------
    ValueError
        If a GPU is asked for by name and there is none.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        device = next(name for name, found in there.items() if found)
    if not there.get(device.split(":")[0], False):
        raise InputError(f"device {device!r} is not there; use auto or cpu")
    return torch.device(device)
