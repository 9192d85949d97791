"""One board: register, crop, score, judge. Built once from a recipe and its bundles.

`inspect` never raises for what a board holds.

Everything slow is done when it is built: engines loaded, golden crops checked, the reference picture taken through the
whole way once, so that the first board costs no more than the hundredth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.annotate import annotate
from edge.board import Board, Finding, Image, Verdict
from edge.bundle import BundleFault
from edge.capture.board_file import PictureReader
from edge.capture.readers.picture import PictureSize
from edge.clock import Clock
from edge.deadline import Deadline
from edge.drift import board_numbers
from edge.gate import Judged
from edge.image_statistics import ImageProbe
from edge.judging import Judging
from edge.lanes import compared, crops_of_lane, findings_of, load_lanes, regions_of
from edge.recipe import Recipe
from edge.register import NotRegistered, project
from edge.registrars import registrar_of
from edge.scorers import EngineChoice, ScorerFault, checked_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """A verdict, the score maps (n, h, w) of its findings where the family has them, in the findings' order, and the
    numbers (S,) by which drift is seen, None where the board was not registered and scored."""

    verdict: Verdict
    maps: NDArray[np.float32] | None
    drift_numbers: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a picture shows, before it is judged."""

    findings: tuple[Finding, ...]
    maps: NDArray[np.float32] | None
    drift_numbers: NDArray[np.float64]
    n_unlisted: int = 0


class Inspection:
    """Inspects boards of one recipe. `inspect` gives exactly one verdict for every board it is given."""

    def __init__(self, recipe: Recipe, engine: EngineChoice, clock: Clock) -> None:
        self.recipe = recipe
        self._clock = clock
        self._lanes = load_lanes(recipe, engine)
        self._registrar = registrar_of(recipe.reference, recipe.settings.registration)
        self._probe = ImageProbe(recipe.reference, np.array([(p.x_px, p.y_px) for p in recipe.settings.places]))
        self.judged = Judged(
            recipe_id=recipe.settings.id,
            recipe_sha256=recipe.sha256,
            bundle_sha256=_bundle_set_sha256([lane.bundle.sha256 for lane in self._lanes]),
            n_regions=len(recipe.settings.places),
        )
        self._judging = Judging(self.judged, clock, recipe.settings.verdict_budget_ms)
        self._prove_on_reference()

    def inspect(self, board: Board, on_stage: Callable[[], object] | None = None) -> Inspected:
        """Judge one board. Whatever goes wrong is UNDECIDED with the reason, never a pass."""
        if board.image is None:
            why = board.capture_fault or "no picture, and the recipe is of one"
            return Inspected(verdict=self._judging.held(board, board.fault_reason, why), maps=None)
        verdict, seen = self._judging.verdict(board, partial(self._look, board.image), on_stage)
        if seen is None:
            return Inspected(verdict=verdict, maps=None)
        return Inspected(verdict=verdict, maps=seen.maps, drift_numbers=seen.drift_numbers)

    @property
    def reader(self) -> PictureReader:
        """Pictures of the recipe's size."""
        picture = self.recipe.settings.picture
        return PictureReader(size=PictureSize(width_px=picture.width_px, height_px=picture.height_px))

    def drawn(self, board: Board, inspected: Inspected) -> Image | None:
        """The picture with its verdict drawn on it."""
        return None if board.image is None else annotate(board.image, inspected.verdict, inspected.maps)

    def _look(self, image: Image, deadline: Deadline) -> _Seen:
        registration = self._registrar.register(image)
        deadline.stamp("register")
        findings: list[Finding] = []
        maps: list[NDArray[np.float32]] = []
        for lane in self._lanes:
            seen = project(registration, lane.places, image.shape[:2])
            regions = regions_of(lane, seen)
            crops = crops_of_lane(lane, image, registration, seen)
            deadline.stamp("crop")
            if regions:
                scored = checked_scores(lane.scorer, compared(lane, seen, crops))
                findings += findings_of(lane.bundle.manifest.contract, regions, scored)
                if scored.map is not None:
                    maps.append(scored.map)
            deadline.stamp("score")
        whole = np.concatenate(maps) if maps and len(maps) == len(self._lanes) == 1 else None
        numbers = board_numbers(self._probe.measure(image, registration.homography), findings)
        deadline.stamp("drift")
        return _Seen(findings=tuple(findings), maps=whole, drift_numbers=numbers)

    def _prove_on_reference(self) -> None:
        """Take the reference through the whole way: warms everything up, and a recipe that cannot see its own
        reference is found now and not on the line."""
        patient = Deadline(self._clock, start_ns=self._clock.now_ns(), budget_ms=10 * 60_000)
        try:
            findings = self._look(self.recipe.reference, patient).findings
        except (NotRegistered, ScorerFault) as err:
            raise BundleFault(f"{self.recipe.folder}: the recipe's own reference: {err}") from err
        if len(findings) != self.judged.n_regions:
            raise BundleFault(
                f"{self.recipe.folder}: {len(findings)} of {self.judged.n_regions} places lie whole on the reference"
            )


def _bundle_set_sha256(hashes: list[str]) -> str:
    """One bundle's own hash, or the hash over the sorted hashes of several."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()
