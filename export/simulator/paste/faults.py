"""Defects of printing to put into clean runs, in sigmas of each pad: the two experiments of protocol 3.4 and 3.5.

Every mask, place, width, side and start comes from a generator; strength over time is A f(t) with s(t) = sigmoid(10 t/T
- 5), T boards from the start of the fault. Two kinds have their size from real boards and take no amplitude: `smear`
(a wiped patch and what it was pushed onto) and `drift`, which no method may report.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.paste.panel import Numbers
from edge.paste.table import PadTable
from export.simulator.paste import masks
from export.simulator.paste.difficulty import Difficulty
from export.simulator.paste.prints import (
    MOVE_AREA_SHARE,
    PrintRun,
    group_sigma_pct,
    nominal_sigma_pct,
    repeat_sigma_pct,
)
from export.simulator.paste.product import PasteProduct

FAULT_KINDS = (*("squeegee", "support", "removed", "kneading", "clamp_excess", "clamp_insufficient", "smear", "drift"),)
NOT_A_DEFECT = "drift"
AMPLITUDES = (1.0, 2.0, 3.0, 5.0)
SPREAD_OF_RANDOM = 0.1  # sigma of the moves of experiment 1 around mu (paper, section 4)
LATEST_START_FRAC = 1 / 6  # of the run
DRIFT_SIGMA = -1.5  # of the aperture group
DRIFT_PRINTS = 20
SMEAR_VOLUME_PCT = (0.0, 3.0)  # of the wiped patch; here and below what a real board showed
SMEAR_AREA_PCT = (30.0, 70.0)  # of its neighbours, whose volume is as usual …
SMEAR_HEIGHT_UM = 222.0  # … unless they would be higher than this


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintFault:
    """A fault over N boards and P pads. `delta_z` is for `injected`; pads outside `mask` have 0 on every board."""

    kind: str
    start: int  # the first board of it
    mask: NDArray[np.bool_]  # (P,)
    strength: Numbers  # (N,) A f(t), signed; 0 before the start
    delta_z: Numbers  # (N, P, 2) volume and area


def random_pads(
    rng: np.random.Generator, shape: tuple[int, int], ratio: float, mu: float, fixed: bool = True
) -> Numbers:
    """Experiment 1: (N, P) sigmas to add to volume and area. Each pad is hit with probability `ratio` and then moves by
    N(mu, 0.1) a board; the same pads on all boards when `fixed`, others on each when not. Raises ValueError."""
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio is {ratio}, expected 0 to 1")
    n_boards, n_pads = shape
    hit = rng.random((1 if fixed else n_boards, n_pads)) < ratio
    return np.where(hit, rng.normal(mu, SPREAD_OF_RANDOM, (n_boards, n_pads)), 0.0)


def in_repeat_sigmas(product: PasteProduct, table: PadTable, difficulty: Difficulty | str = "line") -> Numbers:
    """(P, 2) table sigmas in one repeat sigma, by which a delta is multiplied when its size is meant in repeat sigmas.

    A table learned over days of unlike level has sigmas several times the repeat sigma: say which one is meant.
    """
    return repeat_sigma_pct(product, difficulty) / table.sigma_pct


def printer_fault(
    rng: np.random.Generator,
    product: PasteProduct,
    kind: str,
    n_boards: int,
    amplitude: float,
    table: PadTable | None = None,
    run: PrintRun | None = None,
) -> PrintFault:
    """Experiment 2: one fault of `kind` in a run of `n_boards`, drawn from `rng`. Raises ValueError for other kinds and
    for arguments out of range.

    `smear` and `drift` have sizes in per cent, so they want the `table` the sigmas are of; without it the product's
    nominal ones stand in. With the `run` the fault goes into as well, a smear reaches its 0 to 3 % exactly.
    """
    if kind not in FAULT_KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(FAULT_KINDS)}")
    if n_boards < 2 or not 0 < amplitude <= 20:
        raise ValueError(f"n_boards {n_boards}, amplitude {amplitude}: expected 2 or more boards, above 0 to 20 sigmas")
    if run is not None and len(run) != n_boards:
        raise ValueError(f"run has {len(run)} boards, n_boards is {n_boards}")
    start = int(rng.integers(0, max(1, int(n_boards * LATEST_START_FRAC))))
    t = np.arange(n_boards) - start
    if kind == "smear":
        return _smear(rng, product, start, t, table, run)
    if kind == "drift":
        return _drift(product, start, t, table)
    weight = masks.drawn(rng, product, kind)
    strength = amplitude * time_course(kind, t, n_boards - start)
    spread = strength[:, None] * weight
    return PrintFault(
        kind=kind, start=start, mask=weight > 0, strength=strength, delta_z=np.stack([spread, spread], axis=-1)
    )


def time_course(kind: str, t: NDArray[np.int64], length: int) -> Numbers:
    """f(t) of a kind, from -1 to 1, for boards `t` of a fault `length` boards long; 0 before it (protocol 3.5)."""
    s = 1 / (1 + np.exp(-(10 * t / length - 5)))
    course = {
        "squeegee": np.where(t % 2 == 1, s, 0.0),  # one of two blades
        "support": s,
        "removed": -s,
        "kneading": -(1 - s),  # starts dry and fades as the paste is worked
        "clamp_excess": s,
        "clamp_insufficient": -s,
    }[kind]
    return np.where(t >= 0, course, 0.0)


def _smear(
    rng: np.random.Generator,
    product: PasteProduct,
    start: int,
    t: NDArray[np.int64],
    table: PadTable | None,
    run: PrintRun | None,
) -> PrintFault:
    """From the start on: a patch is wiped empty, and its neighbours' paste is pushed together and up."""
    patch, neighbours = masks.patch_and_neighbours(rng, product)
    mean, sigma = _reference(product, table)
    usual = mean[None] if run is None else np.stack([run.volume_pct, run.area_pct], axis=-1)
    wiped = rng.uniform(*SMEAR_VOLUME_PCT, (len(product), 1))  # what is left covers as little as it holds
    not_higher = usual[:, :, 0] * product.stencil_um / SMEAR_HEIGHT_UM
    pushed = np.minimum(np.maximum(rng.uniform(*SMEAR_AREA_PCT, len(product)), not_higher), usual[:, :, 1])
    delta = np.zeros((len(t), len(product), 2))
    delta[:, patch] = ((wiped - usual) / sigma)[:, patch]
    delta[:, neighbours, 1] = ((pushed - usual[:, :, 1]) / sigma[:, 1])[:, neighbours]
    strength = np.where(t >= 0, 1.0, 0.0)
    return PrintFault(
        kind="smear",
        start=start,
        mask=patch | neighbours,
        strength=strength,
        delta_z=strength[:, None, None] * delta,
    )


def _drift(product: PasteProduct, start: int, t: NDArray[np.int64], table: PadTable | None) -> PrintFault:
    """The whole panel sinks by 1.5 group sigmas within 20 prints and stays there."""
    _, sigma = _reference(product, table)
    area_of_volume = MOVE_AREA_SHARE * product.mean_pct[:, 1] / product.mean_pct[:, 0]
    strength = DRIFT_SIGMA * np.clip((t + 1) / DRIFT_PRINTS, 0, 1)
    points = group_sigma_pct(product)[:, None] * np.column_stack([np.ones(len(product)), area_of_volume])
    return PrintFault(
        kind="drift",
        start=start,
        mask=np.ones(len(product), bool),
        strength=strength,
        delta_z=strength[:, None, None] * points / sigma,
    )


def _reference(product: PasteProduct, table: PadTable | None) -> tuple[Numbers, Numbers]:
    """(P, 2) usual values and their sigmas."""
    return (product.mean_pct, nominal_sigma_pct(product)) if table is None else (table.mean_pct, table.sigma_pct)
