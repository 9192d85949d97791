"""Is the twin's X-ray to be believed? The six acceptance checks, measured beside real pictures.

    python -m export.simulator.xray.acceptance --data ../shared/data --json benchmarks/results/xray_twin.json

Every check gives what was measured on real pictures and on the twin, what is allowed, and whether it holds. Checks 3, 5
and 6 use cheap classifiers, no networks; check 5 asks only for false calls, because the real balls have no rejects.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from export.simulator.xray.balls import RADIUS_PX
from export.simulator.xray.board_types import BGA_TYPES, PTH_TYPES
from export.simulator.xray.checks.ablations import ABLATIONS
from export.simulator.xray.checks.features import joint_features
from export.simulator.xray.checks.measures import (
    Noise,
    auroc_error,
    calm_places,
    median_profile,
    patch_noise,
    spot_contrast,
)
from export.simulator.xray.checks.real_balls import RealBall, dark_places, real_balls, real_projections, real_slices
from export.simulator.xray.checks.reference_scene import Scene, reference_scene, void_scene
from export.simulator.xray.checks.spot_the_fake import fake_auc, patch_features
from export.simulator.xray.machine import REFERENCE
from export.simulator.xray.physics import grey
from export.simulator.xray.roi import Roi, RoiFault
from export.simulator.xray.sets import draw_views
from export.simulator.xray.tune import hardness, joint_rows, taught

PROFILE_T = (0, 8, 16, 24)
VOID_T = tuple(range(-16, 17, 2))
FOUR_SLICES_T = (-12, -4, 4, 12)
RADIUS_OFF, EDGE_OFF = 0.10, 0.15  # allowed, as shares of the real value
NOISE_OFF, CORRELATION_OFF = 0.20, 0.10
FAKE_AUC_AIM, FAKE_AUC_STOP = 0.80, 0.95
VOID_PEAK_MU, VOID_HALF_T = (0.23, 0.41), (6.0, 8.0)  # measured on the real voids that show
VOID_FRACS = (0.15, 0.20, 0.25)
FALSE_CALLS_FRAC = 0.05
BALL_BOX_PX = 100
JUDGED_BOARDS = 2  # of each type, in check 6

Places = Sequence[tuple[float, float]]
Result = dict[str, Any]


def profiles(data: Path, scene: Scene) -> Result:
    """Check 1: radial profiles of balls at four heights."""
    places = [(ball.x_px, ball.y_px) for ball in real_balls(data)]
    rows, holds = [], True
    for t, mu in zip(PROFILE_T, real_slices(data, PROFILE_T), strict=True):
        real, twin = median_profile(mu, places), median_profile(_at(scene, t), scene.places_px)
        radius_off, edge_off = _off(twin.half_radius_px, real.half_radius_px), _off(twin.edge_px, real.edge_px)
        holds &= abs(radius_off) <= RADIUS_OFF and abs(edge_off) <= EDGE_OFF
        rows.append(
            {"t": t, "real": asdict(real), "twin": asdict(twin), "radius_off": radius_off, "edge_off": edge_off}
        )
    return {"allowed": {"radius_off": RADIUS_OFF, "edge_off": EDGE_OFF}, "rows": rows, "holds": bool(holds)}


def noises(data: Path, scene: Scene) -> Result:
    """Check 2: noise in projections, behind balls and beside them, and in the slice through the balls.

    Variance is linear in counts, so the twin's deviation is taken to the real patch's mean by that line first.
    """
    counts, mu = real_projections(data, 3)[0], real_slices(data, (0,))[0]
    twin_mu = _at(scene, 0)
    pairs = {
        "behind_balls": (
            _patches(counts, dark_places(counts)),
            _patches(scene.counts[0], dark_places(scene.counts[0])),
        ),
        "board": (_calm(counts, 700, 1000), _calm(scene.counts[0], 600, 1000)),
        "slice": (_calm(mu, 0.4, 0.7), _calm(twin_mu, 0.4, 0.7)),
    }
    rows, holds = [], True
    for name, (real, twin) in pairs.items():
        off = _off(twin.deviation * _noise_ratio(name, real.mean, twin.mean), real.deviation)
        near, far = twin.correlation_1px - real.correlation_1px, twin.correlation_2px - real.correlation_2px
        holds &= abs(off) <= NOISE_OFF and max(abs(near), abs(far)) <= CORRELATION_OFF
        rows.append({"where": name, "real": asdict(real), "twin": asdict(twin), "deviation_off": off})
    allowed = {"deviation_off": NOISE_OFF, "correlation_off": CORRELATION_OFF}
    return {"allowed": allowed, "rows": rows, "holds": bool(holds)}


def fakes(data: Path, scenes: Sequence[Scene]) -> Result:
    """Check 3: a small net that tells twin from real balls, folds grouped by the ball's row."""
    balls = real_balls(data)
    places = [(ball.x_px, ball.y_px) for ball in balls]
    rows, worst = [], 0.0
    for t in (0, 8, -8):
        real = patch_features(real_slices(data, (t,))[0], places)
        twin = np.concatenate([patch_features(_at(scene, t), scene.places_px) for scene in scenes])
        groups = np.array([_row_of(ball) for ball in balls] + [100 + n // 6 for n in range(len(twin))])
        aucs = fake_auc(real, twin, groups)
        worst = max(worst, *aucs["both"].values())
        rows.append({"t": t, "n_real": len(real), "n_twin": len(twin), "auc": aucs})
    allowed = {"aim": FAKE_AUC_AIM, "stop": FAKE_AUC_STOP}
    return {"allowed": allowed, "rows": rows, "aim_met": worst < FAKE_AUC_AIM, "holds": worst <= FAKE_AUC_STOP}


def voids(seed: int, fractions: Sequence[float] = VOID_FRACS) -> Result:
    """Check 4: contrast of a void against the height of the slice, at three sizes and two heights."""
    rows = []
    for fraction in fractions:
        for height_t in (-6.0, 6.0):
            scene = void_scene(seed, fraction, height_t, VOID_T)
            spots = [(ball, (ball[0] + 0.4 * RADIUS_PX, ball[1])) for ball in scene.places_px[:9]]
            contrast = np.array(
                [np.mean([spot_contrast(mu, ball, RADIUS_PX, spot)[0] for ball, spot in spots]) for mu in scene.mu]
            )
            row = {"diameter_frac": fraction, "height_t": height_t, **_peak(contrast)}
            shows = VOID_PEAK_MU[0] <= row["peak_mu"] <= VOID_PEAK_MU[1]
            rows.append(row | {"holds": shows and VOID_HALF_T[0] <= row["half_t"] <= VOID_HALF_T[1]})
    allowed = {"peak_mu": VOID_PEAK_MU, "half_t": VOID_HALF_T}
    return {"allowed": allowed, "rows": rows, "holds": all(row["holds"] for row in rows)}


def false_calls(data: Path, types: Sequence[str], boards: int, seed: int) -> Result:
    """Check 5: taught on the twin only, judging real good balls at four heights; the threshold is where 5 % of the
    twin's good joints are called, on boards of their own."""
    train = joint_rows(types, boards, seed, "line", 0.3, slices=len(FOUR_SLICES_T))
    held_out = joint_rows(types, 1, seed + 1, "line", 0.0, slices=len(FOUR_SLICES_T))
    model = taught(train)
    threshold = float(np.quantile(model.predict_proba(held_out.features)[:, 1], 1 - FALSE_CALLS_FRAC))
    slices = grey(real_slices(data, FOUR_SLICES_T), REFERENCE)
    features = np.array([joint_features(slices, _box_of(ball)) for ball in real_balls(data)])
    called = model.predict_proba(features)[:, 1] > threshold
    copy = reference_scene(seed, FOUR_SLICES_T)
    greys, boxes = grey(copy.mu, REFERENCE), [_box_of(RealBall(name="", x_px=x, y_px=y)) for x, y in copy.places_px]
    copies = np.array([joint_features(greys, box) for box in boxes])
    return {
        "allowed": FALSE_CALLS_FRAC,
        "n_real": len(called),
        "called": int(called.sum()),
        "n_twin_copy": len(copies),
        "twin_copy_called": int((model.predict_proba(copies)[:, 1] > threshold).sum()),
        "threshold": threshold,
        "n_train": len(train.is_defect),
        "holds": bool(called.mean() <= FALSE_CALLS_FRAC),
    }


def ablated(types: Sequence[str], judged_types: Sequence[str], boards: int, seed: int) -> Result:
    """Check 6: taught on a twin with worse physics, judged on the faithful one. Holds where every ablation moves the
    score by more than twice its standard error; one that does not move it either does not matter to this classifier or
    wants more joints to show."""
    judged = joint_rows(judged_types, JUDGED_BOARDS, seed + 1, "line", 0.3)
    rows = {}
    for name, (setting, look) in ABLATIONS.items():
        rows[name] = asdict(hardness(taught(joint_rows(types, boards, seed, setting, 0.3, look=look)), judged))
    faithful = rows["faithful"]["auroc_against_truth"]
    moved = {name: row["auroc_against_truth"] - faithful for name, row in rows.items() if name != "faithful"}
    error = auroc_error(faithful, int(judged.is_true.sum()), int((~judged.is_true).sum()))
    holds = all(abs(change) > 2 * error for change in moved.values())
    return {"rows": rows, "moved": moved, "standard_error": error, "holds": holds}


def speed(types: Sequence[str], seed: int) -> Result:
    """Joints drawn in a second of processor time, with everything a set needs but its files."""
    joints, started = 0, time.process_time()
    for drawn in draw_views(types, 1, seed):
        joints += len(drawn.view.joints)
    return {"joints": joints, "joints_per_cpu_s": joints / (time.process_time() - started)}


def measured(data: Path, seed: int, only: Sequence[str] = ()) -> Result:
    """All of it, or the checks named."""
    focus = (-8, *PROFILE_T)
    days = range(1, 5)
    checks: dict[str, Callable[[], Result]] = {
        "1_profiles": lambda: profiles(data, reference_scene(seed, focus)),
        "2_noise": lambda: noises(data, reference_scene(seed, focus)),
        "3_spot_the_fake": lambda: fakes(data, [reference_scene(seed + n, focus, of_a_day=True) for n in days]),
        "4_voids": lambda: voids(seed),
        "5_false_calls_on_real_balls": lambda: false_calls(data, BGA_TYPES[:8], 2, seed),
        "6_ablations": lambda: ablated(PTH_TYPES[:6], PTH_TYPES[10:14], 1, seed),
        "speed": lambda: {"pth": speed(PTH_TYPES[:3], seed), "bga": speed(BGA_TYPES[:3], seed)},
    }
    return {name: check() for name, check in checks.items() if not only or name in only}


def _at(scene: Scene, t: int) -> Any:
    return scene.mu[scene.focus_t.index(float(t))]


def _patches(plane: Any, places: Places) -> Noise:
    return patch_noise(plane, places)


def _calm(plane: Any, low: float, high: float) -> Noise:
    return patch_noise(plane, calm_places(plane, low, high))


def _noise_ratio(where: str, real_mean: float, twin_mean: float) -> float:
    if where == "slice":
        return 1.0
    constant, per_count = REFERENCE.noise_variance
    return float(np.sqrt((constant + per_count * real_mean) / (constant + per_count * twin_mean)))


def _peak(contrast: Any) -> Result:
    """Peak, where it is, and how far from it half of it is left, as the mean of both sides."""
    best, fine_t = int(contrast.argmax()), np.arange(VOID_T[0], VOID_T[-1] + 0.1, 0.25)
    above = fine_t[np.interp(fine_t, VOID_T, contrast) > contrast[best] / 2]
    return {"peak_mu": float(contrast[best]), "peak_t": VOID_T[best], "half_t": float(np.ptp(above) / 2)}


def _row_of(ball: RealBall) -> int:
    return int(ball.name.split("_r")[1].split("c")[0])


def _box_of(ball: RealBall) -> Roi:
    x0, y0 = round(ball.x_px - BALL_BOX_PX / 2), round(ball.y_px - BALL_BOX_PX / 2)
    return Roi(x0=x0, y0=y0, x1=x0 + BALL_BOX_PX, y1=y0 + BALL_BOX_PX, fault=RoiFault.OK)


def _off(twin: float, real: float) -> float:
    return twin / real - 1.0


def main() -> None:
    """All checks to JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of real data sets")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=(), help="measure these checks anew, keep the others of the file")
    options = parser.parse_args()
    stored = json.loads(options.json.read_text("utf-8")) if options.only else {}
    result = stored | {
        "command": "python -m export.simulator.xray.acceptance --data DATA --json JSON",
        "what": "on the line twin, beside real pictures of axi_laminography_bga",
        "seed": options.seed,
        "checks": stored.get("checks", {}) | measured(options.data, options.seed, options.only),
    }
    options.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
