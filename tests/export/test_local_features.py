"""`best` of `pth_component`: what it computes, what it is taught by, and that it needs no weights from elsewhere."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from edge.board import Floats, Image
from edge.families.pth_component import graph_input
from edge.references import MAX_APPROVED, approved_pictures
from export.families.pth_component.best_episodes import Episodes, approved_embeddings
from export.families.pth_component.best_paint import LINE_ERRORS, bad_picture, good_picture
from export.families.pth_component.best_teaching import BEST_TRAINING
from export.families.pth_component.best_training import fit_episodes, fit_projection
from export.families.pth_component.contract import contract
from export.families.pth_component.local_features import (
    ALLOWED,
    CHANNELS,
    GRID,
    PLACES,
    LocalNet,
    LocalReference,
    LocalSizes,
    allowed,
)
from export.families.pth_component.part_crops import CANVAS_PX, PartCrops
from export.graph_inputs import GraphInputs
from export.metrics import auroc
from export.onnx import onnx_from_torch, run_onnx, run_torch
from export.training_record import TrainingFault

pytestmark = [pytest.mark.needs_torch]

GRAPH = contract(channels="bgr", normalisation="unit", places=True, variant=LocalSizes())
PICTURES = 8  # of each part
KINDS = {  # colour and size
    "chip": ((40, 40, 40), (90, 50)),
    "led": ((230, 230, 230), (50, 90)),
    "pot": ((200, 120, 60), (90, 90)),
}


def inputs_of(crops: Image) -> Floats:
    return graph_input(np.ascontiguousarray(crops), GRAPH)


@pytest.fixture(scope="module")
def parts() -> PartCrops:
    """Three kinds of parts on a blue board, each drawn eight times in slightly other places and lights."""
    rng = np.random.default_rng(1)
    canvases, names = [], []
    for name, (body, size) in KINDS.items():
        for _ in range(PICTURES):
            canvases.append(_drawn(rng, body, size))
            names.append(name)
    return PartCrops(
        canvases=np.stack(canvases),
        parts=np.array(names),
        classes=np.array(names),
        boxes_px=np.array([[90.0, 90.0]] * len(names)),
        wrong_turns=((),) * len(names),
    )


@pytest.fixture(scope="module")
def scored(parts: PartCrops) -> LocalReference:
    """From random weights, in closed form: what any machine can do."""
    torch.manual_seed(0)
    net = LocalNet(plain=True)
    fit_projection(net, inputs_of(parts.crops), parts.parts)
    return LocalReference(net).eval()


def test_good_pictures_of_a_part_vary_by_one(scored: LocalReference, parts: PartCrops) -> None:
    with torch.no_grad():
        places = scored.embed(torch.from_numpy(inputs_of(parts.crops))).view(len(parts), PLACES, CHANNELS)
    deviations = torch.cat([p - p.mean(0) for p in places.split(PICTURES)])
    assert 0.3 < float(deviations.square().mean()) < 1.05  # shrinkage takes a part of the variance


def test_another_part_scores_above_every_good_picture(scored: LocalReference, parts: PartCrops) -> None:
    good = _scores(scored, parts, "chip", parts.crops[parts.parts == "chip"][5:])
    wrong = _scores(scored, parts, "chip", parts.crops[parts.parts == "led"])
    assert wrong.min() > 10 * good.max()


def test_an_approved_picture_itself_scores_least(scored: LocalReference, parts: PartCrops) -> None:
    crops = parts.crops[parts.parts == "pot"]
    own, other = _scores(scored, parts, "pot", crops[:1])[0], _scores(scored, parts, "pot", crops[5:])
    assert own < other.min()


def test_a_part_that_may_be_turned_is_not_called_for_it(scored: LocalReference, parts: PartCrops) -> None:
    crops = parts.crops[parts.parts == "chip"]
    turned = _scores(scored, parts, "chip", np.rot90(crops[5:], 2, axes=(1, 2)), turns_deg=(0, 180))
    not_allowed = _scores(scored, parts, "chip", np.rot90(crops[5:], 2, axes=(1, 2)))
    forbidden = _scores(scored, parts, "chip", np.rot90(crops[5:], 1, axes=(1, 2)), turns_deg=(0, 180))
    assert min(not_allowed.min(), forbidden.min()) > 10 * turned.max()


def test_repeated_references_change_nothing() -> None:
    rng = torch.Generator().manual_seed(3)
    five = torch.randn(1, 5, PLACES * CHANNELS, generator=rng)
    twice, in_turn = five.repeat(1, 2, 1), five.repeat_interleave(2, dim=1)
    assert torch.allclose(allowed(twice), allowed(in_turn), atol=1e-5)


def test_what_references_differ_in_is_allowed_there_and_nowhere_else() -> None:
    references = torch.zeros(1, MAX_APPROVED, PLACES, CHANNELS)
    references += torch.randn(1, MAX_APPROVED, PLACES, CHANNELS, generator=torch.Generator().manual_seed(0)) * 0.1
    references[:, :, 0] *= 12  # the first place, a corner, varies
    spread = allowed(references.flatten(2)).view(GRID, GRID)
    assert spread[0, 0] == spread[1, 1] > ALLOWED[0]
    assert (spread[2:, 2:] == ALLOWED[0]).all()


def test_one_picture_and_its_turned_self_allow_no_more_than_the_most() -> None:
    pair = torch.randn(1, 2, PLACES * CHANNELS, generator=torch.Generator().manual_seed(0)) * 5
    assert (allowed(pair.repeat(1, 5, 1)) == ALLOWED[1]).all()
    assert (allowed(pair[:, :1].repeat(1, 10, 1)) == ALLOWED[0]).all()


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "lite0"])
def test_the_graph_says_what_torch_says(parts: PartCrops, plain: bool) -> None:
    if not plain and importlib.util.find_spec("timm") is None:  # importing it is the backbones' affair
        pytest.skip("timm is not installed")
    torch.manual_seed(0)
    scored = LocalReference(LocalNet(plain=plain, pretrained=False)).eval()
    fit_projection(scored.net, inputs_of(parts.crops), parts.parts)
    pictures = np.stack([inputs_of(_approved(parts, name)) for name in KINDS])
    part = np.repeat(np.arange(len(KINDS)), PICTURES).astype(np.int64)
    inputs = GraphInputs(inputs_of(parts.crops), pictures, part)
    torch_says, graph_says = run_torch(scored, inputs), run_onnx(onnx_from_torch(scored, GRAPH), inputs)
    assert graph_says.map is not None
    assert graph_says.map.shape == (len(parts), GRID, GRID)
    assert np.abs(torch_says.score - graph_says.score).max() < 1e-4
    assert torch_says.score.min() > 0


@pytest.mark.parametrize("error", list(LINE_ERRORS))
def test_errors_are_painted_in_the_box(parts: PartCrops, error: str) -> None:
    box_px = np.array([60.0, 60.0])
    for seed in range(10):
        painted = LINE_ERRORS[error](parts.canvases[0], box_px, np.random.default_rng(seed))
        changed = np.abs(painted.astype(int) - parts.canvases[0]).max(axis=2) > 8
        assert painted.shape == (CANVAS_PX, CANVAS_PX, 3)
        assert painted.dtype == np.uint8
        assert not changed[:8].any()
        assert not changed[-8:].any()
    assert any(
        (LINE_ERRORS[error](parts.canvases[0], box_px, np.random.default_rng(seed)) != parts.canvases[0]).any()
        for seed in range(10)
    )


def test_the_same_seed_draws_the_same_episodes(parts: PartCrops) -> None:
    first, second = (Episodes(parts, 6, seed=4).draw() for _ in range(2))
    assert (first.pictures == second.pictures).all()
    assert len(first.queries) == 6
    assert len(first.references) >= 1


def test_parts_with_one_picture_cannot_teach(parts: PartCrops) -> None:
    lone = replace(parts, parts=np.array([str(i) for i in range(len(parts))]))
    with pytest.raises(TrainingFault, match="single good picture"):
        Episodes(lone, 6, seed=0)


def test_it_learns_from_nothing_but_good_pictures(parts: PartCrops) -> None:
    """Without ImageNet's weights: a few steps part painted errors from harmless changes better than chance."""
    torch.manual_seed(0)
    fresh = LocalReference(LocalNet(plain=True))
    fit_projection(fresh.net, inputs_of(parts.crops), parts.parts)
    settings = replace(BEST_TRAINING, epochs=1, scratch_times=2, steps=6, episodes=3, queries=6)
    report = fit_episodes(fresh, parts, parts, settings, inputs_of, seed=0)
    assert report.history[-1].train_loss < report.history[0].train_loss
    rng = np.random.default_rng(5)
    of_pot = np.flatnonzero(parts.parts == "pot")
    makers = (good_picture, bad_picture)
    good, bad = (np.stack([make(parts, int(i), rng) for i in of_pot for _ in range(3)]) for make in makers)
    assert auroc(_scores(fresh, parts, "pot", good), _scores(fresh, parts, "pot", bad)) > 0.6


