"""What happens around every request: sessions renewed daily, upkeep of the device, language, time, cross-site posts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from csp.decorators import csp, csp_exempt, csp_replace, csp_update
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.middleware import ContentPolicy
from accounts.models import Device
from tests import factories
from tests.factories import Visitor, create_entry

LIST, SETTINGS = reverse("accounts:list"), reverse("accounts:settings")


def session_row(visitor: Visitor) -> Session:
    """The row behind this browser's session cookie."""
    return Session.objects.get(session_key=visitor.client.cookies[settings.SESSION_COOKIE_NAME].value)


@pytest.mark.parametrize("who", ["alice_phone", "alice"])
def test_session_is_renewed_daily_with_a_device_and_without(who: str, request: pytest.FixtureRequest) -> None:
    visitor: Visitor = request.getfixturevalue(who)
    visitor.client.get(SETTINGS)
    begun = timezone.now()
    first = session_row(visitor).expire_date

    with time_machine.travel(begun + timedelta(hours=23)):
        visitor.client.get(SETTINGS)
        same_day = session_row(visitor).expire_date
    with time_machine.travel(begun + timedelta(hours=25)):
        answer = visitor.client.get(SETTINGS)
        next_day = session_row(visitor).expire_date

    assert same_day == first
    assert timedelta(hours=24) < next_day - first < timedelta(hours=26)
    assert answer.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == 30 * 24 * 3600


def test_session_unused_for_30_days_is_over(alice_phone: Visitor) -> None:
    alice_phone.client.get(LIST)

    with time_machine.travel(timezone.now() + timedelta(days=30, minutes=1)):
        answer = alice_phone.client.get(LIST)

    assert answer.headers["Location"].startswith(reverse("account_login"))


def test_device_is_seen_to_the_hour(alice_phone: Visitor) -> None:
    seen = Device.objects.get().seen_at

    with time_machine.travel(seen + timedelta(minutes=59)):
        alice_phone.client.get(LIST)
        within = Device.objects.get().seen_at
    with time_machine.travel(seen + timedelta(minutes=61)):
        alice_phone.client.get(LIST)
        after = Device.objects.get().seen_at

    assert within == seen
    assert after - seen >= timedelta(minutes=61)


def test_changed_password_ends_what_the_one_query_found(alice_phone: Visitor) -> None:
    """The session is tied to the password by its hash, whichever way the person is read."""
    assert alice_phone.client.get(LIST).status_code == 200

    alice_phone.user.set_password("another one, quite long")
    alice_phone.user.save()

    assert alice_phone.client.get(LIST).headers["Location"].startswith(reverse("account_login"))


def test_person_who_is_no_longer_active_is_signed_out(alice_phone: Visitor) -> None:
    alice_phone.user.is_active = False
    alice_phone.user.save()

    assert alice_phone.client.get(LIST).headers["Location"].startswith(reverse("account_login"))


def test_times_are_shown_in_the_persons_zone_or_the_servers(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    address = reverse("accounts:account", args=[entry.id])

    with time_machine.travel("2026-11-24T12:00:00+00:00", tick=False):
        of_server = alice_phone.client.get(address).content.decode()
        alice_phone.client.post(reverse("accounts:settings-time-zone"), {"time_zone": "Asia/Kolkata"})
        of_person = alice_phone.client.get(address).content.decode()

    assert ["Ends at 12:00:30." in of_server, "Ends at 17:30:30." in of_person] == [True, True]


def test_time_zone_is_learnt_once_and_only_a_real_one(alice_phone: Visitor) -> None:
    learnt = []
    for zone in ("Mars/Olympus", "../../etc/passwd", "Europe/Berlin", "Asia/Tokyo"):
        alice_phone.client.post(reverse("accounts:settings-time-zone"), {"time_zone": zone})
        alice_phone.user.refresh_from_db()
        learnt.append(alice_phone.user.time_zone)

    assert learnt == ["", "", "Europe/Berlin", "Europe/Berlin"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_post_from_another_site_is_refused_by_the_browsers_own_word(alice_phone: Visitor, site: str) -> None:
    entry = create_entry(on=alice_phone)
    address = reverse("accounts:to-trash", args=[entry.id])

    refused = alice_phone.client.post(address, headers={"Sec-Fetch-Site": site})
    kept = len(alice_phone.entries)
    alice_phone.client.post(address, headers={"Sec-Fetch-Site": "same-origin"})

    assert [refused.status_code, kept, len(alice_phone.entries)] == [403, 1, 0]


def test_signed_in_page_needs_one_query_to_know_who_asks(
    alice_phone: Visitor, queries: Callable[[Callable[[], object]], int]
) -> None:
    create_entry(on=alice_phone)
    alice_phone.client.get(LIST)

    assert queries(lambda: alice_phone.client.get(LIST)) == 1


def test_device_cookie_beside_another_persons_session_opens_nothing(alice_phone: Visitor, bob: Visitor) -> None:
    create_entry(on=alice_phone, name="of alice")
    thief = factories.at_another_browser(bob)
    for name, morsel in alice_phone.client.cookies.items():
        if "device-key" in name:
            thief.client.cookies[name] = morsel.value

    answer = thief.client.get(LIST)

    assert answer.headers["Location"] == reverse("accounts:open")


# -- Content policy ---------------------------------------------------------------------------------------------------


def nonce(request: HttpRequest) -> HttpResponse:
    """An answer that a nonce was made for."""
    return HttpResponse(str(request.csp_nonce))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "view",
    [
        lambda request: HttpResponse(),
        nonce,
        csp_update({"img-src": "https://pictures.example"})(lambda request: HttpResponse()),
        csp_replace({"img-src": ["'none'"]})(lambda request: HttpResponse()),
        csp_exempt()(lambda request: HttpResponse()),
        csp({"default-src": ["'self'"]})(lambda request: HttpResponse()),
        csp({"default-src": ["'self'"]}, REPORT_ONLY=True)(lambda request: HttpResponse()),
        lambda request: HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"}),
    ],
)
def test_policy_is_what_django_csp_writes(rf: RequestFactory, monkeypatch: Any, view: Any) -> None:
    monkeypatch.setattr("os.urandom", bytes)  # One nonce for both.

    ours, theirs = (middleware(view)(rf.get("/")).headers for middleware in (ContentPolicy, CSPMiddleware))

    assert dict(ours) == dict(theirs)


def test_part_of_a_page_is_never_the_sign_in(alice_phone: Visitor) -> None:
    """Whose session ended while the page was open: htmx loads the page anew, which leads to the sign-in."""
    alice_phone.client.logout()

    part = alice_phone.client.get(LIST, headers={"HX-Request": "true"})
    whole = alice_phone.client.get(LIST)

    assert [part.status_code, part.headers.get("HX-Refresh"), part.content] == [200, "true", b""]
    assert whole.headers["Location"].startswith(reverse("account_login"))
