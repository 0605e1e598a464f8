"""Browsers of one server over loopback, some at a time, asking for codes again and again: a check of what is measured
without a network.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.served import Served

SECONDS = 5.0
BROWSERS = 4
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Load:
    """Answers a second, and the CPU seconds of the server for one; None where the system does not tell."""

    a_second: float
    cpu: float | None


def of_refreshes(directory: Path) -> Load:
    """Of refreshes of 100 accounts, by one worker."""
    with Served(directory, accounts=100) as served:
        _asked(served, until=time.monotonic() + 1)
        before, begun = _cpu(served), time.monotonic()
        with ThreadPoolExecutor(BROWSERS) as browsers:
            count = sum(browsers.map(lambda _: _asked(served, until=begun + SECONDS), range(BROWSERS)))
        seconds = time.monotonic() - begun
        after = _cpu(served)
    cpu = None if before is None or after is None else (after - before) / count
    return Load(count / seconds, cpu)


def _asked(served: Served, *, until: float) -> int:
    """How many answers one browser gets in time."""
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in served.cookies.items())}
    count = 0
    with contextlib.closing(http.client.HTTPConnection("localhost", int(served.settings["PORT"]), timeout=10)) as asked:
        while time.monotonic() < until:
            asked.request("GET", f"/accounts/codes/?from={int(time.time()) + 70}", headers=headers)
            answer = asked.getresponse()
            answer.read()
            assert answer.status == http.client.OK
            count += 1
    return count


def _cpu(served: Served) -> float | None:
    """CPU seconds of the server's processes so far, where the system keeps /proc."""
    seconds = 0.0
    for pid in (served.server.process.pid, *served.server.children()):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        seconds += (int(fields[11]) + int(fields[12])) / _TICK
    return seconds
