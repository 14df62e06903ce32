"""Find phrases that are hard to understand in text, docstrings, comments and messages.

python -m tools.lint_language [FILE ...]

`make lint` checks all files of the repository. A phrase may be broken over two lines. To forbid
another one, add it to `PHRASES` with what to write instead.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What is not written, as regular expressions, and what to write instead.
PHRASES = {
    r"(stands?|named|listed) twice": "duplicate",
    r"(stand|stands|standing) (at|below|beside|between|here|in|on|once)": "is",
    r"(go|goes|going|went) on": "continues, resumes",
    r"anew": "again",
    r"(once|twice) more": "again, one more",
    r"besides?": "next to, with, in addition to",
    r"what came of": "the result of",
    r"one[’']s own": "your own",
    r"(is|was|are|were|not|what) planted|planted truth": "simulated, has a simulated effect",
    r"broken off": "interrupted",
    r"(come|comes|came|coming) back": "is reproduced, is recovered",
    r"number by number": "for every number",
    r"ask for less": "name the limit and the setting",
    r"nothing is left": "name what is missing",
    r"(tell|tells|told) apart": "distinguish",
    r"(be|is|are) had": "is available",
    r"(is|are|was|were|not) told": "is described, is given",
    r"peers": "baselines",
    r"standard page": "summary page",
    r"mends?": "fix, correct",
    r"what it took": "run times and resources",
}
TEXTS = {".md", ".ipynb", ".py", ".smk", ".yaml", ".yml", ".rst", ".jinja", ".js", ".in", ".toml"}
NAMES = {"Makefile", "Snakefile", "Containerfile", "claims.tsv", "run"}
# The list itself and its test; written from other files.
LEFT_OUT = {
    "tools/lint_language.py", "tests/tools/test_lint_language.py", "envs/vega.yaml",
}  # fmt: skip

# Between two words: blanks, and at the end of a line what ends and begins strings and comments.
BETWEEN = r"""(?:[\s#|*>"]|(?<=["'\s])f(?=["']))+"""


def findings(text: str) -> list[tuple[int, str, str]]:
    """Return the forbidden phrases of a text, with their lines and what to write instead.

    >>> findings("A run that was broken\\n# off goes on.")
    [(1, 'broken off', 'interrupted'), (2, 'goes on', 'continues, resumes')]
    """
    found = []
    for phrase, instead in PHRASES.items():
        pattern = rf"(?i)(?<![\w/-])(?:{phrase.replace(' ', BETWEEN)})(?![\w-])"
        for match in re.finditer(pattern, text):
            words = re.sub(BETWEEN, " ", match[0])
            found.append((text.count("\n", 0, match.start()) + 1, words, instead))
    return sorted(found)


def checked(path: str) -> bool:
    """Return whether a file, relative to the repository, has text to be checked."""
    file = Path(path)
    is_text = file.suffix in TEXTS or file.name in NAMES
    return is_text and path not in LEFT_OUT and file.parts[:2] != ("config", "schemas")


def text_of(path: Path) -> str:
    """Return the text of a file; of the changelog what is not yet released."""
    text = path.read_text(encoding="utf-8")
    if path.name == "CHANGELOG.md":
        releases = [m.start() for m in re.finditer(r"(?m)^## ", text)]
        text = text[: releases[1]] if len(releases) > 1 else text
    return text


def report(root: Path, paths: Iterable[str]) -> Iterator[str]:
    """Yield one line for each phrase: file, line, phrase and what to write instead."""
    for path in filter(checked, paths):
        for line, phrase, instead in findings(text_of(root / path)):
            yield f"{path}:{line}: {phrase} -> {instead}"


def main() -> None:
    """Print the findings in the named files, or in all of the repository; exit with 1 if any."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    paths = sys.argv[1:]
    if not paths:
        files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
        paths = [path for path in files.stdout.splitlines() if (ROOT / path).is_file()]
    lines = list(report(ROOT, paths))
    print(*lines, sep="\n", end="\n" if lines else "")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
