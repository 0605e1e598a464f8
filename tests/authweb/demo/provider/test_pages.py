"""The demo's provider in a browser: its pages under their own policy, from Authweb to it and back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from authweb.demo.provider.issuers import ISSUERS, MICROSOFT, Issuer
from authweb.demo.provider.people import PASSWORD
from tests.conftest import Faults
from tests.demo_provider import Provider, Somebody


class Callback(BaseHTTPRequestHandler):
    """Stands where Authweb would: takes what comes back, on a page of its own."""

    def do_GET(self) -> None:
        """A page that says that somebody came."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><link rel=icon href=data:,><h1>Back</h1>")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """The provider, with somebody at Authweb's port who takes its answers."""
    with Provider(tmp_path_factory.mktemp("provider")) as provider:
        site = ThreadingHTTPServer(("localhost", provider.port), Callback)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield provider
        site.shutdown()
        site.server_close()


@pytest.fixture
def visit(browser: Browser, faults: Faults) -> Iterator[BrowserContext]:
    """A phone that is watched."""
    context = browser.new_context(viewport={"width": 360, "height": 740})
    context.set_default_timeout(10_000)
    faults.watch(context)
    yield context
    context.close()


def sent_to(provider: Provider, issuer: Issuer, context: BrowserContext, **asked: str) -> tuple[Page, Somebody]:
    """A page where Authweb sent somebody, and the application's side of it."""
    application = Somebody(provider, issuer).ask(**asked)
    page = context.new_page()
    page.goto(application.address)
    return page, application


@pytest.mark.parametrize("issuer", ISSUERS, ids=lambda issuer: issuer.name)
def test_sign_in_leads_back_under_the_policy(provider: Provider, visit: BrowserContext, issuer: Issuer) -> None:
    page, application = sent_to(provider, issuer, visit, prompt="login")
    expect(page.locator(".demo")).to_have_text(f"Demo: this plays {issuer.name}, on your own machine.")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("getComputedStyle(document.querySelector('button')).backgroundColor") != "rgba(0, 0, 0, 0)"

    page.get_by_role("link", name=f"alice@{issuer.domain}").click()
    expect(page.get_by_label("Address")).to_have_value(f"alice@{issuer.domain}")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    if issuer.name != "iCloud":
        page.get_by_label("Code").fill(provider.code_of(issuer))
        page.get_by_role("button", name="Continue").click()

    expect(page.get_by_role("heading", name="Back")).to_be_visible()
    assert page.url.startswith(issuer.redirect_uri(provider.site))
    application.answer = dict(parse_qsl(urlsplit(page.url).query))
    assert application.claims()["preferred_username"] == f"alice@{issuer.domain}"


def test_cancel_leads_back_to_authweb(provider: Provider, visit: BrowserContext) -> None:
    page, application = sent_to(provider, MICROSOFT, visit, login_hint="bob@outlook.example")
    expect(page.get_by_label("Address")).to_have_value("bob@outlook.example")
    expect(page.get_by_label("Password")).to_be_focused()

    page.get_by_role("link", name="Cancel").click()

    expect(page.get_by_role("heading", name="Back")).to_be_visible()
    assert dict(parse_qsl(urlsplit(page.url).query)) == {"error": "access_denied", "state": application.state}


def test_sessions_of_two_issuers_live_side_by_side(provider: Provider, visit: BrowserContext) -> None:
    pages = [sent_to(provider, issuer, visit)[0] for issuer in ISSUERS]

    for page, issuer in zip(pages, ISSUERS, strict=True):
        page.get_by_label("Address").fill(f"bob@{issuer.domain}")
        page.get_by_label("Password").fill(PASSWORD)
    for page in pages:
        page.get_by_role("button", name="Continue").click()

    for page, issuer in zip(pages, ISSUERS, strict=True):
        expect(page.get_by_role("heading", name="Back")).to_be_visible()
        page.goto(issuer.origin(provider.port) + "/")
        expect(page.locator(".lead")).to_have_text(f"You are signed in as bob@{issuer.domain}.")
