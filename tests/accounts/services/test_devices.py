"""Browsers: enrolled by an act alone, known by their cookie, refused at once, shredded after a day."""

from __future__ import annotations

import base64
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from allauth.usersessions.models import UserSession
from django.urls import reverse
from django.utils import timezone

from accounts.models import Device, DeviceType, KeySlot, Vault
from accounts.services import devices
from accounts.services.devices import NewDevice
from tests import factories
from tests.factories import Visitor, create_entry


def test_set_up_makes_one_device_one_list_one_slot(alice: Visitor) -> None:
    made = devices.set_up(alice.user, NewDevice(uuid4(), "Pixel 9", DeviceType.ANDROID), at=timezone.now())

    assert [Device.objects.count(), Vault.objects.count(), KeySlot.objects.count()] == [1, 1, 1]
    assert len(made.cookie.to_text()) == 66


def test_set_up_of_a_second_list_is_refused_unless_separate(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    at = timezone.now()

    with pytest.raises(devices.HasList):
        devices.set_up(alice_phone.user, NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER), at=at)
    devices.set_up(alice_phone.user, NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER), at=at, separate=True)

    assert sorted(Vault.objects.values_list("name", flat=True)) == ["Alice's phone", "Laptop"]


def set_up_by_form(visitor: Visitor, device_id: UUID) -> devices.Enrolled:
    """As the button of one form does it."""
    return devices.set_up(visitor.user, NewDevice(device_id, "Pixel 9", DeviceType.ANDROID), at=timezone.now())


def test_second_click_takes_the_place_of_the_first(alice: Visitor) -> None:
    first, second = (set_up_by_form(alice, UUID(int=7)) for _ in range(2))

    assert [Device.objects.get().pk, Vault.objects.get()] == [UUID(int=7), second.vault]
    assert first.cookie.key != second.cookie.key


def test_another_form_takes_no_place(alice: Visitor) -> None:
    set_up_by_form(alice, UUID(int=7))

    with pytest.raises(devices.HasList):
        set_up_by_form(alice, UUID(int=8))

    assert Device.objects.get().pk == UUID(int=7)


def test_form_with_the_id_of_another_persons_device_takes_nothing(alice: Visitor, bob: Visitor) -> None:
    assert bob.device is not None

    with pytest.raises(devices.HasList):
        set_up_by_form(alice, bob.device.pk)

    assert Device.objects.get() == bob.device


def test_list_that_was_looked_at_is_never_replaced(alice: Visitor) -> None:
    made = set_up_by_form(alice, UUID(int=7))
    KeySlot.objects.filter(device=made.device).update(used_at=timezone.now())

    with pytest.raises(devices.HasList):
        set_up_by_form(alice, UUID(int=7))


def test_row_holds_no_key_that_opens_the_list(alice_phone: Visitor) -> None:
    """With every column and the server's keys, but without the cookie, the slot stays shut."""
    create_entry(on=alice_phone)
    device = Device.objects.get()
    slot = KeySlot.objects.get()

    everything = b"".join(
        bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode()
        for row in (device, slot, slot.vault)
        for value in row.__dict__.values()
    )

    assert alice_phone.cookie is not None
    key = base64.urlsafe_b64decode(alice_phone.cookie.to_text() + "==")[-32:]
    assert [key in everything, key in everything + key] == [False, True]
    assert len(bytes(slot.wrapped)) == 48


@pytest.mark.article("G-31", "refused")
def test_removal_is_refused_at_once_and_ends_the_sessions_of_that_device(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    laptop = factories.at_another_browser(alice_phone)
    assert alice_phone.client.get(reverse("accounts:list")).status_code == 200
    assert alice_phone.device is not None

    devices.remove(alice_phone.device, at=timezone.now(), by=None)

    assert alice_phone.client.get(reverse("accounts:list")).headers["Location"].startswith(reverse("account_login"))
    assert laptop.client.get(reverse("accounts:devices")).status_code == 200
    assert UserSession.objects.count() == 1


@pytest.mark.article("G-31", "allowed")
def test_removed_device_comes_back_within_a_day_and_is_shredded_after(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    at = timezone.now()
    device = alice_phone.device
    assert device is not None
    devices.remove(device, at=at, by=None)

    devices.expire(at + timedelta(hours=23, minutes=59))
    devices.put_back(device, at=at + timedelta(hours=23, minutes=59), by=None)
    back = alice_phone.entries
    devices.remove(Device.objects.get(), at=at, by=None)
    with pytest.raises(devices.DeviceGone):
        devices.put_back(device, at=at + timedelta(hours=24), by=None)
    devices.expire(at + timedelta(hours=24))

    assert back == (entry,)
    assert [Device.objects.count(), KeySlot.objects.count()] == [0, 0]


def test_removed_device_does_not_put_itself_back(alice_phone: Visitor) -> None:
    assert alice_phone.device is not None
    devices.remove(alice_phone.device, at=timezone.now(), by=None)

    with pytest.raises(devices.OwnUndo):
        devices.put_back(alice_phone.device, at=timezone.now(), by=alice_phone.device)

    assert Device.objects.get().removed_at is not None


def test_last_door_of_a_list_is_named(alice_phone: Visitor) -> None:
    assert alice_phone.device is not None

    assert devices.loss(alice_phone.device).lists == ("Alice's phone",)


def test_device_unseen_for_400_days_is_shredded(alice_phone: Visitor) -> None:
    at = timezone.now()

    early = devices.expire(at + timedelta(days=399))
    late = devices.expire(at + timedelta(days=401))

    assert [early, late] == [0, 1]


def test_device_of_another_person_is_not_found(alice_phone: Visitor, bob: Visitor) -> None:
    assert bob.device is not None

    with pytest.raises(devices.DeviceGone):
        devices.of(alice_phone.user, bob.device.pk)


def test_vault_key_of_another_device_does_not_fit(alice_phone: Visitor, bob: Visitor) -> None:
    """Slots exchanged in the database open nothing."""
    create_entry(on=alice_phone)
    mine, theirs = KeySlot.objects.get(device=alice_phone.device), KeySlot.objects.get(device=bob.device)
    wrapped = bytes(theirs.wrapped)
    KeySlot.objects.filter(pk=mine.pk).update(wrapped=wrapped)

    answer = alice_phone.client.get(reverse("accounts:list"))

    assert answer.headers["Location"] == reverse("accounts:open")


def test_fifty_devices_are_the_most(alice_phone: Visitor) -> None:
    """Whoever has words or a passkey could make them without end, with a mail for each."""
    vault, at = alice_phone.vault, timezone.now()
    made = [
        devices.enrol(alice_phone.user, vault.row, vault.key, NewDevice(uuid4(), str(n), DeviceType.IOS), at=at)
        for n in range(49)
    ]

    with pytest.raises(devices.TooManyDevices):
        devices.enrol(alice_phone.user, vault.row, vault.key, NewDevice(uuid4(), "One more", DeviceType.IOS), at=at)
    devices.remove(made[0].device, at=at, by=None)
    devices.enrol(alice_phone.user, vault.row, vault.key, NewDevice(uuid4(), "One more", DeviceType.IOS), at=at)

    assert alice_phone.user.devices.enrolled().count() == 50
