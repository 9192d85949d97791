"""What an evaluation found: the record behind the tables, the report page and the JSON of `boardgate evaluate --json`.

Counts are of rows unless a name says places or boards. Bounds are one-sided at `confidence`, intervals two-sided; None
is a figure that nothing at hand can give, and `unsaid` says what was lacking.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """One kind of defect against all good rows. `n_units` different physical places stand behind the `n` rows."""

    n: int
    n_units: int
    caught: int
    auroc: float
    auroc_lower: float
    auroc_upper: float
    recall: float
    recall_lower: float
    recall_lower_places: float  # each place once, by its lowest score
    recall_at_1_percent_false_calls: float
    recall_at_5_percent_false_calls: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReport:
    """One part number, at its own threshold."""

    threshold: float
    n_good: int
    n_defect: int
    caught: int
    false_calls: int
    recall: float | None
    recall_lower: float | None
    recall_lower_places: float | None
    false_call_ppm: float | None
    false_call_ppm_upper: float | None
    false_call_ppm_upper_places: float | None
    unsaid: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One bundle on one split. The JSON report is this record, field by field."""

    family: str
    bundle_sha256: str
    variant: str
    preset: str
    seed: int
    input: str  # channels and normalisation of the contract
    engine: str
    precision: str
    data: str
    data_sha256: str  # fingerprint of the rows scored and their files
    where: list[str]
    split: str
    shared_with_threshold: str  # why these figures prove nothing; empty when the data chose no threshold
    n_good: int
    n_good_units: int
    n_defect: int
    n_defect_units: int
    n_left_out: dict[str, int]
    auroc: float | None
    auroc_lower: float | None
    auroc_upper: float | None
    average_precision: float | None
    threshold: float
    f1: float | None
    caught: int
    false_calls: int
    recall: float | None
    recall_lower: float | None
    recall_lower_places: float | None
    false_call_ppm: float
    false_call_ppm_upper: float
    false_call_ppm_upper_places: float
    confidence: float
    prevalence_ppm: float  # stated, not measured
    escape_ppm: float | None
    escape_ppm_upper: float | None
    escape_ppm_upper_places: float | None
    false_calls_per_defect: float
    false_calls_per_defect_upper: float
    false_calls_per_defect_upper_places: float
    false_calls_per_caught_defect: float | None
    false_calls_per_caught_defect_upper: float | None
    board_is: str  # "board" where the table has that column, else "picture"
    boards: int
    boards_without_false_call: int
    boards_without_false_call_frac: float
    boards_without_false_call_frac_lower: float
    boards_without_false_call_frac_upper: float
    defect_free_boards: int
    boards_held_for_nothing: int
    boards_held_for_nothing_frac_upper: float | None
    pictures: int
    pictures_without_false_call_frac: float
    per_label: dict[str, LabelReport]
    labels_without_defects: list[str]  # known from other splits or from the threshold's own evidence
    per_part: dict[str, PartReport]
    unsaid: list[str]
    ms_per_region: float
    yardsticks: dict[str, dict[str, float]]  # cue or "PCA-8" -> label -> AUROC

    def to_json(self) -> dict[str, object]:
        """A plain object for `json.dumps`."""
        return asdict(self)
