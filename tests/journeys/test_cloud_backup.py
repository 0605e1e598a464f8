"""Cloud Backup as people go through it, at the demo's provider over HTTP: each type of device, each protection.

On, a change, backed up, off, undone, off for good, and on again with another account; and what goes wrong on the way.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, expect

from accounts.models import DeviceType
from accounts.services import vaults
from accounts.vault.list import Protection
from authweb.demo.provider.issuers import ICLOUD, MICROSOFT
from backups.management.commands.tidy import tidy
from backups.models import Backup, Generation
from tests import factories
from tests.backups import support
from tests.demo_provider import OnDevice, Provider
from tests.factories import Visitor

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("demo_roles", "store"),
    pytest.mark.timeout(120),
]

STATUS, ON, LIST = reverse("backups:status"), reverse("backups:on"), reverse("accounts:list")
KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


_ON_TOP = """button => {
  const {x, y, width, height} = button.getBoundingClientRect();
  return document.elementFromPoint(x + width / 2, y + height / 2) === button;
}"""


@dataclass(frozen=True, slots=True)
class Walk(OnDevice):
    """What a person does there to back up."""

    def switch(self) -> None:
        """Touch the switch."""
        self.page.get_by_role("switch", name="Cloud Backup").click()

    def sign_in_as(self, who: str) -> None:
        """At the provider: address and password, and a code where one is asked for."""
        self.provider.sign_in(self.page, self.issuer, who)

    def cancel(self) -> None:
        """At the provider: no."""
        self.provider.cancel(self.page, self.issuer)

    def check_iphone(self) -> None:
        """The walk through the switches of an iPhone: one of them is not seen there, and the Keychain is on."""
        self.heads("Check this iPhone first")
        for group, answer in enumerate(("On", "I do not see it", "On")):
            self.page.locator(".segmented").nth(group).get_by_text(answer, exact=True).click()
        self.press("Continue")

    def choose(self) -> None:
        """On to the provider, on the page where nobody is known yet."""
        self.heads("Choose the recovery account")
        self.press(f"Sign in with {self.issuer.name}")

    def make_words(self) -> None:
        """Six words, on the way through the page of the protection and back to it."""
        self.press("Make six words")
        self.press("Make six words")
        self.heads("Your six words")
        six = self.page.locator(".card .six-word").all_inner_texts()
        for label in self.page.locator(".two-words label").all():
            number = int(re.sub(r"\D", "", label.inner_text()))
            self.page.get_by_label(f"Word {number}", exact=True).fill(six[number - 1])
        self.press("Finish")
        self.heads("Who can open the backup?")
        assert self.page.get_by_role("button", name="OK", exact=True).evaluate(_ON_TOP)  # Its message is not over it.

    def add(self, issuer: str) -> None:
        """An account by hand, with its key."""
        page = self.page
        page.goto(reverse("accounts:add-hand"))
        page.get_by_label("Account name").fill(f"{issuer}: alice")
        page.get_by_label("Secret key").fill(KEY)
        self.press("Finish")
        self.heads("Confirm new account")
        self.press("Finish")
        expect(page.get_by_role("heading", name="Confirm new account")).to_have_count(0)

    def backed_up(self, count: int) -> None:
        """The chip on the list says that this many of as many are backed up; and the store has them."""
        self.page.goto(LIST)
        chip = self.page.locator(".dock .chip")
        expect(chip).to_contain_text("Backed up")
        expect(chip).to_contain_text(f"{count} of {count}")

    def kept(self) -> list[str]:
        """The names of the sites in the newest proven saved state, opened out of the store."""
        backup = Backup.objects.exclude(stream="").get(left_at=None)
        key = vaults.read(self.visitor.vault).backup_keys[0] if backup.protection == Protection.KEY else None
        return sorted(entry.issuer for entry in support.contents(support.newest(backup), key).entries)


@pytest.fixture
def walk(new_context: Callable[..., BrowserContext], sign_in: SignIn, provider: Provider) -> Callable[[str], Walk]:
    """`walk("ios")`: alice at a device of this type, with one account in her list."""

    def begun(type: str) -> Walk:
        visitor = factories.enrolled("alice@example.org", name="Hers", type=type, time_zone="Europe/Berlin")
        factories.create_entry(on=visitor, issuer="First")
        visitor.client.get(LIST)  # The first answer of a browser gives its session a new id.
        width = 1280 if type == DeviceType.COMPUTER else 360
        context = new_context(viewport={"width": width, "height": 740})
        sign_in(context, visitor)
        return Walk(context.new_page(), provider, ICLOUD if type == DeviceType.IOS else MICROSOFT, visitor)

    return begun


@pytest.mark.article("S-10", "allowed")
@pytest.mark.article("S-19")
@pytest.mark.article("S-22")
@pytest.mark.article("S-26")
@pytest.mark.article("S-29")
@pytest.mark.article("S-47")
@pytest.mark.article("S-48")
@pytest.mark.article("S-49", "allowed")
@pytest.mark.parametrize("protection", Protection)
@pytest.mark.parametrize("type", DeviceType.values)
def test_on_changed_off_undone_ended_and_on_again_with_another_account(
    walk: Callable[[str], Walk], type: str, protection: Protection
) -> None:
    alice = walk(type)
    page = alice.page

    # On.
    page.goto(reverse("accounts:settings"))
    alice.switch()
    if type == DeviceType.IOS:
        alice.check_iphone()
    alice.choose()
    alice.sign_in_as("alice")
    alice.heads("Who can open the backup?")
    if protection is Protection.KEY:
        alice.make_words()
        expect(page.get_by_role("radio", name="Sign-in and a key you hold")).to_be_checked()
    assert support.stored() == []  # Nothing is written before "OK".
    alice.press("OK")
    alice.heads("Backed up.")

    # A change, which is backed up by itself.
    alice.add("Second")
    alice.backed_up(2)
    before = Backup.objects.get(left_at=None)
    assert (before.protection, alice.kept()) == (protection, ["First", "Second"])

    # Off, and undone.
    page.goto(STATUS)
    alice.switch()
    alice.heads("Delete this backup?")
    alice.press("OK")
    expect(page.get_by_text("This backup will be deleted on")).to_be_visible()
    page.locator("#backup-status").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Backed up.")).to_be_visible()
    alice.backed_up(2)

    # Off, until its time is over.
    page.goto(STATUS)
    alice.switch()
    alice.press("OK")
    expect(page.get_by_text("This backup will be deleted on")).to_be_visible()
    Backup.objects.update(deletes_at=timezone.now() - timedelta(seconds=1))
    assert tidy(timezone.now()) == []
    page.goto(STATUS)
    expect(page.get_by_role("heading", name="Not backed up.")).to_be_visible()
    assert (support.stored(), Generation.objects.count()) == ([], 0)

    # On again, with another account.
    alice.switch()
    alice.heads("Choose the recovery account")
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Change account")).filter(has_text=_change(alice)).click()
    alice.sign_in_as("bob")
    alice.heads("Who can open the backup?")
    alice.press("OK")
    alice.heads("Backed up.")
    after = Backup.objects.get(left_at=None)
    assert after.recovery_account is not None
    assert (after.recovery_account.label, alice.kept()) == (f"b…@{alice.issuer.domain}", ["First", "Second"])
    assert (after.protection, after.stream != before.stream) == (protection, True)


def _change(walk: Walk) -> re.Pattern[str]:
    """What the button of another account of the same provider reads: alone, or one of several."""
    return re.compile(rf"^\s*Change account(: Sign in with {walk.issuer.name})?\s*$")


def _on(alice: Walk, type: str) -> None:
    """Turned on under bob's account: nobody waits there for a code that was not used yet."""
    alice.page.goto(ON)
    if type == DeviceType.IOS:
        alice.check_iphone()
    alice.choose()
    alice.sign_in_as("bob")
    alice.press("OK")
    alice.heads("Backed up.")


