"""A laptop asks and a phone answers: two browsers, with script and without."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import Device, KeySlot, SlotKind
from tests import factories
from tests.factories import PASSWORD, Visitor, create_entry

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.article("G-26")]

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"
Contexts = Callable[..., BrowserContext]
SignIn = Callable[[BrowserContext, Visitor], None]


@pytest.fixture
def two(
    new_context: Contexts, sign_in: SignIn, alice_phone: Visitor, request: pytest.FixtureRequest
) -> tuple[Page, Page]:
    """The laptop at the doors of alice's list, and her phone, where it is open. Both run scripts, or none."""
    create_entry(on=alice_phone, issuer="Site of alice")
    scripted = getattr(request, "param", True)
    laptop = new_context(user_agent=FIREFOX, viewport={"width": 1280, "height": 800}, java_script_enabled=scripted)
    phone = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=scripted)
    sign_in(laptop, factories.at_another_browser(alice_phone))
    sign_in(phone, factories.grown_stale(alice_phone))
    pages = laptop.new_page(), phone.new_page()
    pages[0].goto("/accounts/")
    return pages


both = pytest.mark.parametrize("two", [True, False], ids=["with script", "without script"], indirect=True)


def ask(laptop: Page) -> str:
    """Ask, and read the letters."""
    laptop.get_by_role("button", name="Approve on Alice's phone").click()
    expect(laptop.get_by_role("heading", name="Waiting for Alice's phone")).to_be_visible()
    shown = laptop.locator(".letters-shown span").all_inner_texts()
    assert [bool(re.fullmatch("[A-HJ-NP-Z]{4}", half)) for half in shown] == [True, True]
    return " ".join(shown)


def look(phone: Page) -> None:
    """Find the request under Devices, and sign in again before it is shown."""
    phone.goto("/devices/")
    expect(phone.get_by_role("heading", name="Firefox on Windows asks to open your list")).to_be_visible()
    phone.get_by_role("link", name="Look at the request").click()
    phone.get_by_label("Password").fill(PASSWORD)
    phone.locator("main button[type=submit]").first.click()
    expect(phone.get_by_text("From the same network as this device")).to_be_visible()


def answered(laptop: Page, *, without_script: bool) -> None:
    """By itself, or by its button."""
    if without_script:
        laptop.get_by_role("button", name="Look again").click()


@both
def test_laptop_joins_by_approval(two: tuple[Page, Page], request: pytest.FixtureRequest) -> None:
    laptop, phone = two
    without_script = "without" in request.node.callspec.id

    letters = ask(laptop)
    look(phone)
    phone.get_by_label("Type the eight letters that the new browser shows").fill(letters.lower())
    phone.get_by_role("button", name="Approve").click()
    expect(phone.get_by_role("heading", name="Firefox on Windows has your list now.")).to_be_visible()
    answered(laptop, without_script=without_script)

    laptop.wait_for_url("**/accounts/")
    expect(laptop.get_by_text("Site of alice").first).to_be_visible()
    assert KeySlot.objects.filter(kind=SlotKind.BROWSER).count() == 2
    phone.get_by_role("link", name="Remove Firefox on Windows").click()
    expect(phone.get_by_role("heading", name="Remove 'Firefox on Windows'?")).to_be_visible()


@both
def test_laptop_is_refused(two: tuple[Page, Page], request: pytest.FixtureRequest) -> None:
    laptop, phone = two
    without_script = "without" in request.node.callspec.id

    ask(laptop)
    look(phone)
    phone.get_by_role("button", name="Refuse").click()
    expect(phone.get_by_text("Refused. If this was not you, change your password.")).to_be_visible()
    answered(laptop, without_script=without_script)

    expect(laptop.get_by_text("Refused on Alice's phone.")).to_be_visible()
    laptop.get_by_role("button", name="Ask again").click()
    expect(laptop.get_by_role("heading", name="Waiting for Alice's phone")).to_be_visible()
    assert [Device.objects.enrolled().count(), KeySlot.objects.filter(kind=SlotKind.APPROVAL).count()] == [1, 1]


def test_enter_in_the_field_approves_and_other_letters_are_told(two: tuple[Page, Page]) -> None:
    laptop, phone = two

    letters = ask(laptop)
    look(phone)
    field = phone.get_by_label("Type the eight letters that the new browser shows")
    field.fill("AAAA AAAA")
    field.press("Enter")
    expect(phone.locator(".field-error")).to_have_text(re.compile("These are not the letters of this request."))
    field.fill(letters)
    field.press("Enter")

    expect(phone.get_by_role("heading", name="Firefox on Windows has your list now.")).to_be_visible()
    laptop.wait_for_url("**/accounts/")
