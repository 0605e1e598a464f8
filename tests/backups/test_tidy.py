"""`manage.py tidy`: all that is due, whatever fails; again and again until it is told to end."""

from __future__ import annotations

import logging
import signal
import sqlite3
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import Device, DeviceType, Draft, KeySlot, Vault, VaultState
from accounts.services import aside, devices, vaults, words
from accounts.services.devices import NewDevice
from accounts.vault.keys import Costs
from backups.management.commands import tidy
from backups.management.commands.tidy import Due
from backups.services import objects
from backups.storage import backups
from tests import factories, place, processes
from tests.factories import Visitor
from tests.processes import MANAGE, Started


@pytest.mark.django_db(transaction=True)
def test_removed_device_is_shredded_when_its_time_of_undo_is_over(alice_phone: Visitor, bob: Visitor) -> None:
    now = timezone.now()
    devices.remove(bob.device, at=now, by=None)

    tidy.tidy(now + timedelta(hours=23, minutes=59))
    before = set(KeySlot.objects.values_list("device", flat=True))
    failed = tidy.tidy(now + timedelta(hours=24))

    assert before == {alice_phone.device.pk, bob.device.pk}
    assert failed == []
    assert list(KeySlot.objects.values_list("device", flat=True)) == [alice_phone.device.pk]


def test_old_states_and_drafts_go_and_the_newest_stays(alice_phone: Visitor) -> None:
    now = timezone.now()
    factories.create_entry(on=alice_phone)
    vaults.hold(alice_phone.vault, {"entries": []}, kind=Draft.Kind.ADD, at=now)

    tidy.tidy(now + timedelta(days=31))

    assert list(VaultState.objects.values_list("version", flat=True)) == [2]
    assert not Draft.objects.exists()


@pytest.mark.article("G-32")
@pytest.mark.django_db(transaction=True)
def test_list_put_aside_goes_after_its_time_and_its_saved_states_stay(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    backup, former = factories.backed_up(alice_phone), factories.vault_of(alice_phone)
    kept = set(backup.generations.values_list("pk", flat=True))
    now = timezone.now()
    made = aside.begin_instead(
        alice_phone.user, former.pk, NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER), restores=False, at=now
    )

    before = [tidy.tidy(now + timedelta(days=29, hours=23)), Vault.objects.filter(pk=former.pk).exists()]
    failed = tidy.tidy(now + timedelta(days=30))

    assert before == [[], True]
    assert failed == []
    assert [vault.pk for vault in Vault.objects.all()] == [made.vault.pk]
    backup.refresh_from_db()
    assert [backup.vault, backup.is_earlier, backup.is_kept] == [None, True, True]
    stored = backup.generations.stored()
    assert set(stored.values_list("pk", flat=True)) == kept != set()
    assert all(backups().fetch(objects.path(one)) for one in stored)


@pytest.mark.django_db(transaction=True)
def test_list_put_aside_that_a_key_keeps_outlives_its_time(alice_phone: Visitor) -> None:
    six, now = "granite ladle marigold hexagon kettle lantern", timezone.now()
    factories.create_entry(on=alice_phone, name="kept")
    words.make(alice_phone.vault, six, at=now, costs=Costs(8 * 1024, 1, 1))
    former = factories.vault_of(alice_phone)
    laptop, tablet = (NewDevice(uuid4(), name, DeviceType.COMPUTER) for name in ("Laptop", "Tablet"))
    aside.begin_instead(alice_phone.user, former.pk, laptop, restores=False, at=now)
    opened = words.open_list(alice_phone.user, former.pk, six, tablet, network=b"here", at=now + timedelta(days=29))

    aside.keep(replace(alice_phone, device=opened.device, cookie=opened.cookie).vault, at=now + timedelta(days=29))
    tidy.tidy(now + timedelta(days=31))

    assert Vault.objects.filter(pk=former.pk, put_aside_at=None).exists()
    assert [entry.name for entry in alice_phone.entries] == ["kept"]


def test_sessions_that_ran_out_go_with_what_is_noted_of_them(alice: Visitor, bob: Visitor) -> None:
    now = timezone.now()
    Session.objects.filter(session_key=alice.client.session.session_key).update(expire_date=now - timedelta(seconds=1))
    UserSession.objects.update(created_at=now - timedelta(days=2))

    tidy.tidy(now)

    assert list(UserSession.objects.values_list("user__email", flat=True)) == ["bob@example.org"]
    assert Session.objects.filter(session_key=bob.client.session.session_key).exists()


