"""The graphs of smaller precisions: typed and placed as they should be, one set of ranges, and a gate that can say
no."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs_torch")  # the train extra brings it
pytest.importorskip("torch", reason="needs_torch")  # export.onnx, which checks every graph, exports from it

from onnx import TensorProto, numpy_helper  # noqa: E402

from edge.board import Floats  # noqa: E402
from edge.bundle import Parity  # noqa: E402
from export.quantize import build as build_module  # noqa: E402
from export.quantize.build import Trial, methods_by_cost  # noqa: E402
from export.quantize.cpu import int8_cpu_graph  # noqa: E402
from export.quantize.decisions import Judge, refusal_of, score_of  # noqa: E402
from export.quantize.equalise import equalised  # noqa: E402
from export.quantize.faults import QuantizeFault  # noqa: E402
from export.quantize.fp16 import fp16_graph, fp16_rounded  # noqa: E402
from export.quantize.graph import Layer, constant, forward_nodes, load_typed, quantisable_layers  # noqa: E402
from export.quantize.qdq import int8_graph  # noqa: E402
from export.quantize.ranges import METHODS, Histogram, Measured, Ranges, measure, ranges_by  # noqa: E402
from export.quantize.sensitivity import effects_of, relax  # noqa: E402
from tests.export.graphs import CHANNELS, broken_for, median, small_graph, small_inputs  # noqa: E402

pytestmark = [pytest.mark.unit, pytest.mark.needs_torch]

INT8 = pytest.mark.parametrize("make", [int8_graph, int8_cpu_graph])


def scales_of(model: onnx.ModelProto) -> dict[str, tuple[float, int]]:
    """Scale and zero point of each quantised activation, by the tensor's name before its QuantizeLinear."""
    return {
        node.input[0]: (float(constant(model, node.input[1])), int(constant(model, node.input[2])))
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
    }


def layers_of(model: bytes) -> tuple[Layer, ...]:
    return quantisable_layers(load_typed(model))


def ranges_of(model: bytes, method: str = "min-max") -> Ranges:
    return ranges_by(method, measure(model, small_inputs(32)))


def judge_of(model: bytes, n: int = 40) -> Judge:
    return Judge(model, small_inputs(n, seed=1), np.arange(n) % 2 == 0, median, threads=1)


# The graph


def test_forward_part_ends_at_the_last_layer() -> None:
    forward = forward_nodes(load_typed(small_graph()))
    assert {"first", "first_act", "second", "second_act", "last"} == forward


def test_scope_that_names_nothing_is_refused() -> None:
    with pytest.raises(QuantizeFault, match="gradcam"):
        forward_nodes(load_typed(small_graph(scope=True)), ["gradcam"])


def test_layers_are_named_by_their_weights() -> None:
    assert [layer.name for layer in layers_of(small_graph())] == ["first", "second", "last"]


# FP16


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    return {value.name: value.type.tensor_type.elem_type for value in values}


def test_fp16_graph_is_typed_to_the_last_layer_and_no_further() -> None:
    made = onnx.load_from_string(fp16_graph(small_graph()))
    onnx.checker.check_model(made, full_check=True)
    types = types_of(made)
    assert {types[name] for name in ("first_out", "first_act", "second_out", "last_out")} == {TensorProto.FLOAT16}
    assert {types[name] for name in ("crops", "error", "squares", "map", "score")} == {TensorProto.FLOAT}
    assert [n.op_type for n in made.graph.node].count("Cast") == 2  # one in, one out
    assert {t.data_type for t in made.graph.initializer if ".weight" in t.name} == {TensorProto.FLOAT16}


def test_fp16_leaves_a_scope_in_fp32() -> None:
    made = onnx.load_from_string(fp16_graph(small_graph(scope=True), ["gradient"]))
    types = types_of(made)
    assert types["gradient_out"] == TensorProto.FLOAT
    assert types["last_out"] == TensorProto.FLOAT16
    whole = types_of(onnx.load_from_string(fp16_graph(small_graph(scope=True))))
    assert whole["gradient_out"] == TensorProto.FLOAT16  # without the scope it is one more layer


def test_fp16_score_is_not_summed_in_fp16() -> None:
    model = small_graph()
    reference, got = (score_of(m, small_inputs(20), 1) for m in (model, fp16_graph(model)))
    np.testing.assert_allclose(got, reference, rtol=2e-3)
    assert (got != got.astype(np.float16)).any()


def test_fp16_stand_in_rounds_what_the_cpu_would_not() -> None:
    model = small_graph(scope=True)
    rounded = score_of(fp16_rounded(model, ["gradient"]), small_inputs(20), 1)
    on_cpu = score_of(fp16_graph(model, ["gradient"]), small_inputs(20), 1)
    assert (rounded != on_cpu).any()
    np.testing.assert_allclose(rounded, on_cpu, atol=1e-4)


