"""The families that a report can be asked about by name: each with its paper, beside what the project measured."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from export.report.comparison import Comparison, comparisons
from export.report.measured import Measured, measured
from export.report.published import Paper
from export.report.subjects import ReportFault

# Family -> the module with `PAPER` and `shared_rows(result)`, imported when asked for: tables of results read it too.
PAPERS = {
    "axi_joint": "export.families.axi_joint.paper",
    "pth_component": "export.families.pth_component.paper",
    "solder_joint": "export.families.solder_joint.paper",
}
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyReport:
    """A family's name, its paper, the project's committed results, and charts of both on the same axes."""

    name: str
    paper: Paper
    results: tuple[Measured, ...]
    comparisons: tuple[Comparison, ...]


def family_report(name: str) -> FamilyReport:
    """What is known of a family without any bundle. Raises ReportFault for a name without a paper."""
    if name not in PAPERS:
        raise ReportFault(f"{name}: no paper of that family is known; there are {sorted(PAPERS)}")
    module, results = importlib.import_module(PAPERS[name]), measured(name)
    paper: Paper = module.PAPER
    rows = [row for result in results for row in module.shared_rows(result.content)]
    return FamilyReport(name=name, paper=paper, results=results, comparisons=tuple(comparisons(paper, rows)))


def family_or_bundle(what: str) -> tuple[str | None, Path | None]:
    """A family's name, or a bundle's folder: whichever `what` is. A folder with a manifest is a bundle whatever it is
    called. Raises ReportFault when it is neither."""
    if (Path(what) / MANIFEST).is_file():
        return None, Path(what)
    if what in PAPERS:
        return what, None
    if Path(what).is_dir():
        return None, Path(what)  # no bundle, but reading it says best what it lacks
    raise ReportFault(f"{what}: is neither a bundle folder nor a family; families are {sorted(PAPERS)}")
