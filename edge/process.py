"""How a process of the station starts and ends: settings read, signals caught, one place where everything is caught."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from edge import __version__
from edge.clock import Clock, SystemClock
from edge.notify import Notifier
from edge.settings import SettingsFault
from edge.station import Station, read_station

Process = Callable[[Station, Clock, Notifier, threading.Event], None]

EXIT_BROKEN = 1
EXIT_SETTINGS = 2

log = logging.getLogger("boardgate")


def quiet_garbage() -> None:
    """From now on nothing is collected while a board is judged: what exists is put aside for good, and what boards
    leave behind is freed by counting references, as almost all of it is. `collect_garbage` takes the rest, between
    boards."""
    gc.collect()
    gc.freeze()
    gc.disable()


def collect_garbage() -> None:
    """Free what cycles the last boards left behind. Cheap: what was put aside is not looked at again."""
    gc.collect()


def pin_process(cpus: tuple[int, ...]) -> None:
    """Keep every thread of this process, and those they start, to these processors; to any where none are named.

    Raises SettingsFault naming processors this process may not use.
    """
    if not cpus:
        return
    if missing := sorted(set(cpus) - os.sched_getaffinity(0)):
        raise SettingsFault([f"inspect.cpus: {missing} not here; allowed are {sorted(os.sched_getaffinity(0))}"])
    for thread in os.listdir("/proc/self/task"):  # libraries start threads when they are imported
        os.sched_setaffinity(int(thread), cpus)


def run_process(name: str, process: Process, station_file: Path) -> int:
    """Run one process until SIGTERM or SIGINT. Returns its exit status: 0 told to stop, 1 broken, 2 settings."""
    clock = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "  # journald has its own
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=f"{clock}{name} %(levelname)s %(message)s", force=True
    )
    stop = threading.Event()
    notifier = Notifier()

    def told_to_stop(*_: object) -> None:
        notifier.stopping()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told_to_stop)
    try:
        station = read_station(station_file)
    except SettingsFault as fault:
        log.critical("%s", fault)
        return EXIT_SETTINGS
    log.info("boardgate %s %s of %s/%s starts", __version__, name, station.settings.site, station.settings.station)
    try:
        process(station, SystemClock(), notifier, stop)
    except SettingsFault as fault:
        log.critical("%s", fault)
        return EXIT_SETTINGS
    except Exception:
        log.critical("stops, boards are held", exc_info=True)
        return EXIT_BROKEN
    finally:
        notifier.close()
    log.info("stopped")
    return 0
