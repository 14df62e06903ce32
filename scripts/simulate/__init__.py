"""Simulated studies whose truth is known, in the sources' own file formats.

The truth is planted by `config/simulations.yaml`. Cell i of type t has of gene g

    counts ~ negative binomial, mean = size_i * 2^(level_g + type_tg + shift_ig + programme_ig)

where `shift` adds up what the cell's values of columns such as donor or batch do to each gene,
`programme` adds up the effects of all planted programmes that meet in the cell, and a doublet's
mean is the sum of two cells' means. Means are not scaled to the cell's total: a planted effect is
the fold change of the expected counts themselves.

`genes` makes genes and gene sets, `cells` the cells, `study` their counts, `truth` the table of
what was planted, `formats` the raw files, `authors` the processed data that come of them. Adding a
study is adding an entry to that table; adding a format is adding a writer to `formats`.
"""

from scripts.simulate.authors import authors_files
from scripts.simulate.formats import raw_files, write
from scripts.simulate.genes import gmt, simulate_gene_sets
from scripts.simulate.study import Simulated, simulate_study
from scripts.simulate.truth import responders

__all__ = [
    "Simulated",
    "authors_files",
    "gmt",
    "raw_files",
    "responders",
    "simulate_gene_sets",
    "simulate_study",
    "write",
]
