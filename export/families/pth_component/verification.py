"""Is this the right part? Verification of chip resistors by their printed codes, also codes nobody trained on.

    python -m export.families.pth_component.verification --data smd-resistor-markings --split val

Teaches `best`'s network on the codes of `train` (two good pictures of different codes are the error), then scores the
set's ready pairs with one reference each, as it is and turned by 180 degrees: both are right for a resistor. With
`--bundle` that bundle's graph is measured instead, which was taught on other components.

Pairs of `val` may be looked at while choosing; those of `dev-test` once.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_curve

from edge.board import Floats, Image
from edge.bundle import read_bundle
from edge.families.pth_component import graph_input
from edge.references import Compared, Embedder, approved_pictures, embedded
from edge.scorers import EngineChoice, checked_scores, load_scorer
from export.datasets import DataSet, Row, load_crops, read_data_set
from export.families.pth_component.best_paint import good_picture
from export.families.pth_component.best_teaching import BEST_TRAINING
from export.families.pth_component.best_training import fit_episodes, fit_projection
from export.families.pth_component.contract import contract
from export.families.pth_component.local_features import LocalNet, LocalReference, LocalSizes
from export.families.pth_component.net import INPUT_PX
from export.families.pth_component.painted_errors import Generator
from export.families.pth_component.part_crops import RIM_PX, PartCrops
from export.metrics import auroc, auroc_interval, recall_at_false_call_frac
from export.table_columns import column_of

TURNS_DEG = (0, 180)
FALSE_CALL_FRAC = 0.01
EPOCHS = 3

console = Console()
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pairs of pictures of a split: indices of reference and query into `crops` (M, 128, 128, 3), whether both have one
    code, and whether the query's code is one of `train`'s."""

    crops: Image
    reference: NDArray[np.int64]
    query: NDArray[np.int64]
    same: NDArray[np.bool_]
    known_code: NDArray[np.bool_]


def read_pairs(data: DataSet, split: str) -> Pairs:
    """`pairs_SPLIT.csv`, with the pictures it names."""
    records = list(csv.DictReader((data.folder / f"pairs_{split}.csv").open(encoding="utf-8")))
    by_path = {row.path: row for row in data.rows}
    paths = sorted({r[side] for r in records for side in ("reference", "query")})
    at = {path: i for i, path in enumerate(paths)}
    return Pairs(
        crops=load_crops(data.folder, [by_path[path] for path in paths], INPUT_PX, 1.0),
        reference=np.array([at[r["reference"]] for r in records], np.int64),
        query=np.array([at[r["query"]] for r in records], np.int64),
        same=np.array([r["same"] == "1" for r in records]),
        known_code=np.array([r["marking_in_train"] == "1" for r in records]),
    )


def pair_scores(crops: Image, pairs: Pairs, embedder: Embedder, score: Any) -> Floats:
    """Scores (N,) of the queries against their one reference, allowed to be turned. `score` takes a Compared."""
    approved = embedded(embedder, np.stack([approved_pictures(crop[None], TURNS_DEG) for crop in pairs.crops]))
    return score(Compared(crops[pairs.query], approved[pairs.reference]))


def figures_of(scores: Floats, pairs: Pairs, chosen: NDArray[np.bool_]) -> Figures:
    """Unlike pairs must score above like ones: areas with intervals over queries, equal error rate, recall of unlike
    pairs where 1 % of the like ones are called."""
    like, unlike = chosen & pairs.same, chosen & ~pairs.same
    interval = auroc_interval(scores[like], scores[unlike], pairs.query[like], pairs.query[unlike])
    called, caught, _ = roc_curve(~pairs.same[chosen], scores[chosen])
    return {
        "like": int(like.sum()),
        "unlike": int(unlike.sum()),
        "auroc": auroc(scores[like], scores[unlike]),
        "auroc_lower": interval.lower,
        "auroc_upper": interval.upper,
        "equal_error_frac": float(called[np.argmin(np.abs(called - (1 - caught)))]),
        "recall_at_1_percent": recall_at_false_call_frac(scores[like], scores[unlike], FALSE_CALL_FRAC),
    }


def read_codes(data: DataSet, split: str) -> PartCrops:
    """The pictures of a split as components whose part is their code, all turned upright."""
    rows = data.split(split)
    crops = load_crops(data.folder, rows, INPUT_PX, 1.0)
    upright = np.stack([np.rot90(crop, 2 * _upside_down(row)) for crop, row in zip(crops, rows, strict=True)])
    codes = np.array([row.label for row in rows])
    return PartCrops(
        canvases=np.pad(upright, ((0, 0), (RIM_PX, RIM_PX), (RIM_PX, RIM_PX), (0, 0)), mode="edge"),
        parts=codes,
        classes=codes,
        boxes_px=np.full((len(rows), 2), float(INPUT_PX)),
        wrong_turns=((),) * len(rows),
    )


