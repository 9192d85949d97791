"""Teaches `best` from runs of good boards with faults added to them; no labelled fault is needed.

    python -m export.families.paste_print.best_teaching --seed 0 --out best.pt

trains on runs of the paste twin. Real runs go the same way, as `CleanRuns`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.families.paste_print.best_checkpoint import save
from export.families.paste_print.best_injection import KINDS
from export.families.paste_print.best_lessons import Batch, CleanRuns, Lessons
from export.families.paste_print.best_net import NOISE, PasteNet
from export.families.paste_print.best_twin import twin_runs
from export.training_record import EpochReport, FitReport, TrainingRecord

BOARDS = 10
SHIFT_WEIGHT = 0.02  # of the level's error (in units) beside the pads' loss: it only helps to begin
NOISE_WEIGHT = 0.1  # of the error of the repeat sigma's logarithm
MAX_GRADIENT = 1.0
VAL_BATCHES, VAL_SEED = 12, 900
NOT_JUDGED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BestTraining:
    """How `best` is taught: `epochs` of `steps` batches; the rate rises to `learning_rate` and falls to nothing."""

    epochs: int
    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    bfloat16: bool = True  # convolutions while training: half the time on processors that have it


# Seven minutes of one processor.
BEST_TRAINING = BestTraining(epochs=26, steps=75, batch=16, learning_rate=3e-3, weight_decay=1e-3)


def fit_best(
    net: PasteNet,
    train: Sequence[CleanRuns],
    val: Sequence[CleanRuns],
    settings: BestTraining,
    seed: int,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    without: frozenset[str] = frozenset(),
) -> FitReport:
    """Train in place and leave it in evaluation mode with its last weights: the rate has then fallen to nothing.

    `without` names kinds of faults never shown. The same seed, data and thread count give the same weights. Raises
    TrainingFault when the loss stops being finite.
    """
    record = TrainingRecord(on_epoch)
    torch.manual_seed(seed)
    lessons, held_out = Lessons(train, net.boards, seed, without), Lessons(val, net.boards, VAL_SEED, without)
    val_batches = [held_out.draw(settings.batch) for _ in range(VAL_BATCHES)]
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=max(2, settings.epochs * settings.steps), pct_start=0.05
    )
    for _ in range(settings.epochs):
        losses = []
        for _ in range(settings.steps):
            pads, beside = _losses(net.train(), lessons.draw(settings.batch), settings.bfloat16)
            loss = pads + beside
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), MAX_GRADIENT)
            optimiser.step()
            schedule.step()
            losses.append(float(pads.detach()))
        with torch.no_grad():
            net.eval()
            val_loss = float(np.mean([float(_losses(net, batch, settings.bfloat16)[0]) for batch in val_batches]))
        record.add(float(np.mean(losses)), val_loss, float(optimiser.param_groups[0]["lr"]))
    net.eval()
    return record.report()


def _losses(net: PasteNet, batch: Batch, bfloat16: bool) -> tuple[Tensor, Tensor]:
    """Binary cross-entropy of both signs over judged pads; and, weighted, the errors of level and repeat sigma."""
    window, target = torch.from_numpy(batch.window), torch.from_numpy(batch.target)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits, shift, noise = net.judge(window)
    truth = torch.stack([target == 1, target == -1], dim=1).float()
    pads = window[:, -1, 0]
    judged = (pads * (target != NOT_JUDGED))[:, None]
    there = (window[:, :, 0].amax(dim=(2, 3)) > 0).float()[:, :, None]
    sign = functional.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")
    level = functional.smooth_l1_loss(shift[:, :, :2].float(), torch.from_numpy(batch.shift) / NOISE, reduction="none")
    repeat = functional.smooth_l1_loss(
        noise.float(), torch.log(torch.from_numpy(batch.noise) / NOISE), reduction="none"
    )
    beside = SHIFT_WEIGHT * (level * there).sum() / there.sum()
    beside = beside + NOISE_WEIGHT * (repeat * pads[:, None]).sum() / (2 * pads.sum())
    return (sign * judged).sum() / judged.sum(), beside


def main(arguments: Sequence[str] | None = None) -> int:
    """Train on the twin and write a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=BEST_TRAINING.epochs)
    parser.add_argument("--steps", type=int, default=BEST_TRAINING.steps)
    parser.add_argument("--batch", type=int, default=BEST_TRAINING.batch)
    parser.add_argument("--learning-rate", type=float, default=BEST_TRAINING.learning_rate)
    parser.add_argument("--without", nargs="*", default=[], choices=[*KINDS, "smear"], help="kinds never shown")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    train, val = twin_runs(options.seed)
    settings = BestTraining(
        epochs=options.epochs,
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        weight_decay=BEST_TRAINING.weight_decay,
    )
    net = PasteNet(BOARDS)
    report = fit_best(net, train, val, settings, options.seed, _say, frozenset(options.without))
    save(options.out, net, seed=options.seed, without=tuple(options.without))
    print(f"{options.out}: {report.epochs} epochs, {report.seconds:.0f} s, val loss {report.best_val_loss:.5f}")
    return 0


def _say(report: EpochReport) -> None:
    print(f"epoch {report.epoch}: train {report.train_loss:.5f}, val {report.val_loss:.5f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
