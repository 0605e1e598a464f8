"""The recovery account: known again, what lies under it already, and a circle through the list."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.roles import Role, Way
from accounts.services import vaults
from accounts.services.identity import Identity, Purpose
from accounts.vault.entry import Identity as EntryIdentity
from accounts.vault.list import Protection
from backups import storage
from backups.models import Generation
from backups.services import fates, opening, recovery, searching, switching
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
    assert [
        one.stream for one in recovery.found(person(), "ios", besides=alice_phone.vault.row, at=timezone.now())
    ] == [theirs.stream]
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


# -- An issuer that moved ---------------------------------------------------------------------------------------------

NOW, BEFORE = "https://id.example/realms/home", "https://old.example/realms/home"


def moved(settings: Any, *, role: Role = Role.APPLE, former: tuple[str, ...] = (BEFORE,)) -> None:
    """The operator's own provider has another address by now, and its role names the former one."""
    way = Way(f"{role}-proof", "Home", "authweb", NOW, "sub", former=former)
    settings.WAYS = {**settings.WAYS, role.value: way}


def at_issuer(issuer: str, *, uid: str = "the same", role: Role = Role.APPLE) -> Identity:
    return replace(person(role=role), issuer=issuer, uid=uid)


@pytest.mark.parametrize("loss", ["none", "database"])
def test_backup_made_before_the_issuer_moved_is_found_by_the_same_id(
    alice_phone: Visitor, settings: Any, loss: str
) -> None:
    factories.create_entry(on=alice_phone, issuer="GitHub")
    backup = switching.turn_on(alice_phone.vault, at_issuer(BEFORE), Protection.SIGN_IN, at=timezone.now())
    if loss == "database":
        support.without_records()
    none = searching.find(at_issuer(NOW), "ios").every

    moved(settings)
    (found,) = searching.find(at_issuer(NOW), "ios").every
    proof = factories.proven(alice_phone, purpose=Purpose.RESTORE, who=at_issuer(NOW))
    draft = opening.hold(alice_phone.vault, proof, found.key, opening.Opener(), at=timezone.now())
    rows = fates.preview(alice_phone.vault, draft, at=timezone.now()).rows

    assert none == ()
    assert (found.name.stream.hex(), [row.issuer for row in rows]) == (backup.stream, ["GitHub"])
    assert bytes(found.name.ctx) not in recovery.ctxs(replace(at_issuer(NOW), role=Role.MICROSOFT), "ios")


def test_former_issuer_is_searched_for_nobody_else(alice_phone: Visitor, settings: Any) -> None:
    """Not for another id, another role, another issuer that this one's role does not name, nor where none is named."""
    switching.turn_on(alice_phone.vault, at_issuer(BEFORE), Protection.SIGN_IN, at=timezone.now())
    moved(settings)
    another = own = "https://another.example"
    settings.WAYS = {**settings.WAYS, "microsoft": Way("microsoft-proof", "Other", "authweb", own, "sub")}
    strangers = [
        at_issuer(NOW, uid="somebody else"),
        at_issuer(NOW, role=Role.MICROSOFT),
        at_issuer(own, role=Role.MICROSOFT),
        at_issuer(another),
    ]
    found = [searching.find(who, "ios").every for who in strangers]
    moved(settings, former=())
    found.append(searching.find(at_issuer(NOW), "ios").every)
    moved(settings, former=("https://older.example",))
    found.append(searching.find(at_issuer(NOW), "ios").every)

    assert found == [()] * 6


def test_account_is_the_same_one_after_its_issuer_moved(alice_phone: Visitor, settings: Any) -> None:
    at = timezone.now()
    backup = switching.turn_on(alice_phone.vault, at_issuer(BEFORE), Protection.SIGN_IN, at=at)
    other = factories.enrolled("bob@example.org", name="Bob's phone", type="ios")
    moved(settings)

    theirs = switching.turn_on(other.vault, at_issuer(NOW), Protection.SIGN_IN, at=at)
    again = recovery.account(alice_phone.user, at_issuer(NOW), "ios", at=at)
    new = bytes(theirs.recovery_account.name) if theirs.recovery_account else b""

    assert again == backup.recovery_account
    assert recovery.holds(at_issuer(NOW), backup)
    assert new == recovery.ctxs(at_issuer(NOW), "ios")[0] != bytes(again.name)
    by_identity = factories.create_entry(on=alice_phone, identity=EntryIdentity("apple", BEFORE, "the same"))
    assert recovery.circle(vaults.read(alice_phone.vault), at_issuer(NOW)) == (by_identity,)
