"""`make article`: runs the tests that show a row, prints row, tests and outcomes, and writes docs/article.md.

1 where a test did not pass, or a row has none.
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.article import AWAITED, ROWS
from tests.article.marks import DOCUMENT, Mark, by_row, document, faults, marks
from tests.article.recording import PASSED
from tests.environment import ROOT

BUILD = ROOT / "build" / "article"
# Beside each other: browsers are waited for most of the time.
PARTS = {"journeys": ["tests/journeys"], "others": ["tests", "--ignore=tests/journeys"]}


def main() -> int:
    """Run, print, write."""
    found = marks()
    wrong = faults(found)
    outcomes, seen = run()
    for mark in sorted(set(found) ^ seen):
        wrong.append(f"{mark.test} and its mark of {mark.row} were read, or run, and not both.")
    of_row = by_row(found)
    for row, text in ROWS.items():
        print(f"{row}  {text}")
        for mark in of_row.get(row, ()):
            print(f"      {outcomes.get(mark.test, 'not run'):<8}{mark.side:<8} {mark.test}")
    DOCUMENT.write_text(document(found, outcomes), encoding="utf-8")
    wrong += [f"{test}: {outcome}." for test, outcome in sorted(outcomes.items()) if outcome != PASSED]
    print("\n".join([closing(found, outcomes), *wrong]))
    return 1 if wrong else 0


def run() -> tuple[dict[str, str], set[Mark]]:
    """How each test ended, and the marks as pytest has them."""
    BUILD.mkdir(parents=True, exist_ok=True)
    started = {}
    for part, paths in PARTS.items():
        file = BUILD / f"{part}.json"
        file.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "tests.article.recording",
            "--outcomes",
            str(file),
            *paths,
        ]
        with (BUILD / f"{part}.log").open("w") as log:
            started[file] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    outcomes: dict[str, str] = {}
    seen: set[Mark] = set()
    for file, process in started.items():
        if process.wait():
            print(file.with_suffix(".log").read_text())
        if file.exists():
            kept = json.loads(file.read_text())
            outcomes |= kept["outcomes"]
            seen |= {Mark(*mark) for mark in kept["marks"]}
    return outcomes, seen


def closing(found: list[Mark], outcomes: dict[str, str]) -> str:
    """How many rows of how many are shown by tests that passed."""
    of_row = by_row(found)
    shown = [row for row in ROWS if of_row.get(row) and all(outcomes.get(one.test) == PASSED for one in of_row[row])]
    counts = [
        f"{sum(row[0] == kind for row in shown)} of {sum(row[0] == kind for row in ROWS)} {kind}" for kind in "SG"
    ]
    passed = sum(outcome == PASSED for outcome in outcomes.values())
    awaited = f", {len(AWAITED)} not built yet" if AWAITED else ""
    return f"{', '.join(counts)}{awaited}; {passed} of {len(outcomes)} tests passed."


if __name__ == "__main__":
    sys.exit(main())
