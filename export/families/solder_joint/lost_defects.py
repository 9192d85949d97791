"""Which defects one bundle catches and another does not, both at their own frozen thresholds: whether a faster network
loses anything against a slower one.

    python -m export.families.solder_joint.lost_defects --data DIR --table joints.csv --where view=closeup \\
        --reference paper.bundle --json FILE BUNDLE...

Two thresholds frozen on one board do not call the same share of the next one's good joints. So each comparison is made
a second time with the bundle's threshold moved to where it calls no more good joints than the reference does: that
looks at the split's labels, is no threshold to run with, and says which of the two ranks better.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.scorers import EngineChoice
from export.datasets import fingerprint
from export.faults import WorkshopFault
from export.onnx import tool_versions
from export.scoring import ScoredSplit, SplitRequest, score_split

Flags = NDArray[np.bool_]


class DifferentRowsFault(WorkshopFault):
    """Bundles that did not score the same rows, so that their verdicts cannot be held against each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Of one label: defects that the reference catches, and of these the ones lost; rows, and places as pins."""

    label: str
    n: int
    n_places: int
    caught_by_reference: int
    caught: int
    lost: int
    lost_places: int
    gained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One bundle against the reference. `at_equal_false_calls` is with the bundle's threshold moved."""

    bundle: str
    seed: int
    bundle_sha256: str
    false_calls: int
    false_calls_reference: int
    n_good: int
    lost: list[Lost]
    at_equal_false_calls: list[Lost]


def compared(found: ScoredSplit, reference: ScoredSplit) -> Comparison:
    """Both on the same rows. Raises DifferentRowsFault."""
    if found.rows != reference.rows:
        raise DifferentRowsFault(f"{found.bundle.folder} and {reference.bundle.folder} scored different rows")
    manifest, good = found.bundle.manifest, found.is_good
    allowed = int((reference.called & good).sum())
    moved = found.score > threshold_for(found.score[good], allowed)
    labels, places = found.labels, found.units
    return Comparison(
        bundle=f"{manifest.preset} {manifest.variant}",
        seed=manifest.seed,
        bundle_sha256=found.bundle.sha256,
        false_calls=int((found.called & good).sum()),
        false_calls_reference=allowed,
        n_good=int(good.sum()),
        lost=lost_of(found.called, reference.called, labels, places, found.defect_kinds),
        at_equal_false_calls=lost_of(moved, reference.called, labels, places, found.defect_kinds),
    )


def lost_of(
    called: Flags, reference: Flags, labels: NDArray[np.str_], places: NDArray[np.int64], kinds: Sequence[str]
) -> list[Lost]:
    """Verdicts (N,) of both on rows of `labels` (N,) at `places` (N,); one entry a kind. A place is lost when one
    of its rows is."""
    made = []
    for kind in kinds:
        own = labels == kind
        lost = own & reference & ~called
        made.append(
            Lost(
                label=kind,
                n=int(own.sum()),
                n_places=len(set(places[own].tolist())),
                caught_by_reference=int((own & reference).sum()),
                caught=int((own & called).sum()),
                lost=int(lost.sum()),
                lost_places=len(set(places[lost].tolist())),
                gained=int((own & called & ~reference).sum()),
            )
        )
    return made


def threshold_for(good: Floats, allowed: int) -> float:
    """The lowest threshold above which at most `allowed` of the scores `good` (N,) lie."""
    ordered = np.sort(good)[::-1]
    return float(ordered[allowed]) if allowed < len(ordered) else float(-np.inf)


def run(bundles: Sequence[Path], reference: Path, request: SplitRequest, threads: int) -> dict[str, object]:
    """The content of the file: every bundle against the reference. Raises DifferentRowsFault, BundleFault,
    DataFault."""
    choice = EngineChoice(engine="onnxruntime", threads=threads)
    before = score_split(reference, request, choice)
    manifest = before.bundle.manifest
    return {
        "command": "python -m export.families.solder_joint.lost_defects --data tht-header-joints --table joints.csv "
        f"--where {' '.join(request.where)} --reference BUNDLE BUNDLE...",
        "data": request.data.resolve().name,
        "lane": list(request.where),
        "split": request.split,
        "rows_sha256": fingerprint(before.data, (), before.rows).sha256,
        "reference": {
            "bundle": f"{manifest.preset} {manifest.variant}",
            "seed": manifest.seed,
            "bundle_sha256": before.bundle.sha256,
        },
        "tools": tool_versions(),
        "comparisons": [asdict(compared(score_split(b, request, choice), before)) for b in bundles],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what is lost; write it with `--json`."""
    parser = argparse.ArgumentParser(description="defects that one bundle catches and another does not")
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table")
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE")
    parser.add_argument("--split", default="dev-test")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    request = SplitRequest(data=asked.data, table=asked.table, split=asked.split, where=tuple(asked.where))
    content = run(asked.bundles, asked.reference, request, threads=1)
    for one in content["comparisons"]:  # type: ignore[attr-defined]
        print(f"{one['bundle']}, seed {one['seed']}: false calls {one['false_calls']}")
        for name in ("lost", "at_equal_false_calls"):
            for row in one[name]:
                print(f"  {name}: " + ", ".join(f"{key} {value}" for key, value in row.items()))
    if asked.json is not None:
        asked.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
