"""Saved states are sent, read back, compared, kept, pruned and read again. Envelopes stay shut here: no key to a list.

A saved state counts from the moment at which it was read back equal; only then older ones go.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import F, Q

from accounts.models import User
from accounts.services import activity, keyring
from accounts.services.activity import Tag
from accounts.vault.errors import VaultError
from accounts.vault.keys import Role, Secret
from backups import envelope, names, storage
from backups.envelope import Place
from backups.models import CHECKED_EVERY, Backup, Cause, Generation, RecoveryAccount
from backups.names import Name
from backups.storage import NameTaken, NotStored, StoreFailed

logger = logging.getLogger(__name__)

NEWEST_KEPT = 3
DAYS_KEPT = 7
BEHIND_TOLD_AFTER = timedelta(days=7)
_AGAIN_AFTER = timedelta(seconds=20)  # With `tidy` every 30 s all is tried again within 50 s.
_LOOKED_AT = 100  # Of so many objects that stand above what the records know, the newest whole one is looked for.
_IN_FLIGHT = timedelta(minutes=5)  # What another took the place of may still be under way so long.


class NotAllDone(Exception):
    """Some of what was due failed; the log names it."""


# -- Out, and back --------------------------------------------------------------------------------------------------


def send_once_committed(backup: Backup, one: Generation | None = None, *, at: datetime) -> None:
    """Send what waits as soon as the change is committed, while the person waits; what fails is tried again.

    `one` is the saved state that was made a moment ago, with its bytes: it need not be looked up.
    """
    transaction.on_commit(lambda: _send_quietly(backup.pk, one, at), robust=True)


def _send_quietly(backup_id: UUID, one: Generation | None, at: datetime) -> None:
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
    backup.refresh_from_db()
    return sent and backup.behind_since is None


def _send(one: Generation, *, at: datetime) -> bool:
    """Whether it counts now. What stands in its backup's row may be long outdated, and is read where it is needed."""
    failure = _kept(one)
    if failure is None:
        proven(one, at=at)
        if one.backup_id is not None:
            prune(one.backup_id, at=at)
        return True
    Generation.objects.filter(pk=one.pk).update(tries=F("tries") + 1, tried_at=at)
    backup = Backup.objects.filter(generations=one.pk).select_related("user").first()
    if backup is not None:
        if failure is Cause.TAKEN:
            _pass_over(backup, one)
        failed(backup, failure, at=at)
    return False


def _kept(one: Generation) -> Cause | None:
    """Write a saved state and read it back; None where that came back equal."""
    data, name = bytes(one.waiting or b""), path(one)
    store = storage.backups()
    try:
        if newest_number(one.recovery_account, one.stream) > one.sequence and _is_overtaken(one):
            return Cause.TAKEN
        try:
            store.create(name, data)
            ours = True
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
        store.remove(name)  # It was written a moment ago and never counted; the next try writes it again.
        return Cause.UNEQUAL
    except StoreFailed as error:
        logger.warning("The store of backups failed: %s", error.cause.value)
        return Cause.STORE


def newest_number(account: RecoveryAccount, stream: str) -> int:
    """The newest number that lies in a stream, whoever wrote it; 0 where nothing does. Raises StoreFailed."""
    return max([name.sequence for name in _named(bytes(account.name), stream)], default=0)


def newest_whole(account: RecoveryAccount, stream: str, *, above: int) -> int:
    """The newest number above another under which a saved state lies that this server made; else that other.

    A name alone says nothing: whoever writes to the store gives any. Raises StoreFailed.
    """
    higher = [name for name in _named(bytes(account.name), stream) if name.sequence > above]
    for name in sorted(higher, key=lambda name: name.sequence, reverse=True)[:_LOOKED_AT]:
        try:
            envelope.verify(storage.backups().fetch(name.path), name.place, server_key)
        except (NotStored, VaultError):
            continue
        return name.sequence
    return above


def _is_overtaken(one: Generation) -> bool:
    """Whether something newer lies there than these records ever gave a number to: they were put back.

    A restore that has the store alone takes the newest number, and must find the newest list under it.
    """
    given = Backup.objects.filter(generations=one.pk).values_list("high_water", flat=True).first()
    return given is not None and newest_whole(one.recovery_account, one.stream, above=given) > given


