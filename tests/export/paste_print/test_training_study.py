"""The study on the line twin, and the way a preset's training goes from samples to a checked network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from export.families.paste_print import checkpoints, train_study  # noqa: E402
from export.families.paste_print.experiment_runs import CHOICE_SEED, TEST_SEEDS, VALIDATION_SEED, line_of  # noqa: E402
from export.families.paste_print.presets import FAST_TRAINING, PRESETS, recurrent_variants  # noqa: E402
from export.families.paste_print.train_study import (  # noqa: E402
    TRAIN_RUNS,
    VAL_RUNS,
    Lot,
    repeat_sigma,
    shuffled,
    study_windows,
    teach,
)
from export.teaching import TeachingJob  # noqa: E402
from export.training_record import EpochReport  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

ONE_EPOCH = replace(FAST_TRAINING, epochs=1, batch=4)


@pytest.fixture(scope="module")
def lot() -> Lot:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_study, "TRAIN_RUNS", TRAIN_RUNS[:1])
        whole = study_windows(line_of().table, ("mask", "volume", "area"), boards=3)
    return Lot(train=whole.train[:8], val=whole.val[:4])


def test_no_seed_of_an_experiment_teaches() -> None:
    assert set(TRAIN_RUNS).isdisjoint(VAL_RUNS)
    assert {CHOICE_SEED, VALIDATION_SEED, *TEST_SEEDS}.isdisjoint({*TRAIN_RUNS, *VAL_RUNS})


def test_windows_are_of_good_boards_in_sigmas_of_a_pad(lot: Lot) -> None:
    assert lot.train.shape[1:] == (3, 3, 48, 48)
    assert lot.train.dtype == np.float32
    assert (lot.train[:, :, 1:][np.broadcast_to(lot.train[:, :, :1] == 0, lot.train[:, :, 1:].shape)] == 0).all()
    volume, area = repeat_sigma(line_of().table)
    assert 0.1 < volume < 1 > area > 0.1  # the level moves a pad further than a print repeats


def test_shuffling_leaves_the_last_board_and_loses_none(lot: Lot) -> None:
    marked = np.arange(20, dtype=np.float32).reshape(2, 10, 1, 1, 1)
    mixed = shuffled(marked)
    assert (mixed[:, -1] == marked[:, -1]).all()
    assert (np.sort(mixed, axis=1) == marked).all()
    assert not (mixed == marked).all()


def test_the_study_leaves_a_checkpoint_and_its_figures(lot: Lot, tmp_path: Path) -> None:
    row = teach("crae_na", 4, 0, lot, ONE_EPOCH, tmp_path)
    assert row == json.loads((tmp_path / "crae_na_w4_0.json").read_text())
    assert row["residual_sigma"] > 0 < row["residual_sigma_shuffled"]
    signed, score = checkpoints.load(tmp_path / "crae_na_w4_0.pt")(lot.val)
    assert signed.shape == (4, 48, 48)
    np.testing.assert_array_equal(score, np.abs(signed).max(axis=(1, 2)))


def test_a_preset_teaches_from_samples(lot: Lot, tmp_path: Path) -> None:
    preset = PRESETS["fast"]
    network = recurrent_variants(4)["crrn"].build()
    bad = lot.val.copy()
    bad[:, -1, 1:] += 9.0 * bad[:, -1, :1]
    samples = SimpleNamespace(
        train=lot.train, val=np.concatenate([lot.val, bad]), val_good=np.repeat([True, False], len(lot.val))
    )
    reports: list[EpochReport] = []
    job = TeachingJob(
        network=network,
        scored=network,
        samples=samples,
        folder=tmp_path,
        contract=None,
        settings=ONE_EPOCH,
        seed=0,
        on_epoch=reports.append,
    )
    taught = preset.teach(job)
    assert len(reports) == taught.report.epochs == 1
    assert not network.training
    plain = float(np.sqrt((lot.val[:, -1, 1:] ** 2).sum() / lot.val[:, -1, 0].sum() / 2))
    assert taught.check.plain_sigma == pytest.approx(plain, rel=1e-5)  # good boards alone are held against it
