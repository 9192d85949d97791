"""What a person reads about the gate link: the state tables of the README, and the dump."""

import subprocess
import sys
from pathlib import Path

import pytest

from firmware_bridge import dump, frames, gate, host
from firmware_bridge.frames import Frame, VerdictCode, encode
from firmware_bridge.host_events import Event
from firmware_bridge.statetable import markdown

pytestmark = pytest.mark.unit

README = Path(gate.__file__).parent / "README.md"


@pytest.mark.parametrize("transitions", [host.TRANSITIONS, gate.TRANSITIONS], ids=["host", "gate"])
def test_the_readme_shows_the_transitions_of_the_code(transitions: dict) -> None:
    assert markdown(transitions) in README.read_text(encoding="utf-8")


def test_the_readme_names_every_frame_event_and_command() -> None:
    text = README.read_text(encoding="utf-8")
    from firmware_bridge.peers.gate import SimulatedGate  # noqa: PLC0415  the pure part of this file needs no pty

    missing = [kind.name for kind in frames.FrameType if kind.name not in text]
    missing += [event.__name__ for event in Event.__args__ if event.__name__ not in text]
    missing += [name for name in SimulatedGate._COMMANDS if f'"{name}"' not in text]
    assert missing == []


def test_the_dump_shows_frames_and_names_what_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = frames.Verdict(token=42, code=VerdictCode.PASS, reason=0, verdict_seq=7)
    wire = encode(Frame(session=9, seq=12, ack=3, body=body))
    broken = wire[:-3] + bytes([wire[-3] ^ 0x80 or 1]) + wire[-2:]
    status = frames.Status(
        inputs=frames.Inputs.BOARD_PRESENT | frames.Inputs.PLC_ACK,
        outputs=frames.Outputs.NONE,
        state=frames.GateState.TRIPPED,
        nonce=1,
        trip=frames.TripReason.LINK_LOSS,
    )
    captured = tmp_path / "line.bin"
    captured.write_bytes(wire + broken + encode(Frame(session=9, seq=1, ack=0, body=status)) + b"half")
    assert dump.main([str(captured)]) == 1
    first, second, third, fourth = capsys.readouterr().out.splitlines()
    assert first.split()[:2] == ["0", "VERDICT"]
    assert "session=9 seq=12 ack=3 token=0x0000002a code=PASS reason=0 verdict_seq=7" in first
    assert second.split()[:3] == ["30", "bad", "crc:"]
    assert "inputs=BOARD_PRESENT+PLC_ACK outputs=none state=TRIPPED" in third
    assert "unfinished: 68 61 6c 66" in fourth


def test_the_dump_of_good_bytes_succeeds_and_a_missing_file_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good.bin"
    good.write_bytes(encode(Frame(session=1, seq=1, ack=1, body=frames.Query())))
    assert dump.main([str(good)]) == 0
    assert dump.main([str(tmp_path / "none.bin")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_bridge_runs_without_the_station_and_without_numpy() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['numpy', 'torch', 'edge', 'cv2', 'pydantic'], None)); "
        "import firmware_bridge.host, firmware_bridge.peers.gate, firmware_bridge.dump, firmware_bridge.links"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=README.parent.parent)
