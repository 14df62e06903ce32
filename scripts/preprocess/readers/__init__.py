"""Readers of raw files: one function per file format, never per study.

`files` opens raw files and members of archives, `matrices` and `annotations` hold the readers.
"""

from scripts.preprocess.readers.study import read

__all__ = ["read"]
