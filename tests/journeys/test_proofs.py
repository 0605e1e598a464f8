"""Proofs in a real browser: the hand-off by form, by htmx and without script; Apple's way back from another site."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import IdentityProof
from accounts.roles import APPLE_ISSUER
from tests import processes, proving
from tests.environment import ROOT
from tests.factories import Visitor
from tests.fake_op import FakeProvider, Issuer
from tests.place import Place
from tests.processes import Started
from tests.proving import BACK, Roles, newest, seed

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def roles(op: FakeProvider, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Roles:
    roles = proving.mapped(op, monkeypatch, settings)
    roles.microsoft.ask = True
    return roles


def comes_back_proven(page: Page, alice: Visitor, provider: Issuer) -> None:
    """From the provider's page on: the person says yes there, and the next step is told which proof it was."""
    page.wait_for_url(f"{provider.url}/authorize?**")
    page.get_by_role("link", name="Continue").click()
    page.wait_for_url(f"**{BACK}?proof=*")
    proof = newest(alice.user)
    assert (proof.state, page.url.partition("=")[2]) == ("proven", str(proof.pk))


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_form_reaches_the_provider(
    new_context: Callable[..., BrowserContext],
    sign_in: Callable[[BrowserContext, Visitor], None],
    alice_phone: Visitor,
    roles: Roles,
    live: str,
    script: bool,
) -> None:
    context = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=script)
    sign_in(context, alice_phone)
    page = context.new_page()
    page.goto(reverse("accounts:proof", args=[seed(alice_phone.user).pk]))

    page.get_by_role("button", name="Try again").click()

    comes_back_proven(page, alice_phone, roles.microsoft)


def test_htmx_reaches_the_provider(
    page: Page,
    context: BrowserContext,
    sign_in: Callable[[BrowserContext, Visitor], None],
    alice_phone: Visitor,
    roles: Roles,
) -> None:
    sign_in(context, alice_phone)
    landing = reverse("accounts:proof", args=[seed(alice_phone.user).pk])
    page.goto(landing)

    page.evaluate(
        "(address) => htmx.ajax('POST', address, {target: 'main', swap: 'outerHTML', values: {csrfmiddlewaretoken:"
        " document.querySelector('[name=csrfmiddlewaretoken]').value}})",
        landing,
    )

    comes_back_proven(page, alice_phone, roles.microsoft)


def test_cancel_ends_on_a_page_of_ours_with_a_way_on(
    page: Page,
    context: BrowserContext,
    sign_in: Callable[[BrowserContext, Visitor], None],
    alice_phone: Visitor,
    roles: Roles,
) -> None:
    sign_in(context, alice_phone)
    roles.microsoft.ask = False
    roles.microsoft.next("authorize", query={"error": "access_denied"})
    page.goto(reverse("accounts:proof", args=[seed(alice_phone.user, reason="stale").pk]))

    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_text("You cancelled at Microsoft.")).to_be_visible()
    page.get_by_role("link", name="Back").click()
    page.wait_for_url(f"**{BACK}")
    assert IdentityProof.objects.filter(state="failed", reason="cancelled").count() == 1


# -- Apple ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def apple(op: FakeProvider) -> Issuer:
    """Apple itself: it answers by a form that its page posts to us, without our cookies."""
    return op.issuer(
        "apple-itself",
        client_id="org.example",
        client_secret=None,
        pkce=False,
        iss=APPLE_ISSUER,
        person={"sub": "000.alice", "email": "relay@privaterelay.appleid.com"},
    )


@pytest.fixture
def site(apple: Issuer, tmp_path: Path) -> Iterator[tuple[Place, str, dict[str, Any]]]:
    """A server with Apple's key, at `localhost`; Apple is at 127.0.0.1, which to a browser is another site.

    Tests ask for it before their browsers: what is asked for first ends last, and no page loads from one that is gone.
    """
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    port = processes.free_port()
    address = f"http://localhost:{port}"
    place = Place(
        tmp_path,
        DEBUG="1",
        SITE_URL=address,
        APPLE_SERVICES_ID="org.example",
        APPLE_TEAM_ID="team",
        APPLE_KEY_ID="key",
        APPLE_KEY=key.decode(),
        APPLE_AT=apple.url,
    )
    ours = {name: place.environment[name] for name in place.environment if name not in processes.clean_environment()}
    started = {**ours, "DJANGO_SETTINGS_MODULE": "authweb.settings"}
    with Started([sys.executable, "-m", "tests.apple_site", str(port)], settings=started, cwd=ROOT) as server:
        server.wait_for("ready")
        line = next(line for line in server.output.splitlines() if line.startswith("ready"))
        yield place, address, json.loads(line.removeprefix("ready "))


STATE = """
import django; django.setup()
from accounts.models import IdentityProof, User
from accounts.services import identity
from allauth.socialaccount.models import SocialAccount, SocialToken
proof = IdentityProof.objects.latest("made_at")
who = identity.look(proof.pk, user=proof.user, purpose=proof.purpose, target=proof.target)
counts = [model.objects.count() for model in (User, SocialAccount, SocialToken)]
print(proof.pk, proof.state, who.issuer, who.uid, who.label, counts)
"""


def test_apple_comes_back_from_another_site_with_lax_cookies(
    site: tuple[Place, str, dict[str, Any]], apple: Issuer, new_context: Callable[..., BrowserContext]
) -> None:
    place, address, said = site
    context = new_context()
    context.add_cookies(
        [
            {"name": name, "value": value, "url": address, "httpOnly": True, "sameSite": "Lax"}
            for name, value in said["cookies"].items()
        ]
    )
    page = context.new_page()
    page.goto(address + said["landing"])
    before = session_of(context, address)

    page.get_by_role("button", name="Try again").click()
    page.wait_for_url(f"{address}{BACK}?proof=*")

    out = apple.asked("authorize")[-1].query
    proof = page.url.partition("=")[2]
    assert (out["response_mode"], out["scope"], "prompt" in out) == ("form_post", "email", False)
    assert session_of(context, address) == before
    assert place.run(STATE) == (f"{proof} proven {APPLE_ISSUER} 000.alice relay@privaterelay.appleid.com [1, 0, 0]")


def test_cancel_at_apple_leads_back_with_one_sentence(
    site: tuple[Place, str, dict[str, Any]], apple: Issuer, new_context: Callable[..., BrowserContext]
) -> None:
    _, address, said = site
    apple.next("authorize", query={"error": "user_cancelled_authorize"})
    context = new_context()
    context.add_cookies([{"name": name, "value": value, "url": address} for name, value in said["cookies"].items()])
    page = context.new_page()
    page.goto(address + said["landing"])

    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_text("You cancelled at Apple.")).to_be_visible()


def test_token_signed_by_another_key_is_refused_at_apple(
    site: tuple[Place, str, dict[str, Any]], apple: Issuer, new_context: Callable[..., BrowserContext]
) -> None:
    _, address, said = site
    apple.next("token", signed_by_another=True)
    context = new_context()
    context.add_cookies([{"name": name, "value": value, "url": address} for name, value in said["cookies"].items()])
    page = context.new_page()
    page.goto(address + said["landing"])

    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_text("Its answer could not be trusted.")).to_be_visible()


def session_of(context: BrowserContext, address: str) -> str:
    return next(str(cookie["value"]) for cookie in context.cookies(address) if cookie["name"] == "session")
