"""Simulated studies whose truth is known, in the sources' own file formats.

`config/simulations.yaml` sets the truth. The counts of gene g in cell i of type t are

    counts ~ negative binomial, mean = size_i * 2^(level_g + type_tg + shift_ig + programme_ig)

where `shift` adds up what the cell's values of columns such as donor or batch do to each gene,
`programme` adds up the effects of all programmes of the cell, and a doublet's
mean is the sum of two cells' means. Means are not scaled to the cell's total: an effect is the
fold change of the expected counts themselves.

`genes` makes genes and gene sets, `cells` the cells, `simulate_study` their counts, `truth` the
table of known effects, `writers` the raw files, `simulate_authors` the authors' processed data.
A new study is an entry of that table, a new format a writer in `writers`.
"""
