"""The range of every tensor that INT8 must hold, measured on good places: min-max, percentile, entropy and MSE.

One pass finds the extremes, a second one histograms between them; all four methods then work on the same histograms.
Entropy and percentile are ONNX Runtime's own; MSE is here. Both INT8 graphs take their scales from one such set.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import HistogramCollector

from edge.board import Floats
from export.graph_inputs import Inputs, named, session_feeds, session_names, tensor_of
from export.quantize.faults import QuantizeFault
from export.quantize.graph import EIGHT_BIT, chunks, float_tensors, load_typed

MAX_CALIBRATION_INPUTS = 256  # of the training normals, evenly through them
BINS = 2048
ENTROPY_BINS = 256  # ONNX Runtime's search is quadratic in them: 50 ms a tensor at 256
ENTROPY_LEVELS = 128
PERCENTILE = 99.99
MSE_CANDIDATES = 64
MSE_SMALLEST_FRAC = 0.3  # of the extreme: shorter ranges never won on any net tried
LEVELS = 255

Ranges = Mapping[str, tuple[float, float]]  # tensor -> least and greatest value INT8 must hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts (BINS,) of a tensor's values between -limit and limit, with the extremes seen."""

    counts: NDArray[np.int64]
    limit: float
    low: float
    high: float

    @property
    def edges(self) -> NDArray[np.float64]:
        """(BINS + 1,)."""
        return np.linspace(-self.limit, self.limit, len(self.counts) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Histograms by tensor, of `n` inputs with this SHA-256 (of their float32 bytes)."""

    histograms: Mapping[str, Histogram]
    n: int
    data_sha256: str


def measure(model: bytes, inputs: Inputs) -> Measured:
    """Histograms of every tensor INT8 may hold over `inputs` (N, C, h, w), at most MAX_CALIBRATION_INPUTS of them.

    Raises QuantizeFault on no inputs or values that are not finite.
    """
    if not len(inputs):
        raise QuantizeFault("no inputs to measure INT8 ranges on")
    used = calibration_share(inputs)
    extremes = _extremes(model, used)
    counts = {name: np.zeros(BINS, np.int64) for name in extremes}
    for tensors in tensors_of(model, used):
        for name, values in tensors.items():
            limit = _limit(extremes[name])
            counts[name] += np.histogram(values, BINS, (-limit, limit))[0]
    return Measured(
        histograms={
            name: Histogram(counts=counts[name], limit=_limit((low, high)), low=low, high=high)
            for name, (low, high) in extremes.items()
        },
        n=len(used),
        data_sha256=hashlib.sha256(tensor_of(used).tobytes()).hexdigest(),
    )


def calibration_share(inputs: Inputs) -> Inputs:
    """At most MAX_CALIBRATION_INPUTS of the inputs (N, C, h, w), evenly through them."""
    chosen = np.unique(np.linspace(0, len(inputs) - 1, min(len(inputs), MAX_CALIBRATION_INPUTS)).round().astype(int))
    return inputs[chosen]


def ranges_by(method: str, measured: Measured) -> Ranges:
    """Every tensor's range by one of `METHODS`, never wider than what was seen. Raises QuantizeFault on another
    name."""
    if method not in METHODS:
        raise QuantizeFault(f"range method {method!r} is not one of {sorted(METHODS)}")
    found = {name: METHODS[method](histogram) for name, histogram in measured.histograms.items()}
    return {
        name: (max(low, measured.histograms[name].low), min(high, measured.histograms[name].high))
        for name, (low, high) in found.items()
    }


def _min_max(histogram: Histogram) -> tuple[float, float]:
    return histogram.low, histogram.high


def _percentile(histogram: Histogram) -> tuple[float, float]:
    return _collected(histogram, "percentile", histogram.counts, histogram.edges)


def _entropy(histogram: Histogram) -> tuple[float, float]:
    merged = histogram.counts.reshape(ENTROPY_BINS, -1).sum(axis=1)
    return _collected(histogram, "entropy", merged, histogram.edges[:: BINS // ENTROPY_BINS])


def _mse(histogram: Histogram) -> tuple[float, float]:
    """Least squared error of 8-bit rounding and clipping: the upper end by a search, then the lower one."""
    low, high = histogram.low, histogram.high
    shares = np.linspace(MSE_SMALLEST_FRAC, 1.0, MSE_CANDIDATES)
    high = min((high * share for share in shares), key=lambda h: _squared_error(histogram, low, h))
    low = min((low * share for share in shares), key=lambda v: _squared_error(histogram, v, high))
    return float(low), float(high)


METHODS: dict[str, Callable[[Histogram], tuple[float, float]]] = {
    "min-max": _min_max,
    "percentile": _percentile,
    "entropy": _entropy,
    "mse": _mse,
}


def _squared_error(histogram: Histogram, low: float, high: float) -> float:
    values = (histogram.edges[:-1] + histogram.edges[1:]) / 2.0
    low, high = min(low, 0.0), max(high, 0.0)  # zero must be a level
    step = max((high - low) / LEVELS, 1e-12)
    rounded = np.clip(np.round(values / step), np.round(low / step), np.round(high / step)) * step
    return float((histogram.counts * (values - rounded) ** 2).sum())


def _collected(
    histogram: Histogram, method: str, counts: NDArray[np.int64], edges: NDArray[np.float64]
) -> tuple[float, float]:
    """What ONNX Runtime's collector makes of a histogram."""
    collector = HistogramCollector(method, False, len(counts), ENTROPY_LEVELS, PERCENTILE, None)
    bounds = (np.float32(histogram.low), np.float32(histogram.high), np.float32(histogram.limit))
    collector.histogram_dict = {"x": (counts, edges.astype(np.float32), *bounds)}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        low, high = collector.compute_collection_result()["x"][:2]
    return float(low), float(high)


def _extremes(model: bytes, inputs: Inputs) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for tensors in tensors_of(model, inputs):
        for name, values in tensors.items():
            low, high = float(values.min()), float(values.max())
            if not np.isfinite((low, high)).all():
                raise QuantizeFault(f"tensor {name!r} is not finite on the calibration inputs")
            before = found.get(name, (low, high))
            found[name] = min(low, before[0]), max(high, before[1])
    return found


def _limit(extremes: tuple[float, float]) -> float:
    return max(abs(extremes[0]), abs(extremes[1]), 1e-12)


def tensors_of(model: bytes, inputs: Inputs) -> Iterator[dict[str, Floats]]:
    """Every FP32 tensor that INT8 may hold, chunk by chunk; the graph as it is, nothing fused away."""
    typed = load_typed(model)
    outputs, floats = {value.name for value in typed.graph.output}, float_tensors(typed)
    touched = {n for node in typed.graph.node if node.op_type in EIGHT_BIT for n in (*node.input, *node.output)}
    made = [n for node in typed.graph.node for n in node.output if n in floats & touched]
    float_values = {v.name: v for v in typed.graph.value_info}
    typed.graph.output.extend(float_values[name] for name in made if name not in outputs)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(typed.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names, feeds = session_names(session), session_feeds(session, inputs)
    for batch in chunks(feeds):
        fed = named(names, batch)
        yield {**fed, **dict(zip(made, session.run(made, fed), strict=True))}
