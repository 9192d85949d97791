"""The other end of `mqtt.md`: a consumer that commits verdicts and acknowledges them. For tests, benchmarks, the demo.

It keeps the promises a real one must keep: a batch is committed before it is acknowledged, the acknowledgement is
cumulative, and a row that comes twice is counted once by its key (station, epoch, seq).
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

MAX_ROWS = 1_000_000


class MqttConsumer:
    """Use as a context manager. Thread-safe to read; `rows` is what was committed, by (epoch, seq)."""

    def __init__(self, host: str, port: int, site: str, station: str, *, acknowledge: bool = True) -> None:
        self._root = f"bg/v1/{site}/{station}"
        self._address = (host, port)
        self._acknowledge = acknowledge
        self._lock = threading.Lock()
        self.rows: dict[tuple[str, int], dict[str, Any]] = {}
        self.arrived_utc: dict[tuple[str, int], float] = {}  # wall time, seconds
        self.duplicates = 0
        self.states: list[dict[str, Any]] = []
        self.twin: dict[str, Any] | None = None
        self.events: list[dict[str, Any]] = []
        self._covered: dict[str, set[int]] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, f"consumer-{site}-{station}", reconnect_on_failure=True)
        self._client.reconnect_delay_set(1, 2)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    def __enter__(self) -> MqttConsumer:
        self._client.connect(*self._address)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for(self, n_rows: int, timeout_s: float) -> bool:
        """Wait until at least `n_rows` are committed."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if len(self.rows) >= n_rows:
                return True
            time.sleep(0.02)
        return len(self.rows) >= n_rows

    def acked(self, epoch: str) -> int:
        """The highest seq up to which every row was covered by a batch."""
        with self._lock:
            return self._contiguous(epoch)

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe(f"{self._root}/up/#", qos=1)

    def _on_message(self, client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        kind = message.topic.rsplit("/", 1)[1]
        body = json.loads(message.payload) if message.payload else {}
        with self._lock:
            if kind == "verdict":
                self._commit(body)
            elif kind == "state":
                self.states.append(body)
            elif kind == "twin":
                self.twin = body
            elif kind == "event":
                self.events.append(body)
        if kind == "verdict" and self._acknowledge:
            answer = {"epoch": body["epoch"], "acked": self.acked(body["epoch"])}
            client.publish(f"{self._root}/dn/ack", json.dumps(answer), qos=1)

    def _commit(self, body: dict[str, Any]) -> None:
        covered = self._covered.setdefault(body["epoch"], set())
        covered.update(range(body["from"], body["to"] + 1))
        for item in body["items"]:
            key = (body["epoch"], item["seq"])
            if key in self.rows:
                self.duplicates += 1
            elif len(self.rows) < MAX_ROWS:
                self.rows[key] = item
                self.arrived_utc[key] = time.time()  # compared with the station's wall clock, never a deadline

    def _contiguous(self, epoch: str) -> int:
        covered = self._covered.get(epoch, set())
        seq = 0
        while seq + 1 in covered:
            seq += 1
        return seq
