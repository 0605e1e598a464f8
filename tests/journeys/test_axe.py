"""Nobody is kept out: axe-core finds nothing on any page, in light and in dark, on a phone and on a computer.

And each control of each page is reached by keyboard alone, and shows that it has the focus.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.http import HttpResponse
from django.shortcuts import render
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page

from accounts.models import Event, SlotKind
from accounts.services import activity
from accounts.services.activity import Tag
from accounts.services.identity import Purpose
from accounts.vault.entry import Kind, Needs, Type
from accounts.vault.list import Protection
from backups.services import ending
from tests import axe, factories, keyboard
from tests.attacks import crawler
from tests.conftest import Faults
from tests.factories import Visitor, create_entry

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
    pytest.mark.timeout(900),
]

WIDTHS, SCHEMES = (360, 1280), ("light", "dark")


@dataclass
class Sight:
    """What somebody sees: answers of the server, each by the address it is shown at; refusals that are alike once."""

    client: Client = field(default_factory=Client)
    answers: dict[str, HttpResponse] = field(default_factory=dict)

    def every(self, values: Mapping[str, Any], *, under: str = "") -> None:
        """Each page that is there, with these values in its address; under a part of the site, or outside staff's."""
        for page in crawler.pages():
            if page.name.startswith("admin:") == bool(under) and page.route.startswith(under):
                self.see(page.address(values))

    def see(self, *addresses: str) -> None:
        """These pages, if there is one to look at."""
        for address in addresses:
            self.keep(address, self.client.get(address))

    def send(self, address: str, **data: str) -> None:
        """What a form answers that was not filled in right."""
        answer = self.client.post(address, data)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        self.keep(f"{address}?sent", answer)

    def keep(self, address: str, answer: HttpResponse) -> None:
        """An answer that is a page."""
        is_page = answer.headers.get("Content-Type", "").startswith("text/html") and b"<html" in answer.content
        alike = answer.status_code >= 400 and answer.status_code in {one.status_code for one in self.answers.values()}
        if is_page and not alike and not answer.has_header("Location"):
            self.answers[address] = answer


def found(page: Page, address: str, answer: HttpResponse, *, whole: bool) -> list[str]:
    """What axe finds at this answer; all rules at each size and colour, or all once and those of colour in the dark."""
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
    page.route(
        re.compile(f"{re.escape(address)}$"),
        lambda route: route.fulfill(status=answer.status_code, headers=headers, body=answer.content),
        times=1,
    )
    page.goto(address)
    wrong = []
    for width in WIDTHS if whole else WIDTHS[:1]:
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            for one in axe.violations(page, colours_alone=scheme == "dark" and not whole):
                wrong.append(f"{width} {scheme}: {one}")
    return wrong + [f"by keyboard {one}" for one in keyboard.faults(page)]


# -- Who sees what ----------------------------------------------------------------------------------------------------


def nobody(sight: Sight, visitor: Visitor) -> None:
    """Who is not signed in; and all pages of errors."""
    sight.client = Client()
    sight.every(crawler.NOBODYS)
    sight.send(reverse("account_login"), login="alice@example.org", password="wrong")
    sight.send(reverse("account_signup"), email="", password1="short")
    for status in (400, 403, 404, 429, 500, 503):
        sight.answers[f"/{status}/"] = render(RequestFactory().get("/"), f"{status}.html", {"reference": "AW-2222-22"})
    sight.answers["/csrf/"] = Client(enforce_csrf_checks=True).post("/")


def elsewhere(sight: Sight, visitor: Visitor) -> None:
    """Who is signed in where the list is not open, with each way into it."""
    for kind in (SlotKind.WORDS, SlotKind.PASSKEY):
        factories.create_key(on=visitor, kind=kind, name="Key")
    sight.client = factories.at_another_browser(visitor).client
    sight.every({**crawler.furnish(visitor), **dict.fromkeys(("held_id", "draft_id"), NOBODY)})
    sight.client = factories.asking(visitor).client
    sight.see(reverse("accounts:open-waiting"))


def new(sight: Sight, visitor: Visitor) -> None:
    """Who has set nothing up, or has an empty list."""
    sight.client = factories.visitor("new@example.org").client
    sight.see("/accounts/", reverse("accounts:start"), reverse("accounts:settings"), reverse("accounts:devices"))
    sight.client = factories.enrolled("empty@example.org", name="Phone", type="android").client
    sight.keep("/empty/", sight.client.get(reverse("accounts:list")))


