"""What people come for, by keyboard alone: each control is reached by Tab, is seen to have the focus, and answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Locator, Page, expect

from accounts.vault.entry import Kind, Needs
from authweb.demo.provider.issuers import ICLOUD, MICROSOFT, Issuer
from authweb.demo.provider.people import PASSWORD
from backups.models import Backup
from tests import factories, keyboard
from tests.demo_provider import Provider
from tests.factories import Visitor
from tests.journeys.test_restore import START, WORDS, lost

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("demo_roles", "store"),
    pytest.mark.timeout(120),
]

LIST = reverse("accounts:list")
KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
MOST = 60  # Who needs more Tabs than this on a page has lost patience.

# WCAG 2.2, 2.4.7 and 2.4.11.
SEEN = f"""control => {{
  const {{x, y, width, height}} = control.getBoundingClientRect();
  const top = document.elementFromPoint(x + width / 2, y + height / 2);
  const covered = !(top && (control.contains(top) || top.contains(control) || control.closest("label")?.contains(top)));
  return [({keyboard.OUTLINED})(control) ? "" : "no outline", covered ? "covered" : ""].filter(Boolean).join(", ");
}}"""


@dataclass(frozen=True, slots=True)
class Keyboard:
    """Somebody without a mouse."""

    page: Page

    def reach(self, control: Locator) -> None:
        """By Tab alone; the control then is seen to have the focus, and nothing lies over it."""
        for _ in range(MOST):
            self.page.keyboard.press("Tab")
            if control.evaluate("one => one === document.activeElement"):
                assert control.evaluate(SEEN) == ""
                return
        raise AssertionError(f"{control} is not reached by {MOST} Tabs at {self.page.url}")

    def press(self, name: str | re.Pattern[str], *, key: str = "Enter") -> None:
        """A button, a link or the switch that is called so."""
        button, link, switch = (
            self.page.get_by_role("button", name=name, exact=True),
            self.page.get_by_role("link", name=name, exact=True),
            self.page.get_by_role("switch", name=name, exact=True),
        )
        self.reach(button.or_(link).or_(switch).first)
        self.page.keyboard.press(key)

    def type(self, label: str, text: str) -> None:
        """Into the field of this label."""
        self.reach(self.page.get_by_label(label, exact=True))
        self.page.keyboard.type(text)

    def choose(self, name: str) -> None:
        """Of a group of radios: its Tab stop, and from there by arrows."""
        wanted = self.page.get_by_role("radio", name=name)
        group = self.page.locator(f'input[name="{wanted.get_attribute("name")}"]')
        checked = group.locator("xpath=self::*[@checked]")
        self.reach(checked if checked.count() else group.first)
        for _ in range(group.count()):
            if wanted.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{name} is not chosen by arrows")

    def answer(self, question: int, answer: str) -> None:
        """A question of the walk through the switches of an iPhone."""
        group = self.page.locator(".segmented").nth(question)
        self.reach(group.get_by_role("radio").first)
        wanted = group.get_by_role("radio", name=answer, exact=True)
        self.page.keyboard.press("Space")
        while not wanted.is_checked():
            self.page.keyboard.press("ArrowRight")

    def heads(self, heading: str) -> None:
        """Wait for a page."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    def sign_in(self, issuer: Issuer, who: str) -> None:
        """At the provider and back."""
        self.press(f"Sign in with {issuer.name}")
        self.type("Address", f"{who}@{issuer.domain}")
        self.type("Password", PASSWORD)
        self.page.keyboard.press("Enter")


@pytest.fixture
def at(new_context: Callable[..., BrowserContext], sign_in: SignIn) -> Callable[..., Keyboard]:
    """`at(visitor, "/accounts/")`: at a page of a browser of 360 px, where bars cover the most."""

    def begun(visitor: Visitor, address: str) -> Keyboard:
        visitor.client.get(LIST)  # The first answer of a browser gives its session a new id.
        context = new_context(viewport={"width": 360, "height": 740})
        sign_in(context, visitor)
        page = context.new_page()
        page.goto(address)
        return Keyboard(page)

    return begun


