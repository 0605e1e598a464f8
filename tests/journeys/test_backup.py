"""Cloud Backup in a browser: on, looked at, off and undone, by the script and without it; narrow, dark and enlarged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import SlotKind
from accounts.vault.list import Protection
from backups.models import Backup, Cause
from backups.services import keeping, switching
from tests import factories
from tests.factories import Visitor

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = pytest.mark.django_db(transaction=True)

STATUS, ON = reverse("backups:status"), reverse("backups:on")


@pytest.fixture(autouse=True)
def _own_store(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    if "backups" in settings.STORAGES:
        store = {**settings.STORAGES["backups"], "OPTIONS": {"location": tmp_path / "backups", "make": True}}
        settings.STORAGES = {**settings.STORAGES, "backups": store}


@pytest.fixture
def android(db: None) -> Visitor:
    """Alice at an Android phone, with two accounts in her list; her zone is known."""
    visitor = factories.enrolled("alice@example.org", name="Pixel 9", type="android", time_zone="Europe/Berlin")
    for name in ("one", "two"):
        factories.create_entry(on=visitor, name=name)
    visitor.client.get(reverse("accounts:list"))  # The first answer of a browser gives its session a new id.
    return visitor


def known(visitor: Visitor) -> Visitor:
    """The same visitor, whose session has the id it keeps."""
    visitor.client.get(reverse("accounts:list"))
    return visitor


@pytest.mark.article("S-19")
@pytest.mark.article("S-22")
@pytest.mark.parametrize("script", [True, False])
def test_on_off_and_undo_with_and_without_script(
    new_context: Callable[..., BrowserContext], sign_in: SignIn, android: Visitor, script: bool
) -> None:
    context = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=script)
    sign_in(context, android)
    page = context.new_page()

    page.goto(reverse("accounts:settings"))
    page.get_by_role("switch", name="Cloud Backup").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose the recovery account")
    page.goto(f"{ON}?proof={factories.proven(android)}")  # As the provider leads back.
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Backed up.")
    page.get_by_role("link", name="See the backup").click()
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Read back and found whole.")).to_be_visible()
    expect(page.get_by_role("switch", name="Cloud Backup")).to_have_attribute("aria-checked", "true")

    page.get_by_role("switch", name="Cloud Backup").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete this backup?")
    if script:
        expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_text("This backup will be deleted on")).to_be_visible()
    page.locator("#backup-status").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Backed up.")).to_be_visible()
    assert Backup.objects.get().is_on


def test_check_by_the_script_moves_nothing_but_the_card(
    context: BrowserContext, sign_in: SignIn, android: Visitor
) -> None:
    factories.backed_up(android)
    sign_in(context, android)
    page = context.new_page()
    page.goto(STATUS)
    page.evaluate("document.body.stayed = true")

    page.get_by_role("button", name="Check now").click()

    expect(page.get_by_role("status").get_by_text("Read back and found whole.")).to_be_visible()
    assert page.evaluate("document.body.stayed") is True


def test_chip_changes_by_a_look_and_the_dot_comes(
    context: BrowserContext, sign_in: SignIn, android: Visitor, settings: Any
) -> None:
    settings.LOOK_EVERY = timedelta(seconds=0.3)
    factories.create_key(on=android, kind=SlotKind.WORDS)
    backup = factories.backed_up(android)
    sign_in(context, android)
    page = context.new_page()
    page.goto(reverse("accounts:list"))
    page.evaluate("document.body.stayed = true")
    chip = page.locator(".dock .chip")
    dot = "getComputedStyle(document.querySelector('.bar .to-settings'), '::after').content"
    expect(chip).to_contain_text("Backed up")
    before = page.evaluate(dot)

    Backup.objects.filter(pk=backup.pk).update(behind_since=timezone.now() - timedelta(minutes=3))
    backup.refresh_from_db()
    keeping.failed(backup, Cause.STORE, at=timezone.now())

    expect(chip).to_have_class("chip chip-danger chip-asks")
    expect(chip).to_contain_text("Not backed up since")
    assert page.evaluate("document.body.stayed") is True
    assert (before, page.evaluate(dot)) == ("none", '""')
    chip.click()
    expect(page.get_by_role("heading", name="Something went wrong")).to_be_visible()


@pytest.mark.article("S-16")
def test_well_of_an_answer_stands_only_where_it_was_given(
    context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    sign_in(context, known(alice_phone))
    page = context.new_page()
    page.goto(ON)
    well = page.get_by_text("A web app is not always listed there.")

    expect(well).to_be_hidden()
    page.get_by_text("I do not see it").nth(1).click()
    expect(well).to_be_visible()
    page.get_by_role("button", name="Continue").click()

    expect(page.locator(".errors")).to_be_focused()
    expect(page.get_by_role("radio", name="I do not see it").nth(1)).to_be_checked()


def _sideways(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize(("width", "height"), [(320, 640), (200, 400), (768, 1000), (1280, 800)])
def test_no_page_is_wider_than_its_screen(
    new_context: Callable[..., BrowserContext], sign_in: SignIn, android: Visitor, width: int, height: int
) -> None:
    factories.create_key(on=android, kind=SlotKind.WORDS)
    off = new_context(viewport={"width": width, "height": height})
    sign_in(off, android)
    page = off.new_page()
    wide = {}
    for address in (STATUS, ON, f"{ON}?proof={factories.proven(android)}"):
        page.goto(address)
        wide[address] = _sideways(page)
    backup = factories.backed_up(android, protection=Protection.KEY)
    reference = switching.not_kept(android.vault, Cause.NO_SIGN_IN, at=timezone.now()).reference
    names = ("status", "account", "protection", "off", "done")
    for address in (*(reverse(f"backups:{name}") for name in names), reverse("backups:problem", args=[reference])):
        page.goto(address)
        wide[address] = _sideways(page)
    Backup.objects.filter(pk=backup.pk).update(deletes_at=timezone.now() + timedelta(hours=1))
    for address in (STATUS, reverse("backups:delete"), reverse("accounts:settings"), reverse("accounts:keys")):
        page.goto(address)
        wide[address] = _sideways(page)

    assert {address: over for address, over in wide.items() if over > 0} == {}
