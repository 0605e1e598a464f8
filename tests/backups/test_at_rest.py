"""Who has everything that is stored: opens the backups that the sign-in alone opens, as their label says, and no other.

And who writes the database: weakens none, and plants no key.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, models, transaction
from django.utils import timezone

from accounts.models import SlotKind
from accounts.services import passkeys, vaults, words
from accounts.vault import keys
from accounts.vault.errors import VaultError
from accounts.vault.keys import Secret
from accounts.vault.list import BackupKey, Protection
from backups import envelope, storage
from backups.envelope import Place
from backups.models import Backup, Cause, Generation, RecoveryAccount
from backups.names import Name
from backups.services import keeping, making, objects
from tests import factories
from tests.attacks.test_at_rest import CREDENTIAL, PRF, WORDS, on_disk
from tests.attacks.test_canaries import dump
from tests.backups import support
from tests.backups.support import newest, turn_on
from tests.factories import Visitor

OTHER_WORDS = "granite ladle marigold kettle lantern abacus"
_SIZES = (40, 48)  # Of what AES key wrap gives: a test of the key that wrapped it.


@pytest.fixture
def saved(alice_phone: Visitor, bob: Visitor, django_capture_on_commit_callbacks: Any) -> dict[str, Backup]:
    """Three backups: by words and a passkey, by a passkey alone, and by the sign-in alone."""
    carol = factories.enrolled("carol@example.org", name="Carol's phone", type="ios")
    with django_capture_on_commit_callbacks(execute=True):
        for visitor in (alice_phone, bob, carol):
            factories.create_entry(on=visitor)
        words.make(alice_phone.vault, WORDS, at=timezone.now())
        passkeys.add(alice_phone.vault, CREDENTIAL, (Secret(PRF), Secret(PRF)), "Passkey", at=timezone.now())
        factories.create_key(on=carol, kind=SlotKind.PASSKEY)
        made = {
            "words and a passkey": turn_on(alice_phone, protection=Protection.KEY),
            "a passkey": turn_on(carol, protection=Protection.KEY),
            "the sign-in": turn_on(bob),
        }
    for backup in made.values():
        backup.refresh_from_db()
    return made


# -- The whole disk ---------------------------------------------------------------------------------------------------


@dataclass
class Opener:
    """Tries 32 bytes at a backup, with all server keys: as the key that opens it, and as what that is made of."""

    data: bytes
    place: Place
    slots: tuple[envelope.Slot, ...]

    @classmethod
    def of(cls, backup: Backup) -> Opener:
        """At its newest saved state."""
        one = newest(backup)
        data, place = storage.backups().fetch(objects.path(one)), objects.place(one)
        return cls(data, place, envelope.slots(data, place, objects.server_key))

    def opens(self, candidate: bytes | None = None) -> bool:
        """By the server's keys and these bytes; without any, by the server's keys alone."""
        if candidate is None:
            return self._reads()
        secret = Secret(candidate)
        made_of = (secret, keys.backup_key_of_words(secret), keys.backup_key_of_passkey(secret))
        return any(_unwraps(key, slot.wrapped) for slot in self.slots for key in made_of)

    def _reads(self) -> bool:
        try:
            envelope.read(self.data, self.place, objects.server_key)
        except VaultError:
            return False
        return True


def _unwraps(key: Secret, wrapped: bytes) -> bool:
    try:
        keys.unwrap(key, wrapped)
    except VaultError:
        return False
    return True


@pytest.mark.row("A2")
@pytest.mark.row("A3")
def test_disk_with_all_server_keys_opens_what_the_sign_in_opens_and_nothing_else(saved: dict[str, Backup]) -> None:
    in_store = {
        data[start : start + 32]
        for data in map(storage.backups().fetch, support.stored())
        for start in range(min(len(data), 400) - 31)
    }
    candidates = on_disk() | in_store

    alone = {name: Opener.of(backup).opens() for name, backup in saved.items()}
    openers = {name: Opener.of(backup) for name, backup in saved.items() if backup.protection == Protection.KEY}
    opened = {name: sum(map(opener.opens, candidates)) for name, opener in openers.items()}

    assert alone == {"words and a passkey": False, "a passkey": False, "the sign-in": True}
    assert {name: newest(backup).opens_with_sign_in for name, backup in saved.items()} == alone
    assert {name: backup.protection for name, backup in saved.items()} == {
        "words and a passkey": "key",
        "a passkey": "key",
        "the sign-in": "sign_in",
    }
    assert opened == {"words and a passkey": 0, "a passkey": 0}
    assert len(candidates) > 2000


@pytest.mark.row("A3")
def test_thief_who_has_words_or_a_passkey_too_opens_that_backup(saved: dict[str, Backup]) -> None:
    """The control: the same search opens it by what its person holds."""
    opener = Opener.of(saved["words and a passkey"])
    (salt,) = [slot.salt for slot in opener.slots if slot.kind == envelope.WORDS]
    candidates = {
        "words": keys.stretch(WORDS, salt).reveal(),
        "passkey": PRF,
        "other words": keys.stretch(OTHER_WORDS, salt).reveal(),
        "another passkey": bytes(32),
    }

    opened = {name: opener.opens(one) for name, one in candidates.items()}

    assert opened == {"words": True, "passkey": True, "other words": False, "another passkey": False}


@pytest.mark.row("A3")
def test_each_single_part_missing_opens_no_backup(alice_phone: Visitor, saved: dict[str, Backup]) -> None:
    one = newest(saved["words and a passkey"])
    data, place = storage.backups().fetch(objects.path(one)), objects.place(one)
    (server,) = [objects.server_key(one.kid)]
    held = next(key for key in vaults.read(alice_phone.vault).backup_keys if key.kind == envelope.WORDS)
    other = secrets.token_bytes(32)

    def opens(data: bytes = data, place: Place = place, server: Secret | None = server, held: Any = held) -> bool:
        key = (held.kind, held.key) if held else None
        try:
            return bool(envelope.read(data, place, lambda _: server, backup_key=key))
        except VaultError:
            return False

    missing = {
        "what the person has": opens(held=None),
        "her key": opens(held=replace(held, key=Secret(other))),
        "the server's key": opens(server=None),
        "that server key": opens(server=Secret(other)),
        "the name": opens(place=replace(place, ctx=other)),
        "the stream": opens(place=replace(place, stream=other[:8])),
        "the number": opens(place=replace(place, sequence=place.sequence + 1)),
        "the object": opens(data=secrets.token_bytes(len(data))),
    }

    assert opens()
    assert missing == dict.fromkeys(missing, False)


# -- A test of words --------------------------------------------------------------------------------------------------


def made_of_words(typed: str, salt: bytes, vault: bytes, slot: bytes) -> list[Secret]:
    """Every key that words become."""
    stretched = keys.stretch(typed, salt)
    return [stretched, keys.backup_key_of_words(stretched), keys.words_key(stretched, vault, slot)]


def told(typed: str, visitor: Visitor, places: list[bytes]) -> int:
    """In how many places, at any offset, something tells that these words are right."""
    slot = visitor.vault.row.slots.get(kind=SlotKind.WORDS)
    found = 0
    for key in made_of_words(typed, bytes(slot.salt), slot.vault_id.bytes, slot.id.bytes):
        for data in places:
            for size in _SIZES:
                found += sum(_unwraps(key, data[start : start + size]) for start in range(len(data) - size + 1))
            found += key.reveal() in data
    return found


@pytest.mark.row("T42")
def test_dump_alone_and_store_alone_are_no_test_of_words(alice_phone: Visitor, saved: dict[str, Backup]) -> None:
    of_keys = ("accounts_keyslot.", "backups_")
    rows = [value for place, value in dump() if place.startswith(of_keys) and len(value) >= min(_SIZES)]
    (name,) = [name for name in support.stored() if saved["words and a passkey"].stream in name]
    data = storage.backups().fetch(name)
    place = Name.parse(name).place
    opened = envelope.slots(data, place, objects.server_key)  # What the server's keys make of the store.

    tests = {
        "dump": [told(typed, alice_phone, rows) for typed in (WORDS, OTHER_WORDS)],
        "store": [told(typed, alice_phone, [data]) for typed in (WORDS, OTHER_WORDS)],
        "dump, store and server keys": [
            told(typed, alice_phone, [slot.wrapped for slot in opened]) for typed in (WORDS, OTHER_WORDS)
        ],
    }

    assert tests == {"dump": [0, 0], "store": [0, 0], "dump, store and server keys": [1, 0]}
    assert any(len(value) == 48 for value in rows)


# -- Who writes the database ------------------------------------------------------------------------------------------


def scribble(chance: random.Random) -> str:
    """Write some column of some row of the backups; which one. Raises DatabaseError where no such value may stand."""
    model = chance.choice([Backup, Generation, RecoveryAccount])
    row = chance.choice(list(model.objects.order_by("pk")))
    field = chance.choice([field for field in model._meta.concrete_fields if not field.primary_key])
    others = list(model.objects.values_list(field.attname, flat=True))
    values: list[Any] = [None, chance.choice(others)]
    if isinstance(field, models.BinaryField):
        values += [chance.randbytes(32), b""]
    elif isinstance(field, models.JSONField):
        values += [[], [["words", "0" * 32]], {}]
    elif isinstance(field, models.BooleanField):
        values += [True, False]
    elif isinstance(field, models.IntegerField):
        values += [0, 1, 2, chance.randrange(2**31)]
    elif isinstance(field, models.DateTimeField):
        values += [timezone.now() - timedelta(days=chance.randrange(400))]
    elif isinstance(field, models.CharField):
        values += ["", *[str(value) for value, _ in field.choices or ()], f"{chance.randrange(2**64):016x}"]
    model.objects.filter(pk=row.pk).update(**{field.attname: chance.choice(values)})
    return f"{model.__name__}.{field.attname}"


def weaker(before: set[str], held: tuple[BackupKey, ...], ctx: bytes) -> list[str]:
    """New objects of the store that the server's keys alone open, that have any other way in than these keys, or that
    lie under another recovery account.
    """
    found = []
    for name in set(support.stored()) - before:
        data, place = storage.backups().fetch(name), Name.parse(name).place
        slots = envelope.slots(data, place, objects.server_key)
        ways = [(slot.kind, slot.hint) for slot in slots]
        is_held = ways == [(key.kind, key.hint.reveal()) for key in held] and all(
            _unwraps(key.key, slot.wrapped) for key, slot in zip(held, slots, strict=True)
        )
        if not ways or not is_held or place.ctx != ctx:
            found.append(name)
    return found


@pytest.mark.row("T43")
def test_whatever_is_written_into_the_rows_no_backup_becomes_weaker(
    alice_phone: Visitor,
    saved: dict[str, Backup],
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]],
    amount: Callable[..., int],
) -> None:
    chance = random.Random(43)
    held, ctx = vaults.read(alice_phone.vault).backup_keys, ctx_of(saved["words and a passkey"])
    written, made = [], 0
    for _ in range(amount(short=200, long=20_000)):
        before = set(support.stored())
        for _ in _undone():
            try:
                with transaction.atomic():
                    written.append(scribble(chance))
            except (DatabaseError, IntegrityError):
                break
            with django_capture_on_commit_callbacks(execute=True):
                factories.create_entry(on=alice_phone, name=secrets.token_hex(8))
            assert weaker(before, held, ctx) == [], written[-1]
            made += len(set(support.stored()) - before)
        for name in set(support.stored()) - before:
            storage.backups().remove(name)

    assert made > len(written) // 2
    assert len(set(written)) > 20


def _undone() -> Iterator[None]:
    """Once, and then the database is as before."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def ctx_of(backup: Backup) -> bytes:
    """Under which name it lies."""
    assert backup.recovery_account is not None
    return bytes(backup.recovery_account.name)


