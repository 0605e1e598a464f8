"""Several processes change one list that is backed up: each change is in what is saved. On SQLite and PostgreSQL."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.services import vaults
from accounts.vault.list import Protection
from backups import storage
from backups.models import Backup, Generation, Status
from backups.names import Name
from backups.services import keeping, objects, switching
from tests.accounts.test_parallel import write_together
from tests.backups import support
from tests.backups.support import contents, newest, person
from tests.factories import Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.row("T16")]


@pytest.fixture
def backup(alice_phone: Visitor, store_of_all: Path) -> Backup:
    """Alice's list is backed up, in the store that the writers have."""
    return switching.turn_on(alice_phone.vault, person(), Protection.SIGN_IN, at=timezone.now())


def numbers_given(backup: Backup) -> list[int]:
    """The numbers of the stream that lie in the store, in its order."""
    return [Name.parse(name).sequence for name in support.stored() if backup.stream in name]


def test_changes_by_eight_processes_are_all_in_the_newest_saved_state(alice_phone: Visitor, backup: Backup) -> None:
    write_together(alice_phone, writers=8, changes=25, manner="careful")

    backup.refresh_from_db()
    names = {f"{writer}-{change}" for writer in range(8) for change in range(25)}
    assert {entry.name for entry in contents(newest(backup)).entries} == names
    assert [entry.id for entry in contents(newest(backup)).entries] == [entry.id for entry in alice_phone.entries]
    assert (backup.high_water, newest(backup).sequence, backup.behind_since, backup.failure) == (201, 201, None, "")
    assert backup.status(timezone.now()) is Status.PROTECTED


def test_numbers_rise_and_none_is_given_twice(alice_phone: Visitor, backup: Backup) -> None:
    """Each change has a number of its own, in the order in which they were made; nothing that is kept is unknown."""
    said = write_together(alice_phone, writers=4, changes=10, manner="numbered")

    given = sorted((int(version), int(sequence)) for words in said for version, sequence in _pairs(words))
    assert [version - sequence for version, sequence in given] == [given[0][0] - given[0][1]] * 40
    assert len({sequence for _, sequence in given}) == 40
    assert _rows_and_objects_agree(backup)


def _pairs(words: str) -> list[list[str]]:
    return [pair.split(":") for pair in words.split()]


def _rows_and_objects_agree(backup: Backup) -> bool:
    """Nothing is in the store that no row knows; each proven one is there, byte by byte."""
    rows = {objects.path(one): one for one in backup.generations.select_related("recovery_account")}
    proven = {path for path, one in rows.items() if one.state == Generation.State.PROVEN}
    for path in proven:
        assert hashlib.sha256(storage.backups().fetch(path)).digest() == bytes(rows[path].sha256)
    return proven <= set(support.stored()) <= set(rows)


def test_two_that_send_while_others_change_lose_nothing(alice_phone: Visitor, backup: Backup) -> None:
    """`tidy` twice beside four browsers: each sends what waits wherever it finds it, prunes, and reads again."""
    write_together(alice_phone, writers=6, changes=15, manner="sending")

    keeping.retry(timezone.now())
    backup.refresh_from_db()
    names = {f"{writer}-{change}" for writer in range(2, 6) for change in range(15)}
    assert {entry.name for entry in contents(newest(backup)).entries} == names
    assert (backup.high_water, backup.behind_since, backup.failure) == (61, None, "")
    assert _rows_and_objects_agree(backup)
    assert numbers_given(backup)[-1] == 61


def test_sending_by_many_at_once_of_one_that_waits_writes_it_once(alice_phone: Visitor, backup: Backup) -> None:
    one = newest(backup)
    data = storage.backups().fetch(objects.path(one))
    storage.backups().remove(objects.path(one))
    backup.generations.filter(pk=one.pk).update(state=Generation.State.WAITING, waiting=data)
    Backup.objects.filter(pk=backup.pk).update(behind_since=timezone.now(), behind_changes=1, saved_at=None)

    write_together(alice_phone, writers=4, changes=3, manner="sends")

    backup.refresh_from_db()
    assert (newest(backup).sequence, backup.saved_at, backup.failure) == (1, one.made_at, "")
    assert support.stored() == [objects.path(one)]
    assert len(vaults.read(alice_phone.vault)) == 0
