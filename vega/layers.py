"""The building blocks of VEGA: an encoder, and a linear decoder that only sees its gene sets."""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn


class Encoder(nn.Module):
    """Cells to the mean and log variance of each latent variable (paper, Methods).

    Parameters
    ----------
    n_genes, n_latent
        Width of the input and of both outputs.
    n_hidden, n_layers
        Width and number of the hidden layers: linear, batch norm, ReLU, dropout.
    dropout
        Of the hidden layers.
    latent_dropout
        Of the mean and of the log variance, each on its own. Survivors are scaled; a dropped log
        variance is 0, which makes that standard deviation 1.
    """

    def __init__(
        self,
        n_genes: int,
        n_latent: int,
        n_hidden: int = 800,
        n_layers: int = 2,
        dropout: float = 0.5,
        latent_dropout: float = 0.5,
    ):
        super().__init__()
        widths = [n_genes, *[n_hidden] * n_layers]
        self.hidden = nn.Sequential()
        for before, after in pairwise(widths):
            self.hidden.append(nn.Linear(before, after))
            self.hidden.append(nn.BatchNorm1d(after, momentum=0.01, eps=1e-3))
            self.hidden.append(nn.ReLU())
            self.hidden.append(nn.Dropout(dropout))
        self.mean = nn.Linear(n_hidden, n_latent)
        self.log_variance = nn.Linear(n_hidden, n_latent)
        self.latent_dropout = nn.Dropout(latent_dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`x`: cells x genes. Gives mean and log variance, each cells x latent variables."""
        hidden = self.hidden(x)
        return (
            self.latent_dropout(self.mean(hidden)),
            self.latent_dropout(self.log_variance(hidden)),
        )


class MaskedDecoder(nn.Module):
    """Latent variables to genes, linearly, each through the genes of its set only.

    The weights outside the mask are kept at zero by `constrain` after each update rather than
    multiplied away in each forward pass: the gradient of a weight does not depend on the others,
    so both train the same weights, and this does a third of the work.

    Parameters
    ----------
    mask
        Boolean, latent variables x genes: where a weight may be other than zero.
    positive
        Whether these weights are kept >= 0, so that a higher activity always means more
        expression. The bias and the batch weights are free.
    n_batches
        With more than one, a one-hot batch label is appended to the latent variables, through
        weights of its own that are dense and of either sign.
    """

    def __init__(self, mask: np.ndarray, positive: bool = True, n_batches: int = 1):
        super().__init__()
        n_latent, n_genes = mask.shape
        self.positive = positive
        self.n_batches = n_batches
        bound = 1 / math.sqrt(n_latent)
        self.register_buffer("mask", torch.from_numpy(np.ascontiguousarray(mask.T)))
        self.weight = nn.Parameter(torch.empty(n_genes, n_latent).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_genes).uniform_(-bound, bound))
        if n_batches > 1:
            self.batch_weight = nn.Parameter(
                torch.empty(n_genes, n_batches).uniform_(-bound, bound)
            )
        self.constrain()

    def forward(self, z: Tensor, batch: Tensor | None = None) -> Tensor:
        """`z`: cells x latent variables; `batch`: integer labels. Gives cells x genes."""
        expression = nn.functional.linear(z, self.weight, self.bias)
        if self.n_batches > 1:
            expression = expression + self.batch_weight.T[batch]
        return expression

    @torch.no_grad()
    def constrain(self) -> None:
        """Put the weights back where they may be; to be called after each update."""
        if self.positive:
            self.weight.clamp_(min=0)
        self.weight.mul_(self.mask)


class Autoencoder(nn.Module):
    """Encoder, reparametrised sample and decoder of one VEGA model."""

    def __init__(self, encoder: Encoder, decoder: MaskedDecoder, beta: float = 1e-4):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.beta = beta

    def forward(self, x: Tensor, batch: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction (cells x genes), mean and log variance of a posterior sample."""
        mean, log_variance = self.encoder(x)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        return self.decoder(z, batch), mean, log_variance

    def loss(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        """Summed squared error + beta * summed KL divergence from N(0, 1), over all cells of `x`.

        The published objective: beta is 1e-4 in most figures and absent from the paper's text
        (erratum 3).
        """
        reconstruction, mean, log_variance = self(x, batch)
        squared_error = nn.functional.mse_loss(reconstruction, x, reduction="sum")
        divergence = 0.5 * torch.sum(mean.square() + log_variance.exp() - log_variance - 1)
        return squared_error + self.beta * divergence
