"""A list its person cannot open any more: put aside by name, kept by a key that turns up, deleted when nobody comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.models import Device, KeySlot, SlotKind, User, Vault, VaultState
from accounts.services import activity, attempts, devices, doors, vaults
from accounts.services.activity import Tag
from accounts.services.devices import Enrolled, NewDevice
from accounts.services.doors import NoSuchDoor
from accounts.services.vaults import OpenVault
from accounts.vault.list import AccountList


@dataclass(frozen=True, slots=True)
class PutAside:
    """A list put aside as pages show it: after which device it is called, when it goes, and whether it has a door
    that any browser can use."""

    id: UUID
    name: str
    since: datetime
    deleted_at: datetime
    has_key: bool


@sensitive_variables()
@transaction.atomic
def begin_instead(user: User, former: UUID, new: NewDevice, *, restores: bool, at: datetime) -> Enrolled:
    """A browser begins a list in place of one that its person cannot open any more.

    Where they restore, the former one is put aside by `put_aside` once something was restored, and until then nothing
    happens to it; otherwise now. Raises NoSuchDoor for a list that is none of theirs, and as `devices.set_up`.
    """
    if not Vault.objects.select_for_update().filter(pk=former, user=user).exists():
        raise NoSuchDoor
    enrolled = devices.set_up(user, new, at=at, separate=True, instead="restore" if restores else "list")
    Vault.objects.filter(pk=former).update(gives_way_to=enrolled.vault)
    if not restores:
        put_aside(user, but=enrolled.vault, at=at, by=enrolled.device)
    return enrolled


@transaction.atomic
def put_aside(user: User, *, but: Vault, at: datetime, by: Device | None = None) -> list[Vault]:
    """Put aside the lists in whose place `but` was begun: named, mailed, deleted LISTS_PUT_ASIDE_FOR later.

    One that was opened since then can be opened, whatever was said: it stays in use. Approvals of those put aside are
    void. Where there is none this does nothing; twice, the first time stands.
    """
    opened_since = KeySlot.objects.filter(vault=OuterRef("pk"), used_at__gt=but.made_at)
    given_up = Vault.objects.select_for_update().filter(user=user, gives_way_to=but.pk, put_aside_at=None)
    found = list(given_up.filter(~Exists(opened_since)).order_by("pk"))
    for vault in found:
        vault.put_aside_at = at
        vault.save(update_fields=["put_aside_at"])
        asked = KeySlot.objects.filter(vault=vault, kind=SlotKind.APPROVAL, expires_at__gt=at)
        asked.update(sealed=None, expires_at=at)
        day = timezone.localtime(deleted_at(vault)).date()
        facts = {"former": doors.name_of(vault), "day": day.isoformat()}
        activity.record(Tag.LIST_PUT_ASIDE, user=user, device=by, at=at, facts=facts)
    return found


@transaction.atomic
def undo(vault: OpenVault, version: int, *, at: datetime, all_since: bool = False) -> AccountList:
    """`vaults.undo`. A list that gave way to what is undone is in use again; to the next restore it gives way again.

    Raises as that does.
    """
    made = VaultState.objects.filter(vault=vault.row.pk, version=version).values_list("made_at", flat=True).first()
    after = vaults.undo(vault, version, at=at, all_since=all_since)
    if made is not None:
        gave_way = Vault.objects.select_for_update().filter(gives_way_to=vault.row.pk, put_aside_at__gte=made)
        for row in gave_way:
            row.put_aside_at = None
            row.save(update_fields=["put_aside_at"])
            facts = {"former": doors.name_of(row)}
            activity.record(Tag.LIST_KEPT, user=vault.user, device=vault.device, at=at, facts=facts)
    return after


def deleted_at(vault: Vault) -> datetime:
    """When a list put aside is deleted."""
    return (vault.put_aside_at or vault.made_at) + settings.LISTS_PUT_ASIDE_FOR


def of(user: User) -> list[PutAside]:
    """The lists of a person that are put aside, the one to be deleted next first."""
    return [
        shown(vault) for vault in Vault.objects.filter(user=user).exclude(put_aside_at=None).order_by("put_aside_at")
    ]


def shown(vault: Vault) -> PutAside:
    """A list put aside, as pages show it."""
    found = doors.of_vault(vault)
    return PutAside(
        id=vault.pk,
        name=doors.name_of(vault),
        since=vault.put_aside_at or vault.made_at,
        deleted_at=deleted_at(vault),
        has_key=bool(found.passkeys or found.words),
    )


@transaction.atomic
def keep(vault: OpenVault, *, at: datetime) -> None:
    """A key turned up: the list is in use again. Twice does no harm.

    Raises NoSuchDoor once it is deleted, BeingDeleted.
    """
    row = Vault.objects.select_for_update().filter(pk=vault.row.pk).first()
    if row is None:
        raise NoSuchDoor
    if User.objects.filter(pk=vault.user.pk).exclude(deletes_at=None).exists():
        raise vaults.BeingDeleted
    if row.put_aside_at is None:
        return
    row.put_aside_at, row.gives_way_to = None, None
    row.save(update_fields=["put_aside_at", "gives_way_to"])
    activity.record(Tag.LIST_KEPT, user=vault.user, device=vault.device, at=at, facts={"former": doors.name_of(row)})


def expire(at: datetime) -> int:
    """Delete the lists whose time is over, with their states, their keys and the devices that opened them alone.

    Returns how many. What is kept of them under a recovery account is no part of a list and stays.
    """
    over = Vault.objects.filter(put_aside_at__lte=at - settings.LISTS_PUT_ASIDE_FOR)
    gone = 0
    for pk in list(over.order_by("put_aside_at").values_list("pk", flat=True)):
        with transaction.atomic():
            vault = over.select_for_update(of=("self",)).select_related("user").filter(pk=pk).first()
            if vault is None:
                continue  # It was kept meanwhile, or another run was quicker.
            facts = {"former": doors.name_of(vault)}
            Device.objects.filter(slots__vault=vault).delete()
            attempts.forget_list(vault.pk)
            vault.delete()
            activity.record(Tag.LIST_DELETED, user=vault.user, at=at, facts=facts)
            gone += 1
    return gone
