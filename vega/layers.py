"""Small layers that encoders and decoders are made of."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from vega.settings import ModelSettings
from vega.sparse import Pattern, SparseMatrix

# A mask with a smaller share of weights is computed from these alone on a CPU. Real ones have less
# than one in a hundred; one of nearly all weights is faster as an ordinary product.
SPARSE_BELOW = 0.1


def dropout(x: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """`x` with a share `p` of its values at zero and the others scaled to the same mean."""
    if p == 0:
        return x
    if x.device.type == "cpu":
        # Drawing is serial on a CPU: four draws of 16 bits in one number take a fifth of the time.
        numbers = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
        numbers.random_(-(2**63), None, generator=generator)
        draws = numbers.view(torch.int16)[: x.numel()].view(x.shape)
        keep = draws >= round(p * 2**16) - 2**15
    else:
        keep = torch.rand(x.shape, device=x.device, generator=generator) >= p
    return x * keep.to(x.dtype).mul_(1 / (1 - p))


def uniform(bound: float, *shape: int) -> nn.Parameter:
    """Initial weights, evenly between -`bound` and `bound`."""
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))


@torch.no_grad()
def start_nonnegative(weights: Tensor, start: str) -> None:
    """Make initial weights non-negative, as `ModelSettings.nonnegative_start` says."""
    if start == "uniform":
        weights.abs_()  # of U(-b, b) is U(0, b)
    else:
        weights.clamp_(min=0)


def batch_norm(width: int, settings: ModelSettings) -> nn.BatchNorm1d:
    """Return the batch norm of a layer of this width."""
    return nn.BatchNorm1d(width, momentum=settings.norm_momentum, eps=settings.norm_epsilon)


class GeneLinear(nn.Module):
    """A linear layer on the genes of cells, sparse or dense.

    The weights are genes x outputs, the other way round than torch's, so that the product with a
    sparse matrix reads them row by row.
    """

    def __init__(self, n_genes: int, n_outputs: int):
        super().__init__()
        bound = 1 / math.sqrt(n_genes)
        self.weight = uniform(bound, n_genes, n_outputs)
        self.bias = uniform(bound, n_outputs)

    def forward(self, x: Tensor | SparseMatrix) -> Tensor:
        """`x`: cells x genes. Gives cells x outputs."""
        return x @ self.weight + self.bias


class MaskedWeights(nn.Module):
    """Weights of a linear layer, of which only those inside a mask exist, as one vector.

    Weights outside would stay at zero and get no gradient that matters, since the gradient of a
    weight does not depend on the others.

    Parameters
    ----------
    mask
        Boolean, outputs x inputs: where there is a weight.
    bound
        Of the initial weights.

    Attributes
    ----------
    weight
        One value per true entry of the mask, output by output.
    outputs, inputs
        Output and input of each weight.
    """

    def __init__(self, mask: np.ndarray, bound: float):
        super().__init__()
        outputs, inputs = np.nonzero(mask)  # outputs ascend
        self.register_buffer("outputs", torch.from_numpy(outputs), persistent=False)
        self.register_buffer("inputs", torch.from_numpy(inputs), persistent=False)
        self.shape = mask.shape
        offsets = np.searchsorted(outputs, np.arange(len(mask) + 1)).astype(np.int32)
        self.pattern = Pattern(offsets, inputs.astype(np.int32), mask.shape)
        self.sparse = len(outputs) < SPARSE_BELOW * math.prod(mask.shape)
        self.weight = uniform(bound, len(outputs))

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """`x`: cells x inputs, dense. Gives cells x outputs."""
        if not (self.sparse and x.device.type == "cpu"):
            return nn.functional.linear(x, self.dense(), bias).float()
        by_output = SparseMatrix(self.weight, self.pattern) @ x.T
        return (by_output if bias is None else by_output.add_(bias[:, None])).T

    def dense(self) -> Tensor:
        """The weights as outputs x inputs, zero outside the mask."""
        return self.weight.new_zeros(self.shape).index_put((self.outputs, self.inputs), self.weight)


class Hidden(nn.Module):
    """Hidden layers: linear, batch norm, ReLU, dropout, so often (paper, Methods).

    Parameters
    ----------
    first
        The linear part of the first of them.
    settings
        Of the model: width, number, dropout and batch norm.
    """

    def __init__(self, first: nn.Module, settings: ModelSettings):
        super().__init__()
        width = settings.n_hidden
        self.dropout = settings.dropout
        self.linears = nn.ModuleList([first])
        for _ in range(settings.n_layers - 1):
            self.linears.append(nn.Linear(width, width))
        self.norms = nn.ModuleList(batch_norm(width, settings) for _ in self.linears)

    def forward(self, x: Tensor | SparseMatrix, generator: torch.Generator | None = None) -> Tensor:
        """Return cells x `n_hidden`, of `x` (cells x inputs of the first layer)."""
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = norm(linear(x)).relu()
            if self.training:
                x = dropout(x, self.dropout, generator)
        return x
