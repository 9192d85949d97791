"""The builder on TensorRT-RTX, both generations of its interface: parsed and compiled ahead of time, without a GPU.

What this shows: TensorRT's own importer takes the graph, and the builder's calls exist with these arguments. It shows
nothing about speed, fusion or numbers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from edge.engine.api import Api, api_of, installed_api
from edge.engine.builder import BatchProfile, BuildSettings, build_engine, parse_graph
from edge.engine.faults import ApiFault, BuildFault, NoDevice
from edge.scorers.tensorrt import MAX_CHUNK
from tests.edge.engine_rig import desk, renamed, shipped_bundle, small_graph
from tests.edge.rtx import ROOT, rtx_api, rtx_folder
from tests.peers.gpu import SimCuda
from tests.peers.tensorrt import SimTensorRt

SETTINGS = BuildSettings(profile=BatchProfile(opt=50, max=MAX_CHUNK), compute_capability=(8, 6))

OTHER_GENERATION = """
import warnings; warnings.simplefilter("error")
from tests.edge.rtx import rtx_api
from tests.edge.test_tensorrt_rtx import SETTINGS, shipped_bundle
from edge.engine.builder import build_engine
api = rtx_api("1.4")
built = build_engine(api, shipped_bundle().model(), SETTINGS)
print(api.generation, api.strongly_typed(), built.parsed.n_layers > 0, len(built.engine) > 100_000)
"""


@pytest.fixture(scope="module")
def rtx() -> Api:
    return rtx_api("1.7")


@pytest.mark.sweep
def test_the_eleven_style_parses_and_compiles(rtx: Api) -> None:
    model = shipped_bundle().model()
    parsed = parse_graph(rtx, model)
    assert [(t.name, t.shape, t.dtype) for t in parsed.inputs] == [("crops", (-1, 3, 64, 64), "FLOAT")]
    assert [t.name for t in parsed.outputs] == ["score", "map"]
    for capability in ((8, 6), (8, 9)):
        built = build_engine(rtx, model, BuildSettings(profile=SETTINGS.profile, compute_capability=capability))
        assert len(built.engine) > 100_000
        assert built.timing_cache == b""
    assert (rtx.generation, rtx.strongly_typed()) == (11, 1)


@pytest.mark.sweep
def test_the_ten_style_parses_and_compiles() -> None:
    if rtx_folder("1.4") is None:
        pytest.skip("needs_rtx")
    done = subprocess.run(
        [sys.executable, "-c", OTHER_GENERATION], check=True, capture_output=True, text=True, timeout=100, cwd=ROOT
    )
    assert done.stdout.split() == ["10", "2", "True", "True"]


@pytest.mark.sweep
def test_a_graph_it_refuses_is_named(rtx: Api) -> None:
    broken = renamed(small_graph(), "Mul", "Unheard")
    with pytest.raises(BuildFault, match="refuses the graph: Unheard 'scale': "):
        parse_graph(rtx, broken)
    with pytest.raises(BuildFault, match="refuses the graph: the file"):
        parse_graph(rtx, b"not a graph")


@pytest.mark.sweep
def test_a_chip_it_cannot_build_for_is_named(rtx: Api) -> None:
    with pytest.raises(ApiFault, match=r"cannot build for sm_87; it knows .*SM86"):
        build_engine(rtx, small_graph(), BuildSettings(profile=SETTINGS.profile, compute_capability=(8, 7)))


@pytest.mark.sweep
def test_nothing_is_ever_deserialised_without_a_device(rtx: Api) -> None:
    """The order that keeps a lean runtime from crashing: the device first. Here there is none, so it ends there."""
    code = (
        "import sys; from edge.scorers.tensorrt import device_rig; from edge.engine.faults import NoDevice\n"
        "try: device_rig()\nexcept NoDevice as fault: print('no CUDA device' in str(fault), 'tensorrt' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.unit
@pytest.mark.parametrize(("version", "flag", "generation"), [("10.3.0", 2, 10), ("10.16.2", 2, 10), ("11.4.1", 1, 11)])
def test_strongly_typed_is_a_bit_that_moved(version: str, flag: int, generation: int) -> None:
    at = desk(version)
    assert (at.api.strongly_typed(), at.api.generation) == (flag, generation)
    assert build_engine(at.api, small_graph(), BuildSettings(profile=SETTINGS.profile)).engine


@pytest.mark.unit
@pytest.mark.parametrize(
    ("version", "known"), [("8.6.1", False), ("10.2.0", False), ("10.3.0", True), ("12.0.0", False)]
)
def test_versions_that_are_not_known_are_refused(version: str, known: bool) -> None:
    module = SimTensorRt(SimCuda(), version)
    if known:
        assert api_of(module).version == version
        return
    with pytest.raises(ApiFault, match=r"boardgate knows 10\.3 to 11\.x"):
        api_of(module)


@pytest.mark.unit
def test_full_tensorrt_builds_for_its_own_device_only() -> None:
    with pytest.raises(ApiFault, match="builds for the device it runs on, not for sm_86"):
        build_engine(desk().api, small_graph(), SETTINGS)


@pytest.mark.unit
def test_a_timing_cache_that_is_not_taken_starts_anew() -> None:
    for content in (b"", b"timed", b"torn"):
        assert build_engine(desk().api, small_graph(), BuildSettings(profile=SETTINGS.profile), content).timing_cache


@pytest.mark.unit
def test_what_tensorrt_says_is_in_the_fault() -> None:
    at = desk()
    at.trt.refuses = lambda model: "Assertion failed: no implementation for node {conv}"
    with pytest.raises(BuildFault, match=r"built no engine: Assertion failed: no implementation for node \{conv\}"):
        build_engine(at.api, small_graph(), BuildSettings(profile=SETTINGS.profile))


@pytest.mark.unit
def test_tensorrt_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(NoDevice, match="tensorrt is not installed"):
        installed_api()
    trt: Any = SimTensorRt(SimCuda())
    assert isinstance(trt, ModuleType)
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    assert installed_api().version == "11.4.1"
