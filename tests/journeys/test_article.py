"""The article, followed by its own words and in its own order, on an iPhone, on an Android phone and on a computer.

Somebody who has read nothing else: menu, "Settings", "Backup", "Cloud Backup", the account, "OK"; deleted, and made
afresh after "Something went wrong"; and on a new device of the same type the three families of accounts come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Locator, expect

from accounts.models import DeviceType, User
from accounts.vault.entry import Kind
from authweb.demo.provider.issuers import ICLOUD, MICROSOFT
from tests import factories
from tests.demo_provider import OnDevice, Provider
from tests.factories import PASSWORD, Visitor

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("demo_roles", "store"),
    pytest.mark.timeout(120),
]

SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0"
# What each device says of itself, and how wide it is.
DEVICES = {
    DeviceType.IOS: (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {SAFARI}", 390, ICLOUD),
    DeviceType.ANDROID: (f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {CHROME} Mobile Safari/537.36", 412, MICROSOFT),
    DeviceType.COMPUTER: (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", 1280, MICROSOFT),
}
CALLED = {
    DeviceType.IOS: "Safari on iPhone",
    DeviceType.ANDROID: "Chrome on Pixel 9",
    DeviceType.COMPUTER: "Chrome on Windows",
}
CHANGES = {DeviceType.ANDROID}  # There the fresh backup goes to another account.
LABELS = {DeviceType.IOS: "iOS", DeviceType.ANDROID: "Android", DeviceType.COMPUTER: "Computer"}


@dataclass(frozen=True, slots=True)
class Reader(OnDevice):
    """Who does what the article says."""

    @property
    def type(self) -> DeviceType:
        """Of the device, and of the one that follows it."""
        assert self.visitor.device is not None
        return DeviceType(self.visitor.device.type)

    def toggle(self) -> Locator:
        """ "Tap the menu, then Settings": under "Backup", the first group there, "Cloud Backup"."""
        page = self.page
        page.goto(reverse("accounts:list"))
        page.get_by_role("link", name="Settings", exact=True).locator("visible=true").first.click()
        self.heads("Settings")
        expect(page.locator("main h2").first).to_have_text("Backup")
        expect(page.locator("h2:text-is('Backup') + .group .cell-title").first).to_have_text("Cloud Backup")
        return page.get_by_role("switch", name="Cloud Backup")

    def select(self, button: str, who: str = "bob") -> None:
        """Select the account where the backup will be stored."""
        self.heads("Choose the recovery account")
        expect(self.page.get_by_text("If you saved the backup to the wrong account, or need to change")).to_be_visible()
        self.page.locator("main").get_by_role("button", name=button).first.click()
        if who:
            self.provider.sign_in(self.page, self.issuer, who)
        else:
            self.provider.cancel(self.page, self.issuer)

    def check_icloud(self) -> None:
        """The steps in the iPhone's own Settings, in the article's order."""
        self.heads("Check this iPhone first")
        steps = [step.split("\n")[0] for step in self.page.locator(".walk > li").all_inner_texts()]
        assert steps[:5] == [
            "In the iPhone's Settings, look for iCloud.",
            "Tap iCloud backup. Is Back Up This iPhone on?",
            "Tap Back.",
            "Under Saved to iCloud, look for Authweb.",
            "Is the Authweb switch on? If it is off, turn it on.",
        ]
        for group in self.page.locator(".segmented").all():
            group.get_by_text("On", exact=True).click()
        self.press("Continue")

    def ok(self) -> None:
        """ "Tap OK"."""
        self.press("OK")
        self.heads("Backed up.")


@pytest.fixture
def opened(new_context: Callable[..., BrowserContext]) -> Callable[[DeviceType], BrowserContext]:
    """A device of this type, with the width and the name of its own."""

    def context(type: DeviceType) -> BrowserContext:
        user_agent, width, _issuer = DEVICES[type]
        return new_context(user_agent=user_agent, viewport={"width": width, "height": 844}, has_touch=width < 500)

    return context


@pytest.fixture
def reader(
    opened: Callable[[DeviceType], BrowserContext],
    sign_in: Callable[[BrowserContext, Visitor], None],
    provider: Provider,
) -> Callable[[DeviceType], Reader]:
    """Alice at a device of this type, with accounts of each family."""

    def begun(type: DeviceType) -> Reader:
        visitor = factories.enrolled("alice@example.org", name="Old device", type=type, time_zone="Europe/Berlin")
        by_name = {"secret": None, "identity": None}
        for issuer, of in (
            ("GitHub", {"kind": Kind.THIRD_PARTY}),
            ("Code only", {"kind": Kind.PERSONAL_CODE}),
            ("Without password", {"kind": Kind.PERSONAL_PASSWORDLESS, **by_name}),
            ("Contoso", {"kind": Kind.WORK, **by_name}),
        ):
            factories.create_entry(on=visitor, issuer=issuer, name="alice", **of)
        visitor.client.get(reverse("accounts:list"))  # The first answer of a browser gives its session a new id.
        context = opened(type)
        sign_in(context, visitor)
        return Reader(context.new_page(), provider, DEVICES[type][2], visitor)

    return begun


@pytest.mark.article("S-18")
@pytest.mark.article("S-44")
@pytest.mark.article("S-45")
@pytest.mark.article("S-48")
@pytest.mark.article("S-52")
@pytest.mark.parametrize("type", DeviceType)
def test_article_is_followed_step_by_step(
    reader: Callable[[DeviceType], Reader], opened: Callable[[DeviceType], BrowserContext], type: DeviceType
) -> None:
    alice = reader(type)
    back_up(alice)
    delete(alice)
    make_afresh_after_something_went_wrong(alice)
    restore_on_a_new_device(alice, opened(type))


def back_up(alice: Reader) -> None:
    """How to back up accounts."""
    alice.toggle().click()
    if alice.type is DeviceType.IOS:
        alice.check_icloud()
    alice.select(f"Sign in with {alice.issuer.name}")
    alice.heads("Who can open the backup?")
    alice.ok()


def delete(alice: Reader) -> None:
    """Under Backup, turn off the Cloud Backup toggle and select OK to delete the backup."""
    alice.toggle().click()
    alice.heads("Delete this backup?")
    alice.press("OK")
    expect(alice.page.get_by_text("This backup will be deleted on")).to_be_visible()


def make_afresh_after_something_went_wrong(alice: Reader) -> None:
    """Turn the toggle on again, and select Continue or Change account to sign in to the correct backup account."""
    alice.toggle().click()
    alice.select("Continue", who="")
    alice.heads("Something went wrong")
    alice.page.get_by_role("link", name="Settings, “Backup”").click()  # As its page says, and so does the article.
    alice.heads("Settings")
    alice.toggle().click()
    if alice.type in CHANGES:
        alice.select("Change account", who="alice")
    else:
        alice.select("Continue")
    alice.heads("Who can open the backup?")
    alice.ok()


def restore_on_a_new_device(alice: Reader, context: BrowserContext) -> None:
    """If you lose your mobile, or get a new device: sign in to restore previously saved accounts."""
    new = Reader(context.new_page(), alice.provider, alice.issuer, alice.visitor)
    page = new.page
    page.goto("/")
    page.get_by_role("link", name="Sign in", exact=True).first.click()
    page.get_by_label("E-mail").fill("alice@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    new.heads("Open your list on this browser")
    new.page.get_by_role("link", name="Restore from backup").click()
    page.get_by_role("link", name="I cannot open it any more").click()
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator("form:has(input[type=password]) button[type=submit]").first.click()
    expect(page.get_by_role("radio", name=LABELS[alice.type])).to_be_checked()
    expect(page.get_by_label("Name")).to_have_value(CALLED[alice.type])
    new.press("Continue")
    new.heads("Restore from backup")
    new.press(f"Sign in with {new.issuer.name}")
    new.provider.sign_in(page, new.issuer, "alice" if alice.type in CHANGES else "bob")
    if alice.type not in CHANGES:  # Nothing is asked where there is one saved state alone.
        new.heads("Choose the backup")
        new.press("Continue")
    new.heads("2 of 4 will have codes")
    new.press("Restore")
    new.heads("Sign in to restore your account")
    for issuer in ("Without password", "Contoso"):
        expect(page.locator("main").get_by_text(issuer).first).to_be_visible()
    page.get_by_role("link", name="Finish later").click()
    new.heads("Restored 2 of 4.")
    page.goto(reverse("accounts:list"))
    rows = page.locator(".row")
    expect(rows.locator(".issuer")).to_have_text(["GitHub", "Code only", "Without password", "Contoso"])
    expect(rows.filter(has_text="Action required")).to_have_count(2)
    expect(rows.locator(".code")).to_have_count(2)
    assert User.objects.get().devices.count() == 2
