"""`make bench`: the figures of one run in a table, and in build/bench.json. Fails where a floor is not met.

`python -m tests.bench codes page` measures those alone, and writes nothing.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.bench import site

DATA = tempfile.TemporaryDirectory(prefix="authweb-bench-")
site.prepare(Path(DATA.name))

import django  # noqa: E402 - after the environment

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402

from accounts.services import keyring  # noqa: E402
from accounts.vault import keys  # noqa: E402
from authweb import collecting  # noqa: E402
from tests.bench.figures import FIGURES, Figure, Run  # noqa: E402
from tests.bench.timing import Spread  # noqa: E402
from tests.environment import ROOT  # noqa: E402

REPORT = ROOT / "build" / "bench.json"
# People are made here by the dozen, and hashing a password is Django's.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def main(names: list[str]) -> int:
    """Measure all, or those named. 1 where a floor is not met."""
    keyring.write(Path(settings.SERVER_KEYS_FILE), keyring.made(keys.Role))
    for command in ("migrate", "createcachetable"):
        call_command(command, verbosity=0)
    collecting.collect()
    run, report = Run(Path(DATA.name)), {}
    print(f"{'figure':<20}{'median':>9}{'p10':>9}{'p90':>9}{'floor':>12}{'goal':>12}  outcome")
    for figure in FIGURES:
        if names and figure.name not in names:
            continue
        spread = figure.measure(run)
        met = figure.meets(spread.median, figure.floor)
        print(line(figure, spread, met), flush=True)
        if figure.floor is not None:
            value = round(spread.median, 4)
            report[figure.name] = {"value": value, "floor": figure.floor, "goal": figure.goal, "met": met}
    if not names:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(figure["met"] for figure in report.values()) else 1


def line(figure: Figure, spread: Spread, met: bool) -> str:
    """One figure, and what it divides by what under it."""
    outcome = "–" if figure.floor is None else "FLOOR MISSED" if not met else "floor"
    if met and figure.goal is not None and figure.meets(spread.median, figure.goal):
        outcome = "goal"
    numbers = "".join(f"{value:>9.3f}" for value in (spread.median, spread.low, spread.high))
    return f"{figure.name:<20}{numbers}{said(figure.floor):>12}{said(figure.goal):>12}  {outcome}\n    {figure.what}"


def said(bound: float | tuple[float, float] | None) -> str:
    """A bound as it is read."""
    if bound is None:
        return "–"
    return f"{bound[0]:g}–{bound[1]:g}" if isinstance(bound, tuple) else f"{bound:g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
