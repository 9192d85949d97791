"""`thresholds.json`: for each precision a threshold with the evidence for it. No evidence, no load.

`choice` says what the threshold was chosen on and what follows from that choice alone; `measured` holds figures from
other data, since the data that chose a threshold cannot also say how good it is. Every promised bound stands beside
the counts it follows from, and is worked out again here when it is read: a bound that its counts cannot carry does
not load.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge.settings import Settings, Sha256

EngineName = Literal["onnxruntime", "openvino", "tensorrt"]
Precision = Literal["fp32", "fp16", "int8", "int8-cpu"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8", "int8-cpu")
Method = Literal["recall", "false_calls", "both", "quantile"]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Frac = Annotated[float, Field(ge=0.0, le=1.0)]
Ppm = Annotated[float, Field(ge=0.0, le=1e6)]
Count = Annotated[int, Field(ge=0)]
Confidence = Annotated[float, Field(gt=0.5, lt=1.0)]

PPM = 1e6
ARITHMETIC_FRAC = 1e-6  # of a probability: what two ways of summing the same binomial tail may differ by
MAX_TAIL_TERMS = 1_000_000


class Promise(Settings):
    """What the choice promises about one class of defects (of one part number, where those are told apart).

    `n_units` are different physical places on `n_boards` boards; pictures of one place count once, by their lowest
    score. `recall_lower` is exact and one-sided at this promise's own `confidence`, and follows from `misses_units` of
    `n_units` missed: the number the method allowed, at least the number there was. None where there was nothing to
    judge by. `needs_units` is how many caught defects the target takes where there were too few.
    """

    label: str
    part_number: str = ""
    n_rows: Count
    n_units: Count
    n_boards: Count | None = None  # None where the data names no boards
    caught_units: Count
    misses_units: Count
    confidence: Confidence
    recall_lower: Frac | None
    needs_units: Count | None = None

    @property
    def name(self) -> str:
        """`bridge`, or `bridge of 1234-A` where part numbers are told apart."""
        return f"{self.label} of {self.part_number}" if self.part_number else self.label

    @model_validator(mode="after")
    def _counts_carry_it(self) -> Promise:
        missed = self.n_units - self.caught_units
        if not (self.n_units <= self.n_rows and 0 <= missed <= self.misses_units <= self.n_units):
            raise ValueError(
                f"{self.name}: {self.caught_units} caught and {self.misses_units} misses counted of {self.n_units} "
                f"units of {self.n_rows} rows: cannot be"
            )
        if (self.recall_lower is None) != (self.n_units == 0):
            raise ValueError(f"{self.name}: recall_lower {self.recall_lower} from {self.n_units} units: cannot be")
        if self.recall_lower is not None and not bound_holds(
            self.misses_units, self.n_units, 1.0 - self.recall_lower, self.confidence
        ):
            raise ValueError(
                f"{self.name}: recall_lower {self.recall_lower:.6g} at {self.confidence:.6g} does not follow from "
                f"{self.misses_units} of {self.n_units} missed"
            )
        return self


class Reviews(Settings):
    """Reviewed calls that moved a threshold since it was chosen, and what from."""

    sha256: Sha256  # of the file of reviews
    last_utc: str
    n_true_defects: Count
    n_false_calls: Count
    n_escapes: Count
    previous_value: Finite


class Choice(Settings):
    """How the threshold was chosen, on which data, and what that promises. `kept` is False where the data at hand
    cannot carry the target; `shortfall` then says what it would take, one line each.

    `false_call_ppm_upper` is one-sided at `confidence` and follows from `false_call_units` of `n_good_units`.
    """

    method: Method
    target_recall_frac: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    target_false_call_ppm: Annotated[float, Field(gt=0.0, lt=1e6)] | None = None
    confidence: Confidence
    kept: bool
    shortfall: str = ""
    split: str
    data_sha256: Sha256
    n_good: Annotated[int, Field(ge=1)]
    n_good_units: Annotated[int, Field(ge=1)]
    n_good_boards: Count | None = None  # None where the data names no boards
    n_defect: Count
    false_call_units: Count
    false_call_ppm: Ppm  # on the same rows: what the choice aimed at, not a measurement
    false_call_ppm_upper: Ppm
    promises: tuple[Promise, ...] = ()
    correction: str = ""  # how the confidence is shared among the promises
    reviews: Reviews | None = None

    @model_validator(mode="after")
    def _says_what_it_aimed_at(self) -> Choice:
        if self.method in {"recall", "both"} and self.target_recall_frac is None:
            raise ValueError(f"method {self.method}: target_recall_frac is missing")
        if self.method != "recall" and self.target_false_call_ppm is None:
            raise ValueError(f"method {self.method}: target_false_call_ppm is missing")
        if not self.kept and not self.shortfall:
            raise ValueError("kept is false: shortfall must say what the target would take")
        return self

    @model_validator(mode="after")
    def _good_counts_carry_it(self) -> Choice:
        if not self.false_call_units <= self.n_good_units <= self.n_good:
            raise ValueError(
                f"{self.false_call_units} of {self.n_good_units} good units of {self.n_good} rows called: cannot be"
            )
        rate_frac = self.false_call_ppm_upper / PPM
        if not bound_holds(self.false_call_units, self.n_good_units, rate_frac, self.confidence):
            raise ValueError(
                f"false_call_ppm_upper {self.false_call_ppm_upper:.6g} at {self.confidence:.6g} does not follow from "
                f"{self.false_call_units} of {self.n_good_units} called"
            )
        return self

    @model_validator(mode="after")
    def _keeps_what_it_says(self) -> Choice:
        if sum(1.0 - p.confidence for p in self.promises if p.n_units) > (1.0 - self.confidence) * (1 + 1e-9):
            raise ValueError(f"promises: not held together at confidence {self.confidence}: share it among them")
        if not self.kept:
            return self
        if self.method in {"recall", "both"}:
            target = self.target_recall_frac or 1.0
            weak = [p.name for p in self.promises if p.recall_lower is None or p.recall_lower < target - 1e-12]
            if weak or not self.promises:
                raise ValueError(f"kept is true, and recall {target} is not promised for {weak or 'any class'}")
        target_ppm = self.target_false_call_ppm
        if self.method in {"false_calls", "both"} and self.false_call_ppm_upper > (target_ppm or 0.0) + 1e-6:
            raise ValueError(f"kept is true, and false calls may reach {self.false_call_ppm_upper:.6g} ppm")
        return self


class Measured(Settings):
    """What the threshold did on data that did not choose it. Bounds are exact and one-sided at `confidence`; places
    count once, a defect as caught when all its pictures are, a good one as called when any is."""

    split: str
    data_sha256: Sha256
    n_good: Annotated[int, Field(ge=1)]
    n_defect: Count
    recall: Frac | None  # None where no defects were at hand
    recall_lower: Frac | None
    false_call_ppm: Ppm
    false_call_ppm_upper: Ppm
    confidence: Confidence


class Threshold(Settings):
    """The score above which a place is a defect; part numbers with a threshold of their own are in `by_part`."""

    value: Finite
    by_part: dict[str, Finite] = Field(default_factory=dict)
    choice: Choice
    measured: Measured | None = None

    def of_part(self, part_number: str) -> float:
        """The threshold of a part number: its own, or the common one."""
        return self.by_part.get(part_number, self.value)

    @model_validator(mode="after")
    def _measured_elsewhere(self) -> Threshold:
        if self.measured is not None and self.measured.data_sha256 == self.choice.data_sha256:
            raise ValueError("measured: on the very data the threshold was chosen on; that says nothing")
        return self

    @model_validator(mode="after")
    def _parts_have_evidence(self) -> Threshold:
        known = {p.part_number for p in self.choice.promises if p.recall_lower is not None}
        if strangers := sorted(self.by_part.keys() - known):
            raise ValueError(f"by_part {strangers}: no promise in the choice says what they rest on")
        return self


class Thresholds(Settings):
    """`thresholds.json` as written."""

    schema_version: Literal[2]
    tool: str
    precisions: dict[Precision, Threshold]

    @model_validator(mode="after")
    def _has_the_plain_one(self) -> Thresholds:
        if "fp32" not in self.precisions:
            raise ValueError("precisions: lacks fp32, which every bundle has")
        return self


def bound_holds(count: int, n: int, rate_frac: float, confidence: float) -> bool:
    """Whether `count` events in `n` trials exclude a rate of `rate_frac` or more at `confidence`: the definition of
    the exact bound, P(Bin(n, rate) <= count) <= 1 - confidence, summed term by term."""
    if count >= n or rate_frac >= 1.0:
        return rate_frac >= 1.0
    if rate_frac <= 0.0 or count > MAX_TAIL_TERMS:
        return False
    log_rate, log_rest = math.log(rate_frac), math.log1p(-rate_frac)
    tail = math.fsum(math.exp(_log_choose(n, k) + k * log_rate + (n - k) * log_rest) for k in range(count, -1, -1))
    return tail <= (1.0 - confidence) * (1.0 + ARITHMETIC_FRAC)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
