"""The simulated gate: a conveyor, a PLC and a gate on a pseudo-terminal, as a program or inside a test.

    python -m firmware_bridge.peers.gate --link /tmp/line/gate --control /tmp/line/gate.sock --log gate.jsonl

Commands are JSON lines, on standard input or, with --control, on a Unix socket; each gets one line back:

    {"cmd":"board","barcode":"A1","lane":0}   put a board on the belt     {"cmd":"status"}
    {"cmd":"leave"}  {"cmd":"ack","level":1}   with --manual, --manual-ack {"cmd":"subscribe"}  events, as they happen
    {"cmd":"unplug"} {"cmd":"replug"}          the cable                   {"cmd":"garbage","bytes":500}  to the station
    {"cmd":"reset"}                            the operator's key          {"cmd":"restart"}  cut its power
    {"cmd":"relay_fault","stuck_on":"pass"}    weld a contact ("stuck_off" keeps it open; neither repairs it)
"""

import argparse
import contextlib
import os
import queue
import random
import selectors
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, MappingProxyType, TracebackType
from typing import TextIO

from firmware_bridge.errors import LocalError
from firmware_bridge.frames import BoardGoneHow, Inputs, Outputs
from firmware_bridge.gate import GateSettings
from firmware_bridge.peers.control import Answer, Command, ControlServer, line_of, parse_command
from firmware_bridge.peers.conveyor import Conveyor, ConveyorSettings, SimEvent
from firmware_bridge.peers.pty_port import PtyPort

MAX_EVENTS = 200_000  # some ten thousand boards
MAX_GARBAGE_BYTES = 1 << 20
NO_STATION_POLL_S = 0.01  # a pseudo-terminal nobody has open cannot be waited on
IDLE_POLL_S = 0.05
_RELAY_NAMES = {"": Outputs.NONE, "pass": Outputs.PASS, "fail": Outputs.FAIL, "both": Outputs.PASS | Outputs.FAIL}