@pytest.mark.row("T43")
@pytest.mark.parametrize("by", ["pointing to another row", "another name in the row", "another list's backup"])
def test_backup_is_sent_to_nobody_elses_recovery_account(
    by: str,
    bob: Visitor,
    saved: dict[str, Backup],
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]],
) -> None:
    """Who writes the database and owns a recovery account here would else restore another's list by signing in."""
    victims, own = saved["the sign-in"], saved["a passkey"]
    account = victims.recovery_account
    assert account is not None
    if by == "pointing to another row":
        Backup.objects.filter(pk=victims.pk).update(recovery_account=own.recovery_account)
    elif by == "another name in the row":
        Backup.objects.filter(pk=own.pk).update(deletes_at=None)
        RecoveryAccount.objects.filter(pk=account.pk).update(name=ctx_of(own))
    else:
        Backup.objects.filter(pk=victims.pk).update(vault=None)
        Backup.objects.filter(pk=own.pk).update(vault=victims.vault)
    before = set(support.stored())

    with django_capture_on_commit_callbacks(execute=True):
        factories.create_entry(on=bob, name="after that")

    assert set(support.stored()) - before == set()
    backup = Backup.objects.get(vault=victims.vault)
    assert backup.failure == Cause.OTHER_IDENTITY
    assert [entry.name for entry in bob.entries] == ["alice@example.org", "after that"]


@pytest.mark.row("T43")
def test_weaker_backup_and_planted_key_are_noticed(alice_phone: Visitor, saved: dict[str, Backup]) -> None:
    """The control: what would be made of columns that are believed."""
    backup, accounts = saved["words and a passkey"], vaults.read(alice_phone.vault)
    planted = BackupKey("0" * 32, "passkey", Secret(bytes(16)), Secret(bytes(32)))
    noticed = []
    for naive in (accounts.protected_by(Protection.SIGN_IN), accounts.with_backup_key(planted)):
        before = set(support.stored())
        keeping.send(_made(backup, naive), at=timezone.now())
        noticed.append(len(weaker(before, accounts.backup_keys, ctx_of(backup))))

    before = set(support.stored())
    keeping.send(_made(backup, accounts), at=timezone.now())
    noticed.append(len(weaker(before, accounts.backup_keys, bytes(32))))

    assert noticed == [1, 1, 1]


def _made(backup: Backup, accounts: Any) -> Backup:
    backup.refresh_from_db()
    making.make(backup, accounts, at=timezone.now())
    return backup
