"""Data sets for the net that compares: approved pictures of every part number, and crops that lie as they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.bundle import Contract  # noqa: E402
from export.approved import approved_of, as_compared  # noqa: E402
from export.datasets import read_data_set  # noqa: E402
from export.families.bga_package.contract import contract  # noqa: E402
from export.families.bga_package.presets import PRESETS  # noqa: E402
from export.inputs import contract_inputs  # noqa: E402
from export.simulator.xray.packages.grid import OPTICAL_TYPES  # noqa: E402
from export.simulator.xray.packages.sets import REFERENCES_PER_TYPE, write_package_set  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]


def agreed(variant: str) -> Contract:
    row = PRESETS["best"].variants[variant]
    return contract(channels="grey", normalisation="frac", places=False, variant=row)


def test_crops_lie_as_the_first_approved_picture_of_their_part_number(tmp_path: Path) -> None:
    write_package_set(tmp_path, 20, 5, "optical", defect_rate=0.0, types=OPTICAL_TYPES[:4])
    data = read_data_set(tmp_path)
    approved = approved_of(data, agreed("compared"))
    assert approved is not None
    assert approved.parts == OPTICAL_TYPES[:4]  # those that training never sees, too
    pictures = {picture.tobytes() for picture in approved.crops[0]}
    assert len(pictures) == REFERENCES_PER_TYPE
    rows = data.split("dev-test")
    cut = np.asarray(contract_inputs(tmp_path, rows, agreed("compared")), np.uint8)
    lying = np.asarray(as_compared(approved, cut, rows), np.uint8)
    first = approved.crops[approved.indices(rows), 0].astype(float)
    apart = [np.abs(crops - first).mean() for crops in (lying, cut)]
    assert apart[0] < 0.85 * apart[1]
    assert approved_of(data, agreed("places")) is None
    np.testing.assert_array_equal(as_compared(None, cut, rows), cut)


def test_what_compares_nothing_has_nothing_to_lie_as() -> None:
    fields = agreed("places").model_dump()
    with pytest.raises(ValidationError, match="onto_approved"):
        Contract.model_validate({**fields, "onto_approved": True})
