"""One list and its backup under random schedules; and the controls: whoever loses one change, or lies, is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accounts.services import keyring, vaults
from accounts.services.activity import Tag
from accounts.vault import merging
from accounts.vault.entry import Entry
from accounts.vault.list import AccountList
from backups.models import Backup, Generation
from backups.services import keeping, making, objects, searching
from backups.storage import NotStored
from tests.accounts.test_interleavings import Copy
from tests.backups.schedule import Schedule
from tests.backups.truth import CAPTURE, ON
from tests.backups.watched_store import WatchedStore, answering
from tests.backups.watched_store import watched as watched  # noqa: PLC0414 - a fixture
from tests.factories import Visitor


@pytest.fixture
def begin(alice_phone: Visitor, rotate: Callable[[], None], settings: Any) -> Iterator[Callable[[], None]]:
    """`begin()`: the records, and the server's keys, are what each schedule begins with; so they are in the end."""
    keyring.check()
    records, server_keys = Copy("accounts", "backups"), keyring.read(Path(settings.SERVER_KEYS_FILE))

    def begun() -> None:
        keyring.write(Path(settings.SERVER_KEYS_FILE), server_keys)
        records.put_back()

    yield begun
    begun()


@pytest.mark.row("T20")
@pytest.mark.row("T46")
@pytest.mark.usefixtures("watched")
@pytest.mark.timeout(3600)  # The long form takes half an hour.
def test_random_schedules_lose_no_list_and_overwrite_nothing(
    alice_phone: Visitor,
    rotate: Callable[[], None],
    django_capture_on_commit_callbacks: CAPTURE,
    amount: Callable[..., int],
    begin: Callable[[], None],
    *,
    long: bool,
) -> None:
    schedules, steps = amount(short=100, postgres=60, long=2_000), 50 if long else 30

    acts: set[str] = set()
    for number in range(schedules):
        begin()
        schedule = Schedule(alice_phone, number, django_capture_on_commit_callbacks, rotate)
        schedule.run(steps)
        acts |= set(schedule.log)

    assert {
        "a key was removed",
        "a list shrank",
        "a phone was lost",
        "a restore was undone",
        "an old copy was put back",
        "an old store was put back",
        "deleted at once",
        "killed",
        "moved",
        "off was undone",
        "passed under another key",
        "restored",
        "restored twice",
        "the store alone gave the list back, by a key",
        "the store alone gave the list back, by the sign-in",
        "what is missing was told",
        "what the records do not know came back",
    } <= acts


class Losing(Schedule):
    """One acknowledged change is lost while all looks well: by the store, in what is saved, or in the list itself."""

    lie = ""
    told = False

    def changed(self, operation: vaults.Operation, tag: Tag = Tag.ENTRY_ADDED) -> None:
        """The first time that it would be noticed at once: as no service may."""
        backup = self.backup
        well = backup is not None and backup.is_on and backup.status(self.at) in ON and not WatchedStore.away
        if self.told or self.put_back or self.store_behind or not well or not operation(self.model).entries:
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


@pytest.mark.row("T20")
@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("lie", ["store", "saved state", "list"])
def test_one_lost_change_is_noticed(
    lie: str,
    alice_phone: Visitor,
    rotate: Callable[[], None],
    django_capture_on_commit_callbacks: CAPTURE,
    begin: Callable[[], None],
) -> None:
    """The control: whoever loses one acknowledged change is found out."""
    told, unnoticed = 0, []

    for number in range(5):
        begin()
        schedule = Losing(alice_phone, number, django_capture_on_commit_callbacks, rotate)
        schedule.lie = lie
        with suppress(AssertionError, NotStored):
            schedule.run(15)
            unnoticed += [number] * schedule.told
        told += schedule.told

    assert (told > 2, unnoticed) == (True, [])


# -- Lies about what comes back ---------------------------------------------------------------------------------------


def an_account_is_dropped(patched: pytest.MonkeyPatch, told: list[object]) -> None:
    merge = merging.merge

    def dropping(accounts: AccountList, entries: Sequence[Entry], **given: Any) -> AccountList:
        after = merge(accounts, entries, **given)
        told.extend(after.entries[-1:])
        return replace(after, entries=after.entries[:-1])

    patched.setattr(merging, "merge", dropping)


def a_counter_falls(patched: pytest.MonkeyPatch, told: list[object]) -> None:
    merge = merging.merge

    def falling(accounts: AccountList, entries: Sequence[Entry], **given: Any) -> AccountList:
        after = merge(accounts, entries, **given)
        told.extend(entry for entry in after.entries if entry.counter)
        return replace(after, entries=tuple(replace(one, counter=max(0, one.counter - 1)) for one in after.entries))

    patched.setattr(merging, "merge", falling)


def an_older_one_is_the_newest(patched: pytest.MonkeyPatch, told: list[object]) -> None:
    find = searching.find

    def finding(*given: Any) -> searching.Found:
        found = find(*given)
        oldest = {one.name.stream: one for one in (*found.newest, *found.older)}
        told.extend(one for one in found.newest if oldest[one.name.stream] != one)
        return replace(found, newest=tuple(oldest[one.name.stream] for one in found.newest))

    patched.setattr(searching, "find", finding)


def nothing_is_read_again(patched: pytest.MonkeyPatch, told: list[object]) -> None:
    def checked(backup: Backup, **_: Any) -> bool:
        newest = backup.generations.stored().latest("sequence")
        with answering() as store:
            told.extend({objects.path(newest)} - set(store.names()))
        return True

    patched.setattr(keeping, "check", checked)


def prelude(schedule: Schedule) -> list[Callable[[], None]]:
    """Some accounts, a counter that went on; then a store that lacks the newest, and a look into it."""
    counted = [*[schedule.add] * 4, *[schedule.take_a_code] * 3]
    return [*counted, schedule.copy, schedule.add, schedule.roll_back_store, schedule.check]


LIES = (an_account_is_dropped, a_counter_falls, an_older_one_is_the_newest, nothing_is_read_again)


@pytest.mark.row("T20")
@pytest.mark.row("T46")
@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_one_lie_about_what_comes_back_is_noticed(
    lie: Callable[[pytest.MonkeyPatch, list[object]], None],
    alice_phone: Visitor,
    rotate: Callable[[], None],
    django_capture_on_commit_callbacks: CAPTURE,
    begin: Callable[[], None],
) -> None:
    """The control: a merge, a search, a look into the store that are not what they should be."""
    noticed, unnoticed = [], []

    for number in range(4):
        begin()
        schedule = Schedule(alice_phone, number, django_capture_on_commit_callbacks, rotate)
        told: list[object] = []
        with pytest.MonkeyPatch.context() as patched:
            lie(patched, told)
            try:
                schedule.run(12, first=prelude(schedule))
            except (AssertionError, NotStored):
                noticed.append(number)
            else:
                unnoticed += [number] * bool(told)

    assert (len(noticed) > 1, unnoticed) == (True, [])
