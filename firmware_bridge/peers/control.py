"""JSON lines over a Unix stream socket: commands in, one answer line each, events to whoever subscribed.

Bounded: line length, clients, and what may wait for a client that does not read (it is then disconnected).
"""

import json
import selectors
import socket
from collections.abc import Callable
from pathlib import Path

MAX_LINE_BYTES = 4096
MAX_CLIENTS = 32
MAX_WAITING_BYTES = 1 << 20  # ten thousand events

Command = dict[str, object]
Answer = dict[str, object]


def line_of(message: Answer) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def parse_command(line: bytes) -> Command | str:
    """The command, or what is wrong with the line."""
    try:
        command = json.loads(line)
    except ValueError as fault:
        return f"not JSON: {fault}"
    if not isinstance(command, dict) or not isinstance(command.get("cmd"), str):
        return 'expected an object with a "cmd"'
    return command


class _Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.partial = b""
        self.waiting = bytearray()
        self.is_subscribed = False


class ControlServer:
    """Hangs itself into the owner's selector; each registered file's `data` is a callable to call when it is ready."""

    def __init__(self, path: Path, selector: selectors.BaseSelector, handle: Callable[[Command], Answer]) -> None:
        self._path, self._selector, self._handle = path, selector, handle
        self._clients: dict[int, _Client] = {}
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.setblocking(False)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def publish(self, event: Answer) -> None:
        """To every client that subscribed."""
        data = line_of(event)
        for client in list(self._clients.values()):
            if client.is_subscribed:
                self._send(client, data)

    def close(self) -> None:
        for client in list(self._clients.values()):
            self._drop(client)
        self._selector.unregister(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        if len(self._clients) >= MAX_CLIENTS:
            sock.close()
            return
        sock.setblocking(False)
        client = _Client(sock)
        self._clients[sock.fileno()] = client
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._ready(client))

    def _ready(self, client: _Client) -> None:
        self._flush(client)
        if client.sock.fileno() < 0:  # dropped while flushing
            return
        try:
            data = client.sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        *lines, client.partial = (client.partial + data).split(b"\n")
        for line in lines:
            self._answer(client, line)
        if len(client.partial) > MAX_LINE_BYTES:
            self._drop(client)

    def _answer(self, client: _Client, line: bytes) -> None:
        if not line.strip():
            return
        command = parse_command(line)
        if isinstance(command, str):
            answer: Answer = {"ok": False, "error": command}
        elif command["cmd"] == "subscribe":
            client.is_subscribed, answer = True, {"ok": True}
        else:
            answer = self._handle(command)
        self._send(client, line_of(answer))

    def _send(self, client: _Client, data: bytes) -> None:
        if client.sock.fileno() < 0:
            return
        client.waiting += data
        self._flush(client)

    def _flush(self, client: _Client) -> None:
        try:
            while client.waiting:
                sent = client.sock.send(client.waiting)
                del client.waiting[:sent]
        except BlockingIOError:
            if len(client.waiting) > MAX_WAITING_BYTES:
                self._drop(client)
                return
        except OSError:
            self._drop(client)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.waiting else 0)
        self._selector.modify(client.sock, wanted, lambda: self._ready(client))

    def _drop(self, client: _Client) -> None:
        if client.sock.fileno() < 0:
            return
        self._selector.unregister(client.sock)
        del self._clients[client.sock.fileno()]
        client.sock.close()
