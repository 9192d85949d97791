"""One panel of paste: its pads in the recipe's order, the window of the last boards, scores, a verdict; and what the
printer does wrong, where the bundle can name it. Built once; `inspect` never raises for what a file holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.annotate import annotate
from edge.board import Board, Finding, Floats, Image, PrinterFault, Region, Verdict
from edge.bundle import BundleFault, read_bundle
from edge.clock import Clock
from edge.deadline import Deadline
from edge.engine.fallback import load_with_fallback
from edge.gate import MAX_DETAIL_CHARS, Judged
from edge.inspection import Inspected
from edge.judging import Judging
from edge.lanes import check_stricter
from edge.paste.board_reader import PasteReader
from edge.paste.drawing import Drawing
from edge.paste.learn import values_of
from edge.paste.panel import PasteFault, PastePanel
from edge.paste.planes import PLANES, BoardPads, pads_of_map
from edge.paste.printer_watch import PrinterWatch
from edge.paste.recipe import PasteRecipe
from edge.paste.window import PasteWindow
from edge.register import NotRegistered
from edge.scorers import EngineChoice, ScorerFault, checked_scores, load_scorer

MAX_LISTED_DEFECTS = 2_000  # of a verdict's findings: with the good ones below it stays under the handover's 4 MB
LISTED_GOOD = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a panel shows, before it is judged."""

    findings: tuple[Finding, ...]
    n_unlisted: int
    restarted: str  # why the window begins anew with this board, or nothing
    printer_fault: PrinterFault | None


