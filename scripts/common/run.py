"""What every workflow script does around its work: log it, and end bad input in one line."""

import ctypes
import errno
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.common import resources
from vega.errors import InputError
from vega.files import UNWRITABLE

ON_PARENT_DEATH = 1  # PR_SET_PDEATHSIG of Linux

log = logging.getLogger("workflow")


def run(main: Callable[[Any], None], snakemake: Any) -> None:
    """Call `main(snakemake)`, log to the terminal and the log file, and record its resources.

    An `InputError` and a disk that cannot be written are the user's to correct: they end the job
    with one line. Any other error keeps its traceback.
    """
    _end_with_snakemake()
    logging.raiseExceptions = False  # a log that cannot be written does not drown what is said
    Path(snakemake.log[0]).parent.mkdir(parents=True, exist_ok=True)
    handlers = [logging.StreamHandler(sys.stderr), logging.FileHandler(snakemake.log[0], mode="w")]
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers)
    log.setLevel(logging.INFO)  # ours; of other packages only warnings
    try:
        main(snakemake)
    except InputError as error:
        log.error("%s: error: %s", snakemake.rule, error)
        sys.exit(1)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in UNWRITABLE and error.filename:
            log.error("%s: error: %s", snakemake.rule, _of_disk(error))
        else:
            log.exception("%s failed", snakemake.rule)
        sys.exit(1)
    resources.record(snakemake)


def _of_disk(error: OSError) -> str:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    todo = "make room" if full else "see that the file may be read and its folder written"
    return f"{error.filename}: {error.strerror}; {todo} and run again, what is finished stays"


def _end_with_snakemake() -> None:
    """Have Linux end this process with its parent.

    A killed Snakemake would otherwise leave a job that writes at the same time as the next run.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ON_PARENT_DEATH, signal.SIGKILL)
