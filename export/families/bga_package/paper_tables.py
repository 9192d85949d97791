"""The poster's table and figures on the line twin, and on real tiles, methods side by side.

    python -m export.families.bga_package.paper_tables --json benchmarks/results/bga_package_paper.json --work DIR
        [--sets optical xray real] [--real DIR] [--methods NAME...] [--seeds N...] [--packages N] [--judged-good N]
        [--judged-each N] [--epochs N] [--speed]

Sets of the twin are drawn into DIR where they are not there yet. The file is written after every training; what it
holds already is not trained again, nor is what lies among DIR's checkpoints. `--speed` times all methods in
turn, one package and one thread at a time. Only good pictures are learned from; thresholds are the 99th percentile of
good validation ones. `best/compared` holds every package against the approved pictures of its part number in the set;
real tiles have none.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge.board import Floats
from export.families.bga_package.study_data import GOOD, StudySet, real_set, twin_set
from export.families.bga_package.study_figures import paper_figures, real_figures, twin_figures
from export.families.bga_package.study_methods import (
    Method,
    line_method,
    rules_method,
    trained_method,
    untrained_method,
)
from export.faults import WorkshopFault
from export.onnx import tool_versions
from export.rules import RulesFault
from export.simulator.xray.packages import Look

SETS = ("optical", "xray", "real")
METHODS: dict[str, Callable[[StudySet, int, Path, int | None], Method]] = {
    "rules": lambda data, seed, kept, epochs: rules_method(data, seed),
    "PCA-48": lambda data, seed, kept, epochs: line_method(data, seed),
    "paper/vae": lambda data, seed, kept, epochs: trained_method(data, "paper", "vae", seed, kept, epochs),
    "best/compared": lambda data, seed, kept, epochs: trained_method(data, "best", "compared", seed, kept, epochs),
    "best/places": lambda data, seed, kept, epochs: trained_method(data, "best", "places", seed, kept, epochs),
}
COMPARES = frozenset({"best/compared"})  # real tiles are of one package, each of another place of it
SAME_FOR_EVERY_SEED = frozenset({"rules", "PCA-48"})
SPEED_ROUNDS = 300
KEPT = "checkpoints"  # below the work folder

Json = dict[str, Any]


class StudyFault(WorkshopFault):
    """A result file of another study: what it says, what was asked for."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the file lacks."""
    asked = _parsed(arguments)
    torch.set_num_threads(1)
    content = _begun(asked)
    for name in asked.sets:
        methods = [m for m in asked.methods if not (name == "real" and m in COMPARES)]
        wanted = [(m, s) for m in methods for s in _seeds_of(m, asked.seeds)]
        done = [*content["entries"], *content["refused"]]
        there = {(e["method"], e["seed"]) for e in done if e["set"] == name}
        missing = [pair for pair in wanted if pair not in there]
        timed = name in content["speed"] or not asked.speed
        if not missing and timed:
            continue
        data = _set(asked, name)
        content["sets"][name] = _counts(data)
        for method_name, seed in missing:
            try:
                method = METHODS[method_name](data, seed, asked.work / KEPT, asked.epochs)
            except RulesFault as fault:  # a finding: these rules cannot be fitted to such pictures
                content["refused"].append({"set": name, "method": method_name, "seed": seed, "why": str(fault)})
                _write(content, asked.json)
                continue
            content["entries"].append(entry_of(data, method))
            _write(content, asked.json)
            print(f"{name}: {method_name}, seed {seed}: {method.seconds:.0f} s of training", flush=True)
        if not timed:
            content["speed"][name] = speed_of(data, _timed_methods(data))
            _write(content, asked.json)


def _timed_methods(data: StudySet) -> list[Method]:
    """All methods; networks without their training, since what they cost does not depend on it."""
    return [
        rules_method(data),
        line_method(data),
        untrained_method(data, "paper", "vae"),
        untrained_method(data, "paper", "vae_wide"),
        untrained_method(data, "best", "compared"),
        untrained_method(data, "best", "places"),
    ]


def _seeds_of(method: str, seeds: Sequence[int]) -> Sequence[int]:
    return seeds[:1] if method in SAME_FOR_EVERY_SEED else seeds


