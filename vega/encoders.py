"""Encoders: from the expression of cells to the posterior of their latent variables.

Each gives mean and log variance, cells x latent variables, and takes the same things: the
annotation (boolean, latent variables x genes), and what `Shape` holds.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vega.errors import InputError
from vega.layers import GeneLinear, Hidden, MaskedWeights, dropout, start_positive, uniform
from vega.sparse import SparseMatrix


@dataclass(frozen=True)
class Shape:
    """Sizes and dropouts that the parts of a model share.

    Attributes
    ----------
    n_hidden, n_layers
        Width and number of hidden layers.
    dropout
        Of the hidden layers.
    latent_dropout
        Of the mean and of the log variance, each on its own. Survivors are scaled; a dropped log
        variance is 0, which makes that standard deviation 1.
    norm_momentum, norm_epsilon
        Of batch norm.
    positive_start
        Initial values of weights that are kept >= 0, of which b bounds the size: `clamped` draws
        from U(-b, b) and sets the negative half to 0; `uniform` draws from U(0, b).
    """

    n_hidden: int = 800
    n_layers: int = 2
    dropout: float = 0.5
    latent_dropout: float = 0.5
    norm_momentum: float = 0.01
    norm_epsilon: float = 1e-3
    positive_start: str = "clamped"

    def batch_norm(self, width: int) -> nn.BatchNorm1d:
        """Return the batch norm of a layer of this width."""
        return nn.BatchNorm1d(width, momentum=self.norm_momentum, eps=self.norm_epsilon)


class DeepEncoder(nn.Module):
    """Hidden layers, then a linear head each for mean and log variance: VEGA (paper, Methods)."""

    def __init__(self, annotation: np.ndarray, shape: Shape):
        super().__init__()
        n_latent, n_genes = annotation.shape
        self.latent_dropout = shape.latent_dropout
        first = GeneLinear(n_genes, shape.n_hidden)
        self.hidden = Hidden(first, shape.n_hidden, shape.n_layers, shape.dropout, shape.batch_norm)
        self.heads = nn.Linear(shape.n_hidden, 2 * n_latent)  # of means, then of log variances

    def forward(
        self, x: Tensor | SparseMatrix, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """`x`: cells x genes. Gives mean and log variance, each cells x latent variables.

        `generator` draws the dropout, which there is in training only.
        """
        latent = self.heads(self.hidden(x, generator)).float()
        if self.training:
            latent = dropout(latent, self.latent_dropout, generator)
        return latent.chunk(2, dim=1)

    def constrain(self) -> None:
        """All weights are free."""


class MaskedEncoder(nn.Module):
    """One linear layer in which a latent variable sees the genes of its set only (paper, Fig. S1).

    With `rectified`, as beside a sparse decoder: signed weights, then batch norm and ReLU. Without,
    as beside a deep decoder: weights that are kept >= 0, and nothing else. Both as published.

    Attributes
    ----------
    weights
        From genes to means, then log variances, of the latent variables.
    """

    def __init__(self, annotation: np.ndarray, shape: Shape, rectified: bool):
        super().__init__()
        n_latent, n_genes = annotation.shape
        self.latent_dropout = shape.latent_dropout
        bound = 1 / math.sqrt(n_genes)
        self.weights = MaskedWeights(np.vstack([annotation, annotation]), bound)
        self.bias = uniform(bound, 2 * n_latent)
        self.norm = shape.batch_norm(2 * n_latent) if rectified else None
        if not rectified:
            start_positive(self.weights.weight, shape.positive_start)

    def forward(
        self, x: Tensor | SparseMatrix, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """See `DeepEncoder.forward`."""
        dense = x.by_column().to_dense().T if isinstance(x, SparseMatrix) else x
        latent = self.weights(dense, self.bias)
        if self.norm is not None:
            latent = self.norm(latent).relu()
        if self.training:
            latent = dropout(latent, self.latent_dropout, generator)
        return latent.chunk(2, dim=1)

    @torch.no_grad()
    def constrain(self) -> None:
        """Put the weights back where they may be; to be called after each update."""
        if self.norm is None:
            self.weights.weight.clamp_(min=0)


def build_encoder(kind: str, annotation: np.ndarray, shape: Shape) -> nn.Module:
    """The encoder of a kind: `deep`, `masked` or `masked_linear`.

    Raises
    ------
    ValueError
        If there is no such encoder.
    """
    if kind == "deep":
        return DeepEncoder(annotation, shape)
    if kind not in ("masked", "masked_linear"):
        raise InputError(f"encoder {kind!r} is not one of deep, masked, masked_linear")
    return MaskedEncoder(annotation, shape, rectified=kind == "masked")
