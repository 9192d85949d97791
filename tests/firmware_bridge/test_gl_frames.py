"""The frames of the gate link: what goes round comes round, and nothing broken gets in."""

import itertools
import random
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge import frames
from firmware_bridge.errors import BadFrame, LocalError, PeerError
from firmware_bridge.frames import BODIES, Frame, FrameDecoder, FrameType, VerdictCode, decode_chunk, encode

pytestmark = pytest.mark.unit

U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
BARCODE = st.text(max_size=32).filter(lambda text: text.isprintable() and len(text.encode(errors="replace")) <= 32)
BARCODE = BARCODE.filter(lambda text: not any(0xD800 <= ord(char) <= 0xDFFF for char in text))


def _flags(kind: Any) -> st.SearchStrategy[Any]:
    return st.sets(st.sampled_from(list(kind))).map(lambda bits: kind(sum(bits)))


FIELDS: dict[FrameType, dict[str, st.SearchStrategy[Any]]] = {
    FrameType.HELLO: {
        "boot_nonce": st.binary(min_size=8, max_size=8),
        "proto": U16,
        "layout": U32,
        "bundle_set": st.binary(min_size=8, max_size=8),
    },
    FrameType.HELLO_ACK: {
        "session": U16,
        "gate_nonce": st.binary(min_size=8, max_size=8),
        "firmware": U32,
        "capabilities": U16,
        "last_token": U32,
        "layout": U32,
    },
    FrameType.HEARTBEAT: {"loop_counter": U32, "echo": U32, "flags": U8},
    FrameType.STATUS: {
        "inputs": _flags(frames.Inputs),
        "outputs": _flags(frames.Outputs),
        "state": st.sampled_from(frames.GateState),
        "nonce": U32,
        "trip": st.sampled_from(frames.TripReason),
    },
    FrameType.BOARD: {"token": U32, "lane": U8, "barcode": BARCODE},
    FrameType.BOARD_GONE: {"token": U32, "how": st.sampled_from(frames.BoardGoneHow)},
    FrameType.VERDICT: {"token": U32, "code": st.sampled_from(VerdictCode), "reason": U16, "verdict_seq": U32},
    FrameType.VERDICT_ACK: {
        "token": U32,
        "code": st.sampled_from(VerdictCode),
        "outputs": _flags(frames.Outputs),
        "us_since_board": U32,
    },
    FrameType.HOLD: {"lease_id": U32},
    FrameType.RELEASE: {"lease_id": U32},
    FrameType.QUERY: {},
    FrameType.CONFIG: {"window_ms": U16, "latch": U8, "polarity": _flags(frames.Polarity), "crc": U32},
    FrameType.FAULT: {"code": st.sampled_from(frames.FaultCode), "detail": U32},
    FrameType.NAK: {"code": st.sampled_from(frames.NakCode), "detail": U32},
}


def frames_of(kind: FrameType) -> st.SearchStrategy[Frame]:
    body = st.builds(BODIES[kind], **FIELDS[kind])
    return st.builds(Frame, session=U16, seq=U32, ack=U32, body=body, flags=st.integers(0, 15))


ANY_FRAME = st.sampled_from(FrameType).flatmap(frames_of)


def verdict(rng: random.Random | None = None, code: VerdictCode = VerdictCode.PASS) -> Frame:
    """A VERDICT; without zero bytes when `rng` is None, so that every COBS stage is touched by few bits only."""
    draw = rng.getrandbits if rng else lambda bits: 0x5B7D_9E31 & (1 << bits) - 1
    body = frames.Verdict(token=draw(32), code=code, reason=draw(16), verdict_seq=draw(32))
    return Frame(session=draw(16), seq=draw(32), ack=draw(32), body=body)


