"""Script and markup typed into every field: shown as the text it is, and nothing of it runs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import Device, User
from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.services.identity import Purpose
from accounts.vault.entry import Kind, Needs
from accounts.vault.keys import Secret
from backups.models import Backup, RecoveryAccount
from tests import factories
from tests.attacks.payloads import PAYLOADS, batches
from tests.conftest import Faults
from tests.factories import Visitor, create_entry

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = [pytest.mark.row("T29"), pytest.mark.django_db(transaction=True)]

KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
_BY_NAME = {"kind": Kind.WORK, "secret": None, "needs": Needs.SIGN_IN}

# Elements and attributes that no page of ours has: one of them in the document came out of a payload.
FOREIGN = """() => [...document.querySelectorAll([
    'iframe, object, embed, base, math, style, details[ontoggle], meta[http-equiv]',
    'script:not([src]):not([type="application/json"]), [href*="elsewhere"], [src*="elsewhere"]',
    '[href^="javascript:"], [action^="javascript:"], [formaction], img[src="x"], [style]',
    '[onerror], [onload], [onfocus], [onmouseover], [ontoggle], [hx-on\\\\:\\\\:load]',
].join(','))].map((element) => element.outerHTML.slice(0, 200))"""


class Probe:
    """Hears whatever runs."""

    def __init__(self, context: BrowserContext) -> None:
        self.ran: list[str] = []
        self.found: list[str] = []
        context.expose_binding("heard", lambda _source, number: self.ran.append(str(number)))
        context.add_init_script("window.ran = window.alert = window.confirm = (number) => window.heard(number);")

    def look(self, page: Page) -> None:
        """Look at a page as it stands: everything a payload may have made of it."""
        self.found += [f"{page.url}: {html}" for html in page.evaluate(FOREIGN)]


@pytest.fixture
def probe(context: BrowserContext) -> Probe:
    """A probe in the phone's browser."""
    return Probe(context)


def folded(text: str) -> str:
    """White space as a page shows it."""
    return " ".join(text.split())


def test_names_and_sites_of_accounts_are_text(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, probe: Probe
) -> None:
    entries = [
        factories.an_entry(issuer=payload, name=other)
        for payload, other in zip(PAYLOADS, reversed(PAYLOADS), strict=True)
    ]
    vaults.change(
        alice_phone.vault, lambda accounts: accounts.add_many(entries), tag=Tag.ENTRY_ADDED, at=timezone.now()
    )
    sign_in(context, alice_phone)

    page.goto("/accounts/")
    probe.look(page)
    shown = [folded(text) for text in page.locator(".row .issuer").all_text_contents()]
    page.goto("/accounts/order/")
    probe.look(page)

    assert shown == [folded(entry.issuer) for entry in entries]
    assert len(shown) >= 150
    assert (probe.ran, probe.found) == ([], [])


def test_page_of_an_account_and_its_note_are_text(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, probe: Probe
) -> None:
    texts = batches(250)
    for text in texts:
        create_entry(on=alice_phone, issuer=text, name=text[::-1][:200][::-1] + "2", note=text)
    sign_in(context, alice_phone)

    for entry in alice_phone.entries:
        for part in ("", "edit/"):
            page.goto(f"/accounts/{entry.id}/{part}")
            probe.look(page)
        assert page.locator("textarea").input_value() == entry.note
    assert len(texts) < 60
    assert (probe.ran, probe.found) == ([], [])


def test_page_of_an_account_beside_the_list_is_text(
    new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor
) -> None:
    """Where htmx puts it into the page: its attributes in a name are text too."""
    wide = new_context(viewport={"width": 1280, "height": 800})
    probe = Probe(wide)
    texts = batches(250)[::4]
    for text in texts:
        create_entry(on=alice_phone, issuer=text, name=text[:100], note=text)
    sign_in(wide, alice_phone)
    page = wide.new_page()

    page.goto("/accounts/")
    for entry in alice_phone.entries:
        page.locator(f'a[href="/accounts/{entry.id}/"]').first.click()
        expect(page.locator("#account")).to_contain_text(entry.issuer[:60].rstrip())
        probe.look(page)

    assert (probe.ran, probe.found) == ([], [])


def test_trash_and_its_questions_are_text(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, probe: Probe
) -> None:
    entries = [create_entry(on=alice_phone, issuer=text, name=text[:100]) for text in batches(250)[::3]]
    for entry in entries:
        vaults.change(
            alice_phone.vault,
            lambda accounts, id=entry.id: accounts.trash_entry(id, int(timezone.now().timestamp())),
            tag=Tag.ENTRY_TRASHED,
            at=timezone.now(),
        )
    sign_in(context, alice_phone)

    page.goto("/accounts/trash/")
    probe.look(page)
    for entry in entries[:5]:
        page.goto(f"/accounts/trash/{entry.id}/delete/")
        probe.look(page)

    assert (probe.ran, probe.found) == ([], [])


def test_labels_of_links_and_what_is_typed_again_are_text(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, probe: Probe
) -> None:
    sign_in(context, alice_phone)
    lines = [
        f"otpauth://totp/{_passed(payload)}?secret={KEY}&issuer={_passed(other)}"
        for payload, other in zip(PAYLOADS, reversed(PAYLOADS), strict=True)
    ]

    page.goto("/accounts/add/link/")
    page.locator("#id_link").fill("\n".join(lines))
    page.locator("form:has(#id_link) button[type=submit]").click()
    page.wait_for_url(re.compile(r"/accounts/add/[0-9a-f-]{36}/"))
    probe.look(page)
    several = page.locator("main").text_content() or ""
    for text in batches(250)[::3]:
        page.goto("/accounts/add/hand/")
        page.locator("#id_label").fill(text)
        page.locator("#id_secret").fill("0189")
        page.locator("form:has(#id_label) button[type=submit]").click()
        expect(page.locator("#id_label")).to_have_value(text)
        probe.look(page)

    assert sum(folded(payload) in folded(several) for payload in PAYLOADS) > 100
    assert (probe.ran, probe.found) == ([], [])


