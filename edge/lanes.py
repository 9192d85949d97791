"""A lane: the places of one recipe that one bundle scores, with what scores them and what they are compared with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge.board import Finding, Floats, Image, Region
from edge.bundle import Bundle, BundleFault, Contract, read_bundle
from edge.engine.fallback import load_with_fallback
from edge.place_crops import Seen, cut_places, laid_fault
from edge.recipe import Place, Recipe
from edge.references import Compared, Scorable, embedded, takes_references
from edge.register import Registration
from edge.scorers import EngineChoice, ScoreBatch, Scorer, ScorerFault, load_scorer
from edge.thresholds import Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The places of one recipe that one bundle scores."""

    bundle: Bundle
    scorer: Scorer
    threshold: Threshold
    places: tuple[Place, ...]
    crops: Image  # (places, crop_px, crop_px, 3) uint8, filled anew for every board
    references: Floats | None  # (places, K, E), what each is compared with; None where the family compares nothing


def load_lanes(recipe: Recipe, engine: EngineChoice) -> tuple[Lane, ...]:
    """A lane for each bundle of a recipe, engines loaded and golden crops checked. Raises BundleFault."""
    lanes = []
    for name, ref in recipe.settings.bundles.items():
        bundle = read_bundle(recipe.bundle_folder(name), ref.sha256)
        if fault := laid_fault(bundle.manifest.contract, recipe.settings.registration):
            raise BundleFault(f"{recipe.folder} {name}: {fault}")
        places = recipe.places_of(name)
        maps = engine.maps or bool(bundle.manifest.contract.kinds)  # who says which kind says where, too
        loaded = load_with_fallback(bundle, replace(engine, maps=maps), load=load_scorer)
        threshold = bundle.threshold(loaded.choice.precision)
        for place in places:
            where = f"{recipe.folder} {place.refdes}-{place.pin}"
            check_stricter(where, place.threshold, threshold.of_part(place.part_number))
        side_px = bundle.manifest.contract.crop_px
        crops = np.zeros((len(places), side_px, side_px, 3), np.uint8)
        lanes.append(
            Lane(
                bundle=bundle,
                scorer=loaded.scorer,
                threshold=threshold,
                places=places,
                crops=crops,
                references=_references(recipe, bundle, loaded.scorer, places),
            )
        )
    return tuple(lanes)


def _references(recipe: Recipe, bundle: Bundle, scorer: Scorer, places: tuple[Place, ...]) -> Floats | None:
    """What each place is compared with, (places, K, E), by this device's own engine. Raises BundleFault."""
    if not takes_references(bundle.manifest.contract):
        return None
    side_px = bundle.manifest.contract.crop_px
    for place in places:
        name = f"{recipe.folder} {place.refdes}-{place.pin}".rstrip("-")
        if place.part_number not in recipe.approved:
            raise BundleFault(
                f"{name}: part_number {place.part_number!r} has no approved pictures in the recipe's parts"
            )
        if (got := recipe.approved[place.part_number].shape[1]) != side_px:
            raise BundleFault(f"{name}: its approved pictures are {got} px wide, the bundle takes {side_px}")
    parts = sorted({place.part_number for place in places})
    try:
        vectors = embedded(scorer, np.stack([recipe.approved[part] for part in parts]))
    except ScorerFault as fault:
        raise BundleFault(f"{recipe.folder}: approved pictures: {fault}") from fault
    return vectors[[parts.index(place.part_number) for place in places]]


def compared(lane: Lane, seen: Seen, crops: Image) -> Scorable:
    """The crops (n, h, w, 3) of the places in view, with what each is compared with."""
    if lane.references is None:
        return crops
    if len(seen) == len(lane.places):
        return Compared(crops, lane.references)
    in_view = {id(place) for place, *_ in seen}
    return Compared(crops, lane.references[[id(place) in in_view for place in lane.places]])


def check_stricter(where: str, own: float | None, limit: float) -> None:
    """A recipe may tighten a bundle's threshold; a looser one has no evidence. Raises BundleFault."""
    if own is not None and own > limit:
        raise BundleFault(
            f"{where} threshold: {own} is looser than the bundle's {limit:.6g}, which is the one with evidence: "
            "calibrate a bundle instead"
        )


def regions_of(lane: Lane, seen: Seen) -> tuple[Region, ...]:
    """The places in view as regions, each with its threshold."""
    return tuple(
        Region(
            refdes=place.refdes,
            pin=place.pin,
            x_px=x_px,
            y_px=y_px,
            side_px=side_px,
            threshold=lane.threshold.of_part(place.part_number) if place.threshold is None else place.threshold,
        )
        for place, x_px, y_px, side_px in seen
    )


def findings_of(contract: Contract, regions: tuple[Region, ...], scored: ScoreBatch) -> list[Finding]:
    """The scores as findings; a defect is of the kind that shows most, where the graph tells kinds apart, and shows
    where the map is highest."""
    found = [Finding(region=r, score=float(s)) for r, s in zip(regions, scored.score, strict=True)]
    if scored.kind is None:
        return found
    strongest = scored.kind.argmax(axis=1)
    for k, one in enumerate(found):
        if one.is_defect:
            at = None if scored.map is None else _peak(one.region, scored.map[k])
            found[k] = replace(one, kind=contract.kinds[strongest[k]], seen_at_px=at)
    return found


def _peak(region: Region, heat: Floats) -> tuple[float, float]:
    """Where in the picture a region's map (h, w) is highest."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    x, y = ((float(k) + 0.5) / n - 0.5 for k, n in ((column, heat.shape[1]), (row, heat.shape[0])))
    return region.x_px + x * region.side_px, region.y_px + y * region.side_px


def crops_of_lane(lane: Lane, image: Image, registration: Registration, seen: Seen) -> Image:
    """The crops of the places in view, in the lane's buffer: good until the next board."""
    return cut_places(image, registration, seen, lane.bundle.manifest.contract, lane.crops[: len(seen)])
