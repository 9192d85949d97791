"""Of a window's planes, what is left of each pad on each board: against the board's level and against its own aperture
group's, stroke and wipe taken away. Fixed arithmetic, in table sigmas.

A station gives a group's level in sigmas of the group, of volume only. How many of the pad's own sigmas that is, the
window itself says: volume and group_volume are the same measurement in two units, so the slope of one over the other
through the boards is the ratio of the units, exactly, whatever the values are.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

SLOPE_FLOOR = 1e-4
TINY = 1e-6

# Where they are in `best_planes.PLANES`:
_MASK, _VOLUME, _PERIODIC, _LEVEL = 0, 1, slice(2, 4), slice(4, 5)
_GROUP_VOLUME, _GROUP_CENTRED, _STROKE = 6, 7, 8


@dataclass(frozen=True, slots=True)
class Residuals:
    """`to_board` (N, T, 2, S, S): volume and area against the board's level; `group_level` (N, T, 1, S, S): the group's
    against the board's, of volume. `mask` (N, T, 1, S, S). By board, (N, T) each: `density` of measured pads,
    `present`, `stroke` (-1, 1, 0 not known), and `level` (N, T, 2), the board's medians."""

    to_board: Tensor
    group_level: Tensor
    mask: Tensor
    density: Tensor
    present: Tensor
    stroke: Tensor
    level: Tensor


def residuals_of(window: Tensor) -> Residuals:
    """From (N, T, C, S, S) of `PLANES`."""
    mask = window[:, :, _MASK : _MASK + 1]
    density = mask.mean(dim=(2, 3, 4))
    of_board = window[:, :, 4:9].mean(dim=(3, 4)) / (density + TINY)[:, :, None]
    return Residuals(
        to_board=window[:, :, _PERIODIC],
        group_level=_group_level(window, mask) - window[:, :, _LEVEL],
        mask=mask,
        density=density,
        present=density / (density + TINY),
        stroke=of_board[:, :, 4],
        level=of_board[:, :, 0:2],
    )


def _group_level(window: Tensor, mask: Tensor) -> Tensor:
    """(N, T, 1, S, S): the median of each pad's group, in the pad's own sigmas of volume."""
    own, group = window[:, :, _VOLUME : _VOLUME + 1], window[:, :, _GROUP_VOLUME : _GROUP_VOLUME + 1]
    boards = mask.sum(dim=1, keepdim=True) + TINY
    own = (own - own.sum(dim=1, keepdim=True) / boards) * mask
    of_group = (group - group.sum(dim=1, keepdim=True) / boards) * mask
    pad_sigmas = ((own * own).sum(dim=1, keepdim=True) + SLOPE_FLOOR) / (
        (own * of_group).sum(dim=1, keepdim=True) + SLOPE_FLOOR
    )
    return (group - window[:, :, _GROUP_CENTRED : _GROUP_CENTRED + 1]) * pad_sigmas
