"""Cloud Backup off: named, undone within its time, deleted; and saved states that go before the others."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.models import Device, Vault
from accounts.services import activity
from accounts.services.activity import Tag
from accounts.services.vaults import OpenVault
from accounts.vault.list import AccountList, Protection
from backups import storage
from backups.models import Backup, Generation, RecoveryAccount
from backups.services import finding, making, objects, retaining
from backups.storage import StoreFailed

logger = logging.getLogger(__name__)

_UNDER_WAY_FOR = timedelta(minutes=5)  # No request is longer on its way to the store.


# -- Off ------------------------------------------------------------------------------------------------------------


def off(backup: Backup, *, device: Device | None, at: datetime) -> Backup:
    """No new saved state from now on; after the grace all of them are deleted. Twice, the first time stands.

    Raises NotOn.
    """
    with transaction.atomic():
        finding.lock(backup)
        row = finding.row_of(backup)
        if not row.stream:
            raise finding.NotOn
        if row.deletes_at is None:
            row.deletes_at = at + settings.BACKUP_GRACE
            row.save(update_fields=["deletes_at"])
            along = going_along(row).filter(deletes_at=None).update(deletes_at=row.deletes_at)
            tag = Tag.BACKUP_EARLIER_OFF if row.is_earlier else Tag.BACKUP_OFF
            activity.record(tag, user=row.user, device=device, at=at, facts=_until(row) | {"along": along})
    return row


def going_along(row: Backup) -> QuerySet[Backup]:
    """Earlier backups that go when that of the list goes, and come back with it: not what was only found."""
    earlier = Backup.objects.earlier().filter(passes_to=row.vault_id, unopened=False)
    return earlier if row.vault_id is not None else earlier.none()


def _until(row: Backup) -> dict[str, object]:
    """What a line says of a backup on its way out: under which account, and until when there is Undo."""
    return finding.account_fact(row) | {"until": row.deletes_at.isoformat() if row.deletes_at else ""}


def undo(backup: Backup, *, device: Device | None, at: datetime, vault: OpenVault | None = None) -> Backup:
    """It goes on as before. A former one takes its place again, and the one that had taken it enters its own grace.

    With the list open a saved state is made where the list has changed meanwhile. Raises TimeOver, NotOn.
    """
    with transaction.atomic():
        finding.lock(backup)
        row = finding.row_of(backup)
        if not row.stream:
            raise finding.TimeOver
        if row.deletes_at is None:
            return row
        if row.is_gone or row.deletes_at <= at:
            raise finding.TimeOver
        if row.former_of_id is not None:
            _give_way(row.former_of_id, device=device, at=at)
            row.vault_id, row.former_of = row.former_of_id, None
        going_along(row).filter(deletes_at=row.deletes_at).update(deletes_at=None)
        row.deletes_at = None
        row.save(update_fields=["vault", "former_of", "deletes_at"])
        activity.record(Tag.BACKUP_KEPT, user=row.user, device=device, at=at, facts=finding.account_fact(row))
        if vault is not None:
            making.attempt(row, finding.newest_list(vault, at=at), at=at)
        elif row.vault is not None and (row.saved_at is None or row.vault.changed_at > row.saved_at):
            row.behind_since, row.behind_changes = row.behind_since or row.vault.changed_at, row.behind_changes + 1
            row.high_water += 1  # What still waits is older than that change, and does not count for it.
            row.save(update_fields=["behind_since", "behind_changes", "high_water"])
    return finding.again(row)


def _give_way(vault_id: UUID, *, device: Device | None, at: datetime) -> None:
    taking = Backup.objects.select_for_update().filter(vault=vault_id).first()
    if taking is None:
        return
    if not taking.stream:
        taking.delete()
        return
    taking.vault, taking.former_of_id = None, vault_id
    taking.deletes_at = taking.deletes_at or at + settings.BACKUP_GRACE
    taking.save(update_fields=["vault", "former_of", "deletes_at"])
    activity.record(Tag.BACKUP_REPLACED, user=taking.user, device=device, at=at, facts=_until(taking))


def delete_now(backup: Backup, *, device: Device | None, at: datetime) -> None:
    """Delete every saved state at once. The caller holds the open list, or a fresh proof of the recovery account.

    Only of one that is on its way out, and with no Undo from the first moment on; never of one that was only found,
    which may be somebody else's. Raises NotOn, and StoreFailed where something is left, which `expire` goes on with.
    """
    with transaction.atomic():
        finding.lock(backup)
        row = finding.row_of(backup)
        if not row.stream or row.deletes_at is None or row.unopened:
            raise finding.NotOn
        _leave(row, at=at)
    _end(row, device=device, at=at)


def expire(at: datetime) -> int:
    """Delete the backups whose grace is over. Returns how many. Raises NotAllDone for those the store kept.

    Where newer saved states lie there than the records know, these were put back, and of an Undo since then they know
    nothing: the grace begins anew, and the person is told again.
    """
    ended, failing = 0, 0
    due = Backup.objects.filter(deletes_at__lte=at).filter(Q(retry_at=None) | Q(retry_at__lte=at) | Q(left_at=None))
    for backup in due.order_by(F("vault").asc(nulls_last=True), F("retry_at").asc(nulls_first=True)):
        if objects.is_silent(at):  # One that does not answer is not waited for by each; who waited longest is next.
            failing += 1
            break
        try:
            ended += not begins_anew(backup, at=at) and not _goes_along(backup) and _over(backup, at=at)
        except Exception as error:  # One that fails holds back no other.
            told = error.cause.value if isinstance(error, StoreFailed) else type(error).__name__
            logger.error("A backup was not deleted: %s", told, exc_info=None if told != type(error).__name__ else error)
            Backup.objects.filter(pk=backup.pk).update(retry_at=at)
            failing += 1
    if failing:
        raise retaining.NotAllDone
    return ended


def _goes_along(backup: Backup) -> bool:
    """Whether the backup of its list, with which it goes, is still to be judged: then it waits for that."""
    own = Backup.objects.filter(vault=backup.passes_to_id, deletes_at=backup.deletes_at)
    return backup.is_earlier and backup.passes_to_id is not None and own.exists()


def _over(backup: Backup, *, at: datetime) -> bool:
    """End a backup whose time is over; False where it was kept meanwhile, or all that was left was its row."""
    row = let_go(backup, at=at)
    return row is not None and _end(row, device=None, at=at)


def let_go(backup: Backup, *, at: datetime) -> Backup | None:
    """The first step of the end of a backup whose time is over; None where it is not, or is no more."""
    with transaction.atomic():
        finding.lock(backup)
        row = Backup.objects.select_for_update().filter(pk=backup.pk, deletes_at__lte=at).first()
        if row is not None:
            _leave(row, at=at)
        return row


def begins_anew(backup: Backup, *, at: datetime) -> bool:
    """Whether records were put back, so that a backup whose grace is over has it once more. Raises StoreFailed."""
    account = backup.recovery_account
    if account is None or backup.is_gone:
        return False
    with objects.asking(at):
        newest = objects.newest_whole(account, backup.stream, above=backup.high_water)
    if newest <= backup.high_water:
        return False
    with transaction.atomic():
        finding.lock(backup)
        row = Backup.objects.select_for_update().filter(pk=backup.pk, deletes_at=backup.deletes_at).first()
        if row is not None:
            along = going_along(row).filter(deletes_at=row.deletes_at)
            row.high_water, row.deletes_at = newest, at + settings.BACKUP_GRACE
            row.save(update_fields=["high_water", "deletes_at"])
            along.update(deletes_at=row.deletes_at)
            activity.record(Tag.BACKUP_OFF, user=row.user, at=at, facts=_until(row))
    return True


def _leave(row: Backup, *, at: datetime) -> None:
    """The first step of an end, under the lock: it is its list's no more, no Undo finds it, and nothing more counts.

    Its list may begin another one at once, however long the store takes to let this one go.
    """
    if row.is_gone:
        return
    list_id, row.left_at, row.deletes_at = row.vault_id, at, min(row.deletes_at or at, at)
    if list_id is not None:
        row.vault_id, row.former_of_id = None, list_id
    row.retry_at = None
    row.save(update_fields=["vault", "former_of", "deletes_at", "left_at", "retry_at"])
    if list_id is not None:
        Backup.objects.create(user=row.user, vault_id=list_id, protection="", switches=row.switches)
    row.generations.exclude(state__in=(Generation.State.PROVEN, Generation.State.DAMAGED)).delete()


def _end(row: Backup, *, device: Device | None, at: datetime) -> bool:
    """The rest: its objects, then the rows of them, and it is said; at last its own row. Whether it was said now.

    The store is asked outside of every transaction. What was under way to it when this one left finds no row of its
    own any more and removes itself; where it cannot, it is cleared away by the row that stays until nothing is.
    """
    with objects.asking(at):
        retaining.clear(row)
    with transaction.atomic():
        locked = Backup.objects.select_for_update().filter(pk=row.pk).exclude(left_at=None).first()
        if locked is None:
            return False
        is_said = not locked.protection  # Emptied when it was said: a backup in play always has one.
        if not is_said:
            facts = finding.account_fact(locked) | {"count": locked.generations.stored().count()}
            locked.generations.all().delete()
            locked.protection, locked.retry_at = "", at + _UNDER_WAY_FOR
            locked.save(update_fields=["protection", "retry_at"])
            if locked.saved_at is not None or locked.former_of_id is None:  # What stayed shut tells no day.
                RecoveryAccount.objects.filter(backups=locked).update(deleted_at=at)
            activity.record(Tag.BACKUP_DELETED, user=locked.user, device=device, at=at, facts=facts)
        elif locked.retry_at is None or locked.retry_at <= at:
            locked.delete()
    return not is_said


# -- Older saved states, smaller lists ------------------------------------------------------------------------------


def is_open_to_operator(vault: Vault) -> bool:
    """Whether anything is kept of this list, or of one restored into it, that the recovery account alone opens, and so
    the operator can. Of what was found without records its newest saved state tells.
    """
    restored = Q(passes_to=vault, left_at=None) & ~Q(stream="")
    of_list = Q(vault=vault) | Q(former_of=vault) | restored
    opens = Q(generations__slots=[]) | restored & Q(protection=Protection.SIGN_IN)
    return Backup.objects.filter(of_list & opens).exists()


def open_to_operator(backup: Backup) -> list[Generation]:
    """Saved states that the sign-in alone opens, while the backup is protected by a key: older ones."""
    if backup.protection != Protection.KEY:
        return []
    return [one for one in backup.generations.stored().newest_first() if one.opens_with_sign_in]


def open_with_former_keys(backup: Backup, accounts: AccountList) -> list[Generation]:
    """Saved states that still open with words or a passkey that open the list no more."""
    there = {one.slot for one in accounts.backup_keys}
    every = backup.generations.stored().newest_first()
    return [one for one in every if any(slot not in there for _, slot in one.slots)]


def delete_older(backup: Backup, generations: Iterable[Generation], *, device: Device | None, at: datetime) -> int:
    """Delete these saved states, never the newest proven one. Returns how many. Raises StoreFailed."""
    newest = backup.generations.stored().newest_first().first()
    chosen = [one for one in generations if newest is not None and one.pk != newest.pk]
    deleted = retaining.delete(chosen, at=at)
    if deleted:
        activity.record(Tag.BACKUP_OLDER_DELETED, user=backup.user, device=device, at=at, facts={"count": deleted})
    if deleted < len(chosen):
        raise StoreFailed(storage.Cause.UNKNOWN)
    return deleted


def accept(backup: Backup, *, device: Device | None, at: datetime) -> None:
    """ "This is right": the list is meant to be that small. The fuller saved state stays pinned for the time of Undo.

    `keeping.tidy` lets it go: whoever holds a browser for a moment deletes no backup at once.
    """
    with transaction.atomic():
        finding.lock(backup)
        row = finding.row_of(backup)
        if row.shrunk_from is None:
            return
        row.shrunk_from, row.accepted = None, row.high_water
        row.save(update_fields=["shrunk_from", "accepted"])
        activity.record(Tag.BACKUP_ACCEPTED, user=row.user, device=device, at=at, facts={"backup": str(row.pk)})