class PasteInspection:
    """Inspects panels of one recipe of paste. `inspect` gives exactly one verdict for every board it is given."""

    def __init__(self, recipe: PasteRecipe, engine: EngineChoice, clock: Clock) -> None:
        """Raises BundleFault."""
        self.recipe = recipe
        bundle = read_bundle(recipe.bundle_folder, recipe.settings.bundle.sha256)
        contract = bundle.manifest.contract
        spec = contract.window
        if spec is None:
            raise BundleFault(f"{bundle.folder}: family {bundle.manifest.family} judges pictures, not paste")
        if contract.crop_px != recipe.table.side_cells:
            ours = f"{recipe.folder}: its pads lie on tiles of {recipe.table.side_cells} cells a side"
            raise BundleFault(f"{ours}, the bundle takes {contract.crop_px}")
        if unknown := sorted(set(spec.planes) - PLANES.keys()):
            raise BundleFault(f"{bundle.folder}: planes {unknown}; there are {sorted(PLANES)}")
        loaded = load_with_fallback(bundle, replace(engine, maps=True), load=load_scorer)
        self._scorer = loaded.scorer
        limit, own = bundle.threshold(loaded.choice.precision).value, recipe.settings.threshold
        check_stricter(str(recipe.folder), own, limit)
        self._limit = limit if own is None else own
        self._window = PasteWindow(recipe.table, spec.planes, spec.boards)
        self._watch = PrinterWatch(bundle, recipe.table)
        self.drawing = Drawing(recipe.table)
        self._regions = _regions(recipe, self.drawing, self._limit)
        self.judged = Judged(
            recipe_id=recipe.settings.id,
            recipe_sha256=recipe.sha256,
            bundle_sha256=bundle.sha256,
            n_regions=len(recipe.table.pad),
        )
        self._judging = Judging(self.judged, clock, recipe.settings.verdict_budget_ms)
        self._prove_on_usual_print()

    def inspect(self, board: Board, on_stage: Callable[[], object] | None = None) -> Inspected:
        """Judge one board. Whatever goes wrong is UNDECIDED with the reason, never a pass."""
        if board.panel is None:
            why = board.capture_fault or "a picture, and this recipe is of paste"
            return Inspected(verdict=self._judging.held(board, board.fault_reason, why), maps=None)
        verdict, seen = self._judging.verdict(board, partial(self._look, board.panel), on_stage)
        if seen is not None:
            verdict = _with_story(verdict, seen, board.panel)
        return Inspected(verdict=verdict, maps=None)

    @property
    def reader(self) -> PasteReader:
        """Files of the recipe's machine."""
        return PasteReader(settings=self.recipe.settings.file)

    def drawn(self, board: Board, inspected: Inspected) -> Image | None:
        """The panel with the verdict drawn on it; None for a panel of other pads."""
        if board.panel is None:
            return None
        try:
            return annotate(self.drawing.paint(board.panel), inspected.verdict)
        except PasteFault:
            return None

    def _look(self, panel: PastePanel, deadline: Deadline) -> _Seen:
        table, settings = self.recipe.table, self.recipe.settings
        if settings.job and panel.job != settings.job:
            self._forget()
            raise NotRegistered(f"program {panel.job!r}, the recipe is for {settings.job!r}; window emptied")
        values = values_of(panel, table.pad)
        deadline.stamp("pads")
        pads = BoardPads(table, values, panel.counter)
        restarted = self._window.push(pads)
        if restarted:
            self._watch.clear()
        deadline.stamp("planes")
        scored = checked_scores(self._scorer, self._window.values)
        if scored.map is None:
            raise ScorerFault("a graph of paste gives a map, this one gives none")
        deadline.stamp("score")
        fault = self._watch.observe(pads, scored.map, self.drawing)
        deadline.stamp("printer")
        signed = pads_of_map(table, scored.map)
        findings, n_unlisted = self._findings(signed, pads.measured)
        return _Seen(findings=findings, n_unlisted=n_unlisted, restarted=restarted, printer_fault=fault)

    def _findings(self, signed: Floats, measured: NDArray[np.bool_]) -> tuple[tuple[Finding, ...], int]:
        """The worst pads, as findings, and how many measured ones are not listed."""
        size = np.where(measured, np.abs(signed), -1.0)
        if not np.isfinite(size).all():
            raise ScorerFault("map: a pad's score is not finite")
        n_defects = int((size > self._limit).sum())
        n_listed = min(int(measured.sum()), min(n_defects, MAX_LISTED_DEFECTS) + LISTED_GOOD)
        worst = np.argsort(-size, kind="stable")[:n_listed]
        findings = tuple(
            Finding(region=self._regions[k], score=float(size[k]), kind="excess" if signed[k] > 0 else "insufficient")
            for k in worst.tolist()
        )
        return findings, int(measured.sum()) - n_listed

    def _forget(self) -> None:
        self._window.clear()
        self._watch.clear()

    def _prove_on_usual_print(self) -> None:
        """Take a board of means through the whole way: warms everything up, and a recipe whose usual print fails is
        found now and not on the line."""
        table = self.recipe.table
        try:
            self._window.push(BoardPads(table, table.mean_pct, None))
            scored = checked_scores(self._scorer, self._window.values)
        except ScorerFault as err:
            raise BundleFault(f"{self.recipe.folder}: the recipe's own usual print: {err}") from err
        if float(scored.score.max()) > self._limit:
            worst = float(scored.score.max())
            raise BundleFault(
                f"{self.recipe.folder}: the recipe's own usual print scores {worst:.3g}, over {self._limit:.3g}"
            )
        self._forget()


def _regions(recipe: PasteRecipe, drawing: Drawing, limit: float) -> list[Region]:
    regions = []
    for name, x_px, y_px in zip(recipe.table.pad.tolist(), drawing.x_px.tolist(), drawing.y_px.tolist(), strict=True):
        refdes, _, pin = name.rpartition("/")
        regions.append(
            Region(
                refdes=refdes or name,
                pin=pin if refdes else "",
                x_px=x_px,
                y_px=y_px,
                side_px=drawing.side_px,
                threshold=limit,
            )
        )
    return regions


def _with_story(verdict: Verdict, seen: _Seen, panel: PastePanel) -> Verdict:
    """The verdict with what the window and the printer have to say, in words too."""
    parts = [verdict.detail]
    if seen.printer_fault is not None:
        parts.append(f"printer: {seen.printer_fault}")
    if seen.restarted:
        parts.append(f"window begins anew: {seen.restarted}")
    parts += panel.faults[:2]
    return replace(verdict, detail="; ".join(parts)[:MAX_DETAIL_CHARS], printer_fault=seen.printer_fault)
