"""Every published number with ours and a verdict.

`config/claims.tsv` lists what the paper claims, with all published numbers and tolerances. A
function per claim, decorated with `claim` or `exact_claim`, measures it in the results of a run;
`judging` compares. The functions are in one module per study: `data`, `kang`, ...
"""
