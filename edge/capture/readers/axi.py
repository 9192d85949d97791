"""Index, slices and the machine's export to one AxiBoard, or an AxiFault: all of a board or none of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from edge.axi.board import MAX_BOARD_PX, AxiBoard, AxiFault, AxiJoint, AxiView
from edge.capture.readers.axi_called import Called, JointKey, called_of
from edge.capture.readers.axi_files import read_named
from edge.capture.readers.axi_index import AxiIndex, ViewEntry, index_of
from edge.capture.readers.axi_settings import AxiFileSettings
from edge.capture.readers.axi_slices import MAX_SLICE_BYTES, decode_slice, slice_size
from edge.capture.readers.v810 import named_serial, serial_read
from edge.capture.readers.v810_calls import Indictment
from edge.capture.readers.v810_seen import SeenTests, Test


def read_board(
    data: bytes,
    file: str,
    settings: AxiFileSettings,
    root: Path,
    seen: SeenTests,
    on_slice: Callable[[], object] = lambda: None,
) -> AxiBoard:
    """The board of an index file called `file`, with pictures and export below `root`. What `seen` has seen is held
    against the export's test, and remembered once the whole board was read. `on_slice` is called after each. Raises
    AxiFault."""
    index = index_of(data, file)
    serial = _serial(index, file, settings)
    called = called_of(index, file, settings, root)
    if called is None:
        return _board(index, serial, None, _views(index, file, root, on_slice), file)
    serial = _agreed(serial, called.export.serial, file)
    whose = serial or index.views[0].slices[0].sha256
    test = _test_of(called)
    seen.check(test, whose, file)
    board = _board(index, serial, called, _views(index, file, root, on_slice), file)
    seen.remember(test, whose)
    return board


def _board(index: AxiIndex, serial: str, called: Called | None, views: tuple[AxiView, ...], file: str) -> AxiBoard:
    try:
        joints = _joints(index, None if called is None else called.joints)
        if called is None:
            return AxiBoard(serial=serial, board_type=index.board_type, views=views, joints=joints)
        calls, times = called.export.calls, called.export.times
        return AxiBoard(
            serial=serial,
            board_type=index.board_type,
            views=views,
            joints=joints,
            tester=called.export.tester,
            test_start=times.start,
            test_end=times.end,
            machine_status=calls.status,
            review_status=calls.review_status,
            reviewed=calls.reviewed,
            joints_tested=calls.joints_tested,
            export_sha256=called.sha256,
        )
    except AxiFault as fault:
        raise AxiFault(f"{file}: {fault}") from None


def _test_of(called: Called) -> Test:
    export = called.export
    return export.tester, export.image_id, export.times.start, export.times.end


def _serial(index: AxiIndex, file: str, settings: AxiFileSettings) -> str:
    inside = serial_read(index.serial, f"{file} serial")
    return _agreed(inside, named_serial(file, settings.name_pattern), f"{file} (its name)")


def _agreed(ours: str, theirs: str, where: str) -> str:
    """The serial, empty where neither was read."""
    if ours and theirs and ours != theirs:
        raise AxiFault(f"{where}: serial {ours!r} and {theirs!r}: whose joints these are is not known")
    return ours or theirs


def _views(index: AxiIndex, file: str, root: Path, on_slice: Callable[[], object]) -> tuple[AxiView, ...]:
    """All slices, decoded; the board's pixels are counted as they come, from the headers."""
    views: list[AxiView] = []
    left_px = MAX_BOARD_PX
    for entry in index.views:
        views.append(_view(entry, file, root, left_px, on_slice))
        left_px -= views[-1].slices.size
    return tuple(views)


def _view(entry: ViewEntry, file: str, root: Path, left_px: int, on_slice: Callable[[], object]) -> AxiView:
    planes = []
    first = None
    for n, named in enumerate(entry.slices):
        where = f"{file} view {entry.name} slice {n}"
        data = read_named(root, named, MAX_SLICE_BYTES, where).data
        size = slice_size(data, f"{where} {named.path}")
        first = first or size
        if size != first:
            raise AxiFault(f"{where} {named.path}: {size} pixels, slice 0 has {first}")
        left_px -= size.width_px * size.height_px
        if left_px < 0:
            raise AxiFault(f"{where}: more than {MAX_BOARD_PX} pixels in all slices of the board")
        planes.append(decode_slice(data, size, f"{where} {named.path}"))
        on_slice()
    return AxiView(name=entry.name, slices=np.stack(planes, axis=-1))


def _joints(index: AxiIndex, indicted: Mapping[JointKey, Indictment] | None) -> tuple[AxiJoint, ...]:
    joints = []
    for number, view in enumerate(index.views):
        for entry in view.joints:
            one = None if indicted is None else indicted.get((entry.refdes, entry.pin))
            x0, y0, x1, y1 = entry.box_px
            joints.append(
                AxiJoint(
                    refdes=entry.refdes,
                    pin=entry.pin,
                    view=number,
                    x0_px=x0,
                    y0_px=y0,
                    x1_px=x1,
                    y1_px=y1,
                    called=None if indicted is None else one is not None,
                    machine_words="" if one is None else one.words,
                    review="" if one is None else one.review,
                )
            )
    return tuple(joints)
