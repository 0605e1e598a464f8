"""One list and its backup under random schedules: faults, kills, old copies of the database, other keys.

After each step what must be so: a status that says "protected" is true in the store, byte by byte; nothing there was
ever overwritten; nothing went that no row knew. In the end the store alone gives the newest list back.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import KeySlot, SlotKind, Vault
from accounts.services import codes, held_keys, keyring, vaults
from accounts.services.activity import Tag
from accounts.services.vaults import OpenVault
from accounts.vault import keys
from accounts.vault.entry import Entry, Type
from accounts.vault.errors import WrongKey
from accounts.vault.list import AccountList, Protection
from backups import envelope, storage
from backups.contents import Contents
from backups.models import Backup, Cause, Generation, Status
from backups.names import Name
from backups.portions import carried
from backups.services import ending, keeping, making, objects, retaining, rotation, switching
from backups.services.finding import TimeOver
from backups.services.switching import NotKept
from backups.storage import DirectoryStore, NotStored, StoreFailed
from tests import factories
from tests.accounts.test_interleavings import Copy
from tests.backups.support import person
from tests.factories import Visitor, an_entry

CAPTURE = Callable[..., AbstractContextManager[Any]]
ON = (Status.PROTECTED, Status.SHRUNK, Status.UNCHECKED)  # "Protected", with a remark or without.


class Killed(BaseException):
    """The process ends here."""


class WatchedStore(DirectoryStore):
    """A directory that is away when it is told to, ends its process at a call, and knows what each name was given."""

    away: ClassVar[bool] = False
    killed_at: ClassVar[str] = ""
    given: ClassVar[dict[str, bytes]] = {}

    def _act(self, act: str) -> None:
        if WatchedStore.killed_at == act:
            WatchedStore.killed_at = ""
            raise Killed
        if WatchedStore.away:
            raise StoreFailed(storage.Cause.UNREACHABLE)

    def create(self, name: str, data: bytes) -> None:
        """Noted once it is kept."""
        self._act("create")
        super().create(name, data)
        WatchedStore.given[name] = hashlib.sha256(data).digest()

    def fetch(self, name: str) -> bytes:
        """As it is."""
        self._act("fetch")
        return super().fetch(name)

    def remove(self, name: str) -> bool:
        """As it is."""
        self._act("remove")
        return super().remove(name)

    def names(self, prefix: str = "") -> Iterator[str]:
        """As they are."""
        self._act("names")
        return super().names(prefix)


@contextmanager
def answering() -> Iterator[storage.WriteOnce]:
    """The store for a look at what is so, whatever it does to others."""
    away, WatchedStore.away = WatchedStore.away, False
    killed_at, WatchedStore.killed_at = WatchedStore.killed_at, ""
    yield storage.backups()
    WatchedStore.away, WatchedStore.killed_at = away, killed_at


class Schedule:
    """Steps by chance."""

    def __init__(self, visitor: Visitor, seed: int, capture: CAPTURE, rotate: Callable[[], None]) -> None:
        self.visitor, self.capture, self.rotate_key = visitor, capture, rotate
        self.chance, self.at, self.log = random.Random(seed), timezone.now(), [f"seed {seed}"]
        first = visitor.vault
        self.list_id, self.key, self.device = first.row.pk, first.key, first.device
        self.who = person()
        self.copies: list[tuple[Copy, AccountList]] = []
        self.model = vaults.read(first)  # Every change that was acknowledged, and nothing else.
        self.written = False
        self.put_back = False  # What the records say of the newest saved state may be of another time.
        self.was_put_back = False  # And of older ones.
        WatchedStore.away, WatchedStore.killed_at = False, ""
        with answering() as store:
            for name in list(store.names()):
                store.remove(name)
        WatchedStore.given.clear()
        with self.committed():
            switching.turn_on(self.vault, self.who, Protection.SIGN_IN, at=self.at)

    def run(self, steps: int) -> None:
        """So many steps; after each, what must be so."""
        acts: list[tuple[Callable[[], None], int]] = [
            (self.change, 14),
            (self.take_a_code, 5),
            (self.empty, 1),
            (self.fail, 3),
            (self.answer, 4),
            (self.kill, 4),
            (self.off, 2),
            (self.undo, 3),
            (self.turn_on, 4),
            (self.change_account, 2),
            (self.change_keys, 3),
            (self.protect, 3),
            (self.rotate, 1),
            (self.tidy, 6),
            (self.days_pass, 2),
            (self.copy, 2),
            (self.restore, 1),
            (self.check, 2),
            (self.back_up, 3),
            (self.accept, 1),
            (self.delete_now, 1),
        ]
        for _ in range(steps):
            self.at += timedelta(seconds=self.chance.randrange(1, 240))
            (act,) = self.chance.choices([act for act, _ in acts], [weight for _, weight in acts])
            self.log.append(act.__name__)
            self.written = False
            unknown = self.newer_than_known()
            with connection.execute_wrapper(self.watch):
                act()
            if unknown and act != self.delete_now:
                with answering() as store:
                    # Without the number of the server key: what passes under a newer one has another name.
                    there = {name.rpartition("-")[0] for name in store.names()}
                assert {name.rpartition("-")[0] for name in unknown} <= there, self.log
            if self.written:
                self.look()
        self.end()

    def watch(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Notice that a step writes; of one that wrote nothing, all that was so before it is so."""
        self.written = self.written or not sql.startswith(("SELECT", "SAVEPOINT", "RELEASE"))
        return execute(sql, params, many, context)

    # -- What is so ----------------------------------------------------------------------------------------------------

    @property
    def backup(self) -> Backup | None:
        return next(iter(Backup.objects.select_related("recovery_account").filter(vault=self.list_id)), None)

    @property
    def vault(self) -> OpenVault:
        """The list as the database has it now. Its key is the same all its life."""
        return OpenVault(Vault.objects.get(pk=self.list_id), self.key, self.device, self.visitor.user)

    @property
    def accounts(self) -> AccountList:
        return vaults.read(self.vault)

    def newer_than_known(self) -> set[str]:
        """Objects of a time that the records know nothing of: there are none unless these were put back."""
        if not self.put_back:
            return set()
        with answering() as store:
            there = list(store.names())
        high = dict(Backup.objects.exclude(stream="").values_list("stream", "high_water"))
        parsed = [(name, Name.parse(name)) for name in there]
        return {name for name, one in parsed if one.sequence > high.get(one.stream.hex(), 0)}

    def look(self) -> None:
        """What the status says is true; what must be kept is there."""
        backup = self.backup
        if backup is None or not backup.stream or self.put_back:
            return
        status = backup.status(self.at)
        assert (status is Status.DELETING) == (backup.deletes_at is not None), self.log
        if status in ON:
            accounts, one, *older = self.accounts, *backup.generations.newest_first().stored()
            if one.recovery_account_id == backup.recovery_account_id:
                one.recovery_account = backup.recovery_account
            assert accounts.entries == self.model.entries, self.log
            assert one.sequence == backup.high_water, self.log
            assert self.opened(objects.path(one), objects.place(one), accounts) == expected(accounts), self.log
            assert backup.count == one.count == len(accounts), self.log
            # Rows that were put back may name what was pruned since.
            for pinned in (other for other in older if other.pinned and not self.was_put_back):
                with answering() as store:
                    store.fetch(objects.path(pinned))

    def nothing_was_overwritten(self) -> None:
        """Each object is what its name was given once, whatever happened since."""
        with answering() as store:
            for name in store.names():
                assert hashlib.sha256(store.fetch(name)).digest() == WatchedStore.given[name], self.log

    def opened(self, path: str, place: envelope.Place, accounts: AccountList) -> tuple[Entry, ...]:
        """What a restore reads, by the server's keys and, where it is so protected, each key that the person holds."""
        with answering() as store:
            data = store.fetch(path)
        if accounts.backup_protection is Protection.SIGN_IN:
            return self._read(data, place, None)
        with pytest.raises(WrongKey):
            self._read(data, place, None)
        found = [self._read(data, place, (key.kind, key.key)) for key in accounts.backup_keys]
        assert found == [found[0]] * len(found), self.log
        return found[0]

    def _read(self, data: bytes, place: envelope.Place, key: tuple[str, keys.Secret] | None) -> tuple[Entry, ...]:
        text = envelope.read(data, place, objects.server_key, backup_key=key)
        return Contents.from_bytes(text, device_type="ios").entries

    def committed(self) -> AbstractContextManager[Any]:
        """What is to happen after the commit happens, as in a request."""
        return self.capture(execute=True)

    def healed(self, backup: Backup | None) -> None:
        """The store answers; whatever waited went out. The status says so, unless it needs the person."""
        if backup is None or not backup.is_on or self.put_back or WatchedStore.away:
            return
        assert backup.status(self.at) in ON or backup.failure in (Cause.TAKEN, Cause.MISSING), self.log

    def end(self) -> None:
        """The store answers again, two changes are made at most: what lies in the store gives the newest list back."""
        assert self.accounts.entries == self.model.entries, self.log
        self.nothing_was_overwritten()
        self.answer()
        backup = self.backup
        if backup is None or not backup.stream:
            return
        if backup.deletes_at is not None:
            self.undo()
        for _ in range(2):
            self.add()
            self.look()
        backup = self.backup
        if backup is None or not backup.is_on:
            return  # The time of Undo was over.
        assert backup.status(self.at) in ON, self.log
        account = backup.recovery_account
        assert account is not None
        with answering() as store:
            names = [Name.parse(name) for name in store.names()]
        stream = [name for name in names if name.stream.hex() == backup.stream]
        newest = max(stream, key=lambda name: (name.sequence, name.kid))
        accounts = self.accounts
        assert self.opened(newest.path, newest.place, accounts) == expected(accounts), self.log
        proven = backup.generations.stored()
        assert set(proven.values_list("pk", flat=True)) == retaining.kept(proven, at=self.at), self.log
        self.log.append("the store gave the list back")

    # -- Changes of the list -------------------------------------------------------------------------------------------

    def changed(self, operation: vaults.Operation, tag: Tag = Tag.ENTRY_ADDED) -> None:
        with self.committed():
            vaults.change(self.vault, operation, tag=tag, at=self.at)
        self.model = operation(self.model)
        self.passed()

    def passed(self) -> None:
        """A change was backed up by a store that answers: what the records say is of this time again."""
        backup = self.backup
        if backup is not None and backup.is_on and not WatchedStore.away and backup.status(self.at) in ON:
            self.put_back = False
        self.healed(backup)

    def add(self) -> None:
        counter = self.chance.random() < 0.3
        entry = an_entry(name=uuid4().hex, type=Type.HOTP if counter else Type.TOTP)
        self.changed(lambda accounts: accounts.add(entry))

    def change(self) -> None:
        entries = self.accounts.entries
        if len(entries) < 3 or self.chance.random() < 0.5:
            self.add()
        elif self.chance.random() < 0.5:
            entry_id, name = self.chance.choice(entries).id, uuid4().hex
            self.changed(lambda accounts: accounts.rename(entry_id, issuer="", name=name), Tag.ENTRY_RENAMED)
        else:
            entry_id = self.chance.choice(entries).id
            self.changed(lambda accounts: accounts.trash_entry(entry_id, vaults.seconds(self.at)), Tag.ENTRY_TRASHED)

    def take_a_code(self) -> None:
        there = [entry.id for entry in self.accounts.entries if entry.type is Type.HOTP]
        if there:
            entry_id = self.chance.choice(there)
            with self.committed():
                codes.next_code(self.vault, entry_id, at=self.at)
            self.model = self.model.next_counter(entry_id)
            self.passed()

    def empty(self) -> None:
        """All at once: the fullest saved state is pinned, beside one from before a smaller list was confirmed."""
        self.changed(lambda accounts: AccountList(**_keys_of(accounts)), Tag.ENTRY_DELETED)
        backup = self.backup
        if backup is not None and backup.shrunk_from and not self.put_back:
            assert backup.generations.filter(pinned=True, sequence__gt=backup.accepted).count() == 1, self.log
            self.log.append("a list shrank")

    # -- Faults --------------------------------------------------------------------------------------------------------

    def fail(self) -> None:
        WatchedStore.away = True

    def answer(self) -> None:
        """The store answers again, and a minute later all is saved, by `tidy` alone."""
        WatchedStore.away = False
        self.at += timedelta(seconds=60)
        self.tidy()
        self.healed(self.backup)

    def kill(self) -> None:
        """A process ends at some moment between the commit of a change and the end of what follows."""
        WatchedStore.killed_at = self.chance.choice(["commit", "create", "fetch", "remove", "names"])
        at_commit, entry = WatchedStore.killed_at == "commit", an_entry(name=uuid4().hex)
        with suppress(Killed), self.capture(execute=not at_commit):
            vaults.change(self.vault, lambda accounts: accounts.add(entry), tag=Tag.ENTRY_ADDED, at=self.at)
        self.model = self.model.add(entry)
        WatchedStore.killed_at = ""
        self.log.append("killed")

    def tidy(self) -> None:
        with self.committed():
            for due in (keeping.retry, ending.expire, keeping.read_again, retaining.tidy, keeping.tell_who_is_behind):
                with suppress(retaining.NotAllDone):
                    due(self.at)

    def days_pass(self) -> None:
        self.at += timedelta(hours=self.chance.randrange(5, 100))
        self.tidy()

    def check(self) -> None:
        """Read again: what is not there is said, and the status is true from then on."""
        backup = self.backup
        if backup is not None and backup.is_on:
            with suppress(StoreFailed), self.committed():
                keeping.check(backup, at=self.at)

    def back_up(self) -> None:
        backup = self.backup
        if backup is not None and backup.is_on:
            with self.committed():
                switching.back_up(self.vault, at=self.at)
            self.passed()

    # -- Switched ------------------------------------------------------------------------------------------------------

    def off(self) -> None:
        backup = self.backup
        if backup is not None and backup.is_on:
            with self.committed():
                ending.off(backup, device=None, at=self.at)

    def undo(self) -> None:
        backup = self.backup
        if backup is not None and backup.deletes_at is not None:
            with suppress(TimeOver), self.committed():
                ending.undo(backup, device=None, at=self.at, vault=self.vault)
                self.log.append("off was undone")
            self.passed()

    def delete_now(self) -> None:
        backup = self.backup
        if backup is not None and backup.deletes_at is not None:
            with suppress(StoreFailed), self.committed():
                ending.delete_now(backup, device=None, at=self.at)
                self.log.append("deleted at once")

    def turn_on(self) -> None:
        backup = self.backup
        if backup is None or not backup.is_on:
            with suppress(NotKept, TimeOver, StoreFailed), self.committed():
                switching.turn_on(self.vault, self.who, self.protection(), at=self.at)
            self.passed()

    def change_account(self) -> None:
        backup = self.backup
        if backup is not None and backup.is_on:
            other = person(self.chance.choice(["alice@icloud.example", "other@icloud.example"]))
            with suppress(NotKept, StoreFailed), self.committed():
                switching.change_account(self.vault, other, self.protection(), at=self.at)
                self.who = other
                self.log.append("moved")

    def protection(self) -> Protection:
        return self.chance.choice(list(Protection)) if self.accounts.backup_keys else Protection.SIGN_IN

    def protect(self) -> None:
        backup = self.backup
        if backup is not None and backup.is_on:
            with self.committed():
                switching.protect(self.vault, self.protection(), at=self.at)

    def accept(self) -> None:
        backup = self.backup
        if backup is not None and backup.is_on:
            ending.accept(backup, device=None, at=self.at)

    # -- Keys ----------------------------------------------------------------------------------------------------------

    def change_keys(self) -> None:
        """A passkey more; or one less, while another is left."""
        slots = list(KeySlot.objects.filter(vault=self.list_id, kind=SlotKind.PASSKEY))
        with self.committed():
            if len(slots) > 1 and self.chance.random() < 0.6:
                held_keys.remove(self.vault, self.chance.choice(slots).pk, at=self.at)
                self.log.append("a key was removed")
            elif len(slots) < 5:
                factories.create_key(on=self.visitor, kind=SlotKind.PASSKEY, at=self.at)

    def rotate(self) -> None:
        """A newer S; then what is stored passes under it."""
        self.rotate_key()
        with suppress(StoreFailed):
            done = rotation.rewrap()
            assert done.failed == 0 or WatchedStore.away, self.log
            self.log.append("passed under another key")

    # -- An old copy of the database -----------------------------------------------------------------------------------

    def copy(self) -> None:
        self.copies.append((Copy("accounts", "backups"), self.model))

    def restore(self) -> None:
        """All records are as they were then; the store is as it is now."""
        if self.copies:
            copy, self.model = self.chance.choice(self.copies)
            copy.put_back()
            keyring.check()  # As at the start that follows.
            self.put_back = self.was_put_back = True
            self.log.append("an old copy was put back")