def test_rows_of_the_cache_that_ran_out_go(db: None) -> None:
    cache.set("short", "192.0.2.7", 1)
    cache.set("long", "192.0.2.7", 3600)

    tidy.tidy(timezone.now() + timedelta(seconds=60))

    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key FROM cache")
        assert [key for (key,) in cursor.fetchall()] == [":1:long"]


def test_work_that_fails_is_named_and_holds_back_no_other(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def fails(_at: object) -> int:
        raise OSError

    monkeypatch.setattr(tidy, "DUE", (Due("first", fails), Due("second", lambda _at: done.append("second") or 0)))

    with pytest.raises(CommandError, match=r"^Failed: first\.$"):
        call_command("tidy")

    assert done == ["second"]
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "Not tidied: first"
    ]


def test_tidy_comes_again_until_it_is_told_to_end(tmp_path: Path) -> None:
    settings = {"DEBUG": "1", "DEMO": "1", "DATA_DIR": str(tmp_path)}
    place.begin(tmp_path)

    with Started([*MANAGE, "tidy", "--every", "1"], settings=settings) as tidied:
        other = sqlite3.connect(tmp_path / "authweb.sqlite3")
        other.execute("INSERT INTO cache VALUES ('old', 'value', '2001-01-01 00:00:00')")
        other.commit()
        other.close()
        tidied.wait_for("Tidied: cache, 1")
        code = tidied.end(signal.SIGTERM)

    assert code == 0


def test_what_was_shredded_is_in_no_file_of_the_database(tmp_path: Path) -> None:
    settings = {"DEBUG": "1", "DEMO": "1", "DATA_DIR": str(tmp_path)}
    place.begin(tmp_path)
    server = sqlite3.connect(tmp_path / "authweb.sqlite3")  # As long as one is connected, SQLite keeps its log.
    server.execute("SELECT 1 FROM django_migrations").fetchall()
    made = processes.manage("shell", settings=settings, stdin=_REMOVED_LONG_AGO)
    wrapped = bytes.fromhex(made.stdout.split()[-1])
    assert len(wrapped) == 48, made.stderr
    assert wrapped in _files(tmp_path)

    assert processes.manage("tidy", settings=settings).returncode == 0

    assert wrapped not in _files(tmp_path)
    server.close()


_REMOVED_LONG_AGO = """
from datetime import timedelta
from uuid import uuid4
from django.utils import timezone
from accounts.models import DeviceType, KeySlot, User
from accounts.services import devices
now = timezone.now()
user = User.objects.create_user("alice@example.org")
made = devices.set_up(user, devices.NewDevice(uuid4(), "Phone", DeviceType.IOS), at=now - timedelta(days=3))
devices.remove(made.device, at=now - timedelta(days=2), by=None)
print(bytes(KeySlot.objects.get().wrapped).hex())
"""


def _files(folder: Path) -> bytes:
    # By another process: closing a file in this one would drop the locks that SQLite holds on it here.
    return subprocess.run(["cat", *folder.glob("authweb.sqlite3*")], capture_output=True, check=True).stdout


def test_device_unseen_for_400_days_goes(alice_phone: Visitor) -> None:
    now = timezone.now()

    tidy.tidy(now + timedelta(days=399))
    assert Device.objects.count() == 1
    tidy.tidy(now + timedelta(days=400, minutes=1))

    assert Device.objects.count() == 0


@pytest.mark.article("G-29")
@pytest.mark.row("T47")
def test_who_has_left_is_in_no_file_of_the_database(tmp_path: Path) -> None:
    settings = {"DEBUG": "1", "DEMO": "1", "DATA_DIR": str(tmp_path)}
    place.begin(tmp_path)
    server = sqlite3.connect(tmp_path / "authweb.sqlite3")
    server.execute("SELECT 1 FROM django_migrations").fetchall()
    made = processes.manage("shell", settings=settings, stdin=_TWO_PEOPLE_OF_WHOM_ONE_LEAVES)
    assert made.returncode == 0, made.stderr
    leaving, staying = (
        [bytes.fromhex(mark) for mark in line.split()[1:]]
        for line in made.stdout.splitlines()
        if line.startswith(("leaves", "stays"))
    )
    assert [len(leaving), len(staying)] == [7, 7], made.stdout
    assert processes.manage("tidy", settings=settings).returncode == 0
    assert [mark for mark in (*leaving, *staying) if mark not in _files(tmp_path)] == []  # Her time is not over.

    over = processes.manage("shell", settings=settings, stdin=_THE_DAY_HAS_COME)
    assert over.returncode == 0, over.stderr
    assert processes.manage("tidy", settings=settings).returncode == 0

    files = _files(tmp_path)
    assert [mark for mark in leaving if mark in files] == []
    assert [mark for mark in staying if mark not in files] == []
    server.close()


