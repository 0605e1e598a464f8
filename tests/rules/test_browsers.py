"""The browser of the tests is found or got; where neither works it is named, and nothing runs without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import browsers, processes
from tests.environment import ROOT

# Nobody listens there: the machine of a test that has no way out.
NO_WAY_OUT = {"PLAYWRIGHT_DOWNLOAD_HOST": "http://127.0.0.1:9"}


def look(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m tests.browsers` with an empty PATH and this folder for its own browsers."""
    (folder / "bin").mkdir(exist_ok=True)
    settings = {**NO_WAY_OUT, "PATH": str(folder / "bin"), "PLAYWRIGHT_BROWSERS_PATH": str(folder), **environment}
    clean = processes.clean_environment(**settings)
    clean.pop("CI", None)
    if "CHROMIUM" not in environment:
        clean.pop("CHROMIUM", None)
    return subprocess.run(
        [sys.executable, "-m", "tests.browsers"], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )


def wrapper(path: Path) -> Path:
    """The machine's browser under another name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec "{browsers.find()}" --headless "$@"\n')
    path.chmod(0o755)
    return path


def test_missing_browser_is_named_with_what_to_install(tmp_path: Path) -> None:
    done = look(tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "The tests need Chromium, Chrome or Edge.\n" in done.stderr
    assert "Getting one into .browsers/ failed: Error:" in done.stderr
    assert "Install it: apt-get install chromium" in done.stderr


def test_browser_that_does_not_start_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "chromium"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'error while loading shared libraries: libnss3.so: cannot open' >&2\nexit 127\n")
    broken.chmod(0o755)

    done = look(tmp_path)

    assert done.returncode == 2
    assert f"{broken} does not start: it lacks libnss3.so\n" in done.stderr


@pytest.mark.parametrize("name", ["chromium-headless-shell", "google-chrome"])
def test_browser_on_the_path_is_found(name: str, tmp_path: Path) -> None:
    path = wrapper(tmp_path / "bin" / name)

    done = look(tmp_path)

    assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr


def test_browser_of_the_checkout_is_found(tmp_path: Path) -> None:
    path = wrapper(tmp_path / "chromium_headless_shell-1" / "chrome-linux" / "headless_shell")

    done = look(tmp_path)

    assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr


def test_named_browser_comes_first_and_must_start(tmp_path: Path) -> None:
    other = wrapper(tmp_path / "other")
    wrapper(tmp_path / "bin" / "chromium")

    named, missing = look(tmp_path, CHROMIUM=str(other)), look(tmp_path, CHROMIUM="/no/such/browser")

    assert (named.returncode, named.stdout) == (0, f"{other}\n")
    assert (missing.returncode, missing.stderr) == (2, "CHROMIUM=/no/such/browser does not start: FileNotFoundError\n")