def proven(one: Generation, *, at: datetime) -> None:
    """A saved state was read back equal: it counts, and the backup's summary says so."""
    try:
        with transaction.atomic():
            if one.backup_id is not None:
                _sum_up(one.backup_id, one, at=at)
            states = (Generation.State.WAITING, Generation.State.SUPERSEDED)
            if not Generation.objects.filter(pk=one.pk, state__in=states).update(
                state=Generation.State.PROVEN, waiting=None, checked_at=at, tried_at=at
            ):
                raise _NotCounted
    except _NotCounted:
        if not Generation.objects.filter(pk=one.pk).exists():
            _remove(path(one))  # Deleted while it was under way.


class _NotCounted(Exception):
    """Another was quicker, or it is no more; what was summed up is taken back."""


def _sum_up(backup_id: UUID, one: Generation, *, at: datetime) -> None:
    summary = {"saved_at": one.made_at, "checked_at": at, "whole": one.whole, "named": one.named}
    backup = Backup.objects.filter(pk=backup_id)
    if not backup.filter(high_water=one.sequence).update(**summary, **_UP_TO_DATE):
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
_SUMMARY = ["saved_at", "checked_at", "whole", "named", *_UP_TO_DATE]


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
        activity.record(
            Tag.BACKUP_FAILED, user=backup.user, at=at, facts={"cause": cause.value}, reference=backup.reference
        )


def _pass_over(backup: Backup, one: Generation) -> None:
    """Its name is taken, or something newer lies there: records were put back. The next number is above all of it.

    Of the saved state nothing stays: what lies under its name is another's, and is not ours to delete.
    """
    try:
        newest = newest_whole(one.recovery_account, one.stream, above=one.sequence)
    except StoreFailed:
        newest = one.sequence
    Backup.objects.filter(pk=backup.pk, high_water__lt=newest).update(high_water=newest)
    Generation.objects.filter(pk=one.pk).delete()


# -- What is kept ---------------------------------------------------------------------------------------------------


class Kept(Protocol):
    """What decides whether a saved state stays."""

    @property
    def pk(self) -> Any: ...  # noqa: D102 - as in Generation
    @property
    def sequence(self) -> int: ...  # noqa: D102
    @property
    def made_at(self) -> datetime: ...  # noqa: D102
    @property
    def counter_only(self) -> bool: ...  # noqa: D102
    @property
    def pinned(self) -> bool: ...  # noqa: D102


def kept(generations: Iterable[Kept], *, at: datetime) -> frozenset[object]:
    """The ids of the saved states that stay: the newest three, the newest of each of the last seven days, pinned ones.

    Of two that were made by counters going on alone, one after the other, the older goes. Days are those of UTC.
    """
    stored = sorted(generations, key=lambda one: one.sequence, reverse=True)
    stay: dict[object, None] = {}
    steps = [one for one, newer in zip(stored[1:], stored, strict=False) if one.counter_only and newer.counter_only]
    left = [one for one in stored if one not in steps]
    stay |= dict.fromkeys(one.pk for one in left[:NEWEST_KEPT])
    days: set[object] = set()
    for one in left:
        day = one.made_at.date()
        if day not in days and at.date() - day < timedelta(days=DAYS_KEPT):
            days.add(day)
            stay[one.pk] = None
    stay |= dict.fromkeys(one.pk for one in stored if one.pinned)
    return frozenset(stay)


_PRUNED = (
    "pk",
    "stream",
    "sequence",
    "kid",
    "state",
    "made_at",
    "tried_at",
    "counter_only",
    "pinned",
    "recovery_account__name",
)


def prune(backup_id: UUID, *, at: datetime) -> int:
    """Delete what need not stay, once something newer is proven. How many; a store that fails is asked later."""
    every = list(Generation.objects.filter(backup=backup_id).newest_first().values_list(*_PRUNED, named=True))
    stored = [one for one in every if one.state == Generation.State.PROVEN]
    if not stored:
        return 0
    stay, newest = kept(stored, at=at), stored[0].sequence
    over = [one for one in stored if one.pk not in stay]
    for one in every:
        if one.sequence < newest:
            # What was made before another took its place may just be under way, though nobody noted a try.
            late = at - (one.tried_at or one.made_at) > _IN_FLIGHT
            if one.state == Generation.State.DAMAGED or (one.state == Generation.State.SUPERSEDED and late):
                over.append(one)
    gone = []
    for one in over:
        try:
            storage.backups().remove(_path(bytes(one.recovery_account__name), one.stream, one.sequence, one.kid))
        except StoreFailed as error:
            logger.warning("A saved state was not deleted: %s", error.cause.value)
        else:
            gone.append(one.pk)
    if gone:
        Generation.objects.filter(pk__in=gone).delete()
    return len(gone)


