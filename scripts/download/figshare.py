"""Addresses and checksums of a file on figshare, from the listing of its article."""

import re
from typing import Any, NamedTuple

import requests

API = "https://api.figshare.com/v2"
DOWNLOADS = "https://ndownloader.figshare.com"
DOI = re.compile(r"doi:10\.6084/m9\.figshare\.(?P<article>\d+)/(?P<name>.+)")
PAGE_SIZE = 1000  # files in a listing, the most that figshare allows


class ListedFile(NamedTuple):
    """A file of an article."""

    urls: list[str]  # the first choice first
    checksums: dict[str, int | str]


def addresses(file_id: int) -> list[str]:
    """Return the addresses of a file, the first choice first.

    The `download_url` of a listing is on another host, which answers programs with an empty 202.
    """
    return [f"{DOWNLOADS}/files/{file_id}", f"{API}/file/download/{file_id}"]


def find(source: str, **options: Any) -> ListedFile | None:
    """Return the file of `doi:10.6084/m9.figshare.<article>/<name>`; None for other sources.

    `options` are those of `requests.get`, whose errors are passed on.

    Raises
    ------
    ValueError
        If the answer is not a listing, or the article has no such file.
    """
    match = DOI.fullmatch(source)
    if not match:
        return None
    url = f"{API}/articles/{match['article']}/files"
    answer = requests.get(url, params={"page_size": PAGE_SIZE}, **options)
    if answer.status_code != 200:
        raise requests.HTTPError(response=answer)
    try:
        listed = {str(entry["name"]): entry for entry in answer.json()}
        if entry := listed.get(match["name"]):
            checksums = {"bytes": int(entry["size"]), "md5": str(entry["computed_md5"])}
            return ListedFile(addresses(int(entry["id"])), checksums)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"figshare's answer is not a listing of files ({error!r})") from None
    found = ", ".join(sorted(listed)) or "none"
    raise ValueError(f"article {match['article']} has no file {match['name']} (it has {found})")
