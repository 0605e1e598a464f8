"""Passkeys as keys to the list, by what their PRF extension gives (WebAuthn Level 3, section 10.1.4).

No signature is checked and no public key is kept: the 32 bytes a passkey gives open its slot, or they do not.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import KeySlot, SlotKind, User, Vault
from accounts.services import doors, keyring, vaults
from accounts.services.activity import Tag
from accounts.services.devices import Enrolled, NewDevice
from accounts.services.doors import NoSuchDoor
from accounts.services.vaults import OpenVault
from accounts.vault import keys
from accounts.vault.errors import Damaged, Reason, WrongKey
from accounts.vault.keys import Secret
from accounts.vault.list import BackupKey

MOST = 7
OUTPUT = 32  # Bytes that the extension gives.
LONGEST_ID = 1023  # Bytes of a credential's id (WebAuthn, section 4).
_HINT = 16


class TooManyPasskeys(Exception):
    """Seven passkeys open this list; one has to go before another comes."""


class AlreadyAKey(Exception):
    """This very passkey opens the list already."""


def of(vault: Vault) -> list[KeySlot]:
    """The passkeys that open this list, the oldest first."""
    return list(KeySlot.objects.filter(vault=vault, kind=SlotKind.PASSKEY).order_by("made_at", "pk"))


@sensitive_variables()
def add(vault: OpenVault, credential: bytes, outputs: tuple[Secret, Secret], name: str, *, at: datetime) -> KeySlot:
    """A passkey that opens the list from now on.

    `outputs` are of two separate uses of it: browsers have given other bytes the second time, or none. The slot is made
    of the first and opened by the second before it counts. Raises WrongKey where they differ, TooManyPasskeys,
    AlreadyAKey, DeviceRemoved, BeingDeleted.
    """
    first, second = outputs
    slot = KeySlot(vault=vault.row, kind=SlotKind.PASSKEY, credential=credential, name=name, made_at=at)
    slot.kid, pepper = keyring.pepper()
    place = (vault.row.id.bytes, slot.id.bytes)
    slot.wrapped = keys.make_slot(vault.key, keys.passkey_key(first, *place), pepper, *place)
    if keys.open_slot(slot.wrapped, keys.passkey_key(second, *place), pepper, *place) != vault.key:
        raise WrongKey(Reason.SLOT_INNER)
    hint = Secret(hashlib.sha256(credential).digest()[:_HINT])
    backup = BackupKey(slot.id.hex, SlotKind.PASSKEY.value, hint, keys.backup_key_of_passkey(second))
    with transaction.atomic():
        Vault.objects.select_for_update().get(pk=vault.row.pk)
        there = of(vault.row)
        if any(bytes(other.credential or b"") == credential for other in there):
            raise AlreadyAKey
        if len(there) >= MOST:
            raise TooManyPasskeys
        slot.save(force_insert=True)
        vaults.change(
            vault,
            lambda accounts: accounts.with_backup_key(backup),
            tag=Tag.PASSKEY_ADDED,
            at=at,
            facts={"name": name},
        )
    return slot


@sensitive_variables()
def open_list(
    user: User, credential: bytes, output: Secret, new: NewDevice, *, at: datetime, wanted: UUID | None = None
) -> Enrolled:
    """What a passkey gives makes a device of the browser; the passkey itself says which list of the person's it opens.

    Of several it opens the one `wanted`, or one in use before one put aside. Raises NoSuchDoor where it is none of
    theirs and where it gives other bytes, alike; Damaged where the slot is altered or the server's key is another;
    DeviceGone, TooManyDevices.
    """
    found = KeySlot.objects.of_person(user).filter(kind=SlotKind.PASSKEY, credential=credential)
    for slot in sorted(
        found.select_related("vault"),
        key=lambda slot: (slot.vault_id != wanted, slot.vault.put_aside_at is not None),
    ):
        place, pepper = (slot.vault_id.bytes, slot.id.bytes), keyring.pepper_of(slot.kid)
        try:
            key = keys.open_slot(bytes(slot.wrapped or b""), keys.passkey_key(output, *place), pepper, *place)
        except WrongKey:
            continue
        try:
            return doors.enter_by(slot, key, new, tag=Tag.DEVICE_OPENED_BY_PASSKEY, at=at)
        except WrongKey:
            raise Damaged(Reason.SLOT_INNER) from None
    raise NoSuchDoor
