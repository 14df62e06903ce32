"""Captions (reStructuredText) and documents (Markdown) as HTML."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docutils.core import publish_parts
from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt

FRAME = '<div class="scroll" tabindex="0" role="region" aria-label="Table">'
INCLUDE = re.compile(r"(?m)^\.\. include:: report/(\w+\.rst)$")
# A text is a text: it includes no file and brings no markup of its own.
PLAIN = {"raw_enabled": False, "file_insertion_enabled": False, "report_level": 5}


def caption(path: Path, config: Mapping[str, Any], **wildcards: str) -> str:
    """Return a caption of Snakemake's report, with the same settings."""
    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(
        path.read_text(encoding="utf-8")
    )
    text = template.render(
        snakemake=SimpleNamespace(config=config, wildcards=SimpleNamespace(**wildcards))
    )
    # The only files that it includes are other captions.
    text = INCLUDE.sub(lambda found: (path.parent / found[1]).read_text(encoding="utf-8"), text)
    return publish_parts(text, writer="html5", settings_overrides=PLAIN)["body"]


def document(path: Path | str) -> str:
    """Return a document as HTML without its title; its other headings are one level lower."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(Path(path).read_text(encoding="utf-8"))[3:]  # without the title
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1]) + 1}"
    text = markdown.renderer.render(tokens, markdown.options, {})
    # A table that is too wide for a screen is moved in its own frame.
    return text.replace("<table>", f"{FRAME}<table>").replace("</table>", "</table></div>")
