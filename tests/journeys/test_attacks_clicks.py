"""Two clicks, two tabs, no script, the way back: each act is done once, and can be taken back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import Device, User, Vault
from accounts.services import vaults
from tests.factories import Visitor, create_entry

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = [pytest.mark.row("T33"), pytest.mark.django_db(transaction=True)]

PHONE = {"width": 360, "height": 740}


def names(visitor: Visitor) -> list[str]:
    """What is in the list."""
    return [entry.name for entry in visitor.entries]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_account_is_moved_to_trash_by_two_clicks_and_back_by_undo(
    script: bool, new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor
) -> None:
    entry = create_entry(on=alice_phone, issuer="GitHub", name="a")
    context = new_context(viewport=PHONE, java_script_enabled=script)
    sign_in(context, alice_phone)
    page = context.new_page()

    page.goto(f"/accounts/{entry.id}/")
    page.get_by_role("button", name="Move to Trash").dblclick()
    expect(page).to_have_url(re.compile(r"/accounts/(#.*)?$"))  # The second click may end the way of the first.
    moved = names(alice_phone)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".row .issuer")).to_have_text("GitHub")

    assert moved == []
    assert names(alice_phone) == ["a"]
    assert len(vaults.read(alice_phone.vault).trash) == 0


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_device_is_removed_and_put_back_with_two_clicks_each(
    script: bool,
    new_context: Callable[..., BrowserContext],
    sign_in: SignIn,
    alice_phone: Visitor,
    alice_elsewhere: Visitor,
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="a")
    context = new_context(viewport=PHONE, java_script_enabled=script)
    sign_in(context, alice_elsewhere)
    page = context.new_page()

    page.goto(f"/devices/{alice_phone.device.pk}/remove/")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Remove").dblclick()
    expect(page).to_have_url(re.compile(r"/devices/$"))
    removed = Device.objects.get().removed_at
    page.get_by_role("button", name="Undo").first.dblclick()
    expect(page).to_have_url(re.compile(r"/devices/$"))
    expect(page.get_by_text("Put back. It opens your list again.").first).to_be_visible()

    assert removed is not None
    assert Device.objects.get().removed_at is None
    assert alice_phone.user.events.filter(tag="devices:device:removed").count() == 1
    assert alice_phone.user.events.filter(tag="devices:device:put_back").count() == 1
    assert names(alice_phone) == ["a"]


def test_two_tabs_that_change_one_list_lose_nothing(
    context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    """Both show the list as it was; one renames, one moves away, each by what it shows."""
    first, second = create_entry(on=alice_phone, name="first"), create_entry(on=alice_phone, name="second")
    sign_in(context, alice_phone)
    one, two = context.new_page(), context.new_page()
    one.goto(f"/accounts/{first.id}/edit/")
    two.goto(f"/accounts/{second.id}/")

    two.get_by_role("button", name="Move to Trash").click()
    two.wait_for_url(re.compile(r"/accounts/(#.*)?$"))
    create_entry(on=alice_phone, name="third")
    one.get_by_label("Account name").fill("renamed")
    one.get_by_role("button", name="Save").click()
    one.wait_for_url(f"**/accounts/{first.id}/")

    assert names(alice_phone) == ["renamed", "third"]
    assert [trashed.entry.name for trashed in vaults.read(alice_phone.vault).trash] == ["second"]


def test_tab_whose_account_was_moved_away_in_another_says_so(
    context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    entry = create_entry(on=alice_phone, name="a")
    sign_in(context, alice_phone)
    one, two = context.new_page(), context.new_page()
    for page in (one, two):
        page.goto(f"/accounts/{entry.id}/")
    one.get_by_role("button", name="Move to Trash").click()
    one.wait_for_url(re.compile(r"/accounts/(#.*)?$"))

    two.get_by_role("button", name="Move to Trash").click()
    two.wait_for_url(re.compile(r"/accounts/(#.*)?$"))

    assert names(alice_phone) == []
    assert [trashed.entry.name for trashed in vaults.read(alice_phone.vault).trash] == ["a"]


def test_undo_in_a_tab_that_is_behind_asks_first(
    context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    entry, kept = create_entry(on=alice_phone, name="a"), create_entry(on=alice_phone, name="b")
    sign_in(context, alice_phone)
    one, two = context.new_page(), context.new_page()
    one.goto(f"/accounts/{entry.id}/")
    one.get_by_role("button", name="Move to Trash").click()
    one.wait_for_url(re.compile(r"/accounts/(#.*)?$"))
    two.goto(f"/accounts/{kept.id}/edit/")
    two.get_by_label("Account name").fill("renamed")
    two.get_by_role("button", name="Save").click()
    two.wait_for_url(f"**/accounts/{kept.id}/")

    one.get_by_role("button", name="Undo").click()
    expect(one.locator("main")).to_contain_text("An account was renamed.")
    before = names(alice_phone)

    assert before == ["renamed"]


def test_way_back_after_finish_adds_nothing_twice(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    User.objects.update(way_back_asked=1)
    sign_in(context, alice_phone)
    page.goto("/accounts/add/link/")
    page.locator("#id_link").fill("otpauth://totp/GitHub:alice?secret=JBSWY3DPEHPK3PXP&issuer=GitHub")
    page.locator("form:has(#id_link) button[type=submit]").click()
    page.get_by_role("button", name="Finish").dblclick()
    page.wait_for_url(re.compile("/accounts/(#.*)?$"))

    page.go_back()
    page.wait_for_load_state()
    page.goto("/accounts/")

    assert names(alice_phone) == ["alice"]
    assert Vault.objects.get().version == 2


def test_signed_out_in_one_tab_is_signed_out_in_the_other_and_its_form_changes_nothing(
    context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    entry = create_entry(on=alice_phone, name="a")
    sign_in(context, alice_phone)
    one, two = context.new_page(), context.new_page()
    one.goto(f"/accounts/{entry.id}/edit/")
    two.goto("/sign-in/logout/")
    two.locator("main form button").first.click()
    two.wait_for_load_state()

    one.get_by_label("Account name").fill("changed")
    one.get_by_role("button", name="Save").click()
    one.wait_for_load_state()

    assert names(alice_phone) == ["a"]
    assert "changed" not in (one.locator("main").text_content() or "")
