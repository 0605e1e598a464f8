"""A passkey opens the list by the 32 bytes it gives, twice alike, and by nothing else."""

from __future__ import annotations

import hashlib
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from accounts.models import Device, DeviceType, Event, KeySlot, SlotKind, User
from accounts.services import devices, held_keys, keyring, passkeys, vaults
from accounts.services.activity import Tag
from accounts.services.devices import NewDevice
from accounts.services.doors import NoSuchDoor
from accounts.services.passkeys import AlreadyAKey, TooManyPasskeys
from accounts.vault import keys
from accounts.vault.errors import Damaged, WrongKey
from accounts.vault.keys import Role, Secret
from tests.factories import Visitor, create_entry

PRF, OTHER = Secret(b"p" * 32), Secret(b"q" * 32)
LAPTOP = NewDevice(UUID(int=7), "Laptop", DeviceType.COMPUTER)


def added(visitor: Visitor, credential: bytes = b"one", output: Secret = PRF, name: str = "Keychain") -> KeySlot:
    """A passkey that opens the visitor's list."""
    return passkeys.add(visitor.vault, credential, (output, output), name, at=timezone.now())


@pytest.mark.row("T41")
def test_passkey_opens_the_list_of_a_hundred_accounts_in_another_browser(alice_phone: Visitor) -> None:
    for number in range(100):
        create_entry(on=alice_phone, name=str(number))
    slot, at = added(alice_phone), timezone.now()

    made = passkeys.open_list(alice_phone.user, b"one", PRF, LAPTOP, at=at)

    laptop = Visitor(alice_phone.user, alice_phone.client, made.device, made.cookie)
    assert [entry.name for entry in laptop.entries] == [str(number) for number in range(100)]
    assert KeySlot.objects.get(pk=slot.pk).used_at == at
    assert Event.objects.get(tag=Tag.DEVICE_OPENED_BY_PASSKEY).device_name == "Laptop"


@pytest.mark.article("G-27")
def test_passkey_is_a_key_of_the_list_and_of_its_backups_to_come(alice_phone: Visitor) -> None:
    slot = added(alice_phone)

    (key,) = vaults.read(alice_phone.vault).backup_keys
    assert [key.slot, key.kind] == [slot.pk.hex, "passkey"]
    assert key.hint == Secret(hashlib.sha256(b"one").digest()[:16])
    assert key.key == keys.backup_key_of_passkey(PRF)
    assert Event.objects.get(tag=Tag.PASSKEY_ADDED).facts["name"] == "Keychain"


@pytest.mark.row("T45")
def test_two_uses_that_differ_make_no_key(alice_phone: Visitor) -> None:
    with pytest.raises(WrongKey):
        passkeys.add(alice_phone.vault, b"one", (PRF, OTHER), "Keychain", at=timezone.now())

    assert passkeys.of(alice_phone.vault.row) == []
    assert vaults.read(alice_phone.vault).backup_keys == ()
    assert not Event.objects.filter(tag=Tag.PASSKEY_ADDED).exists()


def test_seven_passkeys_open_a_list_and_not_one_more(alice_phone: Visitor) -> None:
    for number in range(7):
        added(alice_phone, b"id %d" % number, Secret(bytes([number]) * 32))

    with pytest.raises(TooManyPasskeys):
        added(alice_phone, b"one more")

    assert [len(passkeys.of(alice_phone.vault.row)), len(vaults.read(alice_phone.vault).backup_keys)] == [7, 7]


def test_same_passkey_is_no_second_key(alice_phone: Visitor, bob: Visitor) -> None:
    added(alice_phone)

    with pytest.raises(AlreadyAKey):
        added(alice_phone)
    added(bob)

    assert [slot.vault.user.email for slot in KeySlot.objects.filter(kind=SlotKind.PASSKEY).order_by("made_at")] == [
        "alice@example.org",
        "bob@example.org",
    ]