@pytest.mark.parametrize("kind", FrameType)
def test_every_type_survives_the_wire(kind: FrameType) -> None:
    @settings(max_examples=30, deadline=None)
    @given(frame=frames_of(kind))
    def check(frame: Frame) -> None:
        wire = encode(frame)
        assert wire.count(0) == 1
        assert wire.endswith(b"\0")
        assert len(wire) <= frames.MAX_STUFFED_BYTES + 1
        (back,) = FrameDecoder().feed(wire)
        assert back == frame
        assert type(back.body) is type(frame.body)

    check()


def test_all_types_have_a_layout_and_a_strategy() -> None:
    assert set(BODIES) == set(FrameType) == set(FIELDS)


def test_a_verdict_is_28_bytes_and_30_on_the_wire() -> None:
    for seed in range(50):
        wire = encode(verdict(random.Random(seed)))
        assert len(wire) == 30
        assert len(cobs.decode(wire[:-1])) == 28


def test_a_verdict_byte_by_byte() -> None:
    body = frames.Verdict(token=0x04030201, code=VerdictCode.FAIL, reason=0x0605, verdict_seq=0x0A090807)
    decoded = cobs.decode(encode(Frame(session=0x1110, seq=0x23222120, ack=0x33323130, body=body))[:-1])
    content = bytes.fromhex("10 22 1011 20212223 30313233 0b 01020304 96 0506 0708090a")
    assert decoded == content + struct.pack("<I", zlib.crc32(content))


def test_verdict_codes_are_four_bits_apart() -> None:
    for one, other in itertools.combinations(VerdictCode, 2):
        assert bin(one ^ other).count("1") >= 4


def test_the_largest_frame_fits() -> None:
    board = frames.Board(token=1, lane=255, barcode="ä" * 16)
    assert len(encode(Frame(session=1, seq=1, ack=1, body=board))) <= frames.MAX_STUFFED_BYTES + 1


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: frames.Verdict(token=1, code=0x68, reason=0, verdict_seq=0), "Verdict.code"),  # type: ignore[arg-type]
        (lambda: frames.Verdict(token=-1, code=VerdictCode.PASS, reason=0, verdict_seq=0), "Verdict.token"),
        (lambda: frames.Verdict(token=1, code=VerdictCode.PASS, reason=65_536, verdict_seq=0), "Verdict.reason"),
        (lambda: frames.Board(token=1, lane=0, barcode="x" * 33), "Board.barcode"),
        (lambda: frames.Board(token=1, lane=0, barcode="a\nb"), "Board.barcode"),
        (lambda: frames.Hello(boot_nonce=b"1", proto=1, layout=1, bundle_set=bytes(8)), "Hello.boot_nonce"),
        (lambda: frames.Status(inputs=64, outputs=0, state=0, nonce=0, trip=0), "Status.inputs"),  # type: ignore[arg-type]
        (lambda: Frame(session=65_536, seq=0, ack=0, body=frames.Query()), "Frame.session"),
        (lambda: Frame(session=1, seq=0, ack=0, body=frames.Query(), flags=16), "Frame.flags"),
        (lambda: Frame(session=1, seq=0, ack=0, body=b"raw"), "Frame.body"),  # type: ignore[arg-type]
    ],
)
def test_an_illegal_ask_is_refused_by_name(make: Any, named: str) -> None:
    with pytest.raises(LocalError, match=named):
        make()


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_any_bytes_in_any_split_give_the_same_frames_or_counts(data: bytes, cuts: list[int]) -> None:
    whole, pieces = FrameDecoder(), FrameDecoder()
    expected = whole.feed(data)
    edges = [0, *sorted(cuts), len(data)]
    got = [frame for a, b in itertools.pairwise(edges) for frame in pieces.feed(data[a:b])]
    assert got == expected
    assert pieces.counters.bad_total == whole.counters.bad_total
    assert pieces.buffered_bytes <= frames.MAX_STUFFED_BYTES


@settings(max_examples=100, deadline=None)
@given(sent=st.lists(ANY_FRAME, min_size=1, max_size=5), noise=st.binary(max_size=80), cut=st.integers(1, 60))
def test_frames_after_noise_are_found_again(sent: list[Frame], noise: bytes, cut: int) -> None:
    decoder = FrameDecoder()
    stream = noise + b"\0" + b"".join(encode(frame) for frame in sent)
    got = [frame for i in range(0, len(stream), cut) for frame in decoder.feed(stream[i : i + cut])]
    assert got[-len(sent) :] == sent


