"""One board of X-rayed joints: its regions held against the recipe's, joints cut from their slices, scores, a verdict.
Built once; `inspect` never raises for what a file holds.

A joint whose region is wrong is not judged: its score would be of something else. The board is held for it, unless
another joint is defective.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from edge.annotate import annotate
from edge.axi.board import AxiBoard, AxiFault, AxiJoint
from edge.axi.board_reader import AxiReader
from edge.axi.drawing import AxiDrawing
from edge.axi.recipe import AxiRecipe
from edge.board import Board, Finding, Image, Outcome, Region, Verdict
from edge.bundle import ROI_LIMIT, BundleFault, read_bundle
from edge.clock import Clock
from edge.crop import crop_slices
from edge.deadline import Deadline
from edge.engine.fallback import load_with_fallback
from edge.gate import MAX_DETAIL_CHARS, Judged
from edge.inspection import Inspected
from edge.judging import Judging
from edge.lanes import check_stricter, findings_of
from edge.register import NotRegistered
from edge.scorers import EngineChoice, checked_scores, load_scorer

CHUNK_JOINTS = 64  # cut and scored at a time: 6 MB of slices at 128 px
NAMED = 3  # joints named in a detail


@dataclass(frozen=True, slots=True, kw_only=True)
class AxiInspected(Inspected):
    """With the joints that were not judged, and why, by name."""

    wrong: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a board shows, before it is judged: `wrong` says of joints that were not, why."""

    findings: tuple[Finding, ...]
    wrong: Mapping[str, str]
    n_unlisted: int = 0


