"""The training step, and passes over cells on a CPU or a GPU."""

import ctypes
import math
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from vega.cuda import DeviceData, GraphedStep
from vega.data import Data, InMemoryData
from vega.module import VEGAModule
from vega.settings import TrainSettings
from vega.sparse import Expression, SparseMatrix

Step = Callable[[Expression, Tensor], None]
EVALUATED = 1024  # cells per minibatch of validation


class Trainer:
    """A network, its optimiser and its cells on a device."""

    def __init__(
        self, module: VEGAModule, cells: Data, settings: TrainSettings, device: torch.device
    ):
        self.module = module.to(device)
        self.optimiser = torch.optim.Adam(
            [parameter for parameter in module.parameters() if parameter.requires_grad],
            lr=settings.learning_rate,
            eps=settings.adam_epsilon,
            weight_decay=settings.weight_decay,
            fused=True,
            capturable=device.type == "cuda",
        )
        self.settings = settings
        self.device = device
        self.generator = torch.Generator(device)
        # Sum of the losses on the device, so that no step waits for one.
        wide = torch.float32 if device.type == "mps" else torch.float64
        self.total = torch.zeros((), device=device, dtype=wide)
        self.half = resolve_precision(settings.precision, device) == "bfloat16"
        self.cells: Data | DeviceData = cells
        self.step: Step = self._step
        if device.type == "cpu":
            keep_freed_memory()
        elif device.type == "cuda":
            self.step = GraphedStep(self._step, self.generator)
            if isinstance(cells, InMemoryData) and DeviceData.fits(cells, device):
                self.cells = DeviceData(cells, device)

    def begin(self, epoch: int) -> np.random.Generator:
        """Seed what is drawn in an epoch; return the generator that orders its cells."""
        self.module.anneal(epoch, self.settings.n_epochs_kl_warmup)
        sequence = np.random.SeedSequence([self.settings.seed, epoch])
        self.generator.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
        return np.random.default_rng(sequence)

    def train(self, rows: np.ndarray, rng: np.random.Generator) -> float:
        """Train on `rows` in random order; return the mean loss per cell."""
        self.module.train()
        self.total.zero_()
        size = self.settings.batch_size
        # A minibatch of one cell has no variance for batch norm.
        fewest = min(size, len(rows)) if self.settings.drop_last else 2
        n_cells = 0
        for x, batch in self._minibatches(rows, size, rng):
            if len(batch) >= fewest:
                self.step(x, batch)
                n_cells += len(batch)
        return self.total.item() / n_cells

    @torch.no_grad()
    def validate(self, rows: np.ndarray) -> float:
        """Return the mean loss per cell of `rows`, without dropout, with posterior samples."""
        if not len(rows):
            return math.nan
        self.module.eval()
        self.total.zero_()
        for x, batch in self._minibatches(rows, EVALUATED):
            self.total += self.module.loss(x, batch, self.generator)
        return self.total.item() / len(rows)

    def _step(self, x: Expression, batch: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            loss = self.module.loss(x, batch, self.generator)
        (loss / len(batch) if self.settings.loss_reduction == "mean" else loss).backward()
        self.optimiser.step()
        self.module.project(self.settings.learning_rate)
        self.total += loss.detach()

    def _minibatches(
        self, rows: np.ndarray, size: int, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[Expression, Tensor]]:
        if isinstance(self.cells, DeviceData):
            yield from self.cells.minibatches(rows, size, rng)
            return
        for x, batch in self.cells.minibatches(rows, size, rng):
            yield as_input(x, self.device), torch.from_numpy(batch).to(self.device)


def as_input(x: sp.csr_matrix, device: torch.device) -> Expression:
    """Return expression as the network takes it: sparse on a CPU, where that is faster."""
    if device.type == "cpu":
        return SparseMatrix.from_scipy(x)
    return torch.from_numpy(x.toarray()).to(device)


def own_stream(device: torch.device) -> AbstractContextManager:
    """Give a training its own queue of a GPU, so that others do not wait for it."""
    return torch.cuda.stream(torch.cuda.Stream(device)) if device.type == "cuda" else nullcontext()


@cache
def keep_freed_memory() -> None:
    """Make glibc keep the memory that is freed.

    By default it returns large blocks, such as the gradient of the first layer, to the system.
    Requesting them again in each step takes longer than computing their content.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt:  # other C libraries have their own ways
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, 2**30)


def resolve_precision(
    precision: Literal["auto", "float32", "bfloat16"], device: torch.device
) -> Literal["float32", "bfloat16"]:
    """Return the precision meant by `auto`: `bfloat16` where the device computes in it."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # torch before 2.10 does not know what the CPU can, and stays at float32.
        capabilities = getattr(torch.cpu, "get_capabilities", dict[str, bool])
        able = capabilities() if device.type == "cpu" else {}
        native = able.get("avx512_bf16", False) or able.get("amx_bf16", False)
    return "bfloat16" if native else "float32"