def delete(one: Generation) -> bool:
    """Delete a saved state from the store, then its row; False where the store fails."""
    try:
        storage.backups().remove(path(one))
    except StoreFailed as error:
        logger.warning("A saved state was not deleted: %s", error.cause.value)
        return False
    one.delete()
    return True


def delete_all(backup: Backup) -> None:
    """Delete every saved state of a backup: what its rows name and what else is in its stream. Raises StoreFailed."""
    store = storage.backups()
    account = backup.recovery_account
    Generation.objects.filter(backup=backup, state=Generation.State.WAITING).update(
        state=Generation.State.SUPERSEDED, waiting=None
    )
    streams = set(backup.generations.values_list("recovery_account__name", "stream"))
    if account is not None and backup.stream:
        streams.add((account.name, backup.stream))
    for name, stream in streams:
        for found in list(_names(bytes(name), stream)):
            store.remove(found)
    backup.generations.all().delete()


# -- Read again -----------------------------------------------------------------------------------------------------


def check(backup: Backup, *, at: datetime) -> bool:
    """Read the newest saved state again. Whether it is what it was; what is not no longer counts.

    Raises StoreFailed where the store does not answer: nothing is known then, and nothing changed.
    """
    one = backup.generations.stored().newest_first().first()
    if one is None:
        return False
    try:
        data: bytes | None = storage.backups().fetch(path(one))
    except NotStored:
        data = None
    if data is not None and _is_whole(one, data):
        Generation.objects.filter(pk=one.pk).update(checked_at=at)
        Backup.objects.filter(pk=backup.pk).update(checked_at=at)
        backup.checked_at = at
        return True
    with transaction.atomic():
        row = Backup.objects.select_for_update().get(pk=backup.pk)
        Generation.objects.filter(pk=one.pk).update(state=Generation.State.DAMAGED)
        before = row.generations.stored().newest_first().first()
        row.saved_at, row.checked_at = (before.made_at, before.checked_at) if before else (None, None)
        row.whole, row.named = (before.whole, before.named) if before else (0, 0)
        row.behind_since = row.behind_since or one.made_at
        row.behind_changes = max(row.behind_changes, 1)
        row.save(update_fields=_SUMMARY)
        failed(row, Cause.MISSING if data is None else Cause.UNEQUAL, at=at)
    backup.refresh_from_db()
    return False


def _is_whole(one: Generation, data: bytes) -> bool:
    if not hmac.compare_digest(hashlib.sha256(data).digest(), bytes(one.sha256)):
        return False
    try:
        envelope.verify(data, place(one), server_key)
    except VaultError:
        return False
    return True


def server_key(kid: int) -> Secret | None:
    """The key S of a number, where the server keys file has it."""
    try:
        return keyring.keyring().get(Role.STORE, kid)
    except ImproperlyConfigured:
        return None


# -- Due ------------------------------------------------------------------------------------------------------------


def retry(at: datetime) -> int:
    """Send what still waits, each backup at its time. Returns how many are up to date now."""
    waiting = Backup.objects.filter(generations__state=Generation.State.WAITING, deletes_at=None)
    due = waiting.filter(Q(retry_at=None) | Q(retry_at__lte=at)).distinct()
    sent, failing = 0, 0
    for backup in due.select_related("recovery_account", "user"):
        try:
            sent += send(backup, at=at)
        except Exception as error:  # One that fails holds back no other.
            logger.error("A saved state was not sent: %s", type(error).__name__, exc_info=error)
            failing += 1
    if failing:
        raise NotAllDone
    return sent


def read_again(at: datetime) -> int:
    """Read the newest saved state of each backup once a week. Returns how many were whole."""
    due = Backup.objects.filter(checked_at__lte=at - CHECKED_EVERY, deletes_at=None).exclude(stream="")
    whole = 0
    for backup in due.select_related("user"):
        try:
            whole += check(backup, at=at)
        except StoreFailed as error:
            logger.warning("A backup could not be read again: %s", error.cause.value)
        except Exception as error:  # One that fails holds back no other.
            logger.error("A backup could not be read again: %s", type(error).__name__, exc_info=error)
    return whole


def tidy(at: datetime) -> int:
    """Delete what a newer saved state took the place of, and what killed writers left. Returns how many."""
    over = Generation.objects.filter(state=Generation.State.SUPERSEDED, made_at__lt=at - _IN_FLIGHT)
    backups = Backup.objects.filter(pk__in=over.values("backup"), deletes_at=None)
    pruned = sum(prune(backup.pk, at=at) for backup in backups) + _let_go(at)
    try:
        return pruned + storage.backups().sweep(at - timedelta(hours=1))
    except StoreFailed:
        return pruned


