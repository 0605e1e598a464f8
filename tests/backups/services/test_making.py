"""A change becomes a saved state, proven to open; and a list is never held back by its backup."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from accounts.models import Event, SlotKind
from accounts.services import codes, held_keys, keyring, vaults
from accounts.services.activity import Tag
from accounts.vault import keys
from accounts.vault.entry import Identity, Kind, Needs, Type
from accounts.vault.errors import WrongKey
from accounts.vault.keys import Role as KeyRole
from accounts.vault.list import AccountList, Protection
from backups.models import Cause, Generation, Status
from backups.services import ending, making, retaining, switching
from tests import factories
from tests.backups import support
from tests.backups.support import contents, newest, turn_on
from tests.factories import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


def change(visitor: Visitor, operation: vaults.Operation, tag: Tag = Tag.ENTRY_RENAMED) -> AccountList:
    return vaults.change(visitor.vault, operation, tag=tag, at=timezone.now())


def test_every_change_is_in_a_proven_saved_state_once_it_is_made(alice_phone: Visitor) -> None:
    entry = factories.create_entry(on=alice_phone)
    backup = turn_on(alice_phone)

    change(alice_phone, lambda accounts: accounts.rename(entry.id, issuer="Elsewhere", name="alice"))

    backup.refresh_from_db()
    assert (backup.high_water, backup.behind_since, backup.failure) == (2, None, "")
    assert [(one.issuer, one.name) for one in contents(newest(backup)).entries] == [("Elsewhere", "alice")]
    assert contents(newest(backup)).entries[0].secret == entry.secret
    assert newest(backup).made_at == backup.saved_at


@pytest.mark.article("S-02")
@pytest.mark.article("S-33")
@pytest.mark.article("S-34")
@pytest.mark.article("S-36")
@pytest.mark.article("S-39")
@pytest.mark.article("G-07")
@pytest.mark.article("G-23")
def test_each_kind_of_account_is_in_it_as_its_kind_allows(alice_phone: Visitor) -> None:
    work = Identity("entra", "https://login.example/t/v2.0", "uid")
    for name, kind, fields in (
        ("third", Kind.THIRD_PARTY, {}),
        ("code", Kind.PERSONAL_CODE, {}),
        ("passwordless", Kind.PERSONAL_PASSWORDLESS, {"note": "private"}),
        ("work", Kind.WORK, {"secret": None, "needs": Needs.SIGN_IN, "identity": work}),
        ("work code added as another account", Kind.THIRD_PARTY, {}),
    ):
        factories.create_entry(on=alice_phone, name=name, kind=kind, **fields)

    backup = turn_on(alice_phone)

    found = contents(newest(backup)).entries
    assert [(one.name, one.secret is not None) for one in found] == [
        ("third", True),
        ("code", True),
        ("passwordless", False),
        ("work", False),
        ("work code added as another account", True),
    ]
    assert [one.note for one in found] == [""] * 5
    assert [one.identity for one in found] == [None] * 5
    assert (backup.whole, backup.named) == (3, 2)


def test_what_no_backup_carries_makes_no_saved_state(alice_phone: Visitor) -> None:
    kept, gone = (factories.create_entry(on=alice_phone, name=name) for name in ("kept", "gone"))
    change(alice_phone, lambda accounts: accounts.trash_entry(gone.id, vaults.seconds(timezone.now())))
    backup = turn_on(alice_phone)

    change(alice_phone, lambda accounts: accounts.delete(gone.id))
    unchanged = backup.generations.count()
    change(alice_phone, lambda accounts: accounts.pin(kept.id, True))

    assert (unchanged, backup.generations.count()) == (1, 2)
    assert [one.name for one in contents(newest(backup)).entries] == ["kept"]


def test_list_that_is_not_backed_up_leaves_nothing_anywhere(alice_phone: Visitor, bob: Visitor) -> None:
    turn_on(alice_phone)
    before = support.stored()

    factories.create_entry(on=bob)

    assert support.stored() == before
    assert len(before) == 1


# -- Protected by a key -----------------------------------------------------------------------------------------------


def test_backup_under_a_key_opens_with_that_key_alone(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    (key,) = vaults.read(alice_phone.vault).backup_keys

    backup = turn_on(alice_phone, protection=Protection.KEY)

    assert len(contents(newest(backup), key).entries) == 1
    with pytest.raises(WrongKey):
        contents(newest(backup))
    assert newest(backup).slots == [["words", key.slot]]
    assert backup.protection == Protection.KEY


@pytest.mark.row("T44")
def test_removed_key_opens_no_later_saved_state_and_the_kept_one_does(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    gone = factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    stays = factories.create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="Passkey")
    former, current = vaults.read(alice_phone.vault).backup_keys
    backup = turn_on(alice_phone, protection=Protection.KEY)
    before = newest(backup)

    held_keys.remove(alice_phone.vault, gone.pk, at=timezone.now())

    after = newest(backup)
    assert after.sequence == before.sequence + 1
    assert len(contents(before, former).entries) == len(contents(before, current).entries) == 1
    assert len(contents(after, current).entries) == 1
    with pytest.raises(WrongKey):
        contents(after, former)
    assert after.slots == [["passkey", stays.pk.hex]]
    assert ending.open_with_former_keys(backup, vaults.read(alice_phone.vault)) == [before]


def test_protected_backup_without_a_key_is_not_made_and_needs_the_person(alice_phone: Visitor) -> None:
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    (key,) = vaults.read(alice_phone.vault).backup_keys
    backup = turn_on(alice_phone, protection=Protection.KEY)

    change(alice_phone, lambda accounts: accounts.without_backup_keys([key.slot]), Tag.WORDS_REMOVED)

    backup.refresh_from_db()
    assert (backup.failure, backup.status(timezone.now())) == (Cause.NO_KEY, Status.NEEDS_YOU)
    assert vaults.read(alice_phone.vault).backup_keys == ()
    assert backup.generations.count() == 1


# -- What fails holds no change back ----------------------------------------------------------------------------------


def test_change_stands_though_the_server_lacks_its_key(
    alice_phone: Visitor, settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backup = turn_on(alice_phone)
    without = [key for key in keyring.read(Path(django_settings.SERVER_KEYS_FILE)) if key.role != KeyRole.STORE]
    keyring.write(tmp_path / "keys.txt", without)
    settings.SERVER_KEYS_FILE = tmp_path / "keys.txt"
    vault = alice_phone.vault
    try:
        with caplog.at_level(logging.ERROR):
            vaults.change(
                vault,
                lambda accounts: accounts.add(factories.an_entry()),
                tag=Tag.ENTRY_ADDED,
                at=timezone.now(),
            )
    finally:
        settings.SERVER_KEYS_FILE = django_settings.SERVER_KEYS_FILE
        keyring.keyring.cache_clear()

    backup.refresh_from_db()
    assert len(vaults.read(vault)) == 1
    assert (backup.failure, backup.status(timezone.now())) == (Cause.KEYS, Status.FAILING)
    line = Event.objects.get(tag=Tag.BACKUP_FAILED)
    assert (line.reference, line.facts) == (backup.reference, {"cause": "keys"})
    assert f"{backup.reference}: not backed up, keys" in caplog.text
    assert [one.state for one in backup.generations.all()] == [Generation.State.PROVEN]


@pytest.mark.article("G-03")
def test_provider_that_no_longer_fits_the_date_writes_nothing_new(alice_phone: Visitor, settings: Any) -> None:
    settings.ICLOUD_FROM = datetime(2199, 1, 1, tzinfo=UTC)
    microsoft = support.person("alice@outlook.example", role=support.Role.MICROSOFT)
    backup = switching.turn_on(alice_phone.vault, microsoft, Protection.SIGN_IN, at=timezone.now())
    before = support.stored()
    settings.ICLOUD_FROM = datetime(2025, 9, 1, tzinfo=UTC)

    factories.create_entry(on=alice_phone)

    backup.refresh_from_db()
    assert backup.status(timezone.now()) is Status.NEEDS_YOU
    assert (backup.failure, support.stored()) == (Cause.PROVIDER, before)
    assert Event.objects.get(tag=Tag.BACKUP_FAILED).facts == {"cause": "provider", "type": "ios"}
    assert len(before) == 1


# -- A list that shrinks ----------------------------------------------------------------------------------------------


@pytest.mark.article("G-11")
@pytest.mark.parametrize("left", [0, 1, 2, 3, 4])
def test_list_of_under_half_pins_the_fuller_state_until_the_person_decides(left: int, alice_phone: Visitor) -> None:
    entries = [factories.create_entry(on=alice_phone, name=f"{number}") for number in range(5)]
    backup = turn_on(alice_phone)
    full = newest(backup)

    change(alice_phone, lambda accounts: AccountList(entries=accounts.entries[:left]))

    backup.refresh_from_db()
    full.refresh_from_db()
    small = left < 2.5
    assert (backup.shrunk_from, full.pinned) == ((5, True) if small else (None, False))
    assert backup.status(timezone.now()) is (Status.SHRUNK if small else Status.PROTECTED)
    assert len(contents(full).entries) == len(entries) == 5


def test_smaller_list_that_is_meant_is_asked_about_once(alice_phone: Visitor) -> None:
    for number in range(5):
        factories.create_entry(on=alice_phone, name=f"{number}")
    backup = turn_on(alice_phone)
    change(alice_phone, lambda accounts: AccountList(entries=accounts.entries[:1]))
    backup.refresh_from_db()

    ending.accept(backup, device=alice_phone.device, at=timezone.now())
    change(alice_phone, lambda accounts: accounts.pin(accounts.entries[0].id, True))

    backup.refresh_from_db()
    assert (backup.shrunk_from, backup.status(timezone.now())) == (None, Status.PROTECTED)
    held = [backup.generations.filter(pinned=True).count()]
    for hours in (23, 25):  # Whoever holds a browser for a moment deletes nothing at once.
        retaining.tidy(timezone.now() + timedelta(hours=hours))
        held.append(backup.generations.filter(pinned=True).count())
    assert held == [1, 1, 0]


def test_list_that_grows_again_lets_the_fuller_state_go(alice_phone: Visitor) -> None:
    for number in range(4):
        factories.create_entry(on=alice_phone, name=f"{number}")
    backup = turn_on(alice_phone)
    whole = vaults.read(alice_phone.vault)
    change(alice_phone, lambda accounts: AccountList(entries=accounts.entries[:1]))

    change(alice_phone, lambda accounts: whole)

    backup.refresh_from_db()
    assert (backup.shrunk_from, backup.generations.filter(pinned=True).count()) == (None, 0)


# -- Counters ---------------------------------------------------------------------------------------------------------


def test_counter_going_on_replaces_the_state_that_an_earlier_step_made(alice_phone: Visitor) -> None:
    entry = factories.create_entry(on=alice_phone, type=Type.HOTP)
    backup = turn_on(alice_phone)

    for _ in range(5):
        codes.next_code(alice_phone.vault, entry.id, at=timezone.now())

    kept = [(one.sequence, one.counter_only) for one in backup.generations.stored().order_by("sequence")]
    assert kept == [(1, False), (6, True)]
    assert [one.counter for one in contents(newest(backup)).entries] == [5]
    assert len(support.stored()) == 2


# -- Proof that it opens ----------------------------------------------------------------------------------------------


@pytest.mark.article("G-13")
def test_what_does_not_open_as_it_will_have_to_is_not_kept(
    alice_phone: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = turn_on(alice_phone)

    def altered(*args: object, **kwargs: object) -> bytes:
        sealed = bytearray(written(*args, **kwargs))
        sealed[-40] ^= 1
        return bytes(sealed)

    written = making.envelope.write
    monkeypatch.setattr(making.envelope, "write", altered)
    factories.create_entry(on=alice_phone)

    backup.refresh_from_db()
    assert (backup.failure, backup.generations.count()) == (Cause.NOT_OPENED, 1)
    assert len(vaults.read(alice_phone.vault)) == 1


@pytest.mark.article("S-66")
def test_nothing_but_the_accounts_is_in_it(alice_phone: Visitor) -> None:
    canary = keys.Secret(b"a canary's very own key")
    factories.create_entry(on=alice_phone, name="passwordless", kind=Kind.PERSONAL_PASSWORDLESS, secret=canary)
    trashed = factories.create_entry(on=alice_phone, name="trashed", secret=keys.Secret(b"of the Trash"))
    change(alice_phone, lambda accounts: accounts.trash_entry(trashed.id, 1_800_000_000))
    factories.create_entry(on=alice_phone, name="whole", secret=keys.Secret(b"goes along"))

    backup = turn_on(alice_phone)

    text = contents(newest(backup)).to_bytes()
    held = [secret.reveal_text().encode() in text for secret in (canary, keys.Secret(b"of the Trash"))]
    assert held == [False, False]
    assert keys.Secret(b"goes along").reveal_text().encode() in text  # The control: there is something to find.
    assert b"trashed" not in text


def test_days_and_numbers_go_up_from_each_turning_on(alice_phone: Visitor) -> None:
    at = timezone.now()
    first = turn_on(alice_phone, at=at)
    stream = first.stream
    ending.off(first, device=alice_phone.device, at=at)
    ending.expire(at + timedelta(hours=24))

    second = turn_on(alice_phone, at=at + timedelta(hours=25))

    assert second.stream != stream
    assert [(one.stream, one.sequence) for one in second.generations.all()] == [(second.stream, 1)]
