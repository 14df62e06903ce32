"""Decoders: from latent variables to the expression of genes.

All but the deep one are a single linear layer, which is what makes a latent variable the activity
of its gene set.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vega.encoders import Shape
from vega.errors import InputError
from vega.layers import Hidden, MaskedWeights, start_positive, uniform


class LinearDecoder(nn.Module):
    """What linear decoders share: a bias, and weights for batches.

    Parameters
    ----------
    weights
        Those of the latent variables: a parameter, genes x latent variables, or `MaskedWeights`.
    positive
        Whether these are kept >= 0, so that a higher activity always means more expression. The
        bias and the batch weights are free.
    bias
        Whether there is one.
    n_batches
        With more than one, a one-hot batch label is appended to the latent variables, through
        weights of its own that are dense and of either sign.
    """

    def __init__(
        self, weights: nn.Parameter | MaskedWeights, positive: bool, bias: bool, n_batches: int
    ):
        super().__init__()
        n_genes, n_latent = weights.shape
        self.weights = weights
        self.positive = positive
        self.n_batches = n_batches
        bound = initial_bound(n_latent)
        self.bias = uniform(bound, n_genes) if bias else None
        if n_batches > 1:
            self.batch_weight = uniform(bound, n_genes, n_batches)

    def forward(
        self, z: Tensor, batch: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """`z`: cells x latent variables; `batch`: integer labels. Gives cells x genes."""
        expression = self.product(z)
        if self.n_batches > 1:
            expression = expression + self.batch_weight[:, batch].T
        return expression


def initial_bound(n_latent: int) -> float:
    """Bound of the initial weights of a linear decoder."""
    return 1 / math.sqrt(n_latent)


class MaskedDecoder(LinearDecoder):
    """Each latent variable reaches the genes of its set only: VEGA (paper, Fig. 1a and Methods).

    Parameters
    ----------
    annotation
        Boolean, latent variables x genes: which genes are in the set of which variable.
    positive, bias, n_batches
        See `LinearDecoder`.
    positive_start
        See `encoders.Shape`.
    frozen
        Whether weights are 1 and, like the bias, never change: the binary decoder of Fig. S3.
    """

    def __init__(
        self,
        annotation: np.ndarray,
        positive: bool = True,
        bias: bool = True,
        n_batches: int = 1,
        positive_start: str = "clamped",
        frozen: bool = False,
    ):
        weights = MaskedWeights(annotation.T, initial_bound(len(annotation)))
        super().__init__(weights, positive, bias, n_batches)
        if positive:
            start_positive(weights.weight, positive_start)
        if frozen:
            nn.init.ones_(weights.weight)
            self.requires_grad_(False)

    def product(self, z: Tensor) -> Tensor:
        """Expression from the latent variables alone."""
        return self.weights(z, self.bias)

    def dense_weight(self) -> Tensor:
        """The weights as genes x latent variables, zero outside the annotation."""
        return self.weights.dense()

    @torch.no_grad()
    def constrain(self, learning_rate: float = 0) -> None:
        """Put the weights back where they may be; to be called after each update."""
        if self.positive:
            self.weights.weight.clamp_(min=0)


class SoftDecoder(LinearDecoder):
    """Every latent variable may reach every gene, at a price outside its set (paper, Fig. S10).

    The price is an L1 penalty, paid after each update in one of two ways.

    Parameters
    ----------
    annotation, positive, bias, n_batches, positive_start
        See `MaskedDecoder`.
    penalty
        The weight of the penalty, lambda.
    step
        With t = `penalty` x learning rate: `multiplicative` takes min(t, t |w|) off each weight, as
        the code behind the published figure did (erratum 9); `soft_threshold` takes off t, down to
        zero, which is the proximal step of an L1 penalty.
    """

    def __init__(
        self,
        annotation: np.ndarray,
        positive: bool = True,
        bias: bool = True,
        n_batches: int = 1,
        positive_start: str = "clamped",
        penalty: float = 10,
        step: str = "multiplicative",
    ):
        weights = uniform(initial_bound(len(annotation)), *annotation.shape[::-1])
        super().__init__(weights, positive, bias, n_batches)
        if step not in ("multiplicative", "soft_threshold"):
            raise InputError(f"penalty_step {step!r} is neither multiplicative nor soft_threshold")
        self.register_buffer("outside", torch.from_numpy(~annotation.T), persistent=False)
        self.penalty, self.step = penalty, step
        if positive:
            start_positive(weights, positive_start)

    def product(self, z: Tensor) -> Tensor:
        """See `MaskedDecoder`."""
        return nn.functional.linear(z, self.weights, self.bias).float()

    def dense_weight(self) -> Tensor:
        """The weights as genes x latent variables."""
        return self.weights

    @torch.no_grad()
    def constrain(self, learning_rate: float = 0) -> None:
        """Pay the penalty of one update, and put the weights back where they may be."""
        if self.positive:
            self.weights.clamp_(min=0)
        most = self.penalty * learning_rate
        if most == 0:
            return
        size = self.weights.abs()
        off = size.clamp(max=1).mul_(most) if self.step == "multiplicative" else most
        shrunk = (size - off).clamp_(min=0).copysign_(self.weights)
        torch.where(self.outside, shrunk, self.weights, out=self.weights)


class DeepDecoder(nn.Module):
    """Hidden layers, then a linear one: the decoder of an ordinary autoencoder (paper, Fig. S1)."""

    def __init__(self, annotation: np.ndarray, shape: Shape):
        super().__init__()
        n_latent, n_genes = annotation.shape
        first = nn.Linear(n_latent, shape.n_hidden)
        self.hidden = Hidden(first, shape.n_hidden, shape.n_layers, shape.dropout, shape.batch_norm)
        self.output = nn.Linear(shape.n_hidden, n_genes)

    def forward(
        self, z: Tensor, batch: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """`z`: cells x latent variables. Gives cells x genes."""
        hidden = self.hidden(z, generator)
        # In memory gene by gene, as the loss reads it.
        by_gene = self.output.weight @ hidden.T
        return by_gene.float().add_(self.output.bias[:, None]).T

    def constrain(self, learning_rate: float = 0) -> None:
        """All weights are free."""


def build_decoder(
    kind: str, annotation: np.ndarray, shape: Shape, n_batches: int, options: Mapping[str, Any]
) -> nn.Module:
    """The decoder of a kind: `masked`, `binary`, `soft` or `deep`.

    Parameters
    ----------
    kind
        Which.
    annotation, shape, n_batches
        See the classes.
    options
        `positive`, `bias`, `penalty` and `penalty_step`, of which each takes what it knows.

    Raises
    ------
    ValueError
        If there is no such decoder, or it cannot have batches.
    """
    linear = {
        "positive": options["positive"],
        "bias": options["bias"],
        "n_batches": n_batches,
        "positive_start": shape.positive_start,
    }
    if kind in ("masked", "binary"):
        return MaskedDecoder(annotation, **linear, frozen=kind == "binary")
    if kind == "soft":
        penalty = {"penalty": options["penalty"], "step": options["penalty_step"]}
        return SoftDecoder(annotation, **linear, **penalty)
    if kind != "deep":
        raise InputError(f"decoder {kind!r} is not one of masked, binary, soft, deep")
    if n_batches > 1:
        raise InputError("a deep decoder has no batch nodes; leave out the batches")
    return DeepDecoder(annotation, shape)
