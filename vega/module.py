"""The network: an encoder, a posterior sample, a decoder and a likelihood.

Encoders return mean and log variance of the posterior, each cells x latent variables. Decoders map
latent variables to the expression of genes; all but the deep one are a single linear layer, so that
a latent variable is the activity of its gene set. The annotation is boolean, latent variables x
genes: which genes are in the set of which variable. `generator` draws dropout and samples; None is
torch's global one.
"""

import numpy as np
import torch
from torch import Generator, Tensor, nn

from vega.errors import InputError
from vega.layers import (
    GeneLinear,
    Hidden,
    MaskedWeights,
    batch_norm,
    dropout,
    start_nonnegative,
    uniform,
)
from vega.settings import ModelSettings
from vega.sparse import Expression, SparseMatrix, squared_error


class VEGAModule(nn.Module):
    """A variational autoencoder; with several batches, the decoder is given the batch."""

    def __init__(self, annotation: np.ndarray, settings: ModelSettings, n_batches: int = 1):
        super().__init__()
        if settings.encoder == "deep":
            self.encoder = DeepEncoder(annotation, settings)
        else:
            self.encoder = MaskedEncoder(annotation, settings)
        match settings.decoder:
            case "soft":
                self.decoder = SoftDecoder(annotation, settings, n_batches)
            case "deep":
                if n_batches > 1:
                    raise InputError("a deep decoder has no batch nodes; leave out the batches")
                self.decoder = DeepDecoder(annotation, settings)
            case _:
                self.decoder = MaskedDecoder(annotation, settings, n_batches)
        gaussian = settings.likelihood == "gaussian"
        self.likelihood = Gaussian() if gaussian else NegativeBinomial(annotation.shape[1])
        self.beta = settings.beta
        # A tensor, so that a step recorded on a GPU reads its current value.
        self.register_buffer("kl_weight", torch.tensor(float(self.beta)), persistent=False)

    def anneal(self, epoch: int, n_epochs: int) -> None:
        """Set the weight of the KL divergence, which rises from 0 to `beta` in `n_epochs`."""
        share = min(1.0, epoch / n_epochs) if n_epochs else 1.0
        self.kl_weight.fill_(share * self.beta)

    def forward(
        self, x: Expression, batch: Tensor | None = None, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return decoded values (cells x genes), mean and log variance of a posterior sample."""
        mean, log_variance = self.encoder(self.likelihood.transform(x), generator)
        noise = torch.randn(mean.shape, device=mean.device, generator=generator)
        z = mean + torch.exp(log_variance / 2) * noise
        return self.decoder(z, batch, generator), mean, log_variance

    def loss(
        self, x: Expression, batch: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return reconstruction loss + beta * KL divergence from N(0, 1), summed over the cells.

        As published; the paper's text has no beta (erratum 3).
        """
        decoded, mean, log_variance = self(x, batch, generator)
        reconstruction = self.likelihood.loss(decoded, x)
        divergence = 0.5 * torch.sum(mean.square() + log_variance.exp() - log_variance - 1)
        return reconstruction + self.kl_weight * divergence

    def project(self, learning_rate: float) -> None:
        """Apply the constraints on the weights; called after each update."""
        self.encoder.project()
        self.decoder.project(learning_rate)


class DeepEncoder(nn.Module):
    """Hidden layers, then a linear head each for mean and log variance: VEGA (paper, Methods)."""

    def __init__(self, annotation: np.ndarray, settings: ModelSettings):
        super().__init__()
        n_latent, n_genes = annotation.shape
        self.latent_dropout = settings.latent_dropout
        self.hidden = Hidden(GeneLinear(n_genes, settings.n_hidden), settings)
        self.heads = nn.Linear(settings.n_hidden, 2 * n_latent)  # of means, then of log variances

    def forward(self, x: Expression, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and log variance, each cells x latent variables, of `x` (cells x genes)."""
        latent = self.heads(self.hidden(x, generator)).float()
        if self.training:
            latent = dropout(latent, self.latent_dropout, generator)
        return latent.chunk(2, dim=1)

    def project(self) -> None:
        """No constraint."""


class MaskedEncoder(nn.Module):
    """One linear layer in which a latent variable sees the genes of its set only (paper, Fig. S1).

    `masked`, as published with a sparse decoder: signed weights, then batch norm and ReLU.
    `masked_linear`, as published with a deep decoder: weights that are kept >= 0, nothing else.
    """

    def __init__(self, annotation: np.ndarray, settings: ModelSettings):
        super().__init__()
        n_latent, n_genes = annotation.shape
        self.latent_dropout = settings.latent_dropout
        # To means, then log variances.
        self.weights = MaskedWeights(np.vstack([annotation, annotation]))
        self.bias = uniform(n_genes, 2 * n_latent)
        rectified = settings.encoder == "masked"
        self.norm = batch_norm(2 * n_latent, settings) if rectified else None
        if not rectified:
            start_nonnegative(self.weights.weight, settings.nonnegative_start)

    def forward(self, x: Expression, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """See `DeepEncoder.forward`."""
        dense = x.by_column().to_dense().T if isinstance(x, SparseMatrix) else x
        latent = self.weights(dense, self.bias)
        if self.norm is not None:
            latent = self.norm(latent).relu()
        if self.training:
            latent = dropout(latent, self.latent_dropout, generator)
        return latent.chunk(2, dim=1)

    @torch.no_grad()
    def project(self) -> None:
        """Set negative weights to 0, where weights are kept >= 0."""
        if self.norm is None:
            self.weights.weight.clamp_(min=0)


class LinearDecoder(nn.Module):
    """Weights (genes x latent variables), a bias, and dense weights for several batches.

    With `nonnegative` the weights are kept >= 0, so that a higher activity always means more
    expression; the bias and the batch weights are free.
    """

    def __init__(
        self, weights: nn.Parameter | MaskedWeights, settings: ModelSettings, n_batches: int
    ):
        super().__init__()
        n_genes, n_latent = weights.shape
        self.weights = weights
        self.nonnegative = settings.nonnegative
        self.n_batches = n_batches
        self.bias = uniform(n_latent, n_genes) if settings.bias else None
        if n_batches > 1:
            self.batch_weight = uniform(n_latent, n_genes, n_batches)
        if self.nonnegative:
            values = weights.weight if isinstance(weights, MaskedWeights) else weights
            start_nonnegative(values, settings.nonnegative_start)

    def forward(
        self, z: Tensor, batch: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return cells x genes, of `z` (cells x latent variables) and integer batch labels."""
        expression = self.product(z)
        if self.n_batches > 1:
            expression = expression + self.batch_weight[:, batch].T
        return expression


class MaskedDecoder(LinearDecoder):
    """Each latent variable reaches the genes of its set only: VEGA (paper, Fig. 1a and Methods).

    The weights of a `binary` decoder are 1 and, like its bias, not learnt (Fig. S3).
    """

    def __init__(self, annotation: np.ndarray, settings: ModelSettings, n_batches: int = 1):
        super().__init__(MaskedWeights(annotation.T), settings, n_batches)
        if settings.decoder == "binary":
            nn.init.ones_(self.weights.weight)
            self.requires_grad_(False)

    def product(self, z: Tensor) -> Tensor:
        """Return the expression from the latent variables alone."""
        return self.weights(z, self.bias)

    def dense_weight(self) -> Tensor:
        """Return the weights as genes x latent variables, zero outside the annotation."""
        return self.weights.dense()

    @torch.no_grad()
    def project(self, learning_rate: float = 0) -> None:
        """Set negative weights to 0, where weights are kept >= 0."""
        if self.nonnegative:
            self.weights.weight.clamp_(min=0)


class SoftDecoder(LinearDecoder):
    """Every latent variable may reach every gene, with an L1 penalty outside its set (Fig. S10)."""

    def __init__(self, annotation: np.ndarray, settings: ModelSettings, n_batches: int = 1):
        super().__init__(uniform(len(annotation), *annotation.T.shape), settings, n_batches)
        self.register_buffer("outside", torch.from_numpy(~annotation.T), persistent=False)
        self.l1_lambda, self.l1_update = settings.l1_lambda, settings.l1_update

    def product(self, z: Tensor) -> Tensor:
        """See `MaskedDecoder`."""
        return nn.functional.linear(z, self.weights, self.bias).float()

    def dense_weight(self) -> Tensor:
        """Return the weights as genes x latent variables."""
        return self.weights

    @torch.no_grad()
    def project(self, learning_rate: float = 0) -> None:
        """Apply the sign constraint and the penalty of one update (`ModelSettings.l1_update`)."""
        if self.nonnegative:
            self.weights.clamp_(min=0)
        most = self.l1_lambda * learning_rate
        if most == 0:
            return
        size = self.weights.abs()
        off = size.clamp(max=1).mul_(most) if self.l1_update == "multiplicative" else most
        shrunk = (size - off).clamp_(min=0).copysign_(self.weights)
        torch.where(self.outside, shrunk, self.weights, out=self.weights)


class DeepDecoder(nn.Module):
    """Hidden layers, then a linear one: the decoder of an ordinary autoencoder (paper, Fig. S1)."""

    def __init__(self, annotation: np.ndarray, settings: ModelSettings):
        super().__init__()
        n_latent, n_genes = annotation.shape
        self.hidden = Hidden(nn.Linear(n_latent, settings.n_hidden), settings)
        self.output = nn.Linear(settings.n_hidden, n_genes)

    def forward(
        self, z: Tensor, batch: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return cells x genes, of `z` (cells x latent variables)."""
        hidden = self.hidden(z, generator)
        # Gene by gene in memory, as the loss reads it.
        by_gene = self.output.weight @ hidden.T
        return by_gene.float().add_(self.output.bias[:, None]).T

    def project(self, learning_rate: float = 0) -> None:
        """No constraint."""


class Gaussian(nn.Module):
    """Decoded values are the log-normalised expression; the loss is the squared error (Methods)."""

    def transform(self, x: Expression) -> Expression:
        """Return the input of the encoder."""
        return x

    def loss(self, decoded: Tensor, x: Expression) -> Tensor:
        """Return the squared error, summed over cells and genes; `decoded` is overwritten."""
        return squared_error(decoded, x)

    def mean(self, decoded: Tensor, library: float) -> Tensor:
        """Return the expected expression, cells x genes."""
        return decoded


class NegativeBinomial(nn.Module):
    """Expression is counts, with variance = mean + mean^2 / theta of each gene (paper, Fig. S8).

    The softmax of decoded values over the genes of a cell is each gene's share of the cell's
    counts; the encoder takes log(1 + counts).
    """

    def __init__(self, n_genes: int):
        super().__init__()
        self.log_dispersion = nn.Parameter(torch.randn(n_genes))  # ln(theta)

    def transform(self, x: Expression) -> Expression:
        """Return the input of the encoder."""
        if isinstance(x, SparseMatrix):
            return SparseMatrix(x.values.log1p(), x.pattern)
        return x.log1p()

    def loss(self, decoded: Tensor, x: Expression) -> Tensor:
        """Return the negative log likelihood, summed over cells and genes."""
        log_theta = self.log_dispersion
        theta = log_theta.exp()
        if isinstance(x, SparseMatrix):
            # Only the counts that are not 0; the rest of the likelihood does not depend on them.
            counts, (cells, genes) = x.values, x.entries()
            library = counts.new_zeros(x.shape[0]).index_add_(0, cells, counts)
        else:
            counts, (cells, genes) = x, (slice(None), slice(None))
            library = x.sum(dim=1)
        log_mean = decoded.log_softmax(dim=1) + library.log()[:, None]
        log_total = torch.logaddexp(log_mean, log_theta)
        everywhere = (theta * (log_theta - log_total)).sum()
        counted = (
            counts * (log_mean - log_total)[cells, genes]
            + torch.lgamma(counts + theta[genes])
            - torch.lgamma(theta)[genes]
            - torch.lgamma(counts + 1)
        ).sum()
        return -(everywhere + counted)

    def mean(self, decoded: Tensor, library: float) -> Tensor:
        """Return the expected counts of cells with `library` counts in all, cells x genes."""
        return library * decoded.softmax(dim=1)
