"""The gate's invariants I1 to I7, its trips, its relay and its four-phase hand-over, in virtual time."""

import random
import struct
import zlib
from collections.abc import Callable

import pytest
from cobs import cobs
from gate_virtual_line import VirtualLine, check_pass_invariants, dead, perfect

from firmware_bridge import frames
from firmware_bridge.errors import LocalError
from firmware_bridge.frames import BoardGoneHow, Frame, GateState, Inputs, NakCode, Outputs, TripReason, VerdictCode
from firmware_bridge.gate import TRANSITIONS, GateInput, GateSession, GateSettings
from firmware_bridge.gate_log import GateWhat
from firmware_bridge.gate_wire import NakLimiter
from firmware_bridge.host import HostState
from firmware_bridge.host_events import (
    BoardGone,
    BoardPresent,
    CommandFailed,
    ConfigReported,
    DownReason,
    GateFault,
    LeaseChanged,
    LinkDown,
    LinkUp,
    VerdictConfirmed,
)
from firmware_bridge.timing import LINK_TRIP_NS, LOOP_TRIP_NS, MS_NS, S_NS

pytestmark = pytest.mark.unit


@pytest.fixture
def line() -> VirtualLine:
    return VirtualLine().up()


def forged(line: VirtualLine, body: frames.Body, *, seq: int | None = None, session: int | None = None) -> bytes:
    """A frame of the right session with the next seq, as a hostile or broken station could send it."""
    line.forged_seq = getattr(line, "forged_seq", line.host._outbox._next_seq + 1_000_000) + 1
    return frames.encode(
        Frame(
            session=line.gate.wire.session if session is None else session,
            seq=line.forged_seq if seq is None else seq,
            ack=0,
            body=body,
        )
    )


def pass_for(token: int, seq: int = 1) -> frames.Verdict:
    return frames.Verdict(token=token, code=VerdictCode.PASS, reason=0, verdict_seq=seq)


def naks(line: VirtualLine, data: bytes) -> list[NakCode]:
    """What the gate answers to these bytes."""
    line.gate.outgoing()
    line.gate.receive(data, line.now_ns)
    return [f.body.code for f in frames.FrameDecoder().feed(line.gate.outgoing()) if isinstance(f.body, frames.Nak)]


# ---- a good day -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "relay", "how"),
    [
        (VerdictCode.PASS, Outputs.PASS, BoardGoneHow.PASSED),
        (VerdictCode.FAIL, Outputs.FAIL, BoardGoneHow.REJECTED),
        (VerdictCode.HOLD, Outputs.NONE, BoardGoneHow.PULLED),
    ],
)
def test_a_board_goes_through(line: VirtualLine, code: VerdictCode, relay: Outputs, how: BoardGoneHow) -> None:
    token = line.open_board("A1043")
    assert line.seen(BoardPresent)[-1] == BoardPresent(token=token, lane=0, barcode="A1043")
    seq = line.verdict(token, code)
    line.run(20)
    assert line.gate.outputs == relay | Outputs.HEALTHY | Outputs.RESULT_VALID
    confirmed = line.seen(VerdictConfirmed)[-1]
    assert (confirmed.token, confirmed.code, confirmed.verdict_seq) == (token, code, seq)
    assert confirmed.outputs & (Outputs.PASS | Outputs.FAIL) == relay
    assert 10_000 <= confirmed.us_since_board <= 20_000
    line.gate.plc_ack(True, line.now_ns)
    assert line.gate.outputs == Outputs.HEALTHY
    line.gate.plc_ack(False, line.now_ns)
    line.gate.board_leaves(how, line.now_ns)
    line.run(50)
    assert line.gate.state is GateState.IDLE
    assert line.seen(BoardGone)[-1] == BoardGone(token=token, how=how)
    assert line.host.open_token is None
    check_pass_invariants(line)


