"""The tables of the study: the paper's own, and what a line asks besides, a column or a row a method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from export.families.axi_joint.paper import TABLE_V, TABLE_VI, TABLE_VII, TABLE_VIII
from export.families.axi_joint.paper_cells import Runs, markdown, mean, over, three, titled, with_wilson
from export.families.axi_joint.paper_names import NAMES
from export.report.published import PublishedTable

FIXED_TABLES = (("cnn3d", "V", TABLE_V), ("lstm", "VI", TABLE_VI))
RECALL_KEYS = ("0.90", "0.95", "0.99")

Result = dict[str, Any]


def tables(result: Result) -> str:
    """Everything measured on one set, in Markdown."""
    runs: Runs = result["runs"]
    methods = [name for name in NAMES if any(run["method"] == name for run in runs)]
    by_method = {name: [run for run in runs if run["method"] == name] for name in methods}
    lines = [_about(result), ""]
    for method, number, printed in FIXED_TABLES:
        if method in by_method:
            lines += titled(f"Table {number}, {NAMES[method]}", _fixed(by_method[method], printed))
    lines += titled("Table VII, thresholds chosen on validation", _chosen(by_method))
    lines += titled("Table VIII, read off the ROC of the test joints", _read_off(by_method))
    lines += titled("Regions, labels, boards", _groups(by_method))
    lines += titled("Where defects are missed, at the threshold of recall 0.90 on validation", _missed(by_method))
    lines += titled("Wrong regions told", _regions(by_method))
    lines += titled("Of calls, the share that is true", _prevalence(by_method))
    if any("fewer_slices" in run for run in by_method.get("best", ())):
        lines += titled("`best`, slices taken away from every third test joint", _fewer(by_method["best"]))
    if "yardsticks" in result:
        told = ", ".join(f"{name} {three(value)}" for name, value in result["yardsticks"].items())
        lines += ["**Knows nothing of it**", "", f"AUROC of single numbers on the same test joints: {told}.", ""]
    if "times" in result:
        lines += titled("What a joint costs", _costs(result["times"]))
    return "\n".join(lines).rstrip()


def _about(result: Result) -> str:
    splits = result["data"]["splits"]
    counts = "; ".join(f"{name} {of['joints']:,} joints ({_labels(of['labels'])})" for name, of in splits.items())
    epochs = []
    for run in result["runs"]:
        if run.get("epochs"):
            words = f"{NAMES[run['method']]} seed {run['seed']}: best of {run['epochs']} epochs was {run['best_epoch']}"
            epochs.append(f"{words}, {run['n_train']:,} joints")
    return f"{result['data']['source']}: {counts}.\n\nTrainings: {'; '.join(epochs)}."


def _labels(labels: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {label}" for label, count in sorted(labels.items(), key=lambda item: -item[1]))


def _fixed(runs: Runs, printed: PublishedTable) -> Iterator[str]:
    head = ("threshold", "val recall", "val FPR", "test recall", "test FPR", "printed: test recall", "test FPR")
    rows = []
    for n, paper in enumerate(printed.rows):
        cells = [
            over(runs, lambda run, s=split, k=key, n=n: run["fixed"][n][s][k]["frac"])
            for split in ("val", "test")
            for key in ("recall", "fpr")
        ]
        rows.append((paper[0], *cells, paper[3], paper[4]))
    yield from markdown(head, rows)


def _chosen(by_method: dict[str, Runs]) -> Iterator[str]:
    head = ("method", "wanted on val", "threshold", "test recall", "test FPR", "printed: recall", "FPR")
    printed = {"cnn3d": TABLE_VII.rows[0], "lstm": TABLE_VII.rows[1]}
    rows = []
    for method, runs in by_method.items():
        for key in RECALL_KEYS:
            paper = printed[method][2:] if method in printed and key == "0.90" else ("", "")
            cells = (over(runs, lambda run, k=key: run["chosen"][k]["test"]["threshold"]),)
            cells += tuple(
                with_wilson(runs, lambda run, k=key, o=of: run["chosen"][k]["test"][o]) for of in ("recall", "fpr")
            )
            rows.append((NAMES[method], key, *cells, *paper))
    yield from markdown(head, rows)


def _read_off(by_method: dict[str, Runs]) -> Iterator[str]:
    head = ("method", "seeds", "AUROC", "by board", *(f"FPR at {r}" for r in RECALL_KEYS), "printed: AUROC", *_PRINTED)
    printed = {"cnn3d": TABLE_VIII.rows[0], "lstm": TABLE_VIII.rows[1]}
    rows = []
    for method, runs in by_method.items():
        paper = printed[method][1:] if method in printed else ("", "", "")
        fprs = [over(runs, lambda run, k=key: run["test"]["fpr_at_recall"][k]) for key in RECALL_KEYS]
        first = runs[0]["test"]
        interval = f"{three(first['lower'])} to {three(first['upper'])}"
        auroc = over(runs, lambda run: run["test"]["auroc"])
        rows.append((NAMES[method], str(len(runs)), auroc, interval, *fprs, *paper))
    yield from markdown(head, rows)


_PRINTED = ("FPR at 0.90", "FPR at 0.95")


def _groups(by_method: dict[str, Runs]) -> Iterator[str]:
    """A row a group: AUROC and false calls read off the ROC of that group's joints."""
    head = ("joints", "good, defective", *(f"{NAMES[m]}: AUROC; FPR at {', '.join(RECALL_KEYS)}" for m in by_method))
    any_groups = next(iter(by_method.values()))[0]["groups"]
    places = [
        (("right_regions",), "right regions"),
        (("right_regions_by_truth",), "right regions, by the twin's truth"),
    ]
    places += [(("by_slices", n), f"{n} slices") for n in any_groups["by_slices"]]
    places += [(("by_board_type", name), name) for name in any_groups["by_board_type"]]
    rows = []
    for path, name in places:
        counts = _at(any_groups, path)
        cells = []
        for runs in by_method.values():
            figures = [_at(run["groups"], path) for run in runs]
            if figures[0]["fpr_at_recall"] is None:
                cells.append("too few")
                continue
            fprs = ", ".join(mean([one["fpr_at_recall"][r] for one in figures]) for r in RECALL_KEYS)
            cells.append(f"{mean([one['auroc'] for one in figures])}; {fprs}")
        rows.append((name, f"{counts['n_good']:,}, {counts['n_defective']:,}", *cells))
    gated = [runs[0].get("gated") for runs in by_method.values()]
    if any(gated):
        cells = []
        for runs in by_method.values():
            of = [run["gated"] for run in runs if "gated" in run]
            fprs = ", ".join(mean([one["test"]["fpr_at_recall"][r] for one in of]) for r in RECALL_KEYS) if of else ""
            held = mean([one["held_frac"] for one in of]) if of else ""
            cells.append(f"{mean([one['test']['auroc'] for one in of])}; {fprs} (held: {held})" if of else "")
        rows.append(("region not called wrong by the method itself", "", *cells))
    yield from markdown(head, rows)


