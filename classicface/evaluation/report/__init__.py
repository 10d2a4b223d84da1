"""The report of a comparison: one page of HTML, Markdown with pictures, JSON and CSV."""

from classicface.evaluation.report.write import write_report

__all__ = ["write_report"]
