"""The VEGA model: gene sets in, GMV activities out."""

import math
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from anndata import AnnData

from vega import io
from vega.covariates import Covariate, covariates_of, design
from vega.data import Data
from vega.description import AGAIN
from vega.errors import InputError
from vega.files import read_errors
from vega.gene_sets import extra_node_names, gene_mask, naming_hint
from vega.inputs import LEAST_COVERAGE, Inputs
from vega.module import LinearDecoder, VEGAModule
from vega.posterior import Posterior
from vega.settings import ModelSettings, TrainSettings, read_settings
from vega.train import train
from vega.trainer import as_input, resolve_precision
from vega.values import check_range

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
    covariates
        In place of batches, columns of `obs` that the decoder is given. Floats are standardised;
        other columns are categories. `encode_covariates=True` gives them to the encoder too.
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
        The total that the counts of each training cell were scaled to before log1p; None if it is
        not known.

    Raises
    ------
    ValueError
        If no gene is in any set, a gene is a duplicate, or a setting is not valid.

    Examples
    --------
    >>> import vega
    >>> adata = vega.examples.log_normalised(vega.examples.counts())
    >>> model = vega.VEGA(
    ...     adata.var_names, vega.examples.GENE_SETS, covariates=adata.obs[["batch"]], n_hidden=16
    ... )
    >>> model
    VEGA: 5 GMVs (1 unannotated), 80 genes, covariates batch; not trained, on cpu
    """

    def __init__(
        self,
        genes: Iterable[str],
        gene_sets: Mapping[str, Sequence[str]],
        *,
        batches: Sequence[str] = (),
        covariates: pd.DataFrame | None = None,
        seed: int = 1,
        **settings: Any,
    ):
        if isinstance(genes, AnnData):
            raise InputError("genes: expected names, found AnnData; give adata.var_names")
        genes = list(map(str, genes))  # of numpy's strings too
        chosen = read_settings(ModelSettings, settings)
        if len(batches) and covariates is not None:
            raise InputError("batches and covariates are given; give the batch as a covariate")
        mask = gene_mask(gene_sets, genes)
        if hint := naming_hint(gene_sets, genes):
            warnings.warn(hint, stacklevel=2)
        kept = mask.sum(axis=1) >= chosen.min_genes_in_data
        if not kept.any():
            raise InputError(
                f"no gene set has {chosen.min_genes_in_data} genes in the data "
                f"(min_genes_in_data); the largest has {mask.sum(axis=1).max()}"
            )
        annotation = np.vstack([mask[kept], np.ones((chosen.extra_nodes, len(genes)), dtype=bool)])
        gmvs = [str(name) for name, stays in zip(gene_sets, kept, strict=True) if stays]
        gmvs += extra_node_names(chosen.extra_nodes)
        if (chosen.encoder, chosen.decoder) == ("deep", "deep"):
            gmvs = [f"LATENT_{i + 1}" for i in range(len(gmvs))]
        self.genes, self.gmvs, self.batches = genes, gmvs, list(map(str, batches))
        self.covariates = [] if covariates is None else covariates_of(covariates)
        self._build(annotation, chosen, seed)

    def _build(self, annotation: np.ndarray, settings: ModelSettings, seed: int) -> None:
        self.annotation, self.settings, self.seed = annotation, settings, int(seed)
        self.batch_key: str | None = None
        self.training: dict[str, Any] = {}
        self.target_sum: float | None = None
        self.median_total: float | None = None  # of the training cells, of the model's genes
        self.frozen: dict[str, Any] | None = None  # of `VEGAModule.freeze`
        self.history = pd.DataFrame(columns=["train_loss", "validation_loss"])
        n_covariates = len(self.covariates) or (len(self.batches) if len(self.batches) > 1 else 0)
        with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.module = VEGAModule(annotation, settings, n_covariates)

    @classmethod
    def from_description(cls, description: Mapping[str, Any], annotation: np.ndarray) -> Self:
        """Return an untrained model from what `describe` returns and its annotation, K x genes."""
        model = cls.__new__(cls)
        model.genes, model.gmvs, model.batches = (
            list(description[kind]) for kind in ("genes", "gmvs", "batches")
        )
        model.covariates = [Covariate(*each) for each in description.get("covariates", ())]
        settings = read_settings(ModelSettings, description["settings"])
        model._build(annotation, settings, description["seed"])
        model.training = dict(description["training"])
        for name in ("target_sum", "median_total", "batch_key", "frozen"):
            setattr(model, name, description.get(name))
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
            "median_total": self.median_total,
            "batch_key": self.batch_key,
            "covariates": self.covariates,
            "frozen": self.frozen,
            "losses": {"epochs": len(self.history), **losses},
            "versions": io.versions(),
            "gmvs": self.gmvs,
            "genes": self.genes,
        }

    def __repr__(self) -> str:
        """Return the sizes of the model and whether it is trained, on one line."""
        parts = [
            f"{len(self.gmvs):,} GMVs ({self.settings.extra_nodes} unannotated)",
            f"{len(self.genes):,} genes",
        ]
        if len(self.batches) > 1:
            parts.append(f"{len(self.batches)} batches")
        if self.covariates:
            parts.append("covariates " + ", ".join(dict.fromkeys(c.name for c in self.covariates)))
        state = "not trained"
        if self.training:
            state = f"{len(self.history)} epochs on {self.training['n_cells']:,} cells"
        return f"VEGA: {', '.join(parts)}; {state}, on {self.device}"

    @property
    def device(self) -> torch.device:
        """The device that the model computes on."""
        return next(self.module.parameters()).device

    def to_device(self, device: str = "auto") -> Self:
        """Move the model to a device; `auto` takes a GPU where there is one.

        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> model.to_device("cpu").device
        device(type='cpu')
        """
        self.module.to(resolve_device(device))
        return self

    def fit(
        self,
        adata: AnnData,
        *,
        batch_key: str | None = None,
        target_sum: float | None = None,
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
        target_sum
            The total that counts were scaled to before log1p, to which `embed` scales counts of new
            cells. By default that of `adata.uns["normalisation"]`, or the total of all cells of X
            if it is the same.
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
            If `adata` lacks genes of the model, holds values that are not finite or on another
            scale, has unknown batches or covariates or too few cells, if a setting, `validation`,
            `batch_key`, `target_sum` or `checkpoint_every` is not valid, or if the loss stops being
            finite.

        Examples
        --------
        >>> import vega
        >>> adata = vega.examples.log_normalised(vega.examples.counts())
        >>> model = vega.VEGA(adata.var_names, vega.examples.GENE_SETS, n_hidden=16)
        >>> history = model.fit(adata, max_epochs=3, progress=False)
        >>> history.shape, model.target_sum
        ((3, 2), 1000.0)
        """
        if target_sum is not None and not target_sum > 0:
            raise InputError(f"target_sum: expected a total above 0, found {target_sum:g}")
        target = resolve_device(device)
        chosen = read_settings(TrainSettings, {"seed": self.seed, **settings})
        chosen = replace(chosen, precision=resolve_precision(chosen.precision, target))
        labels = self._labels(adata, batch_key)
        if self.frozen:
            cells = self._query(adata, labels)[0]
            target_sum, median_total = self.target_sum, self.median_total
        else:
            inputs = self._inputs(adata)
            cells = inputs.to_learn_from(labels)
            target_sum, median_total = inputs.total_of_cells(target_sum), inputs.median_total()
        state = train(
            self.module,
            cells,
            chosen,
            target,
            None if validation is None else np.asarray(validation),
            Path(checkpoint) if checkpoint else None,
            checkpoint_every,
            progress,
            log,
        )
        self.target_sum, self.median_total = target_sum, median_total
        self.batch_key = batch_key
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
            "early_stopped": state.stalled(chosen.patience),
            "seconds": round(state.seconds, 3),
        }
        return self.history

    def posterior(
        self, adata: AnnData, batch_size: int = 4096, *, min_coverage: float = LEAST_COVERAGE
    ) -> Posterior:
        """Return mean and variance of each cell's GMV activities, each cells x K, float32.

        See `embed` for what the cells may be.

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> model.posterior(adata).variance.shape
        (240, 5)
        """
        check_range("batch_size", batch_size, 1)
        cells = self._query(adata, self._encoded_labels(adata), min_coverage)[0]
        return self._posterior(cells, batch_size)

    def _posterior(self, cells: Data, batch_size: int = 4096) -> Posterior:
        shape = len(cells), len(self.gmvs)
        posterior = Posterior(np.empty(shape, np.float32), np.empty(shape, np.float32))
        start = 0
        for *_, mean, log_variance in self._encoded(cells, batch_size):
            part = slice(start, start + len(mean))
            posterior.mean[part] = mean.cpu().numpy()
            posterior.variance[part] = log_variance.exp().cpu().numpy()
            start = part.stop
        return posterior

    @torch.no_grad()
    def _encoded(self, cells: Data, batch_size: int) -> Iterator[tuple[Any, ...]]:
        """Yield expression and labels of minibatches, mean and log variance of their posterior."""
        self.module.eval()
        for x, of_cells in cells.minibatches(np.arange(len(cells)), batch_size):
            labels = torch.from_numpy(of_cells).to(self.device)
            yield x, labels, *self.module.encode(as_input(x, self.device), labels)

    def embed(self, adata: AnnData, *, min_coverage: float = LEAST_COVERAGE) -> np.ndarray:
        """Return the GMV activities of cells: the posterior mean, cells x K.

        Parameters
        ----------
        adata
            Cells that the model has learnt from, or others. Genes of the model that they do not
            have count as zero. Counts are log-normalised to the total of the training cells, if
            that is known (`target_sum`); log-normalised cells that all have another total are
            scaled to it. A model that encodes covariates reads them from `obs`.
        min_coverage
            Share of the model's genes that the cells must have.

        Raises
        ------
        ValueError
            If `adata` has fewer of the genes, or values of another scale.

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> model.embed(adata).shape
        (240, 5)
        >>> counts = vega.examples.counts()
        >>> bool(abs(model.embed(counts) - model.embed(adata)).max() < 1e-3)
        True
        """
        return self.posterior(adata, min_coverage=min_coverage).mean

    def latent(self, adata: AnnData, *, min_coverage: float = LEAST_COVERAGE) -> AnnData:
        """Return the cells by their GMVs, as scanpy and `vega.plot` take them.

        Parameters are those of `embed`.

        Returns
        -------
        Cells x K: `X` the posterior mean, `layers["variance"]` its variance, `obs` that of `adata`;
        `uns["vega"]` has the share of the model's genes that were measured (`coverage`), which were
        not (`missing_genes`), and how the cells were scaled (`scaling`).

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> model.latent(vega.examples.counts()).uns["vega"]["scaling"]
        'counts, log-normalised to 1,000 per cell'
        """
        cells, report = self._query(adata, self._encoded_labels(adata), min_coverage)
        posterior = self._posterior(cells)
        return AnnData(
            posterior.mean,
            obs=adata.obs.copy(),
            var=pd.DataFrame(index=pd.Index(self.gmvs, name="gmv")),
            layers={"variance": posterior.variance},
            uns={"vega": report},
        )

    def annotate(self, adata: AnnData, key: str = "vega") -> None:
        """Add the activities of cells and the weights of genes to `adata`.

        The activities are `obsm["X_vega"]`, cells x K; the decoder weights `varm["vega_weights"]`,
        genes x K, zero for genes that the model does not have; names of the GMVs, coverage and
        scaling are in `uns["vega"]`. `key` takes the place of `vega`.

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> model.annotate(adata)
        >>> adata.obsm["X_vega"].shape, adata.varm["vega_weights"].shape
        ((240, 5), (80, 5))
        """
        weights = self.weights().reindex(adata.var_names, fill_value=0)
        latent = self.latent(adata)
        adata.obsm[f"X_{key}"] = latent.X
        adata.varm[f"{key}_weights"] = weights.to_numpy()
        adata.uns[key] = {"gmvs": self.gmvs, **latent.uns["vega"]}

    def cell_losses(self, adata: AnnData) -> pd.DataFrame:
        """Return how well the model describes each cell.

        Returns
        -------
        One row per cell, at the mean of its posterior: `reconstruction` (squared error, or negative
        log likelihood of counts), `kl` (divergence of the posterior from N(0, 1)), and `loss`:
        reconstruction + beta * kl.

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> list(model.cell_losses(adata))
        ['reconstruction', 'kl', 'loss']
        """
        cells = self._query(adata, self._labels(adata, self.batch_key))[0]
        parts = []
        with torch.no_grad():
            for x, labels, mean, log_variance in self._encoded(cells, 1024):
                decoded = self.module.decoder(mean, labels)
                dense = torch.from_numpy(x.toarray()).to(self.device)
                error = self.module.likelihood.loss_of_cells(decoded, dense)
                kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1)
                parts.append(torch.stack([error, kl], dim=1).cpu())
        table = pd.DataFrame(torch.cat(parts).numpy(), adata.obs_names, ["reconstruction", "kl"])
        return table.assign(loss=table["reconstruction"] + self.settings.beta * table["kl"])

    def decode(
        self,
        activities: np.ndarray,
        batch: str | None = None,
        library: float = 1e4,
        *,
        covariates: pd.DataFrame | None = None,
    ) -> np.ndarray:
        """Return the expected expression (cells x genes) of given activities (cells x K).

        Log-normalised, or counts of cells with `library` counts in all. `batch` is the batch to
        decode into; None is the first. A model with covariates needs them, a row per cell. A
        ValueError names an unknown batch, missing covariates or another number of activities.

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> model.decode(model.embed(adata)).shape
        (240, 80)
        """
        z = torch.as_tensor(np.asarray(activities, dtype=np.float32)).to(self.device)
        if z.ndim != 2 or z.shape[1] != len(self.gmvs):
            raise InputError(
                f"decode: expected cells x {len(self.gmvs)} activities, found {tuple(z.shape)}; "
                "give those of embed"
            )
        if self.covariates:
            if covariates is None or len(covariates) != len(z):
                raise InputError("decode: the model has covariates; give them, a row per cell")
            labels = torch.from_numpy(design(covariates, self.covariates)).to(self.device)
        else:
            if batch is not None and batch not in self.batches:
                there = ", ".join(self.batches) or "none; leave out batch="
                raise InputError(f"decode: unknown batch {batch!r}; the model has {there}")
            label = self.batches.index(batch) if batch is not None else 0
            labels = torch.full((len(z),), label, device=self.device)
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

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> bool((model.weights().loc[["ISG15", "MX1"], "B cells"] == 0).all())
        True
        """
        if not isinstance(self.module.decoder, LinearDecoder):
            raise InputError(
                "a deep decoder has no weights of single latent variables; use a model with "
                "another decoder"
            )
        weight = self.module.decoder.dense_weight().detach().cpu().numpy()
        return pd.DataFrame(weight, index=self.genes, columns=self.gmvs)

    def top_genes(self, n: int = 10) -> pd.DataFrame:
        """Return the genes of the largest weights of each GMV.

        Returns
        -------
        At most `n` rows per GMV: `gmv`, `gene`, `rank` (1 is the largest |weight|), `weight`, and
        whether the gene is `in_set`. None for a GMV without weights, or with a deep decoder.

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> genes = model.top_genes(3)
        >>> sorted(genes.loc[genes["gmv"] == "B cells", "gene"].isin(["CD79A", "CD79B", "MS4A1",
        ...     "CD19", "BANK1"]))
        [True, True, True]
        """
        from vega.interpret import top_genes

        return top_genes(self, n)

    def silent_gmvs(self) -> list[str]:
        """Return the GMVs that reach no gene, whose activity says nothing.

        Their sets have no gene in the data, or training has set all their weights to zero.

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> model.silent_gmvs()
        ['Eye']
        """
        from vega.interpret import silent_gmvs

        return silent_gmvs(self)

    def activity(self, adata: AnnData, groupby: str | None = None) -> pd.DataFrame:
        """Return how active and how important each GMV is, of all cells or by group.

        Returns
        -------
        One row per group and GMV: `group`, `gmv`, `n_cells`; `activity`, the mean of the posterior
        means, with the sign that makes more of it mean more expression (of a decoder with signed
        weights, by their sum); `importance`, the mean over cells of the sum over genes of
        |activity x weight|: the expression that the GMV accounts for, of either sign.

        Raises
        ------
        ValueError
            If the decoder is not linear.

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> table = model.activity(adata, "cell_type").pivot(index="gmv", columns="group")
        >>> bool(table.loc["B cells", ("activity", "B")] > table.loc["B cells", ("activity", "T")])
        True
        """
        from vega.interpret import activity

        return activity(self, adata, groupby)

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
        from vega.differential import compare_groups

        return compare_groups(
            self.posterior(adata),
            adata.obs,
            self.gmvs,
            groupby,
            groups,
            reference,
            within=within,
            by=by,
            method=method,
            seed=self.seed if seed is None else seed,
            bayes_factor=bayes_factor,
            fdr=fdr,
            min_difference=min_difference,
        )

    def extend(
        self, adata: AnnData, batch_key: str | None = None, *, extra_nodes: int = 0
    ) -> "VEGA":
        """Return a model of new cells that keeps all that this one has learnt.

        Its new parts are what `fit` trains, on the new cells alone: the effect of each new batch on
        the expression of genes, without which the encoder sees the cells, and the new latent
        variables. All else is frozen, so that activities of cells that this model knows do not
        change (architecture surgery, Lotfollahi et al., Nature Biotechnology 2022). A difference of
        a batch that GMVs can express is taken for biology and stays in the activities.

        Parameters
        ----------
        adata
            The new cells. Categories of the model's covariates that are new are added.
        batch_key
            Column of `obs` with the batch, for a model without covariates. If the model has no
            batches, its training cells are the batch `reference`.
        extra_nodes
            New latent variables that reach all genes.

        Raises
        ------
        ValueError
            If there is nothing new, or encoder or decoder are of another kind.

        Examples
        --------
        >>> import vega
        >>> model, adata = vega.examples.trained_model()
        >>> new = vega.examples.log_normalised(vega.examples.counts(seed=2))
        >>> new.obs["study"] = "new"
        >>> extended = model.extend(new, "study", extra_nodes=1)
        >>> history = extended.fit(new, batch_key="study", max_epochs=2, progress=False)
        >>> extended
        VEGA: 6 GMVs (2 unannotated), 80 genes, 2 batches; 2 epochs on 240 cells, on cpu
        """
        from vega.surgery import extended

        return extended(self, adata, batch_key, extra_nodes)

    def save(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write the model to a folder; `vega.load` reads it back.

        The files are `weights.safetensors`, `history.tsv` and `model.json`, which holds names of
        genes and GMVs, settings, device, versions and losses, and the files' checksums. A model
        that is there already is an error, unless `overwrite`. See `load` for an example.
        """
        folder = Path(folder)
        if not overwrite and (folder / "model.json").exists():
            raise InputError(f"{folder}: there is a model already; give overwrite=True")
        weights, description = self.module.state_dict(), self.describe()
        io.write_model(folder, weights, self.annotation, self.history, description)

    def _inputs(self, adata: AnnData) -> Inputs:
        counts = self.settings.likelihood == "negative_binomial"
        return Inputs(adata, self.genes, self.settings.layer, counts)

    def _query(
        self, adata: AnnData, labels: np.ndarray, min_coverage: float = LEAST_COVERAGE
    ) -> tuple[Data, dict[str, Any]]:
        """Return cells to embed, and how they were made to fit the model."""
        inputs = self._inputs(adata)
        return inputs.to_embed(labels, self.target_sum, self.median_total, min_coverage)

    def _encoded_labels(self, adata: AnnData) -> np.ndarray:
        """Return what the encoder is given of batches and covariates; zeros if that is nothing."""
        if self.settings.encode_covariates or self.module.corrected_from is not None:
            return self._labels(adata, self.batch_key)
        return np.zeros(adata.n_obs, dtype=np.int64)

    def _labels(self, adata: AnnData, batch_key: str | None) -> np.ndarray:
        """Return the batch label of each cell, or its covariates."""
        if self.covariates:
            return design(adata.obs, self.covariates)
        if batch_key is None and len(self.batches) < 2:
            return np.zeros(adata.n_obs, dtype=np.int64)
        if not self.batches:
            raise InputError(
                f"batch_key {batch_key!r} is given, but the model has no batches; build it with "
                f"VEGA(..., batches=adata.obs[{batch_key!r}].unique()), or leave batch_key out"
            )
        if batch_key is None or batch_key not in adata.obs:
            raise InputError(
                f"the model has batches: name their column of obs, got {batch_key!r}; give "
                "batch_key="
            )
        labels = pd.Index(self.batches).get_indexer(adata.obs[batch_key].astype(str))
        if (labels < 0).any():
            unknown = adata.obs[batch_key][labels < 0].iloc[0]
            raise InputError(
                f"obs[{batch_key!r}] has the batch {unknown!r}, which is not among the model's: "
                f"{', '.join(self.batches)}; VEGA.extend adds new ones"
            )
        return labels.astype(np.int64)


def load(folder: Path | str) -> VEGA:
    """Read a model written by `VEGA.save`; it computes on the CPU until it is moved.

    Raises
    ------
    ValueError
        If the folder does not hold one whole model, saying which file is at fault.

    Examples
    --------
    >>> import tempfile, vega
    >>> model, adata = vega.examples.trained_model()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(folder)
    ...     same = vega.load(folder)
    >>> bool((same.embed(adata) == model.embed(adata)).all())
    True
    """
    tensors, annotation, history, description = io.read_model(Path(folder))
    with read_errors(folder, io.FITTING, AGAIN):
        model = VEGA.from_description(description, annotation)
        model.module.load_state_dict(tensors)
    if model.frozen:
        model.module.freeze(**model.frozen)
    model.history = history
    return model


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