def test_tokens_count_up_and_are_not_reused(line: VirtualLine) -> None:
    tokens = []
    for n in range(20):
        tokens.append(line.passed_board(f"B{n}"))
        line.gate.board_leaves(BoardGoneHow.PASSED, line.now_ns)
        line.run(20)
    assert tokens == [(tokens[0] + n) & 0xFFFF_FFFF for n in range(20)]
    assert len(line.seen(VerdictConfirmed)) == 20


# ---- I1 -------------------------------------------------------------------------------------------------------------


def test_i1_no_token_no_pass(line: VirtualLine) -> None:
    for token in (0, 1, 0xFFFF_FFFF, line.gate._next_token):
        assert naks(line, forged(line, pass_for(token))) == [NakCode.UNKNOWN_TOKEN]
    assert not line.logged(GateWhat.PASS_ON)


def test_i1_another_boards_token_does_not_pass_this_one(line: VirtualLine) -> None:
    old = line.open_board("first")
    line.gate.board_leaves(BoardGoneHow.PULLED, line.now_ns)
    line.run(20)
    new = line.open_board("second")
    assert naks(line, forged(line, pass_for(old))) == [NakCode.LATE]
    assert naks(line, forged(line, pass_for(new + 1))) == [NakCode.UNKNOWN_TOKEN]
    assert not line.logged(GateWhat.PASS_ON)
    assert line.gate.state is GateState.BOARD


def test_i1_another_sessions_verdict_does_not_pass(line: VirtualLine) -> None:
    token = line.open_board()
    for session in (0, line.gate.wire.session ^ 1, line.gate.wire.session + 1):
        assert naks(line, forged(line, pass_for(token), session=session & 0xFFFF)) == [NakCode.UNKNOWN_SESSION]
    assert not line.logged(GateWhat.PASS_ON)


@pytest.mark.parametrize(("late_ns", "passes"), [(-1, True), (0, False), (1, False)])
def test_i1_the_window_ends_to_the_nanosecond(line: VirtualLine, late_ns: int, passes: bool) -> None:
    opened_ns = line.now_ns
    token = line.open_board()
    line.run_until(opened_ns + 2 * S_NS - 2)
    line.now_ns = opened_ns + 2 * S_NS + late_ns
    line.gate.receive(forged(line, pass_for(token)), line.now_ns)
    assert bool(line.logged(GateWhat.PASS_ON)) is passes
    assert (Outputs.FAIL in line.gate.outputs) is not passes


def test_i1_no_verdict_in_time_rejects_and_a_late_one_is_named_late(line: VirtualLine) -> None:
    opened_ns = line.now_ns
    token = line.open_board()
    line.run(2500)
    assert [entry.t_ns for entry in line.logged(GateWhat.WINDOW_EXPIRED)] == [opened_ns + 2 * S_NS]
    assert line.gate.outputs == Outputs.FAIL | Outputs.HEALTHY | Outputs.RESULT_VALID
    line.verdict(token)
    line.run(20)
    (failed,) = line.seen(CommandFailed)
    assert (failed.code, failed.token) == (NakCode.LATE, token)
    assert line.gate.outputs == Outputs.FAIL | Outputs.HEALTHY | Outputs.RESULT_VALID
    check_pass_invariants(line)


# ---- I2 -------------------------------------------------------------------------------------------------------------


def test_i2_the_same_verdict_again_gets_the_same_answer_and_no_second_action(line: VirtualLine) -> None:
    token = line.open_board()
    wire = forged(line, pass_for(token))
    line.gate.receive(wire, line.now_ns)
    line.gate.tick(line.now_ns + 5 * MS_NS)
    first = [f for f in frames.FrameDecoder().feed(line.gate.outgoing()) if isinstance(f.body, frames.VerdictAck)]
    actions = len(line.gate.log.entries())
    for _ in range(5):
        line.gate.receive(wire, line.now_ns + 6 * MS_NS)
    again = [f for f in frames.FrameDecoder().feed(line.gate.outgoing()) if isinstance(f.body, frames.VerdictAck)]
    assert len(first) == 1
    assert [f.body for f in again] == [first[0].body] * 5
    assert {f.ack for f in again} == {first[0].ack}
    assert len(line.gate.log.entries()) == actions


