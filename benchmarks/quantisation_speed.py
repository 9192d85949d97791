"""What INT8 is worth on a CPU: FP32 and both INT8 graphs of each preset in ONNX Runtime, as ratios in one run.

Weights are random (cost does not depend on them) and every layer is in INT8, so the ratio is that of the arithmetic.
Rounds alternate, so that a busy machine slows all alike; processor time on one thread and the fastest rounds do not see
the rest of the machine at all. What runs on a GPU is not measured here.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from edge.board import Floats
from export.families import load_family
from export.graph_inputs import onnx_session
from export.onnx import onnx_from_torch
from export.quantize.build import INT8
from export.quantize.graph import load_typed, quantisable_layers
from export.quantize.ranges import measure, ranges_by

FAMILY = "solder_joint"
PRESETS = ("paper", "fast", "best")
BATCHES = (1, 64)
ROUNDS = {1: 300, 64: 25}
WARM = 3
MEASURED_INPUTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One graph at one batch size; each `times_` says how many times faster than FP32 by the figure it is named for."""

    preset: str
    graph: str
    batch: int
    threads: int
    ms_p50: float
    ms_min: float
    cpu_ms_p50: float  # of all threads, waiting ones too: to be read at one thread
    times_by_p50: float
    times_by_min: float
    times_by_cpu: float


def run(*, threads: tuple[int, ...] = (1, 2), json_file: Path | None = None) -> dict[str, object]:
    """Measure every preset's graphs and write `json_file` where one is given."""
    record = {
        "command": "boardgate bench quantisation-speed",
        "onnxruntime": ort.__version__,
        "cpus": os.cpu_count(),
        "vnni": "vnni" in Path("/proc/cpuinfo").read_text("ascii"),
        "load_1_min": os.getloadavg()[0],
        "speeds": [asdict(speed) for preset in PRESETS for speed in speeds(preset, threads)],
    }
    if json_file is not None:
        json_file.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return record


def speeds(preset: str, threads: tuple[int, ...]) -> list[Speed]:
    """A preset's default network at every batch size."""
    recipe = load_family(FAMILY)
    row = recipe.PRESETS[preset]
    variant = row.variants[row.default_variant]
    torch.manual_seed(0)
    contract = recipe.contract(channels=row.channels, normalisation=row.normalisation, places=True, variant=variant)
    model = onnx_from_torch(recipe.scored(variant.build(), variant.scores[0]).eval(), contract)
    shape = [int(side) for side in contract.inputs[0].shape[1:]]
    inputs = np.random.default_rng(0).uniform(-1, 1, (max(BATCHES), *shape)).astype(np.float32)
    found = []
    for count in threads:
        sessions = {name: onnx_session(graph, count) for name, graph in _graphs(model, inputs).items()}
        for batch in BATCHES:
            found += _speeds_at(batch, count, preset, sessions, inputs)
    return found


def _graphs(model: bytes, inputs: Floats) -> dict[str, bytes]:
    ranges = ranges_by("min-max", measure(model, inputs[:MEASURED_INPUTS]))
    layers = quantisable_layers(load_typed(model))
    return {"fp32": model, **{precision: make(model, ranges, layers) for precision, make in INT8.items()}}


def _speeds_at(
    batch: int, threads: int, preset: str, sessions: Mapping[str, ort.InferenceSession], inputs: Floats
) -> list[Speed]:
    wall: dict[str, list[float]] = {name: [] for name in sessions}
    processor: dict[str, list[float]] = {name: [] for name in sessions}
    fed = {next(iter(sessions.values())).get_inputs()[0].name: inputs[:batch]}
    for _ in range(ROUNDS[batch] + WARM):
        for name, session in sessions.items():
            started, busy = time.perf_counter_ns(), time.process_time_ns()
            session.run(["score"], fed)
            wall[name].append((time.perf_counter_ns() - started) / 1e6)
            processor[name].append((time.process_time_ns() - busy) / 1e6)
    p50 = {name: statistics.median(values[WARM:]) for name, values in wall.items()}
    least = {name: min(values[WARM:]) for name, values in wall.items()}
    cpu = {name: statistics.median(values[WARM:]) for name, values in processor.items()}
    return [
        Speed(
            preset=preset,
            graph=name,
            batch=batch,
            threads=threads,
            ms_p50=p50[name],
            ms_min=least[name],
            cpu_ms_p50=cpu[name],
            times_by_p50=p50["fp32"] / p50[name],
            times_by_min=least["fp32"] / least[name],
            times_by_cpu=cpu["fp32"] / cpu[name],
        )
        for name in sessions
    ]


if __name__ == "__main__":
    run(json_file=Path(__file__).parent / "results" / "quantisation_speed.json")
