"""Keys a person holds, words and passkeys: which there are, what stays without one, how one is removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.models import KeySlot, SlotKind, User, Vault
from accounts.services import activity, vaults
from accounts.services.activity import Tag
from accounts.services.vaults import OpenVault

_REMOVED = {SlotKind.WORDS: Tag.WORDS_REMOVED, SlotKind.PASSKEY: Tag.PASSKEY_REMOVED}
_ASKED_AGAIN_AT = 5  # Accounts: so many, and "Keep a way back" is asked once more.


class NoSuchKey(Exception):
    """No words and no passkey of this list."""


class LastKey(Exception):
    """Something is protected by a key that the person holds, and this is the last one: it stays."""


# Apps above join here, once they are ready. Whether a list needs a key that its owner holds; and where to go on after
# the keys of a list have changed from what they were: an address, or "" for nowhere.
NEEDS_A_KEY: list[Callable[[Vault], bool]] = []
AFTER_A_CHANGE: list[Callable[[OpenVault, Held], str]] = []


@dataclass(frozen=True, slots=True)
class Held:
    """What opens a list: its words, its passkeys (the oldest first), so many devices."""

    words: KeySlot | None
    passkeys: tuple[KeySlot, ...]
    devices: int

    @property
    def keys(self) -> tuple[KeySlot, ...]:
        """What the person holds, devices aside."""
        return (*((self.words,) if self.words else ()), *self.passkeys)

    @property
    def one_door(self) -> bool:
        """Whether nothing but one browser opens the list."""
        return self.devices + len(self.keys) == 1

    def without(self, key: KeySlot) -> Held:
        """What stays when this key goes."""
        words = self.words if self.words != key else None
        return Held(words, tuple(passkey for passkey in self.passkeys if passkey != key), self.devices)


def of(vault: Vault) -> Held:
    """The keys to a list as the database has them now."""
    slots = list(KeySlot.objects.doors().filter(vault=vault).order_by("made_at", "pk"))
    return Held(
        words=next((slot for slot in slots if slot.kind == SlotKind.WORDS), None),
        passkeys=tuple(slot for slot in slots if slot.kind == SlotKind.PASSKEY),
        devices=sum(slot.kind == SlotKind.BROWSER for slot in slots),
    )


def one(vault: Vault, slot_id: UUID) -> KeySlot:
    """The words or the passkey of this id. Raises NoSuchKey, for a browser's slot and for another list's too."""
    slot = KeySlot.objects.filter(pk=slot_id, vault=vault, kind__in=_REMOVED).first()
    if slot is None:
        raise NoSuchKey
    return slot


def stays(vault: Vault, key: KeySlot) -> bool:
    """Whether a key cannot be removed: the last one, where a key is needed."""
    return not of(vault).without(key).keys and any(needs(vault) for needs in NEEDS_A_KEY)


def onward(vault: OpenVault, before: Held) -> str:
    """Where what a change of keys leaves behind is looked at; "" where there is nothing."""
    return next(filter(None, (after(vault, before) for after in AFTER_A_CHANGE)), "")


@transaction.atomic
def remove(vault: OpenVault, slot_id: UUID, *, at: datetime) -> None:
    """The key opens the list no more, and no backup made from now on: slot and backup key go together.

    Raises NoSuchKey, LastKey, DeviceRemoved, BeingDeleted.
    """
    version = Vault.objects.select_for_update().values_list("version", flat=True).get(pk=vault.row.pk)
    slot = one(vault.row, slot_id)
    if stays(vault.row, slot):
        raise LastKey
    tag, facts = _REMOVED[SlotKind(slot.kind)], {"name": slot.name, "slot": slot.pk.hex}
    vaults.change(vault, lambda accounts: accounts.without_backup_keys([slot.pk.hex]), tag=tag, at=at, facts=facts)
    slot.delete()
    if vault.row.version == version:  # The list held no backup key of it: nothing was written, nor told.
        activity.record(tag, user=vault.user, device=vault.device, at=at, facts=facts)


def was_removed(vault: OpenVault, slot_id: UUID) -> bool:
    """Whether this person removed such a key: the second of two clicks, or the way back to its page."""
    return vault.user.events.filter(tag__in=_REMOVED.values(), facts__slot=slot_id.hex).exists()


# -- Keep a way back --------------------------------------------------------------------------------------------------


def way_back_is_due(vault: OpenVault) -> bool:
    """Whether "Keep a way back" is asked now: of a list that this browser alone opens, until "Not now" was said.

    Then once more from the fifth account on. Read the list first.
    """
    asked = vault.user.way_back_asked
    return vault.one_way_in and asked < _answered(vault)


def not_now(vault: OpenVault) -> None:
    """The person said "Not now"; it counts once however often it is said."""
    answered = _answered(vault)
    User.objects.filter(pk=vault.user.pk, way_back_asked__lt=answered).update(way_back_asked=answered)


def _answered(vault: OpenVault) -> int:
    """How many answers there may be to a list of this size."""
    count = len(vaults.read(vault))
    return 0 if not count else 1 if count < _ASKED_AGAIN_AT else 2
