"""One list in several browsers, under random schedules: no acknowledged change is lost, and who is out stays out.

A model knows what must be so: who opens the list, what is in it, how far each counter is. Beside the database it is
copied, and put back with it: an old copy takes all of it back to its time, and opens with the keys of its time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone

from accounts import arrivals
from accounts.models import Device, DeviceType, Vault
from accounts.services import approvals, attempts, codes, devices, held_keys, vaults, words
from accounts.services.activity import Tag
from accounts.services.approvals import Asked, OtherLetters, RequestOver
from accounts.services.attempts import TooManyTries
from accounts.services.devices import NewDevice
from accounts.services.doors import NoSuchDoor
from accounts.services.vaults import DeviceRemoved, OpenVault
from accounts.services.words import WrongWords
from accounts.vault.entry import Type
from accounts.vault.errors import NotListed
from accounts.vault.keys import Costs, DeviceCookie
from accounts.vault.list import AccountList
from tests.factories import Visitor, an_entry, with_another_device

CHEAPEST = Costs(kib=8 * 1024, passes=1, lanes=1)


class Copy:
    """Every row of these apps, as an operator copies them. `put_back` takes the database to that time."""

    def __init__(self, *names: str) -> None:
        self._names = names or ("accounts",)
        self._rows: dict[str, list[Any]] = {}
        with connection.cursor() as cursor:
            for table in _tables(*self._names):
                cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - a table's own name
                self._rows[table] = cursor.fetchall()

    def put_back(self) -> None:
        """What is there goes; what was copied comes."""
        clear(*self._names)
        with connection.cursor() as cursor:
            for table, rows in self._rows.items():
                if rows:
                    places = ", ".join(["%s"] * len(rows[0]))
                    cursor.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 - the same


def clear(*names: str) -> None:
    """No row of these apps is left."""
    with connection.cursor() as cursor:
        for table in _tables(*names):
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - a table's own name


def _tables(*names: str) -> list[str]:
    return [model._meta.db_table for name in names for model in apps.get_app_config(name).get_models()]


@dataclass
class Model:
    """What must be so. Ids of accounts in the order of the list; in Trash, each with the place it had."""

    open: set[UUID]
    removed: set[UUID] = field(default_factory=set)
    asked: dict[UUID, tuple[datetime, UUID | None]] = field(default_factory=dict)  # Until when; approved by which.
    words: str = ""
    names: dict[str, str] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    trash: dict[str, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)  # Of counter accounts: the number that is next.


class Schedule:
    """Steps by chance. What each browser last read of the list it keeps, so that it acts on what is long outdated."""

    def __init__(self, browsers: tuple[Visitor, ...], seed: int, *, naive: bool = False) -> None:
        self.phone, *_ = browsers
        self.user, self.naive = self.phone.user, naive
        self.chance, self.at, self.log = random.Random(seed), timezone.now(), [f"seed {seed}"]
        self.list_id = self.phone.vault.row.pk
        self.cookies = {visitor.device.pk: visitor.cookie for visitor in browsers if visitor.device and visitor.cookie}
        self.model = Model(open=set(self.cookies))
        self.requests: dict[UUID, Asked] = {}
        self.read: dict[UUID, OpenVault] = {}
        self.copies: list[tuple[Copy, Model]] = []
        for device in self.cookies:
            self.look(device)

    def run(self, steps: int) -> None:
        """So many steps; after each, what it touched is looked at; in the end everything."""
        acts: list[tuple[Callable[[], None], int]] = [
            (self.change, 16),
            (self.take_a_code, 6),
            (self.look_again, 4),
            (self.try_removed, 2),
            (self.remove, 2),
            (self.undo_removal, 2),
            (self.change_words, 2),
            (self.open_by_words, 2),
            (self.ask, 3),
            (self.approve, 4),
            (self.finish, 4),
            (self.copy, 2),
            (self.restore, 1),
        ]
        for _ in range(steps):
            self.at += timedelta(seconds=self.chance.randrange(1, 240))
            (act,) = self.chance.choices([act for act, _ in acts], [weight for _, weight in acts])
            self.log.append(act.__name__)
            act()
            self.check(self.any_open())
        for device in self.cookies:
            self.check(device)

    # -- What is so ----------------------------------------------------------------------------------------------------

    def check(self, device: UUID) -> None:
        """The browser opens the list exactly if it should, and finds in it what was acknowledged."""
        vault = self.entered(device)
        assert (vault is not None) == (device in self.model.open), self.log
        if vault is None:
            return
        accounts, model = vaults.read(vault), self.model
        assert [entry.id for entry in accounts.entries] == model.order, self.log
        assert {trashed.entry.id for trashed in accounts.trash} == set(model.trash), self.log
        everything = [*accounts.entries, *(trashed.entry for trashed in accounts.trash)]
        assert {entry.id: entry.name for entry in everything} == model.names, self.log
        counters = {entry.id: entry.counter for entry in everything if entry.type is Type.HOTP}
        assert counters == model.counters, self.log

    def entered(self, device: UUID) -> OpenVault | None:
        """The list as a request of this browser opens it."""
        request = RequestFactory().get("/accounts/")
        request.COOKIES = {
            settings.SESSION_COOKIE_NAME: self.phone.client.cookies[settings.SESSION_COOKIE_NAME].value,
            arrivals.cookie_name(self.user.pk): self.cookies[device].to_text(),
        }
        arrival = arrivals.of(request)
        assert arrival is not None, self.log
        request.door = next(iter(arrival.doors), None)  # type: ignore[attr-defined]
        return devices.enter(request)

    def look(self, device: UUID) -> OpenVault:
        """The browser reads the list."""
        vault = self.entered(device)
        assert vault is not None, self.log
        vaults.read(vault)
        self.read[device] = vault
        return vault

    def any_open(self) -> UUID:
        """One of the browsers that open the list."""
        return self.one_of(self.model.open)

    def one_of(self, some: Container[UUID]) -> UUID:
        """One of these browsers; by when they came, since ids differ from run to run."""
        return self.chance.choice([device for device in self.cookies if device in some])

    def at_work(self) -> OpenVault:
        """The list as some browser read it, a moment ago or long before others changed it."""
        device = self.any_open()
        return self.look(device) if self.chance.random() < 0.3 or device not in self.read else self.read[device]

    # -- Changes of the list -------------------------------------------------------------------------------------------

    def change(self) -> None:
        """Add, rename, put in order, to Trash and back, delete for good."""
        vault, model = self.at_work(), self.model
        acts = [self.add]
        if model.order:
            acts += [self.rename, self.reorder, self.trash]
        if model.trash:
            acts += [self.put_back, self.delete]
        act = self.chance.choice(acts)
        self.log.append(f"{act.__name__} at {vault.device.name}")
        act(vault)

    def changed(self, vault: OpenVault, operation: vaults.Operation, tag: Tag = Tag.ENTRY_ADDED) -> None:
        """As a view changes the list; or as none may: what this browser read earlier is written back."""
        if self.naive:
            earlier = operation(vaults.read(vault))
            vaults.change(vault, lambda _: earlier, tag=tag, at=self.at)
        else:
            vaults.change(vault, operation, tag=tag, at=self.at)

    def add(self, vault: OpenVault) -> None:
        counter = self.chance.random() < 0.3
        name = uuid4().hex
        entry = an_entry(name=name, type=Type.HOTP if counter else Type.TOTP)
        self.changed(vault, lambda accounts: accounts.add(entry))
        self.model.names[entry.id] = name
        self.model.order.append(entry.id)
        if counter:
            self.model.counters[entry.id] = 0

    def rename(self, vault: OpenVault) -> None:
        entry_id, name = self.chance.choice(self.model.order), uuid4().hex
        self.changed(vault, lambda accounts: accounts.rename(entry_id, issuer="", name=name))
        self.model.names[entry_id] = name

    def reorder(self, vault: OpenVault) -> None:
        """By the order that the browser shows, which may know less and more than the list holds by now."""
        ids = [entry.id for entry in vaults.read(vault).entries]
        self.chance.shuffle(ids)
        self.changed(vault, lambda accounts: accounts.reorder(ids), Tag.LIST_ORDERED)
        order = self.model.order
        places = [place for place, entry_id in enumerate(order) if entry_id in ids]
        for place, entry_id in zip(places, [entry_id for entry_id in ids if entry_id in order], strict=True):
            order[place] = entry_id

    def trash(self, vault: OpenVault) -> None:
        entry_id = self.chance.choice(self.model.order)
        self.changed(vault, lambda accounts: accounts.trash_entry(entry_id, vaults.seconds(self.at)), Tag.ENTRY_TRASHED)
        self.model.trash[entry_id] = self.model.order.index(entry_id)
        self.model.order.remove(entry_id)

    def put_back(self, vault: OpenVault) -> None:
        entry_id = self.chance.choice(list(self.model.trash))
        self.changed(vault, lambda accounts: accounts.put_back(entry_id), Tag.ENTRY_PUT_BACK)
        self.model.order.insert(self.model.trash.pop(entry_id), entry_id)

    def delete(self, vault: OpenVault) -> None:
        entry_id = self.chance.choice(list(self.model.trash))
        self.changed(vault, lambda accounts: accounts.delete(entry_id), Tag.ENTRY_DELETED)
        for known in (self.model.trash, self.model.names, self.model.counters):
            known.pop(entry_id, None)

    def take_a_code(self) -> None:
        """The next code of a counter is of exactly the next number, whatever this browser believed."""
        there = [entry_id for entry_id in self.model.counters if entry_id in self.model.order]
        if there:
            entry_id = self.chance.choice(there)
            code = codes.next_code(self.at_work(), entry_id, at=self.at)
            assert code.step == self.model.counters[entry_id], self.log
            self.log.append("a code was taken")
            self.model.counters[entry_id] += 1

    def look_again(self) -> None:
        self.look(self.any_open())

    # -- Devices -------------------------------------------------------------------------------------------------------

    def try_removed(self) -> None:
        """Who is out changes nothing, though it holds the key of a list that it opened."""
        for device, vault in self.read.items():
            if device not in self.model.open:
                self.log.append("a removed device tried")
                with pytest.raises(DeviceRemoved):
                    vaults.change(vault, lambda accounts: accounts.add(an_entry()), tag=Tag.ENTRY_ADDED, at=self.at)

    def remove(self) -> None:
        """A device is refused, and what it approved is void; one stays."""
        if len(self.model.open) > 1:
            gone = self.any_open()
            devices.remove(Device.objects.get(pk=gone), at=self.at, by=None)
            self.model.open.remove(gone)
            self.model.removed.add(gone)
            self.model.asked = {one: said for one, said in self.model.asked.items() if said[1] != gone}
            self.check(gone)

    def undo_removal(self) -> None:
        if self.model.removed:
            back = self.one_of(self.model.removed)
            devices.put_back(Device.objects.get(pk=back), at=self.at, by=None)
            self.log.append("a removal was undone")
            self.model.removed.remove(back)
            self.model.open.add(back)
            self.check(back)

    # -- Words ---------------------------------------------------------------------------------------------------------

    def change_words(self) -> None:
        """Other words, or none any more. Those before them open nothing from now on."""
        vault, before = self.at_work(), self.model.words
        self.model.words = f"words of a schedule {uuid4()}" if self.chance.random() < 0.7 else ""
        if self.model.words:
            words.make(vault, self.model.words, at=self.at, costs=CHEAPEST)
        elif before:
            (slot,) = held_keys.of(vault.row).keys
            held_keys.remove(vault, slot.pk, at=self.at)
        if before:
            self.refused_words(before)

    def refused_words(self, typed: str) -> None:
        with pytest.raises((WrongWords, NoSuchDoor, TooManyTries)):
            self.typed(typed)

    def open_by_words(self) -> None:
        """The words of now open the list in a new browser."""
        if self.model.words:
            try:
                self.typed(self.model.words)
            except TooManyTries:
                return

    def typed(self, typed: str) -> None:
        network = attempts.network("192.0.2.1")
        enrolled = words.open_list(self.user, self.list_id, typed, self.new(), network=network, at=self.at)
        self.log.append("words opened the list")
        self.joined(enrolled.device.pk, enrolled.cookie)

    def new(self) -> NewDevice:
        return NewDevice(uuid4(), f"Browser {len(self.cookies)}", DeviceType.COMPUTER)

    def joined(self, device: UUID, cookie: DeviceCookie) -> None:
        self.cookies[device] = cookie
        self.model.open.add(device)
        self.check(device)

    # -- Approval ------------------------------------------------------------------------------------------------------

    def ask(self) -> None:
        try:
            vault = Vault.objects.get(pk=self.list_id)
            asked = approvals.ask(self.user, vault, self.new(), network=bytes(32), at=self.at)
        except TooManyTries:
            return
        self.requests[asked.device.pk] = asked
        self.model.asked[asked.device.pk] = (self.at + settings.APPROVAL_KEPT, None)
        self.cookies[asked.device.pk] = asked.cookie
        self.check(asked.device.pk)

    def approve(self) -> None:
        """The letters are typed, of this request or of another one."""
        waiting = [one for one, (_, by) in self.model.asked.items() if by is None]
        if not waiting:
            return
        one, vault = self.chance.choice(waiting), self.at_work()
        until, _ = self.model.asked[one]
        slot = self.requests[one].slot
        if until <= self.at:
            with pytest.raises(RequestOver):
                approvals.approve(vault, slot.pk, approvals.letters(self.requests[one]), at=self.at)
            del self.model.asked[one]
        elif slot.wrong < 1 and self.chance.random() < 0.2:
            slot.wrong = 1
            with pytest.raises(OtherLetters):
                approvals.approve(vault, slot.pk, "CCCCCCCC", at=self.at)
        else:
            approvals.approve(vault, slot.pk, approvals.letters(self.requests[one]), at=self.at)
            self.model.asked[one] = (until, vault.device.pk)
        self.check(one)

    def finish(self) -> None:
        """A browser that asked fetches the key: once, if it was approved in time by one that still has the list."""
        if not self.requests:
            return
        one = self.one_of(self.requests)
        until, by = self.model.asked.get(one, (self.at, None))
        if by is None or until <= self.at:
            with pytest.raises(RequestOver):
                approvals.finish(self.requests[one], at=self.at)
        else:
            approvals.finish(self.requests[one], at=self.at)
            self.log.append("approval opened the list")
            del self.model.asked[one]
            self.joined(one, self.requests[one].cookie)
        if one in self.model.open or one in self.model.removed:
            with pytest.raises(RequestOver):
                approvals.finish(self.requests[one], at=self.at)

    # -- An old copy of the database -----------------------------------------------------------------------------------

    def copy(self) -> None:
        self.copies.append((Copy(), deepcopy(self.model)))

    def restore(self) -> None:
        """All is as it was then: what was removed since opens again, what was added since opens nothing."""
        if not self.copies:
            return
        copy, model = self.chance.choice(self.copies)
        newer = self.model.words
        copy.put_back()
        self.log.append("an old copy was put back")
        self.read.clear()  # The server starts anew: no request lives through that.
        self.model = deepcopy(model)
        for device in self.cookies:
            self.check(device)
        if newer and newer != self.model.words:
            self.refused_words(newer)
        self.open_by_words()


@pytest.fixture
def browsers(alice_phone: Visitor) -> tuple[Visitor, ...]:
    """Three browsers in which alice's list is open. The rows of now are what each schedule begins with."""
    others = (("Laptop", "computer"), ("Tablet", "android"))
    return (alice_phone, *(with_another_device(alice_phone, name=name, type=type) for name, type in others))


