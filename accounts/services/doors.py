"""The ways into a list for a browser that has no key to it: which there are, and what each ends on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.views.decorators.debug import sensitive_variables

from accounts.models import Device, KeySlot, SlotKind, User, Vault
from accounts.services import activity, devices, vaults
from accounts.services.activity import Tag
from accounts.services.devices import Enrolled, NewDevice
from accounts.vault.errors import Reason, WrongKey
from accounts.vault.keys import VaultKey


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors of one list, as a page offers them: devices that may approve, the last seen first; passkeys; words."""

    vault: Vault
    devices: tuple[Device, ...]
    passkeys: tuple[bytes, ...]
    words: bool

    def __bool__(self) -> bool:
        return bool(self.devices or self.passkeys or self.words)


class NoSuchDoor(Exception):
    """This list has no such door, or there is no such list of this person's."""


def lists(user: User) -> list[Vault]:
    """The lists of a person that are in use, the one changed last first. Nearly everybody has one."""
    return list(Vault.objects.filter(user=user, put_aside_at=None).order_by("-changed_at"))


def of(user: User, list_id: UUID | None = None, *, type: str = "") -> Doors:
    """The doors of a list of this person's, put aside or not; without an id, of the one in use that changed last.

    Of several that was last open on a device of this type, if one was: who has a new phone means the old phone's.
    Raises NoSuchDoor.
    """
    found = lists(user) if list_id is None else list(Vault.objects.filter(user=user, pk=list_id))
    if not found:
        raise NoSuchDoor
    alike = (vault for vault in found if len(found) > 1 and type and _type_of(vault) == type)
    return of_vault(next(alike, found[0]))


def of_vault(vault: Vault) -> Doors:
    """The doors of a list. One that is put aside is opened by a key that turns up, and by nobody's approval."""
    slots = list(KeySlot.objects.doors().filter(vault=vault).select_related("device").order_by(F("used_at").desc()))
    return Doors(
        vault=vault,
        devices=tuple(
            sorted((slot.device for slot in slots if slot.device), key=lambda device: device.seen_at, reverse=True)
        )
        if vault.put_aside_at is None
        else (),
        passkeys=tuple(bytes(slot.credential) for slot in slots if slot.credential is not None),
        words=any(slot.kind == SlotKind.WORDS for slot in slots),
    )


def words_made_at(vault: Vault) -> datetime | None:
    """When the words that open a list were made; None where none do."""
    return KeySlot.objects.filter(vault=vault, kind=SlotKind.WORDS).values_list("made_at", flat=True).first()


def last_open(vault: Vault) -> Device | None:
    """The device on which a list was seen last, removed or not; None where the last was shredded."""
    return Device.objects.filter(slots__vault=vault, slots__kind=SlotKind.BROWSER).order_by("-seen_at").first()


def _type_of(vault: Vault) -> str:
    device = last_open(vault)
    return device.type if device is not None else ""


def name_of(vault: Vault) -> str:
    """After which device a list is called, as in "List of Pixel 8": the one it was open on last."""
    device = last_open(vault)
    return device.name if device is not None else vault.name


def passkeys(user: User) -> list[bytes]:
    """The credential ids of every passkey that opens a list of this person's: it says itself which."""
    found = KeySlot.objects.of_person(user).filter(kind=SlotKind.PASSKEY).values_list("credential", flat=True)
    return [bytes(credential) for credential in found if credential]


@sensitive_variables()
@transaction.atomic
def enter_by(slot: KeySlot, key: VaultKey, new: NewDevice, *, tag: Tag, at: datetime) -> Enrolled:
    """What words and passkeys end on: the key that came out of `slot` opens the list, so the browser becomes a device.

    Raises WrongKey when it opens no state of the list, NoSuchDoor when the slot was removed meanwhile.
    """
    vault = Vault.objects.select_for_update(of=("self",)).select_related("user").filter(pk=slot.vault_id).first()
    # Not told by `wrapped`: while words were stretched, a newer pepper may have wrapped them anew.
    same = KeySlot.objects.filter(pk=slot.pk, salt=slot.salt, credential=slot.credential)
    if vault is None or not same.update(used_at=at):
        raise NoSuchDoor
    if not vaults.opens(vault, key):
        raise WrongKey(Reason.SLOT_INNER)
    enrolled = devices.enrol(vault.user, vault, key, new, at=at)
    activity.record(tag, user=vault.user, device=enrolled.device, at=at)
    return enrolled