class Losing(Schedule):
    """One acknowledged change is lost while all looks well: by the store, in what is saved, or in the list itself."""

    lie = ""
    told = False

    def changed(self, operation: vaults.Operation, tag: Tag = Tag.ENTRY_ADDED) -> None:
        """The first time that it would be noticed at once: as no service may."""
        backup = self.backup
        well = backup is not None and backup.is_on and backup.status(self.at) in ON and not WatchedStore.away
        if self.told or self.put_back or not well or not operation(self.model).entries:
            super().changed(operation, tag)
            return
        self.told = True
        if self.lie == "list":
            self.model = operation(self.model)
            return
        with pytest.MonkeyPatch.context() as patched:
            if self.lie == "saved state":
                make = making.make
                patched.setattr(
                    making,
                    "make",
                    lambda backup, accounts, **given: make(
                        backup, replace(accounts, entries=accounts.entries[1:]), **given
                    ),
                )
            super().changed(operation, tag)
        if self.lie == "store":
            with answering() as store:
                store.remove(objects.path(Generation.objects.stored().latest("sequence")))


def expected(accounts: AccountList) -> tuple[Entry, ...]:
    """What a saved state of this list must hold."""
    return tuple(carried(entry) for entry in accounts.entries)


def _keys_of(accounts: AccountList) -> dict[str, Any]:
    return {"backup_keys": accounts.backup_keys, "backup_protection": accounts.backup_protection}


