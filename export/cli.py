"""The workshop's commands. The station's command line merges these in when the `train` extra is there."""

from __future__ import annotations

import typer

from export.commands.calibrate import calibrate, recalibrate
from export.commands.evaluate import evaluate, report
from export.commands.msa import app as msa
from export.commands.namer import namer
from export.commands.parity import parity
from export.commands.train import export, train
from export.commands.twin import twin
from export.paste_files.command import paste_summary

app = typer.Typer(no_args_is_help=True, add_completion=False)
for command in (train, export, calibrate, recalibrate, evaluate, report, parity, namer, twin, paste_summary):
    app.command()(command)
app.add_typer(msa, name="msa")
