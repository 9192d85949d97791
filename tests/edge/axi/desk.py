"""A desk for tests of X-rayed joints: boards of two views, a graph that calls what is bright, files of it all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.axi.board import AxiBoard, AxiJoint, AxiView
from edge.board import Board
from edge.bundle import Contract, TensorSpec
from export.bundle import write_bundle
from tests.edge.desk_bundle import desk_parts, unkept

SIDE_PX, SLICES = 16, 6
VIEW_PX, JOINT_PX, PITCH_PX = 120, 20, 40
BOARD_TYPE = "DESK-1"
THRESHOLD = 0.5
DENSE, LIGHT, BLANK = 40, 200, 255  # solder, a joint without it, a region that shows nothing
MACHINE = 'pictures = "pictures"\n'


def contract() -> Contract:
    """Six slices in; score, two kinds and whether the region is wrong out."""
    return Contract(
        crop_px=SIDE_PX,
        region_scale=1.0,
        channels="slices",
        normalisation="frac",
        n_slices=SLICES,
        kinds=("missing", "short"),
        inputs=(TensorSpec(name="slices", shape=("N", SLICES, SIDE_PX, SIDE_PX), dtype="float32", meaning="slices"),),
        outputs=(
            TensorSpec(name="score", shape=("N",), dtype="float32", meaning="brightness of the lowest slice"),
            TensorSpec(name="kind", shape=("N", 2), dtype="float32", meaning="bright, dark"),
            TensorSpec(name="roi", shape=("N",), dtype="float32", meaning="over 0.5 where nearly white"),
        ),
    )


def graph() -> bytes:
    """`score` is the mean of the lowest slice, `kind` that and one less it, `roi` that less 0.4."""
    nodes = [
        helper.make_node("Gather", ["slices", "zero"], ["lowest"], axis=1),
        helper.make_node("ReduceMean", ["lowest", "axes"], ["score"], keepdims=0),
        helper.make_node("Sub", ["one", "score"], ["dark"]),
        helper.make_node("Unsqueeze", ["score", "last"], ["a"]),
        helper.make_node("Unsqueeze", ["dark", "last"], ["b"]),
        helper.make_node("Concat", ["a", "b"], ["kind"], axis=1),
        helper.make_node("Sub", ["score", "offset"], ["roi"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(0, np.int64), "zero"),
        numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
        numpy_helper.from_array(np.array([1], np.int64), "last"),
        numpy_helper.from_array(np.array(1.0, np.float32), "one"),
        numpy_helper.from_array(np.array(0.4, np.float32), "offset"),
    ]
    given = [helper.make_tensor_value_info("slices", TensorProto.FLOAT, ["N", SLICES, SIDE_PX, SIDE_PX])]
    made = [
        helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
        helper.make_tensor_value_info("kind", TensorProto.FLOAT, ["N", 2]),
        helper.make_tensor_value_info("roi", TensorProto.FLOAT, ["N"]),
    ]
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(helper.make_graph(nodes, "desk", given, made, constants), opset_imports=opset)
    model.ir_version = 10
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def bundle(folder: Path) -> str:
    """The graph with its contract. Returns its identity."""
    batch = np.random.default_rng(0).integers(0, 256, (8, SIDE_PX, SIDE_PX, SLICES), np.uint8)
    scores = (batch[..., 0] / 255).mean(axis=(1, 2)).astype(np.float32)
    return write_bundle(folder, desk_parts("axi_joint", contract(), graph(), batch, scores, unkept(THRESHOLD)))


def board(serial: str = "B1", n_slices: int = 3, **greys: int) -> AxiBoard:
    """Two views of four joints each, J1-1 … J2-4, all dense but those named: `J1_2=LIGHT`."""
    views, joints = [], []
    for v in range(2):
        plane = np.full((VIEW_PX, VIEW_PX), 230, np.uint8)
        for k in range(4):
            x, y = 20 + (k % 2) * PITCH_PX, 20 + (k // 2) * PITCH_PX
            plane[y : y + JOINT_PX, x : x + JOINT_PX] = greys.get(f"J{v + 1}_{k + 1}", DENSE)
            box = (float(x), float(y), float(x + JOINT_PX), float(y + JOINT_PX))
            joints.append(
                AxiJoint(
                    refdes=f"J{v + 1}", pin=str(k + 1), view=v, x0_px=box[0], y0_px=box[1], x1_px=box[2], y1_px=box[3]
                )
            )
        slices = np.repeat(plane[..., None], n_slices, axis=2)
        slices[0, 0] = 10 * v + np.arange(n_slices)  # no two pictures alike
        views.append(AxiView(name=f"V{v + 1}", slices=slices))
    return AxiBoard(serial=serial, board_type=BOARD_TYPE, views=tuple(views), joints=tuple(joints))


def moved(shown: AxiBoard, name: str, dx_px: float, factor: float = 1.0) -> AxiBoard:
    """The board with one joint's region elsewhere, and of another size."""

    def other(joint: AxiJoint) -> AxiJoint:
        if joint.name != name:
            return joint
        side = (joint.x1_px - joint.x0_px) * (factor - 1) / 2
        return replace(
            joint,
            x0_px=joint.x0_px + dx_px - side,
            x1_px=joint.x1_px + dx_px + side,
            y0_px=joint.y0_px - side,
            y1_px=joint.y1_px + side,
        )

    return replace(shown, joints=tuple(map(other, shown.joints)))


def triggered(shown: AxiBoard | None, fault: str = "") -> Board:
    """The board as a station gets it."""
    return Board(
        uid="u",
        board_id="B1",
        trigger_ns=0,
        trigger_utc="2026-01-01T00:00:00Z",
        picture_path="x",
        picture_sha256="0" * 64,
        image=None,
        axi=shown,
        capture_fault=fault,
    )


def write_files(folder: Path, shown: AxiBoard) -> Path:
    """The board's slices below `pictures` and its index; gives the index's path."""
    views = []
    for number, view in enumerate(shown.views):
        slices = []
        for k in range(view.n_slices):
            path = f"{shown.serial}/{view.name}_{k:02d}.png"
            (folder / "pictures" / path).parent.mkdir(parents=True, exist_ok=True)
            data = cv2.imencode(".png", np.ascontiguousarray(view.slices[:, :, k]))[1].tobytes()
            (folder / "pictures" / path).write_bytes(data)
            slices.append({"path": path, "sha256": hashlib.sha256(data).hexdigest()})
        own = [
            {"refdes": joint.refdes, "pin": joint.pin, "box_px": joint.box_px}
            for joint in shown.joints
            if joint.view == number
        ]
        views.append({"name": view.name, "slices": slices, "joints": own})
    index = {
        "schema_version": 1,
        "serial": shown.serial,
        "board_type": shown.board_type,
        "export": None,
        "views": views,
        "complete": True,
    }
    (folder / f"{shown.serial}.json").write_text(json.dumps(index))
    (folder / "machine.toml").write_text(MACHINE)
    return folder / f"{shown.serial}.json"
