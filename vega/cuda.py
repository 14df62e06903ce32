"""Training on a GPU: cells in its memory, and recorded steps.

The network is small for a GPU, which would spend its time waiting for the next call. A training
step is therefore recorded once and replayed as a whole.
"""

import logging
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from vega.data import InMemoryData
from vega.sparse import Expression

log = logging.getLogger(__name__)

WARM_UP = 3  # steps before one is recorded, as torch requires
SHARE = 0.5  # of the free memory that cells may take


class DeviceData:
    """Cells as a sparse matrix in the memory of a device; minibatches are made dense there.

    Nothing is read back from the device, which would wait: a copy of the row lengths tells how many
    values a minibatch has.
    """

    def __init__(self, cells: InMemoryData, device: torch.device):
        self.n_genes = cells.x.shape[1]
        self.lengths = np.diff(cells.x.indptr)
        self.first = torch.from_numpy(cells.x.indptr[:-1].astype(np.int64)).to(device)
        self.columns = torch.from_numpy(cells.x.indices).to(device)
        self.values = torch.from_numpy(cells.x.data).to(device)
        self.batch = torch.from_numpy(cells.batch).to(device)

    @staticmethod
    def fits(cells: InMemoryData, device: torch.device) -> bool:
        """Return whether the cells take less than `SHARE` of the free memory of a GPU."""
        free, _ = torch.cuda.mem_get_info(device)
        return cells.x.indices.nbytes + cells.x.data.nbytes < SHARE * free

    def minibatches(
        self, rows: np.ndarray, size: int, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield expression (cells x genes, dense) and batch labels; see `data.InMemoryData`."""
        order = rows if rng is None else rng.permutation(rows)
        device = self.values.device
        lengths = _sent(self.lengths[order].astype(np.int64), device)
        ordered = _sent(order, device)
        for start in range(0, len(order), size):
            part = slice(start, start + size)
            n_values = int(self.lengths[order[part]].sum())
            ends = lengths[part].cumsum(0)
            cell = torch.repeat_interleave(
                torch.arange(len(ends), device=device), lengths[part], output_size=n_values
            )
            skipped = self.first[ordered[part]] - ends + lengths[part]
            entries = torch.arange(n_values, device=device) + skipped[cell]
            x = torch.zeros(len(ends), self.n_genes, device=device)
            x[cell, self.columns[entries].long()] = self.values[entries]
            yield x, self.batch[ordered[part]]


def _sent(array: np.ndarray, device: torch.device) -> Tensor:
    """Copy an array to the device without waiting."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


class GraphedStep:
    """A training step that is replayed instead of run, for minibatches of one size.

    `step` changes tensors in place, draws from `generator` and reads nothing back from the GPU. If
    it cannot be recorded, it is run each time, after one warning.
    """

    def __init__(self, step: Callable[[Tensor, Tensor], None], generator: torch.Generator):
        self.step = step
        self.generator = generator
        self.seen = 0
        self.recordable = True
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, x: Expression, batch: Tensor) -> None:
        """Take one step on a minibatch."""
        if self.seen == 0:
            self.shape = x.shape
        self.seen += 1
        # The last minibatch of an epoch is smaller.
        recorded = self.seen > WARM_UP and x.shape == self.shape and self.recordable
        if recorded and self.graph is None:
            try:
                self.graph = self._record(x, batch)
            except RuntimeError as error:
                recorded = self.recordable = False
                reason = str(error).partition("\n")[0]
                log.warning("this GPU cannot record a training step (%s); steps are run one by "
                            "one, which takes longer", reason)  # fmt: skip
        if not recorded:
            self.step(x, batch)
            return
        self.x.copy_(x)
        self.batch.copy_(batch)
        self.graph.replay()

    def _record(self, x: Tensor, batch: Tensor) -> torch.cuda.CUDAGraph:
        self.x, self.batch = x.clone(), batch.clone()
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        # Other threads may train models of their own on the same GPU.
        with torch.cuda.graph(
            graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"
        ):
            self.step(self.x, self.batch)
        return graph