def teach_codes(data: DataSet, epochs: int, seed: int, *, plain: bool, bfloat16: bool) -> LocalReference:
    """`best`'s network, taught on the codes of `train`."""
    torch.manual_seed(seed)
    scored = LocalReference(LocalNet(plain=plain))
    train, val = read_codes(data, "train"), read_codes(data, "val")
    fit_projection(scored.net, _inputs(train.crops), train.parts)
    settings = replace(BEST_TRAINING, epochs=epochs, bfloat16=bfloat16)
    if epochs:
        fit_episodes(scored, train, val, settings, _inputs, seed, _report, other_code)
    return scored.eval()


def other_code(parts: PartCrops, i: int, rng: Generator) -> Image:
    """A good picture of another code than `i`'s."""
    return good_picture(parts, int(rng.choice(np.flatnonzero(parts.parts != parts.parts[i]))), rng)


class TorchEmbedder:
    """A network as the station's scorer is asked: crops in, embeddings out, and scores of compared crops."""

    def __init__(self, scored: LocalReference) -> None:
        self.scored = scored

    @torch.no_grad()
    def embed(self, crops: Image) -> Floats:
        """(N, 128, 128, 3) uint8 to (N, E)."""
        chunks = [self.scored.embed(torch.from_numpy(_inputs(crops[i : i + 64]))) for i in range(0, len(crops), 64)]
        return torch.cat(chunks).numpy()

    @torch.no_grad()
    def score(self, compared: Compared) -> Floats:
        """Scores (N,)."""
        embedding = torch.from_numpy(self.embed(compared.crops))
        return self.scored.compare(embedding, torch.from_numpy(compared.references))[0].numpy()


def _inputs(crops: Image) -> Floats:
    graph = contract(channels="bgr", normalisation="unit", places=False, variant=LocalSizes())
    return graph_input(np.ascontiguousarray(crops), graph)


def _upside_down(row: Row) -> int:
    return int(column_of(row, "upside_down") == "1")


def _report(epoch: Any) -> None:
    console.print(f"epoch {epoch.epoch}: loss {epoch.train_loss:.3f}, validation {epoch.val_loss:.3f}")


def _table(figures: Figures) -> Table:
    table = Table("codes", "pairs like / unlike", "AUROC (95 %)", "equal error", "recall at 1 % false calls")
    for name, f in figures.items():
        table.add_row(
            name,
            f"{f['like']} / {f['unlike']}",
            f"{f['auroc']:.3f} ({f['auroc_lower']:.3f}–{f['auroc_upper']:.3f})",
            f"{f['equal_error_frac']:.3f}",
            f"{f['recall_at_1_percent']:.3f}",
        )
    return table


def main(
    data: Annotated[Path, typer.Option(help="The folder smd-resistor-markings.")],
    split: str = "val",
    bundle: Annotated[Path | None, typer.Option(help="Measure this bundle instead of teaching a network.")] = None,
    epochs: Annotated[int, typer.Option(min=0, help="0: the closed form alone.")] = EPOCHS,
    seed: int = 0,
    plain: Annotated[
        bool, typer.Option(help="Teach the plain convolutions: printed codes are not in ImageNet.")
    ] = True,
    bfloat16: Annotated[bool, typer.Option(help="Teach in bfloat16.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Same code or not."""
    read = read_data_set(data)
    pairs = read_pairs(read, split)
    if bundle is None:
        network = TorchEmbedder(teach_codes(read, epochs, seed, plain=plain, bfloat16=bfloat16))
        scores = pair_scores(pairs.crops, pairs, network, network.score)
    else:
        scorer = load_scorer(
            read_bundle(bundle), EngineChoice(engine="onnxruntime", precision="fp32", threads=torch.get_num_threads())
        )
        scores = pair_scores(pairs.crops, pairs, scorer, lambda compared: checked_scores(scorer, compared).score)
    figures = {
        "all": figures_of(scores, pairs, np.ones(len(scores), bool)),
        "trained on": figures_of(scores, pairs, pairs.known_code),
        "never trained on": figures_of(scores, pairs, ~pairs.known_code),
    }
    console.print(_table(figures))
    if json_file is not None:
        command = "python -m export.families.pth_component.verification --data smd-resistor-markings --split " + split
        json_file.write_text(json.dumps({"command": command, "split": split, "figures": figures}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