def _passed(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.replace(":", ";").encode())


def test_search_is_text(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, probe: Probe, live: str
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    sign_in(context, alice_phone)

    for text in batches(1500):
        page.goto(f"/accounts/?q={_passed(text).replace('%3B', '%3A')}")
        probe.look(page)
    page.goto("/accounts/")
    for payload in PAYLOADS[::8]:
        page.locator("input[name=q], input[type=search]").first.fill(payload)
        page.wait_for_timeout(30)
        probe.look(page)

    assert (probe.ran, probe.found) == ([], [])


def test_names_of_devices_are_text_to_their_owner_and_to_staff(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, probe: Probe
) -> None:
    names = [payload for payload in PAYLOADS if len(payload) <= 64]
    at = timezone.now()
    for name in names:
        device = Device.objects.create(
            user=alice_phone.user, name=name, type="ios", verifier=bytes(32), made_at=at, seen_at=at, cookie_sent_at=at
        )
        alice_phone.user.events.create(device=device, device_name=name, tag=Tag.DEVICE_SET_UP, at=at)
    User.objects.update(is_staff=True, is_superuser=True)
    sign_in(context, alice_phone)

    for address in ("/devices/", *(f"/activity/?page={number}" for number in range(1, 5))):
        page.goto(address)
        probe.look(page)
    shown = folded(page.goto("/devices/").text())  # type: ignore[union-attr]
    for device in Device.objects.all()[:8]:
        page.goto(f"/devices/{device.pk}/rename/")
        probe.look(page)
        page.goto(f"/devices/{device.pk}/remove/")
        probe.look(page)
    staff: list[str] = []
    for address in ("/admin/accounts/device/", "/admin/accounts/event/", f"/admin/accounts/device/{device.pk}/change/"):
        page.goto(address)
        staff += [html for html in page.evaluate(FOREIGN) if "ran(" in html or "elsewhere" in html]

    assert len(names) > 140
    assert "<script>ran(" not in shown
    assert (probe.ran, probe.found, staff) == ([], [], [])


@pytest.mark.usefixtures("store", "demo_roles")
def test_what_comes_out_of_a_backup_is_text(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, probe: Probe
) -> None:
    """Sites, names and the device it was made on, on each page of a restore and in what is left of it."""
    device = next(payload for payload in PAYLOADS if 40 < len(payload) <= 64)
    lost = factories.enrolled("alice.before@example.org", name=device, type="ios")
    entries = [
        factories.an_entry(issuer=payload, name=other, **(_BY_NAME if number % 8 == 0 else {}))
        for number, (payload, other) in enumerate(zip(PAYLOADS, reversed(PAYLOADS), strict=True))
    ]
    vaults.change(lost.vault, lambda accounts: accounts.add_many(entries), tag=Tag.ENTRY_ADDED, at=timezone.now())
    create_entry(on=alice_phone, issuer=PAYLOADS[1], name=PAYLOADS[-2], secret=Secret(b"another key of it"))
    factories.backed_up(lost)
    backup = Backup.objects.exclude(stream="").get()
    Backup.objects.filter(pk=backup.pk).update(user=alice_phone.user, vault=None)
    RecoveryAccount.objects.update(user=alice_phone.user)
    computer = factories.enrolled("alice.there@example.org", name="Firefox", type="computer")
    factories.backed_up(computer, who=factories.person(role=factories.role_of_device(lost)))  # So that it is asked.
    proof = factories.proven(alice_phone, purpose=Purpose.RESTORE)
    alice_phone.client.get("/accounts/")
    sign_in(context, alice_phone)

    shown = []
    page.goto(f"/backups/restore/choose/?proof={proof}")
    for button in ("Continue", "Restore", "Finish later"):
        probe.look(page)
        shown.append(folded(page.locator("main").inner_text()))
        heading = page.get_by_role("heading", level=1)
        before = heading.inner_text()
        page.get_by_role("button", name=button).or_(page.get_by_role("link", name=button)).first.click()
        expect(heading).not_to_have_text(before)
    page.wait_for_url("**/restore/report/**")
    for address in (page.url, "/backups/", f"/backups/off/?backup={backup.pk}", "/accounts/"):
        page.goto(address)
        probe.look(page)
        shown.append(folded(page.locator("main").inner_text()))

    assert [folded(device) in text for text in shown[:6]] == [True, True, False, True, True, True]
    assert [sum(folded(payload) in text for payload in PAYLOADS) > 150 for text in shown] == [
        *(False, True, False, True, False, False, True)
    ]
    assert (probe.ran, probe.found) == ([], [])


def test_payload_that_is_not_escaped_is_noticed(
    page: Page, context: BrowserContext, probe: Probe, faults: Faults
) -> None:
    """The control: the same payloads in a page that believes them run, and stand in its document."""
    faults.expect("")
    body = "<!doctype html><body>" + "\n".join(payload for payload in PAYLOADS if "refresh" not in payload)
    context.route("**/believes", lambda route: route.fulfill(body=body, content_type="text/html"))
    context.route("**/elsewhere.example/**", lambda route: route.abort())

    page.goto("/believes")
    page.wait_for_timeout(500)
    probe.look(page)

    assert len(set(probe.ran)) >= 3
    assert len(probe.found) >= 20


def test_there_are_as_many_payloads_as_are_asked_for() -> None:
    assert len(set(PAYLOADS)) >= 150
