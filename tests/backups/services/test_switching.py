"""Cloud Backup on, elsewhere, otherwise protected: one act each, and nothing that was good goes by mistake."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Event, SlotKind
from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.vault.list import Protection
from backups import storage
from backups.models import Backup, Cause, RecoveryAccount, Status
from backups.services import ending, finding, keeping, switching
from backups.services.switching import AlreadyOn, KeyNeeded, NotKept
from tests import factories
from tests.backups import support
from tests.backups.support import FaultyStore, contents, newest, person, turn_on
from tests.factories import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

GRACE = timedelta(hours=24)
OTHER = "alice.other@icloud.example"


@pytest.mark.article("S-22")
@pytest.mark.article("G-16")
def test_list_is_saved_read_back_and_counted_when_it_is_turned_on(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    at = timezone.now()
    before = support.stored()

    backup = turn_on(alice_phone, at=at)

    assert (before, backup.status(at), backup.count, backup.saved_at, backup.checked_at) == (
        [],
        Status.PROTECTED,
        1,
        at,
        at,
    )
    assert backup.recovery_account.device_type == alice_phone.device.type == "ios"
    assert backup.recovery_account.label == "a…@icloud.example"
    laptop = factories.with_another_device(alice_phone, name="Laptop", type="computer")
    factories.create_entry(on=laptop, name="from the laptop")
    assert [entry.name for entry in contents(newest(backup)).entries] == ["alice@example.org", "from the laptop"]
    assert Backup.objects.count() == 1


def test_turned_on_twice_is_turned_on_once(alice_phone: Visitor) -> None:
    first = turn_on(alice_phone)

    with pytest.raises(AlreadyOn):
        turn_on(alice_phone)

    assert (Backup.objects.get().stream, len(support.stored())) == (first.stream, 1)


def test_nothing_is_on_where_the_first_saved_state_cannot_be_made(alice_phone: Visitor) -> None:
    microsoft = person("alice@outlook.example", role=support.Role.MICROSOFT)  # An iPhone's is iCloud by now.

    with pytest.raises(NotKept) as caught:
        switching.turn_on(alice_phone.vault, microsoft, Protection.SIGN_IN, at=timezone.now())

    assert caught.value.cause is Cause.PROVIDER
    assert [event.reference for event in Event.objects.filter(tag=Tag.BACKUP_FAILED)] == [caught.value.reference]
    assert (Backup.objects.exclude(stream="").exists(), support.stored()) == (False, [])
    assert not Event.objects.filter(tag=Tag.BACKUP_ON).exists()


def test_key_that_nobody_holds_protects_nothing(alice_phone: Visitor) -> None:
    with pytest.raises(KeyNeeded):
        turn_on(alice_phone, protection=Protection.KEY)

    assert not Backup.objects.exists()


def test_removed_device_turns_nothing_on(alice_phone: Visitor) -> None:
    vault = alice_phone.vault
    factories.devices.remove(alice_phone.device, at=timezone.now(), by=None)

    with pytest.raises(vaults.DeviceRemoved):
        switching.turn_on(vault, person(), Protection.SIGN_IN, at=timezone.now())

    assert (Backup.objects.exists(), support.stored()) == (False, [])


@pytest.mark.article("S-63")
@pytest.mark.article("S-21")
def test_new_account_is_proven_first_then_the_old_one_waits_out_its_day(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    old, at = turn_on(alice_phone), timezone.now()

    new = switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at)
    factories.create_entry(on=alice_phone, name="afterwards")

    new.refresh_from_db()
    assert (new.vault, new.deletes_at, new.count) == (alice_phone.vault.row, None, 2)
    (former,) = finding.former(alice_phone.vault.row, at=at)
    assert (former.pk, former.deletes_at, former.count) == (old.pk, at + GRACE, 1)
    assert (ending.expire(at + GRACE), support.streams()) == (1, {new.stream})
    assert [backup.pk for backup in Backup.objects.filter(left_at=None)] == [new.pk]


@pytest.mark.article("G-36")
@pytest.mark.parametrize("act", ["create", "fetch"])
def test_new_account_that_fails_half_way_leaves_the_old_one_on(
    act: str, alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    old, at = turn_on(alice_phone), timezone.now()
    before = support.stored()
    faulty.next(act, storage.Cause.UNREACHABLE)

    with pytest.raises(NotKept) as caught:
        switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at)

    assert caught.value.cause is Cause.STORE
    old.refresh_from_db()
    assert (old.is_on, old.status(at)) == (True, Status.PROTECTED)
    assert Event.objects.filter(reference=caught.value.reference).count() == 1
    assert finding.former(alice_phone.vault.row, at=at) == []
    ending.expire(at)
    assert (support.stored(), Backup.objects.filter(left_at=None).count()) == (before, 1)


def test_same_account_again_is_proven_anew_and_nothing_moves(alice_phone: Visitor) -> None:
    old, at = turn_on(alice_phone), timezone.now() + timedelta(minutes=1)

    again = switching.change_account(alice_phone.vault, person(), Protection.SIGN_IN, at=at)

    assert (again.pk, Backup.objects.count(), len(support.stored())) == (old.pk, 1, 1)
    assert RecoveryAccount.objects.get().proven_at == at


def test_another_protection_makes_a_saved_state_and_names_the_older_ones(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    backup = turn_on(alice_phone)
    older = newest(backup)
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)

    switching.protect(alice_phone.vault, Protection.KEY, at=timezone.now())

    backup.refresh_from_db()
    (key,) = vaults.read(alice_phone.vault).backup_keys
    assert (backup.protection, len(contents(newest(backup), key).entries)) == (Protection.KEY, 1)
    open_ones = ending.open_to_operator(backup)
    assert older in open_ones
    assert ending.delete_older(backup, open_ones, device=None, at=timezone.now()) == len(open_ones)
    assert (ending.open_to_operator(backup), len(support.stored())) == ([], 1)


def test_keys_changed_while_it_moves_are_in_the_next_saved_state(
    alice_phone: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    turn_on(alice_phone, protection=Protection.KEY)
    sent = keeping.send

    def meanwhile(backup: Backup, **at: Any) -> bool:
        monkeypatch.setattr(keeping, "send", sent)
        factories.create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="new")  # In another browser.
        return sent(backup, **at)

    monkeypatch.setattr(keeping, "send", meanwhile)
    new = switching.change_account(alice_phone.vault, person(OTHER), Protection.KEY, at=timezone.now())

    kept = {slot for _, slot in newest(new).slots}
    assert kept == {key.slot for key in vaults.read(alice_phone.vault).backup_keys}
    assert len(kept) == 2
