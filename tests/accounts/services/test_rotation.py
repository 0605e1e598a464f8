"""A newer pepper: every slot passes under it with nobody's secret, and the old one's line can go."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from accounts.models import DeviceType, KeySlot, SlotKind
from accounts.services import devices, doors, keyring, rotation
from accounts.services.activity import Tag
from accounts.services.devices import NewDevice
from accounts.vault import keys
from accounts.vault.errors import VaultError
from accounts.vault.keys import Role, Secret, VaultKey
from tests import factories
from tests.factories import Visitor

LAPTOP = NewDevice(UUID(int=7), "Laptop", DeviceType.COMPUTER)
Amount = Callable[..., int]
Newer = Callable[[], Path]


def wrapped_many(visitor: Visitor, count: int) -> dict[KeySlot, Secret]:
    """So many passkeys that open one list, each by a secret of its own: what a person would have, in place of them."""
    vault = visitor.vault
    kid, pepper = keyring.pepper()
    secrets: dict[KeySlot, Secret] = {}
    for number in range(count):
        slot = KeySlot(vault=vault.row, kind=SlotKind.PASSKEY, kid=kid, made_at=timezone.now())
        slot.credential = number.to_bytes(4, "big")
        secrets[slot] = Secret(keys.random_bytes(32))
        inner = keys.passkey_key(secrets[slot], vault.row.id.bytes, slot.id.bytes)
        slot.wrapped = keys.make_slot(vault.key, inner, pepper, vault.row.id.bytes, slot.id.bytes)
    KeySlot.objects.bulk_create(secrets)
    return secrets


def opened(secrets: dict[KeySlot, Secret]) -> list[VaultKey]:
    """The keys that come out of them, as the database has them now."""
    found = []
    rows = KeySlot.objects.in_bulk([slot.pk for slot in secrets])
    for slot, secret in secrets.items():
        row = rows[slot.pk]
        inner = keys.passkey_key(secret, row.vault_id.bytes, row.pk.bytes)
        try:
            _, pepper = keyring.pepper(row.kid)
            key = keys.open_slot(bytes(row.wrapped), inner, pepper, row.vault_id.bytes, row.pk.bytes)
        except (VaultError, ImproperlyConfigured):
            continue
        found.append(key)
    return found


def drop(file: Path, line: str) -> None:
    """Take the line of a key out of the file."""
    keyring.write(file, [key for key in keyring.read(file) if f"{key.role} {key.kid}" != line])


def checked() -> tuple[list[str], str]:
    """What `keys check` says of the peppers, and what it warns of."""
    said, warned = io.StringIO(), io.StringIO()
    call_command("keys", "check", stdout=said, stderr=warned)
    return [line for line in said.getvalue().splitlines() if line.startswith("PEPPER")], warned.getvalue()


@pytest.mark.row("T19")
def test_every_slot_opens_under_the_newer_pepper_and_without_the_old_one(
    alice_phone: Visitor, newer_pepper: Newer, amount: Amount
) -> None:
    many = amount(short=300, long=10_000)
    secrets = wrapped_many(alice_phone, many)
    before = dict(KeySlot.objects.values_list("pk", "wrapped"))
    file = newer_pepper()

    rewrapped = rotation.rewrap(timezone.now())
    drop(file, "PEPPER 1")

    after = dict(KeySlot.objects.values_list("pk", "wrapped"))
    assert rewrapped == many + 1  # With the browser's own.
    assert set(KeySlot.objects.values_list("kid", flat=True)) == {2}
    assert [pk for pk in before if bytes(before[pk]) == bytes(after[pk])] == []
    assert opened(secrets) == [alice_phone.vault.key] * many
    assert alice_phone.client.get(reverse("accounts:list")).status_code == 200


@pytest.mark.row("T19")
def test_without_passing_under_the_newer_pepper_none_opens_once_the_old_one_is_gone(
    alice_phone: Visitor, newer_pepper: Newer
) -> None:
    """The control."""
    secrets = wrapped_many(alice_phone, 30)
    file = newer_pepper()
    with_both = opened(secrets)

    drop(file, "PEPPER 1")

    assert len(with_both) == 30
    assert opened(secrets) == []


@pytest.mark.row("T19")
def test_second_run_and_a_run_without_a_newer_pepper_change_nothing(alice_phone: Visitor, newer_pepper: Newer) -> None:
    at = timezone.now()
    wrapped = [bytes(KeySlot.objects.get().wrapped)]

    runs = [rotation.rewrap(at)]
    wrapped.append(bytes(KeySlot.objects.get().wrapped))
    newer_pepper()
    for _ in range(2):
        runs.append(rotation.rewrap(at))
        wrapped.append(bytes(KeySlot.objects.get().wrapped))

    assert runs == [0, 1, 0]
    assert wrapped[0] == wrapped[1] != wrapped[2] == wrapped[3]


def test_pepper_that_no_server_has_started_with_wraps_nothing(alice_phone: Visitor, newer_pepper: Newer) -> None:
    """Servers that run would not know it, and nobody's list would open until they are started again."""
    file = newer_pepper()
    there = keyring.read(file)
    keyring.write(file, [*there, *keyring.made([Role.PEPPER], beside=there)])

    early = rotation.rewrap(timezone.now())
    keyring.check()

    assert [early, KeySlot.objects.get().kid] == [0, 1]
    assert [rotation.rewrap(timezone.now()), KeySlot.objects.get().kid] == [1, 3]