@pytest.fixture
def watched(settings: Any) -> Iterator[None]:
    """The store of the schedules, in memory where the system has such a place: they do not pull the plug."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own in it
    place = Path(tempfile.mkdtemp(prefix="authweb-", dir=memory if memory.is_dir() else None))
    options = {"location": place / "store", "make": True}
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {"BACKEND": "tests.backups.test_interleavings.WatchedStore", "OPTIONS": options},
    }
    yield
    shutil.rmtree(place)


@pytest.mark.row("T20")
@pytest.mark.row("T46")
@pytest.mark.usefixtures("watched")
@pytest.mark.timeout(600)
def test_random_schedules_lose_no_list_and_overwrite_nothing(
    alice_phone: Visitor,
    rotate: Callable[[], None],
    django_capture_on_commit_callbacks: CAPTURE,
    amount: Callable[..., int],
    *,
    long: bool,
) -> None:
    schedules, steps = amount(short=100, postgres=60, long=2_000), 50 if long else 30
    keyring.check()
    begun = Copy("accounts", "backups")

    acts: set[str] = set()
    for number in range(schedules):
        begun.put_back()
        keyring.check()
        schedule = Schedule(alice_phone, number, django_capture_on_commit_callbacks, rotate)
        schedule.run(steps)
        acts |= set(schedule.log)

    assert {
        "a key was removed",
        "a list shrank",
        "an old copy was put back",
        "deleted at once",
        "killed",
        "moved",
        "off was undone",
        "passed under another key",
        "the store gave the list back",
    } <= acts


@pytest.mark.row("T20")
@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("lie", ["store", "saved state", "list"])
def test_one_lost_change_is_noticed(
    lie: str, alice_phone: Visitor, rotate: Callable[[], None], django_capture_on_commit_callbacks: CAPTURE
) -> None:
    """The control: whoever loses one acknowledged change is found out."""
    begun, told, unnoticed = Copy("accounts", "backups"), 0, []

    for number in range(5):
        begun.put_back()
        keyring.check()
        schedule = Losing(alice_phone, number, django_capture_on_commit_callbacks, rotate)
        schedule.lie = lie
        with suppress(AssertionError, NotStored):
            schedule.run(15)
            unnoticed += [number] * schedule.told
        told += schedule.told

    assert (told > 2, unnoticed) == (True, [])
