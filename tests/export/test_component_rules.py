"""Rules of components from the line twin to a bundle: what they see, and what they cannot be made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.check import check_file
from edge.references import Compared
from edge.scorers import EngineChoice
from edge.scorers.component_rules import FEATURES, ComponentLimit, exceedance, measured, reduced
from export.families import UnknownName
from export.metrics import auroc
from export.rules import RulesFault
from export.rules_bundle import write_rules_bundle
from export.scoring import SplitRequest, score_split
from export.simulator.components.sets import write_component_set

pytestmark = pytest.mark.sweep
BOARDS = ("CB-101", "CB-107", "CB-145")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts") / "set"
    defects = ("missing", "misplaced")
    write_component_set(folder, 8, 5, "easy", 0.3, boards=BOARDS, defects=defects, references_per_part=2)
    return folder


def test_missing_and_misplaced_parts_stand_out(data: Path, tmp_path: Path) -> None:
    report = write_rules_bundle(data, tmp_path / "rules", family="pth_component", table="components.csv")
    assert report.n_limits == len(FEATURES)
    assert check_file(tmp_path / "rules").faults == []
    request = SplitRequest(data=data, table="components.csv", split="dev-test")
    scored = score_split(tmp_path / "rules", request, EngineChoice())
    assert isinstance(scored.inputs, Compared)
    assert auroc(scored.score[scored.is_good], scored.score[~scored.is_good]) > 0.9


def test_rules_of_another_family_are_not_there(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="rules of family 'no_such_family'"):
        write_rules_bundle(data, tmp_path / "b", family="no_such_family", table="components.csv")
    with pytest.raises(RulesFault, match="no variant 'tuned'"):
        write_rules_bundle(data, tmp_path / "b", family="pth_component", table="components.csv", variant="tuned")


def test_a_picture_is_at_no_distance_from_itself_nor_far_when_shifted() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (40, 40, 3), np.uint8)
    picture = np.kron(noise, np.ones((4, 4, 1), np.uint8))  # 160 px, so that there is something to shift into view
    crops = np.stack([picture[16:144, 16:144], picture[16:144, 24:152], np.rot90(picture, 2)[16:144, 16:144]])
    rows = reduced(crops)
    features = measured(rows, np.repeat(rows[:1, None], 10, axis=1).repeat(3, axis=0))
    assert np.abs(features[0]).max() < 1e-3
    template = list(FEATURES).index("template")
    assert features[1, template] < 0.3
    assert features[2, template] > 0.6


def test_the_worst_limit_is_the_score() -> None:
    limits = (
        ComponentLimit(feature="template", unit="", typical=0.1, high=0.3),
        ComponentLimit(feature="edges", unit="", typical=0.0, high=0.5),
    )
    features = np.array([[0.0, 0, 0, 0, 0.0], [0.3, 0, 0, 0, 0.1], [0.1, 0, 0, 0, 1.0]], np.float32)
    np.testing.assert_allclose(exceedance(features, limits), [0.0, 1.0, 2.0], rtol=1e-6)
