"""The classical inspector of packages: drawn packages with one known fault each, in both looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from edge.board import Image
from edge.bundle import BundleFault, read_bundle
from edge.scorers import load_scorer
from edge.scorers.choice import EngineChoice
from edge.scorers.fault import ScorerFault
from edge.scorers.package_rules import MAP_CELL_PX, score_pictures
from edge.scorers.package_rules_file import N_PARAMETERS, PARAMETERS, PackageRulesFile
from edge.scorers.package_rules_kinds import KINDS, MEASURES
from edge.scorers.package_rules_measure import gauge
from edge.scorers.package_rules_outline import find_outline
from tests.edge.drawn_packages import REFLECTED, TRANSMITTED, Package, rules
from tests.edge.rules_bundle import manifest_of_rules, write_files

pytestmark = pytest.mark.unit


def large_package() -> Package:
    return Package(80.0, 48.0, 3, 26.0)


LOOKS: dict[str, tuple[dict[str, Any], Callable[[], Package]]] = {
    "reflected": (REFLECTED, Package),
    "transmitted": (TRANSMITTED, large_package),
}
HIT = 4  # a ball: second column of the second row of three, or in the first row of eight


def test_there_are_36_parameters_and_each_limit_has_a_measure() -> None:
    assert len(PARAMETERS) == N_PARAMETERS == 36
    assert {measure.limit for measure in MEASURES} == {name for name in PARAMETERS if name.startswith("max_")} - {
        "max_ball_diameter_px"
    }
    assert {measure.kind for measure in MEASURES} == set(KINDS)


@pytest.mark.parametrize(
    "changed", [{"ball_percentile_pct": 30.0}, {"max_ball_diameter_px": 5.0}, {"ball_polarity": "grey"}, {"more": 1}]
)
def test_parameters_out_of_range_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rules(**changed)


@pytest.mark.parametrize("name", LOOKS)
def test_a_good_package_keeps_all_limits(name: str) -> None:
    look, package = LOOKS[name]
    found = score_pictures(package().picture(look)[None], rules(look))
    assert found.score[0] < 1
    assert found.kind is not None
    assert found.kind.shape == (1, len(KINDS))
    assert found.map is not None
    assert found.map.shape == (1, 64, 64)


def missing(package: Package) -> None:
    package.there[HIT] = False


def undersized(package: Package) -> None:
    package.radii[HIT] *= 0.75


def oversized(package: Package) -> None:
    package.radii[HIT] *= 1.22


def shifted(package: Package) -> None:
    package.places[HIT] += (0.0, 0.2 * package.pitch_px)


def bridge(package: Package) -> None:
    begin, end = package.places[HIT], package.places[HIT + 1]
    package.line(tuple(begin), tuple(end), round(0.9 * package.radius_px), 115.0)


def splatter(package: Package) -> None:
    middle = package.places[HIT] + 0.5 * package.pitch_px
    for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False):
        off = 0.2 * package.pitch_px * np.array([np.cos(angle), np.sin(angle)])
        package.disc(tuple(middle + off), 0.04 * package.pitch_px, 125.0)


def foreign(package: Package) -> None:
    package.disc(tuple(package.places[HIT] + 0.5 * package.pitch_px), 0.2 * package.pitch_px, 95.0)


def scratch(package: Package) -> None:
    x, y = package.places[HIT] + 0.5 * package.pitch_px
    package.line((x - 15, y), (x + 15, y), 2, 20.0)


FAULTS: dict[str, Callable[[Package], None]] = {
    fault.__name__: fault for fault in (missing, undersized, oversized, shifted, bridge, splatter, foreign, scratch)
}


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_called_by_its_kind_where_it_is(kind: str, name: str) -> None:
    look, make = LOOKS[name]
    package = make()
    where = package.places[HIT] + (0.25 * package.pitch_px)
    FAULTS[kind](package)
    found = score_pictures(package.picture(look)[None], rules(look))
    assert found.kind is not None
    assert found.map is not None
    assert found.kind[0, KINDS.index(kind)] > 1, dict(zip(KINDS, found.kind[0].tolist(), strict=True))
    y, x = np.unravel_index(found.map[0].argmax(), found.map[0].shape)
    assert np.hypot(MAP_CELL_PX * x - where[0], MAP_CELL_PX * y - where[1]) < package.pitch_px
    assert found.map.max() == pytest.approx(found.score[0], rel=1e-5)


def test_a_bare_pad_lacks_its_ring() -> None:
    package = Package()
    package.flat[HIT] = True
    package.radii[HIT] *= 0.9
    found = gauge(package.picture(), rules())
    at = [measure.limit for measure in MEASURES].index("max_flat_frac")
    assert found.values[at] > 0.8
    assert gauge(Package().picture(), rules()).values[at] < 0.4


def test_a_ball_where_none_belongs_is_extra() -> None:
    package = Package()
    inner = np.abs(package.places - 128).max(1) < 2 * package.pitch_px
    package.there[inner] = False  # a part number with a bare middle
    assert score_pictures(package.picture()[None], rules()).score[0] < 1
    package.places[np.flatnonzero(inner)[5]] += 0.5 * package.pitch_px
    package.there[np.flatnonzero(inner)[5]] = True
    kind = score_pictures(package.picture()[None], rules()).kind
    assert kind is not None
    assert kind[0, KINDS.index("extra")] > 1


@pytest.mark.parametrize("turn_deg", [-2.0, 2.0])
def test_a_turned_package_is_as_good(turn_deg: float) -> None:
    picture = Package(27.0, 33.0, 8, 7.5).picture()
    turn = cv2.getRotationMatrix2D((127.5, 127.5), turn_deg, 1.0)
    turned = cv2.warpAffine(picture, turn, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    assert score_pictures(np.asarray(turned[None], np.uint8), rules()).score[0] < 1


def test_balls_cut_by_the_rim_are_measured_by_what_shows() -> None:
    package = Package(85.0, 5.0, 4, 27.0)
    assert score_pictures(package.picture(TRANSMITTED)[None], rules(TRANSMITTED)).score[0] < 1


@pytest.mark.parametrize("kind", ["blank", "noise", "one ball", "stripes", "white"])
@pytest.mark.parametrize("name", LOOKS)
def test_a_picture_without_a_grid_is_called_all_over(kind: str, name: str) -> None:
    look, _ = LOOKS[name]
    picture = np.full((256, 256, 3), 255 if kind == "white" else 90, np.uint8)
    if kind == "noise":
        picture = np.random.default_rng(1).integers(0, 256, picture.shape, np.uint8)
    elif kind == "one ball":
        cv2.circle(picture, (128, 128), 30, (200, 200, 200) if name == "reflected" else (10, 10, 10), -1)
    elif kind == "stripes":
        picture[:, ::16] = picture[:, 1::16] = 220
    found = score_pictures(picture[None], rules(look))
    assert np.isfinite(found.score).all()
    assert found.score[0] > 1
    if kind in ("blank", "white", "one ball"):
        assert found.map is not None
        assert (found.map[0] == found.score[0]).all()


def outlined(dx: int = 0, chip_px: int = 0) -> Image:
    package = Package(24.0, 44.0, 8, 7.0)
    picture = package.picture()
    framed = np.full_like(picture, 230)
    framed[22:-22, 22 + dx : 234 + dx] = picture[22:-22, 22 + dx : 234 + dx]
    framed[22 : 22 + chip_px, 100:125] = 230
    return framed


def test_the_outline_is_found_and_a_chip_and_an_offset_are_called() -> None:
    look = rules(outline_step_grey=60.0)
    good, chipped, offset = (
        gauge(picture, look).values[-2:] for picture in (outlined(), outlined(chip_px=9), outlined(8))
    )
    assert good[0] < 2
    assert good[1] < 2
    assert chipped[1] == pytest.approx(9, abs=1.5)
    assert offset[0] == pytest.approx(8, abs=1.5)
    found = find_outline(np.asarray(cv2.cvtColor(outlined(chip_px=9), cv2.COLOR_BGR2GRAY), np.uint8), 60.0)
    assert found is not None
    assert abs(found.chip_at_px[0] - 112) < 15
    assert found.chip_at_px[1] < 40


def test_a_package_without_its_outline_is_called_where_one_is_due() -> None:
    found = score_pictures(Package().picture()[None], rules(outline_step_grey=120.0))
    assert found.kind is not None
    assert found.kind[0, KINDS.index("chipped")] > 1


def test_the_same_picture_gives_the_same_bytes() -> None:
    pictures = np.stack([Package().picture(seed=seed) for seed in (1, 2)])
    first, again = score_pictures(pictures, rules()), score_pictures(pictures[::-1], rules())
    assert first.score.tobytes() == again.score[::-1].tobytes()


def bundle_folder(folder: Path, look: PackageRulesFile) -> Path:
    pictures = np.stack([Package().picture(seed=seed) for seed in range(3)])
    manifest = manifest_of_rules()
    contract = {
        "crop_px": 256,
        "region_scale": 1.0,
        "channels": "bgr",
        "normalisation": "unit",
        "inputs": [{"name": "crops", "shape": ["N", 256, 256, 3], "dtype": "uint8", "meaning": "bgr"}],
        "outputs": [
            {"name": "score", "shape": ["N"], "dtype": "float32", "meaning": "limits"},
            {"name": "map", "shape": ["N", 64, 64], "dtype": "float32", "meaning": "limits"},
            {"name": "kind", "shape": ["N", len(KINDS)], "dtype": "float32", "meaning": "limits"},
        ],
        "kinds": list(KINDS),
    }
    golden: dict[str, NDArray[np.generic]] = {"batch": pictures, "score": score_pictures(pictures, rules()).score}
    manifest |= {"family": "bga_package", "contract": contract}
    return write_files(folder, manifest, look.model_dump_json().encode(), golden)


def test_the_scorer_of_a_bundle_refuses_what_it_cannot_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.scorers.RULES", {"bga_package": ("edge.scorers.package_rules", "PackageRulesScorer")})
    scorer = load_scorer(read_bundle(bundle_folder(tmp_path / "b", rules())), EngineChoice())
    picture = Package().picture()
    assert scorer.score(picture[None]).score.shape == (1,)
    for wrong in (picture[None, :128], picture[None].astype(np.float32), picture[None][:0]):
        with pytest.raises(ScorerFault, match="crops"):
            scorer.score(wrong)
    with pytest.raises(ScorerFault, match="embedding"):
        scorer.embed(picture[None])


def test_a_bundle_of_other_rules_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.scorers.RULES", {"bga_package": ("edge.scorers.package_rules", "PackageRulesScorer")})
    folder = bundle_folder(tmp_path / "b", rules(max_shift_frac=0.001))  # the golden scores are of other limits
    with pytest.raises(BundleFault, match="golden"):
        load_scorer(read_bundle(folder), EngineChoice())
