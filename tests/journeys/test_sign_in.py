"""Signing up and in, in a real browser: passkeys, every page in our layout, a provider over real HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts import sign_in_urls
from accounts.models import User
from authweb import providers
from tests import factories
from tests.factories import PASSWORD
from tests.fake_op import FakeProvider, Issuer

pytestmark = pytest.mark.timeout(180)
WAYS = reverse("accounts:settings-sign-in")


@pytest.fixture
def authenticator(page: Page) -> str:
    """A phone's own authenticator: it keeps passkeys, and says yes by fingerprint."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    made = session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return str(made["authenticatorId"])


@pytest.fixture
def home(settings: Any, monkeypatch: Any) -> Iterator[Issuer]:
    with FakeProvider() as op:
        home = op.issuer("home", ask=True)
        for name, value in {
            "SIGN_IN_OIDC_ISSUER": home.url,
            "SIGN_IN_OIDC_NAME": "Home",
            "SIGN_IN_OIDC_CLIENT_ID": home.client_id,
            "SIGN_IN_OIDC_CLIENT_SECRET": home.client_secret,
        }.items():
            monkeypatch.setenv(name, value)
        settings.SOCIALACCOUNT_PROVIDERS = providers.providers()
        yield home


def code_of_mail() -> str:
    found = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", str(mail.outbox[-1].body), re.M)
    assert found
    return found[1]


def sign_out(page: Page) -> None:
    page.goto(reverse("account_logout"))
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


@pytest.mark.article("S-56")
def test_passkey_signs_up_and_in_and_no_second_factor_is_asked(page: Page, live: str, authenticator: str) -> None:
    page.goto(reverse("account_signup_by_passkey"))
    page.get_by_label("E-mail").fill("carol@example.org")
    page.locator("form[action$='/signup/passkey/'] button[type=submit]").click()
    page.wait_for_url(f"**{reverse('account_email_verification_sent')}")
    page.get_by_label("Code").fill(code_of_mail())
    page.locator("form:has([name=code]) button[type=submit]").first.click()
    page.wait_for_url(f"**{reverse('mfa_signup_webauthn')}")
    page.locator("#mfa_webauthn_signup").click()
    page.wait_for_url(f"**{reverse('accounts:start')}")

    sign_out(page)
    page.goto(reverse("account_login"))
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"**{reverse('accounts:start')}")

    user = User.objects.get(email="carol@example.org")
    assert not user.has_usable_password()
    assert [key.wrap().is_passwordless for key in Authenticator.objects.filter(user=user)] == [True]


@pytest.mark.article("S-58", "allowed")
def test_passkey_is_added_renamed_not_accepted_and_accepted_again(page: Page, live: str, authenticator: str) -> None:
    factories.create_user("alice@example.org")
    page.goto(f"{reverse('account_login')}?next={WAYS}")
    page.get_by_label("E-mail").fill("alice@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()

    page.get_by_role("link", name="Add a passkey").click()
    page.locator("input[type=password]").fill(PASSWORD)  # A sign-in a moment ago does not count.
    page.locator("form:has(input[type=password]) button[type=submit]").click()
    page.wait_for_url(f"**{reverse('mfa_add_webauthn')}")
    if page.locator("[name=passwordless]").count():
        page.locator("[name=passwordless]").check()
    page.locator("form:has([name=credential]) ~ button, #mfa_webauthn_add").first.click()
    page.wait_for_url(f"**{reverse('mfa_view_recovery_codes')}")

    assert "A passkey was added to your Authweb account" in [message.subject for message in mail.outbox]
    page.goto(WAYS)
    expect(page.get_by_text("Signs you in by itself")).to_be_visible()
    page.get_by_role("link", name="Rename Passkey").click()
    page.locator("[name=name]").fill("My key")
    page.locator("form:has([name=name]) button[type=submit]").click()
    page.wait_for_url(f"**{WAYS}")
    expect(page.get_by_text("My key").first).to_be_visible()

    switch_passkeys_off(page)
    sign_out(page)
    page.goto(reverse("account_login"))
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("Passkeys are switched off for you here. Sign in another way.").first).to_be_visible()
    page.get_by_label("E-mail").fill("alice@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"**{reverse('accounts:start')}")

    page.goto(WAYS)
    page.get_by_role("switch", name="Accept passkeys").click()
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator("form:has(input[type=password]) button[type=submit]").click()
    page.get_by_role("button", name="Accept passkeys").click()
    expect(page.get_by_role("switch", name="Accept passkeys", checked=True)).to_be_visible()
    sign_out(page)
    page.goto(f"{reverse('account_login')}?next={WAYS}")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"**{WAYS}")


