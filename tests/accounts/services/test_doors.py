"""The doors of a list: which there are, and what each ends on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.models import Device, DeviceType, Event, KeySlot, SlotKind, VaultState
from accounts.services import devices, doors, keyring, vaults
from accounts.services.activity import Tag
from accounts.services.devices import DeviceGone, NewDevice
from accounts.services.doors import NoSuchDoor
from accounts.vault import keys
from accounts.vault.errors import WrongKey
from accounts.vault.keys import Secret
from tests import factories
from tests.factories import Visitor, create_entry

PRF = Secret(b"p" * 32)
LAPTOP = NewDevice(UUID(int=7), "Laptop", DeviceType.COMPUTER)


@pytest.fixture
def passkey(alice_phone: Visitor) -> Iterator[KeySlot]:
    """A passkey that opens alice's list."""
    kid, pepper = keyring.pepper()
    row = factories.vault_of(alice_phone)
    slot = KeySlot(vault=row, kind=SlotKind.PASSKEY, kid=kid, credential=b"one", made_at=timezone.now())
    inner = keys.passkey_key(PRF, row.id.bytes, slot.id.bytes)
    slot.wrapped = keys.make_slot(alice_phone.vault.key, inner, pepper, row.id.bytes, slot.id.bytes)
    slot.save()
    yield slot


def test_doors_are_those_that_open_the_last_seen_device_first(alice_phone: Visitor, passkey: KeySlot) -> None:
    later = timezone.now() + timedelta(hours=3)
    made = doors.enter_by(passkey, alice_phone.vault.key, LAPTOP, tag=Tag.DEVICE_OPENED_BY_PASSKEY, at=later)
    both = doors.of(alice_phone.user)

    devices.remove(made.device, at=later, by=None)
    one = doors.of(alice_phone.user)

    assert [device.name for device in both.devices] == ["Laptop", "Alice's phone"]
    assert [device.name for device in one.devices] == ["Alice's phone"]
    assert [one.passkeys, one.words, bool(one)] == [(b"one",), False, True]


def test_list_that_nothing_opens_has_no_doors(alice_phone: Visitor) -> None:
    devices.remove(alice_phone.device, at=timezone.now(), by=None)

    assert not doors.of(alice_phone.user)


def test_lists_of_others_and_lists_put_aside_have_none(alice_phone: Visitor, bob: Visitor) -> None:
    hers = factories.vault_of(alice_phone)

    with pytest.raises(NoSuchDoor):
        doors.of(bob.user, hers.pk)
    hers.put_aside_at = timezone.now()
    hers.save()

    with pytest.raises(NoSuchDoor):
        doors.of(alice_phone.user)
    assert doors.of(bob.user).vault == factories.vault_of(bob)


def test_opened_door_makes_a_device_that_sees_the_list(alice_phone: Visitor, passkey: KeySlot) -> None:
    create_entry(on=alice_phone, name="a")
    at = timezone.now()

    made = doors.enter_by(passkey, alice_phone.vault.key, LAPTOP, tag=Tag.DEVICE_OPENED_BY_PASSKEY, at=at)

    laptop = Visitor(alice_phone.user, alice_phone.client, made.device, made.cookie)
    assert [entry.name for entry in laptop.entries] == ["a"]
    assert KeySlot.objects.get(pk=passkey.pk).used_at == at
    event = Event.objects.get(tag=Tag.DEVICE_OPENED_BY_PASSKEY)
    assert [event.device_name, type(alice_phone.user).objects.get().noticed_at] == ["Laptop", at]


@pytest.mark.row("T41")
def test_key_that_opens_no_state_makes_no_device(alice_phone: Visitor, passkey: KeySlot) -> None:
    with pytest.raises(WrongKey):
        doors.enter_by(passkey, keys.new_vault_key(), LAPTOP, tag=Tag.DEVICE_OPENED_BY_PASSKEY, at=timezone.now())

    assert [Device.objects.count(), KeySlot.objects.get(pk=passkey.pk).used_at] == [1, None]


def test_damaged_list_is_opened_where_an_older_state_is_whole(alice_phone: Visitor, passkey: KeySlot) -> None:
    create_entry(on=alice_phone, name="a")
    newest = VaultState.objects.order_by("-version")[0]
    VaultState.objects.filter(pk=newest.pk).update(sealed=bytes(len(newest.sealed)))
    key = alice_phone.vault.key

    made = doors.enter_by(passkey, key, LAPTOP, tag=Tag.DEVICE_OPENED_BY_PASSKEY, at=timezone.now())

    laptop = Visitor(alice_phone.user, alice_phone.client, made.device, made.cookie)
    assert vaults.last_good(laptop.vault) is not None


@pytest.mark.row("T41")
def test_door_that_was_taken_away_meanwhile_opens_no_more(alice_phone: Visitor, passkey: KeySlot) -> None:
    key = alice_phone.vault.key
    KeySlot.objects.filter(pk=passkey.pk).delete()

    with pytest.raises(NoSuchDoor):
        doors.enter_by(passkey, key, LAPTOP, tag=Tag.DEVICE_OPENED_BY_PASSKEY, at=timezone.now())

    assert Device.objects.count() == 1


def test_second_click_takes_the_place_of_the_first_until_that_was_used(alice_phone: Visitor, passkey: KeySlot) -> None:
    key, at = alice_phone.vault.key, timezone.now()
    first, second = (doors.enter_by(passkey, key, LAPTOP, tag=Tag.DEVICE_OPENED_BY_PASSKEY, at=at) for _ in range(2))
    KeySlot.objects.filter(device=second.device).update(used_at=at)

    with pytest.raises(DeviceGone):
        doors.enter_by(passkey, key, LAPTOP, tag=Tag.DEVICE_OPENED_BY_PASSKEY, at=at)

    assert first.cookie.key != second.cookie.key
    assert [device.pk for device in Device.objects.exclude(pk=alice_phone.device.pk)] == [LAPTOP.id]


def test_id_of_anothers_device_is_never_taken(alice_phone: Visitor, bob: Visitor, passkey: KeySlot) -> None:
    key = alice_phone.vault.key
    his = NewDevice(bob.device.pk, "Mine", DeviceType.IOS)

    with pytest.raises(DeviceGone):
        doors.enter_by(passkey, key, his, tag=Tag.DEVICE_OPENED_BY_PASSKEY, at=timezone.now())

    assert Device.objects.get(pk=bob.device.pk).user == bob.user


def test_several_lists_are_told_apart(alice_phone: Visitor) -> None:
    later = timezone.now() + timedelta(days=1)
    separate = devices.set_up(
        alice_phone.user, NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER), at=later, separate=True
    )

    found = doors.lists(alice_phone.user)

    assert [vault.pk for vault in found] == [separate.vault.pk, alice_phone.device.slots.get().vault_id]
    assert doors.of(alice_phone.user).vault == separate.vault
    assert [d.name for d in doors.of(alice_phone.user, found[1].pk).devices] == ["Alice's phone"]
