"""A station as an appraiser: it judges several pictures of the same boards, each several times.

Parts are the places of a recipe on each board, or whole pictures where a bundle judges single crops; trials are the
pictures of a board. Repeats of one unchanged picture are the same input: they prove only that the station repeats
itself, and are kept out of the trials, which they would multiply without adding to what is known. Repeats changed by a
grey level are trials. Camera, lamp and handling come into a study with other pictures of the same board alone. A board
that is held has all its places `held`, which rejects them, as the line would.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.msa.attribute import AttributeResult, analyse_attribute
from calibration.msa.gauge import GaugeResult, analyse_gauge
from calibration.msa.rates import Rate, rate_of
from calibration.msa.study import AttributeStudy, GaugeStudy, attribute_study, gauge_study
from edge.board import Image
from edge.bundle import read_bundle
from edge.capture.board_file import board_from_file
from edge.clock import SystemClock
from edge.crop import crop_squares
from edge.inspection import Inspection
from edge.recipe import read_recipe
from edge.scorers import EngineChoice, checked_scores, load_scorer
from edge.settings import SettingsFault
from export.datasets import read_picture
from export.grey_levels import noisy
from export.msa import TableFault, read_rows

APPRAISER = "station"
GOOD, DEFECT, HELD = "good", "defect", "held"
BOARD_PATTERN = r"(?P<board>.+?)(?:[_-]\d+)?$"  # of the file name without its ending: A1043_1, A1043_2 are board A1043
MAX_JUDGEMENTS = 2_000_000
Called = tuple[str, float | None]  # the call and the score; no score where the board was held
Part = tuple[str, str]  # board and place; no place where a bundle judges whole pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class StationRequest:
    """What `boardgate msa station` was asked for."""

    target: Path  # a recipe or a bundle
    pictures: tuple[Path, ...]
    repeats: int = 3
    grey_levels: int = 0  # repeats after the first change each value by up to so many
    board_pattern: str = BOARD_PATTERN
    reference: Path | None = None  # CSV: board, reference and, for a recipe, place
    threads: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StationResult:
    """The station as an appraiser. `flips`: judgements that are not those of the part's first trial.

    `same_input_flips` and `same_input_other_scores` compare repeats of one unchanged picture and must be 0; None where
    pictures were changed or not repeated. `scores` is the gauge study of the scores, None where a board was held or
    several bundles have scales of their own, or nothing varies.
    """

    n_boards: int
    n_pictures: int
    repeats: int
    grey_levels: int
    held: int
    flips: Rate | None
    same_input_flips: int | None
    same_input_other_scores: int | None
    agreement: AttributeResult
    scores: GaugeResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationStudy:
    """The calls by part, in trial order: picture by picture, repeat by repeat."""

    request: StationRequest
    called: dict[Part, list[Called]]
    n_boards: int
    one_scale: bool  # all scores come from one bundle


def run_station(request: StationRequest, on_picture: Callable[[int], None] = lambda done: None) -> StationStudy:
    """Judge every picture `repeats` times. Raises TableFault, BundleFault, SettingsFault, ScorerFault."""
    boards = _boards(request)
    judge, one_scale = _judge(request)
    called: dict[Part, list[Called]] = collections.defaultdict(list)
    for done, (path, board) in enumerate(boards, start=1):
        for repeat in range(request.repeats):
            for place, call in judge(path, repeat).items():
                called[board, place].append(call)
        if sum(map(len, called.values())) > MAX_JUDGEMENTS:
            raise TableFault(f"{path}: more than {MAX_JUDGEMENTS} judgements: take fewer pictures or repeats")
        on_picture(done)
    return StationStudy(request=request, called=dict(called), n_boards=len({b for _, b in boards}), one_scale=one_scale)


def analyse_station(study: StationStudy) -> StationResult:
    """The figures of a study. Raises StudyFault where boards have unequal numbers of pictures, naming them."""
    request = study.request
    same = request.repeats > 1 and request.grey_levels == 0
    attributes = _attribute_study(study)
    calls = attributes.decisions[:, 0]
    return StationResult(
        n_boards=study.n_boards,
        n_pictures=len(request.pictures),
        repeats=request.repeats,
        grey_levels=request.grey_levels,
        held=sum(call == HELD for calls in study.called.values() for call, _ in calls),
        flips=rate_of(calls[:, 1:] != calls[:, :1]),
        same_input_flips=_differ(study, 0) if same else None,
        same_input_other_scores=_differ(study, 1) if same else None,
        agreement=analyse_attribute(attributes),
        scores=_score_study(study),
    )


def write_table(study: StationStudy, file: Path) -> None:
    """Every trial as a row of `part,appraiser,trial,decision,score`, to be joined with those of people."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["part", "appraiser", "trial", "decision", "score"])
        for part in study.called:
            for trial, (call, score) in enumerate(_trials(study, part), start=1):
                writer.writerow([name_of(part), APPRAISER, trial, call, "" if score is None else repr(score)])