def entry_of(data: StudySet, method: Method) -> Json:
    """All figures of one method on one set."""
    judged = method.judge(data.judged.crops, data.judged.part)
    val_good = method.judge(data.val_good, data.val_part).score
    entry: Json = {
        "set": data.name,
        "method": method.name,
        "seed": method.seed,
        "parameters": method.parameters,
        "training_s": round(method.seconds, 1),
    }
    if data.name == "real":
        return entry | {"real": real_figures(data.judged, judged, val_good, data.val_group, method.kinds)}
    entry["twin"] = twin_figures(data.judged, judged, val_good, method.kinds)
    if data.paper:
        good = data.judged.label == GOOD
        known = data.judged.group[good] == "known"  # as the poster's: part numbers that were learned from
        parts = data.judged.part[good][known]
        made = {name: method.judge(crops[known], parts).score for name, crops in data.paper.items()}
        entry["paper"] = paper_figures(judged.score[good][known], made, val_good)
    return entry


def speed_of(data: StudySet, methods: Sequence[Method], rounds: int = SPEED_ROUNDS) -> Json:
    """Milliseconds a package, one package at a time from its BGR picture to its score, methods in turn so that a busy
    machine slows all alike: processor time of one thread, and by the clock. The first of each is left out."""
    processor: dict[str, list[float]] = {method.name: [] for method in methods}
    clock: dict[str, list[float]] = {method.name: [] for method in methods}
    for k in range(rounds + 1):
        one = slice(k % len(data.judged), k % len(data.judged) + 1)
        for method in methods:
            begun, begun_cpu = time.perf_counter(), time.thread_time()
            method.judge(data.judged.crops[one], data.judged.part[one])
            processor[method.name].append(1e3 * (time.thread_time() - begun_cpu))
            clock[method.name].append(1e3 * (time.perf_counter() - begun))
    return {
        "rounds": rounds,
        "processor": _processor(),
        "methods": {
            name: {"processor_ms": _spread(processor[name][1:]), "clock_ms": _spread(clock[name][1:])}
            for name in processor
        },
    }


def _spread(values: Sequence[float]) -> Json:
    p50, p99 = np.percentile(np.array(values), [50, 99])
    return {"p50": float(p50), "p99": float(p99)}


def _processor() -> str:
    """What the kernel calls it, with how many of them there are."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return f"{', '.join(sorted(names)) or platform.machine()}, {os.cpu_count()} cores"


def _set(asked: argparse.Namespace, name: str) -> StudySet:
    if name == "real":
        if asked.real is None:
            raise StudyFault("set 'real' needs --real, the folder bga_xray_pcba")
        return real_set(asked.real)
    packages = asked.packages if name == "optical" else asked.xray_packages
    return twin_set(asked.work, Look(name), packages, asked.judged_good, asked.judged_each)


def _counts(data: StudySet) -> Json:
    labels: Floats | Any = data.judged.label
    return {
        "train_good": len(data.train),
        "val_good": len(data.val_good),
        "judged": {str(label): int((labels == label).sum()) for label in sorted(set(labels))},
    }


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="rules, the line to beat, the paper's VAE and best, side by side")
    parser.add_argument("--json", type=Path, required=True, help="where all figures go")
    parser.add_argument("--work", type=Path, default=Path("bga-study"), help="where sets of the twin are drawn")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["optical", "xray"])
    parser.add_argument("--real", type=Path, help="the folder bga_xray_pcba")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--packages", type=int, default=1700, help="of the optical set; six tenths are to learn from")
    parser.add_argument("--xray-packages", type=int, default=700)
    parser.add_argument("--judged-good", type=int, default=400)
    parser.add_argument("--judged-each", type=int, default=20, help="defects of each kind and strength")
    parser.add_argument("--epochs", type=int, help="instead of the presets' own")
    parser.add_argument("--speed", action="store_true", help="time all methods in turn")
    return parser.parse_args(arguments)


def _begun(asked: argparse.Namespace) -> Json:
    command = (
        f"python -m export.families.bga_package.paper_tables --json {asked.json.name} --packages {asked.packages} "
        f"--xray-packages {asked.xray_packages} --judged-good {asked.judged_good} --judged-each {asked.judged_each}"
    ) + (f" --epochs {asked.epochs}" if asked.epochs else "")
    if asked.json.exists():
        before: Json = json.loads(asked.json.read_text("utf-8"))
        if before["command"] != command:
            raise StudyFault(f"{asked.json}: is of another study: {before['command']}, asked for {command}")
        return before
    return {"command": command, "tools": tool_versions(), "sets": {}, "entries": [], "refused": [], "speed": {}}


def _write(content: Json, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}")
    aside.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    aside.replace(file)


if __name__ == "__main__":
    main()
