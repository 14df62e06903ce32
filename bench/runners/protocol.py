"""How a runner takes its turns: it reports that it is ready, then waits, measures and reports.

Standard library only, since the environments of the runners share nothing else. What a library
prints goes to the log, so that it does not mix with the reports.
"""

import json
import resource
import sys
import time
from importlib.metadata import version


def peak_mb():
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )


class Protocol:
    """A runner's end of the connection to `bench.interleave`."""

    def __init__(self):
        self._out, sys.stdout = sys.stdout, sys.stderr

    def ready(self, *packages, **about):
        """Report that everything is loaded, with versions and what else to say of this runner."""
        versions = {package: version(package) for package in packages}
        threads = sys.modules["torch"].get_num_threads()
        self._send({"versions": versions, "threads": threads, **about})

    def wait(self):
        """Wait for this runner's turn; the clock runs from then on."""
        if not sys.stdin.readline():
            sys.exit("the benchmark is gone")
        self._started = time.perf_counter()

    def done(self, **found):
        """Report the end of a turn."""
        self._send({"seconds": time.perf_counter() - self._started, **found})

    def end(self, **found):
        """Report the end of the last turn."""
        self._send({"peak_mb": peak_mb(), **found})

    def _send(self, message):
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()
