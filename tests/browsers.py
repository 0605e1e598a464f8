"""The browser of the tests: found, or got without root, or named as missing.

`python -m tests.browsers` shows its path, `… download` gets one into .browsers/.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.environment import ROOT

OWN = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or ROOT / ".browsers")
# A shell without windows first: the same engine, at two thirds of the CPU.
NAMES = (
    "chromium-headless-shell",
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"),
)
FONTS = ("fonts-noto-core", "fonts-noto-color-emoji")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
INSTALL = "apt-get install chromium fonts-noto-core fonts-noto-color-emoji, dnf install chromium, or pacman -S chromium"


class NoBrowser(Exception):
    """No browser starts here; says what to install."""


def find() -> Path:
    """A Chromium that starts: CHROMIUM, one on the PATH, ours in .browsers/. Raises NoBrowser."""
    if named := os.environ.get("CHROMIUM"):
        fault = why_not(Path(named))
        if fault:
            raise NoBrowser(f"CHROMIUM={named} does not start: {fault}")
        return Path(named)
    faults = []
    for candidate in (*_on_path(), *_own()):
        fault = why_not(candidate)
        if not fault:
            return candidate
        faults.append(f"{candidate} does not start: {fault}")
    raise NoBrowser("\n".join([*faults, "The tests need Chromium, Chrome or Edge."]))


def whole() -> Path:
    """One that keeps a profile on disk, which the shell does not. Raises NoBrowser."""
    named = os.environ.get("CHROMIUM")
    for candidate in (*([Path(named)] if named else []), *_on_path()):
        if "headless" not in candidate.name and not why_not(candidate):
            return candidate
    raise NoBrowser(f"What a browser writes to disk is seen in a whole one, not in a shell. Install it: {INSTALL}.")


def why_not(path: Path) -> str:
    """Why the browser at this path does not show a page; empty when it does."""
    shell = [] if "headless" in path.name else ["--headless"]
    try:
        done = subprocess.run(
            [path, *shell, *ARGUMENTS, "--dump-dom", "data:text/html,<p>ready</p>"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if "ready" in done.stdout:
        return ""
    missing = re.findall(r"loading shared libraries: (\S+):", done.stderr)
    if missing:
        return f"it lacks {', '.join(missing)}"
    return done.stderr.strip()[-300:] or f"it ends with {done.returncode}"


def get() -> Path:
    """`find`, and where nothing is found what Playwright offers, or what apt has under CI=true. Raises NoBrowser."""
    try:
        return find()
    except NoBrowser as error:
        if os.environ.get("CHROMIUM"):
            raise
        first = error
    if os.environ.get("CI") == "true":
        _install_by_apt()
        return find()
    fault = download()
    try:
        return find()
    except NoBrowser as error:
        packages = _packages()
        raise NoBrowser(
            "\n".join(
                [
                    str(error if _own() else first),
                    *([f"Getting one into .browsers/ failed: {fault}"] if fault else []),
                    f"Install it: {packages or INSTALL}; or set CHROMIUM=path.",
                ]
            )
        ) from None


def download() -> str:
    """Playwright's own shell into .browsers/. Empty, or what went wrong."""
    print("Getting a browser for the tests into .browsers/", file=sys.stderr)
    done = _playwright("install", "--only-shell", "chromium")
    if done.returncode == 0:
        return ""
    said = (done.stderr + done.stdout).strip()
    return next((line for line in said.splitlines() if line.startswith("Error:")), said[-300:])


def _on_path() -> list[Path]:
    return [Path(found) for name in NAMES if (found := shutil.which(name))]


def _own() -> list[Path]:
    shells = ("chrome-headless-shell", "headless_shell")
    return sorted(path for path in OWN.rglob("*") if path.name in shells and path.is_file())


def _packages() -> str:
    """What Playwright says its shell needs on this system; empty where it does not know the system."""
    if not _own():
        return ""
    done = _playwright("install-deps", "--dry-run", "chromium")
    return done.stdout.strip().replace("sudo -- ", "") if done.returncode == 0 else ""


def _playwright(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "playwright", *arguments],
        env={**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(OWN)},
        capture_output=True,
        text=True,
        check=False,
    )


def _install_by_apt() -> None:
    if platform.system() != "Linux" or not shutil.which("apt-get"):
        return
    subprocess.run(["apt-get", "update", "-q"], check=False)
    # One by one: older systems have no shell of its own.
    for packages in (("chromium", *FONTS), ("chromium-headless-shell",)):
        subprocess.run(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )


def main(arguments: list[str]) -> int:
    """Get a browser, or with `download` Playwright's own into .browsers/. 2 when there is none."""
    if arguments == ["download"]:
        fault = download()
        if fault:
            print(fault, file=sys.stderr)
            return 2
    try:
        print(get())
    except NoBrowser as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