def at_home(sight: Sight, visitor: Visitor) -> None:
    """Whose list is open, with an account of each kind, and one of everything that has a page."""
    filled(visitor)
    sight.client = visitor.client
    sight.every(crawler.furnish(visitor))
    sight.see(f"{reverse('accounts:list')}?q=git", f"{reverse('accounts:list')}?q=nothing-of-the-kind")
    sight.send(reverse("accounts:add-hand"), label="", secret="?")
    sight.send(reverse("accounts:add-link"), link="nothing")
    visitor.user.hide_codes = visitor.user.compact_rows = visitor.user.group_digits = True
    visitor.user.save()
    sight.keep("/hidden/", visitor.client.get(reverse("accounts:list")))


def backed_up(sight: Sight, visitor: Visitor) -> None:
    """Whose Cloud Backup is on, then to be confirmed, then being deleted; who restores it on a new phone."""
    filled(visitor)
    factories.create_words(on=visitor)
    sight.client = visitor.client
    sight.see(*(f"{address}?proof={factories.proven(visitor)}" for address in (ON, reverse("backups:account"))))
    backup = factories.backed_up(visitor, protection=Protection.KEY)
    factories.create_entry(on=visitor, issuer="Later")
    sight.every(crawler.NOBODYS, under="backups/")
    sight.see(reverse("accounts:list"), reverse("accounts:settings"), reverse("accounts:keys"))
    new = factories.enrolled("alice.new@example.org", name="New phone", type="ios")
    ending.off(backup, device=None, at=timezone.now())
    sight.keep("/deleting/", sight.client.get(reverse("backups:status")))
    proof = factories.proven(new, purpose=Purpose.RESTORE)
    sight.client = new.client
    sight.see(
        f"{reverse('backups:restore-choose')}?proof={proof}", reverse("backups:restore"), reverse("backups:iphone")
    )
    sight.send(reverse("backups:iphone"), icloud_backup="on")


def staff(sight: Sight, visitor: Visitor) -> None:
    """Who administers the server."""
    filled(visitor)
    generation = factories.backed_up(visitor).generations.first()
    values = crawler.furnish(visitor)
    type(visitor.user).objects.update(is_staff=True, is_superuser=True)
    sight.client = visitor.client
    sight.every(values, under="admin/")
    for kind, row in (("accounts/device", visitor.device), ("accounts/event", Event.objects.first())):
        sight.every({**values, "object_id": row.pk}, under=f"admin/{kind}")  # type: ignore[union-attr]
    sight.every({**values, "object_id": generation.pk}, under="admin/backups/generation")  # type: ignore[union-attr]


ON, NOBODY = reverse("backups:on"), crawler.NOBODYS["held_id"]


def filled(visitor: Visitor) -> None:
    """Accounts of each kind and need, and news on top of the list."""
    create_entry(on=visitor, issuer="GitHub", pinned=True, note="A note")
    create_entry(on=visitor, issuer="Counter", type=Type.HOTP)
    create_entry(on=visitor, issuer="Steam", type=Type.STEAM, digits=5)
    create_entry(on=visitor, issuer="Microsoft", kind=Kind.PERSONAL_CODE)
    named: dict[str, Any] = {"secret": None, "type": Type.TOTP}
    create_entry(on=visitor, issuer="Microsoft", name="a@outlook.example", kind=Kind.PERSONAL_PASSWORDLESS, **named)
    for needs in Needs:
        create_entry(
            on=visitor, issuer="Contoso", name=f"{needs}@contoso.example", kind=Kind.WORK, needs=needs, **named
        )
    activity.record(Tag.WORDS_MADE, user=visitor.user, at=timezone.now())


@pytest.mark.parametrize("sees", [nobody, elsewhere, new, at_home, backed_up, staff])
def test_axe_finds_nothing(
    sees: Callable[[Sight, Visitor], None],
    long: bool,
    alice_phone: Visitor,
    context: BrowserContext,
    sign_in: Callable[[BrowserContext, Visitor], None],
    faults: Faults,
) -> None:
    faults.expect("the server responded with a status of|^50[03]: ")
    sight = Sight()
    sees(sight, alice_phone)
    sign_in(context, alice_phone)  # Pages of staff ask for a script that is theirs alone.
    page = context.new_page()

    wrong = {address: found(page, address, answer, whole=long) for address, answer in sight.answers.items()}

    assert {address: one for address, one in wrong.items() if one} == {}


def test_what_keeps_people_out_is_found(page: Page) -> None:
    page.goto(reverse("account_login"))
    nothing = axe.violations(page)

    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img>')")
    page.evaluate("document.querySelector('h1').style.color = '#999'")
    found = axe.violations(page)

    page.evaluate("document.querySelector('main button').style.outline = 'none'")
    page.evaluate("document.querySelector('main a').inert = true")

    assert nothing == []
    assert [one.split(":")[0] for one in keyboard.faults(page)] == ["not reached", "without outline"]
    assert [one.split(":")[0] for one in found] == ["color-contrast", "image-alt"]
    assert [one.split(":")[0] for one in axe.violations(page, colours_alone=True)] == ["color-contrast"]
