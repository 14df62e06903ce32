"""What every workflow script does around its work: log it, and end bad input in one line."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paper.errors import InputError

log = logging.getLogger("paper")


def run(main: Callable[[Any], None], snakemake: Any) -> None:
    """Call `main(snakemake)`, logging to the terminal and to the rule's log file.

    An `InputError` is the user's to mend: it ends the job with its one line. Anything else is
    ours and keeps its traceback.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if snakemake.log:
        Path(snakemake.log[0]).parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(snakemake.log[0], mode="w"))
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers)
    log.setLevel(logging.INFO)  # ours; of other packages only warnings
    try:
        main(snakemake)
    except InputError as error:
        log.error("%s: error: %s", snakemake.rule, error)
        sys.exit(1)
    except Exception:
        log.exception("%s failed", snakemake.rule)
        sys.exit(1)
