"""A newer server key S: every saved state passes under it, with nobody's secret and no list opened.

Only ever by creating: the new object is written beside the old one, read back, and then the old one goes. Killed
midway, `tidy` goes on with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO

from django.conf import settings

from accounts.models import KeyCheck
from accounts.services import keyring
from accounts.vault.errors import Damaged, Reason, VaultError
from accounts.vault.keys import Role
from backups import envelope, storage
from backups.envelope import StoreKey
from backups.models import Generation
from backups.names import Name
from backups.services import objects
from backups.storage import NameTaken, NotStored, StoreFailed, WriteOnce

logger = logging.getLogger(__name__)


_EVERYTHING = "v1/"
_LOCK = "rewrap.lock"
_A_LITTLE = timedelta(seconds=10)  # What else is due waits meanwhile.


class NotStarted(Exception):
    """No server has started with the newest S yet: those that run could not read what is written under it."""


class Running(Exception):
    """Another run is at work."""


@dataclass(slots=True)
class Rewrapped:
    """What a run did: how many passed under the newest key, how many stay under which, and how many failed."""

    kid: int
    passed: int = 0
    failed: int = 0
    is_whole: bool = True  # Every object was asked for, and the store answered each time.
    under: Counter[int] = field(default_factory=Counter)  # By the number of their key, as they are now.


def rewrap(*, takes: timedelta | None = None) -> Rewrapped:
    """Bring every object of the store under the newest S; for so long at most, where that is given.

    Raises NotStarted, Running, StoreFailed.
    """
    until = time.monotonic() + takes.total_seconds() if takes is not None else None
    kid, key = keyring.keyring().newest(Role.STORE)
    if not KeyCheck.objects.filter(role=Role.STORE, kid=kid).exists():
        raise NotStarted
    known = {
        number: StoreKey.of(one) for (role, number), one in keyring.keyring().by_name.items() if role is Role.STORE
    }
    store, done = storage.backups(), Rewrapped(kid)
    with _alone() as begun:
        for listed in list(store.names(_EVERYTHING)):
            name = _parsed(listed)
            if name is None:
                continue
            if until is not None and time.monotonic() > until:
                done.is_whole = False
                break
            if name.kid >= kid:
                done.under[name.kid] += 1
                continue
            try:
                passed = _pass(store, name, known, kid)
            except (StoreFailed, VaultError) as error:
                logger.error("A saved state stays under S %d: %s", name.kid, type(error).__name__)
                done.failed += 1
                done.under[name.kid] += 1
                done.is_whole = done.is_whole and not isinstance(error, StoreFailed)
            else:
                done.passed += passed
                done.under[kid] += passed
        if done.is_whole:
            begun.truncate(0)
    return done


def finish(at: datetime) -> int:
    """Go on with a run that was killed, or that the store broke off; a little at a time. Returns how many passed.

    Raises as `rewrap`, but for one that is at work.
    """
    lock = settings.DATA_DIR / _LOCK
    if not lock.exists() or not lock.stat().st_size or objects.is_silent(at):
        return 0
    try:
        with objects.asking(at):
            return rewrap(takes=_A_LITTLE).passed
    except Running:
        return 0


def _pass(store: WriteOnce, name: Name, known: dict[int, StoreKey], kid: int) -> bool:
    """One object under the newest key; False where it was deleted meanwhile."""
    try:
        data = store.fetch(name.path)
    except NotStored:
        return False
    new = Name(name.ctx, name.stream, name.sequence, kid)
    again = envelope.rewrap(data, name.place, known.get, kid=kid, key=known[kid])
    with suppress(NameTaken):  # A run before this one was killed after it.
        store.create(new.path, again)
    if store.fetch(new.path) != again:
        raise Damaged(Reason.DAMAGED_SEAL)
    rows = Generation.objects.filter(stream=name.stream.hex(), sequence=name.sequence, kid=name.kid)
    rows.update(kid=kid, sha256=hashlib.sha256(again).digest(), size=len(again))
    if not store.remove(name.path):
        store.remove(new.path)  # Deleted while it passed: it does not come back under another name.
        return False
    return True


def _parsed(path: str) -> Name | None:
    try:
        return Name.parse(path)
    except VaultError:
        return None


@contextmanager
def _alone() -> Iterator[BinaryIO]:
    """One run at a time. Its file has something in it from here on, until the run empties it at its end."""
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    with (settings.DATA_DIR / _LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Running from None
        file.truncate(0)
        file.write(b"begun\n")
        file.flush()
        yield file
