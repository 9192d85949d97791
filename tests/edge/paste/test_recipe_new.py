"""Files that make no recipe of paste are named, each with its own fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.paste.recipe_new import new_paste_recipe
from edge.settings import SettingsFault
from tests.edge.paste.desk import bundle
from tests.edge.readers.files import KOH_YOUNG, NAME, koh_young, title_values

pytestmark = pytest.mark.unit


def test_every_file_is_told_by_its_own_name(tmp_path: Path) -> None:
    bundle(tmp_path / "bundle")
    good = [tmp_path / f"{k}" / NAME for k in range(3)]
    for path, data in zip(good, (b"half", koh_young(), koh_young(title=title_values(job="OTHER-TOP"))), strict=True):
        path.parent.mkdir()
        path.write_bytes(data)
    with pytest.raises(SettingsFault) as caught:
        new_paste_recipe(
            good=good,
            bundle=tmp_path / "bundle",
            out=tmp_path / "recipe",
            recipe_id="desk",
            part_number="P-1",
            verdict_budget_ms=1_000,
            file=KOH_YOUNG,
            cell_mm=1.2,
            wipe_every_boards=5,
        )
    half, other = caught.value.faults
    assert half.startswith(f"{good[0]}: ")
    assert other == f"{good[2]}: program 'OTHER-TOP', the first file has 'QB-17-TOP'"
    assert not (tmp_path / "recipe").exists()
