"""A split scored with a bundle exactly as a station would score it. Works on any bundle a station can load, learned or
rules; torch is not needed. Nothing is chosen here."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.bundle import Bundle, read_bundle
from edge.references import MAX_REFERENCES, Scorable, crops_of
from edge.scorers import EngineChoice, Scorer, checked_scores, load_scorer
from edge.thresholds import Threshold
from export.approved import approved_of, scorable
from export.datasets import DataSet, Row, read_data_set, units_of
from export.inputs import contract_inputs
from export.table_columns import boards_of, parts_of

SCORING_BATCH = 256  # keeps a large split's graph input below half a gigabyte
TIMING_BATCH = 64
TIMING_ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRequest:
    """Which rows of which data set to score."""

    data: Path
    table: str | None = None
    split: str = "dev-test"
    where: tuple[str, ...] = ()
    references: int = MAX_REFERENCES  # approved pictures of a part, where the family compares


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSplit:
    """A bundle and the rows it scored: what the scorer took and scores (N,) float32, in one order."""

    bundle: Bundle
    engine: EngineChoice
    scorer: Scorer
    request: SplitRequest
    data: DataSet
    rows: tuple[Row, ...]
    inputs: Scorable
    score: Floats

    @property
    def crops(self) -> Image | Floats:
        """(N, h, w, 3) uint8 BGR, or windows (N, T, C, S, S) float32."""
        return crops_of(self.inputs)

    @property
    def threshold(self) -> Threshold:
        """The bundle's own, of the precision that scored."""
        return self.bundle.threshold(self.engine.precision)

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """What each row is held against, (N,): its part number's threshold, or the common one."""
        return np.array([self.threshold.of_part(part) for part in self.parts], np.float64)

    @property
    def called(self) -> NDArray[np.bool_]:
        """Called defective, (N,)."""
        return self.score > self.thresholds

    @property
    def labels(self) -> NDArray[np.str_]:
        """(N,)."""
        return np.array([row.label for row in self.rows])

    @property
    def is_good(self) -> NDArray[np.bool_]:
        """(N,)."""
        return np.array([row.is_good for row in self.rows])

    @property
    def units(self) -> NDArray[np.int64]:
        """The physical place behind each row, as a number, (N,)."""
        return units_of(self.rows)

    @property
    def boards(self) -> NDArray[np.str_]:
        """The board (or picture) each row is from, (N,)."""
        return boards_of(self.rows)

    @property
    def parts(self) -> NDArray[np.str_]:
        """The part number of each row, empty where the table has none, (N,)."""
        return parts_of(self.rows)

    @property
    def defect_kinds(self) -> list[str]:
        """The labels of defects there are."""
        return sorted({row.label for row in self.rows if not row.is_good})


def score_split(bundle_folder: Path, request: SplitRequest, engine: EngineChoice) -> ScoredSplit:
    """Score a split with a bundle. Raises BundleFault, ScorerFault or DataFault."""
    bundle = read_bundle(bundle_folder)
    scorer = load_scorer(bundle, engine)
    data = read_data_set(request.data, request.table, request.where)
    rows = data.split(request.split)
    data.normals(request.split)  # raises where there is no good place to compare with
    contract = bundle.manifest.contract
    crops = contract_inputs(data.folder, rows, contract)
    inputs = scorable(approved_of(data, contract, request.references), crops, rows, scorer)
    return ScoredSplit(
        bundle=bundle,
        engine=engine,
        scorer=scorer,
        request=request,
        data=data,
        rows=rows,
        inputs=inputs,
        score=scores_of(scorer, inputs),
    )


def scores_of(scorer: Scorer, inputs: Scorable) -> Floats:
    """Scores (N,) of crops, in batches. Raises ScorerFault."""
    batches = [inputs[i : i + SCORING_BATCH] for i in range(0, len(inputs), SCORING_BATCH)]
    return np.concatenate([checked_scores(scorer, batch).score for batch in batches])


def ms_per_region(scorer: Scorer, inputs: Scorable) -> float:
    """Median over a few rounds of one batch, pre-processing included, the first round apart."""
    batch = inputs[np.arange(TIMING_BATCH) % len(inputs)]
    times = []
    for _ in range(TIMING_ROUNDS + 1):
        started = time.perf_counter_ns()
        checked_scores(scorer, batch)
        times.append((time.perf_counter_ns() - started) / 1e6 / TIMING_BATCH)
    return statistics.median(times[1:])
