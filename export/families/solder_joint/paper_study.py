"""One network of the study of the paper's tables: taught as `boardgate train` teaches it, judged before the constraint
and after it.

The threshold is the 99th percentile of good validation places; dev-test is scored at that frozen threshold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import nn

from edge.board import Floats
from edge.bundle import Contract
from edge.families import FAMILIES as STATION_FAMILIES
from export.collapse import check_collapse
from export.datasets import Row, contract_crops, read_data_set
from export.families import FamilyRecipe, Preset, load_family, one_of
from export.families.solder_joint.paper_figures import Figures, Scored, figures_of
from export.families.solder_joint.presets import OTHER_BETAS
from export.families.solder_joint.teach_autoencoder import learn_constrained, learn_freely
from export.onnx import run_torch
from export.teaching import Samples, TeachingJob
from export.training_record import EpochReport, FitReport
from export.workshop import Trained, TrainRequest, keep, read_samples, seeded, training_settings

FAMILY, SPLIT = "solder_joint", "dev-test"
# Table II's methods and Table III's β. Each is taught once: what it is before the constraint is the plain network of
# the same name, bit for bit what `boardgate train` gives in so many epochs.
KINDS = ("cae", "vae", "beta_vae", *(f"beta_vae_{beta:g}" for beta in OTHER_BETAS))

OnEpoch = Callable[[EpochReport], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is trained and judged. What differs in any of it is another study and another file."""

    data: Path
    table: str | None
    lane: tuple[str, ...]  # filters validation and dev-test alike
    preset: str
    epochs: int
    bfloat16: bool

    def described(self) -> dict[str, object]:
        """For the file; paths of this machine stay out."""
        return {**asdict(self), "data": self.data.resolve().name, "lane": list(self.lane)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One network and what its scores do on dev-test; `refused` says why `boardgate train` would not make a bundle of
    it; its figures are given all the same, as the paper gives them."""

    variant: str
    beta: float
    seed: int
    refused: str = ""
    best_epoch: int = 0
    seconds: float = 0.0
    val_losses: tuple[float, ...] = ()  # one an epoch; with the constraint they are J
    scores: dict[str, Figures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all trainings of a study share: the samples that teach, and dev-test's rows and inputs (N, 3, h, w)."""

    recipe: FamilyRecipe
    preset: Preset
    contract: Contract
    samples: Samples
    rows: tuple[Row, ...]
    inputs: Floats


def read_bench(study: Study) -> Bench:
    """Read and cut everything once. Raises DataFault, UnknownName."""
    recipe = load_family(FAMILY)
    preset = one_of(recipe.PRESETS, study.preset, "preset")
    name = f"{KINDS[0]}_gradcon"  # any: all take the same input
    contract, samples = read_samples(_request(study, name, 0), recipe, preset, preset.variants[name])
    rows = read_data_set(study.data, study.table, study.lane).split(SPLIT)
    crops = contract_crops(study.data, rows, contract)
    inputs = STATION_FAMILIES[FAMILY].graph_input(crops, contract)
    return Bench(recipe=recipe, preset=preset, contract=contract, samples=samples, rows=rows, inputs=inputs)


def entries(
    study: Study, bench: Bench, kind: str, seed: int, checkpoints: Path | None, on_epoch: OnEpoch
) -> list[Entry]:
    """Teach one network, judged before the constraint and after it: the plain entry and the constrained one."""
    name = f"{kind}_gradcon"
    network = seeded(bench.preset.variants[name].build, seed)
    losses: list[float] = []

    def kept(report: EpochReport) -> None:
        losses.append(report.val_loss)
        on_epoch(report)

    job = TeachingJob(
        network=network,
        scored=bench.recipe.scored(network, "gradcon"),
        samples=bench.samples,
        folder=study.data,
        contract=bench.contract,
        settings=training_settings(_request(study, name, seed), bench.preset.training),
        seed=seed,
        on_epoch=kept,
    )
    begun = learn_freely(job)
    plain = _entry(bench, network, kind, seed, begun, losses, faults=_collapsed(bench, network))
    if checkpoints is not None:
        keep(_trained(study, bench, _plain(bench, network, kind), kind, seed), checkpoints / f"{kind}-{seed}")
    taught = learn_constrained(job, begun)
    best = begun.epochs + taught.report.best_epoch
    report = dataclasses.replace(taught.report, best_epoch=best, seconds=begun.seconds + taught.report.seconds)
    constrained = _entry(bench, network, name, seed, report, losses, faults=taught.check.faults)
    if checkpoints is not None:
        keep(_trained(study, bench, network, name, seed), checkpoints / f"{name}-{seed}")
    return [plain, constrained]


def _plain(bench: Bench, network: nn.Module, kind: str) -> nn.Module:
    """The plain network of the same weights: without the averages that the constraint keeps."""
    plain = bench.preset.variants[kind].build()
    state = network.state_dict()
    plain.load_state_dict({name: state[name] for name in plain.state_dict()})
    return plain.eval()


def _entry(
    bench: Bench,
    network: nn.Module,
    variant: str,
    seed: int,
    report: FitReport,
    losses: Sequence[float],
    faults: Sequence[str],
) -> Entry:
    found = {}
    for score in bench.preset.variants[variant].scores:
        module = bench.recipe.scored(network, score)
        val = Scored(rows=bench.samples.val_rows, score=run_torch(module, bench.samples.val).score)
        found[score] = figures_of(val, Scored(rows=bench.rows, score=run_torch(module, bench.inputs).score))
    return Entry(
        variant=variant,
        beta=float(network.beta),  # type: ignore[arg-type]
        seed=seed,
        refused="; ".join(faults),
        best_epoch=report.best_epoch,
        seconds=report.seconds,
        val_losses=tuple(losses),
        scores=found,
    )


def _collapsed(bench: Bench, network: nn.Module) -> list[str]:
    good = bench.samples.val[bench.samples.val_good]
    outputs = run_torch(bench.recipe.scored(network, "recon"), good)
    return check_collapse(train=bench.samples.train, val=good, val_map=outputs.map, val_score=outputs.score).faults


def _request(study: Study, variant: str, seed: int) -> TrainRequest:
    return TrainRequest(
        family=FAMILY,
        data=study.data,
        table=study.table,
        val_where=study.lane,
        preset=study.preset,
        variant=variant,
        seed=seed,
        epochs=study.epochs,
        bfloat16=study.bfloat16,
    )


def _trained(study: Study, bench: Bench, network: nn.Module, variant: str, seed: int) -> Trained:
    return Trained(
        request=_request(study, variant, seed),
        recipe=bench.recipe,
        variant=variant,
        scores=bench.preset.variants[variant].scores,
        network=network,
        contract=bench.contract,
        samples=bench.samples,
    )
