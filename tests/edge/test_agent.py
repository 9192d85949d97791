"""The agent against a real mosquitto: everything arrives, once, whatever the broker and the consumer do."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.agent import Agent
from edge.agent_state import load_state
from edge.board import Outcome
from edge.clock import SystemClock
from edge.journal import JournalReader, JournalWriter
from edge.notify import Notifier
from edge.station import read_station
from firmware_bridge.peers.broker import Broker, running_broker
from firmware_bridge.peers.mqtt_consumer import MqttConsumer
from tests.edge.helpers import verdict

pytestmark = [pytest.mark.peers, pytest.mark.needs_mosquitto]


class Site:
    """A journal, a broker, and agents that come and go."""

    def __init__(self, folder: Path, broker: Broker, protocol: str) -> None:
        self.broker = broker
        (folder / "station.toml").write_text(
            f"""
site = "t"
station = "s"
state_dir = "state"
capture = {{ inbox = "inbox" }}
inspect = {{ recipe = "recipe" }}
gate = {{ port = "p" }}
mqtt = {{ host = "127.0.0.1", port = {broker.port}, protocol = "{protocol}" }}
"""
        )
        self.station = read_station(folder / "station.toml")
        self.journal = JournalWriter(self.station.journal)
        self.n = 0

    def decide(self, n: int) -> None:
        for _ in range(n):
            self.n += 1
            self.journal.store(verdict(f"A{self.n}", Outcome.FAIL if self.n % 3 == 0 else Outcome.PASS), "2026-01-01T")

    @contextlib.contextmanager
    def agent(self) -> Iterator[Agent]:
        assert self.station.settings.mqtt is not None
        agent = Agent(self.station, self.station.settings.mqtt, SystemClock(), Notifier({}))
        stop = threading.Event()
        thread = threading.Thread(target=lambda: agent.run(stop), daemon=True)
        thread.start()
        try:
            yield agent
        finally:
            stop.set()
            thread.join(10)
            assert not thread.is_alive()

    def consumer(self, *, acknowledge: bool = True) -> MqttConsumer:
        return MqttConsumer("127.0.0.1", self.broker.port, "t", "s", acknowledge=acknowledge)

    def acked(self) -> int:
        return load_state(self.station.agent_dir / "agent.json").acked

    def wait_acked(self, seq: int, timeout_s: float = 10.0) -> bool:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and self.acked() < seq:
            time.sleep(0.02)
        return self.acked() >= seq


@pytest.fixture(params=["5", "3.1.1"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    with running_broker(tmp_path / "broker", "mosquitto") as broker:
        yield Site(tmp_path, broker, request.param)


def test_backlog_and_live_rows_arrive_and_are_acknowledged(site: Site) -> None:
    site.decide(150)
    with site.consumer() as consumer, site.agent():
        assert consumer.wait_for(150, 10)
        site.decide(10)
        assert consumer.wait_for(160, 5)
        assert site.wait_acked(160)
    epoch = JournalReader(site.station.journal).epoch
    assert sorted(consumer.rows) == [(epoch, seq) for seq in range(1, 161)]
    third = consumer.rows[epoch, 3]
    assert (third["outcome"], third["barcode"], third["n_defects"]) == ("fail", "A3", 1)
    assert third["defects"][0]["place"] == "J1-1"


def test_broker_away_and_back(site: Site) -> None:
    with site.consumer() as consumer, site.agent():
        site.decide(5)
        assert consumer.wait_for(5, 10)
        site.broker.stop()
        site.decide(20)
        time.sleep(0.5)
        site.broker.start()
        assert consumer.wait_for(25, 40)
        assert site.wait_acked(25)
    assert len(consumer.rows) == 25


def test_a_consumer_that_was_away_gets_all(site: Site) -> None:
    with site.agent():
        site.decide(30)
        time.sleep(1.0)
        assert site.acked() == 0, "PUBACK is no acknowledgement"
    with site.consumer() as consumer, site.agent():
        assert consumer.wait_for(30, 10)
        assert site.wait_acked(30)


def test_a_new_agent_goes_on_where_the_consumer_was(site: Site) -> None:
    site.decide(10)
    with site.consumer() as consumer:
        with site.agent():
            assert consumer.wait_for(10, 10)
            assert site.wait_acked(10)
        site.decide(5)
        with site.agent():
            assert consumer.wait_for(15, 10)
        assert consumer.duplicates == 0
        sessions = [s["session"] for s in consumer.states if s["state"] == "online"]
    assert sessions == sorted(set(sessions))
    assert len(sessions) >= 2


def test_state_is_retained_and_the_will_says_offline(site: Site) -> None:
    with site.agent():
        time.sleep(0.5)
        with site.consumer() as late:
            end = time.monotonic() + 5
            while not late.states and time.monotonic() < end:
                time.sleep(0.02)
            assert late.states[0]["state"] == "online"
            assert late.twin is None or late.twin["v"] == 1
    with site.consumer() as after:
        end = time.monotonic() + 5
        while not after.states and time.monotonic() < end:
            time.sleep(0.02)
    assert after.states[-1]["state"] == "offline"


@pytest.mark.parametrize(
    "payload",
    [b"", b"not json", b"[]", b'{"epoch": "x", "acked": 5}', b'{"acked": 5}', b"x" * 5_000],
)
def test_a_forged_acknowledgement_changes_nothing(site: Site, payload: bytes) -> None:
    site.decide(5)
    with site.consumer(acknowledge=False) as consumer, site.agent():
        assert consumer.wait_for(5, 10)
        publish(site.broker.port, payload)
        epoch = JournalReader(site.station.journal).epoch
        for acked in (6, 10**12, -1, "5", True, None, 2.5):
            publish(site.broker.port, json.dumps({"epoch": epoch, "acked": acked}).encode())
        time.sleep(0.3)
        assert site.acked() == 0
        publish(site.broker.port, json.dumps({"epoch": epoch, "acked": 5}).encode())
        assert site.wait_acked(5)


def test_twin_reports_bundle_recipe_and_gate(site: Site) -> None:
    site.decide(3)
    site.journal.event("gate_link_up", "session 7", "2026-01-01T")
    site.journal.event("alarm", "other", "2026-01-01T")
    with site.consumer() as consumer, site.agent():
        end = time.monotonic() + 10
        while consumer.twin is None and time.monotonic() < end:
            time.sleep(0.02)
    assert consumer.twin is not None
    assert consumer.twin["bundle_set"] == "b" * 64
    assert consumer.twin["recipe"]["id"] == "r"
    assert consumer.twin["gate"] == {"link": "gate_link_up", "detail": "session 7", "t": "2026-01-01T"}
    assert consumer.twin["boards"] == {"pass": 2, "fail": 1}


def test_events_go_up_once_and_in_order(site: Site) -> None:
    for i in range(5):
        site.journal.event("alarm", str(i), "2026-01-01T")
    with site.consumer() as consumer:
        with site.agent():
            end = time.monotonic() + 10
            while len(consumer.events) < 5 and time.monotonic() < end:
                time.sleep(0.02)
        with site.agent():
            time.sleep(0.6)
    assert [e["detail"] for e in consumer.events] == list("01234")


def test_another_journal_starts_anew(site: Site) -> None:
    site.decide(5)
    with site.consumer() as consumer:
        with site.agent():
            assert site.wait_acked(5)
        site.journal.close()
        for path in site.station.journal.parent.iterdir():
            path.unlink()
        site.journal = JournalWriter(site.station.journal)
        site.decide(3)
        with site.agent():
            assert consumer.wait_for(8, 10)
    assert len({epoch for epoch, _ in consumer.rows}) == 2


def publish(port: int, payload: bytes) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, "forger")
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish("bg/v1/t/s/dn/ack", payload, qos=1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()