@pytest.mark.row("T41")
@pytest.mark.parametrize(
    ("credential", "output"),
    [(b"one", OTHER), (b"two", PRF), (b"", PRF), (b"o", PRF)],
    ids=["other bytes", "not a key", "no id", "part of an id"],
)
def test_wrong_passkey_and_wrong_output_are_told_alike(alice_phone: Visitor, credential: bytes, output: Secret) -> None:
    added(alice_phone)

    with pytest.raises(NoSuchDoor):
        passkeys.open_list(alice_phone.user, credential, output, LAPTOP, at=timezone.now())

    assert Device.objects.count() == 1


@pytest.mark.row("T41")
def test_passkey_of_another_person_opens_nothing_of_mine(alice_phone: Visitor, bob: Visitor) -> None:
    added(alice_phone)
    added(bob, b"his", OTHER)

    for user, credential, output in ((bob.user, b"one", PRF), (alice_phone.user, b"his", OTHER)):
        with pytest.raises(NoSuchDoor):
            passkeys.open_list(user, credential, output, LAPTOP, at=timezone.now())

    assert Device.objects.count() == 2


@pytest.mark.row("T41")
def test_removed_passkey_opens_no_more(alice_phone: Visitor) -> None:
    slot = added(alice_phone)
    held_keys.remove(alice_phone.vault, slot.pk, at=timezone.now())

    with pytest.raises(NoSuchDoor):
        passkeys.open_list(alice_phone.user, b"one", PRF, LAPTOP, at=timezone.now())

    assert vaults.read(alice_phone.vault).backup_keys == ()


def test_altered_slot_and_missing_server_key_are_damage_not_a_wrong_passkey(alice_phone: Visitor) -> None:
    slot = added(alice_phone)
    wrapped = bytes(slot.wrapped)
    KeySlot.objects.filter(pk=slot.pk).update(wrapped=bytes([wrapped[0] ^ 1]) + wrapped[1:])

    with pytest.raises(Damaged):
        passkeys.open_list(alice_phone.user, b"one", PRF, LAPTOP, at=timezone.now())

    KeySlot.objects.filter(pk=slot.pk).update(wrapped=wrapped)
    assert passkeys.open_list(alice_phone.user, b"one", PRF, LAPTOP, at=timezone.now()).device.name == "Laptop"


def test_server_key_that_the_file_lacks_is_damage(alice_phone: Visitor) -> None:
    slot = added(alice_phone)
    KeySlot.objects.filter(pk=slot.pk).update(kid=99)

    with pytest.raises(ImproperlyConfigured):
        keyring.keyring().get(Role.PEPPER, 99)
    with pytest.raises(Damaged):
        passkeys.open_list(alice_phone.user, b"one", PRF, LAPTOP, at=timezone.now())


def test_slot_moved_to_another_list_opens_nothing(alice_phone: Visitor, bob: Visitor) -> None:
    """Who writes the database puts alice's slot under bob's list: bound to list and slot, it is damaged there."""
    slot = added(alice_phone)
    KeySlot.objects.filter(pk=slot.pk).update(vault=bob.vault.row.pk)

    with pytest.raises(Damaged):
        passkeys.open_list(bob.user, b"one", PRF, LAPTOP, at=timezone.now())


def test_removed_device_adds_nothing_and_who_leaves_adds_nothing(alice_phone: Visitor) -> None:
    vault = alice_phone.vault
    User.objects.update(deletes_at=timezone.now())
    with pytest.raises(vaults.BeingDeleted):
        added(alice_phone)
    User.objects.update(deletes_at=None)
    devices.remove(alice_phone.device, at=timezone.now(), by=None)

    with pytest.raises(vaults.DeviceRemoved):
        passkeys.add(vault, b"one", (PRF, PRF), "Keychain", at=timezone.now())

    assert not KeySlot.objects.filter(kind=SlotKind.PASSKEY).exists()
