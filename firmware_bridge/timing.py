"""Every time of the gate link, in one place. All are monotonic nanoseconds; `docs` says "ms" and means these."""

MS_NS = 1_000_000
S_NS = 1_000_000_000

HEARTBEAT_NS = 100 * MS_NS  # station → gate
STATUS_NS = 100 * MS_NS  # gate → station, besides on every change
LINK_TRIP_NS = 300 * MS_NS  # no valid frame: three heartbeats lost in a row
LOOP_TRIP_NS = 2 * S_NS  # the inspector's counter stands still
# A heartbeat must echo a nonce the gate sent this recently: the station drops a link silent for 300 ms, beats every
# 100 ms, and the two frames need a few ms on the wire. Anything older was stuck in a buffer and proves nothing.
ECHO_MAX_AGE_NS = 500 * MS_NS

# A frame that needs an answer goes out at 0, 25, 75 and 175 ms. After the last, 100 ms more, then it is a fault:
# 275 ms, inside the link trip.
RETRANSMIT_NS = (25 * MS_NS, 50 * MS_NS, 100 * MS_NS)
LAST_WAIT_NS = 100 * MS_NS

REOPEN_MIN_NS = 200 * MS_NS  # wait before a new HELLO or a new open; doubles up to the maximum
REOPEN_MAX_NS = 2 * S_NS

WINDOW_DEFAULT_MS = 2_000
WINDOW_MIN_MS, WINDOW_MAX_MS = 100, 60_000
RELAY_SETTLE_NS = 5 * MS_NS  # a small relay operates in 3 to 5 ms; then its contacts must read as asked
GATE_WATCHDOG_NS = 100 * MS_NS
NAK_PER_S = 10
NAK_BAD_FRAME_PER_S = 5  # of those; noise must not eat up the answers a station waits for


def retransmit_wait_ns(times_sent: int) -> int:
    """How long to wait for an answer after the `times_sent`-th sending (1 is the first)."""
    return RETRANSMIT_NS[times_sent - 1] if times_sent <= len(RETRANSMIT_NS) else LAST_WAIT_NS


def seq_after(seq: int, other: int) -> bool:
    """True if `seq` comes after `other` in 32-bit serial arithmetic (RFC 1982)."""
    return 0 < (seq - other) & 0xFFFF_FFFF < 0x8000_0000
