"""Files of an article on figshare, whose listing says where they are and what they must be."""

import itertools
import re
from dataclasses import dataclass
from typing import Any

import requests

API = "https://api.figshare.com/v2"
DOWNLOADS = "https://ndownloader.figshare.com"
DOI = re.compile(r"doi:10\.6084/m9\.figshare\.(?P<article>\d+)/(?P<name>.+)")
PAGE = 100  # files on a page of the listing


@dataclass(frozen=True)
class ListedFile:
    """A file of an article, as figshare lists it."""

    name: str
    id: int
    bytes: int
    md5: str

    @property
    def urls(self) -> list[str]:
        """Where it is, the first choice first."""
        return addresses(self.id)


def addresses(number: int) -> list[str]:
    """Return where the file of an id is, the first choice first.

    The `download_url` of a listing leads to another host, which answers scripts with status 202
    and nothing.
    """
    return [f"{DOWNLOADS}/files/{number}", f"{API}/file/download/{number}"]


def listing(article: str, **asked: Any) -> dict[str, ListedFile]:
    """Files of the newest version of an article, by name.

    `asked` is given to `requests.get`, whose errors are let through; an answer that is no listing
    raises `ValueError`.
    """
    files: dict[str, ListedFile] = {}
    for page in itertools.count(1):
        answer = requests.get(
            f"{API}/articles/{article}/files", params={"page": page, "page_size": PAGE}, **asked
        )
        if answer.status_code != 200:
            raise requests.HTTPError(response=answer)
        try:
            listed = [
                ListedFile(
                    str(entry["name"]),
                    int(entry["id"]),
                    int(entry["size"]),
                    str(entry["computed_md5"]),
                )
                for entry in answer.json()
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"figshare's answer is not a listing of files ({error!r})") from None
        files |= {file.name: file for file in listed}
        if len(listed) < PAGE:
            return files


def find(doi: str, **asked: Any) -> ListedFile | None:
    """The file of `doi:10.6084/m9.figshare.<article>/<name>`; None for any other source.

    Raises
    ------
    ValueError
        If the article has no such file.
    """
    match = DOI.fullmatch(doi)
    if not match:
        return None
    files = listing(match["article"], **asked)
    if match["name"] not in files:
        has = ", ".join(sorted(files)) or "none"
        raise ValueError(f"article {match['article']} has no file {match['name']} (it has {has})")
    return files[match["name"]]
