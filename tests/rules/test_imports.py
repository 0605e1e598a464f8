"""Imports go down, the core stays pure, two services open the list, nobody needs the demo."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import ROOT
from tests.rules import tree

CONTRACTS = (
    "authweb may import backups, backups may import accounts, never back",
    "The core knows no Django, no network, no log, no clock, no chance",
    "Only two services open the list or compute a code",
    "Nobody imports the demo",
)


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on a tree."""
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", command],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_keep_the_four_contracts() -> None:
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name in CONTRACTS if f"{name} KEPT" not in " ".join(done.stdout.split())] == []


BREACHES = {
    "accounts/services/policy.py": ("import backups.apps", CONTRACTS[0]),
    "backups/apps.py": ("from authweb import env", CONTRACTS[0]),
    "accounts/vault/entry.py": ("import datetime", CONTRACTS[1]),
    "accounts/vault/otp.py": ("from accounts.services import policy", CONTRACTS[1]),
    "accounts/vault/list.py": ("import secrets", CONTRACTS[1]),
    "backups/envelope.py": ("import random", CONTRACTS[1]),
    "backups/contents.py": ("from backups import checks", CONTRACTS[1]),
    "backups/names.py": ("from django.conf import settings", CONTRACTS[1]),
    "backups/portions.py": ("import logging", CONTRACTS[1]),
    "accounts/views/__init__.py": ("from accounts.vault import sealing", CONTRACTS[2]),
    "accounts/services/keyring.py": ("from accounts.vault import otp", CONTRACTS[2]),
    "authweb/views.py": ("from authweb.demo import samples", CONTRACTS[3]),
}


@pytest.mark.parametrize("module", BREACHES)
def test_imports_that_breach_a_contract_are_found(module: str, tmp_path: Path) -> None:
    line, contract = BREACHES[module]
    for package in tree.OURS:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{line}\n")

    done = lint(tmp_path)

    said = " ".join(done.stdout.split())
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} BROKEN" in said
