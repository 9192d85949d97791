"""Nothing is lost between the journal and the consumer, and nothing is sent for ever."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox import MAX_BATCH, MAX_IN_FLIGHT, RESEND_FIRST_NS, Outbox, SeqRange

pytestmark = pytest.mark.unit

S = 1_000_000_000


def outbox(acked: int = 0, last: int = 0, rate: int = 100) -> Outbox:
    box = Outbox(acked=acked, backlog_rows_per_s=rate)
    box.connected(last, 65_535, 0)
    return box


def drain(box: Outbox, last: int, now_ns: int, mid: int = 1) -> list[SeqRange]:
    out = []
    while (rows := box.next_range(last, now_ns)) is not None:
        box.published(mid, rows, now_ns)
        out.append(rows)
        mid += 1
    return out


def test_live_rows_go_first_then_the_backlog() -> None:
    box = outbox(acked=3, last=10)
    assert drain(box, 12, 0) == [SeqRange(first=11, last=12), SeqRange(first=4, last=10)]


def test_backlog_is_sent_at_a_bounded_rate() -> None:
    box = outbox(last=1_000, rate=64)
    assert drain(box, 1_000, 0) == [SeqRange(first=1, last=MAX_BATCH)]
    assert drain(box, 1_000, S - 1, mid=50) == []
    assert drain(box, 1_000, S, mid=60) == [SeqRange(first=65, last=128)]


def test_window_is_bounded_and_opens_with_puback() -> None:
    box = outbox()
    sent = [drain(box, last, 0, mid=last) for last in range(1, 40)]
    assert sum(len(s) for s in sent) == MAX_IN_FLIGHT
    assert box.handed_over(1) == SeqRange(first=1, last=1)
    assert len(drain(box, 39, 0, mid=99)) == 1


def test_receive_maximum_is_respected() -> None:
    box = Outbox(acked=0, backlog_rows_per_s=1_000_000)
    box.connected(1_000, 2, 0)
    for now_ns in range(0, 10 * S, S):
        drain(box, 1_000, now_ns, mid=now_ns + 1)
    assert box.window == 2


def test_puback_is_not_an_acknowledgement() -> None:
    box = outbox()
    drain(box, 5, 0)
    box.handed_over(1)
    assert box.acked == 0
    box.connected(5, 65_535, S)
    assert drain(box, 5, S, mid=7) == [SeqRange(first=1, last=5)], "handed over is not committed"


def test_a_silent_consumer_gets_it_again_less_and_less_often() -> None:
    box = outbox()
    drain(box, 5, 0)
    box.handed_over(1)
    sent_at = []
    for second in range(1, 1_000):
        for rows in drain(box, 5, second * S, mid=second * 10):
            assert rows == SeqRange(first=1, last=5)
            sent_at.append(second)
        box.handed_over(second * 10)
    assert sent_at[0] == RESEND_FIRST_NS // S
    gaps = [b - a for a, b in itertools.pairwise(sent_at)]
    assert gaps == sorted(gaps)
    assert len(sent_at) <= 8


@pytest.mark.parametrize("seq", [-1, 6, 2**62])
def test_an_acknowledgement_out_of_range_changes_nothing(seq: int) -> None:
    box = outbox()
    drain(box, 5, 0)
    assert not box.acknowledged(seq, 0)
    assert box.acked == 0
    assert box.acknowledged(4, 0)
    assert not box.acknowledged(3, 0), "it never goes back"


def test_quarantined_rows_are_not_offered_again() -> None:
    box = outbox(last=10)
    box.quarantine(SeqRange(first=3, last=4))
    assert drain(box, 10, 0) == [SeqRange(first=1, last=2)]
    assert drain(box, 10, S, mid=9) == [SeqRange(first=5, last=10)]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["row", "row", "row", "puback", "lost", "commit", "wait"]), max_size=120), st.randoms())
def test_everything_arrives_whatever_the_connection_does(history: list[str], random: object) -> None:
    """A lossy pipe: messages in flight may vanish with the connection. In the end the consumer has every row."""
    box = outbox(rate=10_000)
    last, now_ns, mid = 0, 0, 0
    pipe: dict[int, SeqRange] = {}
    committed: set[int] = set()

    def consumer_ack() -> None:
        seq = 0
        while seq + 1 in committed:
            seq += 1
        box.acknowledged(seq, now_ns)

    for what in [*history, "lost", *["wait", "commit", "puback"] * 40]:
        now_ns += S // 10
        last += what == "row"
        if what == "wait":
            now_ns += RESEND_FIRST_NS
        for rows in drain(box, last, now_ns, mid=mid + 1):
            mid += 1
            pipe[mid] = rows
        if what == "lost":
            pipe.clear()
            box.connected(last, 65_535, now_ns)
        elif what == "commit" and pipe:
            rows = pipe[random.choice(list(pipe))]  # type: ignore[attr-defined]
            committed.update(range(rows.first, rows.last + 1))
            consumer_ack()
        elif what == "puback":
            for m, rows in list(pipe.items()):
                box.handed_over(m)
                committed.update(range(rows.first, rows.last + 1))
                del pipe[m]
            consumer_ack()
    assert committed == set(range(1, last + 1))
    assert box.acked == last
