"""Figures (`figures.yaml`) and raw files (`files.tsv`)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveInt

from scripts.common.config.base import Model, Name


class FigureConfig(Model):
    """A figure: its title and what it is drawn from."""

    # Snakemake's report shows it as it is, but for what it takes for wildcards.
    title: str = Field(pattern=r"^[^{}<>]*$", description="Title of the page.")
    studies: list[Name] = Field(min_length=1, description="Studies without which it is left out.")
    models: list[Name] = Field(
        [], description="Models, or other methods, whose latent space and contrasts it shows."
    )
    tables: list[Name] = Field([], description="Further tables it shows, by name.")
    expression: list[Name] = Field([], description="Studies whose expression it shows.")
    simulated: bool = Field(
        False, description="Whether it needs cells whose truth is known, and is else left out."
    )
    choices: bool = Field(
        False, description="Whether it needs choices (`robustness` in `config.yaml`), and is else "
        "left out."
    )  # fmt: skip


OWN = "file:"  # begins the URL of a user's own file
PUBLIC = r"(https?|ftp|doi):\S+"


class File(Model):
    """A raw file (`config/files.tsv`): where it is and what it must be."""

    study: Name = Field(description="Folder of the file: the study, or `gene_sets`.")
    file: Name = Field(description="Its name.")
    url: str = Field(
        "",
        pattern=rf"^(|{OWN}.+|{PUBLIC}( +{PUBLIC})*)$",
        description="Public sources, separated by blanks, which are tried in this order; "
        "`file:<path>` alone for a file on this machine; empty where there is no source.",
    )
    bytes: PositiveInt | None = Field(None, description="Its size.")
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = Field(None, description="MD5.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="SHA-256. Without any checksum the file is pinned on first use."
    )
    note: str | None = Field(None, description="What to know if the file is not available.")

    @property
    def urls(self) -> list[str]:
        """Its public sources, in the order in which they are tried."""
        return [] if self.own else self.url.split()

    @property
    def own(self) -> Path | None:
        """Where it is on this machine, if it is a user's own file."""
        own = self.url.startswith(OWN)
        return Path(self.url.removeprefix(OWN)).expanduser() if own else None