@pytest.mark.article("S-50")
@pytest.mark.article("S-51")
@pytest.mark.article("S-53")
@pytest.mark.parametrize("type", ["ios"])
def test_cancelled_at_the_provider_and_backed_up_in_four_actions(walk: Callable[[str], Walk], type: str) -> None:
    alice = walk(type)
    page = alice.page
    _on(alice, type)
    Backup.objects.update(deletes_at=timezone.now() - timedelta(seconds=1))
    assert tidy(timezone.now()) == []
    page.goto(ON)
    alice.press("Continue")
    alice.cancel()
    alice.heads("Something went wrong")
    ways = [page.get_by_role(role, name=name).count() for role, name in _WAYS]
    assert (ways, support.stored()) == ([1, 1], [])

    alice.press("Continue")  # 1
    alice.sign_in_as("bob")  # 2
    alice.press("OK")  # 3
    alice.heads("Backed up.")

    assert alice.kept() == ["First"]


_WAYS: tuple[tuple[Any, str], ...] = (("button", "Continue"), ("link", "Change account"))


@pytest.mark.article("S-49", "refused")
@pytest.mark.parametrize("type", ["android"])
def test_another_person_than_the_one_of_continue_is_named_and_refused(walk: Callable[[str], Walk], type: str) -> None:
    alice = walk(type)
    _on(alice, type)
    Backup.objects.update(deletes_at=timezone.now() - timedelta(seconds=1))
    assert tidy(timezone.now()) == []
    alice.page.goto(ON)

    alice.press("Continue")
    alice.sign_in_as("alice")

    alice.heads("Something went wrong")
    domain = alice.issuer.domain
    expect(alice.page.get_by_text(f"You signed in as a…@{domain}, not b…@{domain}.")).to_be_visible()
    assert (support.stored(), Generation.objects.count()) == ([], 0)


@pytest.mark.article("S-50")
@pytest.mark.parametrize("type", ["computer"])
def test_store_that_fails_is_told_of_and_heals(walk: Callable[[str], Walk], store: Path, type: str) -> None:
    alice = walk(type)
    page = alice.page
    _on(alice, type)
    aside = store.with_name("aside")
    shutil.move(store, aside)
    store.write_text("not a directory")

    alice.add("Second")
    page.goto(STATUS)
    card = page.locator(".status-card")
    expect(card.get_by_role("heading", name="Something went wrong")).to_be_visible()
    expect(card).to_contain_text("The copy could not be stored.")
    expect(card).to_contain_text("Your list is unchanged.")

    store.unlink()
    shutil.move(aside, store)
    alice.press("Back up")
    alice.backed_up(2)
    assert alice.kept() == ["First", "Second"]
