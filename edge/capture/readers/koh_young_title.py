"""The two title lines of a Koh Young file: names above, values below, in columns of blanks that are too narrow for what
stands in them. Values are told apart by what they are, in the order of the titles, and nothing after RESULT is read:
USER and LOTINFO may be empty, and then no rule says which of them it was."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from edge.capture.readers.paste_identity import agreed_barcode, check_name_time, clock_reading
from edge.capture.readers.paste_settings import Call, PasteFileSettings
from edge.capture.readers.paste_text import MAX_LINE_CHARS, fault_at
from edge.capture.readers.paste_words import panel_call

_VALUES = {
    "BARCODE": r"(?P<barcode>.*?)",  # empty, or with single blanks inside
    "INDEX": r"(?P<index>\d{1,9})",
    "DATE": r"(?P<date>\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4})",
    "S.TIME": r"(?P<start>\d{1,2}:\d\d:\d\d)",
    "E.TIME": r"(?P<end>\d{1,2}:\d\d:\d\d)",
    "CYCLE": r"(?P<cycle_s>\d{1,6})",
    "SIDE": r"(?P<side>\S+)",
    "JOB": r"(?P<job>\S(?:.*?\S)?)",
    "RESULT": r"(?P<result>\S+(?: \S+)*)",
}
_REQUIRED = ("BARCODE", "INDEX", "DATE", "S.TIME", "JOB", "RESULT")
_SIDES = {"TOP": "top", "T": "top", "BOT": "bottom", "BOTTOM": "bottom", "B": "bottom"}
_JOB_SIDE = re.compile(r".*[-_ ](TOP|BOT|BOTTOM)", re.IGNORECASE)
_CYCLE_SLACK_S = 2  # cycle and times are whole seconds of two clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """What the title lines say of the panel."""

    barcode: str
    counter: int
    printed: str
    job: str
    side: str
    result: str
    call: Call


def title_of(titles: str, values: str, file: str, settings: PasteFileSettings) -> Title:
    """The title, checked against the file's name. Raises PasteFault."""
    found = _values(titles, values, file, settings)
    try:
        printed = clock_reading(found["date"], found["start"], settings.date_order)
    except ValueError as err:
        raise fault_at(file, 2, "DATE", str(err)) from None
    check_name_time(printed, file, f"{file} line 2, column DATE: {found['date']!r}", settings)
    _check_cycle(found, file)
    call = panel_call(found["result"], settings)
    if call is None:
        known = "GOOD, FAIL and the station's own words; PASS is what a person says after review"
        raise fault_at(file, 2, "RESULT", f"{found['result']!r} is not one of {known}")
    return Title(
        barcode=agreed_barcode(found["barcode"], file, f"{file} line 2, column BARCODE", settings),
        counter=int(found["index"]),
        printed=printed.isoformat(),
        job=found["job"],
        side=_side(found),
        result=found["result"],
        call=call,
    )


def _values(titles: str, values: str, file: str, settings: PasteFileSettings) -> dict[str, str]:
    if settings.separator in titles:
        what = f"a {settings.separator!r} in the title line: saved by a spreadsheet program"
        raise fault_at(file, 1, "1", what)
    names = titles.split()
    if missing := [name for name in _REQUIRED if name not in names]:
        raise fault_at(file, 1, missing[0], f"missing; the titles are {titles.strip()[:200]!r}")
    names = names[: names.index("RESULT") + 1]
    for name in names:
        if name not in _VALUES or names.count(name) > 1:
            raise fault_at(file, 1, name, "an unknown title, or one that comes twice")
    if len(values) > MAX_LINE_CHARS:
        raise fault_at(file, 2, names[0], f"{len(values)} characters, at most {MAX_LINE_CHARS}")
    if (match := _pattern(names).fullmatch(values)) is None:
        raise fault_at(file, 2, _stops_at(names, values), f"not to be read in {values.strip()[:120]!r}")
    return {name: text or "" for name, text in match.groupdict().items()}


def _pattern(names: list[str]) -> re.Pattern[str]:
    """Blanks between values, two at least before RESULT: a job may have single ones inside."""
    gaps = [r"\s*", *[r"\s{2,}" if name == "RESULT" else r"\s+" for name in names[1:]]]
    return re.compile("".join(gap + _VALUES[name] for gap, name in zip(gaps, names, strict=True)) + r"(?:\s{2,}.*)?\s*")


def _stops_at(names: list[str], values: str) -> str:
    for k in range(1, len(names)):
        if _pattern(names[:k]).match(values) is None:
            return names[k - 1]
    return names[-1]


def _check_cycle(found: dict[str, str], file: str) -> None:
    """Test time is part of the claim: end minus start is the cycle."""
    if not found.get("end") or not found.get("cycle_s"):
        return
    start, end = (dt.timedelta(**_hms(found[name])) for name in ("start", "end"))
    took_s, cycle_s = (end - start).total_seconds() % 86_400, int(found["cycle_s"])
    if abs(took_s - cycle_s) > _CYCLE_SLACK_S:
        what = f"{cycle_s} s, but {found['start']} to {found['end']} is {took_s:.0f} s"
        raise fault_at(file, 2, "CYCLE", what)


def _hms(text: str) -> dict[str, int]:
    return dict(zip(("hours", "minutes", "seconds"), map(int, text.split(":")), strict=True))


def _side(found: dict[str, str]) -> str:
    if found.get("side"):
        return _SIDES.get(found["side"].upper(), "")
    match = _JOB_SIDE.fullmatch(found["job"])
    return _SIDES[match[1].upper()] if match else ""
