"""The machine's words for good and bad. A word that nobody declared is no call: the file is refused."""

from __future__ import annotations

import re

from edge.capture.readers.paste_settings import Call, PasteFileSettings
from edge.capture.readers.paste_table import Table

# as in real Koh Young files: GOOD, W.Insuffi., E.AreaL, E.Bridging …; the last dot is theirs
_WARNING = re.compile(r"W\.[A-Za-z]+\.?")
_ERROR = re.compile(r"E\.[A-Za-z]+\.?")
_PANEL: dict[str, Call] = {"GOOD": "good", "FAIL": "error"}


def pad_call(word: str, settings: PasteFileSettings) -> Call | None:
    """What the machine's word for one pad means; None where nobody said."""
    if word in settings.words:
        return settings.words[word]
    if word == "GOOD":
        return "good"
    if _WARNING.fullmatch(word):
        return "warning"
    return "error" if _ERROR.fullmatch(word) else None


def panel_call(word: str, settings: PasteFileSettings) -> Call | None:
    """What the machine's word for the whole panel means. PASS is not among the known: there a person passed a panel
    that the machine had failed, and a station has to say that it wants such files."""
    return settings.words.get(word) or _PANEL.get(word)


def pad_calls(table: Table) -> dict[str, Call]:
    """Each word of the result column and its meaning. Raises PasteFault for a word nobody declared."""
    texts, settings = table.texts("result"), table.header.settings
    calls: dict[str, Call] = {}
    for word in set(texts):
        call = pad_call(word, settings)
        if call is None:
            allowed = "GOOD, W.…, E.… and the station's own words"
            raise table.refuse(texts.index(word), "result", f"{word!r} is not one of {allowed}")
        calls[word] = call
    return calls
