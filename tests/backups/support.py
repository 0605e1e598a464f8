"""What tests of backups share: a proven person, a backup that is on, a store that fails when it is told to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone

from accounts.roles import Role
from accounts.services import keyring
from accounts.services.identity import Identity
from accounts.vault.keys import Role as KeyRole
from accounts.vault.list import BackupKey, Protection
from backups import envelope, storage
from backups.contents import Contents
from backups.models import Backup, Generation, RecoveryAccount
from backups.names import Name
from backups.services import making, objects, switching
from backups.storage import Cause, DirectoryStore, StoreFailed
from tests.factories import Visitor

APPLE = "https://appleid.apple.com"


def person(name: str = "alice@icloud.example", *, role: Role = Role.APPLE, at: datetime | None = None) -> Identity:
    """Who has just proven an outside account."""
    return Identity(role, APPLE, f"id of {name}", name, at or timezone.now())


def turn_on(visitor: Visitor, *, protection: Protection = Protection.SIGN_IN, at: datetime | None = None) -> Backup:
    """The list of this browser is backed up under alice's account."""
    return switching.turn_on(visitor.vault, person(), protection, at=at or timezone.now())


def newest(backup: Backup) -> Generation:
    """The newest proven saved state."""
    found = backup.generations.stored().newest_first().first()
    assert found is not None
    return found


def contents(one: Generation, key: BackupKey | None = None) -> Contents:
    """What a restore would read of a saved state, out of the store, by a key a person holds where it needs one."""
    data = storage.backups().fetch(objects.path(one))
    opener = (key.kind, key.key) if key is not None else None
    text = envelope.read(data, objects.place(one), objects.server_key, backup_key=opener)
    return Contents.from_bytes(text, device_type=one.recovery_account.device_type)


def put_there(backup: Backup, sequence: int) -> str:
    """A saved state of this server under another number of the stream, as it lies there once records are put back."""
    one = newest(backup)
    place = replace(objects.place(one), sequence=sequence)
    kid, key = keyring.keyring().newest(KeyRole.STORE)
    text = Contents(one.recovery_account.device_type, "Pixel 8", "0.1", 1_800_000_000, ())
    name = replace(Name.parse(objects.path(one)), sequence=sequence, kid=kid).path
    storage.backups().create(name, making.prove(text, place, kid=kid, key=key))
    return name


def plant(like: str, *, streams: int = 1, numbers: int = 1) -> None:
    """What anybody who writes to the store can: rubbish beside a saved state, under names that would be newer ones."""
    name = Name.parse(like)
    for stream in range(streams):
        for number in range(numbers):
            rubbish = replace(name, stream=bytes([stream]) * 8, sequence=1000 + number)
            storage.backups().create(rubbish.path, b"rubbish")


def stored() -> list[str]:
    """The names of everything in the store."""
    return list(storage.backups().names())


def streams() -> set[str]:
    """What lies in the store, by stream."""
    return {name.split("/")[3] for name in stored()}


def spoil(one: Generation, data: bytes) -> None:
    """Other bytes lie in the place of a saved state."""
    storage.backups().remove(objects.path(one))
    storage.backups().create(objects.path(one), data)


def without_records() -> None:
    """The records of backups are gone; what lies in the store is left."""
    for model in (Generation, Backup, RecoveryAccount):
        model.objects.all().delete()


class FaultyStore(DirectoryStore):
    """A directory that does what it is told instead, call by call: a Cause fails, bytes are read back in place of its
    own; "short" keeps half of what is written; None does as it should.
    """

    faults: ClassVar[dict[str, deque[Any]]] = {}
    on_call: ClassVar[Callable[[], object] | None] = None

    @classmethod
    def next(cls, act: str, *faults: Any) -> None:
        """What the next calls of `create`, `fetch`, `remove`, `names` do."""
        cls.faults.setdefault(act, deque()).extend(faults)

    def _fault(self, act: str) -> Any:
        if type(self).on_call is not None:
            type(self).on_call()
        return self._told(act)

    def _told(self, act: str) -> Any:
        queue = self.faults.get(act)
        fault = queue.popleft() if queue else None
        if isinstance(fault, Cause):
            raise StoreFailed(fault)
        return fault

    def create(self, name: str, data: bytes) -> None:
        """Fails, or keeps half."""
        super().create(name, data[: len(data) // 2] if self._fault("create") == "short" else data)

    def fetch(self, name: str) -> bytes:
        """Fails, or gives other bytes."""
        fault = self._fault("fetch")
        return super().fetch(name) if fault is None else bytes(fault)

    def names(self, prefix: str = "") -> Iterator[str]:
        """Fails; looking is no call that `on_call` hears."""
        self._told("names")
        return super().names(prefix)

    def remove(self, name: str) -> bool:
        """Fails."""
        self._fault("remove")
        return super().remove(name)
