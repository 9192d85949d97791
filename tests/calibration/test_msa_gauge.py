"""Variable gauge R&R against three published studies, statsmodels' table, and intervals against closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from calibration.msa import gauge_intervals
from calibration.msa.gauge import GaugeResult, analyse_gauge, gauge_rating
from calibration.msa.rates import Rating
from calibration.msa.study import GaugeStudy, StudyFault, gauge_study

# AIAG, Measurement Systems Analysis, 4th edition (2010), chapter III section B, the gauge study: 10 parts (rows);
# appraisers A, B, C, three trials each (columns).
AIAG = """
 0.29  0.41  0.64   0.08  0.25  0.07   0.04 -0.11 -0.15
-0.56 -0.68 -0.58  -0.47 -1.22 -0.68  -1.38 -1.13 -0.96
 1.34  1.17  1.27   1.19  0.94  1.34   0.88  1.09  0.67
 0.47  0.50  0.64   0.01  1.03  0.20   0.14  0.20  0.11
-0.80 -0.92 -0.84  -0.56 -1.20 -1.28  -1.46 -1.07 -1.45
 0.02 -0.11 -0.21  -0.20  0.22  0.06  -0.29 -0.67 -0.49
 0.59  0.75  0.66   0.47  0.55  0.83   0.02  0.01  0.21
-0.31 -0.20 -0.17  -0.63  0.08 -0.34  -0.46 -0.56 -0.49
 2.26  1.99  2.01   1.80  2.12  2.19   1.77  1.45  1.87
