"""Take a file of your own as it is now, after you changed it: `python -m tools.accept own.gmt`."""

import sys
from pathlib import Path

from scripts.common.config.figures import OWN
from scripts.common.provenance import TABLE, measure
from tools.new_study.write import COLUMNS, locked
from vega.errors import InputError
from vega.files import atomic_write


def accept(path: Path, folder: Path) -> list[str]:
    """Give the rows of a user's own file the checksums that it has now; return their names."""
    table, found = folder / TABLE.name, []
    with locked(folder):
        lines = table.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            row = dict(zip(COLUMNS, line.split("\t"), strict=False))
            own = row.get("url", "").removeprefix(OWN)
            if own != row.get("url") and Path(own).expanduser().resolve() == path.resolve():
                row |= {key: str(value) for key, value in measure(path).items()}
                lines[number] = "\t".join(row.get(column, "") for column in COLUMNS)
                found.append(f"{row['study']}/{row['file']}")
        if not found:
            raise InputError(f"{path}: no row of {table} has this file; add it by make new-study")
        with atomic_write(table) as part:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return found


def main() -> None:
    """Write the checksums of the file into its rows of `config/files.tsv`."""
    try:
        if len(sys.argv) != 2:
            raise InputError("name one file, as in make accept FILE=own.gmt")
        names = accept(Path(sys.argv[1]), Path("config"))
    except (InputError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"config/files.tsv: {', '.join(names)}: checksums are those of {sys.argv[1]} now")


if __name__ == "__main__":
    main()
