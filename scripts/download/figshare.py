"""Addresses and checksums of a file on figshare, from the listing of its article."""

import re
from typing import Any

import requests

API = "https://api.figshare.com/v2"
DOWNLOADS = "https://ndownloader.figshare.com"
DOI = re.compile(r"doi:10\.6084/m9\.figshare\.(?P<article>\d+)/(?P<name>.+)")
PAGE_SIZE = 1000  # files in a listing, the most that figshare allows


def addresses(file_id: int) -> list[str]:
    """Return the addresses of a file, the first choice first.

    The `download_url` of a listing is on another host, which answers programs with an empty 202.
    """
    return [f"{DOWNLOADS}/files/{file_id}", f"{API}/file/download/{file_id}"]


def find(source: str, **options: Any) -> tuple[list[str], dict[str, int | str]]:
    """Return addresses and checksums of the file `doi:10.6084/m9.figshare.<article>/<name>`.

    Other sources are their own address, without checksums. `options` are those of `requests.get`,
    whose errors are passed on; an answer that lists no such file is a `ValueError`.
    """
    match = DOI.fullmatch(source)
    if not match:
        return [source], {}
    url = f"{API}/articles/{match['article']}/files"
    answer = requests.get(url, params={"page_size": PAGE_SIZE}, **options)
    if answer.status_code != 200:
        raise requests.HTTPError(response=answer)
    try:
        listed = {str(entry["name"]): entry for entry in answer.json()}
        if entry := listed.get(match["name"]):
            checksums = {"bytes": int(entry["size"]), "md5": str(entry["computed_md5"])}
            return addresses(int(entry["id"])), checksums
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"figshare's answer is not a listing of files ({error!r})") from None
    found = ", ".join(sorted(listed)) or "none"
    raise ValueError(f"article {match['article']} has no file {match['name']} (it has {found})")
