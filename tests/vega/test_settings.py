"""Each hyperparameter is declared once: the model, `model.json` and the configuration follow."""

from dataclasses import asdict, fields

import numpy as np
import pytest
import torch
from helpers.checks import one_line_error

from scripts.common.config.models import BLOCKS, ModelConfig
from vega.settings import ModelSettings, TrainSettings, read_settings

CONFIG = ModelConfig(data={"study": "s", "gene_sets": "g.gmt"})


@pytest.mark.parametrize(("kind", "block"), [(ModelSettings, "model"), (TrainSettings, "train")])
def test_the_configuration_has_what_is_declared(kind, block):
    declared = {each.name: each for each in fields(kind) if not each.metadata.get("per_run")}
    found = BLOCKS[block].model_fields
    assert list(found) == list(declared)
    for name, each in declared.items():
        assert found[name].default == each.default
        assert found[name].description == each.metadata["description"]
    assert getattr(CONFIG, block).model_dump().items() <= asdict(kind()).items()


def test_no_two_blocks_have_a_setting_in_common():
    names = [name for kind in BLOCKS.values() for name in kind.model_fields]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (ModelSettings, {"n_hiden": 4}, "unknown setting 'n_hiden'; did you mean n_hidden?"),
        (ModelSettings, {"dropout": 1}, "dropout: expected float >= 0 < 1, found 1.0"),
        (ModelSettings, {"n_layers": 0}, "n_layers: expected int > 0, found 0"),
        (ModelSettings, {"bias": 1}, "bias: expected bool, found 1"),
        (ModelSettings, {"layer": 3}, "layer: expected str or None, found 3"),
        (ModelSettings, {"beta": float("nan")}, "beta: expected float >= 0, found nan"),
        (TrainSettings, {"loss_reduction": "max"}, "expected 'sum' or 'mean', found 'max'"),
        (TrainSettings, {"max_epochs": [1]}, r"max_epochs: expected int > 0, found \[1\]"),
        *(
            (ModelSettings, {"beta": value}, "beta: expected float >= 0, found")
            for value in (np.ones(2), torch.ones(()), object(), [1])
        ),
    ],
)
def test_a_wrong_setting_is_one_line(kind, given, message):
    with one_line_error(message):
        read_settings(kind, given)
