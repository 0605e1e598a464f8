"""A restore as people go through it, at the demo's provider over HTTP: each loss there is, each key they can hold."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, expect

from accounts.models import DeviceType
from accounts.roles import Role
from accounts.services.identity import Identity
from accounts.vault import otp
from accounts.vault.entry import Kind, Needs
from accounts.vault.keys import Secret
from accounts.vault.list import Protection
from authweb.demo.provider.issuers import ICLOUD, MICROSOFT
from backups.models import Backup, Generation, RecoveryAccount
from backups.services import switching
from tests import factories
from tests.conftest import Faults
from tests.demo_provider import OnDevice, Provider, Somebody
from tests.factories import Visitor
from tests.journeys.test_passkey_key import Touch, add

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("demo_roles", "store"),
    pytest.mark.timeout(120),
]

LIST, START = reverse("accounts:list"), reverse("backups:restore")
WORDS = "correct horse battery staple dolphin anvil"


@dataclass(frozen=True, slots=True)
class At(OnDevice):
    """What a person does there to restore."""

    def says(self, text: str | re.Pattern[str]) -> None:
        """Wait for a sentence on the page."""
        expect(self.page.locator("main")).to_contain_text(text)

    def sign_in(self) -> None:
        """At the provider and back, as bob: nobody waits there for a code that was not used yet."""
        self.press(f"Sign in with {self.issuer.name}")
        self.provider.sign_in(self.page, self.issuer, "bob")

    def start(self) -> None:
        """From the start to the provider and back."""
        self.page.goto(START)
        self.heads("Restore from backup")
        self.sign_in()

    def choose(self) -> None:
        """On to the page of the choice."""
        self.start()
        self.heads("Choose the backup")

    def lists(self, *issuers: str) -> None:
        """The sites of the list, in their order, each with the code that its key gives."""
        self.page.goto(LIST)
        expect(self.page.locator(".row .issuer")).to_have_text(list(issuers))


@pytest.fixture
def at(new_context: Callable[..., BrowserContext], sign_in: SignIn, provider: Provider) -> Callable[..., At]:
    """`at("alice@example.org", "Pixel 8", "android")`: somebody new, at a device of this type."""

    def begun(email: str, name: str, type: str) -> At:
        visitor = factories.enrolled(email, name=name, type=type, time_zone="Europe/Berlin")
        visitor.client.get(LIST)  # The first answer of a browser gives its session a new id.
        context = new_context(viewport={"width": 1280 if type == DeviceType.COMPUTER else 360, "height": 740})
        sign_in(context, visitor)
        return At(context.new_page(), provider, ICLOUD if type == DeviceType.IOS else MICROSOFT, visitor)

    return begun


def lost(provider: Provider, *, words: str = "", type: str = "android") -> Visitor:
    """Alice's device, which is gone, and her list with it: backed up under bob's account there."""
    visitor = factories.enrolled("alice@example.org", name="iPhone" if type == "ios" else "Pixel 8", type=type)
    filled(visitor)
    if words:
        factories.create_words(on=visitor, words=words)
    backed_up(visitor, provider, Protection.KEY if words else Protection.SIGN_IN)
    return visitor


def backed_up(visitor: Visitor, provider: Provider, protection: Protection) -> None:
    claims = Somebody(provider, MICROSOFT).ask(prompt="login").sign_in("bob").claims()
    uid, label = claims.get("oid", claims["sub"]), claims["preferred_username"]
    who = Identity(Role.MICROSOFT, claims["iss"], uid, label, timezone.now())
    switching.turn_on(visitor.vault, who, protection, at=timezone.now())


def without_records(visitor: Visitor) -> None:
    """The database is gone; there is the store, and there are the server's keys."""
    for model in (Generation, Backup, RecoveryAccount):
        model.objects.all().delete()
    visitor.user.delete()