class AxiInspection:
    """Inspects boards of one recipe of X-rayed joints. `inspect` gives exactly one verdict for every board."""

    def __init__(self, recipe: AxiRecipe, engine: EngineChoice, clock: Clock) -> None:
        """Raises BundleFault."""
        self.recipe = recipe
        settings = recipe.settings
        bundle = read_bundle(recipe.bundle_folder, settings.bundle.sha256)
        self._contract = bundle.manifest.contract
        if self._contract.n_slices is None:
            raise BundleFault(f"{bundle.folder}: family {bundle.manifest.family} does not judge joints in slices")
        if (most := max(view.n_slices for view in settings.views.values())) > self._contract.n_slices:
            raise BundleFault(f"{recipe.folder}: a view has {most} slices, the bundle takes {self._contract.n_slices}")
        loaded = load_with_fallback(bundle, replace(engine, maps=False), load=load_scorer)
        self._scorer = loaded.scorer
        limit, own = bundle.threshold(loaded.choice.precision).value, settings.threshold
        check_stricter(str(recipe.folder), own, limit)
        self._limit = limit if own is None else own
        self._places = {(place.refdes, place.pin): place for place in recipe.places}
        side_px = self._contract.crop_px
        self._crops = np.zeros((CHUNK_JOINTS, side_px, side_px, self._contract.n_slices), np.uint8)
        self._drawing = AxiDrawing(settings.views)
        self.judged = Judged(
            recipe_id=settings.id,
            recipe_sha256=recipe.sha256,
            bundle_sha256=bundle.sha256,
            n_regions=len(recipe.places),
        )
        self._judging = Judging(self.judged, clock, settings.verdict_budget_ms)
        self.reader = AxiReader(settings=settings.file, recipe_dir=recipe.folder)

    def inspect(self, board: Board, on_stage: Callable[[], object] | None = None) -> Inspected:
        """Judge one board. Whatever goes wrong is UNDECIDED with the reason, never a pass."""
        if board.axi is None:
            why = board.capture_fault or "no X-ray slices, and this recipe is of joints in them"
            return Inspected(verdict=self._judging.held(board, board.fault_reason, why), maps=None)
        verdict, seen = self._judging.verdict(board, partial(self._look, board.axi), on_stage)
        if seen is None:
            return Inspected(verdict=verdict, maps=None)
        return AxiInspected(verdict=_with_story(verdict, seen, board.axi), maps=None, wrong=seen.wrong)

    def drawn(self, board: Board, inspected: Inspected) -> Image | None:
        """The board's views with the verdict, and wrong regions, drawn on them."""
        if board.axi is None:
            return None
        wrong = inspected.wrong if isinstance(inspected, AxiInspected) else {}
        return annotate(self._drawing.paint(board.axi, wrong), inspected.verdict)

    def _look(self, board: AxiBoard, deadline: Deadline) -> _Seen:
        self._check_program(board)
        wrong = self._wrong(board)
        deadline.stamp("regions")
        findings: list[Finding] = []
        refused = {joint.name: why for joint, why in wrong.items()}
        for view, slices in enumerate(board.views):
            right = [joint for joint in board.joints if joint.view == view and joint not in wrong]
            for start in range(0, len(right), CHUNK_JOINTS):
                found, unsure = self._judge(slices.slices, slices.name, right[start : start + CHUNK_JOINTS])
                findings += found
                refused |= unsure
                deadline.stamp("score")
        return _Seen(findings=tuple(findings), wrong=refused)

    def _check_program(self, board: AxiBoard) -> None:
        """The machine ran this recipe's program: its board, its joints, its slices."""
        settings = self.recipe.settings
        if board.board_type != settings.board_type:
            raise NotRegistered(f"board type {board.board_type!r}, the recipe is for {settings.board_type!r}")
        for view in board.views:
            if view.name not in settings.views:
                raise NotRegistered(f"view {view.name!r} is none of the recipe's {sorted(settings.views)[:NAMED]}")
            usual = settings.views[view.name]
            expected = (usual.height_px, usual.width_px, usual.n_slices)
            if view.slices.shape != expected:
                raise AxiFault(f"view {view.name}: slices {view.slices.shape}, the recipe has {expected}")
        for joint in board.joints:
            place = self._places.get((joint.refdes, joint.pin))
            if place is None or place.view != board.views[joint.view].name:
                raise NotRegistered(
                    f"joint {joint.name} in view {board.views[joint.view].name} is none of the recipe's"
                )

    def _wrong(self, board: AxiBoard) -> dict[AxiJoint, str]:
        """Joints whose region is not where, or what size, it should be."""
        limits = self.recipe.settings.roi_limits
        faults = {joint: limits.fault(self._places[joint.refdes, joint.pin], joint) for joint in board.joints}
        return {joint: fault for joint, fault in faults.items() if fault}

    def _judge(self, slices: Image, view: str, joints: list[AxiJoint]) -> tuple[list[Finding], dict[str, str]]:
        """Joints of one view, at most CHUNK_JOINTS: findings, and those the graph says are in a wrong region."""
        boxes = np.array([joint.box_px for joint in joints], np.float64)
        sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) * self._contract.region_scale
        crops = self._crops[: len(joints)]
        crop_slices(slices, (boxes[:, :2] + boxes[:, 2:]) / 2, sides, self._contract.crop_px, crops)
        scored = checked_scores(self._scorer, crops)
        unsure = np.zeros(len(joints), bool) if scored.roi is None else scored.roi > ROI_LIMIT
        found = findings_of(self._contract, tuple(self._region(view, joint) for joint in joints), scored)
        names = [joint.name for joint in joints]
        return (
            [finding for finding, out in zip(found, unsure, strict=True) if not out],
            {name: "shows no joint of its own" for name, out in zip(names, unsure, strict=True) if out},
        )

    def _region(self, view: str, joint: AxiJoint) -> Region:
        x0, y0, x1, y1 = self._drawing.box_px(view, joint.box_px)
        return Region(
            refdes=joint.refdes,
            pin=joint.pin,
            x_px=(x0 + x1) / 2,
            y_px=(y0 + y1) / 2,
            side_px=max(x1 - x0, y1 - y0),
            threshold=self._limit,
        )


def _with_story(verdict: Verdict, seen: _Seen, board: AxiBoard) -> Verdict:
    """The verdict with what the regions and the machine have to say."""
    parts = [verdict.detail]
    if seen.wrong:
        named = [f"{name} {why}" for name, why in list(seen.wrong.items())[:NAMED]]
        more = f" and {len(seen.wrong) - NAMED} more" if len(seen.wrong) > NAMED else ""
        own = f"{len(seen.wrong)} wrong regions, not judged: {', '.join(named)}{more}"
        parts = [*parts, own] if verdict.outcome is Outcome.FAIL else [own]
    called = [joint for joint in board.joints if joint.called]
    if any(joint.called is not None for joint in board.joints):
        parts.append(f"the machine called {len(called)} joints")
    return replace(verdict, detail="; ".join(parts)[:MAX_DETAIL_CHARS])
