"""Blocked domains: whose codes they are about, refused on every way in from the day on, and told on the pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import BlockedDomain, Event
from accounts.roles import Role
from accounts.services import adding, blocking, policy, previewing, signing, vaults
from accounts.services.activity import Tag
from accounts.services.adding import Choice, NothingTaken, Typed
from accounts.services.identity import Purpose
from accounts.services.policy import Refused
from accounts.vault.entry import Algorithm, Entry, Identity, Kind, Needs, Type
from tests import factories, pictures
from tests.factories import Visitor, an_entry, create_entry
from tests.pages import text

KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
DAY = date(2026, 7, 1)
EVE, HOLDS = datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
SENTENCE = "Codes for contoso.com may not be kept here: They stay on the phone. Ask it@contoso.com."
LIST, CODES = reverse("accounts:list"), reverse("accounts:codes")


def link(name: str, *, issuer: str = "VPN") -> str:
    return f"otpauth://totp/{issuer}:{name}?secret={KEY}"


def typed(label: str) -> Typed:
    given: dict[str, Any] = {"type": Type.TOTP, "algorithm": Algorithm.SHA1, "digits": 6, "period": 30, "counter": 0}
    return Typed(label=label, secret=KEY, **given)


def why(act: Callable[[], object]) -> list[str]:
    """The sentences by which an act is refused."""
    try:
        act()
    except Refused as refused:
        return [refused.sentence]
    except NothingTaken as nothing:
        return [one.sentence for one in nothing.forbidden]
    return []


def every_way(visitor: Visitor, name: str, at: datetime) -> dict[str, list[str]]:
    """Each way into the list, and why an account of this name is refused there."""
    back = create_entry(on=visitor, issuer="Work", name=name, secret=None, kind=Kind.WORK, needs=Needs.SCAN)
    other, trashed = create_entry(on=visitor, issuer="VPN", name="other"), create_entry(on=visitor, name=name)
    proof = UUID(
        factories.proven(visitor, purpose=Purpose.ACCOUNT_ADD, who=factories.person(name, Role.MICROSOFT), at=at)
    )
    vault = visitor.vault
    several = previewing.look(vault, adding.from_text(vault, f"{link(name)}\n{link('b@b.example')}", at=at), at=at)
    gone = vaults.seconds(at)
    vaults.change(visitor.vault, lambda all_: all_.trash_entry(trashed.id, gone), tag=Tag.ENTRY_TRASHED, at=at)
    renamed = visitor.client.post(
        reverse("accounts:edit", args=[other.id]), {"issuer": "VPN", "name": name, "note": ""}
    )
    visitor.client.post(reverse("accounts:put-back", args=[trashed.id]))
    trash = visitor.client.get(reverse("accounts:trash")).content.decode()
    return {
        "picture": why(lambda: adding.from_pictures(vault, [("qr.png", pictures.of(link(name)))], at=at)),
        "link": why(lambda: adding.from_text(vault, link(name), at=at)),
        "hand": why(lambda: adding.by_hand(vault, typed(f"VPN: {name}"), at=at)),
        "several": [one.sentence for one in several.forbidden],
        "sign-in": why(lambda: adding.from_text(vault, link("x"), at=at, proof=proof)),
        "back by name": why(lambda: adding.from_text(vault, link("x"), at=at, entry_id=back.id)),
        "rename": list(renamed.context["form"].errors["issuer"]) if renamed.context else [],
        "Trash": [SENTENCE] if SENTENCE in trash else [],
    }


@pytest.mark.article("S-61", "refused")
@pytest.mark.parametrize(
    ("name", "at", "said"),
    [
        ("alice@contoso.com", HOLDS, [SENTENCE]),
        ("ALICE＠Contoso.COM.", HOLDS, [SENTENCE]),
        ("alice@contoso.com", EVE, []),
        ("alice@it.contoso.com", HOLDS, []),
        ("alice@contoso.com.example", HOLDS, []),
    ],
)
def test_code_for_a_blocked_domain_is_refused_on_every_way_in_from_its_day_on(
    alice_phone: Visitor, name: str, at: datetime, said: list[str]
) -> None:
    factories.block("contoso.com", DAY)

    with time_machine.travel(at, tick=False):
        found = every_way(alice_phone, name, at)

    assert found == dict.fromkeys(found, said)


@pytest.mark.article("S-61", "allowed")
def test_account_added_by_sign_in_has_no_code_and_is_taken(alice_phone: Visitor) -> None:
    factories.block("contoso.com", DAY)
    who = factories.person("alice@contoso.com", Role.ENTRA)

    signing.add(
        alice_phone.vault,
        UUID(factories.proven(alice_phone, purpose=Purpose.ACCOUNT_ADD, who=who, at=HOLDS)),
        at=HOLDS,
    )

    assert [entry.name for entry in alice_phone.entries] == ["alice@contoso.com"]


def test_what_waits_when_the_day_comes_is_not_added(alice_phone: Visitor) -> None:
    factories.block("contoso.com", DAY)
    vault = alice_phone.vault
    draft = adding.from_text(vault, link("alice@contoso.com"), at=EVE)
    (waiting,) = previewing.look(vault, draft, at=EVE).waiting

    with pytest.raises(Refused):
        adding.accept(vault, draft, Choice(frozenset([waiting.id])), at=HOLDS)

    assert alice_phone.entries == ()
    assert adding.accept(vault, draft, Choice(frozenset([waiting.id])), at=EVE) == 1


def by_name(visitor: Visitor, name: str) -> tuple[Entry, UUID]:
    """An account that came back by its name, and a code of it that was read and waits."""
    back = create_entry(on=visitor, issuer="VPN", name=name, secret=None, kind=Kind.PERSONAL_CODE, needs=Needs.SCAN)
    return back, adding.from_text(visitor.vault, link("y"), at=HOLDS, entry_id=back.id)


def finish(visitor: Visitor, draft: UUID, at: datetime = HOLDS) -> int:
    (waiting,) = previewing.look(visitor.vault, draft, at=at).waiting
    return adding.accept(visitor.vault, draft, Choice(frozenset([waiting.id])), at=at)


def test_code_is_refused_under_the_name_that_its_account_has_by_then(alice_phone: Visitor) -> None:
    factories.block("contoso.com", DAY)
    back, draft = by_name(alice_phone, "x")
    address, name = reverse("accounts:edit", args=[back.id]), "alice@contoso.com"

    with time_machine.travel(HOLDS, tick=False):
        alice_phone.client.post(address, {"issuer": "VPN", "name": name, "note": ""})

    assert why(lambda: finish(alice_phone, draft)) == [SENTENCE]
    assert [(entry.name, entry.secret) for entry in alice_phone.entries] == [(name, None)]


def test_name_is_refused_to_an_account_that_got_its_code_a_moment_before(alice_phone: Visitor) -> None:
    factories.block("contoso.com", DAY)
    back, draft = by_name(alice_phone, "x")
    waits = [draft]

    def another_tab(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Is quicker by a moment: comes between the page that was read and the lock of the list."""
        if waits and 'FROM "accounts_vault" WHERE "accounts_vault"."id"' in sql:
            finish(alice_phone, waits.pop())
        return execute(sql, params, many, context)

    with time_machine.travel(HOLDS, tick=False), connection.execute_wrapper(another_tab):
        form = {"issuer": "VPN", "name": "alice@contoso.com", "note": ""}
        answer = alice_phone.client.post(reverse("accounts:edit", args=[back.id]), form)

    assert (waits, answer.context["form"].errors) == ([], {"issuer": [SENTENCE]})
    assert [entry.name for entry in alice_phone.entries] == ["x"]


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("VPN: alice@contoso.com", Kind.THIRD_PARTY),
        ("contoso.com: alice", Kind.THIRD_PARTY),
        ("Microsoft: alice@outlook.example", Kind.PERSONAL_CODE),
        ("St. Mary: mail", Kind.PERSONAL_CODE),
    ],
)
def test_sign_in_exempts_no_code_under_the_name_of_another_domain(alice_phone: Visitor, label: str, kind: Kind) -> None:
    factories.block("contoso.com", DAY)
    who = factories.person("alice@outlook.example", Role.MICROSOFT)
    proof = UUID(factories.proven(alice_phone, purpose=Purpose.ACCOUNT_ADD, who=who, at=EVE))

    finish(alice_phone, adding.by_hand(alice_phone.vault, typed(label), at=EVE, proof=proof), at=EVE)

    (entry,) = alice_phone.entries
    held = blocking.held([entry], blocking.every(), at=HOLDS)
    assert (entry.kind, entry.identity is None, bool(held)) == (kind, *[kind is Kind.THIRD_PARTY] * 2)


