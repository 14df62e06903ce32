"""The configuration: what its files may say, checked before anything runs.

Each class of this package is one level of a file in `config/`; its fields, defaults and
descriptions are the only source of `config/README.md` and of the JSON schemas in `config/schemas/`
(`make config` writes both). A wrong entry raises one `InputError` line that names the file and the
entry.
"""

from paper.config.base import Model, Name, Share
from paper.config.figures import FigureConfig, File
from paper.config.load import load
from paper.config.models import Contrast, Folds, ModelConfig, Peer, Silhouette
from paper.config.run import Config, slug
from paper.config.settings import Settings
from paper.config.simulations import (
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
from paper.config.studies import Annotation, Matrix, Relabel, Source, Step, StepsOfEach, Study

__all__ = [
    "Annotation", "Config", "Contrast", "FigureConfig", "File", "Folds", "Matrix", "Model",
    "ModelConfig", "Name", "NamedSet", "Peer", "Programme", "Relabel", "Settings", "Share",
    "Silhouette", "SimulatedColumn", "SimulatedGenes", "SimulatedSets", "SimulatedTable",
    "SimulatedType", "Simulation", "Simulations", "Source", "Step", "StepsOfEach", "Study",
    "load", "named_sets", "simulated_groups", "slug",
]  # fmt: skip
