"""intercode (Rybakov et al. 2020), the regularised autoencoder in Fig. S9."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from anndata import AnnData

from scripts.train.baselines.embedded import Columns, method
from scripts.train.baselines.inputs import cells_alone, check_last_minibatch, on_gpu
from scripts.train.baselines.printed import printed
from vega.errors import InputError
from vega.gene_sets import extra_node_names, gene_mask

if TYPE_CHECKING:
    from intercode import Intercode

# As in Fig. S9, and with as many extra nodes as VEGA.
EXTRA_NODES, DROPOUT = 1, 0.5
LAMBDA0, LAMBDA1, LAMBDA3 = 0.1, 0.93, 0.57

# "Epoch: 0 -- total train loss:  565.1983=564.4453+0.7531"
LOSS = re.compile(r"Epoch: \d+ .* loss: +(\S+?)=")


@method("intercode", "torch")
def intercode(
    adata: AnnData,
    gene_sets: Mapping[str, Sequence[str]],
    *,
    seed: int,
    max_epochs: int,
    extra_nodes: int = EXTRA_NODES,
    n_hidden: int = 800,
    dropout: float = DROPOUT,
    learning_rate: float = 1e-4,
    batch_size: int = 128,
    lambda0: float = LAMBDA0,
    lambda1: float = LAMBDA1,
    lambda3: float = LAMBDA3,
    device: str = "auto",
) -> Columns:
    """Return codes of the encoder, one column per gene set, then `UNANNOTATED_1`, ...

    `extra_nodes` are its dense terms, `lambda0` the weight of the squared codes, `lambda1` that of
    decoder weights outside the sets, `lambda3` that of each term's norm. It trains on all cells.
    The cells are dense in memory, and again a few times when it evaluates after each epoch.
    """
    import torch

    model = untrained(
        adata, gene_sets, extra_nodes=extra_nodes, n_hidden=n_hidden, dropout=dropout,
        batch_size=batch_size, device=device,
    )  # fmt: skip
    with printed() as lines:
        model.train(
            learning_rate, batch_size, max_epochs,
            l2_reg_lambda0=lambda0, lambda1=lambda1, lambda3=lambda3,
        )  # fmt: skip
    losses = [float(found[1]) for found in map(LOSS.match, lines) if found]
    if not np.isfinite(losses).all():
        raise InputError(
            f"the loss is not finite after {len(losses)} epochs; choose a smaller learning_rate"
        )
    model.model.eval()
    with torch.no_grad():
        activity = model.encode(model.adata.X)
    facts = {
        "device": next(model.model.parameters()).device.type,
        "epochs": len(losses),
        "losses": {"train": losses},
        "inactive_terms": model.model.decoder.n_inactive_terms(),
    }
    return activity, [*gene_sets, *extra_node_names(extra_nodes)], facts


def untrained(
    adata: AnnData,
    gene_sets: Mapping[str, Sequence[str]],
    *,
    n_hidden: int,
    batch_size: int,
    device: str,
    extra_nodes: int = EXTRA_NODES,
    dropout: float = DROPOUT,
) -> "Intercode":
    """Return the package's model of these cells; torch's global generator draws its weights."""
    from intercode import Intercode

    check_last_minibatch(adata.n_obs, batch_size)
    cells = cells_alone(adata)
    cells.X = cells.X.toarray()
    cells.varm["I"] = gene_mask(gene_sets, adata.var_names).T.astype(np.int32)
    cells.uns["terms"] = list(gene_sets)
    return Intercode(
        cells, n_dense=extra_nodes, use_cuda=on_gpu(device), mid_layers_size=n_hidden,
        dropout_rate=dropout,
    )  # fmt: skip
