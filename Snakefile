# VEGA (Seninge et al. 2021) from public raw data to every figure and claim of the paper.
# Targets: all (default), verify, and any file below results/<run>/. See README.md.

from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "rules/common.smk"
