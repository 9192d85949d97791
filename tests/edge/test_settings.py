"""Settings files: all faults at once, each with file, field, what came and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.settings import SettingsFault
from edge.station import read_station

pytestmark = pytest.mark.unit

GOOD = """
site = "plant-a"
station = "aoi-1"
state_dir = "state"
[capture]
inbox = "inbox"
[inspect]
recipe = "recipe"
[gate]
port = "/dev/serial/by-id/gate"
"""


def station(folder: Path, text: str) -> Path:
    file = folder / "station.toml"
    file.write_text(text)
    return file


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    found = read_station(station(tmp_path, GOOD))
    assert found.inbox == tmp_path / "inbox"
    assert found.journal == tmp_path / "state/gate/journal.sqlite"
    assert found.path(found.settings.gate.port) == Path("/dev/serial/by-id/gate")
    assert found.settings.mqtt is None


def test_all_faults_are_reported_together(tmp_path: Path) -> None:
    text = GOOD.replace('site = "plant-a"', 'site = "Plant A"').replace(
        'inbox = "inbox"', 'inbox = "inbox"\npoll_ms = 0\npol_ms = 5\nboard_id_pattern = "("'
    )
    with pytest.raises(SettingsFault) as fault:
        read_station(station(tmp_path, text + '[mqtt]\nhost = "h"\nport = "1883"\nprotocol = "4"\n'))
    said = str(fault.value)
    assert len(fault.value.faults) == 6
    assert "station.toml site: " in said
    assert "capture.poll_ms: Input should be greater than or equal to 1 (got 0)" in said
    assert "capture.pol_ms: unknown key (did you mean poll_ms?)" in said
    assert "capture.board_id_pattern: Value error, not a regular expression" in said
    assert "mqtt.port: Input should be a valid integer" in said
    assert "mqtt.protocol: " in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("site = ", "not TOML"),
        ("", "site: Field required"),
        (GOOD.replace('port = "/dev/serial/by-id/gate"', ""), "gate.port: Field required"),
        (GOOD.replace('"inbox"', '"inbox"\nboard_id_pattern = "[A-Z]+"'), "must hold a group"),
        (GOOD.replace('"inbox"', '"inbox"\nhalf_file_timeout_ms = nan'), "half_file_timeout_ms"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsFault, match=says):
        read_station(station(tmp_path, text))


def test_files_that_are_not_text(tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    with pytest.raises(SettingsFault, match="cannot be read"):
        read_station(file)
    file.write_bytes(b"\xff\xfe site")
    with pytest.raises(SettingsFault, match="not UTF-8"):
        read_station(file)
    file.write_bytes(b"#" * (5 * 1024 * 1024))
    with pytest.raises(SettingsFault, match="larger than"):
        read_station(file)
