"""What the benchmarks count and fit: operations of a graph against counting by hand, memory growth on known lines."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from benchmarks.flops import flops_of
from benchmarks.jitter import SETTLING_BOARDS, _growth_mb

pytestmark = [pytest.mark.unit, pytest.mark.needs_torch]


def _graph(node: onnx.NodeProto, input_shape: list[object], weights: tuple[int, ...], out: list[object]) -> bytes:
    weight = helper.make_tensor("w", TensorProto.FLOAT, weights, np.zeros(weights, np.float32).ravel())
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    return bytes(model.SerializeToString())


def test_a_convolution_takes_two_operations_a_weight_and_output_pixel() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    assert flops_of(_graph(node, ["N", 3, 8, 8], (5, 3, 3, 3), ["N", 5, 8, 8])) == 2 * 5 * 8 * 8 * 3 * 9


def test_groups_take_their_share() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=4, pads=[1, 1, 1, 1])
    assert flops_of(_graph(node, ["N", 4, 8, 8], (4, 1, 3, 3), ["N", 4, 8, 8])) == 2 * 4 * 8 * 8 * 9


def test_a_transposed_convolution_is_counted_from_its_input() -> None:
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])
    assert flops_of(_graph(node, ["N", 6, 4, 4], (6, 5, 2, 2), ["N", 5, 8, 8])) == 2 * 6 * 4 * 4 * 5 * 4


def test_a_matrix_product_takes_its_inner_side() -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    assert flops_of(_graph(node, ["N", 7, 11], (11, 13), ["N", 7, 13])) == 2 * 7 * 11 * 13


def test_what_only_adds_or_compares_is_not_counted() -> None:
    node = helper.make_node("Add", ["x", "w"], ["y"])
    assert flops_of(_graph(node, ["N", 3], (3,), ["N", 3])) == 0


def test_growth_is_the_slope_once_memory_has_settled() -> None:
    start = np.linspace(0.0, 80.0, SETTLING_BOARDS)  # pools that fill
    assert _growth_mb(np.concatenate([start, np.full(1_000, 80.0)])) == pytest.approx(0.0, abs=1e-9)
    leak = 80.0 + 0.003 * np.arange(1_000)
    assert _growth_mb(np.concatenate([start, leak])) == pytest.approx(3.0)


def test_growth_of_too_few_boards_is_not_told() -> None:
    assert _growth_mb(np.full(SETTLING_BOARDS + 5, 80.0)) is None
