"""What a large SPI table holds: every pad's and every panel's statistics, the machine's calls, and the panels that are
not whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.capture.readers.paste_settings import PasteFileSettings
from edge.capture.readers.spi_table import RefusedPanel, read_panels
from edge.paste.panel import Numbers, PastePanel
from export.paste_files.lines import lines_of
from export.paste_files.statistics import PadStatistics, channels_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelFigures:
    """One whole panel. `mean`, `sigma`, `lowest` and `highest` are (3,), by channel."""

    panel: str
    printed: str
    n_pads: int
    n_doubted: int  # pads with a number that could not be believed
    results: dict[str, int]  # the machine's words for its pads
    mean: Numbers
    sigma: Numbers
    lowest: Numbers
    highest: Numbers


@dataclass(slots=True, kw_only=True)
class TableSummary:
    """One table."""

    file: str
    pads: PadStatistics = field(default_factory=PadStatistics)
    panels: list[PanelFigures] = field(default_factory=list)
    refused: list[RefusedPanel] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)

    @property
    def n_rows(self) -> int:
        """Lines of pads, of whole and refused panels."""
        return sum(panel.n_pads for panel in self.panels) + sum(panel.n_pads for panel in self.refused)

    @property
    def pads_usual(self) -> int:
        """How many pads most panels have; 0 where there are none."""
        sizes = Counter([panel.n_pads for panel in self.panels] + [panel.n_pads for panel in self.refused])
        return max(sizes, key=lambda size: (sizes[size], size), default=0)

    def unexpected(self, pads: int | None = None) -> list[tuple[str, int]]:
        """Panels with another number of pads than `pads`, or than most, and that number."""
        expected = self.pads_usual if pads is None else pads
        sizes = [(p.panel, p.n_pads) for p in self.panels] + [(p.panel, p.n_pads) for p in self.refused]
        return [(panel, n_pads) for panel, n_pads in sizes if n_pads != expected]


def summarise(path: Path, settings: PasteFileSettings) -> TableSummary:
    """Read a table of format spi_table, one panel in memory at a time. Raises PasteFault when it is no such table."""
    return summary_of(path.name, read_panels(lines_of(path, settings), path.name, settings))


def summary_of(file: str, panels: Iterable[PastePanel | RefusedPanel]) -> TableSummary:
    """The summary of these panels."""
    summary = TableSummary(file=file)
    for panel in panels:
        if isinstance(panel, RefusedPanel):
            summary.refused.append(panel)
            continue
        summary.pads.add(panel)
        figures = _figures(panel)
        summary.results.update(figures.results)
        summary.panels.append(figures)
    return summary


def _figures(panel: PastePanel) -> PanelFigures:
    values = channels_of(panel)
    known = np.isfinite(values)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / n
    squares = np.where(known, values - mean, 0.0) ** 2
    none = ~known.any(axis=0)
    return PanelFigures(
        panel=panel.barcode,
        printed=panel.printed,
        n_pads=len(panel),
        n_doubted=int((~known).any(axis=1).sum()),
        results=dict(Counter(panel.pad_result.tolist())),
        mean=np.where(none, np.nan, mean),
        sigma=np.where(none, np.nan, np.sqrt(squares.sum(axis=0) / np.maximum(n - 1, 1))),
        lowest=np.where(none, np.nan, np.where(known, values, np.inf).min(axis=0)),
        highest=np.where(none, np.nan, np.where(known, values, -np.inf).max(axis=0)),
    )
