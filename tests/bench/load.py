"""Browsers of one server over loopback, some at a time, asking for codes again and again: a check of what is measured
without a network.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.served import BackedUp, Served, ServedBackedUp

SECONDS = 5.0
BROWSERS = 4
PEOPLE = 8
EVERY = 2.0  # Seconds from one change of a person to the next.
CHANGING = float(os.environ.get("CHANGING") or 60)
PROVEN_WITHIN = 2.0
FAULT_ENDED = 60.0
_FAULT_LASTS = 6.0
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


@dataclass(frozen=True, slots=True)
class Kept:
    """How long acknowledged changes were in no proven saved state, in seconds: nine and a half in ten, and after a
    fault of the store the last one.
    """

    late: float
    after_fault: float


def of_changes(directory: Path, *, seconds: float) -> Kept:
    """People rename an account each, over and over; then the store fails for a while, and they stop with it."""
    with ServedBackedUp(directory, accounts=100, people=PEOPLE, workers=2) as served:
        with ThreadPoolExecutor(PEOPLE) as people:
            acts = [Changing(served, one, number) for number, one in enumerate(served.people)]
            late = [one for each in people.map(lambda act: act.until(seconds), acts) for one in each]
            with _fault(directory / "backups"):
                list(people.map(lambda act: act.until(_FAULT_LASTS, waits=False), acts))
                assert any(not act.is_proven() for act in acts)
            ended = time.monotonic()
            while not all(act.is_proven() for act in acts):
                assert time.monotonic() < ended + 2 * FAULT_ENDED, "The backups stay behind."
                time.sleep(0.1)
            after = time.monotonic() - ended
        assert served.names() == {act.one.stream: act.name for act in acts}
    return Kept(sorted(late)[int(len(late) * 0.95)], after)


class Changing:
    """One person, who renames an account and looks for the change in what is saved."""

    def __init__(self, served: ServedBackedUp, one: BackedUp, number: int) -> None:
        self.served, self.one = served, one
        self.name, self._changes, self._first = "", 0, EVERY * number / PEOPLE

    def until(self, seconds: float, *, waits: bool = True) -> list[float]:
        """Change after change for so long; after each how late its saved state was proven, where that is waited for."""
        begun, late = time.monotonic(), []
        for number in range(int(seconds / EVERY)):
            time.sleep(max(0.0, begun + self._first + number * EVERY - time.monotonic()))
            self._changes += 1
            self.name = f"change {self._changes}"
            self.served.rename(self.one, self.name)
            acknowledged = time.monotonic()
            while waits and not self.is_proven():
                assert time.monotonic() < acknowledged + FAULT_ENDED, "The backup stays behind."
                time.sleep(0.02)
            late.append(time.monotonic() - acknowledged)
        return late

    def is_proven(self) -> bool:
        """Each change is a saved state of the next number; the first was made when Cloud Backup was turned on."""
        return self.served.proven(self.one) > self._changes


@contextlib.contextmanager
def _fault(store: Path) -> Iterator[None]:
    """The store is away: a file is in its place."""
    away = store.with_name("away")
    store.rename(away)
    store.touch()
    yield
    store.unlink()
    away.rename(store)