def _approved(parts: PartCrops, name: str, turns_deg: tuple[int, ...] = (0,)) -> Image:
    return approved_pictures(parts.crops[parts.parts == name][:5], turns_deg)


@torch.no_grad()
def _scores(
    scored: LocalReference, parts: PartCrops, name: str, crops: Image, turns_deg: tuple[int, ...] = (0,)
) -> Floats:
    scored.eval()
    approved = approved_embeddings(scored.embed(torch.from_numpy(inputs_of(_approved(parts, name, turns_deg)))))
    references = approved.expand(len(crops), -1, -1)
    return scored(torch.from_numpy(inputs_of(crops)), references)[0].numpy()


def _drawn(rng: np.random.Generator, body: tuple[int, int, int], size: tuple[int, int]) -> Image:
    picture = np.full((CANVAS_PX, CANVAS_PX, 3), (150, 80, 30), np.uint8)
    x, y = np.rint(CANVAS_PX / 2 + rng.normal(0, 0.5, 2)).astype(int)
    w, h = size
    cv2.rectangle(picture, (x - w // 2, y - h // 2), (x + w // 2, y + h // 2), body, -1)
    cv2.putText(picture, "103", (x - 24, y + 8), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (120, 200, 120), 2, cv2.LINE_AA)
    cv2.circle(picture, (x - w // 2, y), 8, (190, 190, 190), -1, cv2.LINE_AA)
    lit = picture * rng.uniform(0.95, 1.05) + rng.normal(0, 1, picture.shape)
    return lit.clip(0, 255).astype(np.uint8)
