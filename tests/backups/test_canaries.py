"""Planted secrets and labels in a list that is backed up: while bytes wait, once they are stored, and when all failed.

A backup that the sign-in alone opens is sealed too: nothing of it can be read off a row, the store, the log or a mail.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import SlotKind
from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.vault.list import Protection
from accounts.vault.secret import Secret
from backups import storage
from backups.management.commands import tidy
from backups.models import Generation
from backups.services import ending, keeping, objects, switching
from tests import factories
from tests.attacks.canaries import ISSUERS, NAMES, NOTES, SECRETS, TWENTY, Searched
from tests.attacks.test_canaries import dump, files, mails
from tests.backups import support
from tests.backups.support import FaultyStore, contents, newest, person, turn_on
from tests.factories import Visitor

pytestmark = [pytest.mark.row("T25"), pytest.mark.django_db(transaction=True)]


def plant(visitor: Visitor) -> None:
    """Canaries in everything that an account has."""
    issuers, names, notes = (list(value.values()) for value in (ISSUERS, NAMES, NOTES))
    entries = [
        factories.an_entry(
            issuer=issuers[number % 6].decode(),
            name=names[number % 6].decode(),
            secret=Secret(secret),
            note=notes[number % 2].decode(),
        )
        for number, secret in enumerate(SECRETS.values())
    ]
    vault, at = visitor.vault, timezone.now()
    vaults.change(vault, lambda accounts: accounts.add_many(entries), tag=Tag.ENTRY_ADDED, at=at)


def in_store() -> Iterator[tuple[str, bytes]]:
    """Every object, and every name."""
    for name in support.stored():
        yield "the store", storage.backups().fetch(name)
        yield "a name in the store", name.encode()


def live(visitor: Visitor, protection: Protection, faulty: type[FaultyStore]) -> list[str]:
    """On, behind with bytes that wait, kept, read again and missing, moved, off, undone; what of all that waited."""
    plant(visitor)
    factories.create_key(on=visitor, kind=SlotKind.WORDS)
    now = timezone.now()
    backup = turn_on(visitor, protection=protection)
    faulty.next("create", storage.Cause.FULL)
    factories.create_entry(on=visitor, name=NAMES["name 0"].decode(), secret=Secret(SECRETS["secret 0"]))
    waited = hits(visitor)
    assert backup.generations.exclude(waiting=None).count() == 1
    tidy.tidy(now + timedelta(minutes=1))
    backup.refresh_from_db()
    storage.backups().remove(objects.path(newest(backup)))
    keeping.check(backup, at=now + timedelta(minutes=2))
    switching.back_up(visitor.vault, at=now + timedelta(minutes=3))
    moved = switching.change_account(visitor.vault, person("other@icloud.example"), protection, at=timezone.now())
    ending.off(moved, device=visitor.device, at=timezone.now())
    ending.undo(moved, device=visitor.device, at=timezone.now(), vault=visitor.vault)
    return waited


def searched(visitor: Visitor) -> Searched:
    """The canaries, and what opens a backup that a key protects."""
    held = vaults.read(visitor.vault).backup_keys
    keys = {f"backup key {number}": key.key.reveal() for number, key in enumerate(held)}
    return Searched.of({**TWENTY, **NOTES, **keys})


def hits(visitor: Visitor, *more: tuple[str, bytes]) -> list[str]:
    """What of it stands anywhere."""
    return searched(visitor).hits([*dump(), *files(), *in_store(), *mails(), *more])


@pytest.mark.parametrize("protection", list(Protection))
def test_nothing_that_waits_or_is_stored_is_a_secret_or_a_label(
    protection: Protection, alice_phone: Visitor, faulty: type[FaultyStore], written: io.StringIO
) -> None:
    waited = live(alice_phone, protection, faulty)

    assert waited == []
    assert hits(alice_phone, ("the log", written.getvalue().encode())) == []
    assert len(mail.outbox) >= 3
    assert len(support.stored()) >= 3


def test_recovery_account_stands_there_masked_alone(alice_phone: Visitor, written: io.StringIO) -> None:
    """Its address and its id are in no row, name, log or mail of the server."""
    turn_on(alice_phone)
    looked_for = Searched.of({"address": b"alice@icloud.example", "id": b"id of alice@icloud.example"})

    places = [*dump(), *files(), *in_store(), *mails(), ("the log", written.getvalue().encode())]

    assert looked_for.hits(places) == []
    assert Searched.of({"label": "a…@icloud.example".encode()}).hits(mails()) != []


def test_contents_that_lie_open_are_found(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    """The control: unsealed they would be found in the row that waits, and in the store."""
    plant(alice_phone)
    backup = turn_on(alice_phone)
    text = contents(newest(backup)).to_bytes()
    Generation.objects.filter(pk=newest(backup).pk).update(state=Generation.State.WAITING, waiting=text)
    storage.backups().create("v1/open", text)

    found = {hit.partition(" in ")[2].partition(",")[0] for hit in hits(alice_phone)}

    assert {"backups_generation.waiting", "the store"} <= found