def test_account_is_added_copied_moved_to_trash_and_put_back(at: Callable[..., Keyboard], alice_phone: Visitor) -> None:
    me = at(alice_phone, LIST)

    me.press(re.compile("^Add account"))
    me.press(re.compile("^Other account"))
    me.press("Account name and secret key")
    me.type("Account name", "GitHub: alice")
    me.type("Secret key", KEY)
    me.page.keyboard.press("Enter")
    me.heads("Confirm new account")
    me.press("Finish")
    me.press("Not now")
    expect(me.page.locator(".row .issuer")).to_have_text("GitHub")
    copied = me.page.get_by_role("button", name=re.compile("^Copy code for GitHub, alice"))
    me.reach(copied)
    me.page.keyboard.press("Enter")
    expect(me.page.locator(".row")).to_contain_text("Copied")
    me.reach(me.page.locator(".row a").first)
    me.page.keyboard.press("Enter")
    me.press("Move to Trash")
    expect(me.page.locator(".row")).to_have_count(0)
    me.press("Undo")
    expect(me.page.locator(".row .issuer")).to_have_text("GitHub")

    assert [entry.issuer for entry in alice_phone.entries] == ["GitHub"]


def test_backup_is_turned_on_and_off_and_undone(
    at: Callable[..., Keyboard], provider: Provider, alice_phone: Visitor
) -> None:
    factories.create_entry(on=alice_phone, issuer="GitHub")
    me = at(alice_phone, reverse("accounts:settings"))

    me.press("Cloud Backup", key="Space")
    for question in range(3):
        me.answer(question, "On")
    me.press("Continue")
    me.heads("Choose the recovery account")
    me.sign_in(ICLOUD, "bob")
    me.heads("Who can open the backup?")
    me.choose("Sign-in only")
    me.press("OK")
    me.heads("Backed up.")
    me.page.goto(reverse("backups:status"))
    me.press("Cloud Backup", key="Space")
    me.heads("Delete this backup?")
    assert me.page.get_by_role("link", name="Cancel").evaluate("one => one === document.activeElement")
    me.press("OK")
    me.press("Undo")
    expect(me.page.get_by_role("heading", name="Backed up.")).to_be_visible()

    assert Backup.objects.get().is_on


def test_lost_phone_is_restored_by_words(at: Callable[..., Keyboard], provider: Provider) -> None:
    lost(provider, words=WORDS)
    me = at(factories.enrolled("alice.new@example.org", name="Pixel 9", type="android"), START)

    me.heads("Restore from backup")
    me.sign_in(MICROSOFT, "bob")
    me.heads("Choose the backup")
    me.choose("Pixel 8")
    me.type("Six words", WORDS)
    me.press("Continue")
    me.heads("2 of 3 will have codes")
    me.reach(me.page.get_by_role("checkbox", name="Nordbank"))
    me.page.keyboard.press("Space")
    me.press("Restore")
    me.heads("Sign in to restore your account")
    me.press("Finish later")
    me.heads("Restored 1 of 3.")
    me.press("Look at your codes")

    expect(me.page.locator(".row .issuer")).to_have_text(["GitHub", "Contoso"])


def test_work_account_is_signed_in_to_from_the_checklist(
    at: Callable[..., Keyboard], provider: Provider, alice_phone: Visitor
) -> None:
    named = {"kind": Kind.WORK, "needs": Needs.SIGN_IN, "secret": None}
    factories.create_entry(on=alice_phone, issuer="Contoso", name="bob@contoso.example", **named)
    me = at(alice_phone, LIST)

    me.press("1 account waits for your sign-in")
    me.heads("Sign in to restore your account")
    me.press("Sign in")
    me.type("Password", PASSWORD)  # The address is filled in.
    me.page.keyboard.press("Enter")
    me.heads("All done")
    me.press("Back to the list")
    expect(me.page.locator("[data-part=again]")).to_have_count(0)

    assert [(entry.name, entry.needs) for entry in alice_phone.entries] == [("bob@contoso.example", None)]


def test_passkeys_are_no_longer_accepted_and_then_again(at: Callable[..., Keyboard], alice_phone: Visitor) -> None:
    me = at(alice_phone, reverse("accounts:settings-sign-in"))

    me.press("Accept passkeys", key="Space")
    me.heads("Stop accepting your passkeys?")
    assert me.page.get_by_role("link", name="Cancel").evaluate("one => one === document.activeElement")
    me.press("Stop accepting")
    me.heads("Passkeys and sign-in")
    alice_phone.user.refresh_from_db()
    stopped = alice_phone.user.passkeys_off
    me.press("Accept passkeys", key="Space")
    expect(me.page.get_by_role("switch", name="Accept passkeys")).to_be_checked()

    alice_phone.user.refresh_from_db()
    assert (stopped, alice_phone.user.passkeys_off) == (True, False)
