"""What a joint costs: multiplications, counted, and milliseconds, measured on the machine at hand with ONNX Runtime."""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from export.families.axi_joint.contract import contract
from export.families.axi_joint.net import INPUT_PX, N_SLICES
from export.families.axi_joint.paper_runs import NETWORKS
from export.families.axi_joint.presets import PRESETS
from export.families.axi_joint.score import SCORES
from export.onnx import onnx_from_torch

JOINTS, ROUNDS, THREADS = 16, 9, 2


def times() -> dict[str, dict[str, Any]]:
    """By method: multiplications of convolutions and dense layers a joint, parameters, and p50 and best ms a joint of
    batches of JOINTS on THREADS threads. Weights do not matter and are fresh ones. `load` is the machine's own."""
    made = {}
    for method, (preset, name) in NETWORKS.items():
        variant = PRESETS[preset].variants[name]
        network = variant.build().eval()
        graph = onnx_from_torch(
            SCORES[variant.scores[0]](network),
            contract(channels="slices", normalisation="frac", places=True, variant=variant),
        )
        each = _milliseconds(graph)
        made[method] = {
            "multiplications": multiplications(network),
            "parameters": sum(p.numel() for p in network.parameters()),
            "p50_ms": statistics.median(each),
            "best_ms": min(each),
            "threads": THREADS,
            "load": os.getloadavg()[0],
        }
    return made


def multiplications(network: nn.Module) -> int:
    """Of convolutions and dense layers, for one joint."""
    counted = 0

    def count(layer: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        nonlocal counted
        if isinstance(layer, nn.Conv2d):
            counted += result.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            counted += result.numel() * layer.in_features

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    with torch.no_grad():
        network(torch.zeros(1, N_SLICES, INPUT_PX, INPUT_PX))
    for hook in hooks:
        hook.remove()
    return counted


def _milliseconds(graph: bytes) -> list[float]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    slices = np.random.default_rng(0).random((JOINTS, N_SLICES, INPUT_PX, INPUT_PX), np.float32)
    session.run(None, {"slices": slices})
    each = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        session.run(None, {"slices": slices})
        each.append((time.perf_counter() - started) * 1e3 / JOINTS)
    return each
