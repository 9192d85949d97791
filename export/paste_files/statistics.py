"""Mean, spread and range of every pad over panels, one panel at a time (Welford, 1962): memory holds the pads alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.paste.panel import Names, Numbers, PastePanel

CHANNELS = ("volume_pct", "area_pct", "height_um")


def channels_of(panel: PastePanel) -> Numbers:
    """(P, 3) of a panel."""
    return np.column_stack([getattr(panel, channel) for channel in CHANNELS])


class PadStatistics:
    """Statistics by pad; pads that come later than others are added."""

    def __init__(self) -> None:
        self._slot: dict[str, int] = {}
        self._last: tuple[Names, NDArray[np.int64]] = (np.array([], "U1"), np.array([], np.int64))
        self._n = np.zeros((0, 3), np.int64)
        self._mean, self._m2 = np.zeros((0, 3)), np.zeros((0, 3))
        self._min, self._max = np.zeros((0, 3)), np.zeros((0, 3))

    def add(self, panel: PastePanel) -> None:
        """Take in one panel; a number that could not be believed (NaN) counts nowhere."""
        at, values = self._slots(panel.pad), channels_of(panel)
        known = np.isfinite(values)
        self._n[at] += known
        step = np.where(known, values - self._mean[at], 0.0)
        self._mean[at] += step / np.maximum(self._n[at], 1)
        self._m2[at] += step * np.where(known, values - self._mean[at], 0.0)
        self._min[at] = np.fmin(self._min[at], values)
        self._max[at] = np.fmax(self._max[at], values)

    @property
    def pads(self) -> list[str]:
        """P names, in the order they were first seen."""
        return list(self._slot)

    @property
    def n(self) -> NDArray[np.int64]:
        """(P, 3) panels with a number, by channel."""
        return self._n

    @property
    def mean(self) -> Numbers:
        """(P, 3); NaN where no panel had a number."""
        return np.where(self._n > 0, self._mean, np.nan)

    @property
    def sigma(self) -> Numbers:
        """(P, 3) standard deviation of a sample, n - 1; NaN below two panels."""
        return np.where(self._n > 1, np.sqrt(self._m2 / np.maximum(self._n - 1, 1)), np.nan)

    @property
    def lowest(self) -> Numbers:
        """(P, 3)."""
        return self._min

    @property
    def highest(self) -> Numbers:
        """(P, 3)."""
        return self._max

    def _slots(self, pads: Names) -> NDArray[np.int64]:
        """(P,) where each pad is kept. Panels of one product name the same pads in the same order."""
        if not np.array_equal(pads, self._last[0]):
            at = np.array([self._slot.setdefault(name, len(self._slot)) for name in pads.tolist()], np.int64)
            self._last = (pads, at)
            self._grow(len(self._slot) - len(self._n))
        return self._last[1]

    def _grow(self, more: int) -> None:
        def grown(values: Numbers, fill: float) -> Numbers:
            return np.concatenate([values, np.full((more, 3), fill)])

        self._n = np.concatenate([self._n, np.zeros((more, 3), np.int64)])
        self._mean, self._m2 = grown(self._mean, 0.0), grown(self._m2, 0.0)
        self._min, self._max = grown(self._min, np.nan), grown(self._max, np.nan)