def filled(visitor: Visitor) -> None:
    """Two accounts with a code and one of work."""
    factories.create_entry(on=visitor, issuer="GitHub", name="alice")
    factories.create_entry(on=visitor, issuer="Nordbank", name="Giro")
    work = {"kind": Kind.WORK, "secret": None, "needs": Needs.SIGN_IN}
    factories.create_entry(on=visitor, issuer="Contoso", name="alice@contoso.example", **work)


@pytest.mark.article("S-04")
@pytest.mark.article("S-05")
@pytest.mark.article("S-35")
@pytest.mark.parametrize("loss", ["phone", "database"])
def test_lost_phone_with_sign_in_only_and_database_gone(at: Callable[..., At], provider: Provider, loss: str) -> None:
    old = lost(provider)
    keys = [entry.secret for entry in old.entries]
    if loss == "database":
        without_records(old)
    new = at("alice.new@example.org", "Pixel 9", "android")

    new.start()  # 1, 2
    if loss == "database":
        new.heads("Choose the backup")
        new.says("Pixel 8")
        new.says("The server's records are new. Choose the backup you recognise.")
        new.press("Continue")  # 3
    new.heads("2 of 3 will have codes")  # The only one there is was opened at once.
    assert new.visitor.entries == ()
    new.press("Restore")  # 4
    new.heads("Sign in to restore your account")  # 5
    new.page.get_by_role("link", name="Finish later").click()
    new.heads("Restored 2 of 3.")  # 6

    new.says("Action required: sign in")
    new.lists("GitHub", "Nordbank", "Contoso")
    assert [entry.secret for entry in new.visitor.entries] == keys


def test_new_phone_by_words_after_wrong_ones_and_a_cancelled_sign_in(
    at: Callable[..., At], provider: Provider, faults: Faults
) -> None:
    lost(provider, words=WORDS)
    new = at("alice.new@example.org", "Pixel 9", "android")
    new.page.goto(START)
    new.press(f"Sign in with {MICROSOFT.name}")
    new.provider.cancel(new.page, MICROSOFT)
    new.says("You cancelled at")
    new.press("Try again")
    new.provider.sign_in(new.page, MICROSOFT, "bob")
    new.heads("Choose the backup")

    # Where the answer takes longer than a second, a sentence says what is waited for.
    new.page.route("**/restore/choose/", lambda route: None)
    expect(new.page.get_by_text("Opening the backup…")).to_be_hidden()
    new.press("Continue")
    expect(new.page.get_by_text("Opening the backup…")).to_be_visible()
    new.page.unroute_all()
    new.page.reload()

    # What does not come through may have been judged: it is not sent twice, the page is asked for anew.
    faults.expect(r"^console: (htmx:|Failed to load resource)")
    new.page.route(
        "**/restore/choose/",
        lambda route: route.abort() if "hx-request" in route.request.headers else route.continue_(),
    )
    sent: list[str] = []
    new.page.on("request", lambda request: sent.append(request.method) if "/choose/" in request.url else None)
    with new.page.expect_navigation():
        new.press("Continue")
    assert sent == ["POST", "GET"]
    new.page.unroute_all()

    # The field stands in the card that is chosen.
    words = new.page.get_by_role("textbox", name="Six words")
    expect(new.page.locator(".choice-card:has(:checked)").get_by_role("textbox")).to_be_visible()
    words.fill("six words that are not the ones")
    new.press("Continue")
    new.says(re.compile(r"Those are not the words of this backup\. 9 tries left until"))
    expect(words).to_be_focused()  # The answer came in the place of the cards.
    expect(new.page.locator(".choice-card:has(:checked)").get_by_role("textbox")).to_be_visible()
    words.fill(WORDS.upper())
    new.press("Continue")
    new.heads("2 of 3 will have codes")
    new.press("Restore")

    new.heads("Sign in to restore your account")
    new.lists("GitHub", "Nordbank", "Contoso")


