"""Which board, and when: the barcode from every place that names it, the machine's clock against the file's name."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePath

from edge.capture.readers.paste_settings import DateOrder, PasteFileSettings
from edge.paste.panel import PasteFault

UNREAD = frozenset({"", "fail", "n/a", "noread", "no read"})
_DATE = re.compile(r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: ?(?:Z|[+-]\d\d:?\d\d))?", re.ASCII)
_WORDS: dict[DateOrder, str] = {"mdy": "month/day/year", "dmy": "day/month/year", "ymd": "year/month/day"}


def clock_reading(date: str, time: str, order: DateOrder) -> dt.datetime:
    """What the machine's clock said, its zone left away. Raises ValueError in words."""
    parts, clock = _DATE.fullmatch(date), _TIME.fullmatch(time)
    if parts is None or len(parts[order.index("y") + 1]) != 4:
        raise ValueError(f"{date!r} is not {_WORDS[order]} with a year of four digits: rewritten, or another profile")
    if clock is None:
        raise ValueError(f"{time!r} is not a time hh:mm:ss")
    part = {letter: int(parts[k + 1]) for k, letter in enumerate(order)}
    micros = int((clock[4] or "").ljust(6, "0")[:6])
    try:
        return dt.datetime(part["y"], part["m"], part["d"], int(clock[1]), int(clock[2]), int(clock[3]), micros)
    except ValueError as err:
        raise ValueError(f"{date} {time} read as {_WORDS[order]}: {err}") from None


def agreed_barcode(inside: str, file: str, where: str, settings: PasteFileSettings) -> str:
    """The barcode, empty where no place has read one. Raises PasteFault when the file's name and the line inside read
    two different ones: then it is not known whose pads these are."""
    inside = "" if inside.casefold() in UNREAD else inside
    match = re.fullmatch(settings.barcode_pattern, PurePath(file).stem)
    named = match["board"] if match else ""
    named = "" if named.casefold() in UNREAD else named
    if inside and named and inside != named:
        raise PasteFault(f"{where}: {inside!r} inside, {named!r} in the file's name: whose pads these are is not known")
    return inside or named


def check_name_time(printed: dt.datetime, file: str, where: str, settings: PasteFileSettings) -> None:
    """Raises PasteFault when the date inside lies more than a day off the one in the file's name, as it does when 10/11
    is read the wrong way round."""
    match = re.fullmatch(settings.barcode_pattern, PurePath(file).stem)
    written = match.groupdict().get("time") if match else None
    if not written:
        return
    try:
        named = dt.datetime.strptime(written, "%Y%m%d%H%M%S")
    except ValueError:
        raise PasteFault(f"{where}: the file's name has {written!r}, which is no time yyyymmddhhmmss") from None
    if abs(named - printed) > dt.timedelta(days=1):
        order = _WORDS[settings.date_order]
        raise PasteFault(f"{where}: read as {order} it is {printed.date()}, the file's name says {named.date()}")
