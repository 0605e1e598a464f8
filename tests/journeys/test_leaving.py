"""Leaving, in a real browser: every page says the day, one click undoes it; and once it has come, nobody is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import User
from backups.management.commands import tidy
from tests.factories import PASSWORD, Visitor, create_entry

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.article("G-29"), pytest.mark.row("T47")]
STRIP = "Your Authweb account will be deleted on"


def ask(page: Page) -> None:
    """From the settings to the yes."""
    page.goto(reverse("accounts:settings"))
    page.get_by_role("link", name="Delete your Authweb account").click()
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    page.get_by_label("I have moved my accounts, or need none of them.").check()
    page.get_by_role("button", name="Delete your Authweb account").click()
    expect(page.get_by_text(STRIP)).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_account_deleted_and_undone(
    new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor, script: bool
) -> None:
    create_entry(on=alice_phone, name="alice@site.example")
    context = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=script)
    sign_in(context, alice_phone)
    page = context.new_page()
    ask(page)
    expect(page.get_by_text("alice@site.example")).to_be_visible()
    expect(page.get_by_role("link", name="Add account")).to_have_count(0)
    for address in ("devices/", "settings/", "activity/", "settings/sign-in/", "sign-in/email/"):
        page.goto(f"/{address}")
        expect(page.get_by_text(STRIP)).to_be_visible()

    page.goto(reverse("accounts:add-other"))
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()

    expect(page.get_by_text("Undone. Your Authweb account stays.")).to_be_visible()
    expect(page.get_by_text(STRIP)).to_have_count(0)
    expect(page.get_by_role("link", name="Add account").first).to_be_visible()
    assert User.objects.get().deletes_at is None


def test_account_deleted_and_the_day_comes(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    create_entry(on=alice_phone, name="alice@site.example")
    sign_in(context, alice_phone)
    ask(page)

    failed = tidy.tidy(timezone.now() + timedelta(hours=24, minutes=1))
    page.goto(reverse("accounts:list"))
    page.get_by_label("E-mail").fill("alice@example.org")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main button[type=submit]").first.click()

    assert failed == []
    expect(page.get_by_text("That is not the right address and password.").first).to_be_visible()
    assert not User.objects.exists()
