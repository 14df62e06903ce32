"""A plain loop with the arithmetic of the authors' published one, which no registry holds.

Dense decoder times its mask, float32, a DataLoader that collects a minibatch cell by cell, dropout
as a layer, unfused Adam, and losses read after each step: `authors_loop.py FOLDER ROUNDS N_HIDDEN
EVENT TESTS`. The network is that of `tests/helpers/plain_vega.py`, with vega's initial weights.
"""

import sys

import numpy as np
import torch
from anndata import read_h5ad
from protocol import Protocol
from torch.utils.data import DataLoader, TensorDataset

sys.path.append(sys.argv[5])
from plain_vega import PlainVEGA, update

import vega
from vega.settings import TrainSettings
from vega.train import split

DRAWN, PAIRS = 5000, 10000


def main(folder, rounds, n_hidden, event):
    protocol = Protocol()
    adata = read_h5ad(f"{folder}/cells.h5ad")
    model = vega.VEGA(adata.var_names, vega.read_gmt(f"{folder}/sets.gmt"), n_hidden=n_hidden)
    plain = PlainVEGA(model, dropout=lambda x, p, _: torch.nn.functional.dropout(x, p))
    del model
    x = torch.from_numpy(adata.X.toarray())
    protocol.ready("torch")
    if event == "training":
        found = train(protocol, plain, x, rounds)
    else:
        found = bayes_factors(protocol, plain.eval(), x, adata.obs["cell_type"].to_numpy(), rounds)
    protocol.end(**found)


def train(protocol, plain, x, rounds):
    settings = TrainSettings()
    train_rows, validation_rows = split(len(x), settings)
    optimiser = torch.optim.Adam(
        plain.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    batches = [
        DataLoader(TensorDataset(x[rows]), batch_size=settings.batch_size, shuffle=shuffle)
        for rows, shuffle in ((train_rows, True), (validation_rows, False))
    ]
    losses = []
    for _ in range(rounds):
        protocol.wait()
        plain.train()
        for (cells,) in batches[0]:
            update(plain, optimiser, cells)
        plain.eval()
        with torch.no_grad():
            losses.append(sum(plain.loss(c).item() for (c,) in batches[1]) / len(validation_rows))
        protocol.done()
    return {"validation_loss": losses}


@torch.no_grad()
def bayes_factors(protocol, plain, x, types, rounds):
    """As published: drawn cells are encoded and sampled for each comparison, then paired."""
    rng = np.random.default_rng(1)
    for _ in range(rounds):
        protocol.wait()
        for kind in np.unique(types):
            samples = []
            for group in (np.flatnonzero(types == kind), np.flatnonzero(types != kind)):
                drawn = rng.choice(group, DRAWN)
                mean, log_variance = plain.encode(x[drawn])
                z = mean + torch.exp(log_variance / 2) * torch.randn(mean.shape)
                samples.append(z.numpy()[rng.choice(DRAWN, PAIRS)])
            p = (samples[0] > samples[1]).mean(axis=0)
            np.log(p + 1e-12) - np.log(1 - p + 1e-12)
            np.abs((samples[0] - samples[1]).mean(axis=0))
        protocol.done()
    return {}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
