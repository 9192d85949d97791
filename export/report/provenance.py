"""Where the page's figures come from: enough to make them again, or to find out why they cannot be."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version

from export.report.subjects import Subject

PACKAGES = ("boardgate", "numpy", "opencv-python-headless", "onnxruntime", "scipy", "scikit-learn", "matplotlib")
CPU_INFO = "/proc/cpuinfo"


def provenance(subjects: Sequence[Subject], command: Sequence[str]) -> list[tuple[str, str]]:
    """Rows of name and value."""
    rows = [
        ("written", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("command", shlex.join(command) if command else "called from a program"),
    ]
    if subjects:
        first = subjects[0].evaluation
        rows.append(("data", f"{first.data}, split {first.split}{_filters(first.where)}, sha256 {first.data_sha256}"))
    rows += [(f"bundle {s.name}", _bundle(s)) for s in subjects]
    rows.append(("machine", f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"))
    rows.append(("versions", ", ".join([f"Python {platform.python_version()}", *_versions()])))
    return rows


def _bundle(subject: Subject) -> str:
    manifest, e = subject.scored.bundle.manifest, subject.evaluation
    return (
        f"{e.family} {e.preset} {e.variant}, seed {e.seed}, {e.input}, {e.precision} on {e.engine}, made "
        f"{manifest.created_utc} from {manifest.data.name} ({manifest.data.n_train:,} training and "
        f"{manifest.data.n_val:,} validation rows), sha256 {e.bundle_sha256}"
    )


def _filters(where: Sequence[str]) -> str:
    return f", where {' and '.join(where)}" if where else ""


def _versions() -> list[str]:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # onnxruntime comes under other names too, onnxruntime-gpu for one
            found.append(f"{name} (not from a package)")
    return found


def _cpu() -> str:
    """The processor's own name where the system gives it."""
    try:
        with open(CPU_INFO, encoding="utf-8") as file:
            named = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        named = ""
    return named or platform.processor() or "unknown processor"