WHO = Identity("microsoft", "https://login.example", "uid")


@pytest.mark.parametrize(
    ("entry", "is_the_domains"),
    [
        (an_entry(issuer="VPN", name="alice@contoso.com"), True),
        (an_entry(issuer="Contoso.com", name="alice"), True),
        (an_entry(issuer="VPN", name="alice@xn--bcher-kva.example"), True),
        (an_entry(issuer="BÜCHER.example", name=""), True),
        (an_entry(issuer="Contoso", name="contoso.com"), False),
        (an_entry(issuer="VPN", name="alice@it.contoso.com"), False),
        (an_entry(issuer="VPN", name="alice@contoso.com", kind=Kind.PERSONAL_CODE), False),
        (an_entry(issuer="VPN", name="alice@contoso.com", identity=WHO), False),
        (an_entry(issuer="VPN", name="alice@contoso.com", secret=None, kind=Kind.WORK), False),
        (an_entry(issuer="VPN", name="alice@contoso.com", secret=None, needs=Needs.SCAN), False),
    ],
)
def test_account_is_the_domains_by_name_or_issuer_with_a_key_and_without_a_sign_in(
    db: None, entry: Entry, is_the_domains: bool
) -> None:
    factories.block("contoso.com", DAY)
    factories.block("bücher.example", DAY)

    assert (blocking.of(entry, blocking.every()) is not None) is is_the_domains
    assert list(blocking.held([entry], blocking.every(), at=HOLDS)) == [entry.id] * is_the_domains
    assert blocking.held([entry], blocking.every(), at=EVE) == {}


