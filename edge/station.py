"""The settings of one station: `station.toml`, read by all three processes. Relative paths are relative to the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from edge.settings import Settings, read_toml
from edge.settings_text import BoardPattern
from edge.thresholds import EngineName, Precision

TopicId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
PathText = Annotated[str, Field(min_length=1, max_length=4096)]


class CaptureSettings(Settings):
    """The watched folder. A picture is taken once it has stood still and ends as its format says it must."""

    inbox: PathText
    poll_ms: Annotated[int, Field(ge=1, le=1_000)] = 10
    half_file_timeout_ms: Annotated[int, Field(ge=50, le=60_000)] = 2_000  # no growth for so long: broken
    replay_from: PathText | None = None  # recorded pictures to feed into the inbox, one a takt, instead of a machine
    replay_takt_ms: Annotated[int, Field(ge=10, le=600_000)] = 1_000
    board_id_pattern: BoardPattern = r"(?P<board>[A-Za-z0-9_.:-]{1,32})"
    # judged pictures kept for replay
    keep_pictures: Annotated[int, Field(ge=10, le=10_000_000)] = 2_000


class InspectSettings(Settings):
    """What to inspect with, and the processor share it may take."""

    recipe: PathText
    engine: EngineName = "onnxruntime"
    precision: Precision = "fp32"
    threads: Annotated[int, Field(ge=1, le=64)] = 2
    # engine.json, as `boardgate engine` measured it on this device; then it says the three above, for its own bundle
    engine_file: PathText | None = None
    # the processors the inspector keeps to, at least as many as threads; none named: any
    cpus: Annotated[tuple[Annotated[int, Field(ge=0, le=1023)], ...], Field(max_length=64)] = ()
    hold_on_drift: bool = False  # a board that is good while the pictures drift is held instead of passed


class GateSettings(Settings):
    """The gate link and what waits for it."""

    port: PathText  # /dev/serial/by-id/… of the gate hardware
    verdict_ttl_ms: Annotated[int, Field(ge=100, le=600_000)] = 30_000  # a verdict waits so long for its board


class MqttSettings(Settings):
    """The broker. Credentials are files, read at each connect, never part of these settings."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)] = 1883
    protocol: Annotated[str, Field(pattern=r"^(5|3\.1\.1)$")] = "5"
    username: str | None = None
    password_file: PathText | None = None
    ca_file: PathText | None = None  # given: TLS
    certificate_file: PathText | None = None
    key_file: PathText | None = None
    first_connect_spread_s: Annotated[float, Field(ge=0.0, le=600.0)] = 0.0  # a fleet sets 60
    backlog_items_per_s: Annotated[int, Field(ge=1, le=10_000)] = 200


class StationSettings(Settings):
    """`station.toml` as written."""

    site: TopicId
    station: TopicId
    state_dir: PathText
    capture: CaptureSettings
    inspect: InspectSettings
    gate: GateSettings
    mqtt: MqttSettings | None = None  # None: the agent only keeps the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Checked settings with their paths resolved."""

    settings: StationSettings
    file: Path

    def path(self, text: str) -> Path:
        """A path of the settings, absolute."""
        return (self.file.parent / text).resolve()

    @property
    def inbox(self) -> Path:
        """Where the machine drops pictures."""
        return self.path(self.settings.capture.inbox)

    @property
    def state_dir(self) -> Path:
        """Everything the station writes."""
        return self.path(self.settings.state_dir)

    @property
    def journal(self) -> Path:
        """The verdicts. Written by the gate process alone."""
        return self.state_dir / "gate" / "journal.sqlite"

    @property
    def handover_socket(self) -> Path:
        """Where the inspector hands verdicts to the gate process."""
        return self.state_dir / "gate" / "handover.sock"

    @property
    def pictures(self) -> Path:
        """The inspector's own folder: pictures being judged, judged, and set aside."""
        return self.state_dir / "inspector"

    @property
    def agent_dir(self) -> Path:
        """The agent's own folder."""
        return self.state_dir / "agent"

    @property
    def agent_state(self) -> Path:
        """What the consumer has acknowledged. Written by the agent, read by the gate process."""
        return self.agent_dir / "agent.json"


def read_station(path: Path) -> Station:
    """Read `station.toml`. Raises SettingsFault with all faults."""
    return Station(settings=read_toml(path, StationSettings), file=path.resolve())