@pytest.mark.row("T20")
def test_random_schedules_lose_nothing_and_let_nobody_in(
    browsers: tuple[Visitor, ...], amount: Callable[..., int], *, long: bool
) -> None:
    schedules, steps = amount(short=100, postgres=25, long=2_000), 50 if long else 30
    begun = Copy()

    acts: set[str] = set()
    for number in range(schedules):
        begun.put_back()
        schedule = Schedule(browsers, number)
        schedule.run(steps)
        acts |= set(schedule.log)

    assert {
        "an old copy was put back",
        "a removal was undone",
        "a removed device tried",
        "a code was taken",
        "approval opened the list",
        "words opened the list",
    } <= acts


@pytest.mark.row("T20")
def test_list_that_is_written_back_as_it_was_read_is_noticed(browsers: tuple[Visitor, ...]) -> None:
    begun, noticed = Copy(), 0

    for number in range(10):
        begun.put_back()
        try:
            Schedule(browsers, number, naive=True).run(60)
        except (AssertionError, NotListed):  # What was lost is not found, or an act meets it no more.
            noticed += 1

    assert noticed == 10


@pytest.mark.row("T20")
@pytest.mark.parametrize("lie", ["open", "removed", "words", "counter"])
def test_state_that_is_none_is_noticed(browsers: tuple[Visitor, ...], lie: str) -> None:
    """Controls: each thing that the model says is compared with what the services did."""
    schedule = Schedule(browsers, 7)
    schedule.run(30)
    schedule.remove()
    counter = an_entry(name="counter", type=Type.HOTP)
    entered = schedule.look(schedule.any_open())
    accounts: AccountList = vaults.change(entered, lambda now: now.add(counter), tag=Tag.ENTRY_ADDED, at=schedule.at)
    schedule.model.names[counter.id] = counter.name
    schedule.model.order.append(counter.id)
    schedule.model.counters[counter.id] = 0
    schedule.check(schedule.any_open())
    assert accounts.get(counter.id).counter == 0

    if lie == "open":
        schedule.model.open.add(next(device for device in schedule.cookies if device not in schedule.model.open))
    elif lie == "removed":
        schedule.model.open.remove(entered.device.pk)
    elif lie == "words":
        schedule.model.names[counter.id] = "other words"
    else:
        schedule.model.counters[counter.id] = 1

    with pytest.raises(AssertionError):
        for device in schedule.cookies:
            schedule.check(device)
