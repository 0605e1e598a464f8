"""One browser lets another in: asked for with a public key, allowed by eight letters that are typed, finished once.

The new browser's private half is derived from its cookie at each request and stored nowhere; the key of the list
travels sealed to it, in the row of the request, which becomes the browser's own key slot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from accounts import arrivals
from accounts.models import Device, KeySlot, SlotKind, User, Vault
from accounts.services import activity, attempts, devices, keyring, vaults
from accounts.services.activity import Tag
from accounts.services.attempts import APPROVALS_OF_LIST
from accounts.services.devices import NewDevice
from accounts.services.vaults import DeviceRemoved, OpenVault
from accounts.vault import keys
from accounts.vault.errors import Reason, WrongKey
from accounts.vault.keys import DeviceCookie, Secret

MOST_WRONG = 3
_ANSWER_KEPT = timedelta(hours=1)  # So long after its end a request still tells the browser that asked how it ended.
_SHARE = 32


class State(StrEnum):
    """How a request stands."""

    PENDING = "pending"
    APPROVED = "approved"
    OPENED = "opened"  # It was approved, and the browser has the list.
    REFUSED = "refused"
    MISTYPED = "mistyped"  # Other letters were typed, the third time.
    WITHDRAWN = "withdrawn"  # The device that approved was removed before the new browser opened the list.
    REMOVED = "removed"  # The device that asked was removed.
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Asked:
    """What this browser asked for, and the cookie that alone finishes it."""

    slot: KeySlot
    device: Device
    cookie: DeviceCookie = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the other browsers show it. `nearby`: whether it came from the asker's own network."""

    id: UUID
    name: str
    type: str
    asked_at: datetime
    ends_at: datetime
    nearby: bool | None


class NoSuchRequest(Exception):
    """This list has no such request."""


class RequestOver(Exception):
    """The request waits for no answer any more."""


class OtherLetters(Exception):
    """These letters are not those of the request. It waits on, unless this was the third time."""


# -- The new browser --------------------------------------------------------------------------------------------------


@sensitive_variables()
def ask(
    user: User, vault: Vault, new: NewDevice, *, network: bytes, at: datetime, before: Asked | None = None
) -> Asked:
    """Ask for a list of this person's, open in other browsers: a device without a key, ten minutes long.

    What this browser asked `before` is replaced. Every request counts. Raises TooManyTries with the time of the next,
    DeviceGone for an id that is in use, TooManyDevices.
    """
    attempts.count([(APPROVALS_OF_LIST, attempts.of_list(vault.pk))], at=at)
    with transaction.atomic():
        Vault.objects.select_for_update().get(pk=vault.pk)  # Of two clicks at once one comes after the other.
        if before is not None:
            Device.objects.filter(pk=before.device.pk, slots__kind=SlotKind.APPROVAL).delete()
        device, cookie = devices.add_row(user, new, at=at)
        slot = KeySlot(vault=vault, kind=SlotKind.APPROVAL, device=device, network=network, made_at=at)
        slot.expires_at = at + settings.APPROVAL_KEPT
        slot.share = keys.random_bytes(_SHARE)
        slot.kid, _ = keyring.pepper()
        slot.public_key = keys.public_half(_private_half(slot, cookie))
        slot.save(force_insert=True)
        earlier = Q(asked_until=None) | Q(asked_until__lt=slot.expires_at)
        Vault.objects.filter(earlier, pk=vault.pk).update(asked_until=slot.expires_at)
        activity.record(Tag.REQUEST_MADE, user=user, device=device, at=at)
    return Asked(slot, device, cookie)


def asked_here(request: HttpRequest) -> Asked | None:
    """What the browser of this request asked for, waiting or answered; None where it did not ask."""
    door: arrivals.Door | None = getattr(request, "door", None)
    if door is None or door.slot is not None or devices.here(request) is None:
        return None
    slot = (
        KeySlot.objects.of_person(door.user)
        .in_use()
        .filter(device=door.device, kind=SlotKind.APPROVAL)
        .select_related("device", "by_device", "vault")
        .first()
    )
    return Asked(slot, door.device, door.cookie) if slot is not None else None


@sensitive_variables()
def letters(asked: Asked) -> str:
    """The eight letters that the new browser shows: of the key it holds, whatever stands in the row."""
    slot = asked.slot
    return _letters(slot, keys.public_half(_private_half(slot, asked.cookie)))


