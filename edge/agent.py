"""The agent process: journal → MQTT. Network, no devices; it reads the journal and can never cause a PASS.

The broker is a pipe: rows stay in the journal until the consumer says `dn/ack`. Every connection is a new client
object, so the library's own outbox in memory never matters. Callbacks only enqueue; one loop does the work.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge import __version__, mqtt_payloads
from edge.agent_state import AgentState, load_state, save_state
from edge.clock import Clock
from edge.journal import GATE_LINK_EVENTS, JournalFault, JournalReader
from edge.notify import Notifier
from edge.outbox import Outbox, SeqRange
from edge.station import MqttSettings, Station

KEEPALIVE_S = 20
CONNECT_TIMEOUT_S = 5.0
CONNACK_TIMEOUT_NS = 5_000_000_000
SESSION_EXPIRY_S = 3_600
RETRY_FIRST_S, RETRY_MAX_S = 0.5, 120.0
LOOP_S = 0.05
TWIN_EVERY_NS = METRIC_EVERY_NS = 10_000_000_000
MAX_INBOX = 256  # messages and acknowledgements waiting for the loop
MAX_DOWN_BYTES = 1_024  # a dn/ack is some 60 bytes
RECENT = 500  # boards whose latency a metric covers

log = logging.getLogger("boardgate.agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Received:
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Connected:
    refused: str  # "" when accepted
    receive_maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Published:
    message_id: int
    refused: str


class Agent:
    """The loop and what it keeps."""

    def __init__(self, station: Station, mqtt: MqttSettings, clock: Clock, notifier: Notifier) -> None:
        self._mqtt = mqtt
        self._path = station.path
        self._clock = clock
        self._notifier = notifier
        self._journal_path = station.journal
        self._state_path = station.agent_state
        self._quarantine_path = station.agent_dir / "quarantine.jsonl"
        self._root = f"bg/v1/{station.settings.site}/{station.settings.station}"
        self._client_id = f"bg-{station.settings.site}-{station.settings.station}"
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        self._journal: JournalReader | None = None
        self._state = load_state(self._state_path)
        self._save(session=self._state.session + 1)
        self._outbox = Outbox(acked=0, backlog_rows_per_s=mqtt.backlog_items_per_s)
        self._client: paho.Client | None = None
        self._online = False
        self._inbox: deque[_Received | _Connected | _Published] = deque(maxlen=MAX_INBOX)
        self._event_in_flight: tuple[int, int] | None = None
        self._recent_ms: deque[float] = deque(maxlen=RECENT)
        self._seen_seq = 0
        self._twin = b""
        self._next_twin_ns = self._next_metric_ns = 0
        self._retry_s = RETRY_FIRST_S
        self._next_connect_ns = clock.now_ns() + int(random.uniform(0, mqtt.first_connect_spread_s) * 1e9)
        self._connecting_since_ns = 0

    def run(self, stop: threading.Event) -> None:
        """Publish until told to stop."""
        self._notifier.ready()
        while not stop.is_set():
            if self._client is None:
                self._connect_when_due()
                stop.wait(0.0 if self._client else LOOP_S)
            else:
                self._turn(self._client)
            self._notifier.watchdog()
        self._say_goodbye()

    # ---- the connection ---------------------------------------------------------------------------------------------

    def _connect_when_due(self) -> None:
        if self._clock.now_ns() < self._next_connect_ns or not self._open_journal():
            return
        client = self._new_client()
        try:
            client.connect(self._mqtt.host, self._mqtt.port, KEEPALIVE_S, **self._connect_options())
        except (OSError, ValueError) as err:
            self._lost(f"{self._mqtt.host}:{self._mqtt.port}: {err}")
            return
        self._inbox.clear()
        self._client, self._online = client, False
        self._connecting_since_ns = self._clock.now_ns()

    def _new_client(self) -> paho.Client:
        version = paho.MQTTv5 if self._mqtt.protocol == "5" else paho.MQTTv311
        clean = None if version == paho.MQTTv5 else False
        client = paho.Client(CallbackAPIVersion.VERSION2, self._client_id, clean, protocol=version)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(self._outbox.window + 4)
        if self._mqtt.username is not None:
            password = self._mqtt.password_file
            secret = self._path(password).read_text("utf-8").strip() if password is not None else None
            client.username_pw_set(self._mqtt.username, secret)
        if self._mqtt.ca_file is not None:
            files = (self._mqtt.ca_file, self._mqtt.certificate_file, self._mqtt.key_file)
            ca, certificate, key = (str(self._path(f)) if f is not None else None for f in files)
            client.tls_set(ca, certificate, key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        offline = mqtt_payloads.state(online=False, boot_id=self._boot_id, session=self._state.session)
        client.will_set(f"{self._root}/up/state", offline, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _connect_options(self) -> dict[str, Any]:
        if self._mqtt.protocol != "5":
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        return {"clean_start": False, "properties": properties}

    def _on_connect(self, _c: paho.Client, _u: Any, _f: Any, code: Any, properties: Properties | None) -> None:
        maximum = getattr(properties, "ReceiveMaximum", 65_535) if properties is not None else 65_535
        self._inbox.append(_Connected(refused=str(code) if code.is_failure else "", receive_maximum=maximum))

    def _on_publish(self, _c: paho.Client, _u: Any, mid: int, code: Any, _p: Any) -> None:
        self._inbox.append(_Published(message_id=mid, refused=str(code) if code.is_failure else ""))

    def _on_message(self, _c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        self._inbox.append(_Received(topic=message.topic, payload=bytes(message.payload[: MAX_DOWN_BYTES + 1])))

    def _lost(self, why: str) -> None:
        if self._online or self._retry_s == RETRY_FIRST_S:
            log.warning("broker lost: %s", why)
        self._client, self._online = None, False
        self._event_in_flight = None
        self._next_connect_ns = self._clock.now_ns() + int(random.uniform(0.1, 1.0) * self._retry_s * 1e9)
        self._retry_s = min(2 * self._retry_s, RETRY_MAX_S)

    def _say_goodbye(self) -> None:
        """An orderly end sends no will, so the offline message is ours to send."""
        if self._client is None or not self._online:
            return
        offline = mqtt_payloads.state(online=False, boot_id=self._boot_id, session=self._state.session)
        self._client.publish(f"{self._root}/up/state", offline, qos=1, retain=True)
        for _ in range(20):
            self._client.loop(LOOP_S)
        self._client.disconnect()

    # ---- one turn of the loop ---------------------------------------------------------------------------------------

    def _turn(self, client: paho.Client) -> None:
        code = client.loop(LOOP_S)
        while self._inbox:
            self._take(client, self._inbox.popleft())
        if self._client is None:
            return
        if code != paho.MQTT_ERR_SUCCESS:
            self._lost(paho.error_string(code))
        elif self._online:
            self._publish_due(client)
        elif self._clock.now_ns() - self._connecting_since_ns > CONNACK_TIMEOUT_NS:
            self._lost("no CONNACK")

    def _take(self, client: paho.Client, what: _Received | _Connected | _Published) -> None:
        if isinstance(what, _Connected):
            self._connected(client, what)
        elif isinstance(what, _Published):
            self._published(what)
        else:
            self._acknowledged(what)

    def _connected(self, client: paho.Client, what: _Connected) -> None:
        if what.refused or self._journal is None:
            self._lost(what.refused or "no journal")
            return
        log.info("connected to %s:%d, receive maximum %d", self._mqtt.host, self._mqtt.port, what.receive_maximum)
        self._online, self._retry_s = True, RETRY_FIRST_S
        client.subscribe(f"{self._root}/dn/ack", qos=1)
        online = mqtt_payloads.state(online=True, boot_id=self._boot_id, session=self._state.session)
        client.publish(f"{self._root}/up/state", online, qos=1, retain=True)
        self._outbox.connected(self._journal.last_seq(), what.receive_maximum, self._clock.now_ns())
        self._next_twin_ns = self._next_metric_ns = 0
        self._twin = b""

    def _published(self, what: _Published) -> None:
        if self._event_in_flight is not None and what.message_id == self._event_in_flight[0]:
            if not what.refused:
                self._save(event_id=self._event_in_flight[1])
            self._event_in_flight = None
            return
        rows = self._outbox.handed_over(what.message_id)
        if rows is not None and what.refused:
            self._quarantine(rows, what.refused)

    def _acknowledged(self, what: _Received) -> None:
        """`dn/ack`. Anything that is not a plausible acknowledgement of this journal changes nothing."""
        try:
            body: Any = json.loads(what.payload) if len(what.payload) <= MAX_DOWN_BYTES else None
            epoch, acked = body["epoch"], body["acked"]
        except (ValueError, TypeError, KeyError):
            log.warning("%s: not an acknowledgement: %.80r", what.topic, what.payload)
            return
        if epoch != self._state.epoch:
            log.warning("%s: epoch %.40r, this journal's is %s", what.topic, epoch, self._state.epoch)
        elif type(acked) is not int or not self._outbox.acknowledged(acked, self._clock.now_ns()):
            log.warning("%s: acked %.40r is out of range", what.topic, acked)
        elif self._outbox.acked > self._state.acked:
            self._save(acked=self._outbox.acked)

    # ---- what goes up -----------------------------------------------------------------------------------------------

    def _publish_due(self, client: paho.Client) -> None:
        assert self._journal is not None, "online without a journal"
        try:
            last_seq = self._journal.last_seq()
            while (rows := self._outbox.next_range(last_seq, self._clock.now_ns())) is not None:
                self._publish_rows(client, self._journal, rows)
            self._publish_event(client, self._journal)
            self._publish_reports(client, self._journal)
        except JournalFault as fault:
            log.error("journal: %s", fault)
            self._journal = None
            client.disconnect()
            self._lost("the journal cannot be read")

    def _publish_rows(self, client: paho.Client, journal: JournalReader, rows: SeqRange) -> None:
        items = [r for r in journal.verdicts_after(rows.first - 1, rows.size) if r.seq <= rows.last]
        payload = mqtt_payloads.verdict_batch(journal.epoch, items, rows.first, rows.last)
        for row in items:
            if row.seq > self._seen_seq:
                self._recent_ms.append(row.verdict.total_ms)
                self._seen_seq = row.seq
        if len(payload) > mqtt_payloads.MAX_PAYLOAD_BYTES:
            self._quarantine(rows, f"{len(payload)} bytes, at most {mqtt_payloads.MAX_PAYLOAD_BYTES}")
            self._outbox.published(-rows.first, rows, self._clock.now_ns())
            self._outbox.handed_over(-rows.first)
            return
        info = client.publish(f"{self._root}/up/verdict", payload, qos=1)
        self._outbox.published(info.mid, rows, self._clock.now_ns())

    def _publish_event(self, client: paho.Client, journal: JournalReader) -> None:
        if self._event_in_flight is not None:
            return
        for row in journal.events_after(self._state.event_id, 1):
            info = client.publish(f"{self._root}/up/event", mqtt_payloads.event(journal.epoch, row), qos=1)
            self._event_in_flight = (info.mid, row.id)

    def _publish_reports(self, client: paho.Client, journal: JournalReader) -> None:
        now_ns = self._clock.now_ns()
        if now_ns >= self._next_twin_ns:
            self._next_twin_ns = now_ns + TWIN_EVERY_NS
            last = journal.verdicts_after(journal.last_seq() - 1, 1)
            twin = mqtt_payloads.twin(
                epoch=journal.epoch,
                last=last[0] if last else None,
                gate=journal.last_event(*GATE_LINK_EVENTS),
                counts=journal.counts(),
                version=__version__,
                acked=self._outbox.acked,
            )
            if twin != self._twin:
                client.publish(f"{self._root}/up/twin", twin, qos=1, retain=True)
                self._twin = twin
        if now_ns >= self._next_metric_ns:
            self._next_metric_ns = now_ns + METRIC_EVERY_NS
            backlog = journal.last_seq() - self._outbox.acked
            metric = mqtt_payloads.metric(
                utc=self._clock.utc(), counts=journal.counts(), total_ms=list(self._recent_ms), backlog=backlog
            )
            client.publish(f"{self._root}/up/metric", metric, qos=0)

    def _quarantine(self, rows: SeqRange, why: str) -> None:
        """A message nobody takes is written down and not sent again for ever."""
        log.error("rows %d to %d set aside: %s", rows.first, rows.last, why)
        self._outbox.quarantine(rows)
        entry = {"from": rows.first, "to": rows.last, "why": why, "t": self._clock.utc()}
        with self._quarantine_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    # ---- what is kept -----------------------------------------------------------------------------------------------

    def _open_journal(self) -> bool:
        if self._journal is not None:
            return True
        try:
            self._journal = JournalReader(self._journal_path)
        except JournalFault as fault:
            log.debug("no journal yet: %s", fault)
            self._next_connect_ns = self._clock.now_ns() + 500_000_000
            return False
        if self._journal.epoch != self._state.epoch:  # another journal: its numbers start anew
            self._save(epoch=self._journal.epoch, acked=0, event_id=0)
        self._outbox.acked = self._state.acked
        return True

    def _save(self, **changes: Any) -> None:
        self._state = AgentState(**{**self._state.model_dump(), **changes})
        save_state(self._state_path, self._state)


def run_agent(station: Station, clock: Clock, notifier: Notifier, stop: threading.Event) -> None:
    """The process. Without `[mqtt]` in the settings it stays up and does nothing."""
    if station.settings.mqtt is None:
        notifier.ready()
        while not stop.wait(1.0):
            notifier.watchdog()
        return
    Agent(station, station.settings.mqtt, clock, notifier).run(stop)
