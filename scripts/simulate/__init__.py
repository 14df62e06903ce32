"""Simulated studies whose truth is known, in the sources' own file formats.

`config/simulations.yaml` sets the truth. The counts of gene g in cell i of type t are

    counts ~ negative binomial, mean = size_i * 2^(level_g + type_tg + shift_ig + programme_ig)

where `shift` sums the effects of columns such as donor or batch, `programme` those of all
programmes of the cell, and a doublet's mean is the sum of two cells' means. Means are not scaled
to the cell's total: an effect is the fold change of the expected counts themselves.

A new study is an entry of that table, a new format a writer in `writers`.
"""
