"""Accounts that came back by their name, in the service: signed in to, scanned, kept, each once and undone as usual."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.models import Draft, IdentityProof
from accounts.roles import Role
from accounts.services import adding, codes, identity, policy, previewing, signing, vaults
from accounts.services.activity import Tag
from accounts.services.adding import Choice, Typed
from accounts.services.identity import Identity, NotProven, Purpose
from accounts.services.policy import Act
from accounts.vault import entry as core
from accounts.vault.entry import Algorithm, Entry, Kind, Needs, Type
from accounts.vault.errors import AlreadyListed, NotListed, ParseError, Reason
from accounts.vault.list import Relation
from backups.portions import carried
from tests import factories
from tests.factories import SECRET, Visitor, an_entry, create_entry, person, proven

KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
LINK = f"otpauth://totp/Whatever:else?secret={KEY}"
BOB = "bob@contoso.example"
CHOSEN = {Role.ENTRA: Kind.WORK, Role.MICROSOFT: Kind.PERSONAL_PASSWORDLESS}


def back(on: Visitor, role: Role = Role.ENTRA, **fields: Any) -> Entry:
    """An account as a restore brings it back by its name."""
    given = {"kind": CHOSEN[role], "needs": Needs.SIGN_IN, "issuer": "Contoso", "name": BOB, "secret": None, **fields}
    return create_entry(on=on, **given)


def signed_in(visitor: Visitor, entry: Entry, who: Identity | None = None, **fields: Any) -> UUID:
    """A proof for this account."""
    who = who or person(BOB, signing.role_of(entry))
    return UUID(proven(visitor, purpose=Purpose.ACCOUNT_RETURN, target=entry.id, who=who, **fields))


def accepted(visitor: Visitor, draft_id: UUID) -> int:
    vault, at = visitor.vault, timezone.now()
    chosen = frozenset(waiting.id for waiting in previewing.look(vault, draft_id, at=at).waiting)
    return adding.accept(vault, draft_id, Choice(chosen), at=at)


def tags(visitor: Visitor) -> list[str]:
    return [event.tag for event in visitor.user.events.filter(tag__startswith="lists:").order_by("pk")]


# -- Signing in -------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-35")
@pytest.mark.article("S-37")
@pytest.mark.parametrize("role", CHOSEN)
@pytest.mark.parametrize("needs", Needs)
def test_who_signed_in_brings_the_account_back_and_no_code_with_it(
    alice_phone: Visitor, role: Role, needs: Needs
) -> None:
    create_entry(on=alice_phone, issuer="First")
    entry, at = back(alice_phone, role, needs=needs, note="of the list", pinned=True), timezone.now()
    who = person(BOB, role)
    proof = signed_in(alice_phone, entry, who, at=at)

    assert signing.sign_in_again(alice_phone.vault, proof, entry.id, at=at)

    stands_for = core.Identity(str(role), who.issuer, who.uid)
    back_again = replace(entry, needs=None, identity=stands_for, signed_in=vaults.seconds(at))
    assert alice_phone.entries[1:] == (back_again,)
    assert entry.id not in codes.ahead(alice_phone.entries, at=at)
    assert carried(back_again).needs is Needs.SIGN_IN
    assert (IdentityProof.objects.get(pk=proof).state, tags(alice_phone)[-1]) == ("spent", Tag.ENTRY_SIGNED_IN)

    vaults.undo(alice_phone.vault, alice_phone.vault.row.version, at=at)

    assert alice_phone.entries[1:] == (entry,)


def test_account_that_waits_no_more_is_changed_by_no_other_sign_in(alice_phone: Visitor) -> None:
    entry, at = back(alice_phone), timezone.now()
    two_tabs = [signed_in(alice_phone, entry, at=at - timedelta(seconds=ago)) for ago in (9, 2)]

    done = [signing.sign_in_again(alice_phone.vault, proof, entry.id, at=at) for proof in two_tabs]

    assert done == [True, False]
    assert alice_phone.entries[0].signed_in == vaults.seconds(at - timedelta(seconds=9))
    assert tags(alice_phone).count(Tag.ENTRY_SIGNED_IN) == 1


def test_proof_serves_one_account_of_its_person_once_and_for_five_minutes(alice_phone: Visitor, bob: Visitor) -> None:
    entry, other, at = back(alice_phone), back(alice_phone, name="carol@contoso.example"), timezone.now()
    used = signed_in(alice_phone, other)
    signing.sign_in_again(alice_phone.vault, used, other.id, at=at)
    old = signed_in(alice_phone, entry, at=at - timedelta(seconds=301))
    to_add = UUID(proven(alice_phone, purpose=Purpose.ACCOUNT_ADD, target=entry.id, who=person(BOB, Role.ENTRA)))
    before = alice_phone.entries

    for proof in (used, signed_in(alice_phone, other), old, to_add, signed_in(bob, entry), uuid4()):
        with pytest.raises(NotProven):
            signing.sign_in_again(alice_phone.vault, proof, entry.id, at=at)
    with pytest.raises(NotProven):
        signing.add(alice_phone.vault, signed_in(alice_phone, entry), at=at)

    assert alice_phone.entries == before


def test_another_account_that_stands_for_whoever_signed_in_leaves_all_as_it_was(alice_phone: Visitor) -> None:
    entry, who, at = back(alice_phone), person(BOB, Role.ENTRA), timezone.now()
    there = create_entry(
        on=alice_phone,
        name="renamed",
        secret=None,
        kind=Kind.WORK,
        identity=core.Identity(str(who.role), who.issuer, who.uid),
    )
    proof = signed_in(alice_phone, entry, who)

    with pytest.raises(AlreadyListed) as refused:
        signing.sign_in_again(alice_phone.vault, proof, entry.id, at=at)

    assert (refused.value.entry, alice_phone.entries) == (there, (entry, there))
    assert IdentityProof.objects.get(pk=proof).state == "proven"


def test_account_in_trash_is_not_brought_back(alice_phone: Visitor) -> None:
    entry, at = back(alice_phone), timezone.now()
    proof = signed_in(alice_phone, entry)
    vaults.change(alice_phone.vault, lambda accounts: accounts.trash_entry(entry.id, 1), tag=Tag.ENTRY_TRASHED, at=at)

    with pytest.raises(NotListed):
        signing.sign_in_again(alice_phone.vault, proof, entry.id, at=at)

    assert IdentityProof.objects.get(pk=proof).state == "proven"


def test_whom_an_account_stands_for_is_expected_and_its_name_where_that_is_unknown() -> None:
    by_name = an_entry(name="Bob@Contoso.example", secret=None, kind=Kind.WORK)
    known = replace(by_name, identity=core.Identity("entra", "https://entra.example", "0000-bob"))

    assert signing.expected(by_name) == identity.name_tag(BOB)
    assert signing.expected(known) == identity.tag("https://entra.example", "0000-bob")


# -- Scanning ---------------------------------------------------------------------------------------------------------


@pytest.mark.article("S-37")
@pytest.mark.parametrize("needs", Needs)
def test_scanned_code_comes_to_the_account_that_waits_and_all_else_of_it_stays(
    alice_phone: Visitor, needs: Needs
) -> None:
    entry = back(alice_phone, needs=needs, pinned=True, note="of the list")
    last = create_entry(on=alice_phone, issuer="Last")
    at = timezone.now()

    draft = adding.from_text(alice_phone.vault, f"{LINK}&digits=8", at=at, entry_id=entry.id)
    preview = previewing.look(alice_phone.vault, draft, at=at)
    held = alice_phone.entries
    assert accepted(alice_phone, draft) == 1

    (waiting,) = preview.waiting
    assert (waiting.issuer, waiting.name, waiting.relation) == ("Contoso", BOB, Relation.NEW)
    assert (preview.entry_id, held) == (entry.id, (entry, last))
    made, other = alice_phone.entries
    assert made.secret is not None
    assert (made.secret.reveal(), made.digits, other) == (SECRET, 8, last)
    assert replace(made, secret=None, digits=6) == replace(entry, needs=None)
    assert carried(made).needs is Needs.SCAN
    assert tags(alice_phone)[-1] == Tag.ENTRY_SCANNED
    assert adding.was_accepted(alice_phone.vault, draft, at=at)


def test_typed_and_renewed_code_comes_back_too(alice_phone: Visitor) -> None:
    typed = Typed(label="typed", secret=KEY, type=Type.TOTP, algorithm=Algorithm.SHA1, digits=6, period=30, counter=0)
    entry, at = back(alice_phone, needs=Needs.SCAN), timezone.now()

    draft = adding.by_hand(alice_phone.vault, typed, at=at, entry_id=entry.id)
    renewed = adding.renew(alice_phone.vault, draft, at=at)
    accepted(alice_phone, renewed)

    (made,) = alice_phone.entries
    assert (made.id, made.name, made.needs, made.secret is None) == (entry.id, BOB, None, False)


def test_of_two_drafts_for_one_account_the_first_yes_counts(alice_phone: Visitor) -> None:
    entry, at = back(alice_phone, needs=Needs.SCAN), timezone.now()
    first, second = (adding.from_text(alice_phone.vault, LINK, at=at, entry_id=entry.id) for _ in range(2))

    accepted(alice_phone, first)
    made = alice_phone.entries
    waiting = previewing.look(alice_phone.vault, second, at=at).waiting[0]
    with pytest.raises(AlreadyListed):
        accepted(alice_phone, second)
    with pytest.raises(AlreadyListed):
        adding.from_text(alice_phone.vault, LINK, at=at, entry_id=entry.id)

    assert (waiting.relation, waiting.listed is not None and waiting.listed.id) == (Relation.SAME, entry.id)
    assert alice_phone.entries == made


def test_counter_goes_on_after_the_code_that_was_shown(alice_phone: Visitor) -> None:
    entry, at = back(alice_phone, needs=Needs.SCAN), timezone.now()

    counter = f"{LINK}&counter=41".replace("totp", "hotp")
    accepted(alice_phone, adding.from_text(alice_phone.vault, counter, at=at, entry_id=entry.id))

    assert (alice_phone.entries[0].type, alice_phone.entries[0].counter) == (Type.HOTP, 42)


def test_several_codes_and_codes_of_another_kind_are_of_no_account_that_waits(
    alice_phone: Visitor, bob: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = timezone.now()
    entry = back(alice_phone, Role.MICROSOFT, kind=Kind.PERSONAL_CODE)
    both = f"{LINK}\n{LINK.replace('else', 'other').replace(KEY, KEY[::-1])}"

    with pytest.raises(signing.Several):
        adding.from_text(alice_phone.vault, both, at=at, entry_id=entry.id)
    with pytest.raises(ParseError) as slow:
        adding.from_text(alice_phone.vault, f"{LINK}&period=60", at=at, entry_id=entry.id)
    with pytest.raises(NotListed):
        adding.from_text(bob.vault, LINK, at=at, entry_id=entry.id)

    @factories.rule
    def rule(user: object, act: Act, entry: Entry) -> None:
        if entry.name == BOB:
            raise policy.Refused("Not here.")

    monkeypatch.setattr(policy, "RULES", [rule])
    with pytest.raises(policy.Refused):
        adding.from_text(alice_phone.vault, LINK, at=at, entry_id=entry.id)

    assert slow.value.reason is Reason.NOT_PERSONAL
    assert (alice_phone.entries, bob.entries, Draft.objects.count()) == ((entry,), (), 0)


def test_personal_code_comes_by_its_qr_code_and_not_by_the_sign_in(alice_phone: Visitor) -> None:
    entry, at = back(alice_phone, Role.MICROSOFT, kind=Kind.PERSONAL_CODE), timezone.now()

    signing.sign_in_again(alice_phone.vault, signed_in(alice_phone, entry), entry.id, at=at)
    (by_name,) = alice_phone.entries
    accepted(alice_phone, adding.from_text(alice_phone.vault, LINK, at=at, entry_id=entry.id))

    (made,) = alice_phone.entries
    assert (by_name.needs, by_name.secret) == (None, None)
    assert (made.identity, made.secret is None) == (by_name.identity, False)


# -- Keeping the name -------------------------------------------------------------------------------------------------


def test_name_is_kept_once_and_undone(alice_phone: Visitor) -> None:
    entry, at = back(alice_phone), timezone.now()

    done = [signing.keep_name(alice_phone.vault, entry.id, at=at) for _ in range(2)]

    assert (done, alice_phone.entries) == ([True, False], (replace(entry, needs=Needs.KEPT),))
    assert carried(alice_phone.entries[0]).needs is Needs.KEPT
    assert tags(alice_phone).count(Tag.ENTRY_KEPT) == 1

    vaults.undo(alice_phone.vault, alice_phone.vault.row.version, at=at)

    assert alice_phone.entries == (entry,)


@pytest.mark.article("S-35")
@pytest.mark.article("S-37")
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.THIRD_PARTY])
@pytest.mark.parametrize("needs", Needs)
def test_account_without_a_key_gives_no_code(alice_phone: Visitor, kind: Kind, needs: Needs) -> None:
    entry, at = back(alice_phone, kind=kind, needs=needs), timezone.now()

    assert codes.ahead(alice_phone.entries, at=at) == {}
    assert codes.ahead(vaults.coders(alice_phone.vault), at=at) == {}
    with pytest.raises(ParseError):
        codes.next_code(alice_phone.vault, entry.id, at=at)
