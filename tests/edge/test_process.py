"""What a process does to itself: no collection while a board is judged, and its threads on the processors named."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edge.process import pin_process
from edge.settings import SettingsFault

pytestmark = pytest.mark.unit

QUIET = """
import gc, weakref
from edge.process import collect_garbage, quiet_garbage

class Node:
    pass

def cycle():
    node = Node()
    node.itself = node
    return weakref.ref(node)

quiet_garbage()
assert not gc.isenabled()
assert gc.get_freeze_count() > 1000
seen = [cycle() for _ in range(5000)]
assert all(r() is not None for r in seen), "collected while a board is judged"
collect_garbage()
assert all(r() is None for r in seen), "kept between boards"
"""

PINNED = """
import os, threading
from edge.process import pin_process
import cv2, numpy
stop = threading.Event()
before = threading.Thread(target=stop.wait)
before.start()
cpu = min(os.sched_getaffinity(0))
pin_process((cpu,))
after = threading.Thread(target=stop.wait)
after.start()
masks = [os.sched_getaffinity(int(t)) for t in os.listdir("/proc/self/task")]
stop.set()
assert masks and all(mask == {cpu} for mask in masks), masks
"""


@pytest.mark.parametrize("script", [QUIET, PINNED], ids=["garbage", "processors"])
def test_in_a_process_of_its_own(script: str) -> None:
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_none_named_changes_nothing() -> None:
    before = os.sched_getaffinity(0)
    pin_process(())
    assert os.sched_getaffinity(0) == before


def test_a_processor_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsFault, match=r"inspect\.cpus: \[1023\] not here"):
        pin_process((1023,))
