"""Station and gate over a wire that loses, doubles, reorders and breaks frames, with restarts of either end, in virtual
time. Whatever happens: PASS only for the open token's own PASS verdict; and when the wire heals, boards are gated."""

import random

import pytest
from gate_virtual_line import VirtualLine, check_pass_invariants, lossy, perfect
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.frames import BoardGoneHow, Outputs, VerdictCode
from firmware_bridge.gate_log import GateWhat
from firmware_bridge.host import HostState
from firmware_bridge.host_events import BoardPresent, VerdictConfirmed

pytestmark = pytest.mark.unit

BAD_BARCODE = "bad"


def judge(board: BoardPresent) -> VerdictCode:
    """Bad boards never get a PASS; the gate must never make one of it."""
    return VerdictCode.FAIL if board.barcode.startswith(BAD_BARCODE) else VerdictCode.PASS


ACTIONS = st.lists(
    st.sampled_from(
        ["good", "bad", "leave", "ack", "wait", "wait", "long", "restart_host", "restart_gate", "replug", "hold",
         "release", "freeze", "noise"]
    ),
    min_size=3,
    max_size=14,
)  # fmt: skip


def act(line: VirtualLine, action: str, rng: random.Random) -> None:
    gate, now_ns = line.gate, line.now_ns
    has_board = bool(gate.inputs & 1)
    if action in ("good", "bad") and not has_board:
        gate.board_arrives(f"{action}{now_ns}", 0, now_ns)
    elif action == "leave" and has_board:
        gate.board_leaves(BoardGoneHow.PULLED, now_ns)
    elif action == "ack":
        gate.plc_ack(True, now_ns)
        line.run(5)
        line.gate.plc_ack(False, line.now_ns)
    elif action == "restart_host":
        line.restart_host()
    elif action == "restart_gate":
        line.restart_gate()
    elif action == "replug":
        line._note(line.host.port_lost(now_ns))
        line.run(30)
        line._note(line.host.reopen(line.now_ns))
    elif action in ("hold", "release") and line.host.state is HostState.UP and line.host.lease_id in (None, 5):
        (line.host.hold if action == "hold" else line.host.release)(5)
    elif action == "freeze":
        line.is_beating = not line.is_beating
    elif action == "noise":
        gate.receive(rng.randbytes(200), now_ns)
        line._note(line.host.receive(rng.randbytes(200), now_ns))
    line.run({"wait": 300, "long": 2400}.get(action, rng.randrange(60)))


@settings(max_examples=40, deadline=None)
@given(
    actions=ACTIONS,
    seed=st.integers(0, 10_000),
    loss=st.sampled_from([0.0, 0.1, 0.4]),
    double=st.sampled_from([0.0, 0.3]),
    break_=st.sampled_from([0.0, 0.1]),
    jitter_ms=st.sampled_from([0, 4, 60]),
)
def test_pass_only_for_the_open_tokens_own_pass_and_boards_go_on_afterwards(
    actions: list[str], seed: int, loss: float, double: float, break_: float, jitter_ms: int
) -> None:
    rng = random.Random(seed)
    line = VirtualLine(seed=seed, judge=judge)
    line.to_gate = lossy(rng, loss=loss, double=double, break_=break_, jitter_ms=jitter_ms)
    line.to_host = lossy(rng, loss=loss, double=double, break_=break_, jitter_ms=jitter_ms)
    line.run(400)
    for action in actions:
        act(line, action, rng)
        assert not (line.gate.lease_id is not None and line.gate.open_token is not None)
        assert Outputs.PASS not in line.gate.outputs or not line.gate._board.barcode.startswith(BAD_BARCODE)
    check_pass_invariants(line)
    _every_confirmed_pass_was_energised(line)
    heal(line)
    line.gate.board_arrives("good-after", 0, line.now_ns)
    line.run(200)
    assert Outputs.PASS in line.gate.outputs
    check_pass_invariants(line)


def heal(line: VirtualLine) -> None:
    line.to_gate = line.to_host = perfect
    line.is_beating = True
    line.run(5000)
    line.gate.plc_ack(False, line.now_ns)
    if line.gate.inputs & 1:
        line.gate.board_leaves(BoardGoneHow.PULLED, line.now_ns)
    line.run(100)
    if line.host.lease_id is not None or line.gate.lease_id is not None:
        line.host.release(5)
        line.run(100)


def _every_confirmed_pass_was_energised(line: VirtualLine) -> None:
    energised = {entry.token for entry in line.logged(GateWhat.PASS_ON)}
    for event in line.seen(VerdictConfirmed):
        if event.code is VerdictCode.PASS:
            assert event.token in energised


def test_a_day_on_a_bad_wire() -> None:
    """300 boards over a wire that loses 5 % and breaks 2 % of all frames: how many end otherwise than judged."""
    rng = random.Random(11)
    line = VirtualLine(seed=11, judge=judge)
    line.to_gate = lossy(rng, loss=0.05, double=0.02, break_=0.02, jitter_ms=3)
    line.to_host = lossy(rng, loss=0.05, double=0.02, break_=0.02, jitter_ms=3)
    line.run(600)
    passed = 0
    for n in range(300):
        line.gate.board_arrives(f"{'bad' if n % 10 == 0 else 'good'}{n}", 0, line.now_ns)
        for _ in range(30):
            line.run(20)
            if Outputs.RESULT_VALID in line.gate.outputs:
                break
        assert not (n % 10 == 0 and Outputs.PASS in line.gate.outputs)
        passed += Outputs.PASS in line.gate.outputs
        line.gate.plc_ack(True, line.now_ns)
        line.gate.board_leaves(BoardGoneHow.PASSED, line.now_ns)
        line.gate.plc_ack(False, line.now_ns)
        line.run(20)
    check_pass_invariants(line)
    assert passed >= 255  # of 270 good ones; the rest were held, none was lost to a fault that stays
    assert line.host.counters.retransmits > 10
    assert line.host.counters.crc_errors > 10
