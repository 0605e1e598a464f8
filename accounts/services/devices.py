"""Browsers that hold a key to the list: set up, known again by their cookie, renamed, removed, shredded."""

from __future__ import annotations

import hmac
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.debug import sensitive_variables

from accounts import arrivals
from accounts.models import Device, DeviceType, KeySlot, SlotKind, User, Vault
from accounts.services import activity, keyring, vaults
from accounts.services.activity import Tag
from accounts.services.vaults import OpenVault
from accounts.vault import keys
from accounts.vault.errors import VaultError
from accounts.vault.keys import DeviceCookie

MOST_LISTS = 20
MOST_DEVICES = 50
COOKIE_AGE = timedelta(days=400)  # The most a browser keeps.
_COOKIE_SENT_AGAIN = timedelta(days=7)
_SEEN_AGAIN = timedelta(hours=1)
_SHARE = 32
_OF_SESSION = "device"


class HasList(Exception):
    """The person has a list already: it is opened, not set up again."""


class TooManyLists(Exception):
    """One person keeps that many lists and no more."""


class TooManyDevices(Exception):
    """One person has that many devices and no more."""


class DeviceGone(Exception):
    """A removed device whose key is shredded, or none of this person's."""


class OwnUndo(Exception):
    """A removed browser does not put itself back."""


