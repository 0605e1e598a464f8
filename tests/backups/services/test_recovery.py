"""The recovery account: known again, what lies under it already, and a circle through the list."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.services import vaults
from accounts.vault.entry import Identity as EntryIdentity
from accounts.vault.list import Protection
from backups import storage
from backups.models import Generation
from backups.services import recovery, switching
from backups.services.objects import Found
from tests import factories
from tests.backups import support
from tests.backups.support import person, turn_on
from tests.factories import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "alice.other@icloud.example"


@pytest.mark.article("G-10")
def test_backup_that_exists_is_found_and_left_as_it_is(alice_phone: Visitor) -> None:
    other = factories.enrolled("alice.before@example.org", name="Pixel 8", type="ios")
    factories.create_entry(on=other)
    theirs = turn_on(other)
    before = {name: storage.backups().fetch(name) for name in support.stored()}

    (found,) = recovery.found(person(), "ios", at=timezone.now())
    mine = turn_on(alice_phone)

    assert (found.stream, found.generation.count, found.generation.device_name) == (theirs.stream, 1, "Pixel 8")
    assert {name: storage.backups().fetch(name) for name in before} == before
    assert support.streams() == {theirs.stream, mine.stream}
    assert [one.stream for one in recovery.found(person(), "ios", besides=mine, at=timezone.now())] == [theirs.stream]
    assert recovery.found(person(), "android", at=timezone.now()) == []
    assert recovery.found(person(OTHER), "ios", at=timezone.now()) == []


def test_row_of_another_recovery_account_describes_no_object(alice_phone: Visitor) -> None:
    """Its times, counts and devices would be told of a backup that it does not know."""
    hers, other = turn_on(alice_phone), factories.enrolled("bob@example.org", name="Bob's phone", type="ios")
    factories.create_entry(on=other)
    his = switching.turn_on(other.vault, person(OTHER), Protection.SIGN_IN, at=timezone.now())
    (before,) = recovery.found(person(), "ios", at=timezone.now())

    Generation.objects.filter(stream=hers.stream).update(recovery_account=his.recovery_account)
    (after,) = recovery.found(person(), "ios", at=timezone.now())

    assert before.generation is not None
    assert after == Found(before.stream, before.sequence, None)


def test_codes_of_the_recovery_account_itself_make_a_circle(alice_phone: Visitor) -> None:
    who = person()
    by_name = factories.create_entry(on=alice_phone, issuer="Apple", name="Alice@iCloud.example")
    by_identity = factories.create_entry(
        on=alice_phone, name="renamed", identity=EntryIdentity("apple", who.issuer, who.uid)
    )
    factories.create_entry(on=alice_phone, name="bob@icloud.example")

    found = recovery.circle(vaults.read(alice_phone.vault), who)

    assert [entry.id for entry in found] == [by_name.id, by_identity.id]


def test_known_account_is_the_one_proven_last_that_fits(alice_phone: Visitor) -> None:
    at = timezone.now()
    turn_on(alice_phone, at=at)
    switching.change_account(alice_phone.vault, person(OTHER), Protection.SIGN_IN, at=at + timedelta(minutes=1))

    known = recovery.known(alice_phone.user, "ios", at)

    assert known is not None
    assert (known.label, bytes(known.name)) == ("a…@icloud.example", recovery.ctxs(person(OTHER), "ios")[0])
    assert recovery.known(alice_phone.user, "android", at) is None
