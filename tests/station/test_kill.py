"""kill -9 of every process, again and again, while boards come: nothing lost, nothing twice, nothing passed wrongly."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from edge.board import Outcome
from edge.journal import JournalReader
from firmware_bridge.peers.broker import Broker
from firmware_bridge.peers.mqtt_consumer import MqttConsumer
from tests.station.conftest import Pictures, Rig, mqtt_at

pytestmark = [pytest.mark.peers, pytest.mark.slow, pytest.mark.needs_mosquitto]

ROUNDS = int(os.environ.get("BOARDGATE_KILLS", "100"))  # each process is killed this often
PROCESSES = ["inspector", "gate", "agent"]


class Feeder(threading.Thread):
    """One board after the other, good and bad in turn, each until the gate has a result for it."""

    def __init__(self, rig: Rig, pictures: Pictures) -> None:
        super().__init__(daemon=True)
        self.results: dict[str, str] = {}
        self._rig, self._pictures = rig, pictures
        self._stop_feeding = threading.Event()

    def run(self) -> None:
        n = 0
        while not self._stop_feeding.is_set():
            n += 1
            data = self._pictures.good if n % 2 else self._pictures.bad
            name = f"{'GOOD' if n % 2 else 'BAD'}-{n}"
            self.results[name] = self._rig.gate(data, name, timeout_s=60.0)

    def finish(self) -> None:
        self._stop_feeding.set()
        self.join(90.0)
        assert not self.is_alive()


def kill(rig: Rig, name: str) -> bool:
    pid = rig.line.supervisor.pid_of(name)
    if pid is None:
        return False
    os.kill(pid, signal.SIGKILL)
    return True


@pytest.mark.timeout(1_200)
def test_kill_9_of_each_process(
    start_line: Callable[..., Rig], broker: Broker, consumer: MqttConsumer, pictures: Pictures
) -> None:
    rig = start_line(mqtt=mqtt_at(broker), window_ms=2_000)
    feeder = Feeder(rig, pictures)
    feeder.start()
    chance = random.Random(4)
    killed: Counter[str] = Counter()
    for _ in range(ROUNDS):
        rig.line.wait_ready(60.0)
        seen, more = len(feeder.results), chance.choice([0, 1, 2])  # boards gated between two rounds
        wait_until(lambda goal=seen + more: len(feeder.results) >= goal, 10.0)  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.4))
        for name in chance.sample(PROCESSES, 3):
            killed[name] += kill(rig, name)
            time.sleep(chance.uniform(0.0, 0.15))
    rig.line.wait_ready(60.0)
    feeder.finish()
    assert rig.good_board_passes()

    boards = feeder.results
    assert min(killed[name] for name in PROCESSES) >= ROUNDS * 0.95
    wait_until(lambda: len(rig.rows()) >= len(boards) + 1, 30.0)
    verdicts = {r.verdict.board_id: r.verdict for r in rig.rows()}
    assert len(rig.rows()) == len(verdicts) == len(boards) + 1, "each board has exactly one verdict"
    for name, result in boards.items():
        assert result != "pass" or verdicts[name].outcome is Outcome.PASS, name
        assert not (name.startswith("BAD") and result == "pass"), name
    said = Counter(e.barcode for e in rig.line.gate.events if e.event == "result")
    assert {name: said[name] for name in boards} == dict.fromkeys(boards, 1)
    assert "pass" in boards.values(), "the line was gated between the kills"

    reader = JournalReader(rig.line.station.journal)
    in_journal = {(reader.epoch, r.seq) for r in reader.all_verdicts()}
    assert consumer.wait_for(len(in_journal), 60.0)
    assert set(consumer.rows) == in_journal
    print(f"{len(boards)} boards, {dict(killed)} kills, results {dict(Counter(boards.values()))}")


def wait_until(condition: Callable[[], bool], timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