def test_fp16_score_arithmetic_reads_the_picture_unrounded() -> None:
    for made in (fp16_graph(small_graph()), fp16_rounded(small_graph())):
        (error,) = (node for node in onnx.load_from_string(made).graph.node if node.op_type == "Sub")
        assert error.input[1] == "crops"


def test_weight_that_fp16_cannot_hold_is_refused() -> None:
    model = onnx.load_from_string(small_graph())
    tensor = next(t for t in model.graph.initializer if t.name == "last.bias")
    tensor.CopyFrom(numpy_helper.from_array(np.full(3, 1e5, np.float32), tensor.name))
    with pytest.raises(QuantizeFault, match=r"last\.bias: holds 1e\+05"):
        fp16_graph(model.SerializeToString())


# Ranges


@pytest.mark.parametrize("method", METHODS)
def test_no_method_goes_beyond_what_was_seen(method: str) -> None:
    measured = measure(small_graph(), small_inputs(32))
    for name, (low, high) in ranges_by(method, measured).items():
        seen = measured.histograms[name]
        assert seen.low <= low <= high <= seen.high
        assert high > low


def test_methods_differ_and_min_max_is_the_widest() -> None:
    measured = measure(small_graph(), small_inputs(32))
    widths = {m: high - low for m in METHODS for low, high in [ranges_by(m, measured)["second_act"]]}
    assert len(set(widths.values())) > 2
    assert max(widths.values()) == widths["min-max"]


def test_one_outlier_does_not_set_the_percentile_range() -> None:
    inputs = small_inputs(32)
    inputs[0, 0, 0, 0] = 100.0
    measured = measure(small_graph(), inputs)
    assert ranges_by("min-max", measured)["crops"][1] == 100.0
    assert ranges_by("percentile", measured)["crops"][1] < 2.0


def test_mse_range_of_long_tails_is_short_and_errs_least() -> None:
    values = np.random.default_rng(0).laplace(0.0, 1.0, 100_000)
    limit = float(np.abs(values).max())
    counts, _ = np.histogram(values, 2048, (-limit, limit))
    histogram = Histogram(counts=counts, limit=limit, low=float(values.min()), high=float(values.max()))
    measured = Measured(histograms={"x": histogram}, n=1, data_sha256="0" * 64)

    def error(bounds: tuple[float, float]) -> float:
        step = (bounds[1] - bounds[0]) / 255
        return float(((np.clip(np.round(values / step) * step, *bounds) - values) ** 2).mean())

    found = {method: ranges_by(method, measured)["x"] for method in METHODS}
    assert found["mse"][1] < 0.9 * found["min-max"][1]
    assert error(found["mse"]) == min(error(bounds) for bounds in found.values())


def test_fingerprint_is_of_the_inputs_used() -> None:
    first, again, other = (measure(small_graph(), small_inputs(8, seed)) for seed in (0, 0, 1))
    assert (first.n, first.data_sha256) == (8, again.data_sha256)
    assert other.data_sha256 != first.data_sha256


def test_many_inputs_are_thinned_evenly() -> None:
    assert measure(small_graph(), small_inputs(600)).n == 256


@pytest.mark.parametrize(("inputs", "message"), [(small_inputs(0), "no inputs"), (small_inputs(2) * np.nan, "finite")])
def test_inputs_that_measure_nothing_are_refused(inputs: Floats, message: str) -> None:
    with pytest.raises(QuantizeFault, match=message):
        measure(small_graph(), inputs)


def test_unknown_method_is_refused() -> None:
    with pytest.raises(QuantizeFault, match="'median' is not one of"):
        ranges_by("median", measure(small_graph(), small_inputs(4)))


# INT8


def test_both_int8_graphs_have_the_same_ranges() -> None:
    model, ranges = small_graph(), ranges_of(small_graph())
    layers = layers_of(model)
    trt, cpu = (scales_of(onnx.load_from_string(make(model, ranges, layers))) for make in (int8_graph, int8_cpu_graph))
    assert trt.keys() < cpu.keys()  # the CPU's has outputs besides
    for name in trt:
        low, high = ranges[name]
        assert trt[name] == (pytest.approx(max(-low, high) / 127, rel=1e-6), 0)
        scale, zero = cpu[name]
        assert -zero * scale == pytest.approx(min(low, 0.0), abs=scale)
        assert (255 - zero) * scale == pytest.approx(max(high, 0.0), abs=scale)


@INT8
def test_score_arithmetic_reads_the_picture_unrounded(make: build_module.MakeInt8) -> None:
    made = onnx.load_from_string(make(small_graph(), ranges_of(small_graph()), layers_of(small_graph())))
    (error,) = (node for node in made.graph.node if node.op_type == "Sub")
    assert error.input[1] == "crops"


