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

from accounts.models import Event, SlotKind, VaultState
from accounts.services import activity, adding, vaults
from accounts.services.activity import Tag
from accounts.services.identity import Purpose
from accounts.vault.entry import Kind, Needs, Type
from accounts.vault.list import Protection
from accounts.vault.secret import Secret
from authweb.help_pages import TOPICS
from backups.services import ending, fates
from backups.services.fates import Fate
from backups.services.restoring import report_of
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
EVERYBODYS = ("help/", "offline/")


@dataclass
class Sight:
    """What somebody sees: answers of the server, each by the address it is shown at; refusals that are alike once."""

    client: Client = field(default_factory=Client)
    answers: dict[str, HttpResponse] = field(default_factory=dict)

    def every(self, values: Mapping[str, Any], *, under: str = "") -> None:
        """Each page that is there, with these values in its address; under a part of the site, or outside staff's.

        Who is signed in is not shown again what is the same for everybody.
        """
        seen = EVERYBODYS if self.client.cookies else ()
        for page in crawler.pages():
            is_meant = page.name.startswith("admin:") == bool(under) and page.route.startswith(under)
            if is_meant and not page.route.startswith(seen):
                address = page.address(values)
                self.keep(address, self.client.get(address))

    def see(self, *addresses: str) -> None:
        """These pages, which are there."""
        for address in addresses:
            self.keep(address, self.client.get(address))
            assert address in self.answers, f"{address} is no page here"

    def send(self, address: str, **data: str) -> None:
        """What a form answers that was not filled in right."""
        answer = self.client.post(address, data)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        self.keep(f"{address}?sent", answer)

    def keep(self, address: str, answer: HttpResponse) -> None:
        """An answer that is a page."""
        is_page = answer.headers.get("Content-Type", "").startswith("text/html") and b"<html" in answer.content
        alike = answer.status_code >= 400 and _kind(answer) in map(_kind, self.answers.values())
        if is_page and not alike and not answer.has_header("Location"):
            self.answers[address] = answer


def _kind(answer: HttpResponse) -> tuple[int, list[str | None]]:
    """Which page it is, whatever it is about."""
    return answer.status_code, [one.name for one in getattr(answer, "templates", [])][:1]


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
    sight.see(*(reverse("help-page", args=[topic.slug]) for topic in TOPICS))
    sight.send(reverse("account_login"), login="alice@example.org", password="wrong")
    sight.send(reverse("account_signup"), email="", password1="short")
    for asks, code in MAILED.items():
        sight.client = Client()
        sight.client.post(reverse(asks), {"email": visitor.user.email})
        sight.see(reverse(code))
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
    sight.client = factories.at_another_browser(visitor).client
    sight.client.post(reverse("accounts:open-name"), {"name": "Laptop", "type": "computer"})
    sight.see(reverse("accounts:open-words"))


def new(sight: Sight, visitor: Visitor) -> None:
    """Who has set nothing up, or has an empty list."""
    sight.client = factories.visitor("new@example.org").client
    sight.see(reverse("accounts:start"), reverse("accounts:settings"), reverse("accounts:devices"))
    sight.client = factories.enrolled("empty@example.org", name="Phone", type="android").client
    sight.keep("/empty/", sight.client.get(reverse("accounts:list")))
    VaultState.objects.update(sealed=b"\x01" * 4200)
    sight.keep("/damaged/", sight.client.get(reverse("accounts:list")))


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
    sight.send(reverse("accounts:undo", args=[visitor.vault.row.version - 2]))
    sight.see(*(reverse(f"accounts:{name}", args=[NOBODY]) for name in ("add-confirm", "words-confirm")))
    several = "\n".join(f"otpauth://totp/{name}?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR" for name in ("one", "two"))
    sight.see(reverse("accounts:add-confirm", args=[adding.from_text(visitor.vault, several, at=timezone.now())]))
    who = factories.person("alice.new@outlook.example")
    proof = factories.proven(visitor, purpose=Purpose.ACCOUNT_ADD, who=who)
    sight.see(f"{reverse('accounts:add-personal')}?proof={proof}", reverse("accounts:add-signed-in", args=[proof]))
    visitor.user.passkeys_off = True
    visitor.user.save()
    sight.see(reverse("accounts:passkeys-on"))


