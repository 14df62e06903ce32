"""The network: an encoder, a posterior sample, a decoder and a likelihood.

Encoders return mean and log variance of the posterior, each cells x latent variables. Decoders map
latent variables to the expression of genes; all but the deep one are a single linear layer, so that
a latent variable is the activity of its gene set. The annotation is boolean, latent variables x
genes: which genes are in the set of which variable. `generator` draws dropout and samples; None is
torch's global one.
"""

from typing import Self

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
    shift_of,
    start_nonnegative,
    uniform,
)
from vega.settings import ModelSettings
from vega.sparse import Expression, SparseMatrix, squared_error


class VEGAModule(nn.Module):
    """A variational autoencoder; the decoder is given the covariates of a cell, if there are any.

    These are an integer label for each cell, of its batch, or cells x covariates.
    """

    def __init__(self, annotation: np.ndarray, settings: ModelSettings, n_covariates: int = 0):
        super().__init__()
        if settings.encode_covariates and not (n_covariates and settings.encoder == "deep"):
            raise InputError(
                "encode_covariates needs a deep encoder, and covariates or at least two batches; "
                "leave it out, or give these"
            )
        if settings.encoder == "deep":
            self.encoder = DeepEncoder(annotation, settings, n_covariates)
        else:
            self.encoder = MaskedEncoder(annotation, settings)
        match settings.decoder:
            case "soft":
                self.decoder = SoftDecoder(annotation, settings, n_covariates)
            case "deep":
                if n_covariates:
                    raise InputError(
                        "a deep decoder has no batch nodes; leave out the batches and covariates"
                    )
                self.decoder = DeepDecoder(annotation, settings)
            case _:
                self.decoder = MaskedDecoder(annotation, settings, n_covariates)
        gaussian = settings.likelihood == "gaussian"
        self.likelihood = Gaussian() if gaussian else NegativeBinomial(annotation.shape[1])
        self.beta = settings.beta
        # A tensor, so that a step recorded on a GPU reads its current value.
        self.register_buffer("kl_weight", torch.tensor(float(self.beta)), persistent=False)
        # Set by `freeze`; of most models nothing is frozen.
        self.kept = nn.ModuleList()
        self.corrected_from: int | None = None

    def anneal(self, epoch: int, n_epochs: int) -> None:
        """Set the weight of the KL divergence, which rises from 0 to `beta` in `n_epochs`."""
        share = min(1.0, epoch / n_epochs) if n_epochs else 1.0
        self.kl_weight.fill_(share * self.beta)

    def encode(
        self, x: Expression, batch: Tensor | None = None, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the posterior, each cells x latent variables.

        Of cells of a new batch, the encoder sees the expression without what the decoder adds to it
        for that batch.
        """
        x = self.likelihood.transform(x)
        if self.corrected_from is None:
            return self.encoder(x, generator, batch)
        added = self.decoder.batch_weight[:, self.corrected_from :]
        shift = -(self.encoder.hidden.linears[0].weight.T @ added).float()
        known = shift.new_zeros(len(shift), self.corrected_from)
        return self.encoder(x, generator, batch, shift_of(torch.cat([known, shift], 1), batch))

    def forward(
        self, x: Expression, batch: Tensor | None = None, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return decoded values (cells x genes), mean and log variance of a posterior sample."""
        mean, log_variance = self.encode(x, batch, generator)
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
        for part in self.kept:
            part.restore(self.get_parameter(part.name))

    def train(self, mode: bool = True) -> Self:
        """Set the mode; hidden layers that are frozen are as in evaluation in both."""
        super().train(mode)
        if len(self.kept):
            self.encoder.hidden.eval()
        return self

    def freeze(self, n_latent: int, n_covariates: int, corrected_from: int | None) -> None:
        """Train from now on only what the first latent variables and covariates do not use.

        The encoder sees expression without the effects of the covariates from `corrected_from` on;
        None is none of them.
        """
        self.corrected_from = corrected_from
        for name, parameter in self.named_parameters():
            known = self.known(name, n_latent, n_covariates)
            if known.all():
                parameter.requires_grad_(False)
            else:
                self.kept.append(Kept(name, parameter, known))

    def known(self, name: str, n_latent: int, n_covariates: int) -> Tensor:
        """Return which entries of a parameter the first latent variables and covariates use."""
        weight = self.get_parameter(name)
        known = torch.ones_like(weight, dtype=torch.bool)
        if name.startswith("encoder.heads."):
            n = len(weight) // 2
            known[torch.arange(len(weight)) % n >= n_latent] = False
        elif name == "decoder.batch_weight":
            known[:, n_covariates:] = False
        elif name == "decoder.weights.weight":
            known = self.decoder.weights.inputs < n_latent
        elif name == "decoder.weights":
            known[:, n_latent:] = False
        return known


class Kept(nn.Module):
    """Entries of a parameter that no update changes.

    Without a gradient they would still change by weight decay and the momentum of Adam.
    """

    def __init__(self, name: str, weight: Tensor, where: Tensor):
        super().__init__()
        self.name = name
        self.register_buffer("where", where, persistent=False)
        self.register_buffer("values", weight.detach().clone(), persistent=False)

    @torch.no_grad()
    def restore(self, weight: Tensor) -> None:
        """Set the entries to what they were."""
        weight.copy_(torch.where(self.where, self.values, weight))


class DeepEncoder(nn.Module):
    """Hidden layers, then a linear head each for mean and log variance: VEGA (paper, Methods)."""

    def __init__(self, annotation: np.ndarray, settings: ModelSettings, n_covariates: int = 0):
        super().__init__()
        n_latent, n_genes = annotation.shape
        self.latent_dropout = settings.latent_dropout
        self.hidden = Hidden(GeneLinear(n_genes, settings.n_hidden), settings)
        self.heads = nn.Linear(settings.n_hidden, 2 * n_latent)  # of means, then of log variances
        self.covariate_weight = None
        if settings.encode_covariates:
            self.covariate_weight = uniform(n_genes, settings.n_hidden, n_covariates)

    def forward(
        self,
        x: Expression,
        generator: Generator | None = None,
        batch: Tensor | None = None,
        shift: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return mean and log variance, each cells x latent variables, of `x` (cells x genes).

        `shift` is added to the outputs of the first linear part.
        """
        if self.covariate_weight is not None:
            of_covariates = shift_of(self.covariate_weight, batch)
            shift = of_covariates if shift is None else shift + of_covariates
        latent = self.heads(self.hidden(x, generator, shift)).float()
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

    def forward(
        self, x: Expression, generator: Generator | None = None, batch: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """See `DeepEncoder.forward`; the batch is not used."""
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
    """Weights (genes x latent variables), a bias, and dense weights of covariates.

    With `nonnegative` the weights are kept >= 0, so that a higher activity always means more
    expression; the bias and the weights of covariates are free.
    """

    def __init__(
        self, weights: nn.Parameter | MaskedWeights, settings: ModelSettings, n_covariates: int
    ):
        super().__init__()
        n_genes, n_latent = weights.shape
        self.weights = weights
        self.nonnegative = settings.nonnegative
        self.bias = uniform(n_latent, n_genes) if settings.bias else None
        self.batch_weight = uniform(n_latent, n_genes, n_covariates) if n_covariates else None
        if self.nonnegative:
            values = weights.weight if isinstance(weights, MaskedWeights) else weights
            start_nonnegative(values, settings.nonnegative_start)

    def forward(
        self, z: Tensor, batch: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return cells x genes, of `z` (cells x latent variables) and the covariates."""
        expression = self.product(z)
        if self.batch_weight is not None:
            expression = expression + shift_of(self.batch_weight, batch)
        return expression


class MaskedDecoder(LinearDecoder):
    """Each latent variable reaches the genes of its set only: VEGA (paper, Fig. 1a and Methods).

    The weights of a `binary` decoder are 1 and, like its bias, not learnt (Fig. S3).
    """

    def __init__(self, annotation: np.ndarray, settings: ModelSettings, n_covariates: int = 0):
        super().__init__(MaskedWeights(annotation.T), settings, n_covariates)
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

    def __init__(self, annotation: np.ndarray, settings: ModelSettings, n_covariates: int = 0):
        super().__init__(uniform(len(annotation), *annotation.T.shape), settings, n_covariates)
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

    def loss_of_cells(self, decoded: Tensor, x: Tensor) -> Tensor:
        """Return the squared error of each cell, of `x` dense."""
        return (decoded - x).square().sum(dim=1)

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

    def loss_of_cells(self, decoded: Tensor, x: Tensor) -> Tensor:
        """Return the negative log likelihood of each cell, of `x` dense."""
        log_mean = decoded.log_softmax(dim=1) + x.sum(dim=1, keepdim=True).log()
        theta = self.log_dispersion.exp()
        logits = log_mean - self.log_dispersion
        return -torch.distributions.NegativeBinomial(theta, logits=logits).log_prob(x).sum(dim=1)

    def mean(self, decoded: Tensor, library: float) -> Tensor:
        """Return the expected counts of cells with `library` counts in all, cells x genes."""
        return library * decoded.softmax(dim=1)
