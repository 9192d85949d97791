"""A whole station on the line twin: three real processes, a pseudo-terminal, a simulated gate, real mosquitto."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.journal import JournalReader, JournalRow
from export.demo_stations import as_jpeg, demo_recipe
from export.simulator.board import reference_board, render_board
from export.simulator.datasets import PART_NUMBER
from export.simulator.imaging import REFERENCE
from export.simulator.joints import JointState
from export.simulator.layout import header_board, neighbours
from export.simulator.line import SITE, STATION, LineTwin, MqttAt
from firmware_bridge.peers.broker import Broker, running_broker
from firmware_bridge.peers.mqtt_consumer import MqttConsumer

WINDOW_MS = 3_000
FAULTY = {"inspector": "tests.peers.faulty_inspector"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What the camera writes: a good board, one with a bridge, and another product."""

    good: bytes
    bad: bytes
    stranger: bytes


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    layout = header_board(PART_NUMBER)
    pin = layout.pins[0]
    pair = {pin.site: JointState.BRIDGE, neighbours(layout, pin)[0].site: JointState.BRIDGE}
    return Pictures(
        good=as_jpeg(reference_board(layout).image),
        bad=as_jpeg(render_board(layout, pair, REFERENCE, 3).image),
        stranger=as_jpeg(reference_board(header_board("OTHER-7")).image),
    )


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_recipe(tmp_path_factory.mktemp("recipe") / "recipe")


class Rig:
    """The line with what a test asks of it."""

    def __init__(self, line: LineTwin, pictures: Pictures) -> None:
        self.line = line
        self.pictures = pictures
        self._n = 0

    def gate(self, data: bytes, board_id: str = "", suffix: str = ".jpg", timeout_s: float = 20.0) -> str:
        """Gate one board; what its relay did."""
        self._n += 1
        return str(self.line.gate_board(board_id or f"N{self._n}", data, suffix, timeout_s).result)

    def good_board_passes(self) -> bool:
        """Whether the next good board is gated. The line may have to come back first."""
        self.line.wait_ready(30.0)
        return self.gate(self.pictures.good) == "pass"

    def spoil_scorer(self, fault: str) -> None:
        (self.line.folder / "scorer-fault").write_text(fault)

    def rows(self) -> list[JournalRow]:
        return list(JournalReader(self.line.station.journal).all_verdicts())

    def row_of(self, board_id: str, timeout_s: float = 20.0) -> JournalRow:
        """The journal's one row of this board, once it is there."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            found = [r for r in self.rows() if r.verdict.board_id == board_id]
            if found:
                assert len(found) == 1, f"{board_id} has {len(found)} verdicts"
                return found[0]
            time.sleep(0.05)
        raise TimeoutError(f"no verdict of {board_id} in the journal after {timeout_s} s")

    def passed(self) -> list[str]:
        """Barcodes for which the relay was energised for PASS."""
        return [str(e.barcode) for e in self.line.gate.events if e.event == "result" and e.result == "pass"]


@pytest.fixture
def start_line(tmp_path: Path, recipe: Path, pictures: Pictures) -> Iterator[Callable[..., Rig]]:
    """Start a line; options as `LineTwin`."""
    with contextlib.ExitStack() as stack:

        def start(**options: object) -> Rig:
            used = {"window_ms": WINDOW_MS, "recipe": recipe, **options}
            return Rig(stack.enter_context(LineTwin(tmp_path / "line", **used)), pictures)  # type: ignore[arg-type]

        yield start


@pytest.fixture
def rig(start_line: Callable[..., Rig]) -> Rig:
    """A line with a scorer that can be spoiled and a short watchdog."""
    return start_line(modules=FAULTY, watchdog_ms={"inspector": 5_000})


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker", "mosquitto") as running:
        yield running


@pytest.fixture
def consumer(broker: Broker) -> Iterator[MqttConsumer]:
    with MqttConsumer("127.0.0.1", broker.port, SITE, STATION) as running:
        yield running


def mqtt_at(broker: Broker) -> MqttAt:
    return MqttAt(port=broker.port)
