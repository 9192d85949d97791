"""The picture a person looks at: every scored place boxed, defects named with score and threshold, the verdict above.

The banner is added above the board, so that nothing written ever hides a joint or runs into the banner. Drawing only:
decides nothing, reads no file.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Finding, Image, Outcome, PrinterFault, Reason, Verdict

Colour = tuple[int, int, int]  # BGR

TITLE = {Outcome.PASS: "PASS", Outcome.FAIL: "FAIL", Outcome.UNDECIDED: "HELD"}
BANNER: dict[Outcome, Colour] = {
    Outcome.PASS: (50, 130, 30),
    Outcome.FAIL: (40, 30, 190),
    Outcome.UNDECIDED: (0, 120, 210),
}
GOOD: Colour = (90, 210, 60)
DEFECT: Colour = (40, 30, 230)
PRINTER: Colour = (0, 215, 255)
WHITE: Colour = (255, 255, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX
SMALL_SIDE_PX = 36.0  # joints smaller than this are enlarged: their boxes would be hidden by their own names
ENLARGED_MAX_PX = 1_500  # longest side of a picture that is still enlarged
MAX_BANNER_LINES = 4
MAP_WEIGHT = 0.45
MAX_NAMED = 16  # the worst defects have their names beside them; more names would hide the board …
CROWDED, CROWD_NAMED = 40, 4  # … and of so many, so few


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    """A rectangle in pixels, corners included."""

    x0: int
    y0: int
    x1: int
    y1: int

    def overlaps(self, other: _Box) -> bool:
        """Whether the two share a pixel."""
        return self.x0 <= other.x1 and other.x0 <= self.x1 and self.y0 <= other.y1 and other.y0 <= self.y1

    def within(self, width: int, height: int) -> bool:
        """Whether it lies whole in a picture."""
        return self.x0 >= 0 and self.y0 >= 0 and self.x1 < width and self.y1 < height


def annotate(image: Image, verdict: Verdict, maps: NDArray[np.float32] | None = None) -> Image:
    """The board (h, w, 3) uint8 BGR with its verdict drawn on a copy; higher by the banner, and twice as large where
    joints are small.

    `maps` (n, h, w) float32 in the findings' order tints the defects by where their score comes from.
    """
    factor = _enlargement(image, verdict)
    height, width = image.shape[0] * factor, image.shape[1] * factor
    board: Image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    scale = float(np.clip(min(width, height) / 1500, 0.45, 3.0))
    boxes = [_square(f, factor) for f in verdict.findings]
    if maps is not None and len(maps) == len(boxes):
        _tint_defects(board, verdict, boxes, maps)
    thin, thick = max(1, round(scale)), max(2, round(min(width, height) / 400))
    for finding, box in zip(verdict.findings, boxes, strict=True):
        if not finding.is_defect:
            cv2.rectangle(board, (box.x0, box.y0), (box.x1, box.y1), GOOD, thin)
    for finding, box in zip(verdict.findings, boxes, strict=True):
        if finding.is_defect:  # over the good ones, whose boxes reach into its own
            cv2.rectangle(board, (box.x0, box.y0), (box.x1, box.y1), DEFECT, thick)
    if verdict.printer_fault is not None:
        _mark_printer_fault(board, verdict.printer_fault, factor, scale)
    for finding in verdict.defects:
        if finding.seen_at_px is not None:
            x, y = (round(value * factor) for value in finding.seen_at_px)
            cv2.circle(board, (x, y), max(6, round(14 * scale)), DEFECT, max(1, round(2 * scale)), cv2.LINE_AA)
    _name_defects(board, verdict, boxes, scale)
    return np.vstack([_banner(verdict, width, max(scale, 0.5)), board])


def _enlargement(image: Image, verdict: Verdict) -> int:
    sides = [f.region.side_px for f in verdict.findings]
    small = bool(sides) and float(np.median(sides)) < SMALL_SIDE_PX
    return 2 if small and max(image.shape[:2]) <= ENLARGED_MAX_PX else 1


def _square(finding: Finding, factor: int) -> _Box:
    region, half = finding.region, finding.region.side_px / 2
    return _Box(
        x0=round((region.x_px - half) * factor),
        y0=round((region.y_px - half) * factor),
        x1=round((region.x_px + half) * factor),
        y1=round((region.y_px + half) * factor),
    )


def _tint_defects(board: Image, verdict: Verdict, boxes: list[_Box], maps: NDArray[np.float32]) -> None:
    height, width = board.shape[:2]
    for finding, box, heat in zip(verdict.findings, boxes, maps, strict=True):
        if not finding.is_defect or box.x1 <= box.x0 or box.y1 <= box.y0:
            continue
        top = float(heat.max())
        shades = np.zeros(heat.shape, np.uint8) if top <= 0 else np.clip(255 * heat / top, 0, 255).astype(np.uint8)
        whole = cv2.resize(shades, (box.x1 - box.x0, box.y1 - box.y0), interpolation=cv2.INTER_LINEAR)
        x0, y0, x1, y1 = max(box.x0, 0), max(box.y0, 0), min(box.x1, width), min(box.y1, height)
        if x1 <= x0 or y1 <= y0:
            continue
        part = cv2.applyColorMap(whole[y0 - box.y0 : y1 - box.y0, x0 - box.x0 : x1 - box.x0], cv2.COLORMAP_INFERNO)
        board[y0:y1, x0:x1] = cv2.addWeighted(board[y0:y1, x0:x1], 1 - MAP_WEIGHT, part, MAP_WEIGHT, 0)


def _mark_printer_fault(board: Image, fault: PrinterFault, factor: int, scale: float) -> None:
    """A frame round the region, with the fault's name at its upper edge."""
    x0, y0, x1, y1 = (round(v * factor) for v in fault.box_px)
    thick = max(2, round(3 * scale))
    cv2.rectangle(board, (x0, y0), (x1, y1), PRINTER, thick)
    at = (max(x0, 0) + thick, max(y0 - 2 * thick, round(30 * scale)))
    cv2.putText(board, _ascii(str(fault)), at, FONT, 1.4 * scale, PRINTER, max(1, round(2.5 * scale)), cv2.LINE_AA)