-1.36 -1.25 -1.31  -1.68 -1.62 -1.50  -1.49 -1.77 -2.16
"""
# Houf & Berman (1988), thermal impedance of a power module, degC per W x 100, as in Burdick, Borror & Montgomery
# (2003): 10 parts (rows), 3 inspectors, three tests each.
THERMAL = """
37 38 37  41 41 40  41 42 41
42 41 43  42 42 42  43 42 43
30 31 31  31 31 31  29 30 28
42 43 42  43 43 43  42 42 42
28 30 29  29 30 29  31 29 29
42 42 43  45 45 45  44 46 45
25 26 27  28 28 30  29 27 27
40 40 40  43 42 42  43 43 41
25 25 25  27 29 28  26 26 26
35 34 34  35 35 34  35 34 35
"""
# Montgomery, Design and Analysis of Experiments, "A Measurement Systems Capability Study": 20 parts (rows), 3
# operators, twice each.
MONTGOMERY = """
21 20  20 20  19 21
24 23  24 24  23 24
20 21  19 21  20 22
27 27  28 26  27 28
19 18  19 18  18 21
23 21  24 21  23 22
22 21  22 24  22 20
19 17  18 20  19 18
24 23  25 23  24 24
25 23  26 25  24 25
21 20  20 20  21 20
18 19  17 19  18 19
23 25  25 25  25 25
24 24  23 25  24 25
29 30  30 28  31 30
26 26  25 26  25 27
20 20  19 20  20 20
19 21  19 19  21 23
25 26  25 24  25 25
19 19  18 17  19 17
"""


def study(text: str, appraisers: int = 3) -> GaugeStudy:
    rows = np.array([[float(v) for v in line.split()] for line in text.strip().splitlines()])
    return study_of(rows.reshape(len(rows), appraisers, -1))


def study_of(values: NDArray[np.float64]) -> GaugeStudy:
    names = [tuple(f"{kind}{i}" for i in range(n)) for kind, n in zip("pa", values.shape, strict=False)]
    return GaugeStudy(parts=names[0], appraisers=names[1], values=values, unit="mm")


def squares(result: GaugeResult) -> dict[str, float]:
    return {row.source: row.sum_of_squares for row in result.anova}


def variances(result: GaugeResult) -> dict[str, float]:
    return {c.name: c.variance for c in result.components}


@pytest.mark.unit
def test_aiag_anova_table() -> None:
    # as the manual prints it; its F values are against the unpooled error
    rows = {row.source: row for row in analyse_gauge(study(AIAG)).anova}
    expected = {
        "appraiser": (2, 3.1673, 1.58363),
        "part": (9, 88.3619, 9.81799),
        "interaction": (18, 0.3590, 0.01994),
        "repeatability": (60, 2.7589, 0.04598),
    }
    for source, (df, ss, ms) in expected.items():
        assert rows[source].df == df
        assert rows[source].sum_of_squares == pytest.approx(ss, abs=5.1e-5)
        assert rows[source].mean_square == pytest.approx(ms, abs=5.1e-6)
    assert sum(rows[s].sum_of_squares for s in expected) == pytest.approx(94.6471, abs=5.1e-5)
    error = rows["repeatability"].mean_square
    assert rows["appraiser"].mean_square / error == pytest.approx(34.44, abs=0.005)
    assert rows["part"].mean_square / error == pytest.approx(213.52, abs=0.005)
    assert rows["interaction"].f == pytest.approx(0.434, abs=5e-4)
    assert rows["interaction"].p == pytest.approx(0.974, abs=5e-4)


@pytest.mark.unit
def test_aiag_components() -> None:
    # as the manual prints them; the interaction is pooled
    result = analyse_gauge(study(AIAG))
    assert not result.interaction_kept
    assert result.ndc == 4
    expected = {  # deviation, % of total variation, % contribution
        "repeatability": (0.199933, 18.4, 3.4),
        "appraiser": (0.226838, 20.9, 4.4),
        "interaction": (0.0, 0.0, 0.0),
        "grr": (0.302373, 27.9, 7.8),  # the manual squares and adds rounded figures: 2 in the sixth digit
        "part": (1.042327, 96.0, 92.2),
    }
    for name, (deviation, percent, contribution) in expected.items():
        found = result.component(name)
        assert found.deviation.value == pytest.approx(deviation, abs=2.1e-6)
        assert found.study_variation_percent.value == pytest.approx(percent, abs=0.05)
        assert found.contribution_percent == pytest.approx(contribution, abs=0.05)
    assert result.component("total").deviation.value == pytest.approx(1.085, abs=5e-4)
    assert result.component("grr").study_variation_percent.value == pytest.approx(27.86, abs=0.005)
    assert result.rating is Rating.MARGINAL


@pytest.mark.unit
def test_thermal_impedance_keeps_the_interaction() -> None:
    result = analyse_gauge(study(THERMAL))
    assert result.interaction_kept
    assert squares(result) == {
        k: pytest.approx(v, abs=0.006)
        for k, v in {"part": 3935.96, "appraiser": 39.27, "interaction": 48.51, "repeatability": 30.67}.items()
    }
    assert next(r for r in result.anova if r.source == "interaction").f == pytest.approx(5.27, abs=0.005)
    found = variances(result)
    for name, value in {"part": 48.29, "appraiser": 0.56, "interaction": 0.73, "repeatability": 0.51}.items():
        assert found[name] == pytest.approx(value, abs=0.006)


@pytest.mark.unit
def test_montgomery_measurement_study() -> None:
    result = analyse_gauge(study(MONTGOMERY))
    assert squares(result) == {
        k: pytest.approx(v, abs=6e-4)
        for k, v in {
            "part": 1185.425,
            "appraiser": 2.617,
            "interaction": 27.050,
            "repeatability": 59.500,
            "pooled repeatability": 86.550,
        }.items()
    }
    assert next(r for r in result.anova if r.source == "interaction").p == pytest.approx(0.861, abs=6e-4)
    found = variances(result)  # the book's reduced model
    for name, value in {"part": 10.2513, "appraiser": 0.0106, "repeatability": 0.8832}.items():
        assert found[name] == pytest.approx(value, abs=6e-5)


@pytest.mark.unit
@pytest.mark.parametrize("text", [AIAG, THERMAL, MONTGOMERY])
def test_table_is_that_of_statsmodels(text: str) -> None:
    values = study(text).values
    cells = itertools.product(*(range(n) for n in values.shape))
    frame = pd.DataFrame([(f"p{i}", f"a{j}", values[i, j, k]) for i, j, k in cells], columns=["p", "a", "y"])
    book = anova_lm(ols("y ~ C(p) * C(a)", frame).fit())
    rows = {row.source: row for row in analyse_gauge(study_of(values), pool_above_p=1.0 - 1e-9).anova}
    names = {"C(p)": "part", "C(a)": "appraiser", "C(p):C(a)": "interaction", "Residual": "repeatability"}
    for theirs, ours in names.items():
        assert rows[ours].df == book.loc[theirs, "df"]
        assert rows[ours].sum_of_squares == pytest.approx(book.loc[theirs, "sum_sq"], rel=1e-9)
    assert rows["interaction"].f == pytest.approx(book.loc["C(p):C(a)", "F"], rel=1e-9)
    assert rows["interaction"].p == pytest.approx(book.loc["C(p):C(a)", "PR(>F)"], rel=1e-6)


@pytest.mark.unit
def test_one_appraiser_is_a_one_way_study() -> None:
    values = study(AIAG).values[:, :1]
    result = analyse_gauge(study_of(values))
    within = values[:, 0].var(axis=1, ddof=1).mean()
    between = values[:, 0].mean(axis=1).var(ddof=1)
    assert variances(result)["repeatability"] == pytest.approx(within)
    assert variances(result)["part"] == pytest.approx(between - within / 3)
    assert [c.name for c in result.components] == ["repeatability", "grr", "part", "total"]


@pytest.mark.unit
def test_repeatability_interval_is_the_exact_one() -> None:
    result = analyse_gauge(study(THERMAL))
    found = result.component("repeatability").deviation
    df, ms = 60, 30.66667 / 60
    exact = np.sqrt(df * ms / chi2.ppf([0.975, 0.025], df))
    assert (found.lower, found.upper) == (pytest.approx(exact[0], rel=0.005), pytest.approx(exact[1], rel=0.005))


@pytest.mark.unit
@pytest.mark.parametrize("text", [AIAG, THERMAL])
def test_gauge_interval_agrees_with_the_modified_large_sample_one(text: str) -> None:
    """Burdick & Larsen (1997): the gauge variance is a positive sum of mean squares, its limits have a closed form."""
    result = analyse_gauge(study(text))
    rows = {row.source: row for row in result.anova}
    p, r = result.n_parts, result.n_trials
    if result.interaction_kept:
        weights = {"appraiser": 1.0, "interaction": p - 1.0, "repeatability": p * (r - 1.0)}
    else:
        weights = {"appraiser": 1.0, "pooled repeatability": p * r - 1.0}
    terms = np.array([w * rows[s].mean_square for s, w in weights.items()]) / (p * r)
    df = np.array([rows[s].df for s in weights])
    low = 1 - df / chi2.ppf(0.975, df)
    high = df / chi2.ppf(0.025, df) - 1
    limits = terms.sum() - np.sqrt(((low * terms) ** 2).sum()), terms.sum() + np.sqrt(((high * terms) ** 2).sum())
    found = result.component("grr").deviation
    assert found.lower**2 == pytest.approx(limits[0], rel=0.05)
    assert found.upper**2 == pytest.approx(limits[1], rel=0.05)


@pytest.mark.sweep
@pytest.mark.parametrize("interaction", [0.0, 0.4])
def test_intervals_cover(interaction: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated studies: the true share of the gauge lies within its 95 % limits in 95 % of them."""
    monkeypatch.setattr(gauge_intervals, "DRAWS", 2_000)  # enough for a quantile, and 50 times as fast
    rng = np.random.default_rng(3)
    true = 100 * np.sqrt((0.3**2 + 0.2**2 + interaction**2) / (1 + 0.3**2 + 0.2**2 + interaction**2))
    inside = 0
    lots = 300
    for _ in range(lots):
        part, who = rng.normal(0, 1, (10, 1, 1)), rng.normal(0, 0.2, (1, 3, 1))
        both, error = rng.normal(0, interaction, (10, 3, 1)), rng.normal(0, 0.3, (10, 3, 3))
        found = analyse_gauge(study_of(part + who + both + error)).component("grr").study_variation_percent
        inside += found.lower <= true <= found.upper
    assert inside / lots >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / lots)


