"""The network: an encoder, a posterior sample, a decoder and a likelihood."""

import torch
from torch import Tensor, nn

from vega.sparse import SparseMatrix


class Autoencoder(nn.Module):
    """A variational autoencoder composed of its parts.

    Parameters
    ----------
    encoder
        One of `vega.encoders`.
    decoder
        One of `vega.decoders`.
    likelihood
        One of `vega.likelihoods`.
    beta
        Weight of the KL divergence.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, likelihood: nn.Module, beta: float = 1e-4
    ):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.beta = beta
        # A tensor, so that a step recorded on a GPU reads it anew each time.
        self.register_buffer("kl_weight", torch.tensor(float(beta)), persistent=False)

    def anneal(self, epoch: int, warm_up: int) -> None:
        """Set the weight of the KL divergence, which rises to `beta` over the first epochs.

        `epoch` counts from 0, `warm_up` is the first with the whole weight.
        """
        share = min(1.0, epoch / warm_up) if warm_up else 1.0
        self.kl_weight.fill_(share * self.beta)

    def forward(
        self,
        x: Tensor | SparseMatrix,
        batch: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decoded values (cells x genes), mean and log variance of a posterior sample.

        `generator` draws the sample and the dropout; None is torch's global one.
        """
        mean, log_variance = self.encoder(self.likelihood.seen(x), generator)
        noise = torch.randn(mean.shape, device=mean.device, generator=generator)
        z = mean + torch.exp(log_variance / 2) * noise
        return self.decoder(z, batch, generator), mean, log_variance

    def loss(
        self,
        x: Tensor | SparseMatrix,
        batch: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Error of the likelihood + beta * KL divergence from N(0, 1), summed over the cells.

        With a Gaussian likelihood the published objective: beta is 1e-4 in most figures and absent
        from the paper's text (erratum 3).
        """
        decoded, mean, log_variance = self(x, batch, generator)
        error = self.likelihood.error(decoded, x)
        divergence = 0.5 * torch.sum(mean.square() + log_variance.exp() - log_variance - 1)
        return error + self.kl_weight * divergence

    def constrain(self, learning_rate: float) -> None:
        """Put all weights back where they may be; to be called after each update."""
        self.encoder.constrain()
        self.decoder.constrain(learning_rate)
