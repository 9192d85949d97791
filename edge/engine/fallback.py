"""What to do when TensorRT fails here: int8, fp16, fp32, then ONNX Runtime, each only after its own golden check.

Some graphs fail on one chip and work on the next (NVIDIA/TensorRT #4832: INT8 dequantisation on sm_87), so this is
tried on the device, at start, and never while boards run. Each precision has its own thresholds: whoever loads a scorer
this way must judge by `Loaded.choice`, not by what was asked for.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.bundle import Bundle, BundleFault
from edge.engine.faults import ApiFault, NoDevice
from edge.scorers import Scorer, load_scorer
from edge.scorers.choice import EngineChoice
from edge.thresholds import Precision

TENSORRT_ORDER: tuple[Precision, ...] = ("int8", "fp16", "fp32")

_LOG = logging.getLogger("edge.engine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One engine and precision that this device does not do, and why. `whole_engine`: no other precision will do
    either, for want of a device or of a TensorRT that is known."""

    choice: EngineChoice
    reason: str
    whole_engine: bool

    def line(self) -> str:
        """For the log and the page."""
        return f"{self.choice.engine} {self.choice.precision}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A scorer that agrees with its golden scores here, what it is, and what was tried before it."""

    scorer: Scorer
    choice: EngineChoice
    refused: tuple[Refused, ...]


def load_with_fallback(
    bundle: Bundle,
    choice: EngineChoice,
    *,
    allowed: bool = True,
    load: Callable[[Bundle, EngineChoice], Scorer] = load_scorer,
) -> Loaded:
    """The first choice, or with `allowed` the first that works. Raises BundleFault with every reason when none does.

    Each try is `load_scorer`, which checks the golden crops against that precision's own scores.
    """
    refused: list[Refused] = []
    for step in fallback_order(choice) if allowed else iter([choice]):
        if any(r.whole_engine and r.choice.engine == step.engine for r in refused):
            continue
        try:
            return Loaded(scorer=load(bundle, step), choice=step, refused=tuple(refused))
        except BundleFault as fault:
            _LOG.warning("engine=%s precision=%s refused: %s", step.engine, step.precision, fault)
            refused.append(_refused(step, fault))
    raise BundleFault("; ".join(r.line() for r in refused))


def fallback_order(choice: EngineChoice) -> Iterator[EngineChoice]:
    """The choice, then what comes after it. Only TensorRT has anything after it: the others run on any processor."""
    if choice.engine != "tensorrt" or choice.precision not in TENSORRT_ORDER:
        yield choice
        return
    for precision in TENSORRT_ORDER[TENSORRT_ORDER.index(choice.precision) :]:
        yield dataclasses.replace(choice, precision=precision)
    yield dataclasses.replace(choice, engine="onnxruntime", precision="fp32")


def _refused(step: EngineChoice, fault: BundleFault) -> Refused:
    whole = isinstance(fault.__cause__, NoDevice | ApiFault)
    return Refused(choice=step, reason=str(fault), whole_engine=whole)