@pytest.mark.parametrize("second", VerdictCode)
def test_i2_a_second_verdict_for_a_token_trips(line: VirtualLine, second: VerdictCode) -> None:
    token = line.passed_board()
    body = frames.Verdict(token=token, code=second, reason=0, verdict_seq=99)
    assert NakCode.TOKEN_REUSED in naks(line, forged(line, body))
    assert line.gate.state is GateState.TRIPPED
    assert line.gate.trip_reason is TripReason.TOKEN_REUSE
    assert line.gate.outputs == Outputs.NONE
    check_pass_invariants(line)


def test_i2_a_verdict_for_a_board_that_had_its_own_trips_even_after_it_left(line: VirtualLine) -> None:
    token = line.passed_board()
    line.gate.board_leaves(BoardGoneHow.PASSED, line.now_ns)
    line.run(20)
    naks(line, forged(line, pass_for(token)))
    assert line.gate.trip_reason is TripReason.TOKEN_REUSE


def test_i2_a_result_the_plc_took_is_not_judged_again_after_a_restart(line: VirtualLine) -> None:
    line.passed_board()
    line.gate.plc_ack(True, line.now_ns)
    line.gate.plc_ack(False, line.now_ns)
    line.restart_host()
    line.run(1000)
    assert line.gate.state is GateState.IDLE
    assert len(line.seen(BoardPresent)) == 1


# ---- I3, and the frozen loop ----------------------------------------------------------------------------------------


def test_i3_pass_drops_exactly_300_ms_after_the_last_frame(line: VirtualLine) -> None:
    line.passed_board()
    line.to_gate = dead
    last_ns = line.gate._session.last_valid_ns
    for _, _, end, _ in line._on_wire:
        assert end != "gate"
    line.run_until(last_ns + LINK_TRIP_NS - 1)
    assert Outputs.PASS in line.gate.outputs
    line.run_until(last_ns + LINK_TRIP_NS)
    assert line.gate.outputs == Outputs.NONE
    assert line.gate.trip_reason is TripReason.LINK_LOSS
    (off,) = line.logged(GateWhat.PASS_OFF)
    assert off.t_ns == last_ns + LINK_TRIP_NS


def test_i3_a_frame_after_300_ms_is_too_late_even_if_nobody_ticked(line: VirtualLine) -> None:
    line.passed_board()
    last_ns = line.gate._session.last_valid_ns
    gate = line.gate
    gate._watchdog_ns = S_NS  # so that the link trip is what trips
    nonce = gate.wire._nonces[-1][0]
    gate.receive(forged(line, frames.Heartbeat(loop_counter=10_000, echo=nonce)), last_ns + LINK_TRIP_NS)
    assert gate.trip_reason is TripReason.LINK_LOSS


def test_i3_replayed_heartbeats_do_not_keep_pass_on(line: VirtualLine) -> None:
    line.passed_board()
    recorded = [data for _, data in line.sent_to_gate[-6:]]
    line.to_gate = lambda frame, now_ns: [(2 * MS_NS, data) for data in recorded]
    line.run(320)
    assert line.gate.trip_reason is TripReason.LINK_LOSS
    assert Outputs.PASS not in line.gate.outputs


def test_i3_heartbeats_that_echo_nothing_recent_do_not_keep_pass_on(line: VirtualLine) -> None:
    line.passed_board()
    last_ns = line.gate._session.last_valid_ns
    for n in range(40):
        line.now_ns += 10 * MS_NS
        line.gate.receive(forged(line, frames.Heartbeat(loop_counter=10_000 + n, echo=0xDEAD)), line.now_ns)
    (off,) = line.logged(GateWhat.PASS_OFF)
    assert last_ns + LINK_TRIP_NS <= off.t_ns < last_ns + LINK_TRIP_NS + 10 * MS_NS
    assert line.gate.wire.counters.stale > 20


