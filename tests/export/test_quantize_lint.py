"""Every rule of the Q/DQ lint, by a graph that breaks it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs_torch")  # the train extra brings it

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from export.quantize.cpu import int8_cpu_graph  # noqa: E402
from export.quantize.faults import QdqFault  # noqa: E402
from export.quantize.graph import load_typed, quantisable_layers  # noqa: E402
from export.quantize.lint import check_qdq, lint  # noqa: E402
from export.quantize.qdq import int8_graph  # noqa: E402
from export.quantize.ranges import measure, ranges_by  # noqa: E402
from tests.export.graphs import small_graph, small_inputs  # noqa: E402

pytestmark = [pytest.mark.unit, pytest.mark.needs_torch]

Break = Callable[[onnx.ModelProto], None]


def good(*, residual: bool = False) -> onnx.ModelProto:
    model = small_graph(residual=residual)
    ranges = ranges_by("min-max", measure(model, small_inputs(8)))
    return onnx.load_from_string(int8_graph(model, ranges, quantisable_layers(load_typed(model))))


def node_of(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.name == name)


def pair_before(model: onnx.ModelProto, layer: str, side: int = 0) -> tuple[onnx.NodeProto | None, onnx.NodeProto]:
    """The QuantizeLinear, where there is one, and the DequantizeLinear that give an input of a layer."""
    producer = {name: node for node in model.graph.node for name in node.output}
    given = producer[node_of(model, layer).input[side]]
    return producer.get(given.input[0]), given


def add_constant(model: onnx.ModelProto, name: str, value: np.ndarray) -> str:
    model.graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def shift_zero_point(model: onnx.ModelProto) -> None:
    name = add_constant(model, "shifted", np.array(3, np.int8))
    for node in pair_before(model, "second"):
        node.input[2] = name


def make_unsigned(model: onnx.ModelProto) -> None:
    name = add_constant(model, "unsigned", np.array(128, np.uint8))
    for node in pair_before(model, "second"):
        node.input[2] = name


def leave_out_zero_point(model: onnx.ModelProto) -> None:
    for node in pair_before(model, "second"):
        del node.input[2]


def quantise_bias(model: onnx.ModelProto) -> None:
    layer = node_of(model, "second")
    whole = add_constant(model, "bias_q", np.arange(4, dtype=np.int32))
    scale = add_constant(model, "bias_scale", np.array(0.01, np.float32))
    model.graph.node.insert(0, helper.make_node("DequantizeLinear", [whole, scale], ["bias_dq"], "bias_dq"))
    layer.input[2] = "bias_dq"


def quantise_output(model: onnx.ModelProto) -> None:
    act = node_of(model, "second_act")
    scale, zero = (add_constant(model, n, v) for n, v in (("s", np.float32(0.1)), ("z", np.int8(0))))
    model.graph.node.append(helper.make_node("QuantizeLinear", [act.input[0], scale, zero], ["out_q"], "out_q"))
    model.graph.node.append(helper.make_node("DequantizeLinear", ["out_q", scale, zero], ["out_dq"], "out_dq"))
    act.input[0] = "out_dq"


def leave_input_in_float(model: onnx.ModelProto) -> None:
    quantise, _ = pair_before(model, "second")
    node_of(model, "second").input[0] = quantise.input[0]


def replace_operator(op_type: str) -> Break:
    def change(model: onnx.ModelProto) -> None:
        node_of(model, "second_act").op_type = op_type

    return change


def leave_domain(model: onnx.ModelProto) -> None:
    node_of(model, "second_act").domain = "com.microsoft"


def part_the_pair(model: onnx.ModelProto) -> None:
    pair_before(model, "second")[1].input[1] = add_constant(model, "other_scale", np.array(0.5, np.float32))


def zero_scale(model: onnx.ModelProto) -> None:
    name = add_constant(model, "zero_scale", np.array(0.0, np.float32))
    for node in pair_before(model, "second"):
        node.input[1] = name


def computed_scale(model: onnx.ModelProto) -> None:
    for node in pair_before(model, "second"):
        node.input[1] = "score"


def scale_inputs_by_channel(model: onnx.ModelProto) -> None:
    names = [add_constant(model, "s4", np.full(4, 0.1, np.float32)), add_constant(model, "z4", np.zeros(4, np.int8))]
    for node in pair_before(model, "second"):
        node.input[1], node.input[2] = names


def scale_weights_by_input(model: onnx.ModelProto) -> None:
    _, given = pair_before(model, "second", side=1)
    del given.attribute[:]
    given.attribute.append(helper.make_attribute("axis", 1))


def use_quantised_values(model: onnx.ModelProto) -> None:
    quantise, _ = pair_before(model, "second")
    model.graph.node.append(helper.make_node("Relu", [quantise.output[0]], ["stray"], "stray"))


def quantise_both_sides(model: onnx.ModelProto) -> None:
    join = node_of(model, "join")
    join.input[0] = join.input[1]


def leave_skip_in_float(model: onnx.ModelProto) -> None:
    node_of(model, "join").input[1] = "first_act"


BROKEN: dict[str, tuple[Break, str, bool]] = {
    "zero point": (shift_zero_point, r"zero points are 0 \(symmetric\); got 3 to 3", False),
    "uint8": (make_unsigned, "quantised values are int8; got uint8", False),
    "uint8 by default": (leave_out_zero_point, "no zero point, which means uint8", False),
    "bias": (quantise_bias, "bias_dq: a bias stays in FP32; got int32 'bias_q'", False),
    "output": (
        quantise_output,
        "out_dq: only inputs of layers and skips of an Add are quantised; got LeakyRelu",
        False,
    ),
    "float input": (leave_input_in_float, "second: input and weights are quantised together; got input float", False),
    "QLinearConv": (replace_operator("QLinearConv"), "second_act: quantised operators are refused", False),
    "ConvInteger": (replace_operator("ConvInteger"), "second_act: integer operators are refused", False),
    "Col2Im": (replace_operator("Col2Im"), "second_act: has no importer", False),
    "other domain": (leave_domain, "operators of other domains are refused; got com.microsoft", False),
    "two scales": (part_the_pair, "a pair has one scale", False),
    "zero scale": (zero_scale, "scales are finite and above 0", False),
    "computed scale": (computed_scale, "the scale must be a constant; got tensor 'score'", False),
    "scales by channel": (scale_inputs_by_channel, "only weights have a scale for each output channel", False),
    "wrong axis": (scale_weights_by_input, "only weights have a scale for each output channel", False),
    "stray reader": (use_quantised_values, "a QuantizeLinear feeds a DequantizeLinear; got Relu", False),
    "both sides of an Add": (quantise_both_sides, "join: of an Add only the skip is quantised; got both", True),
    "skip in float": (leave_skip_in_float, "join: the skip of an Add after an INT8 layer is quantised", True),
}


@pytest.mark.parametrize("residual", [False, True])
def test_our_own_graphs_are_clean(residual: bool) -> None:
    assert lint(good(residual=residual)) == ()


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rule_is_told(name: str) -> None:
    change, message, residual = BROKEN[name]
    model = good(residual=residual)
    change(model)
    with pytest.raises(QdqFault, match=message):
        check_qdq(model)


def test_cpu_graph_is_not_for_tensorrt() -> None:
    model = small_graph()
    made = int8_cpu_graph(
        model, ranges_by("min-max", measure(model, small_inputs(8))), quantisable_layers(load_typed(model))
    )
    rules = {finding.rule for finding in lint(onnx.load_from_string(made))}
    assert {"a bias stays in FP32", "quantised values are int8"} <= rules


def test_many_findings_are_cut_short_and_counted() -> None:
    model = good()
    for node in model.graph.node:
        node.domain = "elsewhere"
    with pytest.raises(QdqFault, match=r"; and \d+ more$"):
        check_qdq(model)


def test_float_graph_has_nothing_to_find() -> None:
    assert lint(onnx.load_from_string(small_graph())) == ()
    assert TensorProto.INT8 not in {t.data_type for t in onnx.load_from_string(small_graph()).graph.initializer}