@pytest.mark.row("T47")
def test_backup_that_was_turned_off_is_in_no_file_after_its_grace(tmp_path: Path) -> None:
    settings = {"DEBUG": "1", "DEMO": "1", "DATA_DIR": str(tmp_path)}
    place.begin(tmp_path)
    server = sqlite3.connect(tmp_path / "authweb.sqlite3")
    server.execute("SELECT 1 FROM django_migrations").fetchall()
    made = processes.manage("shell", settings=settings, stdin=_TWO_BACKUPS_OF_WHICH_ONE_IS_OFF)
    assert made.returncode == 0, made.stderr
    off, on = (
        [bytes.fromhex(mark) for mark in line.split()[1:]]
        for line in made.stdout.splitlines()
        if line.startswith(("off", "on"))
    )
    assert [len(off), len(on)] == [6, 6], made.stdout
    assert [mark for mark in (*off, *on) if mark not in _files(tmp_path)] == []
    assert processes.manage("tidy", settings=settings).returncode == 0
    *on, sent = on
    assert [mark for mark in (*off, *on) if mark not in _files(tmp_path)] == []  # Its grace is not over.
    assert sent not in _files(tmp_path)
    assert len(list((tmp_path / "backups").rglob("*.awb"))) == 4

    # Twice: what was under way to the store is given five minutes, and looked for once more.
    for ended in (_THE_GRACE_IS_OVER, _NOTHING_IS_UNDER_WAY):
        over = processes.manage("shell", settings=settings, stdin=ended)
        assert over.returncode == 0, over.stderr
        assert processes.manage("tidy", settings=settings).returncode == 0

    assert [mark for mark in off if mark in _files(tmp_path)] == []
    assert [mark for mark in on if mark not in _files(tmp_path)] == []
    assert len(list((tmp_path / "backups").rglob("*.awb"))) == 2
    server.close()


# Marks of each: its stream, fingerprints and ids of two saved states, bytes of the one that waits once more.
_TWO_BACKUPS_OF_WHICH_ONE_IS_OFF = """
from django.utils import timezone
from backups import storage
from backups.models import Generation
from backups.services import ending, objects, switching
from tests import factories
from tests.backups import support
from tests.backups.support import person
from accounts.vault.list import Protection
now = timezone.now()
for name in ("off", "on"):
    one = factories.enrolled(f"{name}@example.org", name=f"Phone that is {name}", type="ios")
    backup = switching.turn_on(one.vault, person(f"{name}@icloud.example"), Protection.SIGN_IN, at=now)
    factories.create_entry(on=one, name="account")
    stored = [support.newest(backup), backup.generations.earliest("sequence")]
    marks = [backup.stream.encode()]
    for saved in stored:
        marks += [bytes(saved.sha256), saved.pk.hex.encode()]
    waiting = storage.backups().fetch(objects.path(stored[0]))
    Generation.objects.filter(pk=stored[0].pk).update(waiting=waiting, state="waiting")
    marks += [waiting[100:200]]
    if name == "off":
        ending.off(backup, device=one.device, at=now)
    print(name, *(bytes(mark).hex() for mark in marks))
"""

_THE_GRACE_IS_OVER = """
from django.utils import timezone
from backups.models import Backup
Backup.objects.exclude(deletes_at=None).update(deletes_at=timezone.now())
"""


_NOTHING_IS_UNDER_WAY = """
from django.utils import timezone
from backups.models import Backup
Backup.objects.exclude(left_at=None).update(retry_at=timezone.now())
"""