def test_a_frozen_loop_trips_after_exactly_2_s_although_the_link_is_fine(line: VirtualLine) -> None:
    line.is_beating = False
    line.run(101)
    moved_ns = line.gate._session.loop_moved_ns
    line.run_until(moved_ns + LOOP_TRIP_NS - 1)
    assert line.gate.state is GateState.IDLE
    line.run_until(moved_ns + LOOP_TRIP_NS)
    assert line.gate.trip_reason is TripReason.LOOP_FROZEN
    line.run(5000)
    assert line.host.state is HostState.WAITING_LOOP  # no HELLO while nothing has moved
    assert line.seen(LinkDown)[-1].reason is DownReason.LOOP_FROZEN
    line.is_beating = True
    line.run(1000)
    line.passed_board()


def test_a_session_whose_loop_never_moved_opens_no_token() -> None:
    line = VirtualLine()
    line.is_beating = False
    line.run(400)
    assert line.host.state is HostState.UP
    assert line.gate.board_arrives("A1", 0, line.now_ns) is None
    line.run(1000)
    assert line.gate.state is GateState.IDLE
    assert not line.logged(GateWhat.TOKEN_OPENED)


def test_a_counter_that_only_jumps_back_is_no_movement(line: VirtualLine) -> None:
    moved_ns = line.gate._session.loop_moved_ns
    line.now_ns += 50 * MS_NS
    nonce = line.gate.wire._nonces[-1][0]
    line.gate.receive(forged(line, frames.Heartbeat(loop_counter=0, echo=nonce)), line.now_ns)
    assert line.gate._session.loop_moved_ns == moved_ns
    assert line.gate._session.last_valid_ns == line.now_ns


# ---- I4 -------------------------------------------------------------------------------------------------------------


def test_i4_a_restarted_station_drops_pass_and_voids_tokens(line: VirtualLine) -> None:
    token = line.passed_board()
    line.restart_host()
    line.run(3)
    assert Outputs.PASS not in line.gate.outputs
    assert line.gate.open_token is None
    assert [entry.token for entry in line.logged(GateWhat.TOKEN_VOID)] == [token]
    line.run(500)
    assert line.gate.open_token not in (None, token)  # the board is still there and gets a new one
    assert naks(line, forged(line, pass_for(token))) == [NakCode.UNKNOWN_TOKEN]
    assert len(line.logged(GateWhat.PASS_ON)) == 1
    check_pass_invariants(line)


def test_i4_a_restarted_gate_knows_no_token_and_is_found_again(line: VirtualLine) -> None:
    token, session = line.passed_board(), line.host.session
    line.restart_gate()
    assert line.gate.outputs == Outputs.NONE
    line.gate.receive(forged(line, pass_for(token), session=session), line.now_ns)
    assert line.gate.outputs == Outputs.NONE
    line.run(800)
    assert DownReason.GATE_RESTARTED in [event.reason for event in line.seen(LinkDown)]
    assert line.host.state is HostState.UP
    assert line.gate.open_token not in (None, token)
    check_pass_invariants(line)


def test_i4_an_old_hello_again_opens_nothing_after_a_trip(line: VirtualLine) -> None:
    hello = next(data for _, data in line.sent_to_gate if _is(data, frames.Hello))
    line.to_gate = dead
    line.run(400)
    assert line.gate.state is GateState.TRIPPED
    line.gate.outgoing()
    line.gate.receive(hello, line.now_ns)
    assert line.gate.state is GateState.TRIPPED
    assert not _is(line.gate.outgoing(), frames.HelloAck)  # or a station would take it for a session


def _is(data: bytes, kind: type) -> bool:
    return any(isinstance(frame.body, kind) for frame in frames.FrameDecoder().feed(data))


