# What all phases share: the checked configuration, the folder of the run, the package's sources.
# in: config/, out: names used by the other rules

import fcntl
import sys
from pathlib import Path

from snakemake_interface_executor_plugins.settings import ExecMode

from paper.config import load
from paper.errors import InputError

try:
    CONFIG = load(config, workflow.source_path("../config") if False else "config")
except InputError as error:
    sys.exit(f"error: {error}")

SETTINGS = CONFIG.settings
RUN = f"results/{SETTINGS.run}"
LOGS = f"logs/{SETTINGS.run}"
SEED = SETTINGS.seeds[0]  # the seed whose model draws the figures
