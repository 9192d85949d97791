"""The station's end: repeats, faults, what it refuses to send, what it survives. Virtual time."""

import itertools
import random

import pytest
from gate_virtual_line import WIRE_NS, VirtualLine, dead, perfect
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge import frames
from firmware_bridge.errors import LocalError
from firmware_bridge.frames import BoardGoneHow, FrameType, Outputs, VerdictCode
from firmware_bridge.host import TRANSITIONS, HostInput, HostSession, HostState
from firmware_bridge.host_events import (
    BoardGone,
    BoardPresent,
    CommandFailed,
    CommandKind,
    DownReason,
    GateStatus,
    LinkDown,
    LinkUp,
    VerdictConfirmed,
)
from firmware_bridge.timing import HEARTBEAT_NS, LINK_TRIP_NS, MS_NS

pytestmark = pytest.mark.unit


@pytest.fixture
def line() -> VirtualLine:
    return VirtualLine().up()


def types_of(data: bytes) -> list[FrameType]:
    return [frame.body.TYPE for frame in frames.FrameDecoder().feed(data)]


def sent_at(line: VirtualLine, kind: FrameType) -> list[int]:
    return [at_ns for at_ns, data in line.sent_to_gate if kind in types_of(data)]


def test_heartbeats_go_out_every_100_ms_and_carry_the_owners_counter_only(line: VirtualLine) -> None:
    line.is_beating = False
    line.run(200)
    line.sent_to_gate.clear()
    line.run(1000)
    times = sent_at(line, FrameType.HEARTBEAT)
    assert {b - a for a, b in itertools.pairwise(times)} == {HEARTBEAT_NS}
    counters = {f.body.loop_counter for _, d in line.sent_to_gate for f in frames.FrameDecoder().feed(d)}
    assert counters == {line._beats}
    line.host.set_loop_counter(4_000_000_123)
    line.sent_to_gate.clear()
    line._beat_ns += 10**12
    line.run(100)
    (data,) = [data for _, data in line.sent_to_gate]
    assert frames.FrameDecoder().feed(data)[0].body.loop_counter == 4_000_000_123