@INT8
def test_scope_reads_tensors_and_weights_unrounded(make: build_module.MakeInt8) -> None:
    model = small_graph(scope=True)
    layers = quantisable_layers(load_typed(model), ["gradient"])
    assert [layer.name for layer in layers] == ["first", "second", "last"]
    made = onnx.load_from_string(make(model, ranges_of(model), layers))
    (gradient,) = (node for node in made.graph.node if node.name == "gradient")
    assert list(gradient.input) == ["error", "first.weight"]


@INT8
def test_int8_scores_stay_near(make: build_module.MakeInt8) -> None:
    model = small_graph()
    candidate = judge_of(model).judge(make(model, ranges_of(model), layers_of(model)))
    assert candidate.parity.spearman > 0.99
    assert candidate.error_frac < 0.1


@INT8
def test_layer_kept_in_float_has_float_weights(make: build_module.MakeInt8) -> None:
    model = small_graph()
    made = onnx.load_from_string(make(model, ranges_of(model), layers_of(model)[:-1]))
    (last,) = (node for node in made.graph.node if node.name == "last")
    assert last.input[1] == "last.weight"


def test_residual_add_is_quantised_on_the_skip_alone() -> None:
    model = small_graph(residual=True)
    made = onnx.load_from_string(int8_graph(model, ranges_of(model), layers_of(model)))  # lints itself
    producer = {name: node for node in made.graph.node for name in node.output}
    (join,) = (node for node in made.graph.node if node.name == "join")
    assert [producer[name].op_type for name in join.input] == ["Conv", "DequantizeLinear"]


def test_equalised_graph_computes_the_same_with_even_channels() -> None:
    model = onnx.load_from_string(small_graph())
    for tensor in model.graph.initializer:  # one channel a hundred times smaller than the others
        if tensor.name in ("first.weight", "first.bias"):
            value = numpy_helper.to_array(tensor).copy()
            value[0] *= 0.01
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    uneven = model.SerializeToString()
    layers = layers_of(uneven)
    even = equalised(uneven, layers, small_inputs(32), 1.0)
    np.testing.assert_allclose(
        score_of(even, small_inputs(9, seed=3), 1), score_of(uneven, small_inputs(9, seed=3), 1), rtol=1e-5
    )
    errors = [judge_of(uneven).judge(int8_graph(m, ranges_of(m), layers)).error_frac for m in (uneven, even)]
    assert errors[1] < 1.5 * errors[0]
    weights = [
        numpy_helper.to_array(t) for t in onnx.load_from_string(even).graph.initializer if t.name == "first.bias"
    ]
    assert weights[0].shape == (CHANNELS,)


def test_channels_that_something_else_reads_are_left_alone() -> None:
    model = small_graph(residual=True)
    changed = {
        before.name
        for before, after in zip(
            onnx.load_from_string(model).graph.initializer,
            onnx.load_from_string(equalised(model, layers_of(model), small_inputs(16), 1.0)).graph.initializer,
            strict=True,
        )
        if before != after
    }
    assert changed == set()  # both sides of the Add hold channels that must stay as they are


# Sensitivity and the gate


def test_worst_layer_is_found_and_kept_in_float() -> None:
    model, ranges = small_graph(), ranges_of(small_graph())
    build = partial(broken_for("second", int8_graph), model, ranges)
    judge = judge_of(model)
    assert effects_of(layers_of(model), build, judge)[0].layer.name == "second"
    assert judge.judge(build(layers_of(model))).refusal
    relaxed = relax(layers_of(model), build, judge)
    assert "second" in {layer.name for layer in relaxed.kept}
    assert relaxed.candidate.error_frac < 0.1


def parity(agreement_frac: float, lost: int) -> Parity:
    return Parity(
        compared_with="FP32",
        n=1000,
        max_abs_score_difference=0.0,
        spearman=1.0,
        verdict_agreement_frac=agreement_frac,
        lost_defects=lost,
    )


@pytest.mark.parametrize(
    ("agreement_frac", "lost", "reason"),
    [
        (0.995, 0, ""),
        (0.987, 0, "agreement 98.7 % of 1000 verdicts < 99.5 %"),
        (1.0, 2, "loses 2 defects that FP32 catches"),
        (0.99, 1, "agreement 99.0 % of 1000 verdicts < 99.5 %, loses 1 defects that FP32 catches"),
    ],
)
def test_gate_reads_decisions(agreement_frac: float, lost: int, reason: str) -> None:
    assert refusal_of(parity(agreement_frac, lost)) == reason


def test_method_is_chosen_by_decisions_before_error() -> None:
    def trial(method: str, agreement_frac: float, lost: int, error: float) -> Trial:
        return Trial(method=method, precision="int8", parity=parity(agreement_frac, lost), error_frac=error, refusal="")

    precise_but_lossy, plain = trial("mse", 1.0, 1, 0.001), trial("min-max", 0.999, 0, 0.01)
    assert methods_by_cost([precise_but_lossy, plain]) == ["min-max", "mse"]
    assert methods_by_cost([plain, trial("percentile", 0.999, 0, 0.005)]) == ["percentile", "min-max"]
