"""How an administrator blocks a domain: what is typed, what is shown before it is kept, and who may."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.urls import reverse

from accounts import checks, forms_blocking
from accounts.models import BlockedDomain
from accounts.services.activity import Tag
from accounts.vault.domains import Fault
from tests import factories
from tests.factories import Visitor
from tests.pages import plain

LIST, ADD = reverse("admin:accounts_blockeddomain_changelist"), reverse("admin:accounts_blockeddomain_add")
NOW = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)
RULE = {"domain": "Contoso.com", "from_date": "2026-07-01", "reason": "They stay here.", "contact": "it@contoso.com"}


@pytest.fixture
def desk(db: None) -> Visitor:
    """Who may keep rules and nothing else, signed in a moment ago."""
    return allowed("desk@example.org", "add", "change", "delete", "view")


def allowed(email: str, *acts: str) -> Visitor:
    visitor = factories.visitor(email, is_staff=True)
    codenames = [f"{act}_blockeddomain" for act in acts]
    visitor.user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return visitor


def post(visitor: Visitor, address: str = ADD, **fields: Any) -> HttpResponse:
    with time_machine.travel(NOW, tick=False):
        factories.grown_fresh(visitor)
        return visitor.client.post(address, {**RULE, **fields})


def get(visitor: Visitor, address: str) -> HttpResponse:
    with time_machine.travel(NOW, tick=False):
        return visitor.client.get(address)


def says(answer: HttpResponse) -> str:
    return plain(answer.content.decode().partition('id="content"')[2].partition('id="footer"')[0])


def button(answer: HttpResponse) -> list[str]:
    """What its form is sent by."""
    return re.findall(r'<input type="submit"[^>]* value="([^"]+)"', answer.content.decode())


def reasons(visitor: Visitor) -> list[str]:
    return list(visitor.user.events.filter(tag=Tag.DOMAIN_REFUSED).values_list("facts__fault", flat=True))


def rules() -> list[tuple[str, date]]:
    return list(BlockedDomain.objects.values_list("domain", "from_date"))


@pytest.mark.article("S-61")
def test_whom_a_rule_affects_is_shown_before_it_is_kept(desk: Visitor) -> None:
    for name, devices in (("anna@contoso.com", 2), ("carl@contoso.com", 1)):
        visitor = factories.enrolled(name, name="Phone", type="ios")
        for _more in range(devices - 1):
            factories.with_another_device(visitor, name="Laptop", type="computer")
    factories.removed(factories.enrolled("dora@contoso.com", name="Phone", type="ios"))

    form = get(desk, ADD)
    shown = post(desk)
    kept_by_then = rules()
    done = post(desk, shown="1")

    assert [button(page) for page in (form, shown)] == [["Preview"], ["Save the rule"]]
    assert "Affects 3 people with 3 devices." in says(shown)
    assert "It goes by the names written in accounts: who types another name is not stopped." in says(shown)
    assert "Codes for contoso.com may not be kept here: They stay here. Ask it@contoso.com." in says(shown)
    assert plain(str(shown.context["title"])) == "Block third-party TOTP"
    assert (kept_by_then, done.status_code, done.headers["Location"]) == ([], 302, LIST)
    assert rules() == [("contoso.com", date(2026, 7, 1))]
    assert desk.user.events.get(tag=Tag.DOMAIN_BLOCKED).facts == {"domain": "contoso.com", "day": "2026-07-01"}


@pytest.mark.parametrize(
    ("fields", "reason", "said"),
    [
        ({"domain": ""}, "empty", "Type a domain, as contoso.com."),
        ({"domain": "*.contoso.com"}, "wildcard", "A rule is about one domain, without “*”."),
        ({"domain": "con toso.com"}, "space", "There is a space in it."),
        ({"domain": "alice@contoso.com"}, "at", "This is an e-mail address."),
        ({"domain": "https://contoso.com/"}, "address", "This is an address of a page."),
        ({"domain": "10.0.0.1"}, "ip", "These are the numbers of a machine."),
        ({"domain": "contoso"}, "single", "A domain has a dot, as contoso.com."),
        ({"domain": "a." * 200 + "com"}, "too_long", "This is longer than a domain can be"),
        ({"domain": "a_b.com"}, "unreadable", "This cannot be a domain."),
        ({"from_date": "2026-06-29"}, "past", "29 June 2026 is over. Choose today or a later day."),
        ({"domain": "BÜCHER.example"}, "overlap", "bücher.example is blocked already, from 1 May 2026 on."),
        ({"domain": "xn--bcher-kva.example."}, "overlap", "bücher.example is blocked already, from 1 May 2026 on."),
        ({"reason": ""}, "incomplete", "Fill it in."),
        ({"contact": "it\u202e@contoso.com"}, "incomplete", "There is a character in it that cannot be shown."),
    ],
)
@pytest.mark.parametrize("shown", [{}, {"shown": "1"}], ids=["asked", "said yes"])
def test_rule_that_cannot_be_is_told_why_and_leaves_a_line(
    desk: Visitor, fields: dict[str, str], reason: str, said: str, shown: dict[str, str]
) -> None:
    factories.block("bücher.example", date(2026, 5, 1))

    answer = post(desk, **fields, **shown)

    assert said in says(answer)
    assert reasons(desk) == [reason]
    assert rules() == [("xn--bcher-kva.example", date(2026, 5, 1))]


def test_international_domain_is_kept_in_one_spelling_and_shown_readable(desk: Visitor) -> None:
    shown = post(desk, domain="ＢÜCHER.example")
    post(desk, domain="ＢÜCHER.example", shown="1")

    assert "bücher.example" in says(shown)
    assert "The domain is also written xn--bcher-kva.example." in says(shown)
    assert rules() == [("xn--bcher-kva.example", date(2026, 7, 1))]
    assert "bücher.example" in says(get(desk, LIST))


def test_rule_that_hits_ones_own_address_needs_a_tick(desk: Visitor) -> None:
    own = {"domain": "example.org", "shown": "1"}

    first = post(desk, domain="example.org")
    unsaid = post(desk, **own)
    kept_by_then = rules()
    done = post(desk, **own, own="1")

    assert ["My own address is at example.org" in says(page) for page in (first, unsaid)] == [True, True]
    assert "Tick that it is meant for your own address too, or go back." in says(unsaid)
    assert (kept_by_then, reasons(desk), done.status_code) == ([], ["own"], 302)
    assert rules() == [("example.org", date(2026, 7, 1))]


def test_rule_is_changed_and_deleted_and_keeps_the_day_that_it_has(desk: Visitor) -> None:
    rule = factories.block("contoso.com", date(2026, 5, 1))
    change = reverse("admin:accounts_blockeddomain_change", args=[rule.pk])
    fields = {"domain": "fabrikam.com", "from_date": "2026-05-01", "reason": "Another reason"}

    shown = post(desk, change, **fields)
    post(desk, change, **fields, shown="1")
    past = post(desk, change, from_date="2026-05-02")
    changed = BlockedDomain.objects.get()
    delete = reverse("admin:accounts_blockeddomain_delete", args=[rule.pk])
    post(desk, delete, post="yes")

    assert "Nobody has a verified address there now." in says(shown)
    assert (changed.domain, changed.from_date, changed.reason) == ("contoso.com", date(2026, 5, 1), "Another reason")
    assert "2 May 2026 is over." in says(past)
    assert list(desk.user.events.order_by("pk").values_list("tag", flat=True)) == [
        Tag.DOMAIN_CHANGED,
        Tag.DOMAIN_REFUSED,
        Tag.DOMAIN_FREED,
    ]
    assert rules() == []


def test_what_was_typed_is_there_again_one_step_back(desk: Visitor) -> None:
    shown = post(desk, reason="A&B <b>")

    (back,) = re.findall(r'class="closelink" href="([^"]+)"', shown.content.decode())
    form = get(desk, back.replace("&amp;", "&"))

    assert [form.context["adminform"].form[name].value() for name in ("domain", "reason")] == ["Contoso.com", "A&B <b>"]


@pytest.mark.parametrize("acts", [(), ("view",)])
def test_staff_without_the_permission_keep_no_rule_and_leave_no_line(db: None, acts: tuple[str, ...]) -> None:
    staff, rule = allowed("staff@example.org", *acts), factories.block("contoso.com", date(2026, 7, 1))
    addresses = [reverse(f"admin:accounts_blockeddomain_{act}", args=[rule.pk]) for act in ("change", "delete")]

    answers = [post(staff, address, shown="1", post="yes", domain="*") for address in (ADD, *addresses)]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert (rules(), staff.user.events.count()) == ([("contoso.com", date(2026, 7, 1))], 0)


def test_each_page_of_rules_asks_for_a_fresh_sign_in(desk: Visitor) -> None:
    rule = factories.block("contoso.com", date(2026, 7, 1))
    addresses = [reverse(f"admin:accounts_blockeddomain_{act}", args=[rule.pk]) for act in ("change", "delete")]
    pages = (LIST, ADD, *addresses)
    fresh = [desk.client.get(page).status_code for page in pages]
    factories.grown_stale(desk)

    stale = [desk.client.get(page) for page in pages]
    posted = desk.client.post(ADD, {**RULE, "shown": "1"})

    assert fresh == [200] * 4
    assert [page.headers["Location"].partition("?")[0] for page in stale] == [reverse("account_reauthenticate")] * 4
    assert (posted.status_code != 200, len(rules())) == (True, 1)


def test_check_names_the_fault_without_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    some = {fault: said for fault, said in forms_blocking.FAULTS.items() if fault is not Fault.IP}
    monkeypatch.setattr(checks, "FAULTS", some)

    found = [complaint.msg for complaint in checks.every_fault_of_a_domain_has_a_sentence()]

    assert found == ["No sentence for a domain that is ip."]
