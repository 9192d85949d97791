"""Attribute agreement against the worked example of the AIAG manual, and kappas against their authors' examples."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from calibration.msa.agreement import cohen, fleiss
from calibration.msa.attribute import AttributeResult, analyse_attribute
from calibration.msa.rates import EFFECTIVENESS, FALSE_ALARM, MISS, Rating, rate
from calibration.msa.study import StudyFault, attribute_study

# AIAG, Measurement Systems Analysis, 4th edition (2010), chapter III section C, the attribute study's data set: 50
# parts, appraisers A, B and C, three trials each, 1 = accepted. Written here by part: the others were rejected
# by all (AIAG_BAD) or accepted by all, and the reference says the same. Every cross table, kappa and rate that the
# manual prints of it is tested below.
AIAG_BAD = {3, 4, 5, 9, 25, 37, 39, 42, 45, 48, 50}
AIAG_MIXED = {  # part: A1 A2 A3 B1 B2 B3 C1 C2 C3, reference
    6: ("110110100", "1"),
    7: ("111111101", "1"),
    12: ("000000010", "0"),
    14: ("110111100", "1"),
    21: ("110101010", "1"),
    22: ("001010110", "0"),
    26: ("010000001", "0"),
    30: ("000001000", "0"),
    34: ("001001011", "0"),
    36: ("110111101", "1"),
    43: ("101111110", "1"),
}

# Fleiss (1971), Psychological Bulletin 76: 30 patients, 6 of 43 psychiatrists each, five diagnoses.
FLEISS_1971 = (
    "444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445 "
    "333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555"
)
# https://en.wikipedia.org/wiki/Fleiss%27_kappa, worked example: 10 subjects, 14 raters, five categories; counts.
FLEISS_WIKIPEDIA = (
    "0 0 0 0 14 | 0 2 6 4 2 | 0 0 3 5 6 | 0 3 9 2 0 | 2 2 8 1 1 | 7 7 0 0 0 | 3 2 6 3 0 | 2 5 3 2 2 | 6 5 2 1 0 | "
    "0 2 2 3 7"
)


def aiag() -> tuple[dict[tuple[str, str], list[str]], dict[str, str]]:
    cells, reference = {}, {}
    for part in range(1, 51):
        usual = "0" if part in AIAG_BAD else "1"
        marks, truth = AIAG_MIXED.get(part, (9 * usual, usual))
        reference[str(part)] = truth
        for k, who in enumerate("ABC"):
            cells[str(part), who] = list(marks[3 * k : 3 * k + 3])
    return cells, reference


@pytest.fixture(scope="module")
def published() -> AttributeResult:
    return analyse_attribute(attribute_study(*aiag()))


@pytest.mark.unit
@pytest.mark.parametrize(
    ("who", "matched", "effectiveness", "miss", "false_alarm", "kappa", "limits"),
    [
        ("A", 42, 0.84, 0.063, 0.049, 0.88, (0.71, 0.93)),
        ("B", 45, 0.90, 0.063, 0.020, 0.92, (0.78, 0.97)),
        ("C", 40, 0.80, 0.125, 0.088, 0.77, (0.66, 0.90)),
    ],
)
def test_each_appraiser_as_in_the_manual(
    published: AttributeResult,
    who: str,
    matched: int,
    effectiveness: float,
    miss: float,
    false_alarm: float,
    kappa: float,
    limits: tuple[float, float],
) -> None:
    row = next(a for a in published.appraisers if a.name == who)
    against = row.reference
    assert against is not None
    assert row.within is not None
    assert against.miss is not None
    assert against.false_alarm is not None
    assert row.within.count == against.effectiveness.count == matched
    assert against.effectiveness.frac == pytest.approx(effectiveness)
    assert (round(against.effectiveness.lower, 2), round(against.effectiveness.upper, 2)) == limits
    assert against.miss.frac == pytest.approx(miss, abs=5.1e-4)
    assert against.false_alarm.frac == pytest.approx(false_alarm, abs=5.1e-4)
    assert against.kappa.value == pytest.approx(kappa, abs=5e-3)
    assert against.rating is Rating.UNACCEPTABLE  # every appraiser misses more than 5 %
    assert not against.shown


@pytest.mark.unit
def test_between_appraisers_as_in_the_manual(published: AttributeResult) -> None:
    kappas = {p.first + p.second: p.kappa.value for p in published.pairs}
    assert kappas == {k: pytest.approx(v, abs=5e-3) for k, v in {"AB": 0.86, "AC": 0.78, "BC": 0.79}.items()}
    # the manual's system effectiveness: 39 of 50, 78 %, 64 to 89 %
    for figure in (published.between, published.all_right):
        assert figure is not None
        assert (figure.count, figure.n) == (39, 50)
        assert (round(figure.lower, 2), round(figure.upper, 2)) == (0.64, 0.88)  # the manual rounds 88.5 up to 89
        assert figure.upper == pytest.approx(0.885, abs=5e-4)
    assert (published.n_good_parts, published.n_bad_parts) == (34, 16)


@pytest.mark.unit
def test_cross_tables_of_the_manual() -> None:
    # rows: the first appraiser rejects, accepts; then each against the reference
    cells, reference = aiag()
    study = attribute_study(cells, reference)
    expected = {(0, 1): [[44, 6], [3, 97]], (0, 2): [[43, 7], [8, 92]], (1, 2): [[42, 5], [9, 94]]}
    for (i, j), table in expected.items():
        pairs = np.stack([study.decisions[:, i].ravel(), study.decisions[:, j].ravel()])
        found = [[int(((pairs[0] == a) & (pairs[1] == b)).sum()) for b in (0, 1)] for a in (0, 1)]
        assert found == table
    assert study.reference is not None
    truth = np.repeat(study.reference, 3)
    for i, table in enumerate([[[45, 5], [3, 97]], [[45, 2], [3, 100]], [[42, 9], [6, 93]]]):
        own = study.decisions[:, i].ravel()
        assert [[int(((own == a) & (truth == b)).sum()) for b in (0, 1)] for a in (0, 1)] == table


@pytest.mark.unit
def test_fleiss_examples() -> None:
    ratings = np.array([[int(c) - 1 for c in row] for row in FLEISS_1971.split()])
    found = fleiss(ratings, 5, 0.95)
    assert found.value == pytest.approx(0.430, abs=5e-4)  # the paper's 0.430
    assert found.value == pytest.approx(fleiss_kappa(aggregate_raters(ratings)[0]), abs=1e-12)
    counts = [[int(c) for c in row.split()] for row in FLEISS_WIKIPEDIA.split("|")]
    spread = np.array([np.repeat(np.arange(5), row) for row in counts])
    assert fleiss(spread, 5, 0.95).value == pytest.approx(0.210, abs=5e-4)


@pytest.mark.unit
def test_cohen_example() -> None:
    # https://en.wikipedia.org/wiki/Cohen%27s_kappa: 50 grants, both yes 20, no 15, yes-no 5, no-yes 10; kappa 0.4; and
    # its two examples of equal agreement (60 of 100) and unequal chance: 0.1304 and 0.2593
    for (yes_yes, yes_no, no_yes, no_no), expected in {
        (20, 5, 10, 15): 0.4,
        (45, 15, 25, 15): 0.1304,
        (25, 35, 5, 35): 0.2593,
    }.items():
        first = np.repeat([1, 1, 0, 0], [yes_yes, yes_no, no_yes, no_no])[:, None]
        second = np.repeat([1, 0, 1, 0], [yes_yes, yes_no, no_yes, no_no])[:, None]
        found = cohen(first, second, 2, 0.95)
        assert found.value == pytest.approx(expected, abs=5e-5)
        # one trial a part: the jackknife and the textbook interval (Fleiss, Cohen & Everitt 1969) agree
        book = cohens_kappa(np.array([[no_no, no_yes], [yes_no, yes_yes]]))
        assert found.lower == pytest.approx(book.kappa_low, abs=0.025)
        assert found.upper == pytest.approx(book.kappa_upp, abs=0.025)


@pytest.mark.unit
def test_interval_counts_parts_not_repeats() -> None:
    rng = np.random.default_rng(5)
    first = rng.integers(0, 2, (60, 1))
    second = np.where(rng.random((60, 1)) < 0.8, first, 1 - first)
    once = cohen(first, second, 2, 0.95)
    tenfold = cohen(np.repeat(first, 10, axis=1), np.repeat(second, 10, axis=1), 2, 0.95)
    assert tenfold.value == pytest.approx(once.value)
    assert (tenfold.lower, tenfold.upper) == (pytest.approx(once.lower), pytest.approx(once.upper))


@pytest.mark.sweep
def test_kappa_intervals_cover_clustered_judgements() -> None:
    """Parts differ in how hard they are, trials of one part are alike: the interval covers, the book's does not."""
    rng = np.random.default_rng(11)
    parts, trials, lots = 40, 5, 400

    def draw(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        truth = rng.integers(0, 2, (n, 1))
        wrong = (rng.random((n, 1)) < 0.15) * 0.95  # a hard part is called wrong nearly every time
        judged = np.where(rng.random((n, trials)) < wrong, 1 - truth, truth)
        return judged, np.broadcast_to(truth, judged.shape)

    everything = draw(100_000)
    table = np.array([[int(((everything[0] == a) & (everything[1] == b)).sum()) for b in (0, 1)] for a in (0, 1)])
    true_kappa = float(cohens_kappa(table, return_results=False))
    ours = books = 0
    for _ in range(lots):
        judged, truth = draw(parts)
        found = cohen(judged, truth, 2, 0.95)
        book = cohens_kappa(np.array([[int(((judged == a) & (truth == b)).sum()) for b in (0, 1)] for a in (0, 1)]))
        ours += found.lower is not None and found.upper is not None and found.lower <= true_kappa <= found.upper
        books += bool(book.kappa_low <= true_kappa <= book.kappa_upp)
    assert ours / lots >= 0.91  # 0.95 asked, 40 parts
    assert books / lots < 0.75


@pytest.mark.unit
def test_no_disagreement_is_not_certainty() -> None:
    judged = np.repeat([[0], [1]], 10, axis=0) * np.ones((1, 3), np.int64)
    found = fleiss(judged, 2, 0.95)
    assert found.value == found.upper == 1.0
    # 20 of 20 parts agree: at least 0.025 ** (1 / 20); chance agreement is one half
    assert found.lower == pytest.approx((0.025 ** (1 / 20) - 0.5) / 0.5)
    only_one = fleiss(np.zeros((10, 3), np.int64), 2, 0.95)
    assert only_one.value is only_one.lower is None


@pytest.mark.unit
def test_exact_intervals_are_clopper_pearson() -> None:
    for count, n in ((0, 16), (3, 48), (42, 50), (50, 50)):
        found = rate(count, n)
        assert found.lower == pytest.approx(beta.ppf(0.025, count, n - count + 1) if count else 0.0, abs=1e-12)
        assert found.upper == pytest.approx(beta.ppf(0.975, count + 1, n - count) if count < n else 1.0, abs=1e-12)
    with pytest.raises(ValueError, match="3 of 2"):
        rate(3, 2)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("effectiveness", "miss", "false_alarm", "expected"),
    [
        (0.90, 0.02, 0.05, Rating.ACCEPTABLE),
        (0.80, 0.05, 0.10, Rating.MARGINAL),
        (0.79, 0.051, 0.101, Rating.UNACCEPTABLE),
    ],
)
def test_the_rule_and_its_bands(effectiveness: float, miss: float, false_alarm: float, expected: Rating) -> None:
    assert EFFECTIVENESS.rating(effectiveness) is expected
    assert MISS.rating(miss) is expected
    assert FALSE_ALARM.rating(false_alarm) is expected


