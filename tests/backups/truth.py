"""What must be so of one list and its backup, whatever a schedule did to them.

The model holds every change that was acknowledged, and nothing else; of each second, what the list was then. So each
saved state that comes out of the store is known by the second in which it was made.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Vault
from accounts.services import vaults
from accounts.services.identity import Identity
from accounts.services.vaults import OpenVault
from accounts.vault import keys
from accounts.vault.entry import Entry
from accounts.vault.errors import WrongKey
from accounts.vault.list import AccountList, Protection
from accounts.vault.merging import Keep
from backups import envelope
from backups.contents import Contents
from backups.models import Backup, Cause, RecoveryAccount, Status
from backups.names import Name
from backups.portions import carried
from backups.services import objects, recovery
from tests.backups import watched_store
from tests.backups.support import person
from tests.backups.watched_store import WatchedStore, answering
from tests.factories import Visitor

CAPTURE = Callable[..., AbstractContextManager[Any]]
ON = (Status.PROTECTED, Status.SHRUNK, Status.UNCHECKED)  # "Protected", with a remark or without.
PEOPLE = ("alice@icloud.example", "other@icloud.example")


_BACKUP = f"SELECT * FROM {Backup._meta.db_table} WHERE vault_id = %s"  # noqa: S608 - a table's own name
_VAULT = f"SELECT * FROM {Vault._meta.db_table} WHERE id = %s"  # noqa: S608 - the same


def adapted(id: UUID) -> object:
    """An id as this database keeps it."""
    return Vault._meta.pk.get_db_prep_value(id, connection)


def expected(accounts: AccountList) -> tuple[Entry, ...]:
    """What a saved state of this list must hold."""
    return tuple(carried(entry) for entry in accounts.entries)


@dataclass(frozen=True)
class Promise:
    """The status said "protected": this list comes back for who holds the recovery account."""

    who: Identity
    stream: bytes
    sequence: int
    second: int  # In which the saved state was made.
    accounts: AccountList

    @property
    def place(self) -> tuple[bytes, int]:
        return self.stream, self.sequence


class Truth:
    """The list as its browser has it, its backup as the records have it, and the model beside both."""

    def __init__(self, visitor: Visitor, seed: int, capture: CAPTURE) -> None:
        self.chance, self.log = random.Random(seed), [f"seed {seed}"]
        self.capture = capture
        self.lists: dict[int, AccountList] = {}  # By the second, what the list was from then on.
        self._at, self._model = timezone.now(), AccountList()
        self._accounts: dict[UUID, RecoveryAccount] = {}  # Who is meant by one never changes.
        self._read: dict[str, Any] = {}  # What was asked since something was written last.
        self.written = False
        self.promise: Promise | None = None
        self.put_back = False  # What the records say of the newest saved state may be of another time.
        self.was_put_back = False  # And of older ones.
        self.store_behind = False  # The store lacks what the records know, and nobody has looked yet.
        self.store_was_behind = False
        watched_store.begin()
        self.goes_on_with(visitor)

    def goes_on_with(self, visitor: Visitor) -> None:
        """The browser whose list this is from now on. The key of a list is the same all its life."""
        first = visitor.vault
        self.visitor, self.list_id, self.key, self.device = visitor, first.row.pk, first.key, first.device
        self._read.clear()
        self.model = vaults.read(first)

    # -- Time, and what was acknowledged -------------------------------------------------------------------------------

    @property
    def at(self) -> datetime:
        return self._at

    @at.setter
    def at(self, at: datetime) -> None:
        self._at = at
        self.lists[vaults.seconds(at)] = self._model

    @property
    def model(self) -> AccountList:
        return self._model

    @model.setter
    def model(self, accounts: AccountList) -> None:
        self._model = accounts
        self.lists[vaults.seconds(self._at)] = accounts

    # -- What is there -------------------------------------------------------------------------------------------------

    def watched(self) -> AbstractContextManager[Any]:
        """Notice what writes: of what wrote nothing, all that was so before it is so, and was read already."""
        return connection.execute_wrapper(self._watch)

    def _watch(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(("SELECT", "SAVEPOINT", "RELEASE")):
            self.written = True
            self._read.clear()
        return execute(sql, params, many, context)

    def read(self, what: str, ask: Callable[[], Any]) -> Any:
        if what not in self._read:
            self._read[what] = ask()
        return self._read[what]

    @property
    def backup(self) -> Backup | None:
        found: Backup | None = self.read("backup", self._backup)
        return found

    def _backup(self) -> Backup | None:
        """By statements that nobody has to build each time: it is asked for thousands of times."""
        found = next(iter(Backup.objects.raw(_BACKUP, [adapted(self.list_id)])), None)
        if found is not None and found.recovery_account_id is not None:
            known = self._accounts.get(found.recovery_account_id)
            if known is None:
                known = self._accounts[found.recovery_account_id] = found.recovery_account
            found.recovery_account = known
        return found

    @property
    def vault(self) -> OpenVault:
        """The list as the database has it now."""
        found: OpenVault = self.read("vault", self._vault)
        return found

    def _vault(self) -> OpenVault:
        (row,) = Vault.objects.raw(_VAULT, [adapted(self.list_id)])
        return OpenVault(row, self.key, self.device, self.visitor.user)

    @property
    def accounts(self) -> AccountList:
        return vaults.read(self.vault)

    @property
    def holder(self) -> Identity | None:
        """Who holds the recovery account under which the list is backed up."""
        backup = self.backup
        return next((one for one in map(person, PEOPLE) if backup is not None and recovery.holds(one, backup)), None)

    def committed(self) -> AbstractContextManager[Any]:
        """What is to happen after the commit happens, as in a request."""
        return self.capture(execute=True)

    # -- What must be so -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """What the status says is true; what must be kept is there."""
        backup = self.backup
        if backup is None or not backup.stream or self.put_back or self.store_behind:
            self.promise = None
            return
        status = backup.status(self.at)
        assert (status is Status.DELETING) == (backup.deletes_at is not None), self.log
        if status in ON:
            self.look_closely(backup)
        elif status is Status.DELETING or (self.promise is not None and self.promise.stream.hex() != backup.stream):
            self.promise = None

    def look_closely(self, backup: Backup) -> None:
        """The status says "protected"."""
        accounts, one, *older = self.accounts, *backup.generations.newest_first().stored()
        if one.recovery_account_id == backup.recovery_account_id:
            one.recovery_account = backup.recovery_account
        assert accounts.entries == self.model.entries, self.log
        assert one.sequence == backup.high_water, self.log
        assert self.opened(objects.path(one), objects.place(one), accounts) == expected(accounts), self.log
        assert backup.count == one.count == len(accounts), self.log
        # Rows that were put back may name what was pruned since, and a store what it lacks.
        for pinned in (
            other for other in older if other.pinned and not self.was_put_back and not self.store_was_behind
        ):
            with answering() as store:
                store.fetch(objects.path(pinned))
        who = self.holder
        assert who is not None, self.log
        second = vaults.seconds(one.made_at)
        self.promise = Promise(who, bytes.fromhex(one.stream), one.sequence, second, accounts)

    def healed(self) -> None:
        """The store answers; whatever waited went out. The status says so, unless it needs the person."""
        backup = self.backup
        if backup is None or not backup.is_on or self.put_back or self.store_behind or WatchedStore.away:
            return
        lost = (Cause.TAKEN, Cause.MISSING, *((Cause.UNEQUAL,) if self.store_was_behind else ()))
        assert backup.status(self.at) in ON or backup.failure in lost, self.log

    def passed(self) -> None:
        """A change was backed up by a store that answers: records and store are of this time again."""
        backup = self.backup
        if backup is not None and backup.is_on and backup.status(self.at) in ON and backup.saved_at == self.at:
            self.put_back = self.store_behind = False
        self.healed()

    def newer_than_known(self) -> set[str]:
        """Objects of a time that the records know nothing of: there are none unless these were put back.

        Without the number of the server key: what passes under a newer one has another name.
        """
        if not self.put_back:
            return set()
        high = dict(Backup.objects.exclude(stream="").values_list("stream", "high_water"))
        parsed = [(name, Name.parse(name)) for name in self.names()]
        return {name.rpartition("-")[0] for name, one in parsed if one.sequence > high.get(one.stream.hex(), 0)}

    def names(self) -> list[str]:
        """What is in the store."""
        with answering() as store:
            return list(store.names())

    def nothing_was_overwritten(self) -> None:
        """Each object is what its name was given once, whatever happened since."""
        assert watched_store.copied().items() <= WatchedStore.given.items(), self.log

    def opened(self, path: str, place: envelope.Place, accounts: AccountList) -> tuple[Entry, ...]:
        """What a restore reads, by the server's keys and, where it is so protected, each key that the person holds."""
        with answering() as store:
            data = store.fetch(path)
        if accounts.backup_protection is Protection.SIGN_IN:
            return self._opened(data, place, None)
        with pytest.raises(WrongKey):
            self._opened(data, place, None)
        found = [self._opened(data, place, (key.kind, key.key)) for key in accounts.backup_keys]
        assert found == [found[0]] * len(found), self.log
        return found[0]

    def _opened(self, data: bytes, place: envelope.Place, key: tuple[str, keys.Secret] | None) -> tuple[Entry, ...]:
        text = envelope.read(data, place, objects.server_key, backup_key=key)
        return Contents.from_bytes(text, device_type="ios").entries

    # -- What a restore may do -----------------------------------------------------------------------------------------

    def known(self, contents: Contents) -> None:
        """It is what the list was, in the second in which this saved state was made."""
        assert contents.at in self.lists, self.log
        assert contents.entries == expected(self.lists[contents.at]), self.log

    def merged(
        self, before: AccountList, contents: Contents, after: AccountList, keeps: Mapping[str, Keep] | None = None
    ) -> None:
        """What was there is there, where it was, as it was; what was saved came after it; no counter fell."""
        keeps = keeps or {}
        replaced = [trashed.entry for trashed in after.trash[len(before.trash) :]]
        assert after.trash[: len(before.trash)] == before.trash, self.log
        assert len(replaced) <= list(keeps.values()).count(Keep.BACKUP), self.log
        there = [entry for entry in before.entries if entry not in replaced]
        stayed, came = after.entries[: len(there)], after.entries[len(there) :]
        assert list(map(uncounted, stayed)) == list(map(uncounted, there)), self.log
        assert all(now.counter >= then.counter for now, then in zip(stayed, there, strict=True)), self.log
        assert (after.backup_keys, after.backup_protection) == (before.backup_keys, before.backup_protection), self.log
        saved = [entry.secret for entry in contents.entries]
        assert is_within([entry.secret for entry in came], saved), self.log
        for entry in contents.entries:
            found = [one for one in after.entries if one.secret == entry.secret]
            assert found or keeps.get(entry.id) is Keep.LIST, self.log
            assert max((one.counter for one in found), default=entry.counter) >= entry.counter, self.log
        every = (*before.entries, *(trashed.entry for trashed in before.trash))
        for entry in came:
            assert entry.counter >= max((one.counter for one in every if one.secret == entry.secret), default=0)

    def undone(self, before: AccountList, restored: AccountList, after: AccountList) -> None:
        """All is as it was before the restore, and no counter fell."""
        assert list(map(uncounted, after.entries)) == list(map(uncounted, before.entries)), self.log
        assert [one.entry.id for one in after.trash] == [one.entry.id for one in before.trash], self.log
        counters = {entry.id: entry.counter for entry in restored.entries}
        for now, then in zip(after.entries, before.entries, strict=True):
            assert now.counter == max(then.counter, counters.get(now.id, 0)), self.log


def uncounted(entry: Entry) -> Entry:
    """An account without how far its counter is, and since when that is so."""
    return replace(entry, counter=0, as_of=None)


def is_within(some: Sequence[object], every: Sequence[object]) -> bool:
    """Whether these come in all of those, in this order."""
    rest = iter(every)
    return all(any(one == other for other in rest) for one in some)
