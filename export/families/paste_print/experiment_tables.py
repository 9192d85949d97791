"""The figures of the experiments on paste as Markdown, from the result files: what the family's page shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.markdown import markdown_table
from export.families.paste_print.experiment_methods import LETTERS

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
Row = dict[str, Any]
Data = dict[str, Any]
NOTHING = "–"
NOT_MADE: Row = {}  # of a slow method, at an amplitude nobody asked for
NOT_ASKED = "·"
NOT_SWEPT = ("refit", "group", "group_median")  # they do not know wipe and stroke, and find next to nothing


def paste_tables(results: Path = RESULTS) -> dict[str, str]:
    """Markdown of each section there is a result file for, by name."""
    found: dict[str, str] = {}
    for file, sections in SECTIONS.items():
        if (path := results / f"{file}.json").exists():
            data = json.loads(path.read_text("utf-8"))
            found |= {name: section(data) for name, section in sections.items()}
    return found


def whole_table(file: str) -> Callable[[Data], str]:
    """All sections of a result file under their titles, as pages take them by the file's name."""
    return lambda data: "\n\n".join(
        f"**{TITLES[name]}**\n\n{section(data)}" for name, section in SECTIONS[file].items()
    )


def label(method: str) -> str:
    """A comparator with its letter in the protocol, a network by its file's name."""
    return f"({LETTERS[method]}) {method}" if method in LETTERS else method


def in_order(methods: Sequence[str]) -> list[str]:
    """Comparators first, as the protocol has them, then networks by name."""
    there = set(methods)
    return [m for m in LETTERS if m in there] + sorted(there - set(LETTERS))


def pads_auprc(data: Data) -> str:
    """AUPRC by ratio, excess / insufficient, mu of the paper."""
    return _both_signs(data, "auprc", 5.0, (0.1, 0.2, 0.3, 0.4, 0.5), 3)


def pads_recall(data: Data) -> str:
    """Recall at the threshold, the same."""
    return _both_signs(data, "recall", 5.0, (0.1, 0.2, 0.3, 0.4, 0.5), 3)


def pads_false(data: Data) -> str:
    """Pads called beside the moved ones, a panel, the same; and on good boards, where the threshold was kept or not."""
    good = {row["method"]: row for row in data["found"]["good"]}
    columns = [(ratio, variant) for variant in ("fixed", "redrawn") for ratio in (0.1, 0.3, 0.5)]
    head = ["method", "good boards called (95 %)", "pads a good panel", *(f"{v}, {r:.0%}" for r, v in columns)]
    rows = []
    for method in in_order(list(good)):
        cells = [_num(_at(data, method, 5.0, r, v)["false_pads_per_panel"], 2) for r, v in columns]
        own = good[method]
        rows.append(
            [label(method), _interval(own["boards_called_frac"], 3), _num(own["false_pads_per_panel"], 3), *cells]
        )
    return markdown_table(head, rows)


def pads_small(data: Data) -> str:
    """Recall of smaller moves."""
    columns = [(mu, ratio, v) for v in ("fixed", "redrawn") for mu in (1.5, 2.0, 3.0) for ratio in (0.1, 0.3)]
    head = ["method", *(f"{v}, μ {mu:g}, {ratio:.0%}" for mu, ratio, v in columns)]
    rows = [[label(m), *(_signs(data, m, "recall", mu, r, v, 2) for mu, r, v in columns)] for m in _methods(data)]
    return markdown_table(head, rows)


def pads_collapse(data: Data) -> str:
    """What best F1 and recall of limits refitted on the board make of the ratio."""
    ratios = (0.1, 0.2, 0.3, 0.4, 0.5)
    rows = []
    for method in ("refit", "group"):
        at = [_at(data, method, 5.0, ratio, "fixed") for ratio in ratios]
        rows.append([f"{label(method)}: best F1 of any threshold", *(f"{row['best_f1']:.3f}" for row in at)])
        rows.append([f"{label(method)}: recall at its threshold", *(_num(row["recall"], 3) for row in at)])
    return markdown_table(["method, μ 5, fixed", *(f"{ratio:.0%}" for ratio in ratios)], rows)