def test_of_two_rules_the_earlier_one_counts(db: None) -> None:
    for domain, day in (("contoso.com", DAY), ("fabrikam.com", DAY - timedelta(days=1))):
        factories.block(domain, day)

    found = blocking.of(an_entry(issuer="fabrikam.com", name="alice@contoso.com"), blocking.every())

    assert found is not None
    assert found.domain == "fabrikam.com"


@pytest.mark.parametrize(
    ("was", "kind", "becomes", "is_refused"),
    [
        ("alice@contoso.com", Kind.THIRD_PARTY, "bob@contoso.com", False),
        ("alice@elsewhere.example", Kind.THIRD_PARTY, "alice@contoso.com", True),
        ("alice@fabrikam.com", Kind.THIRD_PARTY, "alice@contoso.com", True),
        ("alice@contoso.com", Kind.PERSONAL_CODE, "bob@contoso.com", True),
        ("alice@contoso.com", Kind.PERSONAL_CODE, "alice@contoso.com", False),
    ],
)
def test_account_that_is_blocked_may_have_another_name_of_its_domain_alone(
    alice_phone: Visitor, was: str, kind: Kind, becomes: str, is_refused: bool
) -> None:
    for domain in ("contoso.com", "fabrikam.com"):
        factories.block(domain, DAY)
    entry = an_entry(issuer="VPN", name=was, kind=kind)

    said = why(lambda: policy.require_name(alice_phone.user, entry, issuer="VPN", name=becomes, at=HOLDS))

    assert said == [SENTENCE] * is_refused


# -- On the pages -----------------------------------------------------------------------------------------------------


