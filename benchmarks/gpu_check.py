"""`make gpu-check`: the whole truth on a machine with a GPU, and on one without everything that needs none.

Exit status: 0 all well on a GPU, 1 something is wrong, 4 there is no CUDA device or no TensorRT for it (what could be
checked without is well, and nothing was run on a GPU).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import onnx
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.gpu_measure import ROUNDS, Row, cuda_provider_row, engine_row, seam_row, torch_row
from benchmarks.gpu_subjects import ON_GPU, Subject, bundle_subject, family_subjects
from benchmarks.machine import machine
from edge.bundle import BundleFault, read_bundle
from edge.engine.api import Api, installed_api
from edge.engine.builder import BatchProfile, BuildSettings, build_engine
from edge.engine.cuda import Cuda
from edge.engine.cuda_pycuda import PyCuda
from edge.engine.cuda_runtime import CudaRuntime
from edge.engine.faults import EngineFault, NoDevice
from edge.scorers import EngineChoice, load_scorer

EXIT_WRONG, EXIT_NOT_ON_A_GPU = 1, 4
TENSORRT = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")  # the first is what a station has
RTX = ("tensorrt_rtx", "tensorrt_rtx_bindings")
TARGETS = ((8, 6), (8, 9))  # what TensorRT-RTX can be told to build for that is nearest to Orin and newer chips

DEMO_BUNDLES = sorted((Path(__file__).parents[1] / "export").glob("demo_*bundle"))

BEGIN, END = "<!-- gpu-check -->", "<!-- /gpu-check -->"

_console = Console()


def check(
    subjects: Sequence[Subject],
    bundles: Sequence[Path],
    *,
    cudas: Callable[[], tuple[list[Cuda], str]],
    api: Callable[[], Api],
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """All rows as one object; `not_on_a_gpu` says why where nothing ran on one."""
    found, why_not = cudas()
    rows = {"engine_free": engine_free_rows(subjects, bundles), "seam": [seam_row(cuda) for cuda in found]}
    report: dict[str, Any] = {"machine": machine(), "device": None, "not_on_a_gpu": why_not, **rows, "engines": []}
    if not found:
        return report
    device = found[0].device
    report["device"] = {
        "name": device.name,
        "compute_capability": list(device.compute_capability),
        "memory_bytes": device.memory_bytes,
        "driver_version": device.driver_version,
    }
    report["engines"] = [row for s in subjects for row in _yardsticks(s, rounds)]
    try:
        trt = api()
    except EngineFault as fault:
        report["not_on_a_gpu"] = f"needs_tensorrt: {fault}"
        return report
    report["engines"] += [engine_row(trt, found[0], s, p, rounds) for s in subjects for p in ON_GPU]
    return report


def engine_free_rows(subjects: Sequence[Subject], bundles: Sequence[Path]) -> list[Row]:
    """What needs no GPU: ONNX's checks, golden scores on the processor, TensorRT-RTX's parser and compiler."""
    rows = [_checked_row("onnx", s.name, p, _onnx_check, s.models[p]) for s in subjects for p in s.models]
    for folder in bundles:
        bundle = read_bundle(folder)
        for precision in bundle.precisions:
            name = f"bundle {bundle.manifest.family} {bundle.sha256[:8]}"
            choice = EngineChoice(precision=precision)
            rows.append(_checked_row("golden on the processor", name, precision, load_scorer, bundle, choice))
    try:
        api = installed_api(RTX)
    except EngineFault as fault:
        return [*rows, {"check": "TensorRT-RTX", "ok": True, "skipped": f"needs_rtx: {fault}"}]
    for target in TARGETS:
        settings = BuildSettings(profile=BatchProfile(opt=50, max=64), compute_capability=target)
        name = f"{api.name} {api.version} compiles for sm_{target[0]}{target[1]}"
        rows += [
            _checked_row(name, s.name, p, build_engine, api, s.models[p], settings) for s in subjects for p in s.models
        ]
    return rows


def find_cudas() -> tuple[list[Cuda], str]:
    """Every binding that reaches a device, and why there is none where there is none."""
    found: list[Cuda] = []
    reasons = []
    for binding in (PyCuda, CudaRuntime):
        try:
            found.append(binding())
        except ModuleNotFoundError as err:
            reasons.append(f"{err.name} is not installed")
        except NoDevice as fault:
            reasons.append(str(fault))
    return found, "" if found else f"needs_gpu: {'; '.join(reasons)}"


def wrong_rows(report: dict[str, Any]) -> list[Row]:
    """The rows that are not well."""
    return [row for part in ("engine_free", "seam", "engines") for row in report[part] if not row["ok"]]


def exit_code(report: dict[str, Any]) -> int:
    """See the module's first lines."""
    if wrong_rows(report):
        return EXIT_WRONG
    return EXIT_NOT_ON_A_GPU if report["not_on_a_gpu"] else 0


