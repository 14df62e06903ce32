"""VEGA: a variational autoencoder whose latent variables are the activities of gene sets.

Seninge, Anastopoulos, Ding and Stuart, Nature Communications 12, 5684 (2021).

>>> import vega
>>> adata = vega.examples.log_normalised(vega.examples.counts())
>>> model = vega.VEGA(adata.var_names, vega.examples.GENE_SETS, n_hidden=16)
>>> history = model.fit(adata, max_epochs=2, progress=False)
>>> adata.obsm["X_vega"] = model.embed(adata)
"""

import os
import pkgutil
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

# Threads of OpenMP wait for each other in a busy loop, of 300,000 turns by default. If another
# process needs the core, the thread that the others wait for cannot run, and training slows down
# up to 25 times. Read by the library when torch is loaded (docs/performance.md, Under load).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")

try:
    __version__ = version("vega-gmv")
except PackageNotFoundError:  # used from its folder, without being installed
    __version__ = "0+unknown"

# Loaded when first asked for, so that reading a GMT file does not cost torch's start-up.
_PUBLIC = {
    "VEGA": "vega.model",
    "ModelSettings": "vega.settings",
    "TrainSettings": "vega.settings",
    "load": "vega.model",
    "read_gmt": "vega.gene_sets",
    "gene_mask": "vega.gene_sets",
    "coverage": "vega.gene_sets",
    "differential_activity": "vega.consensus",
}
_MODULES = [module.name for module in pkgutil.iter_modules(__path__)]
__all__ = ["__version__", *_PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return import_module(f"vega.{name}")
    raise AttributeError(f"module 'vega' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