def _name_defects(board: Image, verdict: Verdict, boxes: list[_Box], scale: float) -> None:
    """A name beside each defect, worst first, where it hides no other name and, if it can be, no other defect."""
    marked = {id(f): b for f, b in zip(verdict.findings, boxes, strict=True) if f.is_defect}
    taken: list[_Box] = []
    defects = verdict.defects
    for finding in defects[: MAX_NAMED if len(defects) <= CROWDED else CROWD_NAMED]:
        name = f"{finding.region.name} {finding.kind}".rstrip()
        text = _ascii(f"{name} {finding.score:.3g}/{finding.region.threshold:.3g}")
        label = _label_place(text, marked[id(finding)], taken, list(marked.values()), board, scale)
        taken.append(label)
        pad = max(2, round(4 * scale))
        cv2.rectangle(board, (label.x0, label.y0), (label.x1, label.y1), DEFECT, cv2.FILLED)
        origin = (label.x0 + pad, label.y1 - pad - round(4 * scale))
        cv2.putText(board, text, origin, FONT, scale, WHITE, max(1, round(1.6 * scale)), cv2.LINE_AA)


def _label_place(text: str, box: _Box, taken: list[_Box], defects: list[_Box], board: Image, scale: float) -> _Box:
    """Above, below, right or left of the box, then further up and down; the least hidden when all are taken."""
    (text_width, text_height), _ = cv2.getTextSize(text, FONT, scale, max(1, round(1.6 * scale)))
    pad = max(2, round(4 * scale))
    wide, high = text_width + 2 * pad, text_height + 2 * pad + round(4 * scale)
    height, width = board.shape[:2]
    gap = 2 + max(1, round(scale)) * 2
    beside_x = (box.x1 + gap, box.x0 - gap - wide)
    corners = [(box.x0, box.y0 - gap - high), (box.x0, box.y1 + gap), *((x, box.y0) for x in beside_x)]
    corners += [(box.x0, box.y0 - gap - k * (high + 1)) for k in (2, 3)]
    corners += [(box.x0, box.y1 + gap + k * (high + 1)) for k in (1, 2)]
    corners += [(x, box.y0 + k * (high + 1)) for x in beside_x for k in (1, -1)]

    def cost(place: _Box) -> int:
        names = sum(place.overlaps(t) for t in taken)
        return 100 * names + sum(place.overlaps(d) for d in defects)

    places = []
    for x, y in corners:
        x0 = int(np.clip(x, 0, max(0, width - wide - 1)))
        y0 = int(np.clip(y, 0, max(0, height - high - 1)))
        places.append(_Box(x0=x0, y0=y0, x1=x0 + wide, y1=y0 + high))
    return min(places, key=cost)  # the first of the best: the order above is the order of liking


def _banner(verdict: Verdict, width: int, scale: float) -> Image:
    """Full width, as high as its lines: outcome and board, then why, then by what and how fast."""
    thickness = max(1, round(2 * scale))
    pad = round(12 * scale)
    title_scale = 1.5 * scale
    scored = f"{verdict.n_scored} of {verdict.n_regions} regions scored"
    why = verdict.detail or verdict.reason.value
    if verdict.outcome is Outcome.UNDECIDED:
        why = f"{verdict.reason.value}: {why}"
    if verdict.drift and verdict.reason is not Reason.DRIFT:  # then it is the detail already
        why = f"{why}   DRIFT: {verdict.drift}"
    times = f"{scored}   {verdict.total_ms:.0f} ms   recipe {verdict.recipe_id}   bundle {verdict.bundle_sha256[:8]}"
    title = _shortened(_ascii(f"{TITLE[verdict.outcome]}   {verdict.board_id}"), width - 2 * pad, title_scale)
    lines = [line for text in (why, times) for line in _wrapped(_ascii(text), width - 2 * pad, scale)]
    line_px, title_px = round(30 * scale), round(44 * title_scale)
    shown = lines[:MAX_BANNER_LINES]
    banner = np.full((title_px + line_px * len(shown) + pad, width, 3), BANNER[verdict.outcome], np.uint8)
    title_at = (pad, round(0.75 * title_px))
    cv2.putText(banner, title, title_at, FONT, title_scale, WHITE, max(1, round(3 * scale)), cv2.LINE_AA)
    for i, line in enumerate(shown):
        at = (pad, title_px + line_px * i + round(0.7 * line_px))
        cv2.putText(banner, line, at, FONT, scale, WHITE, thickness, cv2.LINE_AA)
    return banner


def _wrapped(text: str, width_px: int, scale: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _text_px(longer, scale) <= width_px:
            lines[-1] = longer
        else:
            lines.append(_shortened(word, width_px, scale))
    return lines


def _shortened(text: str, width_px: int, scale: float) -> str:
    while len(text) > 1 and _text_px(text, scale) > width_px:
        text = text[:-1]
    return text


def _text_px(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, FONT, scale, max(1, round(2 * scale)))[0][0])


def _ascii(text: str) -> str:
    """OpenCV's own fonts have no other letters."""
    return text.replace("…", "...").encode("ascii", "replace").decode("ascii")
