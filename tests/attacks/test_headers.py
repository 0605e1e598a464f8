"""What every page tells the browser: the policy of content and the headers of it, on errors too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path, reverse

from authweb import urls
from tests.attacks import crawler
from tests.factories import Visitor

# As the design has it, directive for directive.
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "font-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "object-src 'none'",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), microphone=(), geolocation=(), "
        "publickey-credentials-get=(self), publickey-credentials-create=(self)"
    ),
}


# Nobody's, and asked for by browsers themselves: kept for an hour by the one that asked.
NOBODYS = {"manifest", "offline", "worker"}


def faults(answer: Any, name: str = "") -> list[str]:
    """What is missing in the headers of an answer."""
    headers: Mapping[str, str] = answer.headers
    found = [f"{name}: {headers.get(name)}" for name, value in HEADERS.items() if headers.get(name) != value]
    if set(headers.get("Content-Security-Policy", "").split("; ")) != POLICY:
        found.append(f"Content-Security-Policy: {headers.get('Content-Security-Policy')}")
    kept = "private, max-age=3600" if name in NOBODYS and answer.status_code == 200 else "no-store"
    if kept not in headers.get("Cache-Control", ""):
        found.append(f"Cache-Control: {headers.get('Cache-Control')}")
    return found


@pytest.mark.row("T30")
@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("who", ["nobody", "alice_phone", "alice_elsewhere", "staff"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_answer_carries_policy_and_headers(who: str, method: str, request: pytest.FixtureRequest) -> None:
    client, values = Client(), dict(crawler.NOBODYS)
    if who != "nobody":
        visitor: Visitor = request.getfixturevalue("alice_phone" if who == "staff" else who)
        client = crawler.quiet(visitor.client)
        if who == "staff":
            type(visitor.user).objects.update(is_staff=True, is_superuser=True)
        if visitor.device is not None:
            values = crawler.furnish(visitor)

    wrong, seen = {}, set()
    for page in crawler.pages():
        if page.name in ("account_logout", "admin:logout"):
            continue
        answer = getattr(client, method)(page.address(values))
        seen.add(answer.status_code)
        if faults(answer, page.name):
            wrong[page.name] = (answer.status_code, faults(answer, page.name))

    assert wrong == {}
    assert len(seen) >= 3


def _fails(_: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


class WithAFailure:
    """The URLconf, and a page that fails."""

    urlpatterns = (*urls.urlpatterns, path("fails/", _fails))
    handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500


@pytest.mark.row("T30")
def test_pages_of_errors_carry_them_too(alice_phone: Visitor, settings: Any) -> None:
    client = crawler.quiet(alice_phone.client)
    strict = Client(enforce_csrf_checks=True)
    with override_settings(ROOT_URLCONF=WithAFailure):
        answers = {
            400: client.get("/", headers={"Host": "elsewhere.example"}),
            403: strict.post("/settings/codes/"),
            404: client.get("/nowhere/"),
            405: client.get(reverse("accounts:mend")),
            410: client.get(reverse("invitation", args=["none"])),
            500: client.get("/fails/"),
        }

    assert {status: answer.status_code for status, answer in answers.items()} == {s: s for s in answers}
    assert {status: faults(answer) for status, answer in answers.items() if faults(answer)} == {}


@pytest.mark.row("T30")
def test_over_https_each_answer_asks_for_it_again(alice_phone: Visitor, settings: Any) -> None:
    """And what comes by http is led to this site, never to the Host it claims."""
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 365 * 24 * 3600
    settings.SECURE_SSL_HOST = "auth.example.org"
    elsewhere = {"Host": "elsewhere.example"}

    page = alice_phone.client.get(reverse("account_login"), secure=True, follow=True)
    stranger = alice_phone.client.get(reverse("account_login"), secure=True, headers=elsewhere)
    plain = alice_phone.client.get(reverse("account_login"), headers=elsewhere)

    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert (stranger.status_code, faults(stranger)) == (400, [])
    assert (plain.status_code, plain.headers["Location"]) == (301, "https://auth.example.org/sign-in/login/")


@pytest.mark.row("T30")
def test_missing_policy_is_noticed(alice_phone: Visitor, settings: Any) -> None:
    settings.MIDDLEWARE = [
        name for name in settings.MIDDLEWARE if "ContentPolicy" not in name and "Headers" not in name
    ]

    found = faults(alice_phone.client.get(reverse("accounts:list")))

    assert [fault.partition(":")[0] for fault in found] == [
        "Cross-Origin-Resource-Policy",
        "Permissions-Policy",
        "Content-Security-Policy",
        "Cache-Control",
    ]


# What the policy would refuse: scripts and styles in the page itself, handlers, addresses that are scripts.
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*\btype=\"application/json\")[^>]*>|<style\b[^>]*>|<iframe\b[^>]*>"
    r"|<[^>]*\s(?:style|on[a-z]+)\s*=[^>]*>|(?:href|src|action)\s*=\s*[\"']?javascript:",
    re.IGNORECASE,
)


@pytest.mark.row("T30")
def test_no_page_has_anything_inline(alice_phone: Visitor) -> None:
    """Not even written; staff pages are Django's own."""
    values = crawler.furnish(alice_phone)

    inline = {
        page.name: found
        for page in crawler.pages()
        if not page.name.startswith("admin:")
        and (found := INLINE.findall(crawler.body(alice_phone.client.get(page.address(values))).decode()))
    }

    assert inline == {}


@pytest.mark.parametrize(
    "html",
    [
        "<script>1</script>",
        "<p style='color: red'>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>",
        "<style>p {}</style>",
        "<iframe srcdoc=x>",
    ],
)
def test_what_is_inline_is_found(html: str) -> None:
    assert len(INLINE.findall(html)) == 1
