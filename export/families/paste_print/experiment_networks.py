"""Trained networks as rows of the experiments: checkpoints of the paper's four networks and of `best`."""

from __future__ import annotations

from pathlib import Path

import torch

from edge.board import Floats
from export.families.paste_print import best_checkpoint, checkpoints
from export.families.paste_print.experiment_runs import Method

BEST = "best"  # how files of `best` are named: best.pt, best_0.pt …
THREADS = 1


def network_method(file: Path) -> Method:
    """A checkpoint named by its file, e.g. `crrn_0.pt`. Raises CheckpointFault or BestFault."""
    torch.set_num_threads(THREADS)
    if file.stem.split("_")[0] == BEST:
        scorer = best_checkpoint.load(file)

        def best_map(windows: Floats) -> Floats:
            return scorer(windows)[0]

        return Method(name=file.stem, planes=scorer.planes, map=best_map, boards=scorer.boards)
    judge = checkpoints.load(file)
    _, variant = checkpoints.load_network(file)

    def residual_map(windows: Floats) -> Floats:
        return judge(windows)[0]

    return Method(name=file.stem, planes=variant.planes, map=residual_map, boards=variant.boards)
