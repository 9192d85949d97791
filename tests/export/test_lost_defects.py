"""Defects lost against another bundle: counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs_torch")

from export.families.solder_joint.lost_defects import lost_of, threshold_for

pytestmark = [pytest.mark.unit, pytest.mark.needs_torch]


def test_lost_and_gained_are_counted_by_label_and_place() -> None:
    labels = np.array(["bridge", "bridge", "bridge", "missing", "normal", "missing"])
    places = np.array([1, 1, 2, 3, 4, 3])
    called = np.array([False, False, True, True, True, False])
    reference = np.array([True, True, False, False, False, False])
    bridge, missing = lost_of(called, reference, labels, places, ["bridge", "missing"])
    assert (bridge.n, bridge.n_places, bridge.caught_by_reference, bridge.caught) == (3, 2, 2, 1)
    assert (bridge.lost, bridge.lost_places, bridge.gained) == (2, 1, 1)
    assert (missing.n, missing.n_places, missing.caught_by_reference, missing.caught) == (2, 1, 0, 1)
    assert (missing.lost, missing.lost_places, missing.gained) == (0, 0, 1)


@pytest.mark.parametrize(("allowed", "called"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 4), (9, 4)])
def test_a_moved_threshold_calls_no_more_good_joints_than_allowed(allowed: int, called: int) -> None:
    good = np.array([0.5, 1.0, 2.0, 0.5], np.float32)  # two share a score: both or none
    assert (good > threshold_for(good, allowed)).sum() == called
