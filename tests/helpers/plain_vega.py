"""VEGA as a textbook has it: dense, in float32, one call after another.

The package computes the same with sparse products, in-place updates and other orders of memory;
tests hold it against this.
"""

import numpy as np
import torch
from torch import nn

from vega.layers import dropout
from vega.settings import TrainSettings
from vega.train import split
from vega.trainer import EVALUATED


class PlainVEGA(nn.Module):
    """A dense copy of a model's untrained network, whose decoder multiplies with its mask.

    `dropout` takes values, the share to drop and a generator.
    """

    def __init__(self, model, dropout=dropout):
        super().__init__()
        self.dropout = dropout
        module = model.module
        encoder, decoder = module.encoder, module.decoder
        self.p, self.latent_p = encoder.hidden.dropout, encoder.latent_dropout
        self.beta = module.beta
        self.linears = nn.ModuleList()
        for linear in encoder.hidden.linears:
            weight = linear.weight.T if linear is encoder.hidden.linears[0] else linear.weight
            self.linears.append(copied(weight, linear.bias))
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(linear.out_features, momentum=0.01, eps=1e-3) for linear in self.linears
        )
        means, log_variances = encoder.heads.weight.chunk(2)
        self.mean = copied(means, encoder.heads.bias.chunk(2)[0])
        self.log_variance = copied(log_variances, encoder.heads.bias.chunk(2)[1])
        self.decoder = copied(decoder.dense_weight(), decoder.bias)
        self.register_buffer("mask", torch.from_numpy(model.annotation.T).float())

    def encode(self, x, generator=None):
        hidden = x
        for linear, norm in zip(self.linears, self.norms, strict=True):
            hidden = torch.relu(norm(linear(hidden)))
            if self.training:
                hidden = self.dropout(hidden, self.p, generator)
        latent = torch.cat([self.mean(hidden), self.log_variance(hidden)], dim=1)
        if self.training:
            latent = self.dropout(latent, self.latent_p, generator)
        return latent.chunk(2, dim=1)

    def loss(self, x, generator=None):
        mean, log_variance = self.encode(x, generator)
        z = mean + torch.exp(log_variance / 2) * torch.randn(mean.shape, generator=generator)
        decoded = nn.functional.linear(z, self.decoder.weight * self.mask, self.decoder.bias)
        divergence = -0.5 * torch.sum(1 + log_variance - mean**2 - torch.exp(log_variance))
        return torch.sum((decoded - x) ** 2) + self.beta * divergence


def copied(weight, bias):
    """A linear layer (outputs x inputs) with these weights."""
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    return linear


def update(plain, optimiser, x, generator=None):
    """One step of the optimiser; the loss before it."""
    optimiser.zero_grad()
    loss = plain.loss(x, generator)
    loss.backward()
    optimiser.step()
    with torch.no_grad():
        plain.decoder.weight.clamp_(min=0)
    return loss.item()


def train_plainly(plain, x, epochs, **settings):
    """Losses per cell, epoch by epoch; the same cells, order and draws as `vega.train` has."""
    settings = TrainSettings(**settings)
    optimiser = torch.optim.Adam(
        plain.parameters(), settings.learning_rate, weight_decay=settings.weight_decay,
        eps=settings.adam_epsilon,
    )  # fmt: skip
    x = torch.from_numpy(x)
    train_rows, validation_rows = split(len(x), settings)
    generator, losses = torch.Generator(), []
    for epoch in range(epochs):
        sequence = np.random.SeedSequence([settings.seed, epoch])
        generator.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
        order = np.random.default_rng(sequence).permutation(train_rows)
        plain.train()
        trained = 0.0
        for start in range(0, len(order), settings.batch_size):
            minibatch = x[order[start : start + settings.batch_size]]
            trained += update(plain, optimiser, minibatch, generator)
        plain.eval()
        with torch.no_grad():
            validated = sum(
                plain.loss(x[validation_rows[start : start + EVALUATED]], generator).item()
                for start in range(0, len(validation_rows), EVALUATED)
            )
        losses.append((trained / len(train_rows), validated / len(validation_rows)))
    return np.array(losses)