def test_a_repeated_hello_gets_the_same_answer_and_changes_nothing(line: VirtualLine) -> None:
    token = line.open_board()
    hello = next(data for _, data in line.sent_to_gate if _is(data, frames.Hello))
    line.gate.outgoing()
    line.gate.receive(hello, line.now_ns)
    (answer,) = [f for f in frames.FrameDecoder().feed(line.gate.outgoing()) if isinstance(f.body, frames.HelloAck)]
    assert answer.body.session == line.host.session
    assert line.gate.open_token == token


@pytest.mark.parametrize("change", [{"layout": frames.LAYOUT_HASH ^ 1}, {"proto": 2}])
def test_a_station_of_another_layout_is_refused_and_outputs_drop(line: VirtualLine, change: dict[str, int]) -> None:
    line.passed_board()
    fields = {"boot_nonce": b"12345678", "proto": 1, "layout": frames.LAYOUT_HASH, "bundle_set": bytes(8)}
    hello = frames.Hello(**{**fields, **change})  # type: ignore[arg-type]
    assert naks(line, forged(line, hello, session=0)) == [NakCode.LAYOUT]
    assert line.gate.state is GateState.OFF
    assert line.gate.outputs == Outputs.NONE


def test_the_host_says_which_end_to_update(monkeypatch: pytest.MonkeyPatch) -> None:
    line = VirtualLine()
    monkeypatch.setattr(frames, "LAYOUT_HASH", frames.LAYOUT_HASH ^ 1)  # after HELLO was built: the gate differs
    line.run(2000)
    down = line.seen(LinkDown)
    assert len(down) >= 1
    assert {event.reason for event in down[:1]} == {DownReason.LAYOUT_MISMATCH}
    assert "update the older" in down[0].detail


# ---- I5 is the station's; what it needs is here ---------------------------------------------------------------------


def test_i5_the_only_way_to_a_pass_is_send_verdict(line: VirtualLine) -> None:
    """Whatever else the host is asked for, no VERDICT leaves it."""
    line.open_board()
    line.host.query()
    line.host.hold(5)
    line.run(1500)
    assert not any(_is(data, frames.Verdict) for _, data in line.sent_to_gate)


# ---- I6 -------------------------------------------------------------------------------------------------------------


def test_i6_no_lease_while_a_token_is_open(line: VirtualLine) -> None:
    line.open_board()
    line.host.hold(5)
    line.run(20)
    (failed,) = line.seen(CommandFailed)
    assert failed.code is NakCode.TOKEN_OPEN
    assert line.gate.lease_id is None


def test_i6_no_token_while_a_lease_is_held(line: VirtualLine) -> None:
    line.host.hold(5)
    line.run(20)
    assert line.seen(LeaseChanged)[-1] == LeaseChanged(lease_id=5, held=True)
    assert Inputs.LEASED in line.gate.inputs
    assert line.gate.board_arrives("A1", 0, line.now_ns) is None
    line.run(1000)
    assert line.gate.state is GateState.IDLE
    line.host.release(5)
    line.run(20)
    assert line.seen(LeaseChanged)[-1] == LeaseChanged(lease_id=5, held=False)
    assert line.gate.open_token is not None  # the board that waited
    check_pass_invariants(line)


def test_i6_leases_are_exclusive_and_released_by_their_own_id(line: VirtualLine) -> None:
    line.host.hold(5)
    line.run(20)
    with pytest.raises(LocalError, match="lease 5 is held"):
        line.host.hold(6)
    assert naks(line, forged(line, frames.Hold(lease_id=6))) == [NakCode.LEASED]
    assert naks(line, forged(line, frames.Release(lease_id=6))) == [NakCode.NO_LEASE]
    assert line.gate.lease_id == 5


# ---- I7 -------------------------------------------------------------------------------------------------------------


def _raw(rng: random.Random, line: VirtualLine) -> bytes:
    return rng.randbytes(4096)


