"""What every workshop command shares: consoles, exit codes, and how known faults are told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer
from rich.console import Console

from calibration.faults import CalibrationFault
from edge.bundle import BundleFault
from edge.scorers.fault import ScorerFault
from export.faults import WorkshopFault

EXIT_REFUSED = 1  # the work was done and the answer is no: collapsed, broken bundle, unusable data
EXIT_NOT_INSTALLED = 3  # 2 is the command line's own, as typer and click have it
TRAIN_EXTRA = frozenset({"torch", "onnx", "onnxscript", "sklearn", "scipy", "statsmodels", "matplotlib", "jinja2"})

console = Console()
errors = Console(stderr=True)


@contextlib.contextmanager
def known_faults() -> Iterator[None]:
    """Known faults become one line on stderr and an exit code; anything else keeps its traceback."""
    try:
        yield
    except ModuleNotFoundError as err:
        if (err.name or "").partition(".")[0] not in TRAIN_EXTRA:
            raise
        errors.print(
            f"[red]not installed:[/red] {err.name}: this command needs the extra 'train' of boardgate",
            highlight=False,
        )
        raise typer.Exit(EXIT_NOT_INSTALLED) from None
    except (WorkshopFault, CalibrationFault, BundleFault, ScorerFault) as fault:
        errors.print(f"[red]refused:[/red] {fault}", highlight=False, markup=True)
        raise typer.Exit(EXIT_REFUSED) from None
