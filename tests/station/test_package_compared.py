"""A package bundle that compares, from pictures to a gated board: approved pictures go into the recipe, and what a
station sees is held against them, turned back as they lie. Its network has learned nothing: this is about the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.board import Image, Reason  # noqa: E402
from edge.bundle import BundleFault, read_bundle  # noqa: E402
from edge.families.bga_package import graph_input  # noqa: E402
from edge.journal import JournalReader  # noqa: E402
from edge.lanes import crops_of_lane, load_lanes  # noqa: E402
from edge.recipe import RegistrationSettings, read_recipe  # noqa: E402
from edge.recipe_new import ALIGNED, new_recipe  # noqa: E402
from edge.register import project  # noqa: E402
from edge.registrars import registrar_of  # noqa: E402
from edge.replay import replay_journal  # noqa: E402
from edge.scorers import EngineChoice  # noqa: E402
from edge.settings import SettingsFault  # noqa: E402
from export.approved import approved_of  # noqa: E402
from export.datasets import read_data_set  # noqa: E402
from export.families import load_family  # noqa: E402
from export.inputs import contract_inputs  # noqa: E402
from export.parity.flips import bundle_feeds  # noqa: E402
from export.simulator.line import LineTwin  # noqa: E402
from export.simulator.xray.packages.grid import OPTICAL_TYPES, package_type  # noqa: E402
from export.simulator.xray.packages.package import draw_package  # noqa: E402
from export.simulator.xray.packages.sets import write_package_set  # noqa: E402
from export.to_bundle import write  # noqa: E402
from export.workshop import Trained, TrainRequest, read_samples, seeded  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch, pytest.mark.timeout(300)]

N_BOARDS = 2
APPROVED = 3


def drawn(seed: int) -> Image:
    return draw_package(package_type(OPTICAL_TYPES[0]), (seed, 0)).image


def recipe_of_package(
    home: Path, bundle: Path, registration: RegistrationSettings = ALIGNED, good: Sequence[Path] = ()
) -> Path:
    """Of `reference.png` and `places.csv` in `home`."""
    return new_recipe(
        reference=home / "reference.png",
        places=home / "places.csv",
        bundle=bundle,
        out=home / "recipe",
        recipe_id="compared",
        part_number="PO-401",
        verdict_budget_ms=10_000,
        registration=registration,
        good=good,
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("compared")
    write_package_set(home / "set", 80, 5, "optical", types=OPTICAL_TYPES[:3])
    request = TrainRequest(family="bga_package", data=home / "set", preset="best", variant="compared")
    recipe = load_family(request.family)
    preset = recipe.PRESETS["best"]
    variant = preset.variants["compared"]
    contract, samples = read_samples(request, recipe, preset, variant)
    network = seeded(variant.build, 0).eval()
    trained = Trained(
        request=request,
        recipe=recipe,
        variant="compared",
        scores=variant.scores,
        network=network,
        contract=contract,
        samples=samples,
    )
    write(trained, home / "bundle", all_precisions=False)
    return home / "bundle"


@pytest.fixture(scope="module")
def made(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("recipe")
    approved = [home / "reference.png", *(home / f"approved-{k}.png" for k in range(1, APPROVED))]
    for k, path in enumerate(approved):
        assert cv2.imwrite(str(path), drawn(70 + k))
    (home / "places.csv").write_text("refdes,part_number,x0,y0,x1,y1\nU1,PO-401,0,0,255,255\n")
    return recipe_of_package(home, bundle, good=approved)


def test_from_approved_pictures_to_a_gated_board(bundle: Path, made: Path, tmp_path: Path) -> None:
    read = read_bundle(bundle)
    golden = read.golden_approved
    assert golden is not None
    assert read.manifest.contract.onto_approved
    assert golden.compared.shape[1] == 10
    with LineTwin(tmp_path / "line", made, window_ms=15_000) as line:
        for k in range(N_BOARDS):
            cv2.imwrite(str(tmp_path / "package.png"), drawn(77 + k))
            line.gate_board(f"P{k}", (tmp_path / "package.png").read_bytes(), ".png", timeout_s=30.0)
        journal = line.station.journal
    verdicts = [row.verdict for row in JournalReader(journal).all_verdicts()]
    assert [verdict.reason for verdict in verdicts] == [Reason.JUDGED] * N_BOARDS
    assert replay_journal(journal, made, None, threads=1, json_file=None)


def test_pictures_are_turned_back_onto_what_is_approved(made: Path) -> None:
    recipe = read_recipe(made)
    assert recipe.approved["PO-401"].shape == (10, 256, 256, 3)
    (lane,) = load_lanes(recipe, EngineChoice())
    turn = cv2.getRotationMatrix2D((127.5, 127.5), 1.5, 1.0)
    seen_so = cv2.warpAffine(recipe.reference, turn, (256, 256), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
    registration = registrar_of(recipe.reference, recipe.settings.registration).register(seen_so)
    seen = project(registration, lane.places, seen_so.shape[:2])
    (crop,) = crops_of_lane(lane, seen_so, registration, seen)
    inner = slice(16, 240)
    apart = [np.abs(one[inner, inner].astype(int) - recipe.reference[inner, inner]).mean() for one in (crop, seen_so)]
    assert apart[0] < 0.5 * apart[1]


def test_engines_are_compared_on_pictures_as_a_station_judges_them(bundle: Path) -> None:
    read, data = read_bundle(bundle), read_data_set(bundle.parent / "set")
    contract, rows = read.manifest.contract, data.split("val")[:4]
    crops = contract_inputs(data.folder, rows, contract)
    approved = approved_of(data, contract)
    assert approved is not None
    fed = bundle_feeds(read, data, crops, rows).crops
    assert np.array_equal(fed, graph_input(approved.brought(crops, rows), contract))
    assert not np.array_equal(fed, graph_input(crops, contract))


def test_a_recipe_that_cannot_lay_pictures_so_is_refused(bundle: Path, made: Path, tmp_path: Path) -> None:
    (tmp_path / "places.csv").write_text("refdes,part_number,x0,y0,x1,y1\nU1,PO-401,0,0,255,255\n")
    cv2.imwrite(str(tmp_path / "reference.png"), drawn(70))
    with pytest.raises(SettingsFault, match=r"needs registration\.method 'aligned', not 'orb'"):
        recipe_of_package(tmp_path, bundle, RegistrationSettings(method="orb"))
    recipe = read_recipe(made)
    edited = recipe.settings.model_copy(update={"registration": RegistrationSettings(method="orb")})
    with pytest.raises(BundleFault, match=r"needs registration\.method 'aligned', not 'orb'"):
        load_lanes(dataclasses.replace(recipe, settings=edited), EngineChoice())


def test_a_table_without_part_numbers_is_refused(bundle: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "reference.png"), drawn(70))
    (tmp_path / "places.csv").write_text("refdes,x0,y0,x1,y1\nU1,0,0,255,255\n")
    with pytest.raises(SettingsFault, match="part_number: is empty, and the bundle compares parts"):
        recipe_of_package(tmp_path, bundle)