def backed_up(sight: Sight, visitor: Visitor) -> None:
    """Whose Cloud Backup is on, then to be confirmed, then being deleted; who restores it on a new phone."""
    filled(visitor)
    factories.create_words(on=visitor)
    sight.client = visitor.client
    sight.client.post(reverse("backups:iphone"), WALKED)
    sight.see(ON, f"{ON}?proof={factories.proven(visitor)}")
    backup = factories.backed_up(visitor, protection=Protection.KEY)
    factories.create_entry(on=visitor, issuer="Later")
    sight.see(*(reverse(f"backups:{name}") for name in ("status", "account", "protection", "off", "done")))
    sight.see(f"{reverse('backups:account')}?proof={factories.proven(visitor)}")
    sight.see(reverse("accounts:list"), reverse("accounts:settings"), reverse("accounts:keys"))
    new = factories.enrolled("alice.new@example.org", name="New phone", type="ios")
    ending.off(backup, device=None, at=timezone.now())
    sight.keep("/deleting/", sight.client.get(reverse("backups:status")))
    sight.see(reverse("backups:delete"), reverse("backups:restore-preview", args=[NOBODY]))
    proof = factories.proven(new, purpose=Purpose.RESTORE)
    sight.client = new.client
    sight.see(
        f"{reverse('backups:restore-choose')}?proof={proof}", reverse("backups:restore"), reverse("backups:iphone")
    )
    sight.send(reverse("backups:iphone"), icloud_backup="on")
    sight.client.post(reverse("backups:iphone"), WALKED)
    sight.see(f"{ON}?proof={factories.proven(new)}")
    nothing_to_restore(sight, visitor)


def nothing_to_restore(sight: Sight, visitor: Visitor) -> None:
    """Who signs in where no backup of theirs lies: to another account of theirs, or on a device of another type."""
    tablet = factories.enrolled("alice.tablet@example.org", name="Tablet", type="android")
    for at, label in ((visitor, "alice.other@outlook.example"), (tablet, "alice@outlook.example")):
        who = factories.person(label, role=factories.role_of_device(visitor))
        proof = factories.proven(at, purpose=Purpose.RESTORE, who=who)
        sight.client = at.client
        sight.see(f"{reverse('backups:restore-choose')}?proof={proof}")


def restoring(sight: Sight, visitor: Visitor) -> None:
    """Who restores: every fate that an account can have, tried and then chosen; and what was left out."""
    filled(visitor)
    create_entry(on=visitor, issuer="Fabrikam", name="alice@fabrikam.example")
    factories.block("fabrikam.example")
    new = factories.enrolled("alice.new@example.org", name="New phone", type="ios")
    create_entry(on=new, issuer="Steam", type=Type.STEAM, digits=5)
    create_entry(on=new, issuer="GitHub", secret=Secret(b"another key entirely"))
    trial, held = (crawler.opened(new, vaults.read(visitor.vault), is_trial=is_trial) for is_trial in (True, False))
    rows = fates.preview(new.vault, held, at=timezone.now()).rows
    assert {row.fate for row in rows} == {*Fate} - {Fate.LEFT, Fate.SIGNED_IN}
    sight.client = new.client
    sight.see(*(reverse("backups:restore-preview", args=[one]) for one in (trial, held)))
    sight.see(f"{reverse('backups:restore-choose')}?proof={held}")
    left = next(row for row in rows if row.fate is Fate.CODE)
    chosen = [row.id for row in rows if row is not left]
    new.client.post(reverse("backups:restore-preview", args=[held]), {"chosen": chosen})
    sight.see(reverse("backups:restore-report", args=[report_of(held)]))


def staff(sight: Sight, visitor: Visitor) -> None:
    """Who administers the server."""
    filled(visitor)
    generation = factories.backed_up(visitor).generations.first()
    values = crawler.furnish(visitor)
    type(visitor.user).objects.update(is_staff=True, is_superuser=True)
    sight.client = visitor.client
    sight.every(values, under="admin/")
    rule = factories.block("fabrikam.example")
    rows = {"device": visitor.device, "event": Event.objects.first(), "blockeddomain": rule}
    for kind, row in rows.items():
        sight.every({**values, "object_id": row.pk}, under=f"admin/accounts/{kind}")  # type: ignore[union-attr]
    sight.every({**values, "object_id": generation.pk}, under="admin/backups/generation")  # type: ignore[union-attr]
    own = {"domain": "example.org", "reason": "They stay on the phone", "contact": "it@example.org", "shown": "1"}
    sight.send(reverse("admin:accounts_blockeddomain_add"), from_date=f"{timezone.now():%Y-%m-%d}", **own)


MAILED = {
    "account_reset_password": "account_confirm_password_reset_code",
    "account_request_login_code": "account_confirm_login_code",
}
ON, NOBODY = reverse("backups:on"), crawler.NOBODYS["held_id"]
WALKED = {"icloud_backup": "on", "saved_to_icloud": "unseen", "keychain": "on"}


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


@pytest.mark.parametrize("sees", [nobody, elsewhere, new, at_home, backed_up, restoring, staff])
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
