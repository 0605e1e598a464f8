"""Accounts by sign-in, in the service: who signed in becomes an account once, and work never becomes a code."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.models import Draft, IdentityProof
from accounts.roles import Role
from accounts.services import adding, policy, previewing, signing, vaults
from accounts.services.activity import Tag
from accounts.services.adding import Choice
from accounts.services.identity import Identity, NotProven, Purpose
from accounts.services.policy import Act
from accounts.vault import entry as core
from accounts.vault.entry import Entry, Kind
from accounts.vault.errors import AlreadyListed, ParseError, Reason
from accounts.vault.list import Relation
from backups.portions import carried
from tests import factories
from tests.factories import SECRET, Visitor, an_entry, create_entry, person, proven

KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
LINK = f"otpauth://totp/Whatever:else?secret={KEY}"


def signed_in(visitor: Visitor, who: Identity | None = None, **fields: Any) -> UUID:
    return UUID(proven(visitor, purpose=Purpose.ACCOUNT_ADD, who=who or person(), **fields))


def stands_for(who: Identity) -> core.Identity:
    return core.Identity(str(who.role), who.issuer, who.uid)


def accepted(visitor: Visitor, draft_id: UUID) -> int:
    vault, at = visitor.vault, timezone.now()
    chosen = frozenset(waiting.id for waiting in previewing.look(vault, draft_id, at=at).waiting)
    return adding.accept(vault, draft_id, Choice(chosen), at=at)


@pytest.mark.article("S-34")
@pytest.mark.article("S-36")
@pytest.mark.parametrize(
    ("role", "kind", "issuer"),
    [
        (Role.MICROSOFT, Kind.PERSONAL_PASSWORDLESS, "Microsoft"),
        (Role.ENTRA, Kind.WORK, "Microsoft"),
    ],
)
def test_who_signed_in_is_added_by_name_only(alice_phone: Visitor, role: Role, kind: Kind, issuer: str) -> None:
    who, at = person("alice@there.example", role), timezone.now()
    proof = signed_in(alice_phone, who, at=at)

    signing.add(alice_phone.vault, proof, at=at)

    (entry,) = alice_phone.entries
    now = vaults.seconds(at)
    assert entry == Entry.new(
        id=entry.id,
        kind=kind,
        issuer=issuer,
        name="alice@there.example",
        secret=None,
        identity=stands_for(who),
        signed_in=now,
        added=now,
    )
    assert set(carried(entry).to_document()) & {"secret", "type", "digits", "identity", "signed_in"} == set()
    assert IdentityProof.objects.get(pk=proof).state == "spent"
    assert alice_phone.user.events.get(tag=Tag.ENTRY_ADDED).facts["proof"] == str(proof)


@pytest.mark.article("S-32")
def test_code_of_who_signed_in_is_added_with_its_key(alice_phone: Visitor) -> None:
    who, at = person("alice@there.example"), timezone.now()
    proof = signed_in(alice_phone, who, at=at)

    draft = adding.from_text(alice_phone.vault, LINK, at=at, proof=proof)
    held = IdentityProof.objects.get(pk=proof).state
    count = accepted(alice_phone, draft)

    (entry,) = alice_phone.entries
    assert (held, count, IdentityProof.objects.get(pk=proof).state) == ("proven", 1, "spent")
    assert (entry.kind, entry.issuer, entry.name) == (Kind.PERSONAL_CODE, "Microsoft", "alice@there.example")
    assert entry.secret is not None
    assert (entry.secret.reveal(), entry.period, entry.digits) == (SECRET, 30, 6)
    assert (entry.identity, entry.signed_in) == (stands_for(who), vaults.seconds(at))
    assert carried(entry) == replace(entry, identity=None, signed_in=None)


def test_one_identity_is_added_once_whatever_it_is_called(alice_phone: Visitor) -> None:
    who, at = person(), timezone.now()
    code = adding.from_text(alice_phone.vault, LINK, at=at, proof=signed_in(alice_phone, who))
    there = create_entry(on=alice_phone, name="renamed", secret=None, kind=Kind.WORK, identity=stands_for(who))
    again = signed_in(alice_phone, who)

    with pytest.raises(AlreadyListed) as by_name:
        signing.add(alice_phone.vault, again, at=at)
    with pytest.raises(AlreadyListed) as by_code:
        accepted(alice_phone, code)

    assert (by_name.value.entry, by_code.value.entry) == (there, there)
    assert alice_phone.entries == (there,)
    waiting = previewing.look(alice_phone.vault, code, at=at).waiting[0]
    assert (waiting.relation, waiting.listed is not None and waiting.listed.id) == (Relation.SAME, there.id)
    assert signing.look(alice_phone.vault, again, at=at).uid == who.uid  # It was not used up for nothing.


def test_account_known_by_a_former_issuer_is_not_added_twice(alice_phone: Visitor, settings: Any) -> None:
    before, now = person("before@outlook.example"), replace(person(), uid="uid-of-before@outlook.example")
    now = replace(now, issuer="https://new.example")
    there = create_entry(on=alice_phone, kind=Kind.PERSONAL_PASSWORDLESS, secret=None, identity=stands_for(before))
    way = settings.WAYS["microsoft"]
    settings.WAYS = {**settings.WAYS, "microsoft": replace(way, issuer=now.issuer, former=(before.issuer,))}

    with pytest.raises(AlreadyListed) as refused:
        signing.add(alice_phone.vault, signed_in(alice_phone, now), at=timezone.now())
    signing.add(alice_phone.vault, signed_in(alice_phone, replace(now, uid="another")), at=timezone.now())

    assert refused.value.entry.id == there.id
    assert len(alice_phone.entries) == 2


def test_people_of_one_name_stand_beside_each_other(alice_phone: Visitor) -> None:
    one = person("alice")
    for who in (one, replace(one, uid="another")):
        signing.add(alice_phone.vault, signed_in(alice_phone, who), at=timezone.now())

    assert [entry.identity and entry.identity.uid for entry in alice_phone.entries] == [one.uid, "another"]


def test_proof_adds_one_account_once_for_one_list_and_not_after_five_minutes(
    alice_phone: Visitor, bob: Visitor
) -> None:
    at = timezone.now()
    used = signed_in(alice_phone)
    signing.add(alice_phone.vault, used, at=at)
    for_another = UUID(proven(alice_phone, purpose=Purpose.RECOVERY_CHOOSE, who=person("b")))
    old = signed_in(alice_phone, person("c"), at=at - timedelta(seconds=301))
    of_another_list = signed_in(alice_phone, person("d"), target=str(bob.vault.row.pk))

    for proof in (used, for_another, old, of_another_list, signed_in(bob, person("e")), uuid4()):
        with pytest.raises(NotProven):
            signing.add(alice_phone.vault, proof, at=at)
        with pytest.raises(NotProven):
            adding.from_text(alice_phone.vault, LINK, at=at, proof=proof)

    assert len(alice_phone.entries) == 1
    assert [signing.was_added(alice_phone.vault, proof, at=at) for proof in (used, old)] == [True, False]
    assert not signing.was_added(bob.vault, used, at=at)


def test_code_waits_no_longer_than_its_sign_in(alice_phone: Visitor) -> None:
    at = timezone.now()
    proof = signed_in(alice_phone, at=at)
    draft = adding.from_text(alice_phone.vault, LINK, at=at, proof=proof)
    vault, chosen = (
        alice_phone.vault,
        Choice(frozenset([previewing.look(alice_phone.vault, draft, at=at).waiting[0].id])),
    )

    with pytest.raises(NotProven):
        adding.accept(vault, draft, chosen, at=at + timedelta(seconds=302))

    assert alice_phone.entries == ()
    assert Draft.objects.filter(pk=draft).exists()


@pytest.mark.article("S-36")
def test_sign_in_of_work_makes_no_account_with_a_code(alice_phone: Visitor) -> None:
    work = signed_in(alice_phone, person("alice@contoso.example", Role.ENTRA))

    with pytest.raises(NotProven):
        adding.from_text(alice_phone.vault, LINK, at=timezone.now(), proof=work)

    assert not Draft.objects.exists()


def test_account_with_a_code_is_not_made_without_one() -> None:
    with pytest.raises(ParseError) as refused:
        signing.bound(replace(an_entry(), kind=Kind.PERSONAL_CODE, secret=None), person())

    assert refused.value.reason is Reason.NO_SECRET


@pytest.mark.article("S-32")
@pytest.mark.parametrize(
    "other",
    [f"{LINK}&period=60", f"{LINK}&period=15", f"{LINK}&counter=1".replace("totp", "hotp"), f"steam://{KEY}"],
    ids=["60 seconds", "15 seconds", "by counter", "Steam's"],
)
def test_code_that_is_not_new_every_30_seconds_is_of_no_personal_account(alice_phone: Visitor, other: str) -> None:
    at, proof = timezone.now(), signed_in(alice_phone)

    with pytest.raises(ParseError) as refused:
        adding.from_text(alice_phone.vault, other, at=at, proof=proof)

    assert refused.value.reason is Reason.NOT_PERSONAL
    assert not Draft.objects.exists()
    assert signing.look(alice_phone.vault, proof, at=at)
    assert accepted(alice_phone, adding.from_text(alice_phone.vault, other, at=at)) == 1  # As another account it is.


def test_code_of_a_personal_account_may_have_more_digits_and_another_hash(alice_phone: Visitor) -> None:
    at = timezone.now()
    long = f"{LINK}&digits=8&algorithm=SHA256"

    accepted(alice_phone, adding.from_text(alice_phone.vault, long, at=at, proof=signed_in(alice_phone, at=at)))

    (entry,) = alice_phone.entries
    assert (entry.kind, entry.digits, entry.period) == (Kind.PERSONAL_CODE, 8, 30)


def test_of_several_codes_none_is_taken_for_one_account(alice_phone: Visitor) -> None:
    both = f"{LINK}\n{LINK.replace('else', 'other').replace(KEY, KEY[::-1].replace('=', 'A'))}"

    with pytest.raises(signing.Several):
        adding.from_text(alice_phone.vault, both, at=timezone.now(), proof=signed_in(alice_phone))


def test_rule_that_refuses_a_name_leaves_the_proof_unused(
    alice_phone: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    @factories.rule
    def rule(user: object, act: Act, entry: Entry) -> None:
        if "outlook" in entry.name:
            raise policy.Refused("Not here.")

    monkeypatch.setattr(policy, "RULES", [rule])
    proof, at = signed_in(alice_phone), timezone.now()

    with pytest.raises(policy.Refused):
        signing.add(alice_phone.vault, proof, at=at)
    with pytest.raises(policy.Refused):
        adding.from_text(alice_phone.vault, LINK, at=at, proof=proof)

    assert alice_phone.entries == ()
    assert signing.look(alice_phone.vault, proof, at=at)


def test_renewed_draft_keeps_its_sign_in(alice_phone: Visitor) -> None:
    at = timezone.now()
    draft = adding.from_text(alice_phone.vault, LINK, at=at, proof=signed_in(alice_phone))

    again = adding.renew(alice_phone.vault, draft, at=at)

    assert previewing.look(alice_phone.vault, again, at=at).is_signed_in
    assert accepted(alice_phone, again) == 1