@sensitive_variables()
def finish(asked: Asked, *, at: datetime) -> Device:
    """The new browser opens what was sealed to it, and the list with that; the request becomes its key slot, once.

    Raises RequestOver when it is not approved, or no longer, and WrongKey when what lies there was sealed to another
    browser, place or list, or opens no state of this one.
    """
    with transaction.atomic():
        # Devices before slots, as a removal takes them: what is read afterwards stands.
        by = KeySlot.objects.filter(pk=asked.slot.pk).values_list("by_device", flat=True).first()
        _locked(asked.device.pk, by)
        slots = KeySlot.objects.filter(pk=asked.slot.pk, device=asked.device.pk)
        row = slots.select_related("vault__user", "device", "by_device").select_for_update(of=("self",)).first()
        if row is None or row.by_device is None or state(row, at=at) is not State.APPROVED:
            raise RequestOver
        device, sealed = _asking(row), bytes(row.sealed or b"")
        places = (row.vault_id.bytes, row.id.bytes, row.by_device.pk.bytes, device.pk.bytes)
        key = keys.open_key(sealed, _private_half(row, asked.cookie), *places)
        if not vaults.opens(row.vault, key):
            raise WrongKey(Reason.APPROVAL)
        devices.fill_slot(row, key, asked.cookie)
        became = KeySlot.objects.filter(pk=row.pk, kind=SlotKind.APPROVAL, sealed=sealed).update(
            kind=SlotKind.BROWSER,
            kid=row.kid,
            share=row.share,
            wrapped=row.wrapped,
            used_at=at,
            public_key=None,
            sealed=None,
            by_device=None,
            wrong=0,
            refused_at=None,
            network=None,
            expires_at=None,
        )
        if not became:
            raise RequestOver
        activity.record(Tag.DEVICE_OPENED_BY_APPROVAL, user=row.vault.user, device=device, at=at)
    return device


# -- The browser that has the list ------------------------------------------------------------------------------------


def pending(vault: OpenVault, at: datetime, *, network: bytes = b"") -> list[Request]:
    """The requests for this list that wait for an answer, the oldest first; none costs no query.

    With the `network` of who looks (`attempts.network`) each tells whether it came from there.
    """
    if vault.row.asked_until is None or vault.row.asked_until <= at:
        return []
    waiting = KeySlot.objects.pending(at).filter(vault=vault.row.pk).select_related("device").order_by("made_at")
    return [shown(slot, network=network) for slot in waiting]


def of(vault: OpenVault, request_id: UUID) -> KeySlot:
    """A request for this list, waiting or answered; one that opened the list is its browser's key slot by now.

    Raises NoSuchRequest.
    """
    found = (
        KeySlot.objects.filter(pk=request_id, vault=vault.row.pk, kind__in=(SlotKind.APPROVAL, SlotKind.BROWSER))
        .select_related("device", "by_device")
        .first()
    )
    if found is None:
        raise NoSuchRequest
    return found


def shown(slot: KeySlot, *, network: bytes = b"") -> Request:
    """A request with what a person may know of it: not its letters, which the new browser alone shows."""
    device, ends_at = _asking(slot), slot.expires_at or slot.made_at
    return Request(
        id=slot.pk,
        name=device.name,
        type=device.get_type_display(),
        asked_at=slot.made_at,
        ends_at=ends_at,
        nearby=bytes(slot.network or b"") == network if network else None,
    )


@sensitive_variables()
def approve(vault: OpenVault, request_id: UUID, typed: str, *, at: datetime) -> None:
    """Seal the key of the list to the browser whose letters were typed.

    Raises NoSuchRequest, RequestOver when it waits no more, OtherLetters (which is counted; the third time ends the
    request), DeviceRemoved when this device was removed meanwhile.
    """
    with transaction.atomic():
        row, asking = _waiting(vault, request_id, at=at)
        fits = keys.same_letters(typed, _letters(row, bytes(row.public_key or b"")))
        if fits:
            row.sealed = keys.seal_key(
                vault.key,
                bytes(row.public_key or b""),
                row.vault_id.bytes,
                row.id.bytes,
                vault.device.pk.bytes,
                asking.pk.bytes,
            )
            row.by_device = vault.device
            tag: Tag | None = Tag.REQUEST_APPROVED
        else:
            row.wrong += 1
            tag = Tag.REQUEST_ENDED if row.wrong >= MOST_WRONG else None
            if tag is not None:
                row.refused_at, row.by_device = at, vault.device
        row.save(update_fields=["sealed", "by_device", "wrong", "refused_at"])
        if tag is not None:
            activity.record(tag, user=vault.user, device=vault.device, at=at, facts={"asked": asking.name})
    if not fits:
        raise OtherLetters


