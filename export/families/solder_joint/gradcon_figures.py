"""How close GradCon's graph comes to torch's autograd on real crops, and what it costs beside the plain graph.

    python -m export.families.solder_joint.gradcon_figures --data DIR [--json FILE] CHECKPOINT...

Parity is that of trained networks on all their validation crops. Cost is of random weights, which it does not depend
on: processor time of one thread, rounds of both graphs in turn, so that a busy machine slows both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import torch

from edge.board import Floats
from export.families.solder_joint.contract import contract
from export.families.solder_joint.gradcon_score import GAMMA, GradConScore
from export.families.solder_joint.presets import PRESETS
from export.families.solder_joint.recipe import scored
from export.graph_inputs import onnx_session
from export.onnx import onnx_from_torch, operators, run_onnx, run_torch, tool_versions
from export.workshop import trained_before

BATCHES = (1, 64)
ROUNDS = 15
VARIANT = "beta_vae_gradcon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeness:
    """Exported graph in ONNX Runtime against autograd, over `n` crops; `literal` is the score without the γ added."""

    preset: str
    variant: str
    seed: int
    n: int
    max_relative: float
    max_relative_literal: float
    max_cosine_difference: float
    median_cosine_difference: float
    cosine_mean: float
    cosine_deviation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Median processor milliseconds a joint of the plain graph (recon) and of GradCon's, and their ratio."""

    preset: str
    batch: int
    nodes: int
    operators: int
    recon_ms: float
    gradcon_ms: float
    ratio: float


def closeness(checkpoint: Path, data: Path) -> Closeness:
    """Of one trained network on the validation crops it did not learn from."""
    trained = trained_before(checkpoint, data)
    module = GradConScore(trained.network)  # type: ignore[arg-type]
    crops = trained.samples.val
    here, recon = run_torch(module, crops), run_torch(scored(trained.network, "recon"), crops)
    there = run_onnx(onnx_from_torch(module, trained.contract), crops)
    difference = np.abs(there.score.astype(np.float64) - here.score)
    cosines = 1.0 - (here.score - recon.score) / GAMMA
    return Closeness(
        preset=trained.request.preset,
        variant=trained.variant,
        seed=trained.request.seed,
        n=len(crops),
        max_relative=float((difference / np.abs(here.score)).max()),
        max_relative_literal=float((difference / np.abs(here.score - GAMMA)).max()),
        max_cosine_difference=float(difference.max() / GAMMA),
        median_cosine_difference=float(np.median(difference) / GAMMA),
        cosine_mean=float(cosines.mean()),
        cosine_deviation=float(cosines.std()),
    )


def costs(preset: str) -> list[Cost]:
    """Of one preset's network at each of `BATCHES`."""
    torch.manual_seed(0)
    network = PRESETS[preset].variants[VARIANT].build().eval()
    shape = contract(channels=PRESETS[preset].channels, normalisation=PRESETS[preset].normalisation, places=True)
    models = [onnx_from_torch(scored(network, score), shape) for score in ("recon", "gradcon")]
    graph = onnx.load_from_string(models[1])
    runs = [_runner(model, shape.inputs[0].name) for model in models]
    made = []
    for batch in BATCHES:
        crops = np.random.default_rng(0).uniform(-1, 1, (batch, *shape.inputs[0].shape[1:])).astype(np.float32)
        times = np.array([[_seconds(run, crops) for run in runs] for _ in range(ROUNDS + 1)])[1:]  # the first apart
        recon_ms, gradcon_ms = (float(ms) for ms in np.median(times, axis=0) * 1e3 / batch)
        made.append(
            Cost(
                preset=preset,
                batch=batch,
                nodes=len(graph.graph.node),
                operators=len(operators(graph)),
                recon_ms=recon_ms,
                gradcon_ms=gradcon_ms,
                ratio=float(np.median(times[:, 1] / times[:, 0])),
            )
        )
    return made


def _runner(model: bytes, name: str) -> Callable[[Floats], object]:
    session = onnx_session(model, threads=1)
    return lambda crops: session.run(["score"], {name: crops})


def _seconds(run: Callable[[Floats], object], crops: Floats) -> float:
    started = time.thread_time()  # all of it: a session of one thread computes in its caller's
    run(crops)
    return time.thread_time() - started


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables; write them with `--json`."""
    parser = argparse.ArgumentParser(description="GradCon's graph against autograd, and its cost")
    parser.add_argument("checkpoints", nargs="*", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the folder that the checkpoints were trained on")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    parity = [closeness(checkpoint, asked.data) for checkpoint in asked.checkpoints]
    cost = [row for preset in ("fast", "paper") for row in costs(preset)]
    for row in (*parity, *cost):
        print(", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in asdict(row).items()))
    if asked.json is not None:
        content = {
            "command": "python -m export.families.solder_joint.gradcon_figures --data DIR CHECKPOINT...",
            "tools": tool_versions(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "parity": [asdict(row) for row in parity],
            "cost": [asdict(row) for row in cost],
        }
        asked.json.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
