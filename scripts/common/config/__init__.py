"""The configuration: what its files may say, checked before anything runs.

Each class of this package is one level of a file in `config/`; its fields, defaults and
descriptions are the only source of `config/README.md` and of the JSON schemas in `config/schemas/`
(`make config` writes both). A wrong entry raises one `InputError` line that names the file and the
entry.
"""

from scripts.common.config.base import Model, Name, Share
from scripts.common.config.figures import FigureConfig, File
from scripts.common.config.load import load
from scripts.common.config.models import Contrast, Folds, ModelConfig, Peer, Silhouette
from scripts.common.config.run import Config, slug
from scripts.common.config.settings import Settings
from scripts.common.config.simulations import (
    NamedSet,
    Programme,
    SimulatedColumn,
    SimulatedGenes,
    SimulatedSets,
    SimulatedTable,
    SimulatedType,
    Simulation,
    Simulations,
    named_sets,
    simulated_groups,
)
from scripts.common.config.studies import (
    Annotation,
    Matrix,
    Relabel,
    Source,
    Step,
    StepsOfEach,
    Study,
)

__all__ = [
    "Annotation", "Config", "Contrast", "FigureConfig", "File", "Folds", "Matrix", "Model",
    "ModelConfig", "Name", "NamedSet", "Peer", "Programme", "Relabel", "Settings", "Share",
    "Silhouette", "SimulatedColumn", "SimulatedGenes", "SimulatedSets", "SimulatedTable",
    "SimulatedType", "Simulation", "Simulations", "Source", "Step", "StepsOfEach", "Study",
    "load", "named_sets", "simulated_groups", "slug",
]  # fmt: skip
