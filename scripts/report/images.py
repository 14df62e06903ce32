"""Pictures as parts of a page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

WIDTH = 1800  # pixels: sharp on a screen of twice the usual density, where a page is 900 wide
QUALITY = 86


@dataclass(frozen=True)
class Picture:
    """A picture as a part of the page itself."""

    data: str
    width: int
    height: int


def embedded(path: Path | str) -> Picture:
    """Return a picture file as WebP in a data URI, no wider than a page shows it."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.LANCZOS)
    packed = io.BytesIO()
    image.save(packed, "WEBP", quality=QUALITY, method=4)
    text = base64.b64encode(packed.getvalue()).decode()
    return Picture(f"data:image/webp;base64,{text}", image.width, image.height)