def pads_sweep(data: Data) -> str:
    """Recall by the amplitude of wipe and stroke."""
    found = data["found"].get("sweep", [])
    amplitudes = sorted({row["amplitude"] for row in found})
    rows = []
    for method in in_order([row["method"] for row in found if row["method"] not in NOT_SWEPT]):
        for variant in ("fixed", "redrawn"):
            own = {r["amplitude"]: r for r in found if (r["method"], r["variant"], r["mu"]) == (method, variant, 2.0)}
            rows.append([f"{label(method)}, {variant}", *(_interval(own[a]["recall"], 2) for a in amplitudes)])
    return markdown_table(["recall, μ 2, 10 %, amplitude", *(f"{a:g}" for a in amplitudes)], rows)


def faults_recall(data: Data) -> str:
    """Recall from the onset on, by fault, amplitude 3 and those of real size."""
    kinds = _kinds(data)
    rows = [
        [label(m), str(_fault(data, m, "smear")["draws"]), *(_interval(_fault(data, m, k)["recall"], 2) for k in kinds)]
        for m in _methods(data)
    ]
    return markdown_table(["method", "draws", *kinds], rows)


def faults_delay(data: Data) -> str:
    """Boards until half of the defective pads are called, median over draws, by amplitude."""
    kinds = [kind for kind in _kinds(data) if kind != "smear"]
    amplitudes = sorted({row["amplitude"] for row in data["found"]["rows"]})
    head = ["method", *(f"{kind}: A {' / '.join(f'{a:g}' for a in amplitudes)}" for kind in kinds)]
    rows = [
        [
            label(m),
            *(" / ".join(_delay(data, m, k, a) for a in amplitudes) for k in kinds),
        ]
        for m in _methods(data)
    ]
    return markdown_table(head, rows)


def faults_false(data: Data) -> str:
    """Pads called a panel where nothing is wrong: before the onset, beside the fault, and on drift."""
    kinds = _kinds(data)
    head = ["method", "before the onset", "drift: all pads", *(f"beside {kind}" for kind in kinds)]
    rows = []
    for m in _methods(data):
        before = [_fault(data, m, k)["false_pads_before_per_panel"][0] for k in kinds]
        known = [value for value in before if value is not None]
        rows.append(
            [
                label(m),
                f"{sum(known) / len(known):.3f}",
                _interval(_fault(data, m, "drift", 1.0)["called_pads_per_panel"], 2),
                *(_num(_fault(data, m, k)["false_pads_beside_per_panel"], 2) for k in kinds),
            ]
        )
    return markdown_table(head, rows)


def faults_checks(data: Data) -> str:
    """Recall with boards as they come, shuffled, and without the machine's counter."""
    found = data["found"].get("checks", [])
    of = {(row["method"], row["kind"], row["check"]): row for row in found}
    kinds, checks = (list(dict.fromkeys(row[key] for row in found)) for key in ("kind", "check"))
    head = ["method", *(f"{kind}: {' / '.join(checks)}" for kind in kinds)]
    rows = [
        [label(m), *(" / ".join(_num(of[m, kind, check]["recall"], 2) for check in checks) for kind in kinds)]
        for m in in_order([row["method"] for row in found])
    ]
    return markdown_table(head, rows)


def charts(data: Data) -> str:
    """What the EWMA comparators could have been."""
    rows = [
        [r["method"], f"{r['mean_f1']:.3f}", f"{r['mean_recall']:.3f}", f"{r['mean_false_pads_per_panel']:.2f}"]
        for r in data["found"]["charts"]
    ]
    return markdown_table(["comparator: charts", "mean F1", "mean recall", "false pads a panel"], rows)


def real_board(data: Data) -> str:
    """The board whose paste was wiped, and the other side's."""
    rows = []
    for side, board in data["boards"].items():
        for rule, r in board["rules"].items():
            counts = [(r["wiped_called"], r["wiped"]), (r["other_defects_called"], r["other_defects"])]
            good = f"{r['good_called']} of {r['good']} ({r['good_called_frac']:.2%})"
            called = [f"{a} of {b}" for a, b in counts]
            rows.append([f"{side}, {rule}", f"{r['limit_sigma']:.2f}", *called, good])
    for r in data["repeated"]:
        called = [f"{r[f'{what}_called']} of {r[what]}" for what in ("wiped", "other_defects")]
        good = f"{r['good_called']} of {r['good']} ({r['good_called_frac']:.2%})"
        rows.append([f"top, ten times: {label(r['method'])}", f"{r['threshold']:.2f}", *called, good])
    head = ["board, rule", "limit, sigma", "wiped pads called", "other defects", "good pads called"]
    return markdown_table(head, rows)


