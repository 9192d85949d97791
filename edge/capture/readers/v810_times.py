"""When a board was tested, by its export: dates year first, with a zone or with the one that the station declares; and
what about such times cannot be true."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from edge.axi.board import AxiFault
from edge.capture.readers.axi_settings import AxiFileSettings

# 2020-04-20T00:02:14.000+08:00; seen with 0 and 3 digits of a second, .NET writes 7
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?:(Z)|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_EPOCH_MS = re.compile(r"\d{13}", re.ASCII)
REVISION_SLACK_S = 60.0  # both files known have boardRevision equal to the test's end to the second


@dataclass(frozen=True, slots=True, kw_only=True)
class TestTimes:
    """As written, and as moments."""

    __test__ = False  # no test case, whatever pytest thinks of the name

    start: str
    end: str
    start_utc: dt.datetime
    end_utc: dt.datetime


def moment(text: str, settings: AxiFileSettings) -> dt.datetime:
    """UTC. Raises ValueError in words."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not year-month-day and time (2020-04-20T00:02:14): rewritten, or another profile"
        )
    try:
        year, month, day, hour, minute, second = (int(match[k]) for k in range(1, 7))
        clock = dt.datetime(year, month, day, hour, minute, second, int((match[7] or "").ljust(6, "0")[:6]))
        return (clock - _offset(match, settings)).replace(tzinfo=dt.timezone.utc)
    except (ValueError, OverflowError) as err:
        raise ValueError(f"{text!r}: {err}") from None


def _offset(match: re.Match[str], settings: AxiFileSettings) -> dt.timedelta:
    if match[8]:
        return dt.timedelta(0)
    if match[9]:
        offset = dt.timedelta(hours=int(match[10]), minutes=int(match[11]))
        if offset > dt.timedelta(hours=14) or int(match[11]) > 59:
            raise ValueError(f"zone {match[9]}{match[10]}:{match[11]}")
        return -offset if match[9] == "-" else offset
    if settings.utc_offset_min is None:
        raise ValueError("no zone; declare the machine's (utc_offset_min)")
    return dt.timedelta(minutes=settings.utc_offset_min)


def check_times(
    times: TestTimes, where: str, revision: str, written_utc: dt.datetime | None, settings: AxiFileSettings
) -> None:
    """Raises AxiFault for a test that ends before it starts, takes no time or too long, ends after its own file was
    written, was exported too late, or ends at another time than `revision` (the export's boardRevision) says."""
    start, end = times.start_utc, times.end_utc
    length = end - start
    if length <= dt.timedelta(0):
        what = "ends before it starts" if length else "takes no time at all"
        raise AxiFault(f"{where}: the test {what}: {times.start} to {times.end}")
    if length > dt.timedelta(minutes=settings.max_test_min):
        raise AxiFault(f"{where}: a test of {length}, at most {settings.max_test_min:g} min (max_test_min)")
    if written_utc is not None:
        _check_written(times, where, written_utc, settings)
    if settings.revision_is_test_end and _EPOCH_MS.fullmatch(revision):
        told = dt.datetime.fromtimestamp(int(revision) / 1000, dt.timezone.utc)
        if abs((told - end).total_seconds()) > REVISION_SLACK_S:
            told_text = told.strftime("%Y-%m-%dT%H:%M:%SZ")
            raise AxiFault(
                f"{where}: the test ends {times.end}, boardRevision {revision} says {told_text}: one is made up"
            )


def _check_written(times: TestTimes, where: str, written_utc: dt.datetime, settings: AxiFileSettings) -> None:
    later = times.end_utc - written_utc
    written = written_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    if later > dt.timedelta(seconds=settings.clock_skew_s):
        raise AxiFault(f"{where}: the test ends {times.end}, {later} after the file was written ({written})")
    if settings.max_hours_to_export is not None and -later > dt.timedelta(hours=settings.max_hours_to_export):
        most = f"{settings.max_hours_to_export:g} h (max_hours_to_export)"
        raise AxiFault(
            f"{where}: the test ends {times.end}, the file was written {-later} later ({written}), at most {most}"
        )
