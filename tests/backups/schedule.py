"""One list and its backup under random schedules: faults, kills, restores, old copies of records and store, other keys.

After each step what must be so: a status that says "protected" is true in the store, byte by byte; nothing there was
ever overwritten; nothing went that no row knew. In the end the store alone gives the newest list back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

from accounts.services import codes, held_keys, keyring, passkeys, vaults, words
from accounts.services.activity import Tag
from accounts.vault import keys
from accounts.vault.entry import Entry, Type
from accounts.vault.keys import Secret
from accounts.vault.list import AccountList, Protection
from backups.models import Generation
from backups.names import Name
from backups.services import ending, fates, keeping, retaining, rotation, searching, switching
from backups.services.finding import TimeOver
from backups.services.opening import Opener
from backups.services.switching import NotKept
from backups.storage import StoreFailed
from tests.accounts.test_interleavings import CHEAPEST, Copy
from tests.backups import watched_store
from tests.backups.restores import IOS, Restores, place_of
from tests.backups.support import person
from tests.backups.truth import CAPTURE, ON, PEOPLE, Promise, expected
from tests.backups.watched_store import Killed, WatchedStore
from tests.factories import Visitor, an_entry


class Schedule(Restores):
    """Steps by chance."""

    def __init__(self, visitor: Visitor, seed: int, capture: CAPTURE, rotate: Callable[[], None]) -> None:
        super().__init__(visitor, seed, capture)
        self.rotate_key = rotate
        self.who = person(PEOPLE[0])
        self.copies: list[tuple[Copy, Visitor, AccountList]] = []
        self.copies_of_store: list[dict[str, bytes]] = []
        with self.watched(), self.committed():
            switching.turn_on(self.vault, self.who, Protection.SIGN_IN, at=self.at)

    def run(self, steps: int, first: Iterable[Callable[[], None]] = ()) -> None:
        """So many steps, after these; after each, what must be so."""
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
            (self.roll_back, 1),
            (self.roll_back_store, 1),
            (self.restore, 4),
            (self.lose_phone, 1),
            (self.check, 2),
            (self.back_up, 3),
            (self.accept, 1),
            (self.delete_now, 1),
        ]
        with self.watched():
            for act in first:
                self.step(act)
            for _ in range(steps):
                (act,) = self.chance.choices([act for act, _ in acts], [weight for _, weight in acts])
                self.step(act)
            self.end()

    def step(self, act: Callable[[], None]) -> None:
        """A moment later, one act."""
        self.at += timedelta(seconds=self.chance.randrange(1, 240))
        self.log.append(act.__name__)
        self.written = False
        unknown = self.newer_than_known()
        act()
        if unknown and act not in (self.delete_now, self.roll_back_store):
            assert unknown <= {name.rpartition("-")[0] for name in self.names()}, self.log
        if self.written:
            self.look()

    def end(self) -> None:
        """The store answers again, two changes are made at most: what lies in the store gives the newest list back."""
        assert self.accounts.entries == self.model.entries, self.log
        self.nothing_was_overwritten()
        self.answer()
        self.undo()
        self.turn_on()
        for _ in range(2):
            self.at += timedelta(seconds=1)
            self.add()
            self.look()
        backup = self.backup
        assert backup is not None, self.log
        assert backup.status(self.at) in ON, self.log
        stream = [name for name in map(Name.parse, self.names()) if name.stream.hex() == backup.stream]
        newest = max(stream, key=lambda name: (name.sequence, name.kid))
        accounts = self.accounts
        assert self.opened(newest.path, newest.place, accounts) == expected(accounts), self.log
        proven = backup.generations.stored()
        assert set(proven.values_list("pk", flat=True)) == retaining.kept(proven, at=self.at), self.log
        self.lose_all_records()

    # -- Changes of the list -------------------------------------------------------------------------------------------

    def changed(self, operation: vaults.Operation, tag: Tag = Tag.ENTRY_ADDED) -> None:
        with self.committed():
            vaults.change(self.vault, operation, tag=tag, at=self.at)
        self.model = operation(self.model)
        self.passed()

    def new_entry(self) -> Entry:
        """An account with a key of its own; sometimes of a name that another one had."""
        names = [uuid4().hex, *(trashed.entry.name for trashed in self.accounts.trash)]
        name = names[-1] if self.chance.random() < 0.3 else names[0]
        counter = self.chance.random() < 0.3
        return an_entry(name=name, secret=Secret(keys.random_bytes(20)), type=Type.HOTP if counter else Type.TOTP)

    def add(self) -> None:
        entry = self.new_entry()
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
        if backup is not None and backup.shrunk_from and not self.put_back and not self.store_was_behind:
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
        self.healed()

    @contextmanager
    def dying(self) -> Iterator[None]:
        """A process ends at some moment between the commit of a change and the end of what follows."""
        WatchedStore.killed_at = self.chance.choice(["commit", "create", "fetch", "remove", "names"])
        try:
            with suppress(Killed), self.capture(execute=WatchedStore.killed_at != "commit"):
                yield
        finally:
            WatchedStore.killed_at = ""
        self.log.append("killed")

    def kill(self) -> None:
        entry = self.new_entry()
        with self.dying():
            vaults.change(self.vault, lambda accounts: accounts.add(entry), tag=Tag.ENTRY_ADDED, at=self.at)
        self.model = self.model.add(entry)

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
                is_whole = keeping.check(backup, at=self.at)
                if self.store_behind and is_whole:
                    self.store_behind = False
                    self.look()
                elif self.store_behind:
                    now = self.backup
                    assert now is not None, self.log
                    assert now.status(self.at) not in ON, self.log
                    self.log.append("what is missing was told")

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
        if self.chance.random() < 0.2:
            self.off()
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
            other = person(self.chance.choice(PEOPLE))
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
        """Words or a passkey more; or a key less, while another is left."""
        held = held_keys.of(self.vault.row).keys
        with self.committed():
            if len(held) > 1 and self.chance.random() < 0.6:
                held_keys.remove(self.vault, self.chance.choice(held).pk, at=self.at)
                self.log.append("a key was removed")
            elif self.chance.random() < 0.2:
                typed = f"words of a schedule {uuid4()}"
                words.make(self.vault, typed, at=self.at, costs=CHEAPEST)
                self.holds(Opener(words=typed))
            elif len(held) < 5:
                output = Secret(keys.random_bytes(32))
                passkeys.add(self.vault, keys.random_bytes(16), (output, output), "Passkey", at=self.at)
                self.holds(Opener(output=output))

    def holds(self, opener: Opener) -> None:
        """The person holds the key that was made just now."""
        made = self.accounts.backup_keys[-1]
        self.openers[made.kind, made.hint.reveal()] = opener

    def rotate(self) -> None:
        """A newer S; then what is stored passes under it."""
        self.rotate_key()
        with suppress(StoreFailed):
            done = rotation.rewrap()
            assert done.failed == 0 or WatchedStore.away, self.log
            self.log.append("passed under another key")

    # -- Old copies ----------------------------------------------------------------------------------------------------

    def copy(self) -> None:
        self.copies.append((Copy("accounts", "backups"), self.visitor, self.model))
        self.copies_of_store.append(watched_store.copied())

    def roll_back(self) -> None:
        """All records are as they were then; the store is as it is now, and gives what they know nothing of."""
        if not self.copies:
            return
        assert self.accounts.entries == self.model.entries, self.log
        promise = self.promise
        copy, visitor, model = self.chance.choice(self.copies)
        copy.put_back()
        keyring.check()  # As at the start that follows.
        self.goes_on_with(visitor)
        self.model = model
        self.promise, was_put_back = None, self.was_put_back
        self.put_back = self.was_put_back = True
        self.log.append("an old copy was put back")
        if promise is not None and not WatchedStore.away and not was_put_back:
            self.look_for(promise)

    def look_for(self, promise: Promise) -> None:
        """What was promised in a time that the records know nothing of."""
        there = searching.find(promise.who, IOS).every
        choice = next((one for one in there if place_of(one) == promise.place), None)
        assert choice is not None, self.log
        draft = self.hold(promise.who, choice, is_trial=True)
        contents = fates.contents_of(self.vault, fates.held(self.vault, draft, at=self.at))
        assert contents.entries == expected(promise.accounts), self.log
        self.log.append("what the records do not know came back")

    def roll_back_store(self) -> None:
        """The store is as it was then: nothing is refused, what is missing is named, and the list is what it is."""
        if not self.copies_of_store:
            return
        watched_store.put_back(self.chance.choice(self.copies_of_store))
        self.promise, self.store_behind, self.store_was_behind = None, True, True
        self.log.append("an old store was put back")
        assert self.accounts.entries == self.model.entries, self.log
        backup, who = self.backup, self.holder
        if backup is None or backup.is_gone or who is None or WatchedStore.away:
            return
        states = (Generation.State.PROVEN, Generation.State.DAMAGED)
        rows = backup.generations.filter(state__in=states, recovery_account=backup.recovery_account)
        known = max(rows.values_list("sequence", flat=True), default=0)
        names = map(Name.parse, self.names())
        there = max((name.sequence for name in names if name.stream.hex() == backup.stream), default=0)
        assert ((known, there) in searching.find(who, IOS).missing) == (known > there), self.log
        if self.chance.random() < 0.5:
            self.check()


def _keys_of(accounts: AccountList) -> dict[str, Any]:
    return {"backup_keys": accounts.backup_keys, "backup_protection": accounts.backup_protection}