def test_bad_frames_are_told_apart() -> None:
    good = cobs.decode(encode(verdict())[:-1])[:-4]

    def kind_of(content: bytes, crc: int | None = None) -> BadFrame:
        whole = content + struct.pack("<I", zlib.crc32(content) if crc is None else crc)
        with pytest.raises(PeerError) as caught:
            decode_chunk(cobs.encode(whole))
        return caught.value.kind

    assert kind_of(good, crc=1) is BadFrame.CRC
    assert kind_of(b"\x20" + good[1:]) is BadFrame.VERSION
    assert kind_of(good[:1] + b"\x99" + good[2:]) is BadFrame.TYPE
    assert kind_of(good + b"x") is BadFrame.LENGTH
    assert kind_of(good[:12] + b"\x0c" + good[13:] + b"x") is BadFrame.LENGTH
    assert kind_of(good[:17] + b"\x00" + good[18:]) is BadFrame.PAYLOAD
    assert kind_of(b"short") is BadFrame.LENGTH
    with pytest.raises(PeerError, match="oversize"):
        decode_chunk(b"x" * 66)
    with pytest.raises(PeerError, match="cobs"):
        decode_chunk(b"\x09abc")


def test_an_endless_frame_costs_no_memory_and_one_count() -> None:
    decoder = FrameDecoder()
    for _ in range(100):
        assert decoder.feed(b"\x55" * 1000) == []
        assert decoder.buffered_bytes <= frames.MAX_STUFFED_BYTES
    assert decoder.counters.bad[BadFrame.OVERSIZE] == 1
    assert decoder.feed(b"\0" + encode(verdict())) == [verdict()]
    assert decoder.counters.resyncs == 1


def test_the_layout_hash_covers_names_widths_and_values() -> None:
    text = frames.layout_text()
    assert "0x22 VERDICT IBHI token,code,reason,verdict_seq" in text
    assert "VerdictCode PASS=105,FAIL=150,HOLD=90" in text
    assert 0 < frames.LAYOUT_HASH <= 0xFFFF_FFFF


# ---- bit errors on the wire of a VERDICT ----------------------------------------------------------------------------

FOLLOWER = encode(Frame(session=7, seq=8, ack=9, body=frames.Heartbeat(loop_counter=1, echo=2)))


def _accepted(wire: bytes) -> list[Frame]:
    """Frames the real decoder takes from these bytes with the next frame behind them, besides that next frame."""
    return [frame for frame in FrameDecoder().feed(wire + FOLLOWER) if not isinstance(frame.body, frames.Heartbeat)]


def _flipped(wire: bytes, bits: tuple[int, ...]) -> bytes:
    out = bytearray(wire)
    for bit in bits:
        out[bit >> 3] ^= 1 << (bit & 7)
    return bytes(out)


def _may_pass(chunks: list[bytes]) -> bool:
    """Cheap and never wrong in the safe direction: False only for what the decoder's own CRC check refuses."""
    for chunk in chunks:
        if 18 <= len(chunk) <= frames.MAX_STUFFED_BYTES:
            try:
                decoded = cobs.decode(chunk)
            except cobs.DecodeError:
                continue
            if zlib.crc32(decoded) == 0x2144DF1C:  # the residue of any message with its own CRC-32 behind it
                return True
    return False


@pytest.mark.parametrize("frame", [verdict(), verdict(random.Random(3), VerdictCode.FAIL)], ids=["no-zeros", "random"])
def test_all_one_and_two_bit_errors_of_a_verdict_are_refused(frame: Frame) -> None:
    """Exhaustive, on the 240 wire bits, COBS and delimiter included; what a CRC lets by goes to the real decoder."""
    wire = encode(frame)
    assert _accepted(wire) == [frame]
    follower = FOLLOWER[:-1]
    for count in (1, 2):
        for bits in itertools.combinations(range(240), count):
            chunks = (_flipped(wire, bits) + follower).split(b"\0")
            if _may_pass(chunks[:-1] if chunks[-1] == follower else chunks):
                assert _accepted(_flipped(wire, bits)) == []


