"""What the decoded values say of the expression of cells, and how far off they are."""

import torch
from torch import Tensor, nn

from vega.errors import InputError
from vega.sparse import SparseMatrix, squared_error


class Gaussian(nn.Module):
    """Decoded values are the log-normalised expression; the error is the squared one (Methods)."""

    def seen(self, x: Tensor | SparseMatrix) -> Tensor | SparseMatrix:
        """What the encoder sees of `x`."""
        return x

    def error(self, decoded: Tensor, x: Tensor | SparseMatrix) -> Tensor:
        """Summed over cells and genes; `decoded` is used up."""
        return squared_error(decoded, x)

    def mean(self, decoded: Tensor, library: float) -> Tensor:
        """Expected expression, cells x genes."""
        return decoded


class NegativeBinomial(nn.Module):
    """Expression are counts, with one dispersion per gene (paper, Fig. S8).

    The softmax of decoded values over the genes of a cell is each gene's share of the cell's
    counts; the encoder sees log(1 + counts).

    Attributes
    ----------
    log_dispersion
        Natural log of the inverse dispersion theta of each gene: variance = mean + mean^2 / theta.
    """

    def __init__(self, n_genes: int):
        super().__init__()
        self.log_dispersion = nn.Parameter(torch.randn(n_genes))

    def seen(self, x: Tensor | SparseMatrix) -> Tensor | SparseMatrix:
        """What the encoder sees of counts."""
        if isinstance(x, SparseMatrix):
            return SparseMatrix(x.values.log1p(), x.pattern)
        return x.log1p()

    def error(self, decoded: Tensor, x: Tensor | SparseMatrix) -> Tensor:
        """Negative log likelihood, summed over cells and genes."""
        log_theta = self.log_dispersion
        theta = log_theta.exp()
        if isinstance(x, SparseMatrix):
            # What is left of the likelihood where a count is 0 needs no count.
            counts, (cells, genes) = x.values, x.entries()
            library = counts.new_zeros(x.shape[0]).index_add_(0, cells, counts)
        else:
            counts, (cells, genes) = x, (slice(None), slice(None))
            library = x.sum(dim=1)
        log_mean = decoded.log_softmax(dim=1) + library.log()[:, None]
        log_total = torch.logaddexp(log_mean, log_theta)
        everywhere = (theta * (log_theta - log_total)).sum()
        counted = (
            counts * (log_mean - log_total)[cells, genes]
            + torch.lgamma(counts + theta[genes])
            - torch.lgamma(theta)[genes]
            - torch.lgamma(counts + 1)
        ).sum()
        return -(everywhere + counted)

    def mean(self, decoded: Tensor, library: float) -> Tensor:
        """Expected counts of cells with `library` counts in all, cells x genes."""
        return library * decoded.softmax(dim=1)


def build_likelihood(kind: str, n_genes: int) -> Gaussian | NegativeBinomial:
    """The likelihood of a kind.

    Raises
    ------
    ValueError
        If there is no such.
    """
    if kind == "gaussian":
        return Gaussian()
    if kind == "negative_binomial":
        return NegativeBinomial(n_genes)
    raise InputError(f"likelihood {kind!r} is not one of gaussian, negative_binomial")
