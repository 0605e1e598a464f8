"""A phone is lost and found again: the list it opens is put aside meanwhile, and kept by the phone itself."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import User
from accounts.services import doors
from tests import factories
from tests.factories import PASSWORD, Visitor, create_entry

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.article("G-32")
def test_lost_phone_gives_way_to_a_new_list_and_found_again_keeps_its_own(
    page: Page,
    new_context: Callable[..., BrowserContext],
    sign_in: Callable[[BrowserContext, Visitor], None],
    alice_phone: Visitor,
) -> None:
    create_entry(on=alice_phone, issuer="GitHub")
    sign_in(page.context, factories.grown_stale(factories.at_another_browser(alice_phone)))
    page.goto("/open/")
    expect(page.get_by_role("link", name="Restore from backup")).to_be_visible()
    page.get_by_role("link", name="Start a separate list").click()

    # Asked once: it cannot be opened any more.
    expect(page.get_by_text("Your list was last open on 'Alice's phone'")).to_be_visible()
    page.get_by_role("link", name="I cannot open it any more").click()
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator("form:has(input[type=password]) button[type=submit]").first.click()
    expect(page.get_by_text("As soon as the new one is begun it is put aside")).to_be_visible()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_text("Computer", exact=True).click()
    page.get_by_role("button", name="Start a new list").click()

    # The new one is empty; the old one is named under Devices.
    page.wait_for_url("**/accounts/")
    expect(page.get_by_role("heading", name="No accounts yet")).to_be_visible()
    page.goto("/devices/")
    expect(page.get_by_text("List of Alice's phone")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^Deleted on .+, unless you keep it\.$"))).to_be_visible()

    # The phone is found: its key opens the list, and keeps it.
    phone = new_context(viewport={"width": 360, "height": 740})
    sign_in(phone, alice_phone)
    found = phone.new_page()
    found.goto("/")
    expect(found.get_by_role("heading", name="The list of 'Alice's phone' is put aside")).to_be_visible()
    expect(found.get_by_text("it holds 1 account.")).to_be_visible()
    found.get_by_role("button", name="Keep it").click()
    found.wait_for_url("**/accounts/")
    expect(found.get_by_text("GitHub").first).to_be_visible()

    # From now on there are two.
    page.reload()
    expect(page.get_by_text("Lists put aside")).to_have_count(0)
    assert {vault.name for vault in doors.lists(User.objects.get())} == {"Alice's phone", "Laptop"}