@pytest.mark.unit
def test_tolerance_rates_instead_of_the_parts_spread() -> None:
    wide = analyse_gauge(study(AIAG), tolerance=30.0)
    grr = wide.component("grr")
    assert grr.tolerance_percent is not None
    assert grr.tolerance_percent.value == pytest.approx(100 * 6 * 0.302373 / 30, abs=1e-3)
    assert wide.rating is Rating.MARGINAL  # 6 % of the tolerance, but only four categories
    assert analyse_gauge(study(AIAG), tolerance=5.0).rating is Rating.UNACCEPTABLE


@pytest.mark.unit
def test_pooling_limit_is_the_callers() -> None:
    assert analyse_gauge(study(MONTGOMERY), pool_above_p=0.9).interaction_kept
    assert variances(analyse_gauge(study(MONTGOMERY), pool_above_p=0.9))["repeatability"] == pytest.approx(
        0.9917, abs=5e-5
    )


@pytest.mark.unit
@pytest.mark.parametrize(
    ("percent", "ndc", "expected"),
    [
        (10.0, 5, Rating.ACCEPTABLE),
        (9.0, 4, Rating.MARGINAL),
        (30.0, 9, Rating.MARGINAL),
        (30.1, 9, Rating.UNACCEPTABLE),
        (0.0, None, Rating.ACCEPTABLE),
    ],
)
def test_the_rule(percent: float, ndc: int | None, expected: Rating) -> None:
    assert gauge_rating(percent, ndc) is expected


@pytest.mark.unit
def test_a_gauge_that_never_varies_has_no_number_of_categories() -> None:
    values = np.repeat(np.repeat(np.arange(1, 6, dtype=float)[:, None, None] * 0.1, 2, axis=1), 3, axis=2)
    result = analyse_gauge(study_of(values))
    assert result.ndc is None
    assert result.ndc_limits is None
    assert result.component("grr").deviation.value == 0.0


@pytest.mark.unit
def test_faulty_studies_are_named() -> None:
    cells = {(p, w): [1.0, 2.0] for p in "12" for w in "AB"}
    with pytest.raises(StudyFault, match="unbalanced: most cells hold 2 trials, but 2 by A: 3"):
        gauge_study({**cells, ("2", "A"): [1.0, 2.0, 3.0]})
    with pytest.raises(StudyFault, match="not finite: 1 by B"):
        gauge_study({**cells, ("1", "B"): [1.0, float("nan")]})
    with pytest.raises(StudyFault, match="1 trials"):
        gauge_study({k: v[:1] for k, v in cells.items()})
    with pytest.raises(StudyFault, match=r"all 8 values are 1\.0"):
        analyse_gauge(gauge_study({k: [1.0, 1.0] for k in cells}))
    with pytest.raises(StudyFault, match="tolerance -1"):
        analyse_gauge(gauge_study(cells), tolerance=-1.0)
