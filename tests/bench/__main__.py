"""`make bench`: the figures of one run in a table, and in build/bench.json. Fails where a floor is not met."""

from __future__ import annotations

import json
import sys

from tests import environment

environment.prepare()

import django  # noqa: E402 - after the environment

django.setup()

from tests.bench.figures import FIGURES, Figure  # noqa: E402
from tests.bench.timing import Spread  # noqa: E402

REPORT = environment.ROOT / "build" / "bench.json"


def main(names: list[str]) -> int:
    """Measure all, or those named. 1 where a floor is not met."""
    report = {}
    missed = 0
    print(f"{'figure':<16}{'median':>9}{'p10':>9}{'p90':>9}{'floor':>12}{'goal':>12}  outcome")
    for figure in FIGURES:
        if names and figure.name not in names:
            continue
        spread = figure.measure()
        met = figure.meets(spread.median, figure.floor)
        missed += not met
        print(line(figure, spread, met))
        if figure.floor is not None:
            report[figure.name] = {
                "value": round(spread.median, 4),
                "floor": figure.floor,
                "goal": figure.goal,
                "met": met,
            }
    if not names:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(json.dumps(report, indent=2) + "\n")
    return 1 if missed else 0


def line(figure: Figure, spread: Spread, met: bool) -> str:
    """One figure, and what it divides by what under it."""
    outcome = "–" if figure.floor is None else "FLOOR MISSED" if not met else "floor"
    if met and figure.goal is not None and figure.meets(spread.median, figure.goal):
        outcome = "goal"
    numbers = "".join(f"{value:>9.3f}" for value in (spread.median, spread.low, spread.high))
    return f"{figure.name:<16}{numbers}{said(figure.floor):>12}{said(figure.goal):>12}  {outcome}\n    {figure.what}"


def said(bound: float | tuple[float, float] | None) -> str:
    """A bound as it is read."""
    if bound is None:
        return "–"
    return f"{bound[0]:g}–{bound[1]:g}" if isinstance(bound, tuple) else f"{bound:g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