def _let_go(at: datetime) -> int:
    """What was pinned for a decision that was made a grace ago is pinned no longer. How many went with it."""
    pinned = Backup.objects.filter(generations__pinned=True, shrunk_from=None, deletes_at=None).distinct()
    gone = 0
    for backup in pinned.select_related("user"):
        said = backup.user.events.filter(tag=Tag.BACKUP_ACCEPTED, facts__backup=str(backup.pk))
        if not said.filter(at__gt=at - settings.BACKUP_GRACE).exists():
            backup.generations.filter(pinned=True).update(pinned=False)
            gone += prune(backup.pk, at=at)
    return gone


def tell_who_is_behind(at: datetime) -> int:
    """Mail each person once whose backup has been behind for a week. Returns how many."""
    late = Backup.objects.filter(behind_since__lte=at - BEHIND_TOLD_AFTER, behind_told_at=None, deletes_at=None)
    told = 0
    for backup in late.select_related("user", "recovery_account"):
        with transaction.atomic():
            if Backup.objects.filter(pk=backup.pk, behind_told_at=None).update(behind_told_at=at):
                told += 1
                activity.record(Tag.BACKUP_BEHIND, user=backup.user, at=at)
    return told


def expire_people(at: datetime) -> int:
    """Delete every saved state of those whose time is over; only then the database lets their rows go."""
    gone, failing = 0, 0
    for user in User.objects.filter(deletes_at__lte=at, recovery_accounts__generations__isnull=False).distinct():
        try:
            for account in user.recovery_accounts.all():
                streams = set(account.generations.values_list("stream", flat=True))
                for stream in streams:
                    for found in list(_names(bytes(account.name), stream)):
                        storage.backups().remove(found)
                gone += account.generations.all().delete()[0]
        except StoreFailed as error:
            logger.error("Saved states of a person who leaves were not deleted: %s", error.cause.value)
            failing += 1
    if failing:
        raise NotAllDone
    return gone


# -- Names ----------------------------------------------------------------------------------------------------------


def place(one: Generation) -> Place:
    """Where a saved state belongs: what its envelope is bound to."""
    return Place(bytes(one.recovery_account.name), bytes.fromhex(one.stream), one.sequence)


def path(one: Generation) -> str:
    """The name of a saved state in the store."""
    return _path(bytes(one.recovery_account.name), one.stream, one.sequence, one.kid)


def _path(ctx: bytes, stream: str, sequence: int, kid: int) -> str:
    return Name(ctx, bytes.fromhex(stream), sequence, kid).path


@dataclass(frozen=True, slots=True)
class Found:
    """A backup that lies under a recovery account: its newest saved state, as far as the records or its name tell."""

    stream: str
    sequence: int
    generation: Generation | None


def found(ctxs: Iterable[bytes]) -> list[Found]:
    """Every backup under these names, the newest first, whoever made it. Raises StoreFailed."""
    newest: dict[str, Name] = {}
    for ctx in ctxs:
        for name in _named(ctx):
            if name.stream.hex() not in newest or newest[name.stream.hex()].sequence < name.sequence:
                newest[name.stream.hex()] = name
    rows = {
        (row.stream, row.sequence): row
        for row in Generation.objects.filter(stream__in=newest).defer("waiting").select_related("backup")
    }
    listed = [Found(stream, name.sequence, rows.get((stream, name.sequence))) for stream, name in newest.items()]
    return sorted(listed, key=_when, reverse=True)


def _when(one: Found) -> float:
    return one.generation.made_at.timestamp() if one.generation else 0.0


def _named(ctx: bytes, stream: str | None = None) -> Iterable[Name]:
    """The names under a recovery account that are ones; what else lies there is nobody's backup."""
    for one in _names(ctx, stream):
        try:
            yield Name.parse(one)
        except VaultError:
            logger.warning("An object in the store is no saved state, and is passed over.")


def _names(ctx: bytes, stream: str | None = None) -> Iterable[str]:
    return storage.backups().names(names.prefix(ctx, bytes.fromhex(stream) if stream else None))


def _remove(name: str) -> None:
    try:
        storage.backups().remove(name)
    except StoreFailed as error:
        logger.warning("A saved state was not deleted: %s", error.cause.value)
