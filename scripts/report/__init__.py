"""The report of a run: one page that needs nothing beside it."""

from scripts.report.page import report_page

__all__ = ["report_page"]
