"""What the tests share: the real cells, where there are any."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder of the real raw files; skips the test where there is none."""
    folder = Path(os.environ.get("VEGA_MIRROR", ROOT.parent / "shared" / "mirror"))
    if not (folder / "SHA256SUMS").exists():
        pytest.skip("no mirror of the real raw files (set VEGA_MIRROR)")
    return folder
