"""What bundles for desks of tests are made of, for the workshop's own writer: what no test looks at is filled in."""

from __future__ import annotations

from edge.board import Floats, Image
from edge.bundle import Contract, DataFingerprint, Engine, GraphRecord, Manifest, Parity, model_file
from edge.thresholds import Choice, Threshold, Thresholds
from export.bundle import BundleParts

DATA_SHA256 = "d" * 64


def desk_parts(
    family: str,
    contract: Contract,
    model: bytes,
    golden_batch: Image | Floats,
    golden_scores: Floats,
    threshold: Threshold,
    *,
    engine: Engine = "onnx",
    golden_tolerance: float = 0.001,
) -> BundleParts:
    """A bundle of one plain graph, with what it scores on golden inputs."""
    parity = Parity(
        compared_with="itself",
        n=8,
        max_abs_score_difference=0.0,
        spearman=1.0,
        verdict_agreement_frac=1.0,
        lost_defects=0,
    )
    graph = GraphRecord(file=model_file(engine, "fp32"), parity=parity, golden_tolerance=golden_tolerance)
    return BundleParts(
        manifest=Manifest(
            schema_version=2,
            family=family,
            engine=engine,
            variant="desk/score",
            preset="desk",
            seed=0,
            created_utc="2026-01-01T00:00:00Z",
            contract=contract,
            data=DataFingerprint(name="desk", sha256=DATA_SHA256, n_train=8, n_val=8),
            graphs={"fp32": graph},
            tools={},
            files={},
        ),
        models={"fp32": model},
        thresholds=Thresholds(schema_version=2, tool="test", precisions={"fp32": threshold}),
        golden_batch=golden_batch,
        golden_scores={"fp32": golden_scores},
    )


def unkept(value: float) -> Threshold:
    """A threshold that promises nothing."""
    choice = Choice(
        method="quantile",
        target_false_call_ppm=10_000.0,
        confidence=0.95,
        kept=False,
        shortfall="a test",
        split="val",
        data_sha256=DATA_SHA256,
        n_good=8,
        n_good_units=8,
        n_defect=0,
        false_call_units=0,
        false_call_ppm=0.0,
        false_call_ppm_upper=400_000.0,
    )
    return Threshold(value=value, choice=choice)
