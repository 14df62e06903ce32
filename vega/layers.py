"""The building blocks of VEGA: an encoder, and a linear decoder that only sees its gene sets."""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from vega.sparse import Pattern, SparseMatrix, squared_error

# A decoder with a smaller share of weights is computed from these alone on a CPU. Real ones have
# less than one in a hundred; one of nearly all weights is faster as an ordinary product.
SPARSE_BELOW = 0.1


def dropout(x: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """`x` with a share `p` of its values at zero and the others scaled to the same mean."""
    if p == 0:
        return x
    if x.device.type == "cpu":
        # Drawing is serial on a CPU: four draws of 16 bits in one number take a fifth of the time.
        numbers = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
        numbers.random_(-(2**63), None, generator=generator)
        draws = numbers.view(torch.int16)[: x.numel()].view(x.shape)
        keep = draws >= round(p * 2**16) - 2**15
    else:
        keep = torch.rand(x.shape, device=x.device, generator=generator) >= p
    return x * keep.to(x.dtype).mul_(1 / (1 - p))


class GeneLinear(nn.Module):
    """A linear layer on the genes of cells, sparse or dense.

    The weights are genes x outputs, the other way round than torch's, so that the product with a
    sparse matrix reads them row by row.
    """

    def __init__(self, n_genes: int, n_outputs: int):
        super().__init__()
        bound = 1 / math.sqrt(n_genes)
        self.weight = nn.Parameter(torch.empty(n_genes, n_outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor | SparseMatrix) -> Tensor:
        """`x`: cells x genes. Gives cells x outputs."""
        return x @ self.weight + self.bias


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
        self.dropout, self.latent_dropout = dropout, latent_dropout
        self.linears = nn.ModuleList([GeneLinear(n_genes, n_hidden)])
        for before, after in pairwise([n_hidden] * n_layers):
            self.linears.append(nn.Linear(before, after))
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(n_hidden, momentum=0.01, eps=1e-3) for _ in self.linears
        )
        self.heads = nn.Linear(n_hidden, 2 * n_latent)  # of means, then of log variances

    def forward(
        self, x: Tensor | SparseMatrix, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """`x`: cells x genes. Gives mean and log variance, each cells x latent variables.

        `generator` draws the dropout, which there is in training only.
        """
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = norm(linear(x)).relu()
            if self.training:
                x = dropout(x, self.dropout, generator)
        latent = self.heads(x).float()
        if self.training:
            latent = dropout(latent, self.latent_dropout, generator)
        mean, log_variance = latent.chunk(2, dim=1)
        return mean, log_variance


class MaskedDecoder(nn.Module):
    """Latent variables to genes, linearly, each through the genes of its set only.

    Only weights inside the mask exist, as one vector. Weights outside would stay at zero and get
    no gradient that matters, since the gradient of a weight does not depend on the others.

    Parameters
    ----------
    mask
        Boolean, latent variables x genes: where there is a weight.
    positive
        Whether weights are kept >= 0, so that a higher activity always means more expression. The
        bias and the batch weights are free.
    n_batches
        With more than one, a one-hot batch label is appended to the latent variables, through
        weights of its own that are dense and of either sign.

    Attributes
    ----------
    weight
        One value per true entry of the mask, gene by gene.
    genes, gmvs
        Gene and latent variable of each weight.
    """

    def __init__(self, mask: np.ndarray, positive: bool = True, n_batches: int = 1):
        super().__init__()
        genes, gmvs = np.nonzero(mask.T)
        self._wire(genes, gmvs, mask.shape[::-1])
        bound = 1 / math.sqrt(len(mask))
        self.positive = positive
        self.n_batches = n_batches
        self.weight = nn.Parameter(torch.empty(len(genes)).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(mask.shape[1]).uniform_(-bound, bound))
        if n_batches > 1:
            self.batch_weight = nn.Parameter(
                torch.empty(mask.shape[1], n_batches).uniform_(-bound, bound)
            )
        self.constrain()

    def _wire(self, genes: np.ndarray, gmvs: np.ndarray, shape: tuple[int, int]) -> None:
        """Where the weights stand: genes in ascending order, as `np.nonzero` gives them."""
        self.register_buffer("genes", torch.from_numpy(genes.astype(np.int32)))
        self.register_buffer("gmvs", torch.from_numpy(gmvs.astype(np.int32)))
        self.shape = shape
        offsets = np.searchsorted(genes, np.arange(shape[0] + 1)).astype(np.int32)
        self.pattern = Pattern(offsets, gmvs.astype(np.int32), shape)
        self.sparse = len(genes) < SPARSE_BELOW * math.prod(shape)

    def forward(self, z: Tensor, batch: Tensor | None = None) -> Tensor:
        """`z`: cells x latent variables; `batch`: integer labels. Gives cells x genes."""
        if self.sparse and z.device.type == "cpu":
            by_gene = SparseMatrix(self.weight, self.pattern) @ z.T
            expression = by_gene.add_(self.bias[:, None]).T
        else:
            expression = nn.functional.linear(z, self.dense_weight(), self.bias).float()
        if self.n_batches > 1:
            expression = expression + self.batch_weight[:, batch].T
        return expression

    def dense_weight(self) -> Tensor:
        """The weights as genes x latent variables, zero outside the mask."""
        where = self.genes.long(), self.gmvs.long()
        return self.weight.new_zeros(self.shape).index_put(where, self.weight)

    @torch.no_grad()
    def constrain(self) -> None:
        """Put the weights back where they may be; to be called after each update."""
        if self.positive:
            self.weight.clamp_(min=0)


class Autoencoder(nn.Module):
    """Encoder, reparametrised sample and decoder of one VEGA model."""

    def __init__(self, encoder: Encoder, decoder: MaskedDecoder, beta: float = 1e-4):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.beta = beta

    def forward(
        self,
        x: Tensor | SparseMatrix,
        batch: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction (cells x genes), mean and log variance of a posterior sample.

        `generator` draws the sample and the dropout; None is torch's global one.
        """
        mean, log_variance = self.encoder(x, generator)
        noise = torch.randn(mean.shape, device=mean.device, generator=generator)
        z = mean + torch.exp(log_variance / 2) * noise
        return self.decoder(z, batch), mean, log_variance

    def loss(
        self,
        x: Tensor | SparseMatrix,
        batch: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Summed squared error + beta * summed KL divergence from N(0, 1), over all cells of `x`.

        The published objective: beta is 1e-4 in most figures and absent from the paper's text
        (erratum 3).
        """
        reconstruction, mean, log_variance = self(x, batch, generator)
        error = squared_error(reconstruction, x)
        divergence = 0.5 * torch.sum(mean.square() + log_variance.exp() - log_variance - 1)
        return error + self.beta * divergence
