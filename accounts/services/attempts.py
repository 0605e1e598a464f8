"""Tries that are counted before they are judged: words typed, approvals asked for. Survives a restart."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts.models import Attempt
from accounts.services import keyring
from accounts.vault import keys
from accounts.vault.keys import Label

_KEPT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries of an act within a time, for each subject."""

    act: Attempt.Act
    most: int
    within: timedelta


WORDS_OF_LIST = Limit(Attempt.Act.WORDS, 10, timedelta(hours=24))
WORDS_OF_NETWORK = Limit(Attempt.Act.WORDS, 30, timedelta(hours=1))
APPROVALS_OF_LIST = Limit(Attempt.Act.APPROVAL, 5, timedelta(hours=1))


class TooManyTries(Exception):
    """The limit is reached: nothing was judged. `next_at` is when the next try is possible."""

    def __init__(self, next_at: datetime) -> None:
        super().__init__()
        self.next_at = next_at


@dataclass(frozen=True, slots=True)
class Tried:
    """One counted try; `forget` takes it back."""

    ids: tuple[int, ...]


def of_list(list_id: UUID) -> bytes:
    """The subject of a list's tries: a fingerprint, 32 bytes. With a newer pepper counting restarts."""
    return _fingerprint(b"list", list_id.bytes)


def of_identity(tag: bytes) -> bytes:
    """The subject of a proven outside account, by its fingerprint: a fingerprint of that, 32 bytes."""
    return _fingerprint(b"identity", tag)


def forget_list(list_id: UUID) -> None:
    """The list goes: so do its tries, under whichever pepper they were counted."""
    subjects = [keys.fingerprint(pepper, Label.SUBJECT, b"list", list_id.bytes) for pepper in keyring.peppers()]
    Attempt.objects.filter(subject__in=subjects).delete()


def network(address: str) -> bytes:
    """The subject of a network: an IPv4 address, or the /64 of an IPv6 one. A fingerprint, 32 bytes."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return _fingerprint(b"network", address.encode("utf-8", "replace")[:64])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return _fingerprint(b"network", found.ipv4_mapped.packed)
        return _fingerprint(b"network", found.packed[:8])
    return _fingerprint(b"network", found.packed)


def _fingerprint(kind: bytes, subject: bytes) -> bytes:
    _, pepper = keyring.pepper()
    return keys.fingerprint(pepper, Label.SUBJECT, kind, subject)


def count(limits: Iterable[tuple[Limit, bytes]], *, at: datetime) -> Tried:
    """Count a try of each subject, durably, before anything is computed. Raises TooManyTries, and counts nothing then.

    Each is written first and counted afterwards, so that of many tries at once none slips through.
    """
    made: list[int] = []
    refused: datetime | None = None
    for limit, subject in limits:
        with transaction.atomic(durable=True):
            made.append(Attempt.objects.create(subject=subject, act=limit.act, at=at).pk)
        others = _times(limit, subject, at=at, without=made)
        if len(others) >= limit.most:
            next_at = others[limit.most - 1] + limit.within
            refused = next_at if refused is None else max(refused, next_at)
    tried = Tried(tuple(made))
    if refused is not None:
        forget(tried)
        raise TooManyTries(refused)
    return tried


def forget(tried: Tried) -> None:
    """A try that counts no more: it was right, or was not judged."""
    Attempt.objects.filter(pk__in=tried.ids).delete()


def left(limit: Limit, subject: bytes, *, at: datetime) -> tuple[int, datetime]:
    """How many more tries there are, and when the oldest of those that count stops counting."""
    times = _times(limit, subject, at=at)
    return max(0, limit.most - len(times)), (times[-1] if times else at) + limit.within


def expire(at: datetime) -> int:
    """Delete what counts nowhere any more. Returns how many."""
    return Attempt.objects.filter(at__lte=at - _KEPT).delete()[0]


def _times(limit: Limit, subject: bytes, *, at: datetime, without: Iterable[int] = ()) -> list[datetime]:
    """When the tries were that count, the newest first."""
    counted = Attempt.objects.filter(subject=subject, act=limit.act, at__gt=at - limit.within).exclude(pk__in=without)
    return list(counted.order_by("-at").values_list("at", flat=True))