def _methods(data: Data) -> list[str]:
    return in_order([row["method"] for row in data["found"]["rows"]])


def _kinds(data: Data) -> list[str]:
    return [kind for kind in dict.fromkeys(row["kind"] for row in data["found"]["rows"]) if kind != "drift"]


def _at(data: Data, method: str, mu: float, ratio: float, variant: str) -> Row:
    wanted = (method, mu, ratio, variant)
    return next(r for r in data["found"]["rows"] if (r["method"], r["mu"], r["ratio"], r["variant"]) == wanted)


def _fault(data: Data, method: str, kind: str, amplitude: float = 3.0) -> Row:
    rows = [r for r in data["found"]["rows"] if (r["method"], r["kind"]) == (method, kind)]
    return next((r for r in rows if r["amplitude"] == amplitude), rows[0] if kind in ("smear", "drift") else NOT_MADE)


def _delay(data: Data, method: str, kind: str, amplitude: float) -> str:
    row = _fault(data, method, kind, amplitude)
    return _num(row["boards_until_found"], 0) if row else NOT_ASKED


def _both_signs(data: Data, key: str, mu: float, ratios: Sequence[float], digits: int) -> str:
    columns = [(ratio, variant) for variant in ("fixed", "redrawn") for ratio in ratios]
    head = ["method, excess / insufficient", *(f"{variant}, {ratio:.0%}" for ratio, variant in columns)]
    rows = [[label(m), *(_signs(data, m, key, mu, r, v, digits) for r, v in columns)] for m in _methods(data)]
    return markdown_table(head, rows)


def _signs(data: Data, method: str, key: str, mu: float, ratio: float, variant: str, digits: int) -> str:
    return " / ".join(_num(_at(data, method, sign * mu, ratio, variant)[key], digits) for sign in (1, -1))


def _num(figure: Sequence[float | None], digits: int) -> str:
    return NOTHING if figure[0] is None else f"{figure[0]:.{digits}f}"


def _interval(figure: Sequence[float | None], digits: int) -> str:
    value, low, high = figure
    if value is None or low is None or high is None:
        return _num(figure, digits)
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


SECTIONS: dict[str, dict[str, Callable[[Data], str]]] = {
    "paste_pads": {
        "pads_auprc": pads_auprc,
        "pads_recall": pads_recall,
        "pads_false": pads_false,
        "pads_small": pads_small,
        "pads_collapse": pads_collapse,
        "pads_sweep": pads_sweep,
    },
    "paste_faults": {
        "faults_recall": faults_recall,
        "faults_delay": faults_delay,
        "faults_false": faults_false,
        "faults_checks": faults_checks,
    },
    "paste_real_board": {"real_board": real_board},
    "paste_charts": {"charts": charts},
}
TITLES = {
    "pads_auprc": "Random pads moved by μ ±5 sigmas of the pad over many days (the paper's μ): AUPRC by ratio",
    "pads_recall": "Recall at a threshold set on good validation boards, 1 in 100 called; μ ±5",
    "pads_false": "Good pads called at that threshold: on good boards, and a panel beside moved pads (μ 5)",
    "pads_small": "Recall of smaller moves at that threshold, excess / insufficient (μ 2 is about 5 repeat sigmas)",
    "pads_collapse": "Best F1 rises with the ratio alone and must not be compared across ratios; recall tells",
    "pads_sweep": "Wipe and stroke from 0.2 to 1.0 repeat sigma",
    "faults_recall": "Printer's faults: recall from the onset on, A 3 (smear: as on the real board)",
    "faults_delay": "Boards from the onset until half of the defective pads are called (median; – never, · not made)",
    "faults_false": "Pads called a panel that are none of the fault's, A 3",
    "faults_checks": "Recall at A 3 with the boards before the last shuffled, and without the machine's counter",
    "real_board": "A real failing board, one panel alone: median and MAD of each aperture group on the board itself",
    "charts": "The EWMA comparators' charts, chosen on boards that are in no test",
}
