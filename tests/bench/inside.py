"""What is measured in this process: pages, refreshes and their units, all of them in turn in every round."""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.vault import keys, otp, sealing
from accounts.vault.entry import Entry
from accounts.vault.secret import Secret
from tests.bench import hours
from tests.bench.hours import Request
from tests.bench.stock_process import Stock
from tests.bench.timing import ROUNDS, Act, Spread, Took, interleaved
from tests.people import Person

SIZES = (10, 100, 1000)
AHEAD = 11  # Codes of an account that a page carries: this period's and those that begin within five minutes.
_TIMES = {10: 20, 100: 8, 1000: 2}  # How often a round asks for a list of so many accounts.
_EMPTY = 40
_HMACS = range(59_000_000, 59_000_010)
_ID = keys.new_id()


def bare_hmacs(secrets_: list[bytes], counters: range) -> None:
    """The unit of the generator: one HMAC-SHA1 a code in a plain loop."""
    for secret in secrets_:
        for counter in counters:
            hmac.digest(secret, counter.to_bytes(8, "big"), "sha1")


def bare_codes(secrets_: list[bytes], counters: range) -> list[str]:
    """The fair unit: HMAC, truncation, six digits as text."""
    made = []
    for secret in secrets_:
        for counter in counters:
            digest = hmac.digest(secret, counter.to_bytes(8, "big"), "sha1")
            place = digest[-1] & 15
            number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFFFFFF
            made.append(f"{number % 1_000_000:06}")
    return made


class Inside:
    """The rounds, and the seconds of one of each thing by its name in `took`."""

    def __init__(self, directory: Path) -> None:
        self.people = {size: Person.with_accounts(size) for size in SIZES}
        self.hours = iter(hours.of(Person.with_accounts(100), ROUNDS + 1))
        self._looking = Person.with_accounts(100)
        with Stock(directory / "stock") as stock:
            self.took = self._each(interleaved(self._acts(stock), before=self._before))

    def ratio(self, over: str, *under: str) -> Spread:
        """One thing by the sum of others, round by round."""
        return self.of(lambda one: one[over] / sum(one[name] for name in under))

    def of(self, figure: Callable[[dict[str, float]], float]) -> Spread:
        """What comes of the seconds of each round."""
        rounds = zip(*self.took.values(), strict=True)
        return Spread.of([figure(dict(zip(self.took, one, strict=True))) for one in rounds])

    def _before(self) -> None:
        self._fresh = [secrets.token_bytes(20) for _ in range(100)]
        self._entries = [Entry(id=_ID, issuer="Example", name="alice", secret=Secret(key)) for key in self._fresh]
        self._hour = next(self.hours)
        self._query = f"from={int(time.time()) + 70}"  # As early as the page asks, by `hours`.

    def _acts(self, stock: Stock) -> dict[str, Act]:
        acts: dict[str, Act] = {
            "stock": lambda: stock.empty(_EMPTY),
            "stock_kept": lambda: stock.empty(_EMPTY, kept=True),
            "bare_codes": lambda: bare_codes(self._fresh, range(AHEAD)),
            "bare_open": _bare_open(self.people[100]),
            "generator": lambda: _generated(self._entries),
            "bare_hmacs": lambda: bare_hmacs(self._fresh, _HMACS),
            "hour": lambda: _lived(self._looking, self._hour),
            "bare_codes_hour": lambda: bare_codes(self._fresh, range(120)),
        }
        for size, person in self.people.items():
            acts[f"page_{size}"] = lambda person=person, times=_TIMES[size]: [person.page() for _ in range(times)]
            acts[f"look_{size}"] = lambda person=person: [person.look() for _ in range(_EMPTY)]
            acts[f"refresh_{size}"] = lambda person=person, times=_TIMES[size]: [
                person.refresh(self._query) for _ in range(times)
            ]
        return acts

    def _each(self, took: dict[str, list[float]]) -> dict[str, list[float]]:
        times = {f"{kind}_{size}": count for size, count in _TIMES.items() for kind in ("page", "refresh")}
        times |= {f"look_{size}": _EMPTY for size in SIZES}
        times |= {"stock": _EMPTY, "stock_kept": _EMPTY, "bare_open": _TIMES[100]}
        return {name: [seconds / times.get(name, 1) for seconds in rounds] for name, rounds in took.items()}


def _bare_open(person: Person) -> Act:
    vault = person.visitor.vault
    sealed = bytes(vault.row.states.get(version=vault.row.version).sealed)
    key, row_id, version = vault.key, vault.row.id.bytes, vault.row.version

    def open_it() -> None:
        for _ in range(_TIMES[100]):
            json.loads(sealing.unseal_document(sealed, key, row_id, version))

    return open_it


def _generated(entries: list[Entry]) -> None:
    for entry in entries:
        otp.codes(entry, _HMACS.start, len(_HMACS))


def _lived(person: Person, hour: list[Request]) -> Took:
    """An hour's requests, each at its time by what Django takes for now: changing the whole clock costs too much."""
    seconds = 0.0
    for request in hour:
        with mock.patch.object(timezone, "now", lambda at=request.at: at):
            begun = time.process_time()
            body = person.refresh(request.query)
            seconds += time.process_time() - begun
        assert json.loads(body)["now"] == request.at.timestamp()
    return Took(seconds)


def queries() -> Spread:
    """Of list and refresh at 1, 3 and 1,000 accounts, which must be equal: where they are not, 1,000 more."""
    pages, refreshes = set(), set()
    for size in (1, 3, 1000):
        person = Person.with_accounts(size)
        pages.add(_asked(person.page))
        refreshes.add(_asked(lambda person=person: person.refresh("")))  # type: ignore[misc]
    return Spread.exactly(max(pages | refreshes) + (0 if len(pages) == len(refreshes) == 1 else 1000))


def _asked(act: Act) -> int:
    act()
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)