def switch_passkeys_off(page: Page) -> None:
    """By the page that first names what stops; the sign-in of a moment ago is fresh enough."""
    page.get_by_role("switch", name="Accept passkeys").click()
    expect(page.get_by_role("heading", name="Stop accepting your passkeys?")).to_be_visible()
    expect(page.get_by_text("'My key' no longer signs you in.")).to_be_visible()
    page.get_by_role("button", name="Stop accepting").click()
    expect(page.get_by_role("switch", name="Accept passkeys", checked=False)).to_be_visible()


def test_provider_is_reached_and_signs_up_links_and_signs_in(page: Page, live: str, home: Issuer) -> None:
    page.goto(reverse("account_login"))
    page.get_by_role("button", name="Sign in with Home").click()
    page.wait_for_url(f"{home.url}/authorize?**")
    page.get_by_role("link", name="Continue").click()
    page.wait_for_url(f"**{reverse('socialaccount_signup')}")
    page.locator("form:has([name=email]) button[type=submit]").click()
    page.wait_for_url(f"**{reverse('account_email_verification_sent')}")
    page.get_by_label("Code").fill(code_of_mail())
    page.locator("form:has([name=code]) button[type=submit]").first.click()
    page.wait_for_url(f"**{reverse('accounts:start')}")

    page.goto(WAYS)
    expect(page.get_by_text("alice@home.example").last).to_be_visible()
    sign_out(page)
    page.goto(reverse("account_login"))
    page.get_by_role("button", name="Sign in with Home").click()
    page.get_by_role("link", name="Continue").click()
    page.wait_for_url(f"**{reverse('accounts:start')}")

    assert len(home.asked("token")) == 2
    assert User.objects.get().email == "alice@home.example"


def test_provider_is_linked_without_script(new_context: Any, live: str, home: Issuer, sign_in: Any, alice: Any) -> None:
    context = new_context(java_script_enabled=False)
    sign_in(context, alice)
    page = context.new_page()

    page.goto(reverse("socialaccount_connections"))
    page.get_by_role("button", name="Link Home").click()
    page.wait_for_url(f"{home.url}/authorize?**")
    page.get_by_role("link", name="Continue").click()

    page.wait_for_url(f"**{WAYS}")
    assert alice.user.socialaccount_set.get().extra_data == {"username": "alice@home.example"}


def test_cancelled_sign_in_ends_on_a_page_of_ours(page: Page, live: str, home: Issuer) -> None:
    home.next("authorize")
    home.next("authorize", query={"error": "access_denied"})
    page.goto(reverse("account_login"))
    page.get_by_role("button", name="Sign in with Home").click()
    page.get_by_role("link", name="Continue").click()

    expect(page.get_by_role("heading", name="The sign-in was not finished.")).to_be_visible()
    expect(page.get_by_text("You cancelled at Home.")).to_be_visible()
    page.get_by_role("link", name="Try again").click()
    page.wait_for_url(f"**{reverse('account_login')}")


# All but those that need a row of their own, a provider or a place to keep a file.
_OTHERS = ("openid_connect", "apple_", "mfa_edit", "mfa_remove", "mfa_download")
NAMES = sorted(name for name in sign_in_urls.GUARDS if not name.startswith(_OTHERS))


def seen(page: Page, address: str) -> tuple[str, list[str]]:
    """Where a page of allauth ends, and what is not ours in it."""
    page.goto(address)
    faults = []
    if page.locator("link[rel=stylesheet][href*='base']").count() != 1 or page.locator("main").count() != 1:
        faults.append("not our layout")
    if page.locator("h1").count() != 1:
        faults.append(f"{page.locator('h1').count()} headings")
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        faults.append("wider than a phone")
    return page.url, faults


@pytest.mark.parametrize("signed_in", [False, True], ids=["signed out", "signed in"])
def test_every_page_of_allauth_is_in_our_layout_and_breaks_no_policy(
    page: Page, live: str, home: Issuer, sign_in: Any, alice: Any, faults: Any, signed_in: bool
) -> None:
    faults.expect("the server responded with a status of 404")
    if signed_in:
        sign_in(page.context, alice)
        turn_factors_on(alice)

    found = {name: seen(page, reverse(name))[1] for name in NAMES}

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def turn_factors_on(alice: Any) -> None:
    """One-time codes, so that the pages of second factors have something to show."""
    address = reverse("mfa_activate_totp")
    alice.client.get(address)
    alice.client.post(address, {"code": pyotp.TOTP(alice.client.session["mfa.totp.secret"]).now()})


def test_pages_of_a_sign_in_under_way_break_no_policy(page: Page, live: str, alice: Any) -> None:
    turn_factors_on(alice)
    page.goto(reverse("account_login"))
    page.get_by_label("E-mail").fill("alice@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"**{reverse('mfa_authenticate')}")
    codes = Authenticator.objects.get(user=alice.user, type="recovery_codes").wrap().get_unused_codes()
    page.get_by_label("Code").fill(codes[0])
    page.locator("form:has([name=code]) button[type=submit]").first.click()

    page.wait_for_url(f"**{reverse('accounts:start')}")
