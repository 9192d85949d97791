"""`boardgate report`: one HTML page about a bundle on a split, beside other bundles, with everything inside it."""

from __future__ import annotations

from export.report.page import report
from export.report.subjects import ReportFault

__all__ = ["ReportFault", "report"]