def test_hello_is_repeated_at_25_75_175_ms_and_then_given_up_and_tried_again() -> None:
    line = VirtualLine(to_gate=dead)
    start_ns = line.now_ns
    line.run(4000)
    times = [(t - start_ns) // MS_NS for t in sent_at(line, FrameType.HELLO)]
    assert times[:4] == [0, 25, 75, 175]
    assert times[4:8] == [475, 500, 550, 650]  # fault at 275, wait 200
    assert times[8] == 1150  # fault at 750, wait 400: doubling
    downs = line.seen(LinkDown)
    assert [event.reason for event in downs] == [DownReason.NO_ANSWER]  # said once


def test_each_new_hello_has_a_new_nonce_and_each_repeat_the_same() -> None:
    line = VirtualLine(to_gate=dead)
    line.run(700)
    nonces = [f.body.boot_nonce for _, d in line.sent_to_gate for f in frames.FrameDecoder().feed(d)]
    assert len(nonces) == 8
    assert len(set(nonces[:4])) == len(set(nonces[4:])) == 1
    assert nonces[0] != nonces[4]


def test_an_unanswered_verdict_is_repeated_at_25_75_175_ms_then_fails_at_275(line: VirtualLine) -> None:
    token = line.open_board()
    swallow = lambda frame, now_ns: [] if FrameType.VERDICT in types_of(frame) else perfect(frame, now_ns)  # noqa: E731
    line.to_gate = swallow
    start_ns = line.now_ns
    line.verdict(token)
    line.run(400)
    assert [(t - start_ns) // MS_NS for t in sent_at(line, FrameType.VERDICT)] == [0, 25, 75, 175]
    ((at_ns, failed),) = [(t, e) for t, e in line.events if isinstance(e, CommandFailed)]
    assert at_ns == start_ns + 275 * MS_NS
    assert (failed.what, failed.token, failed.code) == (CommandKind.VERDICT, token, None)
    assert line.seen(LinkDown)[-1].reason is DownReason.UNANSWERED
    assert line.host.counters.retransmits == 3
    assert Outputs.PASS not in line.gate.outputs


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_verdict_lost_up_to_three_times_still_acts_once(line: VirtualLine, lost: int) -> None:
    token, left = line.open_board(), [lost]

    def fate(frame: bytes, now_ns: int) -> list[tuple[int, bytes]]:
        if FrameType.VERDICT in types_of(frame) and left[0] > 0:
            left[0] -= 1
            return []
        return perfect(frame, now_ns)

    line.to_gate = fate
    line.verdict(token)
    line.run(250)
    assert [event.token for event in line.seen(VerdictConfirmed)] == [token]
    assert line.host.counters.retransmits == lost


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_lost_answer_is_asked_for_again_and_the_relay_moves_once(line: VirtualLine, lost: int) -> None:
    token, left = line.open_board(), [lost]

    def fate(frame: bytes, now_ns: int) -> list[tuple[int, bytes]]:
        if FrameType.VERDICT_ACK in types_of(frame) and left[0] > 0:
            left[0] -= 1
            return []
        return perfect(frame, now_ns)

    line.to_host = fate
    line.verdict(token)
    line.run(250)
    assert len(line.seen(VerdictConfirmed)) == 1
    assert sum(entry.what.value == "pass_on" for entry in line.log) == 1


@pytest.mark.parametrize("kind", [FrameType.BOARD, FrameType.BOARD_GONE])
def test_a_lost_board_event_is_repeated_until_read(line: VirtualLine, kind: FrameType) -> None:
    left = [2]

    def fate(frame: bytes, now_ns: int) -> list[tuple[int, bytes]]:
        if kind in types_of(frame) and left[0] > 0:
            left[0] -= 1
            return []
        return perfect(frame, now_ns)

    line.to_host = fate
    line.gate.board_arrives("A1", 0, line.now_ns)
    line.run(100)
    line.gate.board_leaves(BoardGoneHow.PULLED, line.now_ns)
    line.run(300)
    assert len(line.seen(BoardPresent)) == len(line.seen(BoardGone)) == 1
    repeats = [t for t, data in line.sent_to_host if kind in types_of(data)]
    assert len(repeats) == 3  # two lost, one read: then silence


def test_a_repeated_board_is_no_second_board_and_gets_no_second_verdict(line: VirtualLine) -> None:
    token = line.open_board()
    board = next(data for _, data in line.sent_to_host if FrameType.BOARD in types_of(data))
    line.verdict(token)
    assert line.host.receive(board, line.now_ns) == []
    with pytest.raises(LocalError, match="had its verdict"):
        line.verdict(token, VerdictCode.FAIL)
    line.run(20)
    line.gate.board_leaves(BoardGoneHow.PASSED, line.now_ns)
    line.run(20)
    assert line.host.receive(board, line.now_ns) == []  # nor when it has left
    assert line.host.open_token is None


def test_silence_is_noticed_exactly_300_ms_after_the_last_valid_frame(line: VirtualLine) -> None:
    line.to_host = dead
    last_ns = line.host._last_valid_ns
    line.run(1)
    last_ns = max(last_ns, line.host._last_valid_ns)
    line.run_until(last_ns + LINK_TRIP_NS - 1)
    assert line.host.state is HostState.UP
    line.run_until(last_ns + LINK_TRIP_NS)
    assert line.host.state is HostState.WAITING
    assert line.seen(LinkDown)[-1].reason is DownReason.SILENT


def test_frames_that_waited_in_the_buffer_are_read_before_a_link_is_called_silent(line: VirtualLine) -> None:
    """A station busy for 290 ms comes back to a full buffer, not to a dead link."""
    line.gate.outgoing()
    line.gate.tick(line.now_ns + 90 * MS_NS)
    line.gate.tick(line.now_ns + 99 * MS_NS)
    waited = line.gate.outgoing()
    assert line.host.receive(waited, line.now_ns + 450 * MS_NS) == []
    assert line.host.state is HostState.UP


def test_verdicts_that_may_not_be_sent_are_refused_by_name(line: VirtualLine) -> None:
    with pytest.raises(LocalError, match="not the open token"):
        line.verdict(1234)
    token = line.open_board()
    with pytest.raises(LocalError, match="not the open token"):
        line.verdict(token ^ 1)
    line.verdict(token)
    with pytest.raises(LocalError, match="had its verdict"):
        line.verdict(token, VerdictCode.FAIL)
    line.run(20)
    with pytest.raises(LocalError, match="had its verdict"):
        line.verdict(token)
    line.gate.board_leaves(BoardGoneHow.PASSED, line.now_ns)
    line.run(20)
    with pytest.raises(LocalError, match="not the open token"):
        line.verdict(token)
    line.host.port_lost(line.now_ns)
    for ask in (lambda: line.verdict(token), line.host.query, lambda: line.host.hold(1)):
        with pytest.raises(LocalError, match="no session"):
            ask()


def test_a_verdict_with_a_reason_too_large_is_refused_and_another_may_follow(line: VirtualLine) -> None:
    token = line.open_board()
    with pytest.raises(LocalError, match=r"Verdict\.reason"):
        line.host.send_verdict(token, VerdictCode.PASS, 70_000, 1, line.now_ns)
    line.verdict(token)


def test_the_command_queue_is_bounded(line: VirtualLine) -> None:
    for _ in range(4):
        line.host.query()
    with pytest.raises(LocalError, match="wait for the gate already"):
        line.host.query()


def test_one_command_is_outstanding_at_a_time(line: VirtualLine) -> None:
    token = line.open_board()
    line.host.query()
    line.sent_to_gate.clear()
    line.verdict(token)
    line.run(1)
    assert len(sent_at(line, FrameType.QUERY)) == 1
    assert len(sent_at(line, FrameType.VERDICT)) == 0
    line.run(30)
    assert line.seen(VerdictConfirmed)


def test_a_queued_verdict_does_not_go_out_for_a_board_that_left(line: VirtualLine) -> None:
    token = line.open_board()
    line.to_gate = dead
    line.host.query()
    line.verdict(token)  # waits behind the query
    line.gate.board_leaves(BoardGoneHow.PULLED, line.now_ns)
    line.run(20)
    (failed,) = line.seen(CommandFailed)
    assert failed.token == token
    assert "left before" in failed.why
    assert not sent_at(line, FrameType.VERDICT)


def test_after_a_lost_port_everything_is_void_and_reopen_starts_over(line: VirtualLine) -> None:
    token = line.open_board()
    line.verdict(token)
    events = line.host.port_lost(line.now_ns, "unplugged")
    assert [type(event) for event in events] == [CommandFailed, LinkDown]
    assert line.host.outgoing() == b""
    assert line.host.next_deadline_ns() is None
    assert line.host.tick(line.now_ns) == []
    line._note(line.host.reopen(line.now_ns))
    line.run(600)
    assert len(line.seen(LinkUp)) == 2
    assert line.seen(BoardPresent)[-1].token != token


def test_reopen_of_a_session_that_was_up_says_it_went_down(line: VirtualLine) -> None:
    assert [type(event) for event in line.host.reopen(line.now_ns)] == [LinkDown]


def test_status_is_told_when_it_changes_only(line: VirtualLine) -> None:
    line.run(1000)
    told = len(line.seen(GateStatus))
    line.run(5000)
    assert len(line.seen(GateStatus)) == told
    line.passed_board()
    states = [event.state.name for event in line.seen(GateStatus)[told:]]
    assert states[0] == "BOARD"
    assert states[-1] == "RESULT"


def test_a_verdict_reaches_the_relay_within_the_wires_time_plus_settling(line: VirtualLine) -> None:
    token = line.open_board()
    start_ns = line.now_ns
    line.verdict(token)
    line.run(15)
    (on,) = [entry for entry in line.log if entry.what.value == "pass_on"]
    assert on.t_ns == start_ns + WIRE_NS


@settings(max_examples=30, deadline=None)
@given(data=st.lists(st.binary(max_size=120), max_size=12), seed=st.integers(0, 100))
def test_no_bytes_make_the_host_raise_or_grow(data: list[bytes], seed: int) -> None:
    line = VirtualLine(seed=seed).up()
    replay = [bytes_ for _, bytes_ in line.sent_to_host]
    rng = random.Random(seed)
    for noise in data:
        piece = rng.choice(replay)
        line._note(line.host.receive(noise + piece + piece[: rng.randrange(len(piece))], line.now_ns))
        line.run(7)
    assert not line.seen(BoardPresent)
    assert not line.seen(VerdictConfirmed)
    assert len(line.host._queue) == 0
    line.run(4000)
    line.passed_board()


def test_a_host_nobody_empties_keeps_the_newest_frames_only() -> None:
    host = HostSession(random_bytes=random.Random(1).randbytes)
    now_ns = 0
    host.reopen(now_ns)
    for _ in range(2000):
        now_ns = max(now_ns + MS_NS, host.next_deadline_ns() or 0)
        host.tick(now_ns)
    assert len(host.outgoing()) <= 64 * 66


def test_a_port_lost_is_possible_in_every_state() -> None:
    for state in HostState:
        if state is not HostState.DOWN:
            assert TRANSITIONS[state, HostInput.PORT_LOST] is HostState.DOWN
        assert TRANSITIONS[state, HostInput.REOPEN] is HostState.OPENING
