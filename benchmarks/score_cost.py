"""What a joint costs to score: rules, the plain export, the paper's network as exported here, fast and best; one run.

Weights are random (cost does not depend on them), so no data is needed. Rounds of the graphs alternate, so that a busy
machine slows all of them alike and the ratios hold; first runs are told apart.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from edge.board import Floats, Image
from edge.crop import crop_squares
from edge.scorers.rules import Gauge, exceedance
from export.families.solder_joint.contract import contract
from export.families.solder_joint.net import BicubicDouble
from export.families.solder_joint.presets import PRESETS
from export.families.solder_joint.recipe import scored
from export.families.solder_joint.scores import ReconstructionScore
from export.onnx import naive_onnx_from_torch, onnx_from_torch, onnx_session
from export.rules import fit_rules
from export.simulator.datasets import draw_boards

BATCHES = (1, 64)
Way = Callable[[int], object]  # scores a batch of that many joints
VARIANT = "beta_vae"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Milliseconds a joint of one graph at one batch size, over the rounds after the first."""

    graph: str
    batch: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    first_ms: float
    times_naive: float  # how many times faster than the naive export at this batch


class _Resize(nn.Module):
    """The upsampling as one would write it: torch's own, which becomes a cubic Resize node."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)


def run(*, threads: int = 2, rounds: int = 20, json_file: Path | None = None) -> list[Cost]:
    """Measure, print a table and write `json_file` where one is given."""
    models = graphs()
    ways = {"rules": _rules(), **{name: _graph(model, threads) for name, model in models.items()}}
    costs = [c for batch in BATCHES for c in _costs(ways, batch, rounds)]
    share = resize_share(models["naive export"], threads)
    Console().print(_table(costs, threads, share))
    if json_file is not None:
        json_file.write_text(json.dumps(_record(costs, threads, rounds, share), indent=2) + "\n", "utf-8")
    return costs


def graphs() -> dict[str, bytes]:
    """The graphs by name, with random weights."""
    torch.manual_seed(0)
    shape = contract(channels="grey", normalisation="standardised", places=True)
    paper = ReconstructionScore(PRESETS["paper"].variants[VARIANT].build()).eval()
    fast = ReconstructionScore(PRESETS["fast"].variants[VARIANT].build()).eval()
    best = scored(PRESETS["best"].variants["classifier"].build(), "surprise").eval()
    models = {name: onnx_from_torch(net, shape) for name, net in {"paper": paper, "fast": fast, "best": best}.items()}
    decoder = paper.net.decoder
    for k, layer in enumerate(decoder):
        if isinstance(layer, BicubicDouble):
            decoder[k] = _Resize()
    return {"naive export": naive_onnx_from_torch(paper, shape), **models}


def resize_share(model: bytes, threads: int) -> float:
    """Which share of a graph's time its Resize nodes take, 0 to 1, from ONNX Runtime's own profile."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_profiling = True
    options.profile_file_prefix = f"/tmp/score_cost_{os.getpid()}"
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for _ in range(5):
        session.run(None, {session.get_inputs()[0].name: _crops(BATCHES[-1])})
    profile = Path(session.end_profiling())
    try:
        events: list[dict[str, Any]] = json.loads(profile.read_text("utf-8"))
    finally:
        profile.unlink()
    nodes = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    total = sum(e["dur"] for e in nodes)
    return sum(e["dur"] for e in nodes if e["args"].get("op_name") == "Resize") / total


def _graph(model: bytes, threads: int) -> Way:
    session = onnx_session(model, threads)
    name = session.get_inputs()[0].name

    def score(batch: int) -> object:
        return session.run(["score"], {name: _crops(batch)})

    return score


def _rules() -> Way:
    """The classical inspector on rendered joints, features and all; one thread, as at the station."""
    joints = _joints()
    rules = fit_rules(joints, region_scale=1.5)
    gauge = Gauge(rules.pitch_frac, joints.shape[1], rules.template_pixels())

    def score(batch: int) -> object:
        return exceedance(gauge.measure(joints[:batch]), rules.limits)

    return score


@functools.cache
def _joints() -> Image:
    """The crops of two good rendered boards, at least as many as the largest batch."""
    boards = [board for _, board in draw_boards(1, 2, defective_boards_frac=0.0)]
    crops = []
    for board in boards:
        centres = np.array([(p.x_px, p.y_px) for p in board.places])
        crops.append(crop_squares(board.image, centres, np.array([1.5 * p.pitch_px for p in board.places]), 64))
    return np.concatenate(crops)


def _costs(ways: dict[str, Way], batch: int, rounds: int) -> list[Cost]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, score in ways.items():
            started = time.perf_counter_ns()
            score(batch)
            times[name].append((time.perf_counter_ns() - started) / 1e6 / batch)
    naive = statistics.median(times["naive export"][1:])
    return [_cost(name, batch, values, naive) for name, values in times.items()]


def _cost(name: str, batch: int, values: list[float], naive_p50: float) -> Cost:
    warm = np.array(values[1:])
    p50 = float(np.median(warm))
    return Cost(
        graph=name,
        batch=batch,
        p50_ms=p50,
        p99_ms=float(np.quantile(warm, 0.99)),
        max_ms=float(warm.max()),
        first_ms=values[0],
        times_naive=naive_p50 / p50,
    )


@functools.cache
def _crops(batch: int) -> Floats:
    return np.random.default_rng(0).uniform(-1, 1, (batch, 3, 64, 64)).astype(np.float32)


def _table(costs: list[Cost], threads: int, share: float) -> Table:
    caption = f"Resize takes {100 * share:.0f} % of the naive export at batch {BATCHES[-1]}"
    table = Table(title=f"Cost of a joint, ONNX Runtime, {threads} threads", caption=caption, title_justify="left")
    table.add_column("graph")
    for column in ("batch", "p50 ms", "p99 ms", "max ms", "first ms", "times naive"):
        table.add_column(column, justify="right")
    for c in costs:
        figures = (f"{v:.2f}" for v in (c.p50_ms, c.p99_ms, c.max_ms, c.first_ms, c.times_naive))
        table.add_row(c.graph, str(c.batch), *figures)
    return table


def _record(costs: list[Cost], threads: int, rounds: int, share: float) -> dict[str, object]:
    return {
        "command": "boardgate bench cost",
        "threads": threads,
        "rounds": rounds,
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "load_1_min": os.getloadavg()[0],
        "onnxruntime": ort.__version__,
        "onnx": onnx.__version__,
        "torch": str(torch.__version__),
        "naive_resize_share_frac": share,
        "costs": [asdict(c) for c in costs],
    }


if __name__ == "__main__":
    run(json_file=Path(__file__).parent / "results" / "score_cost.json")
