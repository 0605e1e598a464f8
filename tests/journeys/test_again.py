"""Accounts that a restore brought back by their name, signed in to at the demo's provider over HTTP, one by one."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.vault.entry import Entry, Kind, Needs
from authweb.demo.provider.issuers import CONTOSO, MICROSOFT
from tests import factories
from tests.demo_provider import Provider
from tests.factories import SECRET, Visitor, an_entry

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo_roles"), pytest.mark.timeout(120)]

LIST = reverse("accounts:list")
BOB, OLD = "bob@contoso.example", "old@contoso.example"
PERSONAL, PAT = "bob@outlook.example", "pat@fabrikam.example"
LINK = "otpauth://totp/Whatever:else?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def restored(name: str, **fields: object) -> Entry:
    """An account as a restore brings it back by its name."""
    given = {"issuer": "Contoso", "kind": Kind.WORK, "needs": Needs.SIGN_IN, "secret": None, **fields}
    return an_entry(name=name, **given)


@pytest.fixture
def alice() -> Visitor:
    """Alice at her new phone, after a restore; she needs no way back."""
    visitor = factories.enrolled("alice@example.org", name="Hers", type="android", way_back_asked=9)
    entries = (
        an_entry(issuer="First"),
        restored(BOB),
        restored(PERSONAL, issuer="Microsoft", kind=Kind.PERSONAL_PASSWORDLESS),
        restored(PAT, issuer="Fabrikam University", needs=Needs.SCAN),
        restored(OLD),
    )
    vaults.change(visitor.vault, lambda accounts: accounts.add_many(entries), tag=Tag.ENTRY_ADDED, at=timezone.now())
    visitor.client.get(LIST)  # The first answer of a browser gives its session a new id.
    return visitor


def heads(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def waiting(page: Page) -> list[str]:
    """Which accounts still wait, by their names on the checklist."""
    heads(page, "Sign in to restore your account")
    return page.locator(".again .account-title p").all_inner_texts()


def press(page: Page, name: str, *, of: str) -> None:
    """A button or a link of one account on the checklist."""
    card = page.locator(".again").filter(has_text=of)
    card.get_by_role("button", name=name, exact=True).or_(card.get_by_role("link", name=name, exact=True)).click()


def begun(alice: Visitor, context: BrowserContext, sign_in: SignIn) -> Page:
    """Her list, and from the line over it the checklist."""
    sign_in(context, alice)
    page = context.new_page()
    page.goto(LIST)
    row = page.locator(".row").filter(has_text=BOB)
    expect(row).to_contain_text("Action required")
    expect(row.locator(".code")).to_have_count(0)
    expect(page.locator("[data-part=again]")).to_have_text("4 accounts wait for your sign-in")
    page.locator("[data-part=again] a").click()
    assert waiting(page) == [BOB, PERSONAL, PAT, OLD]
    return page


@pytest.mark.article("S-37")
def test_work_account_is_signed_in_to_and_to_nobody_else(
    alice: Visitor, new_context: Callable[..., BrowserContext], sign_in: SignIn, provider: Provider
) -> None:
    page = begun(alice, new_context(viewport={"width": 360, "height": 740}), sign_in)

    press(page, "Sign in", of=BOB)
    page.wait_for_url(f"{CONTOSO.origin(provider.port)}/**")
    expect(page.get_by_label("Address")).to_have_value(BOB)
    provider.cancel(page, CONTOSO)
    heads(page, "The sign-in was not finished.")
    page.get_by_role("link", name="Back").click()
    assert waiting(page) == [BOB, PERSONAL, PAT, OLD]
    press(page, "Sign in", of=BOB)
    provider.sign_in(page, CONTOSO, "bob")
    assert waiting(page) == [PERSONAL, PAT, OLD]
    expect(page.locator("main .group")).to_contain_text(re.compile(r"bob@contoso\.example\s*Signed in \d\d:\d\d"))

    # Another one is refused to him by name, once more too; its name is kept.
    press(page, "Sign in", of=OLD)
    for again in (True, False):
        provider.sign_in(page, CONTOSO, "bob")
        expect(page.locator("main .lead")).to_have_text("You signed in as b…@contoso.example, not o…@contoso.example.")
        page.locator("main").get_by_text("Try again" if again else "Back", exact=True).click()
    press(page, "Keep the name only", of=OLD)
    page.get_by_role("link", name="Finish later").click()

    expect(page.locator("[data-part=again]")).to_have_text("2 accounts wait for your sign-in")
    _, bob, _, _, old = alice.entries
    assert (bob.needs, bob.secret, bob.identity and bob.identity.role) == (None, None, "entra")
    assert (old.needs, old.identity) == (Needs.KEPT, None)


@pytest.mark.article("S-35")
def test_personal_account_is_signed_in_to_and_a_code_scanned_without_script(
    alice: Visitor, new_context: Callable[..., BrowserContext], sign_in: SignIn, provider: Provider
) -> None:
    page = begun(alice, new_context(java_script_enabled=False), sign_in)

    press(page, "Sign in", of=PERSONAL)
    provider.sign_in(page, MICROSOFT, "bob")
    assert waiting(page) == [BOB, PAT, OLD]
    press(page, "Scan QR code", of=PAT)
    page.get_by_role("link", name="Type a link").click()
    page.locator("#id_link").fill(LINK)
    page.locator("main").get_by_role("button", name="Finish").click()
    heads(page, "Confirm the code")
    page.locator("main").get_by_role("button", name="Finish").click()
    assert waiting(page) == [BOB, OLD]

    _, _, personal, pat, _ = alice.entries
    assert (personal.needs, personal.secret, personal.identity and personal.identity.role) == (None, None, "microsoft")
    assert (pat.needs, pat.identity) == (None, None)
    assert pat.secret is not None
    assert (pat.secret.reveal(), pat.name) == (SECRET, PAT)
