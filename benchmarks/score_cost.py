"""What a joint costs to score: the plain export, the paper's network as exported here, and the fast one, in one run.

Weights are random (cost does not depend on them), so no data is needed. Rounds of the graphs alternate, so that a busy
machine slows all of them alike and the ratios hold; first runs are told apart.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
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

from edge.board import Floats
from export.families.solder_joint.contract import contract
from export.families.solder_joint.net import BicubicDouble
from export.families.solder_joint.presets import PRESETS
from export.families.solder_joint.scores import ReconstructionScore
from export.onnx import naive_onnx_from_torch, onnx_from_torch, onnx_session

BATCHES = (1, 64)
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
    costs = [c for batch in BATCHES for c in _costs(models, batch, threads, rounds)]
    share = resize_share(models["naive export"], threads)
    Console().print(_table(costs, threads, share))
    if json_file is not None:
        json_file.write_text(json.dumps(_record(costs, threads, rounds, share), indent=2) + "\n", "utf-8")
    return costs


def graphs() -> dict[str, bytes]:
    """The three graphs by name, same score and contract."""
    torch.manual_seed(0)
    shape = contract(channels="grey", normalisation="standardised", places=True)
    paper = ReconstructionScore(PRESETS["paper"].variants[VARIANT].build()).eval()
    fast = ReconstructionScore(PRESETS["fast"].variants[VARIANT].build()).eval()
    models = {"paper": onnx_from_torch(paper, shape), "fast": onnx_from_torch(fast, shape)}
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


def _costs(models: dict[str, bytes], batch: int, threads: int, rounds: int) -> list[Cost]:
    sessions = {name: onnx_session(model, threads) for name, model in models.items()}
    crops = _crops(batch)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(rounds + 1):
        for name, session in sessions.items():
            started = time.perf_counter_ns()
            session.run(["score"], {session.get_inputs()[0].name: crops})
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
