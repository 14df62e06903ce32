"""Small layers that encoders and decoders are made of."""

import math

import numpy as np
import torch
from torch import Generator, Tensor, nn

from vega.settings import ModelSettings
from vega.sparse import Expression, Pattern, SparseMatrix

SPARSE_BELOW = 0.1  # masks with a smaller share of weights (real: 1 %) are faster sparse on a CPU


def dropout(x: Tensor, p: float, generator: Generator | None) -> Tensor:
    """Set a share `p` of the values of `x` to zero and scale the others to the same mean."""
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


def uniform(n_inputs: int, *shape: int) -> nn.Parameter:
    """Return initial weights from U(-b, b) with b = 1 / sqrt(`n_inputs`), as in torch."""
    bound = 1 / math.sqrt(n_inputs)
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

    The weights are genes x outputs, unlike torch's: a sparse product reads them row by row.
    """

    def __init__(self, n_genes: int, n_outputs: int):
        super().__init__()
        self.weight = uniform(n_genes, n_genes, n_outputs)
        self.bias = uniform(n_genes, n_outputs)

    def forward(self, x: Expression) -> Tensor:
        """Return cells x outputs, of `x` (cells x genes)."""
        return x @ self.weight + self.bias


class MaskedWeights(nn.Module):
    """Weights of a linear layer inside a mask (boolean, outputs x inputs), as one vector.

    `weight` has one value per true entry of the mask, output by output. Weights outside would stay
    at zero and change no other gradient.
    """

    def __init__(self, mask: np.ndarray):
        super().__init__()
        outputs, inputs = np.nonzero(mask)  # outputs ascend
        self.register_buffer("outputs", torch.from_numpy(outputs), persistent=False)
        self.register_buffer("inputs", torch.from_numpy(inputs), persistent=False)
        self.shape = mask.shape
        offsets = np.searchsorted(outputs, np.arange(len(mask) + 1)).astype(np.int32)
        self.pattern = Pattern(offsets, inputs.astype(np.int32), mask.shape)
        self.sparse = len(outputs) < SPARSE_BELOW * math.prod(mask.shape)
        self.weight = uniform(mask.shape[1], len(outputs))

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return cells x outputs, of `x` (cells x inputs, dense)."""
        if not (self.sparse and x.device.type == "cpu"):
            return nn.functional.linear(x, self.dense(), bias).float()
        by_output = SparseMatrix(self.weight, self.pattern) @ x.T
        return (by_output if bias is None else by_output.add_(bias[:, None])).T

    def dense(self) -> Tensor:
        """Return the weights as outputs x inputs, zero outside the mask."""
        return self.weight.new_zeros(self.shape).index_put((self.outputs, self.inputs), self.weight)


def shift_of(weight: Tensor, covariates: Tensor) -> Tensor:
    """Return the outputs of covariates (cells x outputs); `weight` is outputs x covariates.

    Covariates are an integer label per cell, or cells x covariates.
    """
    if covariates.dim() == 1:
        return weight[:, covariates].T
    return (covariates @ weight.T).float()


class Hidden(nn.Module):
    """Hidden layers: `n_layers` times linear, batch norm, ReLU, dropout (paper, Methods).

    `first` is the linear part of the first one.
    """

    def __init__(self, first: nn.Module, settings: ModelSettings):
        super().__init__()
        width = settings.n_hidden
        self.dropout = settings.dropout
        self.linears = nn.ModuleList([first])
        for _ in range(settings.n_layers - 1):
            self.linears.append(nn.Linear(width, width))
        self.norms = nn.ModuleList(batch_norm(width, settings) for _ in self.linears)

    def forward(
        self, x: Expression, generator: Generator | None = None, shift: Tensor | None = None
    ) -> Tensor:
        """Return cells x `n_hidden`, of `x` (cells x inputs of the first layer).

        `shift` is added to what the first linear part gives.
        """
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = linear(x)
            if shift is not None:
                x, shift = x + shift, None
            x = norm(x).relu()
            if self.training:
                x = dropout(x, self.dropout, generator)
        return x
