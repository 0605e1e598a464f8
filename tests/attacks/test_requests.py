"""Forged requests and foreign objects, over every page: all refused, and no row is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.attacks import crawler
from tests.attacks.crawler import NOBODYS, Page
from tests.factories import Visitor

# Pages that answer who is not signed in. All others lead to the sign-in, or are not there.
ENTRANCES = {
    "welcome",
    "healthz",
    "help",
    "help-page",
    "manifest",
    "offline",
    "worker",
    "account_login",
    "account_signup",
    "account_signup_by_passkey",
    "account_inactive",
    "account_reset_password",
    "account_request_login_code",
    "account_password_reset_completed",
    "accounts:proof-lost",
}
# Ways in and doors: whose sign-in is older than five minutes signs in again before they are shown.
FRESH = {
    "accounts:delete-account",
    "accounts:device-remove",
    "accounts:instead",
    "accounts:device-undo",
    "accounts:request",
    "accounts:key-remove",
    "accounts:words-new",
    "accounts:words-own",
    "accounts:words-confirm",
    "accounts:passkey-new",
    "accounts:passkeys-off",
    "accounts:passkeys-on",
    "backups:on",
    "backups:iphone",
    "backups:account",
    "backups:protection",
    "backups:off",
    "backups:delete",
    "backups:older",
    "backups:undo",
    "account_set_password",
    "account_email",
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_download_recovery_codes",
    "mfa_add_webauthn",
    "mfa_edit_webauthn",
    "mfa_remove_webauthn",
}
# An attacker does not obey forms: more than any of them asks for.
FORM = {"pinned": "1", "agreed": "1", "name": "Stolen", "issuer": "Stolen", "note": "x", "move": "up", "by": "up"}
LINK = reverse("account_login")


def of_ours(page: Page) -> bool:
    """Whether the page is the people's, not the staff's."""
    return not page.name.startswith("admin:")


@pytest.fixture
def forms(alice_phone: Visitor) -> Iterator[Client]:
    """Alice's browser, for which the checks of forged requests are on."""
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    strict.cookies = alice_phone.client.cookies
    yield strict


def token(client: Client) -> str:
    """What a form of ours carries."""
    client.get(reverse("accounts:settings"))
    page = client.get(reverse("accounts:settings-codes"))
    return str(page.context["csrf_token"])


@pytest.mark.row("T31")
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_request_without_the_forms_token_is_refused_everywhere(
    forms: Client, alice_phone: Visitor, method: str
) -> None:
    values = crawler.furnish(alice_phone)
    before = crawler.rows()

    answers = {page.name: getattr(forms, method)(page.address(values)).status_code for page in crawler.pages()}

    assert {name: status for name, status in answers.items() if status != 403} == {}
    assert crawler.changed(before, crawler.rows()) == []


@pytest.mark.row("T31")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.elsewhere.example"},
        {"Origin": "http://testserver:8001"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "nonsense"},
    ],
    ids=lambda headers: "-".join(headers.values()),
)
def test_request_from_elsewhere_is_refused_even_with_the_right_token(
    forms: Client, alice_phone: Visitor, headers: dict[str, str]
) -> None:
    values = crawler.furnish(alice_phone)
    data = {**FORM, "csrfmiddlewaretoken": token(forms)}
    before = crawler.rows()

    answers = {
        page.name: forms.post(page.address(values), data, headers=headers).status_code for page in crawler.pages()
    }

    assert {name: status for name, status in answers.items() if status != 403} == {}
    assert crawler.changed(before, crawler.rows()) == []


@pytest.mark.row("T31")
def test_same_request_from_a_form_of_ours_is_taken(forms: Client, alice_phone: Visitor) -> None:
    """The control: what is refused above is refused for the token, the Origin and the browser's word alone."""
    values = crawler.furnish(alice_phone)
    data = {**FORM, "csrfmiddlewaretoken": token(forms)}
    headers = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}

    answer = forms.post(reverse("accounts:pin", args=[values["entry_id"]]), data, headers=headers)

    assert answer.status_code == 303
    assert alice_phone.entries[0].pinned


