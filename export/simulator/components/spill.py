"""Which good components a stray one lies over: a part that fell or leans hides its neighbour.

Such a neighbour is neither good nor wrong to look at; tables call it 'occluded', which data sets leave out and count.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import cv2
import numpy as np

from export.simulator.components.errors import Standing
from export.simulator.components.layout import ComponentLayout, Site, turned

OCCLUDED = "occluded"
_HIDDEN_FRAC = 0.03  # of the neighbour's box: less is a touch at the rim

Rectangle = tuple[tuple[float, float], tuple[float, float], float]  # centre, size in mm, angle in degrees


def occluded_sites(
    layout: ComponentLayout, standings: Mapping[str, Standing], erring: Collection[str]
) -> frozenset[str]:
    """The sites without an error of their own that an erring site's part covers by more than a rim."""
    stray = [found for site in layout.sites if site.refdes in erring for found in _bodies(site, standings[site.refdes])]
    return frozenset(
        site.refdes
        for site in layout.sites
        if site.refdes not in erring and any(_hidden_frac(site, body) > _HIDDEN_FRAC for body in stray)
    )


def _bodies(site: Site, standing: Standing) -> list[Rectangle]:
    """A part's outline on the board, and that of its top where it leans."""
    if standing.part is None:
        return []
    length, width = standing.part.extent_mm
    height = standing.part.look.height_mm
    size = (height + 7.0, max(length, width)) if standing.fallen else (length, width)
    x, y = site.x_mm + standing.dx_mm, site.y_mm + standing.dy_mm
    up = np.array(turned(1.0, 0.0, standing.angle_deg + standing.tilt_towards_deg))
    lean = height * math.sin(math.radians(standing.tilt_deg)) * up
    return [((x, y), size, standing.angle_deg), ((x - lean[0], y - lean[1]), size, standing.angle_deg)]


def _hidden_frac(site: Site, body: Rectangle) -> float:
    width_mm, height_mm = site.size_mm
    how, corners = cv2.rotatedRectangleIntersection(((site.x_mm, site.y_mm), (width_mm, height_mm), 0.0), body)
    if how == cv2.INTERSECT_NONE or corners is None:
        return 0.0
    return float(cv2.contourArea(cv2.convexHull(corners))) / (width_mm * height_mm)
