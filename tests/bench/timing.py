"""How long things take: rounds of all of them in turn, so that a busy moment of the machine meets each alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 25

Act = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Spread:
    """What the rounds showed: the median, and what nine in ten stayed between."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Of the values of all rounds."""
        tenths = statistics.quantiles(values, n=10)
        return cls(statistics.median(values), tenths[0], tenths[-1])

    @classmethod
    def exactly(cls, value: float) -> Spread:
        """Of something that is counted."""
        return cls(value, value, value)


@dataclass(frozen=True, slots=True)
class Took:
    """What an act answers that measured itself: another process, or parts of what it did."""

    seconds: float


def seconds_of(act: Act) -> float:
    """CPU seconds of an act in this process, or what it says itself."""
    gc.collect()
    gc.disable()
    begun = time.process_time()
    said = act()
    seconds = time.process_time() - begun
    gc.enable()
    return said.seconds if isinstance(said, Took) else seconds


def interleaved(
    acts: Mapping[str, Act], *, before: Callable[[], object] = lambda: None, rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """CPU seconds of each act in each round. Every round does `before`, uncounted, then every act once.

    The first round is not counted at all.
    """
    took: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(rounds + 1):
        before()
        for name, act in acts.items():
            seconds = seconds_of(act)
            if number:
                took[name].append(seconds)
    return took


def ratio(took: Mapping[str, list[float]], over: str, under: str) -> Spread:
    """One act by another, round by round."""
    return Spread.of([a / b for a, b in zip(took[over], took[under], strict=True)])
