"""Restoring in a schedule, by the services behind the wizard: into the same list, on a new phone, after total loss."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from accounts.models import DeviceType, User, Vault
from accounts.services import aside, devices, keyring, vaults
from accounts.services.attempts import TooManyTries
from accounts.services.devices import NewDevice
from accounts.services.identity import Identity, Purpose
from accounts.vault.errors import Damaged
from accounts.vault.list import AccountList
from accounts.vault.merging import Keep
from backups import envelope
from backups.contents import Contents
from backups.services import fates, objects, opening, restoring, searching
from backups.services.fates import Fate
from backups.services.opening import Opener
from backups.services.restoring import Chosen, NothingChosen
from backups.services.searching import Choice, Found, NotThere
from backups.storage import NotStored, StoreFailed
from tests import factories
from tests.accounts.test_interleavings import clear
from tests.backups.support import person
from tests.backups.truth import CAPTURE, PEOPLE, Truth, expected
from tests.backups.watched_store import WatchedStore
from tests.factories import Visitor

IOS = DeviceType.IOS


class Restores(Truth):
    """What a person with a proof of the recovery account, and the keys they hold, gets back."""

    def __init__(self, visitor: Visitor, seed: int, capture: CAPTURE) -> None:
        super().__init__(visitor, seed, capture)
        # By kind and hint: whatever ever was a key of the list, still or not.
        self.openers: dict[tuple[str, bytes], Opener] = {}

    # -- The steps of the wizard ---------------------------------------------------------------------------------------

    def found(self, who: Identity) -> Found:
        """What lies under a proven account; a promise that was made to them is among it."""
        found, promise = searching.find(who, IOS), self.promise
        if promise is not None and promise.who.uid == who.uid:
            newest = [choice for choice in found.newest if choice.name.stream == promise.stream]
            assert [one.name.sequence >= promise.sequence and not one.is_damaged for one in newest] == [True], self.log
        return found

    def held(self, who: Identity, choices: Iterable[Choice]) -> tuple[Choice, UUID, Contents] | None:
        """The first of these that opens, held until the yes."""
        for choice in choices:
            try:
                draft = self.hold(who, choice)
            except (Damaged, NotThere):  # Records that were put back name what is another by now, or gone.
                assert self.was_put_back or self.store_was_behind, self.log
                continue
            contents = fates.contents_of(self.vault, fates.held(self.vault, draft, at=self.at))
            self.known(contents)
            if self.promise is not None and place_of(choice) == self.promise.place:
                assert contents.entries == expected(self.promise.accounts), self.log
            return choice, draft, contents
        return None

    def hold(self, who: Identity, choice: Choice, *, is_trial: bool = False) -> UUID:
        proof = factories.proven(self.visitor, purpose=Purpose.RESTORE, target=str(self.list_id), who=who, at=self.at)
        opener = self.opener(choice)
        return opening.hold(self.vault, proof, choice.key, opener, is_trial=is_trial, at=self.at)

    def opener(self, choice: Choice) -> Opener:
        """The words or the passkey that a page asks for: one of those that open it."""
        if not choice.kinds:
            return Opener()
        try:
            slots = envelope.slots(objects.fetched(choice.name), choice.name.place, objects.server_key)
        except NotStored:  # It went since it was found.
            raise NotThere from None
        slot = self.chance.choice(slots)
        return self.openers[slot.kind, slot.hint]

    def accepted(self, draft: UUID, keeps: dict[str, Keep]) -> int:
        """The yes to all of it; the number of the state that it made, 0 where nothing changed."""
        rows = fates.preview(self.vault, draft, at=self.at).rows
        for row in rows:
            if row.fate is Fate.CLASH:
                keeps.setdefault(row.id, self.chance.choice(list(Keep)))
        chosen = Chosen(frozenset(row.id for row in rows), keeps)
        report = restoring.accept(self.vault, draft, chosen, at=self.at)
        return restoring.report(self.vault, report, at=self.at).state

    # -- Into the list that is there -----------------------------------------------------------------------------------

    def restore(self) -> None:
        """The newest that is sound, or any other; what is in the list stays in it."""
        who = self.holder if self.chance.random() < 0.8 else None
        who = who or person(self.chance.choice(PEOPLE))
        if WatchedStore.away:
            with pytest.raises(StoreFailed):
                searching.find(who, IOS)
            return
        found = self.found(who)
        choices = list(sound(found.newest))
        if found.every and self.chance.random() < 0.5:
            choices = [self.chance.choice(found.every), *choices]
        held = self.held(who, sound(choices))
        if held is None:
            return
        choice, draft, contents = held
        before, keeps, state = self.accounts, dict[str, Keep](), 0
        assert before.entries == self.model.entries, self.log
        is_killed = self.chance.random() < 0.15
        try:
            with self.dying() if is_killed else self.committed():
                state = self.accepted(draft, keeps)
        except (TooManyTries, NothingChosen):
            assert self.accounts == before, self.log
            return
        if is_killed and self.accounts == before:
            return  # Before anything was written, or where nothing was to be: never in between.
        self.model = self.accounts
        self.merged(before, contents, self.model, keeps)
        self.log.append("restored")
        if not is_killed:
            if self.model != before:
                self.passed()
            self.look()
            if self.chance.random() < 0.5:
                self.restore_again(who, choice, keeps)
            if state and self.chance.random() < 0.7:
                self.undo_restore(before, state)

    def restore_again(self, who: Identity, choice: Choice, keeps: dict[str, Keep]) -> None:
        """The second time nothing is there to do. An older one may have gone, since a newer was kept."""
        version, restored = self.vault.row.version, self.accounts
        with suppress(TooManyTries, NothingChosen, NotThere), self.committed():
            draft = self.hold(who, choice)
            assert self.accepted(draft, keeps) == 0, self.log
            self.log.append("restored twice")
        assert (self.vault.row.version, self.accounts) == (version, restored), self.log

    def undo_restore(self, before: AccountList, state: int) -> None:
        self.at += timedelta(seconds=1)
        restored = self.accounts
        with self.committed():
            vaults.undo(self.vault, state, at=self.at)
        self.model = self.accounts
        self.undone(before, restored, self.model)
        self.log.append("a restore was undone")
        self.passed()

    def dying(self) -> AbstractContextManager[None]:
        """A process ends at some moment after the commit."""
        raise NotImplementedError

    # -- A lost phone --------------------------------------------------------------------------------------------------

    def lose_phone(self) -> None:
        """A new phone, and nothing but the sign-in and the keys the person holds: what was promised comes back."""
        who = self.holder or person(self.chance.choice(PEOPLE))
        if WatchedStore.away or not any(sound(self.found(who).newest)):
            return
        assert self.accounts.entries == self.model.entries, self.log
        before, former, promise, acknowledged = self.visitor, self.list_id, self.promise, self.model
        new = NewDevice(uuid4(), "New phone", IOS)
        enrolled = aside.begin_instead(self.visitor.user, former, new, restores=True, at=self.at)
        self.goes_on_with(replace(before, device=enrolled.device, cookie=enrolled.cookie))
        contents = self.restored_all(who)
        if contents is None:
            self.goes_on_with(before)
            self.model = acknowledged
            return
        self.log.append("a phone was lost")
        assert promise is None or contents.at >= promise.second, self.log
        assert not contents.entries or Vault.objects.get(pk=former).put_aside_at is not None, self.log
        self.promise = None

    def restored_all(self, who: Identity) -> Contents | None:
        """The newest that is sound, into an empty list, which is that list then. None where none opens."""
        while (held := self.held(who, sound(self.found(who).newest))) is not None:
            _, draft, contents = held
            try:
                with self.committed():
                    self.accepted(draft, {})
            except TooManyTries as refused:
                self.at = refused.next_at + timedelta(seconds=1)
                continue
            except NothingChosen:
                assert not contents.entries, self.log
            self.merged(AccountList(), contents, self.accounts)
            assert expected(self.accounts) == contents.entries, self.log
            self.model = self.accounts
            return contents
        return None

    # -- Total loss ----------------------------------------------------------------------------------------------------

    def lose_all_records(self) -> None:
        """No record is left, and nobody of those who were: the store and the keys file give all of it back."""
        accounts, promise, kinds = self.accounts, self.promise, frozenset[str]()
        assert promise is not None, self.log
        assert accounts.entries == promise.accounts.entries == self.model.entries, self.log
        self.at += timedelta(seconds=1)
        clear("accounts", "backups")
        keyring.check()
        user = User.objects.create_user("alice.anew@example.org", factories.PASSWORD)
        made = devices.set_up(user, NewDevice(uuid4(), "Phone after all", IOS), at=self.at)
        self.goes_on_with(Visitor(user, self.visitor.client, made.device, made.cookie))
        for who in map(person, PEOPLE):
            found = self.found(who)
            assert not any(choice.is_recorded for choice in found.every), self.log
            for choice in found.newest:
                held = self.held(who, [choice])
                assert held is not None, self.log
                if choice.name.stream == promise.stream:
                    with self.committed(), suppress(NothingChosen):
                        self.accepted(held[1], {})
                    kinds = choice.kinds
        assert expected(self.accounts) == expected(accounts), self.log
        self.log.append(f"the store alone gave the list back, by {'a key' if kinds else 'the sign-in'}")


def sound(choices: Iterable[Choice]) -> Iterable[Choice]:
    """Those of which nothing says that they are damaged."""
    return (choice for choice in choices if not choice.is_damaged)


def place_of(choice: Choice) -> tuple[bytes, int]:
    """Its stream and number: whichever server key it is under."""
    return choice.name.stream, choice.name.sequence
