"""`make audit`: axe at every page in light and dark, on a phone and a computer; Lighthouse at four pages of production.

Needs Node and npm beside what the tests need. 1 where axe finds something, or a score is below its floor.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, sync_playwright

from tests import browsers, processes
from tests.environment import ROOT
from tests.served import ServedBackedUp

HERE, BUILD = ROOT / "tests" / "audit", ROOT / "build" / "audit"
FLOORS = {"performance": 98, "accessibility": 100, "best-practices": 100}
RUNS = 3  # A score is the median of so many: a machine has other things to do.
AXE = ("-m", "pytest", "-q", "--long", "--timeout=3600", "tests/journeys/test_axe.py")


@dataclass(frozen=True, slots=True)
class Page:
    """What is measured: its name, its address, and whether somebody is signed in there whose list is open."""

    name: str
    address: str
    signed_in: bool = True


PAGES = (
    Page("sign-in", "/sign-in/login/", signed_in=False),
    Page("list", "/accounts/"),
    Page("backup", "/backups/"),
    Page("restore", "/backups/restore/"),
)


def main(arguments: list[str]) -> int:
    """All, or `axe` or `lighthouse` alone."""
    missed = 0
    if not arguments or "axe" in arguments:
        missed += subprocess.run([sys.executable, *AXE], cwd=ROOT, check=False).returncode
    if not arguments or "lighthouse" in arguments:
        missed += measure()
    return 1 if missed else 0


def measure() -> int:
    """Print the scores of each page; how many floors were missed."""
    fault = install()
    if fault:
        print(fault, file=sys.stderr)
        return 1
    missed = 0
    with (
        tempfile.TemporaryDirectory(prefix="authweb-audit-") as directory,
        ServedBackedUp(Path(directory) / "data", accounts=30, people=1, workers=1) as served,
        opened(Path(directory) / "browser") as (context, port),
    ):
        print(f"{'page':<10}" + "".join(f"{name:>16}" for name in FLOORS))
        for page in sorted(PAGES, key=lambda page: page.signed_in):
            if page.signed_in:
                served.cookies = served.people[0].cookies
                served.sign_in(context)
            measured = lighthouse(port, served.address + page.address)
            print(f"{page.name:<10}" + "".join(f"{scores(measured)[name]:>16.0f}" for name in FLOORS), flush=True)
            for fault in faults(measured):
                missed += 1
                print(f"    {fault}")
    return missed


def install() -> str:
    """Lighthouse by its lock into build/audit/. Empty, or why there is none."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "make audit needs Node 18 or later, and npm."
    BUILD.mkdir(parents=True, exist_ok=True)
    kept = [path for path in HERE.iterdir() if path.suffix in (".js", ".json") or path.name == ".npmrc"]
    for path in kept:
        shutil.copy(path, BUILD)
    locked = BUILD / "node_modules" / ".package-lock.json"
    if locked.exists() and locked.stat().st_mtime > (HERE / "package-lock.json").stat().st_mtime:
        return ""
    done = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=BUILD, capture_output=True, text=True, check=False)
    return (done.stderr or done.stdout)[-500:] if done.returncode else ""


@contextlib.contextmanager
def opened(profile: Path) -> Iterator[tuple[BrowserContext, int]]:
    """A browser that others may steer by a port."""
    port = processes.free_port()
    arguments = [*browsers.ARGUMENTS, f"--remote-debugging-port={port}"]
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=browsers.find(), args=arguments
        )
        yield context, port
        context.close()


def lighthouse(port: int, address: str) -> list[dict[str, Any]]:
    """What Lighthouse says of a page, as often as RUNS."""
    command = ["node", "measure.js", str(port), *[address] * RUNS]
    done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def scores(measured: list[dict[str, Any]]) -> dict[str, float]:
    """The median of each score."""
    return {name: statistics.median(one["scores"][name] for one in measured) for name in FLOORS}


def faults(measured: list[dict[str, Any]]) -> list[str]:
    """Floors that were missed, with what cost them; and a page that was not the one that was asked for."""
    found = [
        f"{name} {score:.0f}, below {FLOORS[name]}" for name, score in scores(measured).items() if score < FLOORS[name]
    ]
    costs = sorted({cost for one in measured for cost in one["costs"]})
    found = [f"{fault}: {'; '.join(costs)}" for fault in found]
    found += sorted({f"It ended at {one['ended']}." for one in measured if one["ended"] != one["address"]})
    return found + sorted({one["error"] for one in measured if one.get("error")})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