@pytest.mark.row("T31")
def test_check_of_the_token_switched_off_is_noticed(forms: Client, alice_phone: Visitor, settings: Any) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Csrf" not in name]
    values = crawler.furnish(alice_phone)

    answer = forms.post(reverse("accounts:pin", args=[values["entry_id"]]), FORM)

    assert answer.status_code == 303


@pytest.mark.row("T31")
def test_nothing_changes_by_looking(alice_phone: Visitor) -> None:
    """GET and HEAD over every page, of one's own things: no row differs afterwards, but for who is signed in."""
    values = crawler.furnish(alice_phone)
    alice_phone.client.get(reverse("accounts:list"))  # Once a key slot is used for the first time, that is noted.
    before = crawler.rows()
    sign_out = {"account_logout", "admin:logout"}  # They ask on a GET; held apart below.

    failed = {}
    for page in crawler.pages():
        for method in (alice_phone.client.get, alice_phone.client.head):
            answer = method(page.address(values))
            if answer.status_code >= 500:
                failed[page.name] = answer.status_code

    assert failed == {}
    assert crawler.changed(before, crawler.rows()) == []
    assert sign_out <= {page.name for page in crawler.pages()}
    assert alice_phone.client.get(reverse("accounts:list")).status_code == 200


@pytest.mark.row("T32")
@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete", "options"])
def test_things_of_another_person_are_not_there(alice_phone: Visitor, bob: Visitor, method: str) -> None:
    """Alice's things asked for by bob: 404 as for things that never were, and no row changes."""
    hers, his = crawler.furnish(alice_phone), crawler.furnish(bob)
    bob.client.get(reverse("accounts:list"))
    data = FORM if method == "post" else {}
    before = crawler.rows()

    allowed, learnt = {}, []
    for page in crawler.pages():
        if not of_ours(page) or not set(page.parameters) & {
            "entry_id",
            "device_id",
            "draft_id",
            "held_id",
            "report_id",
            "request_id",
            "slot_id",
            "pk",
        }:
            continue
        foreign = getattr(bob.client, method)(page.address({**his, **_things(hers)}), data)
        missing = getattr(bob.client, method)(page.address({**his, **_things(NOBODYS)}), data)
        if foreign.status_code not in (404, 405):
            allowed[page.name] = foreign.status_code
        if foreign.status_code != missing.status_code or b"alice" in crawler.body(foreign):
            learnt.append(page.name)

    assert allowed == ({"mfa_edit_webauthn": 200} if method == "options" else {})
    assert learnt == []
    assert crawler.changed(before, crawler.rows()) == []


def _things(values: Any) -> dict[str, Any]:
    return {
        name: values[name]
        for name in (
            *("entry_id", "trashed_id", "device_id", "draft_id", "words_id", "held_id", "report_id"),
            *("request_id", "slot_id", "pk"),
        )
    }


@pytest.mark.row("T32")
def test_own_things_are_there(alice_phone: Visitor) -> None:
    """The control: the same addresses answer their owner."""
    values = crawler.furnish(alice_phone)

    answers = {
        page.name: alice_phone.client.get(page.address(values)).status_code
        for page in crawler.pages()
        if of_ours(page)
        and set(page.parameters)
        & {"entry_id", "device_id", "draft_id", "held_id", "report_id", "request_id", "slot_id", "version", "pk"}
    }

    assert answers.pop("accounts:again-sign-in") == 302  # The way back from a provider, which leads on.
    assert set(answers.values()) == {200, 405}  # 405: what is done by POST alone.


@pytest.mark.row("T32")
def test_undo_of_another_persons_state_touches_ones_own_list_alone(alice_phone: Visitor, bob: Visitor) -> None:
    """`/accounts/undo/N/` counts in the list of who asks: no number of alice's is bob's to undo."""
    hers = crawler.furnish(alice_phone)
    for _ in range(3):
        factories.create_entry(on=alice_phone, name=f"another {_}")
    bob.client.get(reverse("accounts:list"))
    before, list_before = crawler.rows(), alice_phone.entries

    bob.client.post(reverse("accounts:undo", args=[hers["version"] + 3]), {"agreed": "1"})

    assert crawler.changed(before, crawler.rows()) == []
    assert alice_phone.entries == list_before