def _missed(by_method: dict[str, Runs]) -> Iterator[str]:
    head = ("", *(NAMES[method] for method in by_method))
    rows = []
    for what, key in (
        ("caught, severity", "recall_by_severity"),
        ("caught", "recall_by_label"),
        ("caught, defect visible", "recall_visible"),
        ("called,", "fpr_barely_good"),
    ):
        for name in next(iter(by_method.values()))[0]["groups"][key]:
            cells = [with_wilson(runs, lambda run, k=key, n=name: run["groups"][k][n]) for runs in by_method.values()]
            rows.append((f"{what} {_GROUP_WORDS.get(name, name)}", *cells))
    for n, share in enumerate(("1 %", "24 %")):
        cells = []
        for runs in by_method.values():
            of = [run["groups"]["wrong_regions"][n]["0.90"] for run in runs]
            cells.append(" and ".join(mean([one[k] for one in of]) for k in ("recall", "fpr")))
        rows.append((f"recall and FPR with {share} of views with wrong regions", *cells))
    yield from markdown(head, rows)


_GROUP_WORDS = {"": "none: written wrongly", "0": "good", "1": "barely good"}


def _regions(by_method: dict[str, Runs]) -> Iterator[str]:
    head = (
        "method",
        "AUROC",
        "right regions called wrong",
        "wrong ones found",
        "found at 1 % of right ones",
        "by fault",
    )
    rows = []
    for method, runs in by_method.items():
        if "roi" not in runs[0]:
            continue
        of = [run["roi"] for run in runs]
        faults = ", ".join(
            f"{n} {mean([one['found_by_fault'][n]['frac'] for one in of])}" for n in of[0]["found_by_fault"]
        )
        cells = [
            with_wilson(runs, lambda run, k=key: run["roi"][k])
            for key in ("false_alarms", "found", "found_at_one_percent")
        ]
        rows.append((NAMES[method], over(runs, lambda run: run["roi"]["auroc"]), *cells, faults))
    yield from markdown(head, rows)


def _prevalence(by_method: dict[str, Runs]) -> Iterator[str]:
    """By how many of all joints are defective, for thresholds of three recalls."""
    head = ("method", "recall on val", *(f"{100 * one['prevalence']:g} % defective" for one in _any(by_method)))
    rows = []
    for method, runs in by_method.items():
        for key in RECALL_KEYS:
            parts = list(zip(*(run["groups"]["prevalence"] for run in runs), strict=True))
            cells = [[mean([one["of_calls_true"][key][end] for one in of]) for end in _ENDS] for of in parts]
            rows.append((NAMES[method], key, *(f"{value} (at least {least})" for value, least in cells)))
    yield from markdown(head, rows)


def _fewer(runs: Runs) -> Iterator[str]:
    head = ("slices", "AUROC", *(f"FPR at {r}" for r in RECALL_KEYS), "recall at val 0.90", "FPR at val 0.90")
    rows = []
    for name in runs[0]["fewer_slices"]:
        of = [run["fewer_slices"][name] for run in runs]
        fprs = [mean([one["fpr_at_recall"][r] for one in of]) for r in RECALL_KEYS]
        at = [mean([one["at"]["0.90"][k]["frac"] for one in of]) for k in ("recall", "fpr")]
        rows.append((name if not name.isdigit() else f"at most {name}", mean([one["auroc"] for one in of]), *fprs, *at))
    yield from markdown(head, rows)


def _costs(times: dict[str, dict[str, Any]]) -> Iterator[str]:
    head = ("method", "million multiplications", "parameters", "ms a joint, 2 threads, p50", "best", "load meanwhile")
    rows = [
        (
            NAMES[method],
            f"{of['multiplications'] / 1e6:.0f}",
            f"{of['parameters']:,}",
            f"{of['p50_ms']:.2f}",
            f"{of['best_ms']:.2f}",
            f"{of['load']:.1f}",
        )
        for method, of in times.items()
    ]
    yield from markdown(head, rows)


_ENDS = ("value", "at_least")


def _any(by_method: dict[str, Runs]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(iter(by_method.values()))[0]["groups"]["prevalence"]
    return found


def _at(groups: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    found: Any = groups
    for key in path:
        found = found[key]
    return dict(found)