@dataclass(frozen=True, slots=True)
class NewDevice:
    """What a browser that becomes a device will be: its id was made with the form, so that a second click is known."""

    id: UUID
    name: str
    type: DeviceType
    restores: bool = False  # A backup is to be restored into its new list.


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device just set up: its row, its list, and the cookie that must reach the browser; the key is nowhere else."""

    device: Device
    vault: Vault
    cookie: DeviceCookie


# -- A browser becomes a device ---------------------------------------------------------------------------------------


@sensitive_variables()
@transaction.atomic
def set_up(user: User, new: NewDevice, *, at: datetime, separate: bool = False, instead: str = "") -> Enrolled:
    """Enrol a browser with a new list. Raises HasList unless a separate one is asked for, TooManyLists, BeingDeleted.

    `instead` says when the one there was is put aside for it: as the "list" is begun, or by the "restore"; else it
    stays. A second click brings the same id: the browser has dropped the answer to the first, and with it the key, so
    the second takes the place of that untouched list.
    """
    if User.objects.select_for_update().get(pk=user.pk).deletes_at is not None:
        raise vaults.BeingDeleted
    twice = Device.objects.filter(pk=new.id).first()
    if twice is not None:
        untouched = Vault.objects.filter(user=user, slots__device=twice, slots__used_at=None, version=1)
        if not untouched.delete()[0]:
            raise HasList
        twice.delete()
    if not separate and has_list(user):
        raise HasList
    if Vault.objects.filter(user=user).count() >= MOST_LISTS:
        raise TooManyLists
    key = keys.new_vault_key()
    vault = vaults.begin(user, name=new.name, key=key, at=at, empty=new.restores)
    enrolled = enrol(user, vault, key, new, at=at)
    if separate:
        facts = {"instead": instead} if instead else None
        activity.record(Tag.LIST_BEGUN, user=user, device=enrolled.device, at=at, facts=facts)
    activity.record(Tag.DEVICE_SET_UP, user=user, device=enrolled.device, at=at)
    return enrolled


@sensitive_variables()
def enrol(user: User, vault: Vault, key: keys.VaultKey, new: NewDevice, *, at: datetime) -> Enrolled:
    """A browser becomes a device that opens this list. Inside the transaction of what opened it."""
    device, cookie = add_row(user, new, at=at)
    slot = KeySlot(vault=vault, kind=SlotKind.BROWSER, device=device, made_at=at)
    fill_slot(slot, key, cookie)
    slot.save(force_insert=True)
    return Enrolled(device, vault, cookie)


@sensitive_variables()
def add_row(user: User, new: NewDevice, *, at: datetime) -> tuple[Device, DeviceCookie]:
    """A device without a slot yet, and its cookie. Raises DeviceGone for an id that is in use, TooManyDevices.

    One of the same id that never opened anything is what a first of two clicks left behind: it goes.
    """
    twice = Device.objects.filter(pk=new.id)
    untouched = twice.filter(user=user).exclude(slots__kind=SlotKind.BROWSER, slots__used_at__isnull=False)
    if twice.exists() and not untouched.delete()[0]:
        raise DeviceGone
    if user.devices.filter(removed_at=None).count() >= MOST_DEVICES:
        raise TooManyDevices
    device_key = keys.new_device_key()
    device = Device(id=new.id, user=user, name=new.name, type=new.type, made_at=at, seen_at=at, cookie_sent_at=at)
    device.verifier = keys.device_verifier(device_key, device.id.bytes)
    device.save(force_insert=True)
    return device, DeviceCookie(device.id.bytes, device_key)


@sensitive_variables()
def fill_slot(slot: KeySlot, key: keys.VaultKey, cookie: DeviceCookie) -> None:
    """Make the slot, not saved here, open by this cookie: share, number of the pepper, 48 bytes."""
    slot.share = keys.random_bytes(_SHARE)
    slot.kid, pepper = keyring.pepper()
    inner = keys.browser_key(cookie.key, slot.share, slot.vault_id.bytes, slot.id.bytes)
    slot.wrapped = keys.make_slot(key, inner, pepper, slot.vault_id.bytes, slot.id.bytes)


def send_cookie(response: HttpResponseBase, user: User, cookie: DeviceCookie) -> None:
    """Give the browser its key. HttpOnly, Lax: the first click from a mail must find the list, scripts must not."""
    response.set_cookie(
        arrivals.cookie_name(user.pk),
        cookie.to_text(),
        max_age=COOKIE_AGE,
        secure=settings.DEVICE_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
        path="/",
    )


# -- A device comes again ---------------------------------------------------------------------------------------------


def enter(request: HttpRequest) -> OpenVault | None:
    """The list of this person, where session and cookie are theirs and the slot opens; None otherwise."""
    return _opened(request, put_aside=False)


def enter_aside(request: HttpRequest) -> OpenVault | None:
    """The list put aside that the key of this browser opens, for nothing but to keep it; None otherwise."""
    return _opened(request, put_aside=True)


@sensitive_variables()
def _opened(request: HttpRequest, *, put_aside: bool) -> OpenVault | None:
    door: arrivals.Door | None = getattr(request, "door", None)
    if door is None or door.slot is None or door.vault is None or door.sealed is None:
        return None
    device, slot, vault = door.device, door.slot, door.vault
    if device.removed_at is not None or vault.user_id != door.user.pk:
        return None
    if (vault.put_aside_at is not None) != put_aside:
        return None
    if not hmac.compare_digest(keys.device_verifier(door.cookie.key, device.id.bytes), bytes(device.verifier)):
        return None
    inner = keys.browser_key(door.cookie.key, bytes(slot.share or b""), vault.id.bytes, slot.id.bytes)
    _, pepper = keyring.pepper(slot.kid)
    try:
        key = keys.open_slot(bytes(slot.wrapped or b""), inner, pepper, vault.id.bytes, slot.id.bytes)
    except VaultError:
        return None
    request.opened_by = device  # type: ignore[attr-defined]
    return OpenVault(
        row=vault,
        key=key,
        device=device,
        user=door.user,
        sealed=door.sealed,
        only_door=door.only_door,
        has_rules=door.has_rules,
        found=door.found,
    )


def renew_session(request: HttpRequest) -> None:
    """The session goes on under another id, once the answer is there: whoever has the one of before has nothing."""
    request.session_is_renewed = True  # type: ignore[attr-defined]


def remember(request: HttpRequest) -> None:
    """Note in the session which device opened the list, so that its removal ends the session, under a new id; another
    id too where `renew_session` asked for it.

    Once the answer is there: an answer of 500 brings the browser no new id, and would leave it with one that is gone.
    """
    device: Device | None = getattr(request, "opened_by", None)
    session = request.session
    if device is None or session.is_empty():
        return
    known = session.get(_OF_SESSION, ())
    if str(device.pk) in known and not getattr(request, "session_is_renewed", False):
        return
    with transaction.atomic():
        before = session.session_key
        # The device before the session, as a removal takes them: otherwise each could wait for the other.
        is_enrolled = Device.objects.select_for_update().filter(pk=device.pk, removed_at=None).exists()
        if not Session.objects.select_for_update().filter(session_key=before).exists():
            return  # Ended meanwhile, or another request of this browser was quicker: an end is an end.
        if not is_enrolled:
            session.flush()
            return
        session[_OF_SESSION] = [*(one for one in known if one != str(device.pk)), str(device.pk)]
        session.cycle_key()
        UserSession.objects.filter(session_key=before).update(session_key=session.session_key)


@sensitive_variables()
def keep_up(door: arrivals.Door, response: HttpResponseBase, *, at: datetime) -> None:
    """Upkeep of a device in use: seen, to the hour; its cookie sent again, unchanged, once a week."""
    device = door.device
    changes: dict[str, datetime] = {}
    if at - device.seen_at > _SEEN_AGAIN:
        changes["seen_at"] = at
    if at - device.cookie_sent_at > _COOKIE_SENT_AGAIN:
        changes["cookie_sent_at"] = at
        send_cookie(response, door.user, door.cookie)
    if changes:
        Device.objects.filter(pk=device.pk).update(**changes)
    if door.slot is not None and (door.slot.used_at is None or "seen_at" in changes):
        KeySlot.objects.filter(pk=door.slot.id).update(used_at=at)


def has_list(user: User) -> bool:
    """Whether the person has a list, open here or not."""
    return Vault.objects.filter(user=user, put_aside_at=None).exists()


def here(request: HttpRequest) -> Device | None:
    """The device whose cookie this browser holds for this person, removed or not; None where it holds none."""
    door: arrivals.Door | None = getattr(request, "door", None)
    if door is None or not hmac.compare_digest(
        keys.device_verifier(door.cookie.key, door.device.id.bytes), bytes(door.device.verifier)
    ):
        return None
    return door.device


# -- A device is renamed, removed, put back ---------------------------------------------------------------------------


def of(user: User, device_id: UUID) -> Device:
    """A device of this person. Raises DeviceGone."""
    try:
        return user.devices.get(pk=device_id)
    except Device.DoesNotExist:
        raise DeviceGone from None


@transaction.atomic
def rename(device: Device, name: str, *, at: datetime) -> None:
    """Give a device another name. Raises DeviceGone for a browser that only asks for a list.

    Its name stands above the field for its letters: it is fixed before there are any.
    """
    if KeySlot.objects.filter(device=device, kind=SlotKind.APPROVAL).exists():
        raise DeviceGone
    if device.name != name:
        device.name = name
        device.save(update_fields=["name"])
        activity.record(Tag.DEVICE_RENAMED, user=device.user, device=device, at=at)


@dataclass(frozen=True, slots=True)
class Loss:
    """What removing a device takes away, the names of the lists that nothing else opens; and what else opens its list.

    That is: so many other devices and passkeys, and whether words do. `aside` is whether a list put aside loses its
    last key.
    """

    lists: tuple[str, ...]
    aside: bool = False
    devices: int = 0
    passkeys: int = 0
    words: bool = False


def loss(device: Device) -> Loss:
    """Which lists have this device as their last door, and which doors stay."""
    others = KeySlot.objects.doors().exclude(device=device)
    opened_here = Vault.objects.filter(slots__device=device, slots__kind=SlotKind.BROWSER)
    last = opened_here.exclude(Exists(others.filter(vault=OuterRef("pk"))))
    kinds = Counter(others.filter(vault__slots__device=device, vault__put_aside_at=None).values_list("kind", flat=True))
    return Loss(
        lists=tuple(last.filter(put_aside_at=None).values_list("name", flat=True)),
        aside=last.exclude(put_aside_at=None).exists(),
        devices=kinds[SlotKind.BROWSER],
        passkeys=kinds[SlotKind.PASSKEY],
        words=bool(kinds[SlotKind.WORDS]),
    )


@transaction.atomic
def remove(device: Device, *, at: datetime, by: Device | None) -> None:
    """Refuse a device from now on, end its sessions; its key is kept for the time of Undo, then shredded."""
    changed = Device.objects.filter(pk=device.pk, removed_at=None).update(removed_at=at)
    if not changed:
        return
    device.removed_at = at
    device.drafts.all().delete()
    # Approvals in which it takes part are void, also where it is put back: by this device, and for it.
    takes_part = Q(device=device) | Q(by_device=device, sealed__isnull=False)
    KeySlot.objects.filter(takes_part, kind=SlotKind.APPROVAL, expires_at__gt=at).update(sealed=None, expires_at=at)
    _end_sessions(device)
    activity.record(Tag.DEVICE_REMOVED, user=device.user, device=device, at=at, facts={"by": by.name if by else ""})


def shredded_at(removed_at: datetime) -> datetime:
    """When the key of a device removed at an instant is deleted."""
    return removed_at + settings.REMOVED_DEVICE_KEPT


@transaction.atomic
def put_back(device: Device, *, at: datetime, by: Device | None) -> None:
    """Undo a removal, once. Raises OwnUndo to the removed browser itself, DeviceGone once the key is shredded."""
    if by is not None and by.pk == device.pk:
        raise OwnUndo
    kept_since = at - settings.REMOVED_DEVICE_KEPT
    kept = Device.objects.removed().filter(pk=device.pk, removed_at__gt=kept_since)
    if not kept.update(removed_at=None):
        if Device.objects.filter(pk=device.pk, removed_at=None).exists():
            return  # The second of two clicks.
        raise DeviceGone
    activity.record(Tag.DEVICE_PUT_BACK, user=device.user, device=device, at=at)


def _end_sessions(device: Device) -> None:
    """End every session in which this device has opened a list, whatever else it has opened since."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for session in UserSession.objects.filter(user=device.user_id):
        if str(device.pk) in store(session.session_key).get(_OF_SESSION, ()):
            session.end()


