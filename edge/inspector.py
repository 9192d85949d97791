"""The inspector process: capture, register, score, judge, hand over. Every trigger ends in exactly one verdict.

It owns the pictures and the engine and knows no network. It may hang or die: the gate process sees its loop counter
stand still, the gate hardware trips, and whoever supervises starts it again.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from edge.board import Board, Reason, Verdict
from edge.bundle import BundleFault
from edge.capture import Capture
from edge.capture.folder import FolderCapture
from edge.capture.replay import ReplayCapture
from edge.clock import Clock
from edge.drift import DriftMonitor, drift_key, under_drift
from edge.engine_choice import measured_choice
from edge.gate import Judged, undecided
from edge.handover import Handover
from edge.inspections import AnyRecipe, BoardInspection, bundles_of, inspection_of, open_recipe
from edge.notify import Notifier
from edge.process import collect_garbage, pin_process, quiet_garbage
from edge.scorers import EngineChoice
from edge.settings import SettingsFault
from edge.station import Station

IDLE_POLL_MS = 50  # also how often the loop counter moves while there is nothing to judge
DRIFT_FILE = "drift.json"  # in the inspector's folder; removed while it is stopped, it learns what is usual anew
READY_RETRY_NS = 5_000_000_000  # a recipe or bundle that was refused is looked at again this often

log = logging.getLogger("boardgate.inspector")


class Inspector:
    """The loop and what it needs. One thread."""

    def __init__(self, station: Station, clock: Clock, notifier: Notifier) -> None:
        self._station = station
        self._clock = clock
        self._notifier = notifier
        self._handover = Handover(station.handover_socket, clock)
        self._settings_engine = EngineChoice(
            engine=station.settings.inspect.engine,
            precision=station.settings.inspect.precision,
            threads=station.settings.inspect.threads,
            maps=False,
        )
        self._not_ready = ""
        self._retry_ns = 0
        self._drift = DriftMonitor(None, "")  # of nothing, until a recipe is ready
        self._inspection = self._load()
        self._capture: Capture = self._open_capture()
        self._loops = 0

    def run(self, stop: threading.Event) -> None:
        """Inspect boards until told to stop."""
        quiet_garbage()
        self._notifier.ready()
        while not stop.is_set():
            self._beat()
            board = self._capture.next_board(IDLE_POLL_MS)
            if board is None:
                self._idle()
                continue
            verdict = self._judge(board)
            seq = self._handover.submit(verdict, self._notifier.watchdog, stop)
            if seq is None:
                break  # stopped before it was durable: the picture stays in the work folder for the next start
            self._capture.settled(board)
            self._notifier.watchdog()
            log.info("%s", board_line(verdict, seq))
            self._drift.save_when_due(self._clock.now_ns(), idle=False)
            collect_garbage()  # handed over: nobody waits
        self._drift.save()
        self._handover.close()

    def _beat(self) -> None:
        """The loop moves, or a stage of a board is done: the gate may go on believing in this process."""
        self._loops += 1
        self._handover.beat(self._loops)

    def _judge(self, board: Board) -> Verdict:
        if self._inspection is None:
            nobody = Judged(recipe_id="", recipe_sha256="", bundle_sha256="", n_regions=0)
            return undecided(board, nobody, Reason.NOT_READY, self._not_ready, self._clock.now_ns())
        inspected = self._inspection.inspect(board, self._beat)
        drift = self._drift.observe(board.board_id, inspected.drift_numbers)
        return under_drift(inspected.verdict, drift, hold=self._station.settings.inspect.hold_on_drift)

    def _idle(self) -> None:
        self._notifier.watchdog()
        self._drift.save_when_due(self._clock.now_ns(), idle=True)
        if self._inspection is None and self._clock.now_ns() > self._retry_ns:
            self._inspection = self._load()
            if self._inspection is not None:  # pictures can be decoded from now on
                self._capture = self._open_capture()
                quiet_garbage()

    def _load(self) -> BoardInspection | None:
        """The inspection of the station's recipe, or None: then every board is UNDECIDED, and the fault says why."""
        try:
            recipe = open_recipe(self._station.path(self._station.settings.inspect.recipe))
            engine = self._engine_of(recipe)
            inspection = inspection_of(recipe, engine, self._clock)
        except (SettingsFault, BundleFault) as fault:
            if str(fault) != self._not_ready:
                log.error("not ready: %s", fault)
            self._not_ready = str(fault)
            self._retry_ns = self._clock.now_ns() + READY_RETRY_NS
            return None
        by = inspection.judged
        log.info("ready: recipe %s %.12s, bundle %.12s, %d regions", by.recipe_id, by.recipe_sha256, by.bundle_sha256,
                 by.n_regions)  # fmt: skip
        self._not_ready = ""
        key = drift_key(by.recipe_sha256, by.bundle_sha256, engine.precision)
        self._drift = DriftMonitor(self._station.pictures / DRIFT_FILE, key)
        return inspection

    def _engine_of(self, recipe: AnyRecipe) -> EngineChoice:
        """What was measured on this device for the recipe's bundle, else what the settings say."""
        file = self._station.settings.inspect.engine_file
        if file is None:
            return self._settings_engine
        bundles = [ref.sha256 for ref in bundles_of(recipe).values()]
        return measured_choice(self._station.path(file), bundles, self._settings_engine)

    def _open_capture(self) -> Capture:
        reader = None if self._inspection is None else self._inspection.reader
        settings = self._station.settings.capture
        folder = FolderCapture(self._station.inbox, self._station.pictures, settings, reader, self._clock, self._beat)
        if settings.replay_from is None:
            return folder
        recorded = self._station.path(settings.replay_from)
        return ReplayCapture(recorded, self._station.inbox, settings.replay_takt_ms, folder, self._clock)


def board_line(verdict: Verdict, seq: int) -> str:
    """The one log line of a board."""
    stages = " ".join(f"{s.stage}_ms={s.ms:.1f}" for s in verdict.stages)
    return (
        f"board={verdict.board_id} seq={seq} outcome={verdict.outcome.value} reason={verdict.reason.value} "
        f"defects={len(verdict.defects)} total_ms={verdict.total_ms:.1f} {stages} "
        f"picture={Path(verdict.picture_path).name}"
        + (f" detail={verdict.detail!r}" if verdict.detail else "")
        + (f" drift={verdict.drift!r}" if verdict.drift else "")
    )


def run_inspector(station: Station, clock: Clock, notifier: Notifier, stop: threading.Event) -> None:
    """The process."""
    pin_process(station.settings.inspect.cpus)
    Inspector(station, clock, notifier).run(stop)
