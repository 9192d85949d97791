"""Tables 4 and 5 of "Industrial Visual Defect Inspection of Electronic Components with Siamese Neural Network", figure
by figure as printed (pages 889 to 896 of the proceedings; the text at hand marks no page but the first)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from export.report.published import Paper, PublishedRow, PublishedTable

_HEAD = ("train accuracy", "train precision", "train recall", "val accuracy", "val precision", "val recall")

TABLE_4 = PublishedTable(
    number="4",
    where="section 3.2, Experiments",
    title="the seven of 44 experiments of phase 1 above 70 % validation accuracy (resistors and capacitors)",
    head=("experiment", "layers trained", "batch norm", "normalised", *_HEAD),
    rows=(
        ("1", "67", "no", "no", "0.9995", "0.9991", "1.0", "0.9561", "0.9268", "0.9918"),
        ("2", "91", "yes", "yes", "0.9281", "0.8810", "0.9995", "0.8563", "0.7858", "0.9828"),
        ("3", "91", "yes", "no", "0.9894", "0.9863", "0.9928", "0.7511", "0.6708", "0.9903"),
        ("4", "103", "yes", "yes", "0.9967", "0.9939", "0.9997", "0.7395", "0.6586", "1.0"),
        ("5", "109", "yes", "yes", "0.9990", "0.9981", "1.0", "0.7358", "0.6563", "0.9955"),
        ("6", "108", "no", "no", "1.0", "1.0", "1.0", "0.7072", "0.6314", "1.0"),
        ("7", "108", "yes", "yes", "0.9995", "0.9993", "0.9997", "0.7034", "0.6289", "1.0"),
    ),
)

TABLE_5 = PublishedTable(
    number="5",
    where="section 4, beside the conclusion",
    title="phase 2, one more class of component an experiment; experiment 2 is phase 1's best, run again",
    head=("experiment", "classes", *_HEAD),
    rows=(
        ("1", "Resistor, Capacitor, Capacitor Cerâmico", "0.9855", "0.9727", "1.0", "0.7199", "0.6423", "1.0"),
        ("2", "Resistor, Capacitor", "0.9968", "0.9942", "0.9996", "0.6860", "0.6170", "0.9903"),
        (
            "3",
            "Resistor, Capacitor, Capacitor Cerâmico, Diodo",
            "0.9991",
            "0.9989",
            "0.9993",
            "0.5554",
            "0.5295",
            "1.0",
        ),
    ),
)

BACKBONE = "mobilenetv3_large_100"  # Table 3
METRICS = ("accuracy", "precision", "recall")  # of pairs; the positive class is conformity, not the defect


def setting(layers: int | str, batch_norm: str, normalised: str) -> str:
    """What makes two experiments of Table 4 the same."""
    return f"{layers} layers, BatchNorm {batch_norm}, normalised {normalised}"


def shared_rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a result file for the axes that Table 4 shares with it: those that `paper_tables` wrote of that table,
    means and deviations over seeds of the validation pairs' figures. Other results have no figure of the paper's."""
    rows = [row for row in result.get("rows", ()) if row.get("experiment", {}).get("table") == "4"]
    return [_shared_row(result["data"]["name"], row["experiment"], row["runs"]) for row in rows]


def _shared_row(data: str, experiment: dict[str, Any], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    flags = [("no", "yes")[bool(experiment[name])] for name in ("batch_norm", "normalise")]
    line = setting(experiment["trainable_layers"], *flags)
    own = "" if experiment["backbone"] == BACKBONE else f" ({experiment['backbone']})"
    row: dict[str, Any] = {"data": data, "lane": "pairs", "split": "val", "preset": "paper", "variant": line + own}
    return row | {f"pair_{name}": _spread([run["val"][name] for run in runs]) for name in METRICS}


def _spread(values: Sequence[float]) -> dict[str, float]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "deviation": deviation, "n": len(values)}


PAPER = Paper(
    title="Industrial Visual Defect Inspection of Electronic Components with Siamese Neural Network",
    authors="Warley Barbosa, Lucas Amaral, Tiago Vieira, Bruno Georgevich, Gustavo Melo",
    source="VISIGRAPP 2023, volume 4: VISAPP, pages 889–896; doi 10.5220/0011696400003417",
    data="18,303 pictures of through-hole components from the internet in 12 classes; negatives are made by "
    "augmentation (grey patches, changed regions), so no real defect is in the figures; the set is not public",
    differs="Both decide pairs of pictures, half of them negatives made by augmentation, and the positive class is "
    "conformity: a recall of 1.0 beside a precision of 0.65 is a network that lets half of the defects pass. But the "
    "pictures are others, and so is their number. The paper says itself that its best experiment could not be "
    "reproduced (Table 5, experiment 2). What a line asks, defects caught on boards and good parts called, is in no "
    "table of the paper; it stands below, of this project alone.",
    latent="",
    tables=(TABLE_4, TABLE_5),
    rows=tuple(
        PublishedRow(
            name=setting(*row[1:4]),
            ours=setting(*row[1:4]),
            figures={f"pair_{name}": cell for name, cell in zip(METRICS, row[7:], strict=True)},
        )
        for row in TABLE_4.rows
    ),
)
