"""What pages of accounts say of backups. Their templates load this; their modules know nothing of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import template
from django.urls import Resolver404, resolve
from django.utils import timezone

from accounts import roles
from accounts.models import Device, KeySlot, User, Vault
from accounts.services.vaults import DraftGone, OpenVault
from accounts.vault.entry import Kind
from accounts.vault.list import Protection
from backups import chip, moments
from backups.models import Backup, Generation
from backups.portions import PORTIONS, Portion
from backups.services import ending, finding, restoring
from backups.services.restoring import Report
from backups.states import restore_steps

register = template.Library()


# -- Times ------------------------------------------------------------------------------------------------------------


@register.filter
def short_moment(moment: datetime, user: Any) -> str:
    """ "14:02", "3 May", "3 May 2025"."""
    return moments.short(moment, user, at=timezone.now())


@register.filter
def full_moment(moment: datetime, user: Any) -> str:
    """ "14:02", "3 May 2026, 14:02"."""
    return moments.full(moment, user, at=timezone.now())


@register.filter
def listed_moment(moment: datetime, user: Any) -> str:
    """ "Today, 14:02", "Yesterday, 18:11", "1 May 2026, 20:15"."""
    return moments.listed(moment, user, at=timezone.now())


# -- Settings, keys, an account ---------------------------------------------------------------------------------------


@register.inclusion_tag("backups/_cell.html", takes_context=True)
def backup_cell(context: template.Context) -> dict[str, Any]:
    """The cell "Cloud Backup" of Settings: sign, state, switch."""
    vault, user, at = _vault(context), context["user"], timezone.now()
    if vault is not None:
        backup = chip.of(vault)
        says = chip.told(backup, vault, at=at)
        can = backup is not None and bool(backup.stream) or bool(roles.recovery_roles(vault.device.type, at))
    else:
        backup, says, can = _of_user(user), None, False
    is_on = backup is not None and backup.is_on
    return {"says": says, "is_on": is_on, "can": is_on or can, "can_restore": can_restore(), "user": user}


@register.simple_tag
def can_restore() -> bool:
    """Whether "Restore from backup" is offered: this server has a provider to sign in to a recovery account."""
    return roles.any_configured()


@register.inclusion_tag("backups/_portion.html", takes_context=True)
def backup_portion(context: template.Context, kind: str, has_code: bool) -> dict[str, Any]:
    """What a backup carries of an account; and whether there is one."""
    vault = _vault(context)
    backup = chip.of(vault) if vault is not None else None
    whole = has_code and PORTIONS[Kind(kind)] is Portion.WHOLE
    return {"whole": whole, "on": backup is not None and backup.is_on}


@register.simple_tag(takes_context=True)
def open_backup(context: template.Context) -> Backup | None:
    """The backup of the list that is open here; None where Cloud Backup is off."""
    vault = _vault(context)
    backup = chip.of(vault) if vault is not None else None
    return backup if backup is not None and backup.stream else None


@register.simple_tag
def states_by_key(backup: Backup | None) -> dict[str, datetime]:
    """When the oldest saved state was made that opens with a key and the recovery account, by the key's slot."""
    since: dict[str, datetime] = {}
    if backup is not None:
        for one in Generation.objects.filter(backup=backup.pk).stored().newest_first():
            since |= {slot: one.made_at for _, slot in one.slots}
    return since


@register.simple_tag
def states_by_key_of(user: User) -> dict[str, datetime]:
    """The same, of all backups of a person."""
    since: dict[str, datetime] = {}
    for backup in Backup.objects.filter(user=user).exclude(stream=""):
        since |= states_by_key(backup)
    return since


@register.filter
def of_key(since: dict[str, datetime], key: KeySlot | None) -> datetime | None:
    """That moment for one key; None where no saved state opens with it."""
    return since.get(key.pk.hex) if key is not None else None


@register.filter
def opened_by(since: dict[str, datetime], keys: Iterable[KeySlot]) -> bool:
    """Whether any saved state opens with one of these keys."""
    return any(of_key(since, key) for key in keys)


@register.simple_tag(takes_context=True)
def list_is_closed(context: template.Context) -> bool:
    """Whether nothing that is stored opens the list: no saved state of it, nor of what it was restored from, is kept
    that the sign-in alone opens."""
    vault = _vault(context)
    return vault is not None and not ending.is_open_to_operator(vault.row)


@register.simple_tag
def is_key_protected(backup: Backup | None) -> bool:
    """Whether the newest saved states open with a key only."""
    return backup is not None and backup.protection == Protection.KEY


@register.simple_tag
def needs_a_passkey(user: User) -> bool:
    """Whether a backup of theirs opens with a passkey alone."""
    return any(finding.opens_by_passkey_alone(backup) for backup in finding.every(user))


# -- The checklist that follows a restore ------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def restore_report(context: template.Context, onward: str) -> Report | None:
    """The report to which an address leads; None for any other address, and once it is gone or was undone."""
    vault = _vault(context)
    try:
        found = resolve(onward)
        if vault is None or found.view_name != "backups:restore-report":
            return None
        report = restoring.report(vault, found.kwargs["report_id"], at=timezone.now())
    except (Resolver404, DraftGone):
        return None
    return None if report.undone_at else report


@register.inclusion_tag("backups/_steps.html")
def last_step_of_restore() -> dict[str, Any]:
    """The bar of a restore, at its last step."""
    return restore_steps(5)


# -- What is left when something goes ---------------------------------------------------------------------------------


@register.simple_tag
def backup_of_device(device: Device) -> Backup | None:
    """The backup that brings back the list a device opens: kept, checked, and not on its way out."""
    of_list = Backup.objects.filter(vault__slots__device=device, vault__put_aside_at=None, deletes_at=None)
    return of_list.exclude(stream="").exclude(saved_at=None).select_related("recovery_account").first()


@register.simple_tag
def backups_of(user: User) -> list[tuple[Backup, int]]:
    """The backups of a person, each with the number of its saved states."""
    every = Backup.objects.filter(user=user).exclude(stream="").select_related("recovery_account").order_by("on_at")
    return [(backup, backup.generations.stored().count()) for backup in every]


@register.simple_tag(takes_context=True)
def way_back_by_backup(context: template.Context) -> dict[str, Any] | None:
    """ "Turn on Cloud Backup", where it can be: the roles there are, and whether it is done."""
    vault, at = _vault(context), timezone.now()
    if vault is None:
        return None
    backup = chip.of(vault)
    offered = [role.value for role in roles.recovery_roles(vault.device.type, at)]
    done = backup is not None and backup.is_on
    return {"roles": offered, "done": done} if offered or done else None


def _vault(context: template.Context) -> OpenVault | None:
    return getattr(context.get("request"), "vault", None)


def _of_user(user: User) -> Backup | None:
    lists = Vault.objects.filter(user=user, put_aside_at=None)
    return Backup.objects.filter(vault__in=lists).exclude(stream="").select_related("recovery_account").first()
