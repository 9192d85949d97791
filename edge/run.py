"""`boardgate run`: settings checked once, then the supervisor until a signal."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

from edge.clock import SystemClock
from edge.process import EXIT_SETTINGS
from edge.settings import SettingsFault
from edge.station import read_station
from edge.supervisor import Supervisor

log = logging.getLogger("boardgate.run")


def run_station(station_file: Path) -> int:
    """Run the three processes until SIGTERM or SIGINT. Exit status as in `edge.process`."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s run %(levelname)s %(message)s")
    try:
        read_station(station_file)
    except SettingsFault as fault:
        log.critical("%s", fault)
        return EXIT_SETTINGS
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return Supervisor(station_file, SystemClock()).run(stop)