@pytest.mark.article("S-04")
@pytest.mark.article("S-05")
def test_whole_restore_without_script(
    new_context: Callable[..., BrowserContext], sign_in: SignIn, provider: Provider
) -> None:
    old = lost(provider, words=WORDS)
    visitor = factories.enrolled("alice.new@example.org", name="Pixel 9", type="android")
    visitor.client.get(LIST)  # The first answer of a browser gives its session a new id.
    context = new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    sign_in(context, visitor)
    new = At(context.new_page(), provider, MICROSOFT, visitor)

    new.choose()  # 1, 2
    new.says("Opens with your six words")
    new.page.get_by_role("textbox", name="Six words").fill(WORDS)
    new.press("Continue")  # 3
    new.heads("2 of 3 will have codes")
    new.page.get_by_role("checkbox", name="Nordbank").uncheck()
    new.press("Restore")  # 4
    new.heads("Sign in to restore your account")  # 5
    new.press("Keep the name only")
    new.press("Continue")
    new.heads("Restored 2 of 3.")  # 6
    new.says("You left it out. The backup still has it.")
    new.press("Look at your codes")

    # The page tells the code, which may have become the next one meanwhile.
    expect(new.page.locator(".row .issuer")).to_have_text(["GitHub", "Contoso"])
    shown = new.page.locator(".row").filter(has_text="GitHub").locator(".code").inner_text()
    github, now = old.entries[0], int(time.time())
    assert "".join(shown.split()) in {otp.code_at(github, moment) for moment in (now - 30, now)}
    assert [(entry.issuer, entry.secret) for entry in visitor.entries] == [("GitHub", github.secret), ("Contoso", None)]


@pytest.mark.row("T45")
def test_words_forgotten_passkey_there_and_database_gone(
    at: Callable[..., At], provider: Provider, sign_in: SignIn
) -> None:
    """The passkey is where it was, as one that is synced is: it needs no record on the server."""
    old = at("alice@example.org", "Chrome on Windows", "computer")
    filled(old.visitor)
    Touch(old.page)
    add(old.page)
    expect(old.page.get_by_text("This passkey opens your list from now on.")).to_be_visible()
    backed_up(old.visitor, provider, Protection.KEY)
    without_records(old.visitor)
    visitor = factories.enrolled("alice.new@example.org", name="Firefox on Linux", type="computer")
    visitor.client.get(LIST)
    old.page.context.clear_cookies()
    sign_in(old.page.context, visitor)
    new = replace(old, visitor=visitor)

    new.choose()
    new.press("Continue")
    new.says("This backup needs your passkey. Choose “Use your passkey”.")
    new.press("Use your passkey")
    new.heads("2 of 3 will have codes")
    new.press("Restore")

    new.heads("Sign in to restore your account")
    new.lists("GitHub", "Nordbank", "Contoso")


@pytest.mark.article("S-08", "refused")
def test_backup_of_an_iphone_is_refused_on_an_android_phone(
    at: Callable[..., At], provider: Provider, settings: Any
) -> None:
    settings.ICLOUD_FROM = timezone.now() + timedelta(days=1)  # Until then Microsoft kept those of iPhones too.
    lost(provider, type="ios")
    new = at("alice.new@example.org", "Pixel 9", "android")

    new.page.goto(START)
    new.sign_in()

    new.heads("Unable to recover.")
    new.says("1 backup exists for iOS devices. It can be restored on an iOS device only.")
    new.press("Sign in to another account")
    new.heads("Restore from backup")


@pytest.mark.article("G-09")
def test_merge_keeps_both_of_a_clash_and_is_undone(at: Callable[..., At], provider: Provider) -> None:
    lost(provider)
    new = at("alice.new@example.org", "Pixel 9", "android")
    factories.create_entry(on=new.visitor, issuer="GitHub", name="alice", secret=Secret(b"another key"))
    factories.create_entry(on=new.visitor, issuer="Mine", name="alone")

    new.start()
    new.says("Same name, different key: keep both")
    new.page.get_by_role("checkbox", name="Contoso").uncheck()
    new.press("Restore")
    new.heads("Restored 2 of 3.")
    new.says("You left it out. The backup still has it.")
    report = new.page.url
    new.lists("GitHub", "Mine", "GitHub", "Nordbank")

    new.page.goto(report)
    new.press("Undo")
    new.lists("GitHub", "Mine")
