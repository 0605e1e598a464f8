"""Keys in a browser: a way back is asked for, one way in is said, a key is removed; all of it without script too."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyotp
import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import KeySlot, SlotKind, User
from tests.factories import Visitor, create_entry, create_key

pytestmark = pytest.mark.django_db(transaction=True)

SignIn = Callable[[BrowserContext, Visitor], None]
LINK = "otpauth://totp/GitHub:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=GitHub"


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def phone(
    request: pytest.FixtureRequest, new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor
) -> Page:
    """Alice's phone, where her list is open."""
    context = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=request.param)
    sign_in(context, alice_phone)
    return context.new_page()


def add(page: Page, link: str) -> None:
    """Add an account by its link, up to the page that asks for the yes."""
    page.goto("/accounts/add/link/")
    page.locator("#id_link").fill(link)
    page.locator("form:has(#id_link) button[type=submit]").click()
    page.wait_for_url(re.compile("/accounts/add/[0-9a-f-]{36}/"))


@pytest.mark.article("G-27")
def test_way_back_is_asked_for_then_remembered_on_the_list(phone: Page, alice_phone: Visitor) -> None:
    page = phone
    add(page, LINK)
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_role("heading", name="Keep a way back")).to_be_visible()
    expect(page.locator(".messages")).to_contain_text("Added.")
    page.get_by_role("button", name="Not now").click()
    page.wait_for_url("**/accounts/")
    assert User.objects.get().way_back_asked == 1

    # From then on the dock says it.
    page.locator(".dock").get_by_role("link", name="One way in").click()
    expect(page.get_by_text("This list opens in this browser only.")).to_be_visible()
    page.get_by_role("link", name="Make six words").click()
    page.wait_for_url("**/keys/words/")

    # Once there are words, it is over.
    create_key(on=alice_phone, kind=SlotKind.WORDS)
    page.goto("/accounts/")
    expect(page.get_by_text("GitHub").first).to_be_visible()
    expect(page.get_by_text("One way in")).to_have_count(0)
    page.goto("/keys/start/")
    expect(page.locator(".choice", has_text="Make six words").locator(".done")).to_be_visible()


@pytest.mark.article("G-27")
def test_keys_are_shown_and_the_last_one_is_removed_knowingly(phone: Page, alice_phone: Visitor) -> None:
    page = phone
    create_key(on=alice_phone, kind=SlotKind.WORDS)
    page.goto("/settings/")
    page.get_by_role("link", name="Keys").click()
    expect(page.get_by_role("heading", name="Keys to your list")).to_be_visible()
    expect(page.get_by_text("Opens this list in any browser")).to_be_visible()

    page.get_by_role("link", name="Remove your words").click()
    expect(page.get_by_text("This is the last key you hold.")).to_be_visible()
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    page.get_by_role("button", name="Remove").click()

    page.wait_for_url("**/keys/")
    expect(page.locator(".messages")).to_contain_text("Removed. Those words no longer open your list.")
    expect(page.get_by_text("This is the only way into your list.")).to_be_visible()
    assert list(KeySlot.objects.values_list("kind", flat=True)) == [SlotKind.BROWSER]


@pytest.mark.article("G-34", "allowed")
def test_own_second_factor_is_added_once_its_recovery_codes_are_saved(phone: Page, alice_phone: Visitor) -> None:
    page, address = phone, reverse("mfa_activate_totp")
    alice_phone.client.get(address)
    secret = str(alice_phone.client.session["mfa.totp.secret"])
    alice_phone.client.post(address, {"code": pyotp.TOTP(secret).now()})
    add(page, f"otpauth://totp/Authweb:me?secret={secret}")

    expect(page.get_by_text("This is the code you sign in to Authweb with.")).to_be_visible()
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    page.get_by_role("button", name="Finish").click()
    expect(page.locator(".errors")).to_contain_text("Save the recovery codes outside Authweb, then tick this.")
    page.get_by_label("I have saved them outside Authweb").check()
    page.get_by_role("button", name="Finish").click()

    page.wait_for_url("**/keys/start/")
    assert [entry.name for entry in alice_phone.entries] == ["me"]


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_one_way_in_has_its_place_at_every_width(
    new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor, width: int
) -> None:
    create_entry(on=alice_phone)
    context = new_context(viewport={"width": width, "height": 740})
    sign_in(context, alice_phone)
    page = context.new_page()
    page.goto("/accounts/")

    chips = [chip for chip in page.locator(".chip").all() if chip.is_visible()]
    box = chips[0].bounding_box()

    assert len(chips) == 1
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert 44 <= box["height"] <= 64
    assert page.evaluate("document.documentElement.scrollWidth") <= width
