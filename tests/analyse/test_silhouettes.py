"""Rule `silhouettes`: silhouettes of labels in a latent space."""

import numpy as np
import pytest
from helpers.checks import one_line_error
from helpers.latent import latent_cells
from sklearn.metrics import silhouette_score

from scripts.analyse.silhouettes import silhouettes
from scripts.common.shuffles import shuffle_labels
from vega import metrics


@pytest.fixture
def latent():
    latent = latent_cells()
    latent.layers["variance"][:] = 16
    latent.var_names = [*"ABC", "UNANNOTATED_1"]
    return latent


def asked(column, within=None, of="mean", extra_nodes=True):
    return {"column": column, "within": within or {}, "of": of, "extra_nodes": extra_nodes}


def test_silhouettes_are_those_of_the_cells_and_the_space_asked_for(latent):
    control, x, obs = slice(60), latent.X, latent.obs
    of_control = {"condition": ["ctrl"]}
    wanted = {
        "condition": asked("condition"),
        "type": asked("cell_type", of_control),
        "annotated": asked("condition", extra_nodes=False),
        "nothing": asked("condition", of_control),
    }
    found, _ = silhouettes(latent, wanted, seed=1)
    expected = {
        "silhouette_condition": silhouette_score(x, obs["condition"]),
        "silhouette_type": silhouette_score(x[control], obs["cell_type"][control]),
        "silhouette_annotated": silhouette_score(x[:, :3], obs["condition"]),
        "silhouette_nothing": np.nan,
    }
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_a_sample_of_the_posterior_is_more_scattered_than_its_mean(latent):
    """Compared with draws of our own, with a variance of 16."""
    both = {"sample": asked("condition", of="sample"), "mean": asked("condition")}
    found, _ = silhouettes(latent, both, seed=1)
    drawn = latent.X + 4 * np.random.default_rng(9).normal(size=latent.shape)
    expected = silhouette_score(drawn, latent.obs["condition"])
    assert found["silhouette_sample"] == pytest.approx(expected, abs=0.02)
    assert found["silhouette_sample"] < found["silhouette_mean"] / 2
    assert found == silhouettes(latent, both, seed=1)[0]


def test_a_missing_column_is_one_line(latent):
    with one_line_error(r"silhouettes.x: the study has no column batch; it has"):
        silhouettes(latent, {"x": asked("batch")}, seed=1)


def test_silhouettes_of_many_labelings_are_those_of_each():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 5)).astype(np.float32)
    x[:60] += 2
    alone = np.repeat([0, 1], [119, 1])  # a cell alone counts as 0
    labelings = [np.repeat(["a", "b"], 60), rng.integers(0, 4, 120), alone]
    found = metrics.silhouettes(x, labelings)
    expected = [silhouette_score(x, labels) for labels in labelings]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_shuffled_silhouettes_are_those_of_the_shuffled_labels(latent):
    wanted = {"type": asked("cell_type", {"condition": ["ctrl"]})}
    _, (_, second) = silhouettes(latent, wanted, 1, shuffles=2)
    control = latent[(latent.obs["condition"] == "ctrl").to_numpy()]
    labels = shuffle_labels(control.obs, "cell_type", 2)["cell_type"]
    assert second["shuffle"] == 2
    expected = silhouette_score(control.X, labels)
    assert second["silhouette_type"] == pytest.approx(expected, abs=1e-5)
