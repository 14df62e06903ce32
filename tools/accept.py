"""Take a file of your own as it is now, after you changed it: `python -m tools.accept own.gmt`."""

import sys
from pathlib import Path

from tools.new_study.write import accept
from vega.errors import InputError


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