def score_study(study: StationStudy) -> GaugeStudy | None:
    """The scores as a gauge study; None where some are missing or of different scales, or there are too few."""
    scores = {part: [s for _, s in _trials(study, part) if s is not None] for part in study.called}
    whole = all(len(values) == len(_trials(study, part)) for part, values in scores.items())
    if not (study.one_scale and whole and len(scores) > 1 and all(len(s) > 1 for s in scores.values())):
        return None
    return gauge_study({(name_of(part), APPRAISER): values for part, values in scores.items()}, "score")


def _trials(study: StationStudy, part: Part) -> list[Called]:
    """One of each picture, or all repeats where each is a changed picture."""
    calls = study.called[part]
    return calls if study.request.grey_levels else calls[:: study.request.repeats]


def name_of(part: Part) -> str:
    """The board, and the place on it where there is one."""
    return " ".join(part).strip()


def _score_study(study: StationStudy) -> GaugeResult | None:
    found = score_study(study)
    return None if found is None or np.ptp(found.values) == 0 else analyse_gauge(found)


def _attribute_study(study: StationStudy) -> AttributeStudy:
    cells = {(name_of(part), APPRAISER): [call for call, _ in _trials(study, part)] for part in study.called}
    reference = None if study.request.reference is None else _reference(study.request.reference, study.called)
    return attribute_study(cells, reference, pass_or_reject=True, vocabulary=(GOOD, DEFECT))


def _reference(file: Path, parts: Iterable[Part]) -> dict[str, str]:
    """Reference by part. A `place` column is read where the parts have places."""
    places = any(place for _, place in parts)
    rows = read_rows(file, ["board", "place", "reference"] if places else ["board", "reference"])
    return {name_of((row["board"], row["place"] if places else "")): row["reference"] for _, row in rows}


def _differ(study: StationStudy, field: int) -> int:
    """How many repeats of an unchanged picture differ from its first in the call (0) or the score (1)."""
    repeats = study.request.repeats
    return sum(
        calls[k][field] != calls[k - k % repeats][field]
        for calls in study.called.values()
        for k in range(len(calls))
        if k % repeats
    )


def _boards(request: StationRequest) -> list[tuple[Path, str]]:
    """Each picture with its board, boards together."""
    try:
        pattern = re.compile(request.board_pattern)
    except re.error as err:
        raise TableFault(f"--board {request.board_pattern!r}: not a regular expression: {err}") from None
    if "board" not in pattern.groupindex:
        raise TableFault(f"--board {request.board_pattern!r}: must hold a group (?P<board>…)")
    found = []
    for path in request.pictures:
        if not path.is_file():
            raise TableFault(f"{path}: is not there")
        match = pattern.match(path.stem)
        if match is None:
            raise TableFault(f"{path}: the name does not match --board {request.board_pattern!r}")
        found.append((path, match["board"]))
    return sorted(found, key=lambda item: item[1])


def _judge(request: StationRequest) -> tuple[Callable[[Path, int], dict[str, Called]], bool]:
    if (request.target / "manifest.json").exists():
        return _judge_crops(request), True
    return _judge_boards(request)


def _judge_crops(request: StationRequest) -> Callable[[Path, int], dict[str, Called]]:
    bundle = read_bundle(request.target)
    scorer = load_scorer(bundle, EngineChoice(threads=request.threads))
    threshold, crop_px = bundle.threshold().value, bundle.manifest.contract.crop_px

    def judge(path: Path, repeat: int) -> dict[str, Called]:
        image = _changed(read_picture(path), request, repeat)
        height, width = image.shape[:2]
        centre, side = np.array([[(width - 1) / 2, (height - 1) / 2]]), np.array([float(min(height, width))])
        score = float(checked_scores(scorer, crop_squares(image, centre, side, crop_px)).score[0])
        return {"": (DEFECT if score > threshold else GOOD, score)}

    return judge


def _judge_boards(request: StationRequest) -> tuple[Callable[[Path, int], dict[str, Called]], bool]:
    try:
        recipe = read_recipe(request.target)
    except SettingsFault as fault:
        raise TableFault(str(fault)) from None
    inspection = Inspection(recipe, EngineChoice(threads=request.threads), SystemClock())
    places = [f"{p.refdes}-{p.pin}" if p.pin else p.refdes for p in recipe.settings.places]

    def judge(path: Path, repeat: int) -> dict[str, Called]:
        board = board_from_file(path, inspection.reader, SystemClock())
        if board.image is not None and repeat:
            image = _changed(board.image, request, repeat)
            board = dataclasses.replace(board, image=image, trigger_ns=SystemClock().now_ns())
        found = inspection.inspect(board).verdict.findings
        calls: dict[str, Called] = dict.fromkeys(places, (HELD, None))
        return calls | {f.region.name: (DEFECT if f.is_defect else GOOD, f.score) for f in found}

    return judge, len(recipe.settings.bundles) == 1


def _changed(image: Image, request: StationRequest, repeat: int) -> Image:
    return noisy(image, request.grey_levels, repeat) if repeat and request.grey_levels else image
