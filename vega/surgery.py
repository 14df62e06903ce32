"""New batches and latent variables of a trained model, whose other parts stay as they are."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from anndata import AnnData

from vega.covariates import new_categories
from vega.errors import InputError
from vega.gene_sets import extra_node_names

if TYPE_CHECKING:
    from vega.model import VEGA

REFERENCE = "reference"  # the batch of the training cells of a model without batches


def extended(
    model: "VEGA", adata: AnnData, batch_key: str | None = None, extra_nodes: int = 0
) -> "VEGA":
    """Return a model with new parts for new cells; see `VEGA.extend`.

    The effects of new batches start at zero, so that the new cells are first where they would be
    without them.
    """
    settings = model.settings
    if settings.encoder != "deep" or settings.decoder not in ("masked", "soft"):
        raise InputError(
            "extend needs a deep encoder, and a masked or soft decoder, found "
            f"{settings.encoder} and {settings.decoder}; build the model with these"
        )
    batches, covariates = list(model.batches), list(model.covariates)
    if covariates:
        columns = dict.fromkeys(each.name for each in covariates if each.category is not None)
        added = [each for name in columns for each in new_categories(adata.obs, name, covariates)]
        covariates += added
        new = [str(each.category) for each in added]
        n_known = len(model.covariates)
    elif batch_key is not None:
        if batch_key not in adata.obs:
            raise InputError(f"obs has no column {batch_key}; name the one with the batch")
        batches = batches or [REFERENCE]
        new = sorted(set(adata.obs[batch_key].astype(str)) - set(batches))
        n_known = len(batches)
        batches += new
    else:
        new, n_known = [], len(batches) if len(batches) > 1 else 0
    if not new and not extra_nodes:
        raise InputError(
            f"the cells have no batch that is new to the model; it knows "
            f"{', '.join(model.batches) or 'none'}; give batch_key=, or extra_nodes="
        )

    grown = type(model).__new__(type(model))
    grown.genes, grown.batches, grown.covariates = model.genes, batches, covariates
    n_extra = settings.extra_nodes + extra_nodes
    grown.gmvs = [*model.gmvs, *extra_node_names(n_extra)[settings.extra_nodes :]]
    grown._build(
        np.vstack([model.annotation, np.ones((extra_nodes, len(model.genes)), dtype=bool)]),
        replace(settings, extra_nodes=n_extra),
        model.seed,
    )
    grown.target_sum, grown.median_total = model.target_sum, model.median_total
    grown.batch_key = batch_key or model.batch_key
    corrected_from = model.frozen["corrected_from"] if model.frozen else None
    if corrected_from is None and new:
        corrected_from = n_known
    grown.frozen = {
        "n_latent": len(model.gmvs),
        "n_covariates": n_known,
        "corrected_from": corrected_from,
    }
    _copy_weights(model, grown)
    grown.module.freeze(**grown.frozen)
    return grown


@torch.no_grad()
def _copy_weights(model: "VEGA", grown: "VEGA") -> None:
    """Copy what the trained model knows; the effects of new covariates are zero."""
    trained = {name: tensor.cpu() for name, tensor in model.module.state_dict().items()}
    parameters = dict(grown.module.named_parameters())
    n_latent = len(model.gmvs)
    for name, tensor in grown.module.state_dict().items():
        if name in ("encoder.covariate_weight", "decoder.batch_weight"):
            tensor.zero_()
            if name in trained:
                tensor[:, : trained[name].shape[1]] = trained[name]
        elif name in parameters:
            tensor[grown.module.known(name, n_latent, 0)] = trained[name].flatten()
        else:
            tensor.copy_(trained[name])