@pytest.mark.article("S-61")
@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize(
    ("at", "said"),
    [
        (EVE, "From 1 July not backed up: blocked for contoso.com"),
        (HOLDS, "Not backed up: blocked for contoso.com since 1 July"),
    ],
)
def test_row_and_page_of_an_account_that_is_there_say_so_and_its_code_goes_on(
    alice_phone: Visitor, queries: Callable[[Callable[[], object]], int], at: datetime, said: str, compact: bool
) -> None:
    alice_phone.user.compact_rows = compact
    alice_phone.user.save()
    entry = create_entry(on=alice_phone, issuer="VPN", name="alice@contoso.com")
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    alice_phone.client.get(LIST)
    page_of = reverse("accounts:account", args=[entry.id])

    with time_machine.travel(at, tick=False):
        alice_phone.client.get(LIST)
        without = [queries(lambda url=url: alice_phone.client.get(url)) for url in (LIST, page_of, CODES)]  # type: ignore[misc]
        factories.block("contoso.com", DAY)
        asked = [queries(lambda url=url: alice_phone.client.get(url)) for url in (LIST, page_of, CODES)]  # type: ignore[misc]
        shown, page = alice_phone.client.get(LIST), text(alice_phone.client.get(page_of))
        codes = alice_phone.client.get(CODES).json()["codes"]

    assert (without, asked) == ([1, 1, 1], [2, 2, 1])
    assert text(shown).count(said) == 1
    assert f"{said}. Reason: They stay on the phone. Its code goes on working here." in page
    assert "Ask it@contoso.com." in page
    assert ("In a backup: name and code." in page) is (at is EVE)
    assert entry.id in codes


def test_markup_in_a_rule_is_text_wherever_it_is_told(alice_phone: Visitor) -> None:
    bold = "<b>bold</b>"
    factories.block("contoso.com", DAY, reason=f"{bold} & more", contact='"><script>alert(1)</script>')
    entry = create_entry(on=alice_phone, issuer="VPN", name="alice@contoso.com")

    with time_machine.travel(HOLDS, tick=False):
        answers = [
            alice_phone.client.get(reverse("accounts:account", args=[entry.id])),
            alice_phone.client.post(reverse("accounts:add-link"), {"link": link("b@contoso.com")}),
        ]

    for answer in answers:
        html = answer.content.decode()
        assert ("&lt;b&gt;bold&lt;/b&gt; &amp; more" in html, bold in html, "<script>alert" in html) == (
            True,
            False,
            False,
        )


# -- What administrators do -------------------------------------------------------------------------------------------


def test_members_are_people_with_a_verified_address_there_and_devices_those_not_removed(
    alice_phone: Visitor, bob: Visitor, mallory_removed: Visitor
) -> None:
    for visitor, address, verified in (
        (alice_phone, "alice@bücher.example", True),
        (mallory_removed, "mallory@xn--bcher-kva.example", True),
        (bob, "bob@bücher.example", False),
    ):
        EmailAddress.objects.create(user=visitor.user, email=address, verified=verified)
    EmailAddress.objects.create(user=bob.user, email="bob@it.bücher.example", verified=True)

    found = blocking.affected("xn--bcher-kva.example")

    assert found == blocking.Affected(frozenset([alice_phone.user.pk, mallory_removed.user.pk]), devices=1)


def test_each_act_leaves_a_line_and_members_are_told(alice_phone: Visitor, bob: Visitor) -> None:
    create_entry(on=alice_phone)
    rule = BlockedDomain(domain="example.org", from_date=DAY, reason="never in a line", contact="it@example.org")
    now = timezone.now()

    blocking.keep(rule, by=bob.user, at=now)
    blocking.keep(rule, by=bob.user, at=now)  # As it was: nothing is done.
    rule.contact = "desk@example.org"
    blocking.keep(rule, by=bob.user, at=now)
    rule.from_date = DAY + timedelta(days=1)
    blocking.keep(rule, by=bob.user, at=now)
    blocking.lift(rule, by=bob.user, at=now)

    def lines(visitor: Visitor) -> list[str]:
        csv = visitor.client.get(reverse("accounts:activity-csv")).content.decode()
        return [line.split(",")[1] for line in csv.splitlines() if "example.org" in line]

    assert lines(bob) == [
        "You no longer block codes for example.org.",
        "You changed a rule: codes for example.org are blocked from 2 July 2026 on.",
        "You changed a rule: codes for example.org are blocked from 1 July 2026 on.",
        "You block codes for example.org from 1 July 2026 on.",
    ]
    assert lines(alice_phone) == [
        "Codes for example.org may be kept here again.",
        "Codes for example.org may not be kept here from 2 July 2026 on.",
        "Codes for example.org may not be kept here from 1 July 2026 on.",
    ]
    assert not Event.objects.filter(facts__icontains="never in a line").exists()
    assert "Codes for example.org may be kept here again." in text(alice_phone.client.get(LIST))
