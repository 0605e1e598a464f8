"""Killed at any moment: each acknowledged change is in a proven saved state once `tidy` has run."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.vault.list import AccountList, Protection
from backups.management.commands import tidy
from backups.models import Backup, Status
from backups.services import switching
from tests import place, processes
from tests.accounts.test_parallel import address_of_database
from tests.backups.support import contents, newest, person
from tests.environment import ROOT
from tests.factories import Visitor
from tests.processes import MANAGE, Started

# -- A process that changes a list ------------------------------------------------------------------------------------


@dataclass
class Mortal:
    """`tests/mortal.py`, and what it acknowledged."""

    process: subprocess.Popen[str]
    chance: random.Random = field(default_factory=random.Random)
    acknowledged: list[str] = field(default_factory=list)

    def killed(self, name: str) -> None:
        """A new life, from its first change to a moment by chance."""
        self.say(name)
        assert self.process.stdout is not None
        pid = int(self.process.stdout.readline())
        self.acknowledged.append(self.process.stdout.readline().strip())
        time.sleep(self.chance.random() * 0.2)
        os.kill(pid, signal.SIGKILL)
        for line in iter(self.process.stdout.readline, "dead\n"):
            assert line.endswith("\n")
            self.acknowledged.append(line.strip())

    def say(self, words: str) -> None:
        """One line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()


@pytest.fixture
def backup(alice_phone: Visitor, store_of_all: Path) -> Backup:
    """Alice's list is backed up, in the store that processes have."""
    return switching.turn_on(alice_phone.vault, person(), Protection.SIGN_IN, at=timezone.now())


