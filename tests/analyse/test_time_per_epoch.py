"""Seconds per epoch of VEGA and intercode."""

import intercode.model
import numpy as np
import pytest
from helpers.cells import study_of_programmes
from helpers.checks import one_line_error

from scripts.analyse import time_per_epoch as timing


def test_epochs_are_timed_in_turns_over_all_cells(monkeypatch, capfd):
    trained = []
    train, train_intercode = timing.Trainer.train, intercode.model.train_autoencoder

    def watched(self, rows, rng):
        k, settings = self.module.decoder.dense_weight().shape[1], self.settings
        trained.append(("VEGA", k, len(set(rows)), settings.learning_rate, settings.batch_size))
        return train(self, rows, rng)

    def watched_intercode(adata, model, lr, batch_size, epochs, *arguments, **more):
        trained.append(("intercode", model.n_terms, epochs * adata.n_obs, lr, batch_size))
        lambda0, lambda1, lambda2, lambda3 = arguments[:4]
        assert (lambda0, lambda1 / lr, lambda2, lambda3 / lr) == (0.1, 0.93, None, 0.57)
        return train_intercode(adata, model, lr, batch_size, epochs, *arguments, **more)

    monkeypatch.setattr(timing.Trainer, "train", watched)
    monkeypatch.setattr(intercode.model, "train_autoencoder", watched_intercode)
    adata, sets, _ = study_of_programmes()
    table = timing.time_per_epoch(
        adata, sets, rounds=2, threads=1, seed=1, n_hidden=32, device="cpu", batch_size=64,
        learning_rate=1e-3, max_epochs=9,
    )  # fmt: skip
    assert not capfd.readouterr().out
    assert list(table.columns) == ["method", "round", "seconds"]
    assert list(table["round"]) == [1, 1, 2, 2] and (table["seconds"] > 0).all()
    assert list(table["method"]) == ["intercode", "VEGA", "VEGA", "intercode"]
    order = ["VEGA", "intercode", *table["method"]]  # with the first of each, which is not counted
    assert trained == [(name, len(sets) + 1, 240, 1e-3, 64) for name in order]


@pytest.mark.parametrize("message", ["not finite", "none of the 150 genes"])
def test_wrong_input_is_named_in_one_line(message):
    adata, sets, _ = study_of_programmes()
    if message == "not finite":
        adata.X.data[0] = np.nan
    else:
        adata.var_names = "mouse_" + adata.var_names
    with one_line_error(message):
        timing.time_per_epoch(adata, sets, rounds=1, threads=1, seed=1, n_hidden=8, device="cpu")
