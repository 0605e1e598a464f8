"""Which saved states stay, and for how long; what need not stay is deleted, from the store first, then its row."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from accounts.services.activity import Tag
from backups import storage
from backups.models import Backup, Generation, RecoveryAccount
from backups.services import objects
from backups.storage import StoreFailed

logger = logging.getLogger(__name__)


NEWEST_KEPT = 3
DAYS_KEPT = 7
_IN_FLIGHT = timedelta(minutes=5)  # What another took the place of may still be under way so long.


class NotAllDone(Exception):
    """Some of what was due failed; the log names it."""


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

    Of two that were made by counters going on alone, by numbers next to each other, the older goes: what has become its
    neighbour only since others went may be the last one of a day. Days are those of UTC.
    """
    stored = sorted(generations, key=lambda one: one.sequence, reverse=True)
    stay: dict[object, None] = {}
    by_number = {one.sequence: one for one in stored}
    left = [one for one in stored if not (one.counter_only and _is_step(by_number.get(one.sequence + 1)))]
    stay |= dict.fromkeys(one.pk for one in left[:NEWEST_KEPT])
    days: set[object] = set()
    for one in left:
        day = one.made_at.date()
        if day not in days and at.date() - day < timedelta(days=DAYS_KEPT):
            days.add(day)
            stay[one.pk] = None
    stay |= dict.fromkeys(one.pk for one in stored if one.pinned)
    return frozenset(stay)


def _is_step(next_one: Kept | None) -> bool:
    return next_one is not None and next_one.counter_only


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
    names = {
        (one.pk, one.kid): objects.path_of(bytes(one.recovery_account__name), one.stream, one.sequence, one.kid)
        for one in over
    }
    return _forget(objects.remove_all(names, at=at))


def delete(generations: Iterable[Generation], *, at: datetime) -> int:
    """Delete saved states from the store, then their rows. How many went; one under another key by now stays."""
    return _forget(objects.remove_all({(one.pk, one.kid): objects.path(one) for one in generations}, at=at))


def _forget(gone: Iterable[tuple[Any, int]]) -> int:
    """Delete the rows of what was removed under these server keys: what has passed under another lies there still."""
    return sum(Generation.objects.filter(pk=pk, kid=kid).delete()[0] for pk, kid in gone)


def clear(backup: Backup) -> None:
    """Delete the objects of a backup: of every stream that its rows name, known or not. Raises StoreFailed."""
    account = backup.recovery_account
    streams = set(backup.generations.values_list("recovery_account__name", "stream"))
    if account is not None and backup.stream:
        streams.add((account.name, backup.stream))
    for name, stream in streams:
        objects.clear(bytes(name), stream)


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


def expire_people(at: datetime) -> int:
    """Delete every saved state of those whose time is over; only then the database lets their rows go."""
    gone, failing = 0, 0
    theirs = Q(backups__isnull=False) | Q(recovery_accounts__generations__isnull=False)
    for user in User.objects.filter(theirs, deletes_at__lte=at).distinct():
        if objects.is_silent(at):
            failing += 1
            break
        # What was only found is left to whoever else holds its account: they may have nothing but that.
        others = RecoveryAccount.objects.filter(name=OuterRef("recovery_account__name")).exclude(user=user)
        theirs_alone = user.backups.exclude(stream="").exclude(Q(unopened=True) & Exists(others))
        streams = set(theirs_alone.values_list("recovery_account__name", "stream"))
        of_user = Generation.objects.filter(recovery_account__user=user)
        try:
            with objects.asking(at):
                for name, stream in streams | set(of_user.values_list("recovery_account__name", "stream")):
                    objects.clear(bytes(name), stream)
            gone += of_user.delete()[0]
            user.backups.all().delete()
        except StoreFailed as error:
            logger.error("Saved states of a person who leaves were not deleted: %s", error.cause.value)
            failing += 1
    if failing:
        raise NotAllDone
    return gone