def expire(at: datetime) -> int:
    """Shred the keys of devices whose time of Undo is over, and of those unseen for 400 days. Returns how many.

    A list that nothing opens any more goes with its last key.
    """
    over = Q(removed_at__lte=at - settings.REMOVED_DEVICE_KEPT) | Q(seen_at__lte=at - settings.UNSEEN_DEVICE_KEPT)
    shredded = 0
    for device in Device.objects.filter(over).select_related("user"):
        with transaction.atomic():
            if not Device.objects.filter(over, pk=device.pk).delete()[0]:
                continue  # It came back meanwhile.
            drop_lists_nobody_opens(device.user_id)
            facts = {"device": device.name}
            activity.record(Tag.DEVICE_SHREDDED, user=device.user, at=at, facts=facts)
            shredded += 1
    return shredded


def drop_lists_nobody_opens(user_id: UUID) -> None:
    """Delete a person's lists without any key, and who still asks for them: a request opens nothing by itself."""
    opened = KeySlot.objects.filter(vault=OuterRef("pk")).exclude(kind=SlotKind.APPROVAL)
    lists = Vault.objects.filter(~Exists(opened), user=user_id)
    Device.objects.filter(slots__kind=SlotKind.APPROVAL, slots__vault__in=lists).delete()
    lists.delete()


def unused_name(user: User, name: str, *, besides: Device | None = None) -> str:
    """The name, with a number where a device of this person has it already: two alike cannot be told apart.

    Not where it is one of `besides`, whose place the new one takes.
    """
    others = user.devices.filter(removed_at=None)
    if besides is not None:
        others = others.exclude(pk=besides.pk)
    taken = set(others.values_list("name", flat=True))
    number = 2
    free = name
    while free in taken:
        free = f"{name[:60]} {number}"
        number += 1
    return free
