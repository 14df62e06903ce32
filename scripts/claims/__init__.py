"""Every published number beside ours, with a verdict.

`config/claims.tsv` lists what the paper claims. A function per claim, decorated with `claim`,
measures it in the results of a run; `core` asks them all and writes down what came of it. The
functions stand in one module per study: `data`, `kang`, ...
"""
