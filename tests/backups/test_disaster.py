"""docs/disaster-recovery.md, done: another machine, an empty database, another SECRET_KEY, keys typed from paper."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import processes

WORDS = "correct horse battery staple dolphin anvil"

# Somebody whose list is backed up, by the sign-in alone and, on another phone, by words.
_BEFORE = """
import json
from django.utils import timezone
from accounts.services import words
from accounts.vault.list import Protection
from tests import factories
for name, protection in (("open", Protection.SIGN_IN), ("closed", Protection.KEY)):
    visitor = factories.enrolled(f"{name}@example.org", name=f"Phone {name}", type="android")
    words.make(visitor.vault, WORDS, at=timezone.now())
    for number in range(3):
        factories.create_entry(on=visitor, issuer=name, name=f"account {number}")
    factories.backed_up(visitor, protection=protection, who=factories.person(f"{name}@outlook.example"))
"""
# Afterwards, by somebody who signed up anew: what is found, and what comes back.
_AFTER = """
import json
from django.utils import timezone
from accounts.services import vaults
from accounts.services.identity import Purpose
from backups.services import fates, opening, restoring, searching
from backups.services.opening import Opener
from backups.services.restoring import Chosen
from tests import factories
found = {}
for name in ("open", "closed"):
    visitor = factories.enrolled(f"{name}.again@example.org", name="New phone", type="android")
    who, at = factories.person(f"{name}@outlook.example"), timezone.now()
    choice, = searching.find(who, "android").newest
    proof = factories.proven(visitor, purpose=Purpose.RESTORE, who=who)
    draft = opening.hold(visitor.vault, proof, choice.key, Opener(words=WORDS if choice.kinds else ""), at=at)
    rows = fates.preview(visitor.vault, draft, at=at).rows
    restoring.accept(visitor.vault, draft, Chosen(frozenset(row.id for row in rows)), at=at)
    entries = [f"{one.issuer} {one.name}" for one in vaults.read(visitor.vault).entries]
    found[name] = [choice.device_name, [one for one in entries if one.startswith(name)]]
print(json.dumps(found))
"""


@pytest.mark.article("G-18")
@pytest.mark.row("T18")
def test_all_comes_back_from_the_store_and_the_printed_sheet(tmp_path: Path) -> None:
    machine, store = tmp_path / "machine", tmp_path / "store"
    store.mkdir(mode=0o700)

    def settings(folder: Path) -> dict[str, str]:
        folder.mkdir(exist_ok=True)
        return {
            "DEBUG": "1",
            "DEMO": "1",
            "SECRET_KEY": secrets.token_urlsafe(60),
            "DATA_DIR": str(folder),
            "BACKUP_STORE": str(store),
        }

    before = settings(machine)
    run(before, "keys", "init")
    prepared(before)
    shell(before, _BEFORE)
    sheet = run(before, "keys", "sheet").stdout
    shutil.rmtree(machine)

    after = settings(tmp_path / "another machine")
    typed = processes.manage("keys", "enter", settings=after, stdin=sheet.lower().replace(" ", "  "))
    assert typed.returncode == 0, typed.stderr
    prepared(after)
    found = shell(after, _AFTER)

    assert found == {
        "open": ["Phone open", [f"open account {number}" for number in range(3)]],
        "closed": ["", [f"closed account {number}" for number in range(3)]],
    }


def prepared(settings: dict[str, str]) -> None:
    for arguments in (("migrate", "--verbosity=0"), ("createcachetable",), ("keys", "check")):
        run(settings, *arguments)


def run(settings: dict[str, str], *arguments: str) -> Any:
    done = processes.manage(*arguments, settings=settings)
    assert done.returncode == 0, done.stderr
    return done


def shell(settings: dict[str, str], script: str) -> Any:
    done = processes.manage("shell", settings=settings, stdin=f"WORDS = {WORDS!r}\n{script}", seconds=120)
    assert done.returncode == 0, done.stderr
    return next((json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")), None)