def _stuffed(rng: random.Random, line: VirtualLine) -> bytes:
    """Well-formed COBS of the right length, right version, type and session, wrong CRC."""
    head = struct.pack("<BBH", 0x10, 0x22, line.gate.wire.session)
    return b"".join(cobs.encode(head + rng.randbytes(24)) + b"\0" for _ in range(128))


def _correct_crc(rng: random.Random, line: VirtualLine) -> bytes:
    """Perfect frames of every type but for the session, or but for the token."""
    out = b""
    for _ in range(64):
        session = rng.choice([rng.getrandbits(16), line.gate.wire.session])
        token = (line.gate.open_token or 0) ^ (rng.getrandbits(31) + 1)
        body = struct.pack("<IBHI", token, 0x69, 0, rng.getrandbits(32))
        content = struct.pack("<BBHIIB", 0x10, 0x22, session, rng.getrandbits(32), 0, 11) + body
        out += cobs.encode(content + struct.pack("<I", zlib.crc32(content))) + b"\0"
    return out


@pytest.mark.parametrize("kind", [_raw, _stuffed, _correct_crc])
def test_i7_a_million_bytes_energise_nothing(
    line: VirtualLine, kind: Callable[[random.Random, VirtualLine], bytes]
) -> None:
    rng, sent, needed = random.Random(7), 0, 1_000_000 if kind is _raw else 150_000
    line.open_board()
    while sent < needed:
        data = kind(rng, line)
        sent += len(data)
        line.gate.receive(data, line.now_ns)
        line.run(1)
        assert Outputs.PASS not in line.gate.outputs
    assert not line.logged(GateWhat.PASS_ON)
    assert not line.logged(GateWhat.VERDICT)
    assert line.gate.wire.decoder.buffered_bytes <= frames.MAX_STUFFED_BYTES


def test_i7_the_right_frame_between_the_noise_still_passes(line: VirtualLine) -> None:
    token = line.open_board()
    wire = b"\0" + forged(line, pass_for(token))
    line.gate.receive(random.Random(1).randbytes(5000) + wire, line.now_ns)
    assert Outputs.PASS in line.gate.outputs


@pytest.mark.parametrize("part", range(27))
def test_i7_each_byte_of_the_right_frame_counts(line: VirtualLine, part: int) -> None:
    """Changed before stuffing, CRC left as it was: nothing of a VERDICT may differ."""
    token = line.open_board()
    decoded = bytearray(cobs.decode(forged(line, pass_for(token))[:-1]))
    decoded[part] ^= 0x40
    line.gate.receive(cobs.encode(bytes(decoded)) + b"\0", line.now_ns)
    assert not line.logged(GateWhat.PASS_ON)


def test_naks_are_at_most_ten_in_any_second() -> None:
    limiter, rng, sent = NakLimiter(), random.Random(3), []
    now_ns = 0
    for _ in range(20_000):
        now_ns += rng.randrange(3 * MS_NS)
        bad = rng.random() < 0.9
        if limiter.allow(now_ns, bad_frame=bad):
            sent.append((now_ns, bad))
    assert len(sent) > 100
    for i, (t_ns, _) in enumerate(sent):
        window = [bad for at, bad in sent[i:] if at < t_ns + S_NS]
        assert len(window) <= 10
        assert sum(window) <= 5


def test_noise_is_answered_with_few_naks_that_count_it(line: VirtualLine) -> None:
    rng = random.Random(1)
    for _ in range(400):
        line.gate.receive(rng.randbytes(300), line.now_ns)
        line.run(5)
    sent = [f.body for _, data in line.sent_to_host for f in frames.FrameDecoder().feed(data)]
    bad = [body for body in sent if isinstance(body, frames.Nak) and body.code is NakCode.BAD_FRAME]
    assert 5 < len(bad) <= 3 * 5  # in a little over two seconds
    assert bad[-1].detail > 50


# ---- relay, PLC, trips ----------------------------------------------------------------------------------------------


