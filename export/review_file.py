"""Files of reviewed calls: CSV or JSON lines, one review a line, matched with the scores in a station's journal.

    uid,refdes,pin,verdict,label,reviewer,utc

`uid` is the board's trigger as the journal has it, `verdict` one of defect, false_call and escape (a defect that was
passed and found later), `label` the class of a defect where the reviewer says it. The file holds every review so far: a
threshold is worked out from all of them each time.
"""

from __future__ import annotations

import array
import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from calibration.reviews import Review
from edge.board import Finding, Floats, Verdict
from edge.journal import JournalFault, JournalReader
from edge.settings import Settings
from edge.verdict_json import NotAVerdictError
from export.faults import WorkshopFault

MAX_REVIEW_BYTES = 64 * 1024 * 1024
MAX_FAULTS = 20
MAX_SCORES = 20_000_000  # of a journal, for counting what would change: 80 MB

Text = Annotated[str, Field(max_length=128)]
Key = tuple[str, str, str]


class ReviewFileFault(WorkshopFault):
    """A file of reviews, or the journal it is about, cannot be used: which file and line, what came, what is
    allowed."""


class ReviewRow(Settings):
    """One line of the file."""

    uid: Annotated[str, Field(min_length=1, max_length=128)]
    refdes: Annotated[str, Field(min_length=1, max_length=64)]
    pin: Text = ""
    verdict: Literal["defect", "false_call", "escape"]
    label: Text = ""
    reviewer: Annotated[str, Field(min_length=1, max_length=128)]
    utc: Annotated[str, Field(min_length=10, max_length=40)]

    @property
    def key(self) -> Key:
        """Which place of which board."""
        return self.uid, self.refdes, self.pin


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFile:
    """The rows, the last of each place, and how many earlier ones a later one overruled."""

    rows: dict[Key, ReviewRow]
    overruled: int
    sha256: str
    last_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """Reviews with their scores, and every score of the journal that this bundle gave."""

    reviews: tuple[Review, ...]
    scores: Floats  # (N,) float32, of all places of all boards
    highest_threshold: float | None  # a place was held against; None in an empty journal
    not_in_journal: int
    of_other_bundles: int


def read_reviews(path: Path) -> ReviewFile:
    """Read and check a file of reviews. Raises ReviewFileFault with all faults, up to 20."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_REVIEW_BYTES + 1)
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as err:
        raise ReviewFileFault(f"{path}: cannot be read: {err}") from None
    if len(data) > MAX_REVIEW_BYTES:
        raise ReviewFileFault(f"{path}: larger than {MAX_REVIEW_BYTES} bytes")
    rows: dict[Key, ReviewRow] = {}
    faults: list[str] = []
    overruled = 0
    for line, record in _records(path, text):
        try:
            row = ReviewRow.model_validate(record)
        except ValidationError as err:
            faults += [f"{path} line {line} {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors()]
            continue
        overruled += row.key in rows
        if row.key not in rows or row.utc >= rows[row.key].utc:
            rows[row.key] = row
    if faults:
        raise ReviewFileFault("\n".join(faults[:MAX_FAULTS]))
    if not rows:
        raise ReviewFileFault(f"{path}: holds no review")
    last = max(row.utc for row in rows.values())
    return ReviewFile(rows=rows, overruled=overruled, sha256=hashlib.sha256(data).hexdigest(), last_utc=last)


def with_scores(file: ReviewFile, journal: Path, bundle_sha256: str) -> Reviewed:
    """The reviews with the scores the journal has for their places, where this bundle gave them.

    Raises ReviewFileFault when a review contradicts the journal: a "defect" or "false_call" of a place that was passed,
    an "escape" of one that was called.
    """
    found: dict[Key, Review] = {}
    faults: list[str] = []
    scores = array.array("f")
    others = 0
    highest: float | None = None
    for verdict in _verdicts(journal):
        if verdict.bundle_sha256 != bundle_sha256:
            others += 1
            continue
        for finding in verdict.findings:
            if len(scores) < MAX_SCORES:
                scores.append(finding.score)
            highest = finding.region.threshold if highest is None else max(highest, finding.region.threshold)
            key = (verdict.uid, finding.region.refdes, finding.region.pin)
            if key in file.rows:
                found[key] = _review(file.rows[key], finding, faults)
    if faults:
        raise ReviewFileFault("\n".join(faults[:MAX_FAULTS]))
    return Reviewed(
        reviews=tuple(found.values()),
        scores=np.array(scores, np.float32),
        highest_threshold=highest,
        not_in_journal=len(file.rows) - len(found),
        of_other_bundles=others,
    )


def _verdicts(journal: Path) -> Iterator[Verdict]:
    try:
        reader = JournalReader(journal)
        try:
            yield from (row.verdict for row in reader.all_verdicts())
        finally:
            reader.close()
    except (JournalFault, NotAVerdictError) as err:
        raise ReviewFileFault(f"{journal}: {err}") from None


def _review(row: ReviewRow, finding: Finding, faults: list[str]) -> Review:
    if finding.is_defect == (row.verdict == "escape"):
        was = "called" if finding.is_defect else "passed"
        faults.append(f"{row.uid} {finding.region.name}: reviewed as {row.verdict}, and the station {was} it")
    return Review(said=row.verdict, score=finding.score, label=row.label)


def _records(path: Path, text: str) -> list[tuple[int, Mapping[str, object]]]:
    if text.lstrip().startswith("{"):
        return [(n, _json_line(path, n, line)) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    try:
        return [(n, dict(r)) for n, r in enumerate(csv.DictReader(io.StringIO(text), strict=True), start=2)]
    except csv.Error as err:
        raise ReviewFileFault(f"{path}: not CSV: {err}") from None


def _json_line(path: Path, number: int, line: str) -> Mapping[str, object]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as err:
        raise ReviewFileFault(f"{path} line {number}: not JSON: {err}") from None
    if not isinstance(record, dict):
        raise ReviewFileFault(f"{path} line {number}: {type(record).__name__}, expected an object")
    return record
