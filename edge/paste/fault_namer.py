"""The namer of a bundle: a picture of the last boards to the name of the printer's fault, and what that is worth.

`namer.onnx` gives probabilities; `namer.json` says how they become a call, and on what evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import Field, ValidationError, model_validator

from edge.board import Floats
from edge.bundle import BundleFault
from edge.paste.fault_naming import CHANNELS, KINDS, MAX_WINDOW_BOARDS, PICTURE_CELLS
from edge.scorers.fault import ScorerFault
from edge.settings import Settings

MAX_GRAPH_BYTES, MAX_SETTINGS_BYTES = 4 * 1024 * 1024, 64 * 1024
MapSource = Literal["printer", "graph"]  # `printer_map` of each board, or the maps of the bundle's own graph


class Figure(Settings):
    """A measured figure with its 95 % interval over runs."""

    value: float
    lower: float
    upper: float


class FalseAlarms(Settings):
    """Boards on which a fault was named that was not there, with the exact one-sided 95 % bound."""

    boards: Annotated[int, Field(ge=1)]
    alarms: Annotated[int, Field(ge=0)]
    per_1000: Annotated[float, Field(ge=0.0)]
    per_1000_upper: Annotated[float, Field(ge=0.0)]


class Delay(Settings):
    """Boards from the first that is moved by a sigma to the right name; None: so many were never rightly named."""

    runs: Annotated[int, Field(ge=1)]
    median_boards: float | None
    p90_boards: float | None
    within_5_boards_frac: Annotated[float, Field(ge=0.0, le=1.0)]
    within_2_boards_frac: Annotated[float, Field(ge=0.0, le=1.0)]
    never_or_wrong: Annotated[int, Field(ge=0)]


class NamerEvidence(Settings):
    """What a namer was measured to be worth, on runs that chose nothing."""

    data: str
    seeds: dict[str, int]  # of the runs, by split; of the training
    macro_f1_windows: Figure
    macro_f1_runs: Figure
    false_alarms: dict[str, FalseAlarms]  # by what the boards were
    delay: Delay


class NamerSettings(Settings):
    """`namer.json`."""

    schema_version: Literal[1]
    classes: tuple[str, ...]
    channels: Annotated[tuple[str, ...], Field(min_length=1, max_length=32)]
    boards: Annotated[int, Field(ge=1, le=MAX_WINDOW_BOARDS)]  # in a window
    map_source: MapSource
    pad_threshold: Annotated[float, Field(gt=0.0, le=1e6)]
    probability: Annotated[float, Field(ge=0.5, le=1.0)]
    boards_in_a_row: Annotated[int, Field(ge=1, le=10)]
    evidence: NamerEvidence

    @model_validator(mode="after")
    def _is_known_here(self) -> NamerSettings:
        if self.classes != KINDS:
            raise ValueError(f"classes: {self.classes}, expected {KINDS}")
        if unknown := [name for name in self.channels if name not in CHANNELS]:
            raise ValueError(f"channels: {unknown} unknown, known are {sorted(CHANNELS)}")
        return self


class Session(Protocol):
    """What an engine gives for a graph, as ONNX Runtime does."""

    def run(self, outputs: Sequence[str], feeds: dict[str, Floats]) -> Sequence[Floats]:
        """The outputs' values."""
        ...


@dataclass(frozen=True, slots=True)
class FaultCall:
    """One of KINDS but `none`, and how probable it is on the last board."""

    kind: str
    probability: float


class FaultNamer:
    """Names the fault of a picture, once enough boards in a row show it. `reset` when the sequence of boards breaks."""

    def __init__(self, graph: bytes, settings: bytes, session: Callable[[bytes], Session] | None = None) -> None:
        """From the bytes of `namer.onnx` and `namer.json`. Raises BundleFault when they cannot be used together."""
        if len(graph) > MAX_GRAPH_BYTES or len(settings) > MAX_SETTINGS_BYTES:
            raise BundleFault(f"namer: {len(graph)} and {len(settings)} bytes: larger than any namer")
        try:
            self.settings = NamerSettings.model_validate_json(settings)
        except ValidationError as err:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors(include_url=False))
            raise BundleFault(f"namer.json: {faults}") from None
        self._session = (session or _onnxruntime_session)(graph)
        self._kind, self._in_a_row = KINDS[0], 0
        try:
            self._probabilities(np.zeros((len(self.settings.channels), PICTURE_CELLS, PICTURE_CELLS), np.float32))
        except ScorerFault as err:
            raise BundleFault(f"namer.onnx: {err}") from None

    def name(self, picture: Floats) -> FaultCall | None:
        """Of `fault_picture`'s picture (C, 32, 32) of the last board. Raises ScorerFault."""
        probability = self._probabilities(picture)
        best = int(probability.argmax())
        kind = KINDS[best] if probability[best] >= self.settings.probability else KINDS[0]
        self._in_a_row = self._in_a_row + 1 if kind == self._kind else 1
        self._kind = kind
        if kind == KINDS[0] or self._in_a_row < self.settings.boards_in_a_row:
            return None
        return FaultCall(kind, float(probability[best]))

    def reset(self) -> None:
        """Forget the boards before."""
        self._kind, self._in_a_row = KINDS[0], 0

    def _probabilities(self, picture: Floats) -> Floats:
        try:
            (probability,) = self._session.run(["probability"], {"picture": picture[None]})
        except Exception as err:
            raise ScorerFault(f"the namer's graph: {err}") from err
        if probability.shape != (1, len(KINDS)) or not np.isfinite(probability).all():
            raise ScorerFault(f"probability: {probability.shape} {probability}, expected (1, {len(KINDS)}), finite")
        return np.asarray(probability[0], np.float32)


def _onnxruntime_session(graph: bytes) -> Session:
    import onnxruntime as ort  # noqa: PLC0415  a station that names no faults needs none

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session: Any = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as err:
        raise BundleFault(f"namer.onnx: ONNX Runtime refuses it: {err}") from err
    return session  # type: ignore[no-any-return]