class SimulatedGate:
    """A gate on a port of its own, in a thread of its own. A context manager; every method may be called from outside.

    `seed` fixes session ids, tokens and garbage. Without `port` a temporary folder holds the link.
    """

    def __init__(
        self,
        port: Path | str | None = None,
        *,
        settings: ConveyorSettings | None = None,
        gate_settings: GateSettings | None = None,
        control: Path | None = None,
        log: Path | None = None,
        seed: int | None = None,
        on_event: Callable[[SimEvent], None] | None = None,
    ) -> None:
        self._own_folder = tempfile.TemporaryDirectory(prefix="gate-") if port is None else None
        path = Path(self._own_folder.name) / "gate" if self._own_folder else Path(str(port))
        self._random = random.Random(seed) if seed is not None else random.SystemRandom()
        self._events: deque[SimEvent] = deque(maxlen=MAX_EVENTS)
        self._happened = threading.Condition()
        self._on_event = on_event
        self._log: TextIO | None = log.open("a", encoding="utf-8") if log else None
        self._wire = PtyPort(path)
        self._selector = selectors.DefaultSelector()
        self._watched: int | None = None
        self._calls: queue.SimpleQueue[tuple[Callable[[], Answer], queue.SimpleQueue[Answer]]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        self._control = ControlServer(control, self._selector, self.obey) if control else None
        self._conveyor = Conveyor(
            time.monotonic_ns(),
            self._emit,
            settings=settings,
            gate_settings=gate_settings,
            random_bytes=self._random.randbytes,
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-gate", daemon=True)

    # ---- for tests --------------------------------------------------------------------------------------------------

    def __enter__(self) -> "SimulatedGate":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the thread; the port goes away."""
        self._stop.set()
        os.write(self._wake_write, b"x")
        self._thread.join(timeout=5)
        self._close()

    @property
    def port(self) -> str:
        """What a station opens."""
        return str(self._wire.path)

    @property
    def events(self) -> list[SimEvent]:
        """All so far, oldest first."""
        with self._happened:
            return list(self._events)

    @property
    def pass_energised(self) -> bool:
        """PASS is driven, or its contact closed, now."""
        return bool(self.command({"cmd": "status"})["pass_energised"])

    def board(self, barcode: str, lane: int = 0) -> int | None:
        """Put a board on the belt; its token if it got one at once."""
        token = self.command({"cmd": "board", "barcode": barcode, "lane": lane})["token"]
        assert token is None or isinstance(token, int)
        return token

    def unplug(self) -> None:
        self.command({"cmd": "unplug"})

    def replug(self) -> None:
        self.command({"cmd": "replug"})

    def garbage(self, n_bytes: int) -> None:
        """Random bytes to the station."""
        self.command({"cmd": "garbage", "bytes": n_bytes})

    def wait_result(self, barcode: str, timeout_s: float) -> SimEvent:
        """The `result` event of this board. TimeoutError says what was seen instead."""
        return self.wait_event(lambda event: event.event == "result" and event.barcode == barcode, timeout_s, barcode)

    def wait_event(self, wanted: Callable[[SimEvent], bool], timeout_s: float, what: str = "event") -> SimEvent:
        """The first event, past or to come, for which `wanted` is true."""
        found: list[SimEvent] = []

        def look() -> bool:
            found.extend(event for event in self._events if wanted(event))
            return bool(found)

        with self._happened:
            if not self._happened.wait_for(look, timeout_s):
                last = ", ".join(f"{event.event} {event.barcode or ''}" for event in list(self._events)[-8:])
                raise TimeoutError(f"no {what} within {timeout_s} s; last events: {last or 'none'}")
        return found[0]

    def command(self, command: Command, timeout_s: float = 10.0) -> Answer:
        """What a client of the control socket may say. LocalError if it was refused."""
        answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._calls.put((lambda: self.obey(command), answers))
        os.write(self._wake_write, b"x")
        answer = answers.get(timeout=timeout_s)
        if not answer["ok"]:
            raise LocalError(str(answer["error"]))
        return answer

    # ---- the thread -------------------------------------------------------------------------------------------------

    def run_here(self) -> None:
        """In the calling thread, until `request_stop`."""
        self._run()
        self._close()

    def request_stop(self) -> None:
        """Safe in a signal handler."""
        self._stop.set()
        os.write(self._wake_write, b"x")

    def watch_lines(self, stream: int, answer: Callable[[bytes], None]) -> None:
        """Take command lines from this file descriptor too; until its end."""
        partial = b""

        def take(line: bytes) -> None:
            command = parse_command(line)
            answer(line_of({"ok": False, "error": command} if isinstance(command, str) else self.obey(command)))

        def ready() -> None:
            nonlocal partial
            data = os.read(stream, 65_536)
            if not data:
                self._selector.unregister(stream)
                return
            *lines, partial = (partial + data).split(b"\n")
            for line in filter(bytes.strip, lines):
                take(line)

        try:
            self._selector.register(stream, selectors.EVENT_READ, ready)
        except PermissionError:  # a file or /dev/null: it never blocks, and there is nothing to wait for
            for line in b"".join(iter(lambda: os.read(stream, 65_536), b"")).splitlines():
                take(line)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._watch_wire()
            for key, _ in self._selector.select(self._wait_s()):
                key.data()
            data = self._wire.read()
            if data:
                self._conveyor.receive(data, time.monotonic_ns())
            else:
                self._conveyor.tick(time.monotonic_ns())
            self._wire.write(self._conveyor.outgoing())

    def _wait_s(self) -> float:
        longest_s = IDLE_POLL_S if self._wire.has_station or not self._wire.is_plugged else NO_STATION_POLL_S
        due_ns = self._conveyor.next_deadline_ns()
        left_s = longest_s if due_ns is None else (due_ns - time.monotonic_ns()) / 1e9
        return min(max(left_s, 0.0), longest_s)

    def _watch_wire(self) -> None:
        wanted = self._wire.fileno() if self._wire.has_station else None
        if wanted == self._watched:
            return
        self._unwatch_wire()
        if wanted is not None:
            self._selector.register(wanted, selectors.EVENT_READ, lambda: None)
        self._watched = wanted

    def _unwatch_wire(self) -> None:
        if self._watched is not None:
            with contextlib.suppress(KeyError, ValueError, OSError):  # closed by an unplug: the kernel has dropped it
                self._selector.unregister(self._watched)
        self._watched = None

    def _woken(self) -> None:
        os.read(self._wake_read, 4096)
        while not self._calls.empty():
            call, answers = self._calls.get()
            answers.put(call())

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
        self._wire.unplug()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
        if self._log is not None:
            self._log.close()
        if self._own_folder is not None:
            self._own_folder.cleanup()

    def _emit(self, event: SimEvent) -> None:
        with self._happened:
            self._events.append(event)
            self._happened.notify_all()
        line = event.to_json()
        if self._log is not None:
            self._log.write(line_of(line).decode())
            self._log.flush()
        if self._control is not None:
            self._control.publish(line)
        if self._on_event is not None:
            self._on_event(event)

    # ---- commands ---------------------------------------------------------------------------------------------------

    def obey(self, command: Command) -> Answer:
        """One command, one answer; in the gate's thread. A refusal says why."""
        handler = self._COMMANDS.get(str(command.get("cmd")))
        if handler is None:
            return {"ok": False, "error": f"cmd {command.get('cmd')!r}: unknown, allowed: {', '.join(self._COMMANDS)}"}
        try:
            return {"ok": True, **handler(self, command)}
        except LocalError as fault:
            return {"ok": False, "error": str(fault)}

    def _do_board(self, command: Command) -> Answer:
        self._conveyor.tick(time.monotonic_ns())
        token = self._conveyor.board(_text(command, "barcode"), _number(command, "lane", 0))
        return {"token": token, "queued": self._conveyor.queued}

    def _do_leave(self, command: Command) -> Answer:
        how = _text(command, "how", "")
        names = {each.name.lower(): each for each in BoardGoneHow}
        if how and how not in names:
            raise LocalError(f"how {how!r}: unknown, allowed: {', '.join(names)}")
        self._conveyor.tick(time.monotonic_ns())
        self._conveyor.leave(names.get(how))
        return {}

    def _do_ack(self, command: Command) -> Answer:
        self._conveyor.tick(time.monotonic_ns())
        self._conveyor.ack(bool(_number(command, "level", None)))
        return {}

    def _do_status(self, command: Command) -> Answer:
        self._conveyor.tick(time.monotonic_ns())
        gate, counters = self._conveyor.gate, self._conveyor.gate.wire
        return {
            "state": gate.state.name.lower(),
            "trip": gate.trip_reason.name.lower(),
            "outputs": _flag_names(gate.outputs),
            "inputs": _flag_names(gate.inputs),
            "pass_energised": self._conveyor.pass_energised,
            "open_token": gate.open_token,
            "barcode": self._conveyor.barcode,
            "queued": self._conveyor.queued,
            "plugged": self._wire.is_plugged,
            "station": self._wire.has_station,
            "frames_in": counters.decoder.counters.frames,
            "frames_bad": counters.decoder.counters.bad_total,
        }

    def _do_reset(self, command: Command) -> Answer:
        self._conveyor.tick(time.monotonic_ns())
        self._conveyor.reset()
        return {}

    def _do_restart(self, command: Command) -> Answer:
        self._conveyor.tick(time.monotonic_ns())
        self._conveyor.restart()
        return {}

    def _do_unplug(self, command: Command) -> Answer:
        self._unwatch_wire()
        self._wire.unplug()
        return {}

    def _do_replug(self, command: Command) -> Answer:
        self._wire.plug()
        return {"port": self.port}

    def _do_garbage(self, command: Command) -> Answer:
        n_bytes = _number(command, "bytes", None)
        if not 0 < n_bytes <= MAX_GARBAGE_BYTES:
            raise LocalError(f"bytes: must be 1 to {MAX_GARBAGE_BYTES}, got {n_bytes}")
        self._wire.write(self._random.randbytes(n_bytes))
        return {}

    def _do_relay_fault(self, command: Command) -> Answer:
        names = _text(command, "stuck_on", ""), _text(command, "stuck_off", "")
        for name in names:
            if name not in _RELAY_NAMES:
                raise LocalError(f"relay {name!r}: unknown, allowed: pass, fail, both")
        self._conveyor.tick(time.monotonic_ns())
        self._conveyor.relay_fault(_RELAY_NAMES[names[0]], _RELAY_NAMES[names[1]])
        return {}

    _COMMANDS: Mapping[str, Callable[["SimulatedGate", Command], Answer]] = MappingProxyType(
        {
            "board": _do_board,
            "leave": _do_leave,
            "ack": _do_ack,
            "status": _do_status,
            "reset": _do_reset,
            "restart": _do_restart,
            "unplug": _do_unplug,
            "replug": _do_replug,
            "garbage": _do_garbage,
            "relay_fault": _do_relay_fault,
        }
    )


def _text(command: Command, key: str, default: str | None = None) -> str:
    value = command.get(key, default)
    if not isinstance(value, str):
        raise LocalError(f"{key}: must be a text, got {value!r}")
    return value


def _number(command: Command, key: str, default: int | None) -> int:
    value = command.get(key, default)
    if not isinstance(value, int):
        raise LocalError(f"{key}: must be a whole number, got {value!r}")
    return value


def _flag_names(flags: Inputs | Outputs) -> list[str]:
    return [name.lower() for name, bit in type(flags).__members__.items() if int(bit) & int(flags)]


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m firmware_bridge.peers.gate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--link", type=Path, required=True, help="where the port appears (a symlink)")
    parser.add_argument("--control", type=Path, help="Unix socket for commands, instead of standard input")
    parser.add_argument("--log", type=Path, help="append every event to this file, one JSON object a line")
    parser.add_argument("--window-ms", type=int, default=GateSettings().window_ms, help="decision window per board")
    parser.add_argument("--latch", action="store_true", help="after a trip an operator must reset")
    parser.add_argument("--manual", action="store_true", help="boards leave only by command")
    parser.add_argument("--manual-ack", action="store_true", help="the PLC's ACK moves only by command")
    parser.add_argument("--patience-s", type=float, default=ConveyorSettings().patience_s,
                        help="a board without a token is taken away after this")  # fmt: skip
    parser.add_argument("--seed", type=int, help="fixed tokens, session ids and garbage")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = _arguments(argv)
    try:
        gate = SimulatedGate(
            args.link,
            settings=ConveyorSettings(manual=args.manual, manual_ack=args.manual_ack, patience_s=args.patience_s),
            gate_settings=GateSettings(window_ms=args.window_ms, latch=args.latch),
            control=args.control,
            log=args.log,
            seed=args.seed,
            on_event=None if args.control else lambda event: _say(line_of(event.to_json())),
        )
    except (LocalError, OSError) as fault:
        print(f"gate: {fault}", file=sys.stderr)
        return 2

    def stop(_signal: int, _frame: FrameType | None) -> None:
        gate.request_stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _say(line_of({"event": "ready", "port": gate.port}))
    if args.control is None:
        gate.watch_lines(sys.stdin.fileno(), _say)
    gate.run_here()
    return 0


if __name__ == "__main__":
    sys.exit(main())
