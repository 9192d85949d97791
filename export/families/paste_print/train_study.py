"""Teaches the paper's networks on the line twin's paste prints, one after another, and writes down what they leave.

    python -m export.families.paste_print.train_study --seeds 3 --width 16 --variants crrn crrn_na crae crae_na \
        --out OUT [--json FILE]
    python -m export.families.paste_print.train_study --seeds 0 --out OUT --json FILE  # only gathers

Simulated, calibrated on real boards. All networks see the same windows of good boards; the pad table, and so the unit
of every number, is that of the experiments. `OUT/VARIANT_SEED.pt` (`VARIANT_wWIDTH_SEED.pt` at other widths than 16) is
there as soon as it is ready; the figures beside it, `.json`, are of validation days that chose the best epoch.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge.board import Floats
from edge.paste.table import PadTable
from export.families.paste_print import checkpoints
from export.families.paste_print.experiment_runs import PRODUCT, TRAIN_BOARDS, TRAIN_SEED, line_of
from export.families.paste_print.net import PrintNet
from export.families.paste_print.presets import FAST_TRAINING, FAST_WIDTH, recurrent_variants
from export.families.paste_print.recurrent_training import RecurrentSettings, fit_recurrent
from export.families.paste_print.window_check import check_windows
from export.onnx import tool_versions
from export.simulator.paste import full_ends, paste_product, print_run, windows
from export.simulator.paste.prints import repeat_sigma_pct
from export.training_record import EpochReport

TRAIN_RUNS = tuple(range(TRAIN_SEED, TRAIN_SEED + 10))  # seeds; three days each
VAL_RUNS = (191,)
TRAIN_STEP, VAL_STEP = 4, 4  # boards from window to window: neighbours share nine of ten
SHUFFLE_SEED = 7
DIFFICULTY = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Windows (N, T, 3, S, S) of one variant's planes."""

    train: Floats
    val: Floats


def study_windows(table: PadTable, planes: tuple[str, ...], boards: int) -> Lot:
    """Windows of good boards of the training and of the validation seeds, none of which an experiment's test has."""
    return Lot(
        train=_windows(table, TRAIN_RUNS, planes, boards, TRAIN_STEP),
        val=_windows(table, VAL_RUNS, planes, boards, VAL_STEP),
    )


def shuffled(good: Floats, seed: int = SHUFFLE_SEED) -> Floats:
    """The same windows with all boards but the last in another order, another one for each window."""
    rng = np.random.default_rng(seed)
    boards = good.shape[1]
    order = [np.append(rng.permutation(boards - 1), boards - 1) for _ in good]
    return np.stack([window[at] for window, at in zip(good, order, strict=True)])


def figures(network: PrintNet, lot: Lot) -> dict[str, Any]:
    """What a network leaves of good validation boards in sigmas of a pad, as they came and with the order of the boards
    before mixed up, and how much it copies."""
    found = asdict(check_windows(network, lot.val))
    found["residual_sigma_shuffled"] = check_windows(network, shuffled(lot.val)).residual_sigma
    found["residual_sigma_by_channel"] = network.residual_sigma.tolist()
    return found


def repeat_sigma(table: PadTable) -> list[float]:
    """Root mean square over pads of what the twin draws anew for each print, volume and area, in sigmas of a pad: no
    predictor leaves less."""
    repeat_z = repeat_sigma_pct(paste_product(PRODUCT), DIFFICULTY) / table.sigma_pct
    return [float(v) for v in np.sqrt((repeat_z**2).mean(axis=0))]


def teach(variant: str, width: int, seed: int, lot: Lot, settings: RecurrentSettings, out: Path) -> dict[str, Any]:
    """One network: trained, written to `out`, and its figures."""
    torch.manual_seed(seed)
    network = recurrent_variants(width)[variant].build()
    if not isinstance(network, PrintNet):
        raise TypeError(f"{variant} builds a {type(network).__name__}")
    cpu_s = time.process_time()
    report = fit_recurrent(network, lot.train, lot.val, settings, seed, _say)
    name = f"{variant}_{seed}" if width == FAST_WIDTH else f"{variant}_w{width}_{seed}"
    checkpoints.save(out / f"{name}.pt", network, variant, width)
    row = {
        "name": name,
        "variant": variant,
        "width": width,
        "seed": seed,
        "learning_rate": settings.learning_rate,
        "parameters": sum(p.numel() for p in network.parameters()),
        "epochs": report.epochs,
        "best_epoch": report.best_epoch,
        "best_val_loss": report.best_val_loss,
        "train_s": round(report.seconds, 1),
        "train_cpu_s": round(time.process_time() - cpu_s, 1),
        **figures(network, lot),
    }
    _write(out / f"{name}.json", row)
    print(f"{name}: {json.dumps(row)}", flush=True)
    return row


def gathered(out: Path, table: PadTable) -> dict[str, Any]:
    """The figures of every network in `out`, with what they were taught on."""
    return {
        "command": "python -m export.families.paste_print.train_study --out OUT --json FILE",
        "data": {
            "simulated": "paste prints of the line twin, calibrated on real boards",
            "train_seeds": TRAIN_RUNS,
            "val_seeds": VAL_RUNS,
            "boards_a_seed": TRAIN_BOARDS,
        },
        "settings": asdict(FAST_TRAINING),
        "versions": tool_versions(),
        "repeat_sigma_by_channel": repeat_sigma(table),
        "networks": [json.loads(file.read_text(encoding="utf-8")) for file in sorted(out.glob("*.json"))],
    }


def _windows(table: PadTable, seeds: Sequence[int], planes: tuple[str, ...], boards: int, step: int) -> Floats:
    product = paste_product(PRODUCT)
    runs = [print_run(product, TRAIN_BOARDS, seed, DIFFICULTY) for seed in seeds]
    return np.concatenate([windows(table, run, planes, boards, full_ends(run, boards)[::step]) for run in runs])


def _say(report: EpochReport) -> None:
    print(f"  epoch {report.epoch}: {report.train_loss:.4f}, validation {report.val_loss:.4f}", flush=True)


def _write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Read the arguments, teach, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=1, help="how many networks of each variant: seeds 0, 1, …")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=FAST_WIDTH)
    parser.add_argument("--variants", nargs="+", default=["crrn", "crrn_na", "crae", "crae_na"])
    parser.add_argument("--epochs", type=int, default=FAST_TRAINING.epochs)
    parser.add_argument("--learning-rate", type=float, default=FAST_TRAINING.learning_rate)
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--json", type=Path, help="the figures of all networks in OUT, in one file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = replace(FAST_TRAINING, epochs=options.epochs, learning_rate=options.learning_rate)
    table = line_of(DIFFICULTY).table
    lots: dict[tuple[str, ...], Lot] = {}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in options.variants:
            variant = recurrent_variants(options.width)[name]
            if variant.planes not in lots:
                lots[variant.planes] = study_windows(table, variant.planes, variant.boards)
            teach(name, options.width, seed, lots[variant.planes], settings, options.out)
    if options.json is not None:
        _write(options.json, gathered(options.out, table))


if __name__ == "__main__":
    main()