def refuse(vault: OpenVault, request_id: UUID, *, at: datetime) -> None:
    """Say no. Raises NoSuchRequest, RequestOver when it waits no more, DeviceRemoved."""
    with transaction.atomic():
        row, asking = _waiting(vault, request_id, at=at)
        row.refused_at, row.by_device = at, vault.device
        row.save(update_fields=["refused_at", "by_device"])
        activity.record(Tag.REQUEST_REFUSED, user=vault.user, device=vault.device, at=at, facts={"asked": asking.name})


# -- Both -------------------------------------------------------------------------------------------------------------


def state(slot: KeySlot, *, at: datetime) -> State:
    """How a request stands, from its row and the rows of both devices."""
    if _asking(slot).removed_at is not None:
        return State.REMOVED
    if slot.kind == SlotKind.BROWSER:
        return State.OPENED
    if slot.refused_at is not None:
        return State.MISTYPED if slot.wrong >= MOST_WRONG else State.REFUSED
    by = slot.by_device
    if (by is None) != (slot.sealed is None) or (by is not None and by.removed_at is not None):
        return State.WITHDRAWN
    if slot.expires_at is None or slot.expires_at <= at:
        return State.OVER
    return State.APPROVED if slot.sealed is not None else State.PENDING


def waits(slot: KeySlot, *, at: datetime) -> bool:
    """Whether the browser that asked has something to wait for or to fetch."""
    return state(slot, at=at) in (State.PENDING, State.APPROVED)


def expire(at: datetime) -> int:
    """Take back what was sealed and not fetched in time; delete requests, with their devices, an hour after their end.

    Returns how many were deleted.
    """
    over = KeySlot.objects.filter(kind=SlotKind.APPROVAL, expires_at__lte=at)
    over.exclude(sealed=None).update(sealed=None, by_device=None)
    old = Q(slots__kind=SlotKind.APPROVAL, slots__expires_at__lte=at - _ANSWER_KEPT)
    gone = 0
    for device in Device.objects.filter(old):
        with transaction.atomic():
            Device.objects.select_for_update().filter(pk=device.pk).first()
            if not Device.objects.filter(old, pk=device.pk).delete()[0]:
                continue  # Another tidy was quicker.
            devices.drop_lists_nobody_opens(device.user_id)
            gone += 1
    return gone


def _waiting(vault: OpenVault, request_id: UUID, *, at: datetime) -> tuple[KeySlot, Device]:
    """A request that waits for an answer and the device that asks, locked as this browser's device is."""
    asks = of(vault, request_id).device_id
    in_use = {device.pk: device for device in _locked(vault.device.pk, asks)}
    if vault.device.pk not in in_use:
        raise DeviceRemoved
    waiting = KeySlot.objects.pending(at).filter(pk=request_id)
    row = waiting.select_for_update(of=("self",)).first()
    if row is None or asks not in in_use:
        raise RequestOver
    return row, in_use[asks]


def _locked(*ids: UUID | None) -> list[Device]:
    """Those of the devices that are not removed, locked, always in the same order."""
    chosen = Device.objects.filter(pk__in=[one for one in ids if one is not None], removed_at=None)
    return list(chosen.select_for_update().order_by("pk"))


def _private_half(slot: KeySlot, cookie: DeviceCookie) -> Secret:
    _, pepper = keyring.pepper(slot.kid)
    return keys.private_half(cookie.key, pepper, bytes(slot.share or b""), slot.vault_id.bytes, slot.id.bytes)


def _letters(slot: KeySlot, public: bytes) -> str:
    _, pepper = keyring.pepper(slot.kid)
    return keys.letters(pepper, public, slot.vault_id.bytes, slot.id.bytes, _asking(slot).pk.bytes)


def _asking(slot: KeySlot) -> Device:
    """The browser that asks. A constraint of the table has it that there is one."""
    if slot.device is None:
        raise NoSuchRequest
    return slot.device
