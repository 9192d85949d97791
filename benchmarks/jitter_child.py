"""The inspection in a process of its own that holds what an inspector process holds and nothing else.

`benchmarks.jitter` runs it: recipe, pictures and how many boards come as JSON on the command line, figures go out as
JSON, a line a board.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from edge.capture.board_file import board_from_file
from edge.clock import SystemClock
from edge.inspection import Inspection
from edge.process import collect_garbage, quiet_garbage
from edge.recipe import read_recipe
from edge.scorers import EngineChoice


def main(job: dict[str, Any]) -> None:
    """Inspect `boards` boards, one each `takt_ms`, and print a line for each: times by stage, resident memory."""
    clock = SystemClock()
    engine = EngineChoice(engine=job["engine"], precision=job["precision"], threads=job["threads"], maps=False)
    inspection = Inspection(read_recipe(Path(job["recipe"])), engine, clock)
    quiet_garbage()
    pictures = [Path(p) for p in job["pictures"]]
    due_ns = time.monotonic_ns()
    for number in range(job["boards"]):
        board = board_from_file(pictures[number % len(pictures)], inspection.reader, clock, board_id=f"B{number}")
        busy_ns = time.process_time_ns()
        verdict = inspection.inspect(board).verdict
        line = {
            "total_ms": verdict.total_ms,
            "processor_ms": (time.process_time_ns() - busy_ns) / 1e6,
            "stages": {s.stage: s.ms for s in verdict.stages},
            "outcome": verdict.outcome.value,
            "decided_ns": verdict.decided_ns,
            "rss_mb": resident_mb(),
        }
        del board, verdict
        collect_garbage()
        print(json.dumps(line), flush=True)
        due_ns += job["takt_ms"] * 1_000_000
        time.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))


def resident_mb() -> float:
    """Resident memory of this process in MB (10**6 bytes), files it maps included."""
    fields = Path("/proc/self/statm").read_text("ascii").split()
    return int(fields[1]) * 4096 / 1e6


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
