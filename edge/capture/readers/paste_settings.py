"""What a station declares about its SPI machine's files. Whatever a file cannot say of itself is said here: a code
page, the order of day and month, a decimal comma. Nothing of it is ever guessed."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge.paste.panel import MAX_PADS
from edge.settings import Settings
from edge.settings_text import Encoding, Pattern

FormatName = Literal["koh_young_csv", "spi_table"]
DateOrder = Literal["mdy", "dmy", "ymd"]
Call = Literal["good", "warning", "error", "reviewed"]  # what a machine's word means; reviewed: a person decided

Word = Annotated[str, Field(min_length=1, max_length=64)]


class PasteFileSettings(Settings):
    """One machine's files: the format, and what its export profile leaves open."""

    format: FormatName
    date_order: DateOrder  # 10/11 is two days of a year, and nothing in the file says which
    encoding: Encoding = ""  # of files without a BOM; none declared: plain ASCII only
    decimal: Literal[".", ","] = "."  # with a comma, cells are parted by semicolons
    thousands: Literal["", ".", ",", "'", " "] = ""  # none declared: a number with such a mark is not a number
    # the file's name without its ending; `time` yyyymmddhhmmss is held against the date inside
    barcode_pattern: Pattern = r"(?P<board>.+?)(?P<time>20\d{12})"
    # spi_table: groups counter and, if held against the date, yday inside the panel's id
    # e.g. (?P<yday>\d{3})\d\d(?P<counter>\d{4})\d+
    serial_pattern: Pattern = ""
    pads: Annotated[int, Field(ge=1, le=MAX_PADS)] | None = None  # how many pads a whole panel has
    ends_with_blank_line: bool = True  # koh_young_csv: the machine's end of file; without it `pads` must be declared
    # translated or further words of results, and translated headers, each as written → as the machine has it in English
    words: dict[Word, Call] = Field(default_factory=dict, max_length=200)
    columns: dict[Word, Word] = Field(default_factory=dict, max_length=200)

    @property
    def separator(self) -> str:
        """What parts cells: a program that writes decimal commas parts them by semicolons."""
        return ";" if self.decimal == "," else ","

    @model_validator(mode="after")
    def _holds_together(self) -> PasteFileSettings:
        if "board" not in re.compile(self.barcode_pattern).groupindex:
            raise ValueError("barcode_pattern must hold a group (?P<board>…)")
        if self.serial_pattern and "counter" not in re.compile(self.serial_pattern).groupindex:
            raise ValueError("serial_pattern must hold a group (?P<counter>…)")
        if self.thousands in {self.decimal, self.separator} - {""}:
            raise ValueError(f"thousands {self.thousands!r} is the decimal mark or the separator of cells")
        if not self.ends_with_blank_line and self.pads is None:
            raise ValueError("without a blank last line half a file cannot be told from a whole one: declare pads")
        return self
