"""`make bench`: the figures of one run in a table, and in build/bench.json. Fails where a floor is not met.

`python -m tests.bench inside` measures in this process alone, and writes nothing.
"""

from __future__ import annotations

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
from tests.bench.figures import INSIDE, Figure  # noqa: E402
from tests.bench.inside import Inside  # noqa: E402
from tests.bench.timing import Spread  # noqa: E402
from tests.environment import ROOT  # noqa: E402

REPORT = ROOT / "build" / "bench.json"
# People are made here by the dozen, and hashing a password is Django's.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def main(names: list[str]) -> int:
    """Measure all. 1 where a floor is not met."""
    keyring.write(Path(settings.SERVER_KEYS_FILE), keyring.made(keys.Role))
    for command in ("migrate", "createcachetable"):
        call_command(command, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    rounds = Inside(Path(DATA.name))
    print(f"{'figure':<16}{'median':>9}{'p10':>9}{'p90':>9}{'floor':>12}{'goal':>12}  outcome")
    for figure in INSIDE:
        spread = figure.measure(rounds)
        print(line(figure, spread, figure.meets(spread.median, figure.floor)))
    for name, took in rounds.took.items():
        one = Spread.of(took)
        print(f"{name:<16}{one.median * 1e6:>9.0f}{one.low * 1e6:>9.0f}{one.high * 1e6:>9.0f} µs")
    return 0


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
