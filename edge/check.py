"""`boardgate check`: what is this file, and what is wrong with it. All faults at once, never the first alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.bundle import BundleFault, read_bundle
from edge.clock import SystemClock
from edge.inspections import AnyRecipe, bundles_of, inspection_of, open_recipe
from edge.scorers import EngineChoice, load_scorer
from edge.settings import SettingsFault
from edge.station import read_station


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a file was taken for, and its faults."""

    what: str
    faults: list[str]


def check_file(path: Path) -> Checked:
    """Check one station file, recipe (file or folder) or bundle folder, down to what it names."""
    if (path / "manifest.json").exists() or (path / "bundle.sha256").exists():
        return _check_bundle(path)
    if path.name == "recipe.toml" or (path / "recipe.toml").exists():
        return _check_recipe(path)
    if path.suffix == ".toml":
        return _check_station(path)
    why = "neither a station file (*.toml), nor a recipe (recipe.toml), nor a bundle (manifest.json)"
    return Checked(what="unknown", faults=[f"{path}: {why}" if path.exists() else f"{path}: does not exist"])


def _check_bundle(path: Path) -> Checked:
    try:
        bundle = read_bundle(path)
        for precision in bundle.precisions:
            load_scorer(bundle, EngineChoice(precision=precision, threads=1))
    except BundleFault as fault:
        return Checked(what="bundle", faults=str(fault).splitlines())
    threshold = bundle.threshold()
    return Checked(
        what=f"bundle {bundle.sha256[:12]}, {bundle.manifest.family} {bundle.manifest.variant}, threshold "
        f"{threshold.value:.4g} from {threshold.choice.n_good} good and {threshold.choice.n_defect} defective, "
        f"{', '.join(bundle.precisions)}: golden crops agree",
        faults=[],
    )


def _check_recipe(path: Path) -> Checked:
    try:
        recipe = open_recipe(path)
    except SettingsFault as fault:
        return Checked(what="recipe", faults=fault.faults)
    faults = _bundle_faults(recipe)
    n_places = 0
    if not faults:
        try:
            n_places = inspection_of(recipe, EngineChoice(threads=1), SystemClock()).judged.n_regions
        except BundleFault as fault:
            faults = str(fault).splitlines()
    what = f"recipe {recipe.settings.id}, {n_places} places, sees its own reference"
    return Checked(what=what, faults=faults)


def _bundle_faults(recipe: AnyRecipe) -> list[str]:
    faults = []
    for ref in bundles_of(recipe).values():
        try:
            read_bundle((recipe.folder / ref.path).resolve(), ref.sha256)
        except BundleFault as fault:
            faults += str(fault).splitlines()
    return faults


def _check_station(path: Path) -> Checked:
    try:
        station = read_station(path)
    except SettingsFault as fault:
        return Checked(what="station", faults=fault.faults)
    faults = list(_check_recipe(station.path(station.settings.inspect.recipe)).faults)
    if not station.path(station.settings.gate.port).exists():
        faults.append(f"{path} gate.port: {station.path(station.settings.gate.port)} does not exist (gate plugged in?)")
    mqtt = station.settings.mqtt
    for field in ("password_file", "ca_file", "certificate_file", "key_file"):
        named = getattr(mqtt, field) if mqtt is not None else None
        if named is not None and not station.path(named).is_file():
            faults.append(f"{path} mqtt.{field}: {station.path(named)} does not exist")
    return Checked(what=f"station {station.settings.site}/{station.settings.station}", faults=faults)