@pytest.mark.unit
def test_shown_takes_parts_not_repeats() -> None:
    """A perfect appraiser: 20 parts repeated 100 times show nothing, 400 parts twice do."""
    assert _perfect(n_each=10, trials=100).shown is False
    assert _perfect(n_each=200, trials=2).shown is True
    assert _perfect(n_each=10, trials=100).rating is Rating.ACCEPTABLE


def _perfect(n_each: int, trials: int):  # type: ignore[no-untyped-def]
    truth = {str(p): "good" if p < n_each else "bridge" for p in range(2 * n_each)}
    result = analyse_attribute(attribute_study({(p, "station"): [t] * trials for p, t in truth.items()}, truth))
    return result.appraisers[0].reference


@pytest.mark.unit
def test_only_good_parts_have_no_miss_rate() -> None:
    cells = {(str(p), "A"): ["ok", "ok" if p else "NG"] for p in range(5)}
    against = analyse_attribute(attribute_study(cells, {str(p): "ok" for p in range(5)})).appraisers[0].reference
    assert against is not None
    assert against.miss is None
    assert against.ever_missed is None
    assert against.false_alarm is not None
    assert (against.false_alarm.count, against.false_alarm.n) == (1, 10)
    assert not against.shown


@pytest.mark.unit
def test_pass_or_reject_makes_defect_names_one() -> None:
    cells = {("1", "A"): ["bridge", "missing"], ("1", "B"): ["reject", "reject"], ("2", "A"): ["good", "good"]}
    cells["2", "B"] = ["OK", "OK"]
    merged = attribute_study(cells, {"1": "bridge", "2": "good"}, pass_or_reject=True)
    result = analyse_attribute(merged)
    assert [a.reference.effectiveness.count for a in result.appraisers if a.reference] == [2, 2]
    assert result.pairs[0].kappa.value == 1.0
    apart = analyse_attribute(attribute_study(cells, {"1": "bridge", "2": "good"}))
    assert apart.appraisers[0].within is not None
    assert apart.appraisers[0].within.count == 1


@pytest.mark.unit
def test_faulty_studies_are_named() -> None:
    full = {(part, who): ["good", "bad"] for part in "12" for who in "AB"}
    with pytest.raises(StudyFault, match=r"missing cells, 1 of 4: 2 by B"):
        attribute_study({k: v for k, v in full.items() if k != ("2", "B")})
    with pytest.raises(StudyFault, match=r"unbalanced: most cells hold 2 trials, but 1 by A: 1"):
        attribute_study({**full, ("1", "A"): ["good"]})
    with pytest.raises(StudyFault, match="no reference for 2"):
        attribute_study(full, {"1": "good"})
    with pytest.raises(StudyFault, match=r"none of the judgements \['a', 'b'\] is a word for good"):
        attribute_study({("1", "A"): ["a", "b"]})
    with pytest.raises(StudyFault, match="no judgements"):
        attribute_study({})