_TWO_PEOPLE_OF_WHOM_ONE_LEAVES = """
from django.contrib.sessions.models import Session
from django.utils import timezone
from accounts.services import deletion
from tests import factories
for name in ("alice", "bob"):
    one = factories.enrolled(f"{name}@example.org", name=f"Phone of {name}", type="ios")
    factories.create_entry(on=one, name="account")
    one.user.vaults.update(name=f"List of {name}")
    slot, state = one.vault.row.slots.get(), one.vault.row.states.last()
    marks = [slot.wrapped, slot.share, state.sealed[:64], one.device.verifier, one.user.email.encode()]
    marks += [f"Phone of {name}".encode(), one.client.session.session_key.encode()]
    if name == "alice":
        deletion.ask(one.user, at=timezone.now())
    print("leaves" if name == "alice" else "stays", *(bytes(mark).hex() for mark in marks))
"""

_THE_DAY_HAS_COME = """
from django.utils import timezone
from accounts.models import User
User.objects.filter(email="alice@example.org").update(deletes_at=timezone.now())
"""


@pytest.mark.row("T19")
def test_killed_while_slots_pass_under_a_newer_pepper_the_next_run_finishes(tmp_path: Path) -> None:
    settings = {"DEBUG": "1", "DEMO": "1", "DATA_DIR": str(tmp_path)}
    place.begin(tmp_path)
    assert processes.manage("keys", "check", settings=settings).returncode == 0
    made = processes.manage("shell", settings=settings, stdin=_THREE_HUNDRED_SLOTS)
    assert made.returncode == 0, made.stderr
    # What `docs/operating.md` names, in its order; a start is what makes the newer pepper known.
    assert processes.manage("keys", "add", "PEPPER", settings=settings).returncode == 0
    assert processes.manage("keys", "check", settings=settings).returncode == 0
    database = sqlite3.connect(tmp_path / "authweb.sqlite3", isolation_level=None)
    database.execute(_SLOWLY)

    with Started([*MANAGE, "tidy"], settings=settings) as tidied:
        tidied.wait_until(lambda: _passed(database) > 0)
        tidied.process.kill()
        tidied.process.wait()
    midway, opened_midway = _passed(database), processes.manage("shell", settings=settings, stdin=_HOW_MANY_OPEN)
    database.execute("DROP TRIGGER slowly")
    finished = processes.manage("tidy", settings=settings)
    _drop_old_pepper(tmp_path)
    opened = processes.manage("shell", settings=settings, stdin=_HOW_MANY_OPEN)

    assert 0 < midway < 300
    assert "opened 300" in opened_midway.stdout, opened_midway.stderr
    assert [finished.returncode, _passed(database)] == [0, 300]
    assert "opened 300" in opened.stdout, opened.stderr
    database.close()


def _passed(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT COUNT(*) FROM accounts_keyslot WHERE kid = 2").fetchone()[0])


def _drop_old_pepper(folder: Path) -> None:
    file = folder / "server-keys.txt"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("PEPPER 1 ")]
    file.chmod(0o600)
    file.write_text("\n".join(lines))


# A machine so slow that it can be told when to stop.
_SLOWLY = """
CREATE TRIGGER slowly AFTER UPDATE ON accounts_keyslot BEGIN
  SELECT COUNT(*) FROM (
    WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 30000) SELECT n FROM number
  );
END
"""

_THREE_HUNDRED_SLOTS = """
from hashlib import sha256
from uuid import uuid4
from django.utils import timezone
from accounts.models import KeySlot, User, Vault
from accounts.services import keyring
from accounts.vault import keys
user = User.objects.create_user("alice@example.org")
vault = Vault.objects.create(user=user, name="List", made_at=timezone.now(), changed_at=timezone.now())
kid, pepper = keyring.pepper()
for number in range(300):
    slot = KeySlot(vault=vault, kind="passkey", kid=kid, credential=number.to_bytes(4, "big"), made_at=timezone.now())
    inner = keys.passkey_key(keys.Secret(sha256(slot.credential).digest()), vault.id.bytes, slot.id.bytes)
    slot.wrapped = keys.make_slot(keys.VaultKey(b"k" * 32), inner, pepper, vault.id.bytes, slot.id.bytes)
    slot.save()
"""

_HOW_MANY_OPEN = """
from hashlib import sha256
from accounts.models import KeySlot
from accounts.services import keyring
from accounts.vault import keys
opened = 0
for slot in KeySlot.objects.all():
    ids = slot.vault_id.bytes, slot.id.bytes
    inner = keys.passkey_key(keys.Secret(sha256(slot.credential).digest()), *ids)
    opened += keys.open_slot(bytes(slot.wrapped), inner, keyring.pepper(slot.kid)[1], *ids) == keys.VaultKey(b"k" * 32)
print("opened", opened)
"""
