"""Control charts of paste, pad by pad: what a process engineer sets up, without anything learned.

A comparator watches one to three values of each pad; a chart smooths them over the last boards and divides by what good
boards show. Of all values and charts the one farthest from 0 is the pad's score, in sigmas: positive for too much paste
and negative for too little. The comparators are (a) to (f) of the protocol, section 3.6:

    refit          volume in sigmas of its aperture group, mean and sigma refitted on the board itself (CRRN paper)
    group          volume in sigmas of its aperture group over good boards
    group_median   the same without the group's median on this board
    pad            volume and area in sigmas of the pad itself
    pad_level      the same without the board's level
    ewma           the same, also without what stroke and wipe usually leave, smoothed over boards
    ewma_group     (f) taken further: its own group's level instead of the board's, in sigmas of what then is left

and beside them

    own_board      volume, area and height in robust sigmas of the aperture group on this very board: needs no history

The parameters stand in `rules.json`; how they are found is the workshop's business.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from edge.board import Floats
from edge.bundle import Bundle, BundleFault
from edge.scorers.batch import ScoreBatch
from edge.scorers.choice import EngineChoice
from edge.scorers.fault import ScorerFault
from edge.settings import Settings

Comparator = Literal["refit", "group", "group_median", "pad", "pad_level", "ewma", "ewma_group", "own_board"]
MASK = "mask"
MAX_VALUES = 3

# comparator -> its values: a plane, and the plane to take away from it where there is one
VALUES: dict[Comparator, tuple[tuple[str, str | None], ...]] = {
    "refit": (("group_refitted", None),),
    "group": (("group_volume", None),),
    "group_median": (("group_centred", None),),
    "pad": (("volume", None), ("area", None)),
    "pad_level": (("volume", "volume_level"), ("area", "area_level")),
    "ewma": (("periodic_volume", None), ("periodic_area", None)),
    "ewma_group": (("steady_volume", None), ("steady_area", None)),
    "own_board": (("own_volume", None), ("own_area", None), ("own_height", None)),
}
PLANES_OF: dict[Comparator, tuple[str, ...]] = {
    name: (MASK, *(plane for pair in values for plane in pair if plane is not None)) for name, values in VALUES.items()
}

Positive = Annotated[float, Field(gt=0.0, le=1e3)]


class Chart(Settings):
    """Boards averaged with weights (1 - weight)^age. `weight` 1 is the last board alone, a Shewhart chart; less is an
    EWMA chart (Roberts 1959). `every` 2 takes every second board, those of one squeegee.

    `sigmas` has one figure a value of the comparator: spread of good pads on this chart, as of a single board, so that
    it holds for any number of boards: a smoothed value has `sigma * sqrt(sum of squared weights)`. `clips`, where there
    are any, is what a single board counts at most: paste that was bad once and is good again is then not called on.
    """

    weight: Annotated[float, Field(gt=0.0, le=1.0)]
    every: Annotated[int, Field(ge=1, le=8)] = 1
    sigmas: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=MAX_VALUES)]
    clips: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=MAX_VALUES)] | None = None


class PasteRulesFile(Settings):
    """`rules.json` of a bundle of paste rules."""

    schema_version: Literal[1] = 1
    comparator: Comparator
    charts: Annotated[tuple[Chart, ...], Field(min_length=1, max_length=8)]

    @model_validator(mode="after")
    def _a_sigma_for_each_value(self) -> PasteRulesFile:
        expected = len(VALUES[self.comparator])
        for chart in self.charts:
            for name, figures in (("sigmas", chart.sigmas), ("clips", chart.clips)):
                if figures is not None and len(figures) != expected:
                    raise ValueError(f"{self.comparator}: {len(figures)} {name}, expected {expected}")
        return self

    @property
    def limits(self) -> tuple[Chart, ...]:
        """What sets limits, to be counted in reports."""
        return self.charts


class PasteRulesScorer:
    """Scores windows by a bundle's `rules.json`. Raises BundleFault when that holds no paste rules, or when the
    contract lacks a plane they take."""

    def __init__(self, bundle: Bundle, choice: EngineChoice) -> None:
        """`choice` is taken like every scorer does; the work of one board is too small to share out to threads."""
        try:
            self._rules = PasteRulesFile.model_validate_json(bundle.model(choice.precision))
        except ValidationError as err:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors(include_url=False))
            raise BundleFault(f"{bundle.folder}/rules.json: {faults}") from None
        contract = bundle.manifest.contract
        needed = PLANES_OF[self._rules.comparator]
        planes = () if contract.window is None else contract.window.planes
        if missing := [name for name in needed if name not in planes]:
            raise BundleFault(f"{bundle.folder}: {self._rules.comparator} takes {missing}, the contract has {planes}")
        self._planes = planes
        boards = 0 if contract.window is None else contract.window.boards
        self._shape = (boards, len(planes), contract.crop_px, contract.crop_px)

    def embed(self, _windows: Floats) -> Floats:
        """Rules of paste compare nothing: raises ScorerFault."""
        raise ScorerFault("rules of paste compare nothing and give no embedding")

    def score(self, windows: Floats) -> ScoreBatch:
        """(N, T, C, S, S) float32 to score (N,) and map (N, S, S), both float32. Raises ScorerFault for windows of
        another shape."""
        if windows.dtype != np.float32 or windows.shape[1:] != self._shape or not len(windows):
            expected = f"float32 (N, {', '.join(map(str, self._shape))})"
            raise ScorerFault(f"windows: {windows.dtype} {windows.shape}, expected {expected}")
        maps = comparator_map(self._rules, windows, self._planes)
        return ScoreBatch(score=np.abs(maps).max(axis=(1, 2)), map=maps)


def comparator_map(rules: PasteRulesFile, windows: Floats, planes: tuple[str, ...]) -> Floats:
    """Signed score (N, S, S) float32 of each pad of the last board, in sigmas; 0 where none was measured.

    `windows` (N, T, C, S, S) float32, oldest board first, with planes in the order of `planes`.
    """
    values, measured = comparator_values(rules.comparator, windows, planes)
    farthest = np.zeros(measured.shape[:1] + measured.shape[2:], np.float32)
    for chart in rules.charts:
        for k, sigma in enumerate(chart.sigmas):
            clip = np.float32(np.inf if chart.clips is None else chart.clips[k])
            value = np.clip(values[:, :, k], -clip, clip)
            score = smoothed(value, measured, chart.weight, chart.every) / np.float32(sigma)
            farthest = np.where(np.abs(score) > np.abs(farthest), score, farthest)
    return np.asarray(farthest * measured[:, -1], np.float32)


def comparator_values(
    comparator: Comparator, windows: Floats, planes: tuple[str, ...]
) -> tuple[Floats, NDArray[np.bool_]]:
    """What a comparator watches, (N, T, K, S, S) float32, and where a pad was measured, (N, T, S, S) bool."""
    at = {name: k for k, name in enumerate(planes)}
    values = [
        windows[:, :, at[plane]] - (windows[:, :, at[level]] if level is not None else np.float32(0))
        for plane, level in VALUES[comparator]
    ]
    return np.stack(values, axis=2), windows[:, :, at[MASK]] > 0


def smoothed(values: Floats, measured: NDArray[np.bool_], weight: float, every: int = 1) -> Floats:
    """(N, T, S, S) to (N, S, S): weighted mean over boards, times what brings its spread back to a single board's where
    boards are independent.

    A board on which a pad was not measured has no weight there; the others' weights are renormalised.
    """
    boards = values.shape[1]
    age = np.arange(boards - 1, -1, -1)
    weights = np.where(age % every == 0, (1.0 - weight) ** (age / every), 0.0).astype(np.float32)
    used = np.flatnonzero(weights > 0)
    w = weights[used, None, None] * measured[:, used]
    total = np.einsum("ntij,ntij->nij", w, values[:, used])
    length = np.sqrt(np.square(w).sum(axis=1))
    return np.asarray(total / np.maximum(length, np.finfo(np.float32).tiny), np.float32)
