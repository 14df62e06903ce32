"""Linear scVI (Svensson et al. 2020), the model with a linear decoder in Fig. S2."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from anndata import AnnData

from scripts.common.progress import Throttle
from scripts.common.run import log
from scripts.train.baselines.embedded import Columns, method
from scripts.train.baselines.inputs import cells_alone, check_last_minibatch, on_gpu
from scripts.train.baselines.printed import printed


@method("scvi-tools", "torch")
def linear_scvi(
    adata: AnnData,
    gene_sets: Mapping[str, Sequence[str]],
    *,
    seed: int,
    batch_key: str | None = None,
    extra_nodes: int = 3,
    n_hidden: int = 800,
    n_layers: int = 2,
    dropout: float = 0.2,
    learning_rate: float = 5e-4,
    batch_size: int = 128,
    max_epochs: int = 300,
    patience: int = 20,
    train_fraction: float = 0.8,
    device: str = "auto",
) -> Columns:
    """Return the posterior mean of linear scVI on `layers["counts"]`: `LATENT_1`, ...

    It has as many latent variables as VEGA would: one per gene set and `extra_nodes`. `patience`
    counts epochs without a better ELBO of the validation cells.
    """
    cells = cells_alone(adata, "counts", [batch_key] if batch_key else [])
    check_last_minibatch(math.ceil(train_fraction * adata.n_obs), batch_size)
    accelerator = "gpu" if on_gpu(device) else "cpu"
    n_latent = len(gene_sets) + extra_nodes
    throttle = Throttle()

    def log_epoch(trainer: Any, _module: Any) -> None:
        if throttle.due():
            log.info("epoch %d of at most %d", trainer.current_epoch + 1, trainer.max_epochs)

    with quiet_scvi(seed) as scvi:
        from lightning.pytorch.callbacks import LambdaCallback

        scvi.model.LinearSCVI.setup_anndata(cells, batch_key=batch_key)
        model = scvi.model.LinearSCVI(
            cells, n_hidden=n_hidden, n_latent=n_latent, n_layers=n_layers, dropout_rate=dropout,
            gene_likelihood="nb",
        )  # fmt: skip
        model.train(
            max_epochs=max_epochs, accelerator=accelerator, devices=1, train_size=train_fraction,
            batch_size=batch_size, plan_kwargs={"lr": learning_rate}, early_stopping=True,
            early_stopping_patience=patience, enable_progress_bar=False,
            callbacks=[LambdaCallback(on_train_epoch_end=log_epoch)],
        )  # fmt: skip
        activity = model.get_latent_representation()
    losses = {
        part: model.history[f"elbo_{part}"].iloc[:, 0].astype(float).tolist()
        for part in ("train", "validation")
    }
    facts = {"device": model.device.type, "epochs": len(losses["train"]), "losses": losses}
    return activity, [f"LATENT_{i + 1}" for i in range(n_latent)], facts


@contextmanager
def quiet_scvi(seed: int) -> Iterator[ModuleType]:
    """Import scvi-tools with a seed, which also splits the cells, and without its messages."""
    import scvi

    # Lightning warns of what is chosen here on purpose.
    with warnings.catch_warnings(), printed("scvi", "lightning.pytorch", "lightning.fabric"):
        warnings.filterwarnings("ignore", module=r"lightning\.")
        try:
            scvi.settings.seed = seed
            yield scvi
        finally:
            scvi.settings.seed = None
