"""The figures: what is divided by what, the floor that must be met, the goal."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from accounts.vault import keys, otp
from accounts.vault.entry import Entry
from accounts.vault.secret import Secret
from tests.bench.timing import Spread, interleaved, ratio

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. A floor of one number is the most that may be; of two, the bounds. None: printed only."""

    name: str
    what: str
    measure: Callable[[], Spread]
    floor: float | Range | None = None
    goal: float | Range | None = None

    def meets(self, value: float, bound: float | Range | None) -> bool:
        """Whether a value keeps a bound."""
        if bound is None:
            return True
        return bound[0] <= value <= bound[1] if isinstance(bound, tuple) else value <= bound


def bare_hmacs(secrets_: list[bytes], counters: range) -> None:
    """The unit: one HMAC-SHA1 a code in a plain loop."""
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


def _generator() -> Spread:
    counters = range(59_000_000, 59_000_010)
    fresh: list[bytes] = []

    def draw() -> None:
        fresh[:] = [secrets.token_bytes(20) for _ in range(100)]

    def ours() -> None:
        for secret in fresh:
            entry = Entry(id=_ID, issuer="Example", name="alice", secret=Secret(secret))
            otp.codes(entry, counters.start, len(counters))

    took = interleaved({"ours": ours, "bare": lambda: bare_hmacs(fresh, counters)}, before=draw)
    return ratio(took, "ours", "bare")


_ID = keys.new_id()

FIGURES = (
    Figure(
        "generator",
        "10 consecutive codes of 100 fresh keys, set-up included, by as many bare HMACs",
        _generator,
        floor=0.9,
        goal=0.65,
    ),
)
