"""Cloud Backup on, another recovery account, another protection: each one act, with its way back.

Every act begins by locking the row of the list, as each change of it does.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import Device
from accounts.services import activity, blocking, vaults
from accounts.services.activity import Tag
from accounts.services.identity import Identity
from accounts.services.vaults import OpenVault
from accounts.vault.list import AccountList, Protection
from backups.models import Backup, Cause, Generation, RecoveryAccount
from backups.services import ending, finding, keeping, making, objects, recovery
from backups.storage import StoreFailed

logger = logging.getLogger(__name__)


_MOVING_TAKES = timedelta(minutes=5)


class NotKept(Exception):
    """The backup could not be made, or not be kept. Nothing that was there before has changed."""

    def __init__(self, cause: Cause, reference: str) -> None:
        super().__init__(cause.value)
        self.cause, self.reference = cause, reference


class AlreadyOn(Exception):
    """Cloud Backup is on already: a second click, or another tab."""


class KeyNeeded(Exception):
    """Protected by a key a person holds, and the list has none."""


@sensitive_variables()
def turn_on(vault: OpenVault, person: Identity, protection: Protection, *, at: datetime) -> Backup:
    """Begin to back the list up under a proven account; its device type is that of this browser.

    Within the time of Undo it goes on as it was, or moves. Raises AlreadyOn, KeyNeeded, and NotKept where the first
    saved state could not even be made; one that is made and not yet kept goes out by itself, and the status says so.
    In no transaction of the caller's: where it moves the store takes its time.
    """
    backup = finding.of(vault.row)
    if backup is not None and backup.is_on:
        raise AlreadyOn
    if backup is not None and backup.stream and _is_kept_on(vault, backup, at=at):
        account = backup.recovery_account
        if account is None or bytes(account.name) not in recovery.ctxs(person, account.device_type):
            return change_account(vault, person, protection, at=at)
        return protect(vault, protection, at=at)
    _check_protection(vaults.read(vault), protection)
    try:
        with transaction.atomic():
            backup = finding.begun(finding.locked(vault), vault.user)
            if backup.stream:
                raise AlreadyOn
            accounts = _protected(vault, protection, at=at)
            _begin(backup, recovery.account(vault.user, person, vault.device.type, at=at), vault.device, at=at)
            activity.record(
                Tag.BACKUP_ON, user=vault.user, device=vault.device, at=at, facts={"account": person.masked}
            )
            making.make(backup, accounts, at=at)
            keeping.send_once_committed(backup, at=at)
    except making.NotMade as error:
        raise not_kept(vault, error.cause, at=at) from None
    return finding.again(backup)


def _is_kept_on(vault: OpenVault, backup: Backup, *, at: datetime) -> bool:
    """Undo, within its time. After it the list lets the old one go, and another begins: but not where records were put
    back, which know nothing of what lies there since. Raises NotKept where the store does not tell.
    """
    try:
        ending.undo(backup, device=vault.device, at=at, vault=vault)
    except finding.TimeOver:
        try:
            if ending.begins_anew(backup, at=at):
                ending.undo(backup, device=vault.device, at=at, vault=vault)
                return True
        except StoreFailed:
            raise not_kept(vault, Cause.STORE, at=at) from None
        ending.let_go(backup, at=at)
        return False
    return True


@sensitive_variables()
def change_account(vault: OpenVault, person: Identity, protection: Protection, *, at: datetime) -> Backup:
    """Move to another recovery account: the new backup is kept and proven first, then the old one enters its time.

    The same account again is only proven anew. Raises NotOn, KeyNeeded, NotKept: then the old one goes on.
    """
    old = finding.of(vault.row)
    if old is None or not old.is_on or old.recovery_account is None:
        raise finding.NotOn
    if recovery.is_of(old.recovery_account, person, vault.device.type):
        RecoveryAccount.objects.filter(pk=old.recovery_account.pk).update(
            label=person.masked[: recovery.LABEL], proven_at=at
        )
        Backup.objects.filter(pk=old.pk).update(bound=making.bound(vault.row.pk, old.recovery_account))
        return protect(vault, protection, at=at)
    _check_protection(vaults.read(vault), protection)
    try:
        with transaction.atomic():
            finding.locked(vault)
            accounts = finding.newest_list(vault, at=at)
            # As if it were deleted already: whatever goes wrong from here on, `tidy` finds and clears it.
            new = Backup(user=vault.user, former_of=vault.row, switches=old.switches)
            _begin(new, recovery.account(vault.user, person, vault.device.type, at=at), vault.device, at=at)
            making.make(new, accounts.protected_by(protection), at=at)
            Backup.objects.filter(pk=new.pk).update(deletes_at=at + _MOVING_TAKES)
    except making.NotMade as error:
        raise not_kept(vault, error.cause, at=at) from None
    if not keeping.send(new, at=at):
        cause, reference = Cause(new.failure or Cause.UNKNOWN), new.reference
        Backup.objects.filter(pk=new.pk).update(deletes_at=at)
        raise NotKept(cause, reference) if reference else not_kept(vault, cause, at=at)
    with transaction.atomic():
        finding.locked(vault)
        rows = Backup.objects.select_for_update()
        there = rows.filter(pk=old.pk, vault=vault.row, deletes_at=None).exclude(stream="").first()
        arrived = rows.filter(pk=new.pk, left_at=None, deletes_at=at + _MOVING_TAKES).first()
        if there is not None and arrived is not None:
            _swap(vault, there, arrived, accounts, protection, masked=person.masked, at=at)
    if there is None or arrived is None:  # Turned off meanwhile; or it took so long that it was cleared away.
        Backup.objects.filter(pk=new.pk).update(deletes_at=at)
        raise finding.NotOn if there is None else not_kept(vault, Cause.STORE, at=at)
    return finding.again(new)


@sensitive_variables()
def _swap(
    vault: OpenVault,
    old: Backup,
    new: Backup,
    accounts: AccountList,
    protection: Protection,
    *,
    masked: str,
    at: datetime,
) -> None:
    """The new backup takes the place of the old one, which enters its time. `accounts` is what the new one holds."""
    old.vault, old.former_of, old.deletes_at = None, vault.row, at + settings.BACKUP_GRACE
    old.save(update_fields=["vault", "former_of", "deletes_at"])
    new.vault, new.former_of, new.deletes_at = vault.row, None, None
    new.save(update_fields=["vault", "former_of", "deletes_at"])
    facts = {"account": masked, "until": old.deletes_at.isoformat()}
    activity.record(Tag.BACKUP_MOVED, user=vault.user, device=vault.device, at=at, facts=facts)
    now = _protected(vault, protection, at=at)
    if not making.same(now, accounts.protected_by(protection)):
        making.attempt(new, now, at=at)  # Another browser changed the list while the new one was being kept.


@sensitive_variables()
def protect(vault: OpenVault, protection: Protection, *, at: datetime) -> Backup:
    """Another protection from the next saved state on, which is made now. Raises NotOn, KeyNeeded."""
    _check_protection(vaults.read(vault), protection)
    with transaction.atomic():
        finding.locked(vault)
        backup = finding.of(vault.row)
        if backup is None or not backup.is_on:
            raise finding.NotOn
        _protected(vault, protection, at=at)  # Where it is another one, the signal makes the next saved state.
    return finding.again(backup)


@sensitive_variables()
def back_up(vault: OpenVault, *, at: datetime) -> Backup:
    """Send what waits; make a saved state anew where none waits and the backup is behind, and in any case where other
    accounts are blocked by now, or may be: what waited is superseded by it.

    Raises NotOn.
    """
    objects.ask_again()
    with transaction.atomic():
        finding.locked(vault)
        rows = Backup.objects.select_for_update(of=("self",)).select_related("recovery_account")
        backup = rows.filter(vault=vault.row).first()
        if backup is None or not backup.is_on:
            raise finding.NotOn
        waiting = backup.generations.filter(state=Generation.State.WAITING).newest_first().first()
        accounts = finding.newest_list(vault, at=at)
        marks = backup.marks(making.left_out(backup, accounts, at=at))
        if marks != (waiting or backup).left_out_marks or (waiting is not None and blocking.began(waiting.made_at, at)):
            making.attempt(backup, accounts, at=at)
        elif waiting is not None:
            keeping.send_once_committed(backup, at=at)
        elif backup.behind_since is not None:
            making.attempt(backup, accounts, at=at)
    return finding.again(backup)


def _begin(backup: Backup, account: RecoveryAccount, device: Device, *, at: datetime) -> None:
    of_list = backup.vault_id or backup.former_of_id
    assert of_list is not None  # noqa: S101 - a backup begins as one of a list
    backup.recovery_account, backup.stream = account, making.new_stream()
    backup.bound = making.bound(of_list, account)
    backup.device_name, backup.on_at, backup.deletes_at = device.name, at, None
    backup.high_water = backup.accepted = backup.behind_changes = 0
    backup.whole = backup.named = backup.left_out = 0
    backup.left_out_marks = ""
    backup.saved_at = backup.checked_at = backup.behind_since = backup.behind_told_at = backup.retry_at = None
    backup.restore_tried_at = None
    backup.failure, backup.reference, backup.shrunk_from = "", "", None
    backup.save()


def not_kept(vault: OpenVault, cause: Cause, *, at: datetime) -> NotKept:
    """The error, with a reference that activity knows though all else was rolled back."""
    reference = activity.new_reference()
    logger.error("%s: not backed up, %s", reference, cause.value)
    activity.record(
        Tag.BACKUP_FAILED,
        user=vault.user,
        device=vault.device,
        at=at,
        facts=keeping.facts_of(cause, vault.device.type),
        reference=reference,
    )
    return NotKept(cause, reference)


def _check_protection(accounts: AccountList, protection: Protection) -> None:
    if protection is Protection.KEY and not accounts.backup_keys:
        raise KeyNeeded


def _protected(vault: OpenVault, protection: Protection, *, at: datetime) -> AccountList:
    tag = Tag.BACKUP_PROTECTED if protection is Protection.KEY else Tag.BACKUP_UNPROTECTED
    return vaults.change(vault, lambda accounts: accounts.protected_by(protection), tag=tag, at=at)
