"""What went wrong in a run, said once at its end instead of somewhere in its output."""

from pathlib import Path

MARK = ": error: "  # how scripts.common.run writes an InputError into the log of its rule


def failures(logs: Path | str, since: float) -> list[str]:
    """The errors that jobs wrote into their logs, one line for what is the same but for the file.

    Parameters
    ----------
    logs
        Folder of the run's logs, `<rule or phase>/<what the job was about>.log`.
    since
        Time stamp from which on logs are of this run.
    """
    found: dict[str, list[str]] = {}
    for log in sorted(Path(logs).rglob("*.log")):
        if log.stat().st_mtime < since:
            continue
        about = "/".join(log.relative_to(logs).parts[1:]).removesuffix(".log")
        for line in log.read_text(errors="replace").splitlines():
            if MARK in line:
                message = line.split(MARK, 1)[1]
                before, named, after = message.partition(about) if about else (message, "", "")
                found.setdefault(f"{before}\0{after}" if named else message, []).append(about)
    return [
        message.replace("\0", names[0] + (f" and {len(names) - 1} more" if names[1:] else ""))
        for message, names in found.items()
    ]