def test_what_does_not_open_or_has_no_pepper_is_named_and_left(
    alice_phone: Visitor, newer_pepper: Newer, caplog: pytest.LogCaptureFixture
) -> None:
    broken, foreign = wrapped_many(alice_phone, 2)
    KeySlot.objects.filter(pk=broken.pk).update(wrapped=bytes(48))
    newer_pepper()
    drop(newer_pepper(), "PEPPER 2")
    KeySlot.objects.filter(pk=foreign.pk).update(kid=2)
    before = dict(KeySlot.objects.filter(pk__in=(broken.pk, foreign.pk)).values_list("pk", "wrapped"))

    rewrapped = rotation.rewrap(timezone.now())

    assert rewrapped == 1
    assert dict(KeySlot.objects.filter(pk__in=before).values_list("pk", "wrapped")) == before
    said = sorted(record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)
    assert said == sorted(
        [
            f"The key slot {broken.pk} stays: PEPPER 1 does not open it",
            f"The key slot {foreign.pk} stays: the server keys file lacks PEPPER 2",
        ]
    )


def test_slot_changed_meanwhile_is_not_written_over(alice_phone: Visitor, newer_pepper: Newer) -> None:
    """Words made anew while the old ones are being wrapped: the new ones stay."""
    slot = next(iter(wrapped_many(alice_phone, 1)))
    newer_pepper()
    stale = KeySlot.objects.get(pk=slot.pk)
    KeySlot.objects.filter(pk=slot.pk).update(wrapped=bytes(range(48)))

    changed = rotation._rewrap(stale, *keyring.pepper())

    assert changed == 0
    assert bytes(KeySlot.objects.get(pk=slot.pk).wrapped) == bytes(range(48))


def test_words_typed_while_their_slot_passes_under_a_newer_pepper_open(
    alice_phone: Visitor, newer_pepper: Newer
) -> None:
    """Between reading the slot and opening the door lies a second of stretching."""
    key, slot = alice_phone.vault.key, next(iter(wrapped_many(alice_phone, 1)))
    newer_pepper()

    rotation.rewrap(timezone.now())
    made = doors.enter_by(slot, key, LAPTOP, tag=Tag.DEVICE_OPENED_BY_PASSKEY, at=timezone.now())

    assert made.vault == factories.vault_of(alice_phone)


def test_check_counts_what_hangs_on_each_pepper_and_says_when_a_line_can_go(
    alice_phone: Visitor, newer_pepper: Newer
) -> None:
    alone, _ = checked()
    file = newer_pepper()
    asked_for(alice_phone, ends_in=timedelta(minutes=10))

    both, _ = checked()
    rotation.rewrap(timezone.now())
    waiting, _ = checked()
    KeySlot.objects.filter(kind=SlotKind.APPROVAL).update(expires_at=timezone.now())
    done, _ = checked()
    drop(file, "PEPPER 1")
    dropped, warned = checked()

    known = "as the database knows it"
    assert alone == [f"PEPPER 1: {known}, carries 1 key slots"]
    assert both == [f"PEPPER 1: {known}, carries 2 key slots", f"PEPPER 2: {known}, carries 0 key slots"]
    assert waiting == [f"PEPPER 1: {known}, carries 1 key slots", f"PEPPER 2: {known}, carries 1 key slots"]
    assert done == [
        f"PEPPER 1: {known}; nothing carries it: its line can go",
        f"PEPPER 2: {known}, carries 1 key slots",
    ]
    assert dropped == [f"PEPPER 2: {known}, carries 1 key slots", "PEPPER 1: its line is gone, and nothing hangs on it"]
    assert warned == ""


def test_check_warns_of_a_line_that_is_gone_too_early(alice_phone: Visitor, newer_pepper: Newer) -> None:
    drop(newer_pepper(), "PEPPER 1")

    _, warned = checked()

    assert warned == "PEPPER 1: the database knows it, the file lacks it\n"


def asked_for(visitor: Visitor, *, ends_in: timedelta) -> None:
    """A browser asks for the list of a visitor."""
    at = timezone.now()
    device, _ = devices.add_row(visitor.user, LAPTOP, at=at)
    KeySlot.objects.create(
        vault=factories.vault_of(visitor),
        kind=SlotKind.APPROVAL,
        kid=1,
        device=device,
        share=bytes(32),
        public_key=bytes(32),
        expires_at=at + ends_in,
        made_at=at,
    )


def test_keys_file_of_the_tests_is_untouched() -> None:
    assert [key.kid for key in keyring.read(Path(settings.SERVER_KEYS_FILE)) if key.role is Role.PEPPER] == [1]
