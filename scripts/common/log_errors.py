"""Collect errors, and analyses that were left out, from the logs of a run, to print at the end."""

import sys
from pathlib import Path

MARK = ": error: "  # how scripts.common.run writes an InputError into the log of its rule
LEFT_OUT = "left out: "  # begins the message of an analysis that cannot be made


def log_errors(logs: Path | str, since: float, mark: str = MARK) -> list[str]:
    """Return the errors in the logs of jobs; those that differ only in the file share a line.

    Logs are `<rule or phase>/<wildcards>.log`; those before the time stamp are of earlier runs.
    """
    found: dict[str, list[str]] = {}
    for log in sorted(Path(logs).rglob("*.log")):
        if log.stat().st_mtime < since:
            continue
        name = "/".join(log.relative_to(logs).parts[1:]).removesuffix(".log")
        for line in log.read_text(errors="replace").splitlines():
            if mark in line:
                message = line.split(mark, 1)[1]
                key = message.replace(name, "\0", 1) if name else message
                found.setdefault(key, []).append(name)
    return [
        message.replace("\0", names[0] + (f" and {len(names) - 1} more" if names[1:] else ""))
        for message, names in found.items()
    ]


def print_left_out(logs: Path | str) -> None:
    """Print what a run has left out."""
    for line in log_errors(logs, 0, LEFT_OUT):
        print(LEFT_OUT + line, file=sys.stderr)


if __name__ == "__main__":
    print_left_out(sys.argv[1])
