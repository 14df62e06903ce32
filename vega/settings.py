"""The hyperparameters of a model and of its training.

Each is declared once, here: name, type, default, bounds, meaning and source in the paper. `VEGA`
and `VEGA.fit` take them as keyword arguments and check them, `model.json` holds them, and the
workflow derives its configuration and the documentation of it from these classes.
"""

import difflib
import operator
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from vega.errors import InputError, one_line

T = TypeVar("T", bound="ModelSettings | TrainSettings")
BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def hyperparameter(default: Any, description: str, **about: Any) -> Any:
    """Declare a hyperparameter, by default the published value (paper, Methods).

    `about` are bounds `ge`, `gt`, `le`, `lt`, and `per_run=True` if a whole run has one value.
    """
    return field(default=default, metadata={"description": description, **about})


@dataclass(frozen=True)
class ModelSettings:
    """What a model is made of; the defaults are those of the published Kang model."""

    encoder: Literal["deep", "masked", "masked_linear"] = hyperparameter(
        "deep", "`masked`: each GMV sees the genes of its set only, through one layer with ReLU; "
        "`masked_linear`: without ReLU, with weights >= 0 (Fig. S1)."
    )  # fmt: skip
    decoder: Literal["masked", "binary", "soft", "deep"] = hyperparameter(
        "masked", "`binary`: weights of 1 that are not learnt (Fig. S3); `soft`: weights outside "
        "the sets are penalised (Fig. S10); `deep`: hidden layers (Fig. S1)."
    )  # fmt: skip
    likelihood: Literal["gaussian", "negative_binomial"] = hyperparameter(
        "gaussian", "Of log-normalised expression, or of counts (Fig. S8)."
    )
    layer: str | None = hyperparameter(None, "Layer with the expression, if it is not `X`.")
    extra_nodes: int = hyperparameter(1, "Fully connected extra latent variables.", ge=0)
    min_genes_in_data: int = hyperparameter(
        0, "Sets with fewer of their genes in the data have no GMV; the paper keeps all.", ge=0
    )
    encode_covariates: bool = hyperparameter(
        False, "Whether the encoder, too, is given batches and covariates."
    )
    n_hidden: int = hyperparameter(800, "Width of the hidden layers.", gt=0)
    n_layers: int = hyperparameter(2, "Number of hidden layers.", gt=0)
    dropout: float = hyperparameter(0.5, "Dropout of the hidden layers.", ge=0, lt=1)
    latent_dropout: float = hyperparameter(
        0.5, "Dropout of the posterior's mean and of its log variance, each on its own. A dropped "
        "log variance is 0, which makes that standard deviation 1.", ge=0, lt=1
    )  # fmt: skip
    norm_momentum: float = hyperparameter(0.01, "Momentum of batch norm.", gt=0, le=1)
    norm_epsilon: float = hyperparameter(1e-3, "Epsilon of batch norm.", gt=0)
    nonnegative: bool = hyperparameter(True, "Whether decoder weights are kept >= 0.")
    nonnegative_start: Literal["clamped", "uniform"] = hyperparameter(
        "clamped", "Initial weights that are kept >= 0: from U(-b, b), negative ones set to 0; or "
        "from U(0, b)."
    )  # fmt: skip
    bias: bool = hyperparameter(True, "Whether the decoder has a bias.")
    beta: float = hyperparameter(
        1e-4, "Weight of the KL divergence; the paper's text has none (erratum 3).", ge=0
    )
    l1_lambda: float = hyperparameter(10.0, "`soft`: weight of the L1 penalty.", ge=0)
    l1_update: Literal["multiplicative", "soft_threshold"] = hyperparameter(
        "multiplicative", "`soft`: the step of the penalty. With t = l1_lambda x learning rate, "
        "`multiplicative` subtracts min(t, t |w|) from the size of each weight w, as published "
        "(erratum 9); `soft_threshold` subtracts t, down to zero."
    )  # fmt: skip


@dataclass(frozen=True)
class TrainSettings:
    """How a model is trained; the defaults are those of the published Kang model."""

    learning_rate: float = hyperparameter(1e-4, "Learning rate of Adam.", gt=0)
    weight_decay: float = hyperparameter(5e-4, "Weight decay of Adam, coupled.", ge=0)
    adam_epsilon: float = hyperparameter(1e-8, "Epsilon of Adam.", gt=0)
    batch_size: int = hyperparameter(128, "Cells per update.", gt=0)
    drop_last: bool = hyperparameter(False, "Whether a smaller last minibatch is left out.")
    loss_reduction: Literal["sum", "mean"] = hyperparameter(
        "sum", "Of the loss over the cells of a minibatch; for Adam this changes what its epsilon "
        "and the weight decay are relative to."
    )  # fmt: skip
    n_epochs_kl_warmup: int = hyperparameter(
        0, "Epochs in which the weight of the KL divergence rises to `beta`.", ge=0
    )
    max_epochs: int = hyperparameter(500, "Largest number of epochs.", gt=0)
    patience: int = hyperparameter(
        10, "Epochs in a row without a strictly better loss after which training stops; counted "
        "for the training loss and for the validation loss. The last weights are kept.", gt=0
    )  # fmt: skip
    train_fraction: float = hyperparameter(
        0.8, "Share of the cells that are trained on; the others validate. With 1, only the "
        "training loss stops the training.", gt=0, le=1
    )  # fmt: skip
    split_seed: int = hyperparameter(
        0, "Seed of that division, the same for all seeds.", ge=0, per_run=True
    )
    seed: int = hyperparameter(1, "Seed of all that is drawn.", ge=0, per_run=True)
    precision: Literal["auto", "float32", "bfloat16"] = hyperparameter(
        "auto", "Of the matrix products of training; `auto` is bfloat16 where the device computes "
        "in it. Weights, losses and results are in float32.", per_run=True
    )  # fmt: skip


def read_settings(kind: type[T], given: Mapping[str, Any]) -> T:
    """Return settings with some values in place of the defaults; refuse what is not valid."""
    known = {each.name: each for each in fields(kind)}
    hints = get_type_hints(kind)
    values = {}
    for name, value in given.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise InputError(f"unknown setting {name!r}; {hint}")
        values[name] = _checked(known[name], hints[name], value)
    return kind(**values)


def _checked(declared: Field, kind: Any, value: Any) -> Any:
    """Return a valid value of a hyperparameter; scalars of numpy become those of Python."""
    value = value.item() if isinstance(value, np.generic) else value
    if kind is float and type(value) is int:
        value = float(value)
    if get_origin(kind) is Literal:
        valid, expected = value in get_args(kind), " or ".join(map(repr, get_args(kind)))
    else:
        types = get_args(kind) or (kind,)
        valid = type(value) in types
        expected = " or ".join("None" if t is NoneType else t.__name__ for t in types)
        bounds = {bound: declared.metadata[bound] for bound in BOUNDS if bound in declared.metadata}
        expected += "".join(f" {BOUNDS[bound]} {limit}" for bound, limit in bounds.items())
        # The names of the bounds are those of the comparisons.
        valid = valid and all(getattr(operator, b)(value, limit) for b, limit in bounds.items())
    if not valid:
        raise InputError(
            f"{declared.name}: expected {expected}, found {one_line(repr(value))[:60]}"
        )
    return value
