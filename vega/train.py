"""The training loop: early stopping and checkpoints.

All randomness of an epoch (order of the cells, dropout, posterior samples) comes from the seed and
the number of the epoch alone, through generators of its own. Resumed trainings and models that
train in parallel threads therefore take exactly the steps that they would have taken alone.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from vega.data import Data
from vega.description import CHECKSUM, checksum
from vega.errors import InputError
from vega.io import read_tensors, write_tensors
from vega.module import VEGAModule
from vega.settings import TrainSettings
from vega.trainer import Trainer, own_stream
from vega.values import check_range


@dataclass
class TrainState:
    """The content of a checkpoint except for the weights."""

    losses: list[tuple[float, float]] = field(default_factory=list)  # training, validation
    seconds: float = 0.0

    def stalled(self, patience: int) -> bool:
        """Return whether either loss was last strictly better `patience` epochs ago."""
        of_kinds = [kind for kind in zip(*self.losses, strict=True) if math.isfinite(kind[0])]
        return any(len(kind) - 1 - kind.index(min(kind)) >= patience for kind in of_kinds)


def split(n_cells: int, settings: TrainSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train on and rows to validate on, the same for every seed."""
    if settings.train_fraction == 1:
        return np.arange(n_cells), np.arange(0)
    order = np.random.default_rng(settings.split_seed).permutation(n_cells)
    n_train = round(n_cells * settings.train_fraction)
    if min(n_train, n_cells - n_train) < 2:
        raise InputError(
            f"{n_cells} cells cannot be split into at least 2 for training and 2 for validation; "
            "give more cells, or train_fraction=1 to train on all"
        )
    return np.sort(order[:n_train]), np.sort(order[n_train:])


def split_by(validation: np.ndarray, n_cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train on and rows to validate on; `validation` is one boolean per cell."""
    if validation.dtype == object and {type(value) for value in validation.flat} == {bool}:
        validation = validation.astype(bool)  # of pandas' own booleans
    if validation.dtype != bool or validation.shape != (n_cells,):
        raise InputError(
            f"validation: expected one boolean for each of the {n_cells} cells, found "
            f"{validation.dtype} of shape {validation.shape}; of row numbers, make "
            "numpy.isin(numpy.arange(adata.n_obs), rows)"
        )
    train, validate = np.flatnonzero(~validation), np.flatnonzero(validation)
    if len(train) < 2 or not len(validate):
        raise InputError(
            f"validation: {len(train)} cells are left to train on and {len(validate)} to validate "
            "on, expected at least 2 and 1; to train on all cells, give train_fraction=1"
        )
    return train, validate


def train(
    module: VEGAModule,
    cells: Data,
    settings: TrainSettings,
    device: torch.device,
    validation: np.ndarray | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 10,
    progress: bool = True,
    log: Callable[[str], None] | None = None,
) -> TrainState:
    """Train `module` in place until its losses stop falling.

    `validation` says which of the cells validate, one boolean each; by default those of `split`.
    The state is written to `checkpoint` every `checkpoint_every` epochs and at the end; a training
    resumes from it if data, network, settings and this package are the same. `log` is called with
    epochs, time left and losses once the checkpoint is written.
    """
    check_range("checkpoint_every", checkpoint_every, 1)
    n = len(cells)
    rows = split(n, settings) if validation is None else split_by(validation, n)
    state = TrainState()
    fingerprint = _fingerprint(module, cells, rows, settings) if checkpoint else ""
    bar = tqdm(total=settings.max_epochs, unit="epoch", disable=not progress, dynamic_ncols=True)
    with bar, own_stream(device):
        trainer = Trainer(module, cells, settings, device)
        if checkpoint and checkpoint.exists():
            state = _resume(checkpoint, fingerprint, module, trainer.optimiser) or state
            bar.update(len(state.losses))
            if log and state.losses:
                log(f"resumed after epoch {len(state.losses)}")
            elif log:
                log("the checkpoint is damaged or of another run: from the start")
        while len(state.losses) < settings.max_epochs and not state.stalled(settings.patience):
            started = time.perf_counter()
            rng = trainer.begin(len(state.losses))
            losses = trainer.train(rows[0], rng), trainer.validate(rows[1])
            if not all(map(math.isfinite, losses if len(rows[1]) else losses[:1])):
                raise InputError(
                    f"the loss is not finite after {len(state.losses) + 1} epochs; check that X "
                    "is log-normalised and the learning rate is not too high"
                )
            state.losses.append(losses)
            state.seconds += time.perf_counter() - started
            bar.set_postfix_str(_shown(losses), refresh=False)
            bar.update()
            if len(state.losses) % checkpoint_every:
                continue
            if checkpoint:
                _write_checkpoint(checkpoint, fingerprint, module, trainer.optimiser, state)
            if log:
                done = len(state.losses)
                left = state.seconds / done * (settings.max_epochs - done)
                eta = tqdm.format_interval(left)
                log(f"epoch {done} of at most {settings.max_epochs} ({eta} left): {_shown(losses)}")
    if checkpoint:
        _write_checkpoint(checkpoint, fingerprint, module, None, state)
    return state


def _shown(losses: tuple[float, float]) -> str:
    """Return the losses as text; the validation loss only if cells validate."""
    return "loss " + " / ".join(f"{loss:.2f}" for loss in losses if math.isfinite(loss))


def _fingerprint(
    module: VEGAModule, cells: Data, rows: tuple[np.ndarray, np.ndarray], settings: TrainSettings
) -> str:
    """Return a checksum of all that must be the same to resume: code, cells, split, network."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    cells.identify(digest.update)
    digest.update(rows[1].data)
    # The untrained weights depend on the seed.
    digest.update(checksum(asdict(settings), module.state_dict()).encode())
    return digest.hexdigest()


def _write_checkpoint(
    checkpoint: Path,
    fingerprint: str,
    module: VEGAModule,
    optimiser: torch.optim.Optimizer | None,
    state: TrainState,
) -> None:
    """Write what a later run needs to resume; after the last epoch that is no optimiser."""
    tensors = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    for index, moments in (optimiser.state_dict()["state"] if optimiser else {}).items():
        tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in moments.items()}
    metadata = {"fingerprint": fingerprint, "state": json.dumps(asdict(state))}
    write_tensors(checkpoint, tensors, metadata | {CHECKSUM: checksum(metadata, tensors)})


def _resume(
    checkpoint: Path, fingerprint: str, module: VEGAModule, optimiser: torch.optim.Optimizer
) -> TrainState | None:
    """Load the state of `checkpoint`; if it is damaged or of another run, return None."""
    try:
        tensors, metadata = read_tensors(checkpoint)
    except InputError:
        return None
    if metadata.pop(CHECKSUM, None) != checksum(metadata, tensors):
        return None
    if metadata["fingerprint"] != fingerprint:
        return None
    module.load_state_dict(
        {n.removeprefix("module."): t for n, t in tensors.items() if n.startswith("module.")}
    )
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, moment = name.split(".")
            moments.setdefault(int(index), {})[moment] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    state = json.loads(metadata["state"])
    return TrainState([tuple(losses) for losses in state["losses"]], state["seconds"])
