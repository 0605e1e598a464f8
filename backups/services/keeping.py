"""Saved states are sent, read back, compared, and read again. Envelopes stay shut here: no key to a list.

A saved state counts from the moment at which it was read back equal; only then older ones go.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from accounts.services import activity, blocking
from accounts.services.activity import Tag
from accounts.vault.errors import VaultError
from backups import envelope
from backups.models import CHECKED_EVERY, Backup, Cause, Generation
from backups.services import objects, retaining
from backups.storage import NameTaken, NotStored, StoreFailed, WriteOnce

logger = logging.getLogger(__name__)


BEHIND_TOLD_AFTER = timedelta(days=7)
_AGAIN_AFTER = timedelta(seconds=20)  # With `tidy` every 30 s all is tried again within 50 s.


# -- Out, and back --------------------------------------------------------------------------------------------------


def send_once_committed(backup: Backup, one: Generation | None = None, *, at: datetime) -> None:
    """Send what waits as soon as the change is committed, while the person waits; what fails is tried again.

    `one` is the saved state that was made a moment ago, with its bytes: it need not be looked up.
    """
    transaction.on_commit(lambda: _send_quietly(backup.pk, one, at), robust=True)


def _send_quietly(backup_id: UUID, one: Generation | None, at: datetime) -> None:
    if objects.is_silent(at):
        backup = Backup.objects.filter(pk=backup_id).select_related("user").first()
        if backup is not None:
            failed(backup, Cause.STORE, at=at)
        return
    if one is not None:
        _send(one, at=at)
        return
    backup = Backup.objects.filter(pk=backup_id).first()
    if backup is not None:
        send(backup, at=at)


def send(backup: Backup, *, at: datetime) -> bool:
    """Send the newest saved state that waits, read it back, compare. Whether the backup is up to date now.

    Twice at once, by a request and by `tidy`, does no harm: the second finds the very bytes there.
    """
    waiting = backup.generations.filter(state=Generation.State.WAITING).select_related("recovery_account")
    one = waiting.order_by("-sequence").first()
    sent = one is None or _send(one, at=at)
    try:
        backup.refresh_from_db()
    except Backup.DoesNotExist:  # Deleted meanwhile.
        return False
    return sent and backup.behind_since is None


def _send(one: Generation, *, at: datetime) -> bool:
    """Whether it counts now. What stands in its backup's row may be long outdated, and is read where it is needed."""
    failure = _kept(one, at=at)
    if failure is None:
        proven(one, at=at)
        if one.backup_id is not None:
            retaining.prune(one.backup_id, at=at)
        return True
    Generation.objects.filter(pk=one.pk).update(tries=F("tries") + 1, tried_at=at)
    backup = Backup.objects.filter(generations=one.pk).select_related("user").first()
    if backup is not None:
        if failure is Cause.TAKEN:
            _pass_over(backup, one)
        failed(backup, failure, at=at)
    return False


def _kept(one: Generation, *, at: datetime) -> Cause | None:
    """Write a saved state and read it back; None where that came back equal."""
    data, name = bytes(one.waiting or b""), objects.path(one)
    try:
        with objects.asking(at) as store:
            if objects.newest_number(one.recovery_account, one.stream) > one.sequence and _is_overtaken(one):
                return Cause.TAKEN
            ours = True
            try:
                store.create(name, data)
            except NameTaken:
                ours = False
            try:
                found = store.fetch(name)
            except NotStored:
                return Cause.STORE
            if hmac.compare_digest(hashlib.sha256(found).digest(), bytes(one.sha256)):
                return None
            if not ours:
                return Cause.TAKEN
            return _taken_back(one, store, data)
    except StoreFailed as error:
        logger.warning("The store of backups failed: %s", error.cause.value)
        return Cause.STORE


def _taken_back(one: Generation, store: WriteOnce, data: bytes) -> Cause | None:
    """Remove what was written a moment ago and came back as other bytes, so that the next try writes it again.

    Another one may have sent the same meanwhile and read it back well: then it counts, and is not taken from under it.
    """
    states = (Generation.State.WAITING, Generation.State.SUPERSEDED)
    mine = Generation.objects.filter(pk=one.pk, state__in=states)
    if not mine.update(tries=F("tries") + 1) and Generation.objects.filter(pk=one.pk).exists():
        return None
    store.remove(objects.path(one))
    if Generation.objects.stored().filter(pk=one.pk).exists():
        store.create(objects.path(one), data)
    return Cause.UNEQUAL


