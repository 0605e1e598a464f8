"""What lies in the store, by its names: where a saved state belongs, what else is there, whose it is.

Names say nothing of themselves: whoever writes to the store gives any. Envelopes stay shut.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from django.core.exceptions import ImproperlyConfigured

from accounts.services import keyring
from accounts.vault.errors import Damaged, Reason, VaultError
from accounts.vault.keys import Role as KeyRole
from accounts.vault.keys import Secret
from backups import envelope, names, storage
from backups.envelope import Place
from backups.models import Generation, RecoveryAccount
from backups.names import Name
from backups.storage import Cause, NotStored, StoreFailed, WriteOnce

logger = logging.getLogger(__name__)


_ROUNDS = 5
_LOOKED_AT = 100  # Of so many objects that stand above what the records know, the newest whole one is looked for.

# One that does not answer takes seconds to show it, and no person is to wait for that a second time.
_WAITED = 1.0  # Seconds.
_SILENT_FOR = timedelta(seconds=20)
_silent_until: WeakKeyDictionary[WriteOnce, datetime] = WeakKeyDictionary()


@contextmanager
def asking(at: datetime) -> Iterator[WriteOnce]:
    """The store. Where it keeps one waiting and then fails that is noted, in this process; StoreFailed goes on."""
    store, began = storage.backups(), time.monotonic()
    try:
        yield store
    except StoreFailed as error:
        if error.cause is Cause.UNREACHABLE and time.monotonic() - began > _WAITED:
            _silent_until[store] = at + _SILENT_FOR
        raise


@contextmanager
def asking_for_somebody(at: datetime) -> Iterator[WriteOnce]:
    """The same for a person who waits. One that kept somebody waiting just now has failed already: StoreFailed."""
    if is_silent(at):
        raise StoreFailed(Cause.UNREACHABLE, "it did not answer a moment ago")
    with asking(at) as store:
        yield store


def is_silent(at: datetime) -> bool:
    """Whether the store kept somebody waiting for nothing just now: what can wait for `tidy` does."""
    until = _silent_until.get(storage.backups())
    return until is not None and at < until


def ask_again() -> None:
    """A person asks: it is waited for once more."""
    _silent_until.pop(storage.backups(), None)


def place(one: Generation) -> Place:
    """Where a saved state belongs: what its envelope is bound to."""
    return Place(bytes(one.recovery_account.name), bytes.fromhex(one.stream), one.sequence)


def path(one: Generation) -> str:
    """The name of a saved state in the store."""
    return path_of(bytes(one.recovery_account.name), one.stream, one.sequence, one.kid)


def path_of(ctx: bytes, stream: str, sequence: int, kid: int) -> str:
    """The same, of what its row holds."""
    return Name(ctx, bytes.fromhex(stream), sequence, kid).path


def named(ctx: bytes, stream: str | None = None) -> Iterable[Name]:
    """The names under a recovery account that are ones; what else lies there is nobody's backup."""
    for one in paths(ctx, stream):
        try:
            name = Name.parse(one)
            if name.ctx != ctx or (stream and name.stream.hex() != stream):
                raise Damaged(Reason.DAMAGED_DOCUMENT)  # A store that gives what it was not asked for.
            yield name
        except VaultError:
            logger.warning("An object in the store is no saved state, and is passed over.")


def paths(ctx: bytes, stream: str | None = None) -> Iterable[str]:
    """Everything that lies under a recovery account, or in one stream of it. Raises StoreFailed."""
    return storage.backups().names(names.prefix(ctx, bytes.fromhex(stream) if stream else None))


def newest_number(account: RecoveryAccount, stream: str) -> int:
    """The newest number that lies in a stream, whoever wrote it; 0 where nothing does. Raises StoreFailed."""
    return max([name.sequence for name in named(bytes(account.name), stream)], default=0)


def newest_whole(account: RecoveryAccount, stream: str, *, above: int) -> int:
    """The newest number above another under which a saved state lies that this server made; else that other.

    A name alone says nothing: whoever writes to the store gives any. Raises StoreFailed.
    """
    higher = [name for name in named(bytes(account.name), stream) if name.sequence > above]
    for name in sorted(higher, key=lambda name: name.sequence, reverse=True)[:_LOOKED_AT]:
        try:
            envelope.verify(storage.backups().fetch(name.path), name.place, server_key)
        except (NotStored, VaultError):
            continue
        return name.sequence
    return above


def fetched(name: Name) -> bytes:
    """The bytes under a name. Raises NotStored, StoreFailed."""
    return storage.backups().fetch(name.path)


def server_key(kid: int) -> Secret | None:
    """The key S of a number, where the server keys file has it."""
    try:
        return keyring.keyring().get(KeyRole.STORE, kid)
    except ImproperlyConfigured:
        return None


def clear(ctx: bytes, stream: str) -> None:
    """Remove whatever lies in a stream, known to the records or not, until nothing is left there. Raises StoreFailed.

    Once is not enough: what passes under another server key meanwhile has another name afterwards. ValueError without
    a stream, which would mean all of them.
    """
    if not stream:
        raise ValueError
    for _round in range(_ROUNDS):
        left = list(paths(ctx, stream))
        if not left:
            return
        for path in left:
            storage.backups().remove(path)
    raise StoreFailed(Cause.UNKNOWN, "it keeps what was removed")


def remove_all(names: Mapping[Any, str], *, at: datetime) -> list[Any]:
    """Remove these objects, by what they are called in the records. Returns those that are gone.

    The first one that fails ends it: a store that does not answer is not waited for by each.
    """
    gone: list[Any] = []
    for key, name in names.items():
        if is_silent(at):
            break
        try:
            with asking(at) as store:
                store.remove(name)
        except StoreFailed as error:
            logger.warning("A saved state was not deleted: %s", error.cause.value)
            break
        gone.append(key)
    return gone


def removed(name: str) -> bool:
    """Whether an object is there no more; False where the store fails, which is asked again later."""
    try:
        storage.backups().remove(name)
    except StoreFailed as error:
        logger.warning("A saved state was not deleted: %s", error.cause.value)
        return False
    return True


@dataclass(frozen=True, slots=True)
class Found:
    """A backup that lies under a recovery account: its newest saved state, as far as the records or its name tell."""

    stream: str
    sequence: int
    generation: Generation | None


def found(ctxs: Iterable[bytes]) -> list[Found]:
    """Every backup under these names, the newest first, whoever made it. Raises StoreFailed.

    A row tells of an object that lies under its own recovery account, and of no other: the same stream and number
    under another name is another saved state.
    """
    newest: dict[str, Name] = {}
    for ctx in ctxs:
        for name in named(ctx):
            if name.stream.hex() not in newest or newest[name.stream.hex()].sequence < name.sequence:
                newest[name.stream.hex()] = name
    known = Generation.objects.filter(stream__in=newest).defer("waiting").select_related("backup", "recovery_account")
    rows = {(bytes(row.recovery_account.name), row.stream, row.sequence): row for row in known}
    listed = [
        Found(stream, name.sequence, rows.get((name.ctx, stream, name.sequence))) for stream, name in newest.items()
    ]
    return sorted(listed, key=_when, reverse=True)


def _when(one: Found) -> float:
    return one.generation.made_at.timestamp() if one.generation else 0.0
