"""The methods of the study, each as a function of crops: the line to beat, the paper's autoencoder, `best`, the rules.

All judge one package at a time from its BGR picture, as a station does, and are timed so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from torch import nn

from edge.board import Floats, Image
from edge.bundle import EMBEDDING, REFERENCES, Contract
from edge.families.bga_package import graph_input
from edge.scorers.package_rules import score_pictures
from edge.scorers.package_rules_file import N_PARAMETERS
from export.approved import Approved, approved_of
from export.datasets import TRAIN_SPLIT, read_data_set
from export.families.bga_package.contract import contract
from export.families.bga_package.linear import cosine_scores, fit_line
from export.families.bga_package.presets import PRESETS
from export.families.bga_package.recipe import scored
from export.families.bga_package.study_data import Labels, StudySet
from export.graph_inputs import onnx_session
from export.onnx import onnx_from_torch
from export.onto_reference import Onto
from export.package_rules import fitted, rules_contract
from export.workshop import TrainRequest, keep, seeded, train, trained_before

FAMILY = "bga_package"
CROPS = "crops"
RULES_VARIANT = "good_only"  # as all methods here: no defect is learned from


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a method says of N crops: `score` (N,), and of those that do `map` (N, m, m) and `kind` (N, K)."""

    score: Floats
    map: Floats | None = None
    kind: Floats | None = None


Judge = Callable[[Image, Labels], Answers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method that has learned. `judge` takes crops (N, 256, 256, 3) and their part numbers (N,), which those that
    compare nothing do not look at. `parameters` are those that a person must set for it."""

    name: str
    seed: int
    parameters: int
    judge: Judge
    kinds: tuple[str, ...] = ()
    seconds: float = 0.0  # of its training


def line_method(data: StudySet, seed: int = 0) -> Method:
    """48 components and the cosine; the same for every seed."""
    paper = PRESETS["paper"]
    agreed = contract(
        channels=paper.channels, normalisation=paper.normalisation, places=True, variant=paper.variants["vae"]
    )
    line = fit_line(graph_input(data.train, agreed))
    return Method(
        name="PCA-48",
        seed=seed,
        parameters=0,
        judge=lambda crops, parts: Answers(score=cosine_scores(line, graph_input(crops, agreed))),
    )


def trained_method(
    data: StudySet, preset: str, variant: str, seed: int, checkpoints: Path, epochs: int | None = None
) -> Method:
    """A preset's network, trained by the workshop and run as a graph on one thread; what lies in `checkpoints` is not
    trained again. Raises TrainingFault, CheckpointFault."""
    folder = checkpoints / f"{data.name}-{preset}-{variant}-{seed}"
    if folder.is_dir():
        trained = trained_before(folder, data.folder)
    else:
        request = TrainRequest(
            family=FAMILY,
            data=data.folder,
            table=data.table,
            preset=preset,
            variant=variant,
            seed=seed,
            epochs=epochs,
            bfloat16=True,
        )
        trained = train(request)
        keep(trained, folder)
    judge = judge_of(scored(trained.network, trained.scores[0]), trained.contract, data.folder, data.table)
    seconds = 0.0 if trained.report is None else trained.report.seconds
    return Method(
        name=f"{preset}/{variant}",
        seed=seed,
        parameters=0,
        judge=judge,
        kinds=trained.contract.kinds,
        seconds=seconds,
    )


def untrained_method(data: StudySet, preset: str, variant: str) -> Method:
    """A preset's network as it begins: what it costs does not depend on its weights. Pictures stay as they are: what
    registers them takes its time whatever judges them."""
    row, made = PRESETS[preset], PRESETS[preset].variants[variant]
    agreed = contract(channels=row.channels, normalisation=row.normalisation, places=False, variant=made)
    module = scored(seeded(made.build, 0), made.scores[0])
    judge = judge_of(module, agreed, data.folder, data.table, bring=False)
    return Method(name=f"{preset}/{variant}", seed=0, parameters=0, judge=judge, kinds=agreed.kinds)


def judge_of(
    module: nn.Module, agreed: Contract, folder: Path, table: str | None = None, *, bring: bool = True
) -> Judge:
    """A scored network as a graph that judges one package at a time on one thread; where it compares, beside the
    approved pictures of the data set in `folder`, brought onto the first of them if asked to. Raises DataFault."""
    session = onnx_session(onnx_from_torch(module, agreed), 1)
    names = [output.name for output in agreed.scored]
    approved = approved_of(read_data_set(folder, table), agreed)
    beside = {} if approved is None else _beside(session, approved, agreed)

    def judge(crops: Image, parts: Labels) -> Answers:
        answers = []
        for k in range(len(crops)):
            crop, feeds = crops[k], {}
            if beside:
                onto, feeds[REFERENCES] = beside[str(parts[k])]
                crop = onto.brought(crop) if bring else crop
            feeds[CROPS] = graph_input(crop[None], agreed)
            answers.append(session.run(names, feeds))
        found = {name: np.concatenate([one[i] for one in answers]) for i, name in enumerate(names)}
        return Answers(score=found["score"], map=found.get("map"), kind=found.get("kind"))

    return judge


def _beside(session: InferenceSession, approved: Approved, agreed: Contract) -> dict[str, tuple[Onto, Floats]]:
    """Of each part number, as a station has it from its recipe: what brings pictures onto the first approved one, and
    all approved ones embedded by the graph itself, (1, K, E)."""
    nothing = np.zeros((1, *agreed.inputs[1].shape[1:]), np.float32)
    found = {}
    for part, pictures in zip(approved.parts, approved.crops, strict=True):
        lying = graph_input(pictures, agreed)
        embedded = [session.run([EMBEDDING], {CROPS: one[None], REFERENCES: nothing})[0] for one in lying]
        found[part] = Onto(pictures[0]), np.stack(embedded, axis=1)
    return found


def rules_method(data: StudySet, seed: int = 0) -> Method:
    """The classical inspector, its limits fitted to the same good packages; the same for every seed. Raises RulesFault
    where its looks find no grid on most of them."""
    read = read_data_set(data.folder, data.table)
    rows = read.normals(TRAIN_SPLIT)
    agreed = rules_contract(places=data.table is not None, variant=RULES_VARIANT)
    rules = fitted(rows, data.train, (), data.train[:0], agreed, RULES_VARIANT)

    def judge(crops: Image, parts: Labels) -> Answers:
        found = score_pictures(crops, rules)
        return Answers(score=found.score, map=found.map, kind=found.kind)

    return Method(name="rules", seed=seed, parameters=N_PARAMETERS, judge=judge, kinds=agreed.kinds)
