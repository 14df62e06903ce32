"""How a runner takes its turns: it says that it is ready, waits, measures, reports, and so on.

Standard library only, since the environments of the runners share nothing else. What a library
prints goes to the log, so that it does not come between.
"""

import json
import resource
import sys
import time


class Protocol:
    """A runner's side of the line to `bench.interleave`."""

    def __init__(self):
        self._out, sys.stdout = sys.stdout, sys.stderr

    def ready(self, **about):
        """Everything is loaded. `about`: what the results should say of this runner."""
        self._send(about)

    def wait(self):
        """Until it is this runner's turn; the clock runs from then on."""
        if not sys.stdin.readline():
            sys.exit("the benchmark is gone")
        self._started = time.perf_counter()

    def done(self, **found):
        """The end of a turn."""
        self._send({"seconds": time.perf_counter() - self._started, **found})

    def end(self, **found):
        """After the last turn: the most memory that this process has had, in MB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._send({"peak_mb": peak / (1e6 if sys.platform == "darwin" else 1e3), **found})

    def _send(self, message):
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()