def test_pass_and_fail_are_never_driven_together(line: VirtualLine) -> None:
    for code in (VerdictCode.PASS, VerdictCode.FAIL, VerdictCode.HOLD):
        token = line.open_board()
        line.verdict(token, code)
        line.run(30)
        line.gate.board_leaves(BoardGoneHow.PULLED, line.now_ns)
        line.run(20)
    both = Outputs.PASS | Outputs.FAIL
    assert all(outputs & both != both for _, outputs in line.outputs_seen)


def test_a_welded_contact_trips_and_keeps_the_gate_shut(line: VirtualLine) -> None:
    line.passed_board()
    line.gate.inject_relay_fault(stuck_on=Outputs.PASS)
    line.gate.plc_ack(True, line.now_ns)
    line.run(10)
    assert line.gate.trip_reason is TripReason.RELAY_READBACK
    assert line.gate.outputs == Outputs.NONE
    line.run(10_000)
    assert line.gate.state is GateState.TRIPPED
    reasons = [event.reason for event in line.seen(LinkDown)]
    assert reasons == [DownReason.GATE_TRIPPED]  # said once, not at every retry
    line.gate.inject_relay_fault()
    line.run(2500)
    assert line.host.state is HostState.UP


def test_a_contact_that_does_not_close_trips_and_is_not_confirmed(line: VirtualLine) -> None:
    token = line.open_board()
    line.gate.inject_relay_fault(stuck_off=Outputs.PASS)
    line.verdict(token)
    line.run(30)
    assert line.gate.trip_reason is TripReason.RELAY_READBACK
    assert not line.seen(VerdictConfirmed)
    assert line.seen(CommandFailed)
    assert line.seen(GateFault)[-1].code is frames.FaultCode.RELAY_READBACK
    assert not line.logged(GateWhat.RESULT_VALID_ON)


def test_both_contacts_closed_trips_at_once(line: VirtualLine) -> None:
    line.passed_board()
    line.gate.inject_relay_fault(stuck_on=Outputs.FAIL)
    line.gate.tick(line.now_ns)
    assert line.gate.trip_reason is TripReason.BOTH_OUTPUTS


def test_result_valid_rises_after_settling_and_waits_for_ack_low(line: VirtualLine) -> None:
    token = line.open_board()
    line.gate.plc_ack(True, line.now_ns)
    line.verdict(token)
    line.run(50)
    assert Outputs.PASS in line.gate.outputs
    assert Outputs.RESULT_VALID not in line.gate.outputs
    line.gate.plc_ack(False, line.now_ns)
    assert Outputs.RESULT_VALID in line.gate.outputs
    (on,), (valid,) = line.logged(GateWhat.PASS_ON), line.logged(GateWhat.RESULT_VALID_ON)
    assert valid.t_ns >= on.t_ns + 5 * MS_NS


def test_the_next_board_waits_until_ack_is_low(line: VirtualLine) -> None:
    line.passed_board("first")
    line.gate.plc_ack(True, line.now_ns)
    line.gate.board_leaves(BoardGoneHow.PASSED, line.now_ns)
    assert line.gate.board_arrives("second", 0, line.now_ns) is None
    line.run(100)
    assert line.gate.open_token is None
    line.gate.plc_ack(False, line.now_ns)
    assert line.gate.open_token is not None


def test_a_board_that_leaves_takes_pass_with_it(line: VirtualLine) -> None:
    line.passed_board()
    line.gate.board_leaves(BoardGoneHow.PULLED, line.now_ns)
    assert line.gate.outputs == Outputs.HEALTHY
    with pytest.raises(LocalError, match="no board"):
        line.gate.board_leaves(BoardGoneHow.PULLED, line.now_ns)


def test_a_gate_whose_own_loop_stands_still_trips(line: VirtualLine) -> None:
    line.passed_board()
    line.gate.tick(line.now_ns + 101 * MS_NS)
    assert line.gate.trip_reason is TripReason.WATCHDOG
    assert line.gate.outputs == Outputs.NONE