def _is_overtaken(one: Generation) -> bool:
    """Whether something newer lies there than these records ever gave a number to: they were put back.

    A restore that has the store alone takes the newest number, and must find the newest list under it.
    """
    given = Backup.objects.filter(generations=one.pk).values_list("high_water", flat=True).first()
    return given is not None and objects.newest_whole(one.recovery_account, one.stream, above=given) > given


def proven(one: Generation, *, at: datetime) -> None:
    """A saved state was read back equal: it counts, and the backup's summary says so.

    Not where another try of it came to nothing since: that one may be taking it back.
    """
    try:
        with transaction.atomic():
            if one.backup_id is not None:
                _sum_up(one.backup_id, one, at=at)
            states = (Generation.State.WAITING, Generation.State.SUPERSEDED)
            if not Generation.objects.filter(pk=one.pk, state__in=states, tries=one.tries).update(
                state=Generation.State.PROVEN, waiting=None, checked_at=at, tried_at=at
            ):
                raise _NotCounted
    except _NotCounted:
        if not Generation.objects.filter(pk=one.pk).exists():
            objects.removed(objects.path(one))  # Deleted while it was under way.


class _NotCounted(Exception):
    """Another was quicker, or it is no more; what was summed up is taken back."""


def _sum_up(backup_id: UUID, one: Generation, *, at: datetime) -> None:
    summary = {"saved_at": one.made_at, "checked_at": at, "whole": one.whole, "named": one.named}
    summary |= {"left_out": one.left_out, "left_out_marks": one.left_out_marks}
    backup = Backup.objects.filter(pk=backup_id)
    # What was made before a rule began may hold what it is about, and the list that would tell is shut. It is kept, for
    # it has all that was changed; but it is not the last word.
    end = _UP_TO_DATE | ({"behind_since": at} if blocking.began(one.made_at, at) else {})
    if not backup.filter(high_water=one.sequence).update(**summary, **end):
        # A newer one is on its way: until it is proven, this is the newest that is.
        backup.filter(Q(saved_at=None) | Q(saved_at__lte=one.made_at)).update(**summary)


_UP_TO_DATE: dict[str, Any] = {
    "behind_since": None,
    "behind_changes": 0,
    "behind_told_at": None,
    "failure": "",
    "reference": "",
    "retry_at": None,
}
_OF_NEWEST = ("whole", "named", "left_out", "left_out_marks")
_SUMMARY = ["saved_at", "checked_at", *_OF_NEWEST, *_UP_TO_DATE]


def failed(backup: Backup, cause: Cause, *, at: datetime) -> None:
    """Note why the backup is behind. The first time for this cause it gets a reference, in activity and log alike."""
    backup.retry_at = at + _AGAIN_AFTER
    first = backup.failure != cause
    if first:
        backup.failure, backup.reference = cause, activity.new_reference()
    # Of one that is up to date after all, by another request, nothing failed.
    behind = Backup.objects.filter(pk=backup.pk).exclude(behind_since=None)
    noted = behind.update(failure=backup.failure, reference=backup.reference, retry_at=backup.retry_at)
    if first and noted:
        logger.error("%s: not backed up, %s", backup.reference, cause.value)
        account = backup.recovery_account
        facts = facts_of(cause, account.device_type if account is not None else "")
        activity.record(Tag.BACKUP_FAILED, user=backup.user, at=at, facts=facts, reference=backup.reference)


def facts_of(cause: Cause, device_type: str) -> dict[str, str]:
    """What activity is told of a failure: its cause, and the type of device where that is what does not fit."""
    return {"cause": cause.value, **({"type": device_type} if cause is Cause.PROVIDER else {})}


def _pass_over(backup: Backup, one: Generation) -> None:
    """Its name is taken, or something newer lies there: records were put back. The next number is above all of it.

    Of the saved state nothing stays: what lies under its name is another's, and is not ours to delete.
    """
    try:
        newest = objects.newest_whole(one.recovery_account, one.stream, above=one.sequence)
    except StoreFailed:
        newest = one.sequence
    Backup.objects.filter(pk=backup.pk, high_water__lt=newest).update(high_water=newest)
    Generation.objects.filter(pk=one.pk).delete()


