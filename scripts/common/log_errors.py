"""Collect the errors of a run from its logs, so that Snakemake prints them at the end."""

from pathlib import Path

MARK = ": error: "  # how scripts.common.run writes an InputError into the log of its rule


def log_errors(logs: Path | str, since: float) -> list[str]:
    """Return the errors in the logs of jobs; those that differ only in the file share a line.

    Logs are `<rule or phase>/<wildcards>.log`; those before the time stamp are of earlier runs.
    """
    found: dict[str, list[str]] = {}
    for log in sorted(Path(logs).rglob("*.log")):
        if log.stat().st_mtime < since:
            continue
        name = "/".join(log.relative_to(logs).parts[1:]).removesuffix(".log")
        for line in log.read_text(errors="replace").splitlines():
            if MARK in line:
                message = line.split(MARK, 1)[1]
                key = message.replace(name, "\0", 1) if name else message
                found.setdefault(key, []).append(name)
    return [
        message.replace("\0", names[0] + (f" and {len(names) - 1} more" if names[1:] else ""))
        for message, names in found.items()
    ]
