"""Accounts by sign-in as people add them, at the demo's provider over HTTP: personal, and of work or school."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, FilePayload, Page, expect

from accounts.models import IdentityProof
from accounts.vault import otp
from accounts.vault.entry import Entry, Identity, Kind
from authweb.demo.provider import people
from authweb.demo.provider.issuers import CONTOSO, MICROSOFT, Issuer
from backups.portions import carried
from tests import factories, pictures
from tests.demo_provider import Provider
from tests.factories import SECRET, Visitor

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo_roles"), pytest.mark.timeout(120)]

LIST = reverse("accounts:list")
LINK = "otpauth://totp/Whatever:else?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@dataclass(frozen=True, slots=True)
class Walk:
    """Alice at a page of the browser that holds her list."""

    page: Page
    provider: Provider
    visitor: Visitor

    def press(self, name: str) -> None:
        """A button or a link whose words begin so, in the page's own part."""
        main, begins = self.page.locator("main"), re.compile(f"^{re.escape(name)}")
        main.get_by_role("button", name=begins).or_(main.get_by_role("link", name=begins)).click()

    def heads(self, text: str) -> None:
        """Wait for the page that is called so."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(text)

    def reads(self, text: str) -> None:
        """The page says so, where it can be seen."""
        expect(self.page.locator("main").get_by_text(text)).to_be_visible()

    def add(self, family: str) -> None:
        """From the list to one of the three families."""
        self.page.goto(LIST)
        self.page.get_by_role("link", name="Add account").click()
        families = ["Personal account", "Work or school account", "Other account (Google, Facebook, etc.)"]
        expect(self.page.locator(".choice-title")).to_have_text(families)
        self.press(family)

    def row(self, name: str) -> str:
        """What the list says of the account of this name."""
        self.page.wait_for_url(f"**{LIST}**")
        return " ".join(self.page.locator(".row").filter(has_text=name).inner_text().split())

    def is_cancelled_at(self, issuer: Issuer) -> None:
        """No at the provider: one sentence, nothing is added, and a way back to where it was begun."""
        self.provider.cancel(self.page, issuer)
        self.heads("The sign-in was not finished.")
        expect(self.page.locator("main .lead")).to_have_text(f"You cancelled at {issuer.name}.")
        assert (self.added(), IdentityProof.objects.get().state) == ((), "failed")
        self.press("Back")

    def added(self) -> tuple[Entry, ...]:
        """What is in the list beside its first account."""
        return self.visitor.entries[1:]


@pytest.fixture
def walk(new_context: Callable[..., BrowserContext], sign_in: SignIn, provider: Provider) -> Callable[[bool], Walk]:
    """`walk(script)`: alice at her phone; there is one account in her list, and she needs no way back."""

    def begun(script: bool = True) -> Walk:
        visitor = factories.enrolled("alice@example.org", name="Hers", type="android", way_back_asked=2)
        factories.create_entry(on=visitor, issuer="First")
        visitor.client.get(LIST)  # The first answer of a browser gives its session a new id.
        context = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=script)
        sign_in(context, visitor)
        return Walk(context.new_page(), provider, visitor)

    return begun


def stands_for(provider: Provider, issuer: Issuer, who: str) -> Identity:
    """Whom an account must be tied to: the issuer by its own name, and the number that does not change."""
    person = people.find(issuer, email=f"{who}@{issuer.domain}")
    assert person is not None
    return Identity(issuer.role, issuer.named(provider.port), person.oid)


def today() -> str:
    return f"{timezone.localtime():%-d %B}"


@pytest.mark.article("S-31")
@pytest.mark.article("S-36")
def test_work_account_stands_in_the_list_under_its_sign_in_name_and_once(walk: Callable[[bool], Walk]) -> None:
    alice = walk(True)
    alice.add("Work or school account")
    alice.reads("Kept in backups by name only.")
    alice.press("Sign in")
    alice.is_cancelled_at(CONTOSO)
    alice.heads("Work or school account")
    alice.press("Sign in")
    alice.provider.sign_in(alice.page, CONTOSO, "bob")

    alice.heads("Confirm new account")
    alice.reads("Name only in backups.")
    assert alice.added() == ()  # Nothing before "Finish".
    alice.press("Finish")

    assert alice.row("bob@contoso.example") == f"C Contoso bob@contoso.example Signed in {today()}"
    (entry,) = alice.added()
    assert (entry.kind, entry.secret) == (Kind.WORK, None)
    assert entry.identity == stands_for(alice.provider, CONTOSO, "bob")

    # Once more: it is known by its number, and named.
    alice.add("Work or school account")
    alice.press("Sign in")
    alice.provider.sign_in(alice.page, CONTOSO, "bob")
    alice.heads("Already in your list")
    alice.reads("You signed in to this account before. Nothing is added.")
    expect(alice.page.locator("main .cell-text")).to_have_text("Contosobob@contoso.example")
    alice.press("Back to the list")
    alice.row("bob@contoso.example")
    assert alice.added() == (entry,)


@pytest.mark.article("S-32")
@pytest.mark.article("S-33")
def test_personal_account_with_a_code_takes_it_from_a_picture(walk: Callable[[bool], Walk]) -> None:
    alice = walk(True)
    page = alice.page
    alice.add("Personal account")
    alice.provider.sign_in(page, MICROSOFT, "bob")
    alice.press("No, with a code only")

    alice.reads("The code of bob@outlook.example:")
    qr: FilePayload = {"name": "qr.png", "mimeType": "image/png", "buffer": pictures.of(LINK)}
    expect(page.locator("#id_pictures")).to_be_hidden()  # The script that sends it at once is there.
    page.locator("#id_pictures").set_input_files(qr)
    alice.heads("Confirm new account")
    alice.reads("Check this code at the site now.")
    alice.reads("In a backup: name and code.")
    assert alice.added() == ()
    alice.press("Finish")

    row = alice.row("bob@outlook.example")
    (entry,) = alice.added()
    assert row.startswith(f"M Microsoft bob@outlook.example Signed in {today()} ")
    shown, now = page.locator(f"#account-{entry.id} .code").inner_text().replace("\n", ""), int(time.time())
    assert shown in [otp.code_at(entry, moment) for moment in (now - 30, now)]  # The page is of a moment ago.
    expect(page.locator("svg[data-ring='30'] text:visible")).to_have_text(re.compile(r"^([1-9]|[12]\d|30)$"))
    assert (entry.kind, entry.identity) == (Kind.PERSONAL_CODE, stands_for(alice.provider, MICROSOFT, "bob"))
    assert entry.secret is not None
    assert entry.secret.reveal() == SECRET
    assert carried(entry).secret == entry.secret


@pytest.mark.article("S-34")
def test_personal_account_without_a_password_is_kept_by_its_name_without_script_too(
    walk: Callable[[bool], Walk],
) -> None:
    alice = walk(False)
    alice.add("Personal account")
    alice.is_cancelled_at(MICROSOFT)
    alice.heads("Add account")
    alice.press("Personal account")
    alice.provider.sign_in(alice.page, MICROSOFT, "bob")

    alice.heads("Does it also sign in without a password?")
    alice.reads("You signed in as bob@outlook.example. Nothing is added yet.")
    alice.press("Yes, without a password too")
    alice.heads("Confirm new account")
    alice.reads("Name only in backups.")
    assert alice.added() == ()
    alice.press("Finish")

    assert alice.row("bob@outlook.example") == f"M Microsoft bob@outlook.example Signed in {today()}"
    (entry,) = alice.added()
    assert (entry.kind, entry.secret) == (Kind.PERSONAL_PASSWORDLESS, None)
    assert entry.identity == stands_for(alice.provider, MICROSOFT, "bob")
    alice.page.get_by_role("link", name="bob@outlook.example").click()
    alice.reads("In a backup: name only.")