# -- Read again -----------------------------------------------------------------------------------------------------


def check(backup: Backup, *, at: datetime) -> bool:
    """Read the newest saved state again. Whether it is what it was; what is not no longer counts.

    Raises StoreFailed where the store does not answer: nothing is known then, and nothing changed.
    """
    while (one := backup.generations.stored().newest_first().first()) is not None:
        with objects.asking(at) as store:
            try:
                data: bytes | None = store.fetch(objects.path(one))
            except NotStored:
                data = None
        if data is not None and _is_whole(one, data):
            Generation.objects.filter(pk=one.pk).update(checked_at=at)
            Backup.objects.filter(pk=backup.pk).update(checked_at=at)
            backup.checked_at = at
            return True
        if _is_damaged(one, Cause.MISSING if data is None else Cause.UNEQUAL, at=at):
            break  # Else it passed under another key, or was let go, while it was read: there is another one.
    with suppress(Backup.DoesNotExist):
        backup.refresh_from_db()
    return False


def _is_damaged(one: Generation, cause: Cause, *, at: datetime) -> bool:
    """Note that a saved state is not what it was, and no longer counts; False where its row is another by now."""
    with transaction.atomic():
        row = Backup.objects.select_for_update().filter(generations=one.pk).first()
        same = Generation.objects.stored().filter(pk=one.pk, kid=one.kid, sha256=one.sha256)
        if row is None or not same.update(state=Generation.State.DAMAGED):
            return False
        before = row.generations.stored().newest_first().first()
        row.saved_at, row.checked_at = (before.made_at, before.checked_at) if before else (None, None)
        for field in _OF_NEWEST:
            setattr(row, field, getattr(before or Backup(), field))
        row.behind_since = row.behind_since or one.made_at
        row.save(update_fields=_SUMMARY)
        failed(row, cause, at=at)
    return True


def _is_whole(one: Generation, data: bytes) -> bool:
    if not hmac.compare_digest(hashlib.sha256(data).digest(), bytes(one.sha256)):
        return False
    try:
        envelope.verify(data, objects.place(one), objects.server_key)
    except VaultError:
        return False
    return True


# -- Due ------------------------------------------------------------------------------------------------------------


def retry(at: datetime) -> int:
    """Send what still waits, each backup at its time. Returns how many are up to date now."""
    waiting = Backup.objects.filter(generations__state=Generation.State.WAITING, deletes_at=None)
    due = waiting.filter(Q(retry_at=None) | Q(retry_at__lte=at)).distinct()
    sent, failing = 0, 0
    for backup in due.select_related("recovery_account", "user").order_by(F("retry_at").asc(nulls_first=True)):
        if objects.is_silent(at):  # One that does not answer is not waited for by each; who waited longest is next.
            break
        try:
            sent += send(backup, at=at)
        except Exception as error:  # One that fails holds back no other.
            logger.error("A saved state was not sent: %s", type(error).__name__, exc_info=error)
            failing += 1
    if failing:
        raise retaining.NotAllDone
    return sent


def read_again(at: datetime) -> int:
    """Read the newest saved state of each backup once a week. Returns how many were whole."""
    due = Backup.objects.filter(checked_at__lte=at - CHECKED_EVERY, deletes_at=None).exclude(stream="")
    whole = 0
    for backup in due.select_related("user"):
        if objects.is_silent(at):
            break
        try:
            whole += check(backup, at=at)
        except StoreFailed as error:
            logger.warning("A backup could not be read again: %s", error.cause.value)
        except Exception as error:  # One that fails holds back no other.
            logger.error("A backup could not be read again: %s", type(error).__name__, exc_info=error)
    return whole


def tell_who_is_behind(at: datetime) -> int:
    """Mail each person once whose backup has been behind for a week. Returns how many."""
    late = Backup.objects.filter(behind_since__lte=at - BEHIND_TOLD_AFTER, behind_told_at=None, deletes_at=None)
    late = late.exclude(vault=None)  # Of a list that is gone nothing is missing any more.
    told = 0
    for backup in late.select_related("user", "recovery_account"):
        with transaction.atomic():
            if Backup.objects.filter(pk=backup.pk, behind_told_at=None).update(behind_told_at=at):
                told += 1
                activity.record(Tag.BACKUP_BEHIND, user=backup.user, at=at)
    return told
