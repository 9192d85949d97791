"""`python -m firmware_bridge.dump FILE`: captured bytes of a gate link as readable lines, broken frames named.

Reads any bytes from either direction; `-` is standard input. Exit status 1 if anything in the file was no frame.
"""

import argparse
import enum
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from firmware_bridge.errors import PeerError
from firmware_bridge.frames import DELIMITER, Frame, decode_chunk

MAX_SHOWN_BYTES = 70


def lines_of(data: bytes) -> Iterator[tuple[bool, str]]:
    """One line a frame or broken run, with its offset; True for a frame."""
    offset = 0
    *chunks, rest = data.split(DELIMITER)
    for chunk in chunks:
        if chunk:
            yield _line_of(offset, chunk)
        offset += len(chunk) + 1
    if rest:
        yield False, f"{offset:8d}  unfinished: {_hex(rest)}"


def _line_of(offset: int, chunk: bytes) -> tuple[bool, str]:
    try:
        return True, f"{offset:8d}  {describe(decode_chunk(chunk))}"
    except PeerError as fault:
        return False, f"{offset:8d}  bad {fault}: {_hex(chunk)}"


def describe(frame: Frame) -> str:
    """`VERDICT      session=7 seq=12 ack=3 token=0x0000002a code=PASS …`"""
    head = f"{frame.body.TYPE.name:<12} session={frame.session} seq={frame.seq} ack={frame.ack}"
    words = [f"{spec.name}={_word(spec.name, getattr(frame.body, spec.name))}" for spec in fields(frame.body)]
    return " ".join([head, *words])


def _word(name: str, value: object) -> str:
    if isinstance(value, enum.IntFlag):
        return "+".join(each for each, bit in type(value).__members__.items() if bit and bit in value) or "none"
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and name in ("token", "last_token", "echo", "nonce", "crc", "layout"):
        return f"{value:#010x}"
    return repr(value) if isinstance(value, str) else str(value)


def _hex(data: bytes) -> str:
    tail = f" … ({len(data)} bytes)" if len(data) > MAX_SHOWN_BYTES else ""
    return data[:MAX_SHOWN_BYTES].hex(" ") + tail


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m firmware_bridge.dump", description=__doc__)
    parser.add_argument("file", help="captured bytes, or - for standard input")
    args = parser.parse_args(argv)
    try:
        data = sys.stdin.buffer.read() if args.file == "-" else Path(args.file).read_bytes()
    except OSError as fault:
        print(f"{args.file}: cannot be read: {fault.strerror}", file=sys.stderr)
        return 2
    good = True
    for is_frame, line in lines_of(data):
        good = good and is_frame
        print(line)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