@pytest.mark.row("T32")
def test_who_is_not_signed_in_meets_entrances_alone(alice_phone: Visitor) -> None:
    values = crawler.furnish(alice_phone)
    before = crawler.rows()

    wrong = {}
    for page in crawler.pages():
        for method in ("get", "post"):
            answer = getattr(Client(), method)(page.address(values), FORM if method == "post" else {})
            if page.name in ENTRANCES and answer.status_code in (200, 302, 303, 405):
                continue
            if page.name == "invitation" and answer.status_code == 410:
                continue
            if not _leads_to_the_sign_in(answer):
                wrong[f"{method} {page.name}"] = (answer.status_code, answer.headers.get("Location"))

    assert wrong == {}
    assert crawler.changed(before, crawler.rows()) == []


def _leads_to_the_sign_in(answer: HttpResponse) -> bool:
    """A redirect to an entrance, or no such page."""
    if answer.status_code in (302, 303):
        return (
            answer.headers["Location"].startswith(("/sign-in/", "/admin/login/")) or answer.headers["Location"] == "/"
        )
    return answer.status_code in (404, 405)


@pytest.mark.row("T32")
@pytest.mark.parametrize("who", ["alice_elsewhere", "mallory_removed"])
def test_who_has_no_key_meets_no_page_of_the_list(who: str, request: pytest.FixtureRequest) -> None:
    visitor: Visitor = request.getfixturevalue(who)
    before = crawler.rows()

    answers = {
        f"{method} {page.name}": getattr(visitor.client, method)(page.address(), FORM if method == "post" else {})
        for page in crawler.pages()
        if page.route.startswith("accounts/")
        for method in ("get", "post")
    }

    assert {
        name: answer.status_code
        for name, answer in answers.items()
        if answer.status_code != 405 and answer.headers.get("Location") != reverse("accounts:open")
    } == {}
    assert len(answers) == 2 * sum(page.route.startswith("accounts/") for page in crawler.pages())
    assert crawler.changed(before, crawler.rows()) == []


@pytest.mark.row("T32")
def test_stale_sign_in_is_asked_again_where_ways_in_change(alice_stale: Visitor) -> None:
    values = crawler.furnish(alice_stale)
    alice_stale.client.get(reverse("accounts:list"))
    before = crawler.rows()

    asked = set()
    for page in crawler.pages():
        if not of_ours(page) or page.name == "account_logout":
            continue
        answer = alice_stale.client.get(page.address(values))
        if "reauthenticate" not in page.name and "/reauthenticate/" in answer.headers.get("Location", ""):
            asked.add(page.name)
    posted = {
        page.name: alice_stale.client.post(page.address(values), {**FORM, "action_add": "", "email": "m@example.org"})
        for page in crawler.pages()
        if page.name in FRESH
    }

    assert asked == FRESH
    assert {name: answer.status_code for name, answer in posted.items()} == dict.fromkeys(FRESH, 303)
    assert crawler.changed(before, crawler.rows()) == []


@pytest.mark.row("T32")
def test_pages_of_staff_are_closed_to_people(alice_phone: Visitor) -> None:
    values = crawler.furnish(alice_phone)

    answers = {
        page.name: alice_phone.client.get(page.address(values))
        for page in crawler.pages()
        if not of_ours(page) and page.name not in ("admin:logout", "admin:jsi18n")
    }

    assert {name for name, answer in answers.items() if answer.status_code == 200} == set()
    assert len(answers) > 30


@pytest.mark.row("T31")
def test_no_page_is_exempt_from_the_token() -> None:
    """Apple's answer alone comes from elsewhere, where Apple is configured."""
    exempt = {page.name for page in crawler.pages() if getattr(page.view, "csrf_exempt", False)}

    assert exempt <= {"apple_callback"}
    assert settings.CSRF_COOKIE_HTTPONLY
