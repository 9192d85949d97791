"""The records that travel down the line: what was captured, where to look, what was found, what was decided.

All are frozen and checked when built: a PASS with a defect, with an unscored region or with a doubt cannot exist.
Pixels are (x right, y down); `_ns` is the monotonic clock, `_utc` wall time as ISO 8601 with `Z`.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.axi.board import AxiBoard
from edge.paste.panel import PastePanel

Image = NDArray[np.uint8]  # (h, w, 3) uint8, BGR
Floats = NDArray[np.float32]

MAX_BOARD_ID_LEN = 32  # a GL/1 BOARD frame carries at most 32 bytes of barcode


class Outcome(enum.Enum):
    """What is decided about a board."""

    PASS = "pass"
    FAIL = "fail"
    UNDECIDED = "undecided"  # the board is held; nothing may turn this into PASS


class Reason(enum.Enum):
    """Why, in the order in which blame is given. `wire_code` is the 2-byte reason of a GL/1 VERDICT."""

    JUDGED = "judged"
    CAPTURE_FAULT = "capture_fault"  # picture broken, truncated, wrong size
    NOT_REGISTERED = "not_registered"  # the picture does not show the recipe's board
    OUT_OF_VIEW = "out_of_view"  # no defect seen, but not every region was in the picture
    DEADLINE = "deadline"
    SCORER_FAULT = "scorer_fault"
    NOT_READY = "not_ready"  # no verified bundle or recipe
    INTERRUPTED = "interrupted"  # the inspector died over this board
    INTERNAL = "internal"
    DRIFT = "drift"  # good, but the pictures drift and the station is set to hold then

    @property
    def wire_code(self) -> int:
        """1-based position, stable because members are only ever appended."""
        return list(Reason).index(self) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One trigger: a board seen by the machine, as a picture, as the paste on its pads or as joints in X-ray slices;
    none of them exactly when `capture_fault` says why."""

    uid: str  # of this trigger; the same picture file gives the same uid again after a restart
    board_id: str
    trigger_ns: int
    trigger_utc: str
    picture_path: str  # where the picture, or the machine's file, is kept once the verdict is durable
    picture_sha256: str
    image: Image | None
    panel: PastePanel | None = None
    axi: AxiBoard | None = None
    capture_fault: str = ""
    fault_reason: Reason = Reason.CAPTURE_FAULT

    def __post_init__(self) -> None:
        if not 1 <= len(self.board_id.encode()) <= MAX_BOARD_ID_LEN:
            raise ValueError(f"board_id {self.board_id!r}: must be 1 to {MAX_BOARD_ID_LEN} bytes")
        shown = [content is not None for content in (self.image, self.panel, self.axi)]
        if sum(shown) + bool(self.capture_fault) != 1:
            raise ValueError(f"board {self.board_id}: exactly one of image, panel, axi and capture fault")


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One inspected place, in pixels of the picture it was projected into: a square, upright, round its centre."""

    refdes: str
    pin: str
    x_px: float
    y_px: float
    side_px: float
    threshold: float  # score above which this place is a defect

    @property
    def name(self) -> str:
        """`J1-3`, or the refdes alone where a place has no pin."""
        return f"{self.refdes}-{self.pin}" if self.pin else self.refdes


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The score of one region beside the threshold it was held against. Higher is worse."""

    region: Region
    score: float
    kind: str = ""  # of defect, where the family tells kinds apart
    seen_at_px: tuple[float, float] | None = None  # where it shows most, where the family says that too

    def __post_init__(self) -> None:
        if not (math.isfinite(self.score) and math.isfinite(self.region.threshold)):
            raise ValueError(f"{self.region.name}: score {self.score}, threshold {self.region.threshold}: not finite")
        if self.seen_at_px is not None and not all(map(math.isfinite, self.seen_at_px)):
            raise ValueError(f"{self.region.name}: seen_at_px {self.seen_at_px}: not finite")

    @property
    def is_defect(self) -> bool:
        """Above the threshold. A score equal to it is good, as in calibration."""
        return self.score > self.region.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """Milliseconds one stage took."""

    stage: str
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterFault:
    """What the printer does wrong, where it shows: a box x0, y0, x1, y1 in the pixels the regions are in."""

    kind: str
    probability: float
    box_px: tuple[float, float, float, float]

    def __str__(self) -> str:
        return f"{self.kind} ({100 * self.probability:.0f} %)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The one decision about one trigger. `n_regions` is what the recipe asked for, `findings` what was scored.

    Where a board has very many regions, only the worst are listed: `n_unlisted` more were scored, each no nearer to its
    threshold than any of the listed.
    """

    uid: str
    board_id: str
    outcome: Outcome
    reason: Reason
    detail: str
    n_regions: int
    findings: tuple[Finding, ...]
    recipe_id: str
    recipe_sha256: str
    bundle_sha256: str
    picture_sha256: str
    picture_path: str
    trigger_ns: int
    decided_ns: int
    trigger_utc: str
    stages: tuple[StageTime, ...] = field(default=())
    drift: str = ""  # what drifts while this board is judged, in words; empty when nothing does
    n_unlisted: int = 0
    printer_fault: PrinterFault | None = None  # seen over the last boards; this one may be good

    def __post_init__(self) -> None:
        if self.n_unlisted < 0:
            raise ValueError(f"board {self.board_id}: n_unlisted {self.n_unlisted}, expected 0 or more")
        if self.outcome is Outcome.PASS:
            self._check_pass()
        if self.outcome is Outcome.FAIL and not self.defects:
            raise ValueError(f"board {self.board_id}: FAIL without a defect")
        if (self.outcome is Outcome.UNDECIDED) == (self.reason is Reason.JUDGED):
            raise ValueError(f"board {self.board_id}: {self.outcome.value} cannot have reason {self.reason.value}")

    def _check_pass(self) -> None:
        if self.defects:
            raise ValueError(f"board {self.board_id}: PASS with {len(self.defects)} defects")
        if not (self.findings and self.n_regions == self.n_scored):
            raise ValueError(f"board {self.board_id}: PASS with {self.n_scored} of {self.n_regions} regions scored")
        if not (self.bundle_sha256 and self.recipe_sha256):
            raise ValueError(f"board {self.board_id}: PASS without a verified bundle and recipe")

    @property
    def n_scored(self) -> int:
        """Regions that were scored, listed or not."""
        return len(self.findings) + self.n_unlisted

    @property
    def defects(self) -> tuple[Finding, ...]:
        """The findings above their threshold, worst margin first."""
        bad = [f for f in self.findings if f.is_defect]
        return tuple(sorted(bad, key=lambda f: f.region.threshold - f.score))

    @property
    def total_ms(self) -> float:
        """Trigger to decision."""
        return (self.decided_ns - self.trigger_ns) / 1e6