@pytest.fixture
def mortal(alice_phone: Visitor, backup: Backup) -> Iterator[Mortal]:
    """It changes alice's list."""
    environment = processes.clean_environment(
        DJANGO_SETTINGS_MODULE="authweb.settings",
        DEBUG="1",
        DATA_DIR=str(settings.DATA_DIR),
        SERVER_KEYS_FILE=str(settings.SERVER_KEYS_FILE),
        SECRET_KEY=settings.SECRET_KEY,
        DATABASE_URL=address_of_database(),
    )
    with subprocess.Popen(
        [sys.executable, "-m", "tests.mortal"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        one = Mortal(process)
        assert alice_phone.device is not None
        assert alice_phone.cookie is not None
        one.say(f"{alice_phone.device.pk} {alice_phone.cookie.to_text()}")
        yield one
        assert process.stdin is not None
        process.stdin.close()


def saved(backup: Backup) -> set[str]:
    """The names of the accounts in the newest proven saved state, opened as a restore would."""
    return {entry.name for entry in contents(newest(backup)).entries}


@pytest.mark.row("T14")
@pytest.mark.django_db(transaction=True)
def test_every_acknowledged_change_is_proven_after_a_kill(
    alice_phone: Visitor, backup: Backup, mortal: Mortal, amount: Callable[..., int]
) -> None:
    for life in range(amount(short=10, long=200)):
        mortal.killed(f"life-{life}")

        assert tidy.tidy(timezone.now()) == []

        backup.refresh_from_db()
        found = saved(backup)
        assert set(mortal.acknowledged) <= found
        assert found == {entry.name for entry in alice_phone.entries}
        # Emptied for the lives to come, the list is also much smaller than the fullest state.
        assert backup.status(timezone.now()) in (Status.PROTECTED, *([Status.SHRUNK] if life >= 20 else []))
        assert backup.behind_changes == 0
        if life % 20 == 19:  # A list holds 2,000 at most.
            clear(alice_phone)
            mortal.acknowledged.clear()


@pytest.mark.row("T14")
@pytest.mark.django_db(transaction=True)
def test_without_what_waits_in_the_row_a_kill_would_lose_a_change(
    alice_phone: Visitor, backup: Backup, mortal: Mortal
) -> None:
    """The control: again and again the list is ahead of what is saved, and nobody but its row knows the change."""
    for life in range(60):
        mortal.killed(f"life-{life}")
        if saved(backup) != {entry.name for entry in alice_phone.entries}:
            return
        tidy.tidy(timezone.now())
    raise AssertionError("No kill ever fell between a change and its sending.")


def clear(visitor: Visitor) -> None:
    """Empty the list at once, as no person can: the lives before would fill it."""
    vaults.change(visitor.vault, lambda _: AccountList(), tag=Tag.ENTRY_DELETED, at=timezone.now())


# -- Another server key -----------------------------------------------------------------------------------------------


@pytest.mark.row("T19")
def test_killed_while_saved_states_pass_under_a_newer_key_tidy_finishes(
    tmp_path: Path, amount: Callable[..., int]
) -> None:
    count = amount(short=300, long=10_000)
    given = {"DEBUG": "1", "DEMO": "1", "DATA_DIR": str(tmp_path)}
    place.begin(tmp_path)
    assert processes.manage("keys", "check", settings=given).returncode == 0
    made = processes.manage("shell", settings=given, stdin=_SAVED_STATES.replace("COUNT", str(count)), seconds=1200)
    assert made.returncode == 0, made.stderr
    refused = processes.manage("keys", "add", "S", settings=given)
    assert refused.returncode == 0, refused.stderr
    assert processes.manage("keys", "check", settings=given).returncode == 0
    database = sqlite3.connect(tmp_path / "authweb.sqlite3", isolation_level=None)

    with Started([*MANAGE, "rewrap_backups"], settings=given) as running:
        running.wait_until(lambda: _passed(database) > count // 10, seconds=600)
        running.process.kill()
        running.process.wait()
    midway, opened_midway = _passed(database), _opened(given)
    begun = time.monotonic()
    finished = processes.manage("tidy", settings=given, seconds=1200)
    took = time.monotonic() - begun
    _drop_old_key(tmp_path)
    opened, stored = _opened(given), list((tmp_path / "backups").rglob("*.awb"))

    print(f"{took / (count - midway) * 1000:.1f} ms a saved state, start of the process included")
    assert 0 < midway < count
    assert opened_midway == count
    assert (finished.returncode, _passed(database), opened) == (0, count, count), finished.stderr
    assert "Tidied: saved states under an older server key" in finished.stderr
    again = processes.manage("tidy", settings=given)
    assert (again.returncode, "older server key" in again.stderr) == (0, False), again.stderr
    assert (len(stored), {path.stem[-8:] for path in stored}) == (count, {"00000002"})
    database.close()


def _passed(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT COUNT(*) FROM backups_generation WHERE kid = 2").fetchone()[0])


def _opened(given: dict[str, str]) -> int:
    """How many saved states open, by their rows, as a restore would."""
    asked = processes.manage("shell", settings=given, stdin=_HOW_MANY_OPEN, seconds=600)
    assert asked.returncode == 0, asked.stderr
    return int(asked.stdout.split()[-1])


def _drop_old_key(folder: Path) -> None:
    file = folder / "server-keys.txt"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("S 1 ")]
    assert len(lines) < len(file.read_text().splitlines())
    file.chmod(0o600)
    file.write_text("\n".join(lines))


_SAVED_STATES = """
from hashlib import sha256
from uuid import uuid4
from django.utils import timezone
from accounts.models import User
from accounts.services import keyring
from accounts.vault.keys import Role
from backups import envelope, storage
from backups.models import Backup, Generation, RecoveryAccount
from backups.services import objects
now, stream = timezone.now(), "0011223344556677"
user = User.objects.create_user("alice@example.org")
account = RecoveryAccount.objects.create(
    user=user, name=bytes(32), tag=bytes(32), kid=1, role="apple", device_type="ios", label="a", proven_at=now
)
kid, key = keyring.keyring().newest(Role.STORE)
backup = Backup.objects.create(user=user, recovery_account=account, stream=stream, on_at=now, protection="sign_in")
rows = []
for number in range(1, COUNT + 1):
    row = Generation(recovery_account=account, backup=backup, stream=stream, sequence=number, kid=kid, size=0, whole=1)
    row.named, row.device_name, row.state, row.made_at = 0, "Phone", "proven", now
    data = envelope.write(b"%d" % number, objects.place(row), kid=kid, key=key)
    row.sha256, row.size = sha256(data).digest(), len(data)
    storage.backups().create(objects.path(row), data)
    rows.append(row)
Generation.objects.bulk_create(rows)
"""

_HOW_MANY_OPEN = """
from hashlib import sha256
from backups import envelope, storage
from backups.models import Generation
from backups.services import objects
opened = 0
for row in Generation.objects.select_related("recovery_account"):
    data = storage.backups().fetch(objects.path(row))
    text = envelope.read(data, objects.place(row), objects.server_key, sha256=bytes(row.sha256))
    opened += text == b"%d" % row.sequence
print("opened", opened)
"""