def _linear_bits(wire: bytes) -> list[int]:
    """Wire bits that are plain data to COBS: all but those of its code bytes and the delimiter."""
    codes, at = {len(wire) - 1}, 0
    while at < len(wire) - 1:
        codes.add(at)
        at += wire[at]
    return [bit for bit in range(8 * len(wire)) if bit >> 3 not in codes]


def test_all_three_bit_errors_of_a_verdict_are_refused() -> None:
    """Exhaustive: C(240, 3) = 2 275 280 patterns in two honest parts.

    Where no flipped bit is a COBS code or the delimiter and no byte becomes zero, the decoder sees the same bytes with
    three bits changed; CRC-32 is linear, so the pattern passes only if the three bits' syndromes cancel: all those
    triples are checked at once. Every other pattern is decoded.
    """
    wire = encode(verdict())
    linear = _linear_bits(wire)
    assert len(linear) == 8 * 28  # this VERDICT has no zero bytes: one code, one delimiter
    syndromes = {bit: _syndrome(wire, bit) for bit in linear}
    pairs = np.array([syndromes[a] ^ syndromes[b] for a, b in itertools.combinations(linear, 2)], dtype=np.uint32)
    assert not np.isin(pairs, np.array([*syndromes.values(), 0], dtype=np.uint32)).any()
    follower = FOLLOWER[:-1]
    decoded = 0
    for bits in _triples_the_syndromes_do_not_cover(wire, set(linear)):
        decoded += 1
        chunks = (_flipped(wire, bits) + follower).split(b"\0")
        if _may_pass(chunks[:-1] if chunks[-1] == follower else chunks):
            assert _accepted(_flipped(wire, bits)) == []
    assert decoded > 427_000  # at least all that touch one of the 16 other bits


def _syndrome(wire: bytes, bit: int) -> int:
    """What flipping this wire bit does to the CRC-32 over the whole decoded frame. One code byte: data moves by one."""
    decoded = cobs.decode(wire[:-1])
    assert zlib.crc32(decoded) == 0x2144DF1C
    return zlib.crc32(_flipped(decoded, (bit - 8,))) ^ 0x2144DF1C


def _triples_the_syndromes_do_not_cover(wire: bytes, linear: set[int]) -> Any:
    others = [bit for bit in range(8 * len(wire)) if bit not in linear]
    ordered = sorted(linear)
    for one in others:
        for two, three in itertools.combinations(ordered, 2):
            yield one, two, three
    for one, two in itertools.combinations(others, 2):
        for three in ordered:
            yield one, two, three
    yield from itertools.combinations(others, 3)
    for index, byte in enumerate(wire[:-1]):  # flips that turn a data byte into a delimiter
        bits = [8 * index + bit for bit in range(8) if byte >> bit & 1]
        if 8 * index in linear and len(bits) <= 3:
            rest = [bit for bit in ordered if bit not in bits]
            for more in itertools.combinations(rest, 3 - len(bits)):
                yield (*bits, *more)


def test_a_syndrome_cancels_where_it_must() -> None:
    """The linear argument itself: any three syndromes XORed are the syndrome of the three flips together."""
    wire, rng = encode(verdict()), random.Random(5)
    linear = _linear_bits(wire)
    for _ in range(200):
        bits = tuple(rng.sample(linear, 3))
        together = _flipped(wire, bits)
        if b"\0" not in together[:-1]:
            expected = _syndrome(wire, bits[0]) ^ _syndrome(wire, bits[1]) ^ _syndrome(wire, bits[2])
            assert zlib.crc32(cobs.decode(together[:-1])) ^ 0x2144DF1C == expected
