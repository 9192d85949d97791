"""What a station declares about its X-ray machine's files. Whatever a file cannot say of itself is said here; nothing
of it is ever guessed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge.settings import Settings
from edge.settings_text import BoardPattern, Encoding

ExportName = Literal["v810_xml", "none"]
# Of a board: passed, failed = the machine alone; unreviewed = nobody was asked; reviewed = a person has decided.
# Of an indictment: what a person said of it; open = not yet, or left for later.
BoardWord = Literal["passed", "failed", "unreviewed", "reviewed_passed", "reviewed_failed"]
JointWord = Literal["defect", "false_call", "open"]

Word = Annotated[str, Field(min_length=1, max_length=64)]


class AxiFileSettings(Settings):
    """One machine's files: where its pictures lie, whether its own export comes along, and what that leaves open."""

    # root of slices and exports, from the recipe's folder
    pictures: Annotated[str, Field(min_length=1, max_length=400)]
    export: ExportName = "none"
    export_required: bool = False  # an index that names no export is refused
    # the index file's name without its ending; where it matches, it says the same serial as the index
    name_pattern: BoardPattern = r"(?P<board>.+)"
    # the export's name without its ending; where it matches, its groups say the same as the export
    export_name_pattern: BoardPattern = r"(?P<board>.+?)_#(?P<board_type>[^#]+)#.*"
    encoding: Encoding = ""  # of exports without a BOM and an XML declaration; none: UTF-8
    utc_offset_min: Annotated[int, Field(ge=-720, le=840)] | None = None  # of times written without a zone
    max_test_min: Annotated[float, Field(gt=0.0, le=1440.0)] = 60.0  # the longest a board's test takes
    # machine's clock against the clock of the pictures' disk
    clock_skew_s: Annotated[int, Field(ge=0, le=86_400)] = 120
    max_hours_to_export: Annotated[float, Field(gt=0.0, le=8760.0)] | None = None  # from a test's end to its export
    revision_is_test_end: bool = True  # a boardRevision in milliseconds since 1970 says when the test ended
    # translated or further words, as written → what they mean
    board_words: dict[Word, BoardWord] = Field(default_factory=dict, max_length=100)
    joint_words: dict[Word, JointWord] = Field(default_factory=dict, max_length=100)

    @model_validator(mode="after")
    def _holds_together(self) -> AxiFileSettings:
        if self.export_required and self.export == "none":
            raise ValueError("export_required without an export: say which it is")
        return self