def test_a_brown_out_trips(line: VirtualLine) -> None:
    line.passed_board()
    line.gate.inject_supply_fault(line.now_ns)
    line.run(10)
    assert line.gate.trip_reason is TripReason.SUPPLY
    assert line.seen(GateFault)[-1].code is frames.FaultCode.SUPPLY


def test_without_latch_a_new_hello_ends_the_trip(line: VirtualLine) -> None:
    line.to_gate = dead
    line.run(400)
    assert line.gate.state is GateState.TRIPPED
    line.to_gate = perfect
    line.run(2500)
    line.passed_board()


def test_in_latch_mode_only_an_operator_and_then_a_hello_end_the_trip() -> None:
    line = VirtualLine(settings=GateSettings(latch=True)).up()
    line.gate.inject_supply_fault(line.now_ns)
    line.run(10_000)
    assert line.gate.state is GateState.TRIPPED
    assert line.seen(LinkDown)[-1].reason is DownReason.GATE_LATCHED
    ups = len(line.seen(LinkUp))
    line.gate.operator_reset(line.now_ns)
    assert line.gate.state is GateState.TRIPPED
    line.run(3000)
    assert len(line.seen(LinkUp)) == ups + 1
    line.passed_board()


def test_commands_to_a_tripped_gate_are_refused(line: VirtualLine) -> None:
    token = line.open_board()
    line.gate.inject_supply_fault(line.now_ns)
    assert naks(line, forged(line, pass_for(token))) == [NakCode.TRIPPED]


def test_every_state_can_trip_but_tripped_itself() -> None:
    for state in GateState:
        assert ((state, GateInput.TRIP) in TRANSITIONS) is (state is not GateState.TRIPPED)
        assert TRANSITIONS[state, GateInput.HELLO] is GateState.IDLE


# ---- commissioning --------------------------------------------------------------------------------------------------


def test_configuration_is_stored_echoed_and_survives_a_restart(line: VirtualLine) -> None:
    line.host.configure(window_ms=500, latch=False, polarity=frames.Polarity.FAIL_LOW)
    line.run(20)
    expected = ConfigReported(window_ms=500, latch=False, polarity=frames.Polarity.FAIL_LOW)
    assert line.seen(ConfigReported) == [expected]
    line.restart_gate()
    line.run(1000)
    line.host.query()
    line.run(20)
    assert line.seen(ConfigReported) == [expected, expected]
    opened_ns = line.now_ns
    line.open_board()
    line.run(600)
    assert line.logged(GateWhat.WINDOW_EXPIRED)[-1].t_ns == opened_ns + 500 * MS_NS


def test_no_configuration_while_a_token_is_open_nor_a_broken_one(line: VirtualLine) -> None:
    good = GateSettings(window_ms=700).as_frame()
    broken = frames.Config(window_ms=800, latch=0, polarity=frames.Polarity.NONE, crc=good.crc)
    silly = frames.Config(window_ms=5, latch=0, polarity=frames.Polarity.NONE, crc=frames.config_crc(5, 0, 0))
    assert naks(line, forged(line, broken)) == [NakCode.BAD_CONFIG]
    assert naks(line, forged(line, silly)) == [NakCode.BAD_CONFIG]
    line.open_board()
    assert naks(line, forged(line, good)) == [NakCode.TOKEN_OPEN]
    assert line.gate.settings == GateSettings()


def test_a_gates_own_frames_sent_to_it_are_refused(line: VirtualLine) -> None:
    body = frames.BoardGone(token=1, how=BoardGoneHow.PASSED)
    assert naks(line, forged(line, body)) == [NakCode.UNEXPECTED]


def test_two_boards_at_one_clamp_is_our_mistake() -> None:
    gate = GateSession(0)
    gate.board_arrives("A", 0, 0)
    with pytest.raises(LocalError, match="'A' is at the clamp"):
        gate.board_arrives("B", 0, 0)
