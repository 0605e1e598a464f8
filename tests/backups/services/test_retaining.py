"""Which saved states stay, and what goes when it is over."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.db.models import RestrictedError
from django.utils import timezone

from accounts.models import SlotKind
from accounts.services import deletion
from accounts.vault.list import Protection
from backups import storage
from backups.management.commands import tidy
from backups.models import Backup, Generation
from backups.services import objects, retaining, switching
from tests import factories
from tests.backups import support
from tests.backups.support import FaultyStore, turn_on
from tests.factories import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


def add(visitor: Visitor, name: str = "new") -> None:
    factories.create_entry(on=visitor, name=name)


@pytest.mark.row("T46")
def test_foreign_object_is_still_there_when_what_was_passed_over_is_cleared_away(alice_phone: Visitor) -> None:
    backup = turn_on(alice_phone)
    foreign = support.put_there(backup, 2)
    before = storage.backups().fetch(foreign)
    for name in ("one", "two"):
        add(alice_phone, name)

    retaining.tidy(timezone.now() + timedelta(hours=1))
    add(alice_phone, "three")

    assert storage.backups().fetch(foreign) == before
    assert set(backup.generations.values_list("state", flat=True)) == {Generation.State.PROVEN}


def test_one_that_another_took_the_place_of_stays_known_while_it_may_be_under_way(
    alice_phone: Visitor, faulty: type[FaultyStore]
) -> None:
    """Killed between writing and noting it, its writer leaves an object: whoever clears up must know of it."""
    backup = turn_on(alice_phone)
    faulty.next("create", storage.Cause.UNREACHABLE)
    add(alice_phone, "one")
    one = backup.generations.get(sequence=2)
    data = bytes(one.waiting)
    backup.generations.filter(pk=one.pk).update(tried_at=None)

    add(alice_phone, "two")
    storage.backups().create(objects.path(one), data)  # By the writer that is killed now.
    retaining.tidy(timezone.now() + timedelta(minutes=6))

    assert [entry.sequence for entry in backup.generations.order_by("sequence")] == [1, 3]
    assert support.stored() == [objects.path(entry) for entry in backup.generations.order_by("sequence")]


@pytest.mark.article("G-12")
def test_newest_three_and_one_of_each_of_seven_days_stay_and_pinned_ones() -> None:
    now = timezone.now().replace(hour=12)
    made = []
    for day in range(10, -1, -1):
        for hour in range(3):
            made.append(Generation(sequence=len(made) + 1, made_at=now - timedelta(days=day) + timedelta(hours=hour)))
    made[0].pinned = True

    stay = retaining.kept(made, at=now + timedelta(hours=2))

    assert sorted(one.sequence for one in made if one.pk in stay) == [1, 15, 18, 21, 24, 27, 30, 31, 32, 33]


def test_what_stays_once_stays_again() -> None:
    """Else the last state of a day would go at the second look, for a neighbour that it got by the first."""
    now, chance, lost = timezone.now().replace(hour=12), random.Random(5), []
    for number in range(500):
        hours = sorted((chance.randrange(0, 9 * 24) for _ in range(chance.randrange(1, 30))), reverse=True)
        made = [
            Generation(sequence=index, made_at=now - timedelta(hours=ago), counter_only=chance.random() < 0.5)
            for index, ago in enumerate(hours, start=1)
        ]
        stay = retaining.kept(made, at=now)
        if retaining.kept([one for one in made if one.pk in stay], at=now) != stay:
            lost.append(number)

    assert lost == []


@pytest.mark.article("G-13")
def test_older_ones_go_once_a_newer_is_proven_from_the_store_too(alice_phone: Visitor) -> None:
    backup = turn_on(alice_phone)

    for number in range(6):
        add(alice_phone, str(number))

    kept = [one.sequence for one in backup.generations.order_by("sequence")]
    assert kept == [5, 6, 7]
    assert [name[-28:-13] for name in support.stored()] == [f"{sequence:016x}"[1:] for sequence in kept]


@pytest.mark.article("G-13")
def test_nothing_goes_while_the_newer_one_is_not_proven(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    backup = turn_on(alice_phone)
    for number in range(3):
        add(alice_phone, str(number))
    before = support.stored()
    faulty.next("fetch", *[b"other bytes"] * 5)

    for number in range(5):
        add(alice_phone, f"more {number}")

    assert support.stored() == before
    assert backup.generations.stored().count() == 3


def test_store_that_deletes_nothing_is_asked_again(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    turn_on(alice_phone)
    for number in range(2):
        add(alice_phone, str(number))
    faulty.next("remove", storage.Cause.UNREACHABLE)
    add(alice_phone, "three")
    left = len(support.stored())

    add(alice_phone, "four")

    assert (left, len(support.stored())) == (4, 3)


@pytest.mark.article("G-29")
@pytest.mark.row("T47")
def test_who_leaves_takes_every_saved_state_with_them(alice_phone: Visitor, bob: Visitor) -> None:
    turn_on(alice_phone)
    add(alice_phone)
    of_alice, now = support.stored(), timezone.now()
    switching.turn_on(bob.vault, support.person("bob@icloud.example"), Protection.SIGN_IN, at=now)
    of_bob = [name for name in support.stored() if name not in of_alice]
    deletion.ask(alice_phone.user, at=now)

    assert tidy.tidy(now + timedelta(hours=24)) == []

    assert not Backup.objects.filter(user=alice_phone.user).exists()
    assert [one.recovery_account.user for one in Generation.objects.all()] == [bob.user]
    assert (support.stored(), len(of_alice), len(of_bob)) == (of_bob, 2, 1)


def test_person_is_not_deleted_before_their_saved_states(alice_phone: Visitor, faulty: type[FaultyStore]) -> None:
    turn_on(alice_phone)
    now = timezone.now()
    deletion.ask(alice_phone.user, at=now)
    faulty.next("remove", storage.Cause.UNREACHABLE)

    failed = tidy.tidy(now + timedelta(hours=24))
    still_there = len(support.stored())
    later = tidy.tidy(now + timedelta(hours=25))

    assert failed == ["saved states of people who leave", "people who leave"]
    assert (still_there, later, support.stored()) == (1, [], [])
    with pytest.raises((RestrictedError, IntegrityError)):  # The control: the database refuses any other order.
        turn_on(factories.enrolled("carol@example.org", name="Phone", type="ios")).user.delete()


def test_change_of_protection_is_no_step_of_a_counter(alice_phone: Visitor) -> None:
    """One that was made for what opens it stays among the newest three, whatever follows."""
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    backup = turn_on(alice_phone)
    for protection in (Protection.KEY, Protection.SIGN_IN):
        switching.protect(alice_phone.vault, protection, at=timezone.now())

    kinds = [[kind for kind, _slot in one.slots] for one in backup.generations.stored().newest_first()]
    assert kinds == [[], ["words"], []]
