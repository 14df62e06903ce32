"""Names that the user types, and names of comparisons."""

import re
from collections.abc import Collection, Iterable

from scripts.common.config.run import slugs
from vega.errors import InputError

SHOWN = 8  # of many names


def pair(text: str, conditions: Collection[str]) -> tuple[str, str]:
    """Return the two conditions of `A:B`, each of which may have colons.

    >>> pair("IL2:1h:ctrl", ["ctrl", "IL2:1h"])
    ('IL2:1h', 'ctrl')
    """
    pairs = [(text[:i], text[i + 1 :]) for i, letter in enumerate(text) if letter == ":"]
    known = [each for each in pairs if set(each) <= set(conditions)]
    if not conditions:
        raise InputError(f"--contrast {text}: no column of conditions; name it by --condition")
    if not (known or (len(pairs) == 1 and all(pairs[0]))):
        raise InputError(
            f"--contrast {text}: give two conditions as A:B; there are {some(conditions)}"
        )
    return (known or pairs)[0]


def contrast_names(conditions: Iterable[str]) -> dict[str, str]:
    """Return the name of the contrast of each condition.

    >>> contrast_names(["dox+", "dox-", "β"])
    {'dox+': 'dox', 'dox-': 'dox-2', 'β': 'contrast'}
    """
    other = re.compile("[^A-Za-z0-9_.-]+")
    return slugs(conditions, lambda name: other.sub("-", name).strip("_.-") or "contrast")


def some(names: Collection[str]) -> str:
    """Return the first of many names, and how many more there are.

    >>> some("abcdefghij")
    'a, b, c, d, e, f, g, h, and 2 more'
    """
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join([*names][:SHOWN]) + more