def tables(report: dict[str, Any]) -> list[Table]:
    """For the terminal."""
    free = Table(title="without a GPU", title_justify="left")
    for column in ("check", "graphs", "well", "skipped"):
        free.add_column(column)
    for name in dict.fromkeys(row["check"] for row in report["engine_free"]):
        rows = [row for row in report["engine_free"] if row["check"] == name]
        ran = [row for row in rows if "skipped" not in row]
        free.add_row(name, str(len(ran)), str(sum(r["ok"] for r in ran)), rows[0].get("skipped", ""))
    engines = Table(title="on the GPU", title_justify="left")
    for column in ("subject", "engine", "precision", "well", "difference", "rank", "1: p50/p99 ms", "50: p50/p99 ms"):
        engines.add_column(column)
    for row in report["engines"]:
        times = row.get("device_ms") or row.get("wall_ms") or {}
        cells = [f"{t['p50']:.3f}/{t['p99']:.3f}" for t in times.values()] or ["", ""]
        well = row.get("skipped") or row.get("fault") or ("yes" if row["ok"] else "no")
        figures = f"{row.get('difference_frac', float('nan')):.1e}", f"{row.get('spearman', float('nan')):.4f}"
        engines.add_row(row["subject"], row["engine"], row["precision"], well, *figures, *cells)
    return [free, engines] if report["engines"] else [free]


def page(report: dict[str, Any]) -> str:
    """The report as the tables of docs/tensorrt.md."""
    ran = [row for row in report["engine_free"] if "skipped" not in row]
    families = list(dict.fromkeys(_family_of(row) for row in ran))
    lines = [
        "| " + " | ".join(["check, without a GPU: graphs well", *(f"`{family}`" for family in families)]) + " |",
        "|---|" + "---:|" * len(families),
    ]
    for name in dict.fromkeys(row["check"] for row in report["engine_free"]):
        cells = [_well([r["ok"] for r in ran if r["check"] == name and _family_of(r) == f]) for f in families]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    if report["not_on_a_gpu"]:
        return "\n".join(
            [*lines, "", f"On a GPU: **not run on a GPU yet** ({report['not_on_a_gpu'].partition(':')[0]})."]
        )
    device = report["device"]
    lines += ["", f"On {device['name']}, p50 / p99 in ms, copies included:", ""]
    lines += [
        "| subject | engine | precision | batch 1 | batch 50 | difference | rank |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["engines"]:
        times = row.get("device_ms") or row.get("wall_ms")
        if times is not None:
            cells = " | ".join(f"{t['p50']:.3f} / {t['p99']:.3f}" for t in times.values())
            figures = f"{row['difference_frac']:.1e} | {row['spearman']:.4f}"
            lines.append(f"| {row['subject']} | {row['engine']} | {row['precision']} | {cells} | {figures} |")
    return "\n".join(lines)


def _well(ok: list[bool]) -> str:
    return f"{sum(ok)} of {len(ok)}" if ok else "skipped"


def _family_of(row: Row) -> str:
    """Of the subject's name: `FAMILY preset score`, or `bundle FAMILY …`."""
    return str(row["subject"].removeprefix("bundle ").partition(" ")[0])


def written_into(text: str, report: dict[str, Any]) -> str:
    """A page with its tables made anew. Raises ValueError where the page has no marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks {BEGIN} … {END}")
    return f"{before}{begin}\n{page(report)}\n{end}{after}"


def main(
    bundle: Annotated[list[Path] | None, typer.Option(help="Bundles besides the demo's; may be repeated.")] = None,
    rounds: Annotated[int, typer.Option(min=10, max=100_000)] = ROUNDS,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    doc_file: Annotated[Path | None, typer.Option("--page", help="Write the tables into this page.")] = None,
) -> None:
    """Build and run every family and bundle at FP32, FP16 and INT8 on this machine's GPU; without one, check the rest.

    Example: python -m benchmarks.gpu_check --json out/gpu_check.json
    """
    bundles = [*DEMO_BUNDLES, *(bundle or [])]
    subjects = [*family_subjects(), *(bundle_subject(folder) for folder in bundles)]
    report = check(subjects, bundles, cudas=find_cudas, api=lambda: installed_api(TENSORRT), rounds=rounds)
    for table in tables(report):
        _console.print(table)
    for row in wrong_rows(report):
        _console.print(f"[red]wrong:[/red] {row}", highlight=False, soft_wrap=True)
    if report["not_on_a_gpu"]:
        _console.print(f"[yellow]not run on a GPU:[/yellow] {report['not_on_a_gpu']}", highlight=False, soft_wrap=True)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n")
    if doc_file is not None:
        doc_file.write_text(written_into(doc_file.read_text("utf-8"), report), "utf-8")
    raise typer.Exit(exit_code(report))


def _yardsticks(subject: Subject, rounds: int) -> list[Row]:
    return [*(cuda_provider_row(subject, p, rounds) for p in ON_GPU), torch_row(subject, rounds)]


def _checked_row(check_name: str, subject: str, precision: str, run: Callable[..., object], *values: object) -> Row:
    row: Row = {"check": check_name, "subject": subject, "precision": precision}
    try:
        run(*values)
    except (EngineFault, BundleFault, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as fault:
        return {**row, "ok": False, "fault": str(fault)}
    return {**row, "ok": True}


def _onnx_check(model: bytes) -> None:
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)


if __name__ == "__main__":
    typer.run(main)
