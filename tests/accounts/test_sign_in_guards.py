"""What stands before allauth's pages: a table that is whole, a fresh sign-in, and no POST that waits for one."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.urls import urlpatterns as of_allauth
from django.core import mail
from django.test import Client
from django.urls import path, reverse
from django.utils import timezone

from accounts import arrivals, checks, sign_in_urls
from accounts import urls as of_lists
from accounts.models import User
from accounts.templatetags.entrance import PURPOSES
from accounts.views import sign_in
from backups import urls as of_backups
from tests import factories, stored
from tests.factories import Visitor

AGAIN, LOGIN = reverse("sign_in_again"), reverse("account_login")
_OURS = (("accounts", of_lists), ("backups", of_backups))
PHRASE = "a phrase of hers that nobody may keep"
_KEYED = ("mfa_edit_webauthn", "mfa_remove_webauthn")
_PROVIDERS = (
    "openid_connect_login",
    "openid_connect_callback",
    "apple_login",
    "apple_callback",
    "apple_finish_callback",
)

# Each page of allauth: what who is not signed in gets. Anything else is led to the sign-in page.
ENTRANCES = {
    "account_login": 200,
    "account_logout": reverse("welcome"),
    "account_inactive": 200,
    "account_signup": 200,
    "account_signup_by_passkey": 200,
    "account_request_login_code": 200,
    "account_confirm_login_code": reverse("account_request_login_code"),
    "account_reset_password": 200,
    "account_complete_password_reset": reverse("account_reset_password"),
    "account_password_reset_completed": 200,
    "mfa_signup_webauthn": reverse("account_signup"),
    "socialaccount_login_cancelled": 404,
    "socialaccount_login_error": 404,
}
PAGES = sorted(name for name in sign_in_urls.GUARDS if not name.startswith(_PROVIDERS))
# Pages that change ways in. This list is written by hand on purpose: the table must not judge itself.
CHANGE_WAYS_IN = [
    "account_email",
    "account_set_password",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_deactivate_totp",
    "mfa_download_recovery_codes",
    "mfa_edit_webauthn",
    "mfa_generate_recovery_codes",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
    "socialaccount_connections",
]


def address_of(name: str) -> str:
    return reverse(name, kwargs={"pk": 1} if name in _KEYED else {})


@pytest.fixture
def providers(settings):
    """One outside sign-in, so that its pages are there."""
    app = {"provider_id": "oidc-sign-in", "name": "Home", "client_id": "1", "secret": "2", "settings": {}}
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}


def signed_in(user: User) -> Client:
    return factories.at_another_browser(Visitor(user, Client())).client


def stale(user: User) -> Client:
    return factories.grown_stale(factories.at_another_browser(Visitor(user, Client()))).client


def without_password(email: str = "carol@example.org") -> User:
    user = factories.create_user(email)
    user.set_unusable_password()
    user.save()
    return user


# -- The table --------------------------------------------------------------------------------------------------------


def test_every_page_of_allauth_has_a_guard():
    assert sign_in_urls.unguarded() == []


def test_page_without_a_guard_does_not_answer_and_fails_the_check(monkeypatch):
    with_another = [*of_allauth, path("new/", sign_in.again, name="account_new")]
    monkeypatch.setattr(sign_in_urls, "of_allauth", with_another)

    mounted = {pattern.name for pattern in sign_in_urls._flat(sign_in_urls._guarded(with_another))}

    assert [error.msg for error in checks.every_page_of_sign_in_is_guarded()] == ["No guard for allauth's account_new."]
    assert mounted == {pattern.name for pattern in sign_in_urls._flat(of_allauth) if pattern.name}


@pytest.mark.parametrize("name", PAGES)
def test_page_signed_out_is_an_entrance_or_leads_to_sign_in(client, db, name):
    address = address_of(name)

    answer = client.get(address)

    expected = ENTRANCES.get(name)
    if isinstance(expected, int):
        assert answer.status_code == expected
    else:
        location = answer.headers["Location"]
        assert location in (expected, LOGIN, f"{LOGIN}?next={address}")


@pytest.mark.parametrize("name", CHANGE_WAYS_IN)
def test_page_that_changes_ways_in_asks_for_a_fresh_sign_in(alice, providers, name):
    client = stale(alice.user)

    answer = client.get(address_of(name))

    assert answer.headers["Location"] == f"{reverse('account_reauthenticate')}?next={quote(address_of(name), safe='')}"


# -- No POST waits ----------------------------------------------------------------------------------------------------


@pytest.fixture
def alice_posts(alice_phone: Visitor, alice_stale: Visitor):
    """Her phone sends what must not be kept, to a page of ours and to one of allauth's, after five minutes."""

    def posts(**headers: str) -> list:
        other = enrolled_device(alice_phone)
        ours = reverse("accounts:device-remove", args=[other])
        return [
            alice_stale.client.post(
                address, {"email": f"{number}@example.org", "action_add": "", "word": PHRASE}, **headers
            )
            for number, address in enumerate([ours, reverse("account_email")])
        ]

    return posts


def enrolled_device(visitor: Visitor) -> str:
    """A second device of the same person."""
    now = timezone.now()
    device = visitor.user.devices.create(
        name="Laptop", type="computer", verifier=b"", made_at=now, seen_at=now, cookie_sent_at=now
    )
    return str(device.pk)


def kept(visitor: Visitor) -> list[bool]:
    """Whether the database holds what was typed, and the key of the device."""
    cookie = visitor.client.cookies[arrivals.cookie_name(visitor.user.pk)].value
    assert len(cookie) == 66
    everything = stored.everything()
    return [PHRASE.replace(" ", "+") in everything, cookie in everything]


def test_stale_post_is_sent_back_and_nothing_of_it_is_stored(alice_phone, alice_posts):
    answers = alice_posts()

    assert [answer.status_code for answer in answers] == [303, 303]
    assert [answer.headers["Location"] for answer in answers] == [answer.request["PATH_INFO"] for answer in answers]
    assert kept(alice_phone) == [False, False]


def test_stale_post_by_htmx_is_sent_back_by_its_own_header(alice_phone, alice_posts):
    answers = alice_posts(HTTP_HX_REQUEST="true")

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.headers["HX-Redirect"] for answer in answers] == [answer.request["PATH_INFO"] for answer in answers]
    assert kept(alice_phone) == [False, False]


def test_stale_get_by_htmx_leads_to_the_page_itself(alice_stale):
    address = f"{reverse('account_email')}?from=here"

    answer = alice_stale.client.get(address, HTTP_HX_REQUEST="true")

    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, address)


def test_guard_switched_off_stores_both(alice_phone, alice_posts, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if not name.endswith(".NoSuspendedPost")]

    alice_posts()

    assert kept(alice_phone) == [True, True]


# -- Who has nothing to sign in again with ----------------------------------------------------------------------------


def nobody_to_ask(kind: str, settings) -> Client:
    user = without_password()
    if kind == "passkeys were switched off":
        credential = {"clientExtensionResults": {"credProps": {"rk": True}}}
        Authenticator.objects.create(
            user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "Key", "credential": credential}
        )
        settings.MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
    return signed_in(user)


KINDS = pytest.mark.parametrize("kind", ["neither password nor factor", "passkeys were switched off"])


@KINDS
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", CHANGE_WAYS_IN)
def test_page_that_changes_ways_in_asks_who_has_nothing(db, settings, providers, kind, name, method):
    client = nobody_to_ask(kind, settings)

    answer = getattr(client, method)(address_of(name))

    assert answer.headers["Location"] == f"{AGAIN}?next={quote(address_of(name), safe='')}"


def test_page_of_ours_asks_who_has_nothing(db, settings):
    user = without_password()
    device = enrolled_device(Visitor(user, Client()))
    client = signed_in(user)
    address = reverse("accounts:device-remove", args=[device])

    answers = [client.get(address), client.post(address)]

    assert [answer.headers["Location"].partition("?")[0] for answer in answers] == [AGAIN, AGAIN]
    assert user.devices.get().removed_at is None


def test_reauthentication_leads_on_who_has_nothing(db):
    client = signed_in(without_password())

    answer = client.get(reverse("account_reauthenticate"), {"next": "/devices/"})

    assert answer.headers["Location"] == f"{AGAIN}?next=%2Fdevices%2F"


@KINDS
def test_mailed_code_and_a_password_open_the_pages_for_five_minutes(db, settings, kind):
    client = nobody_to_ask(kind, settings)
    onward = reverse("mfa_activate_totp")

    with time_machine.travel(timezone.now().timestamp(), tick=False) as clock:
        asked = client.get(onward, follow=True).content.decode()
        to_code = client.post(AGAIN, {"next": onward})
        code = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", str(mail.outbox[-1].body), re.M)
        to_password = client.post(to_code.headers["Location"], {"code": code[1]})
        passwords = {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
        back = client.post(to_password.headers["Location"], passwords)
        clock.shift(299)
        in_time = client.get(onward).status_code
        clock.shift(2)
        late = client.get(onward)

    assert "Authweb mails a code to <bdi>carol@example.org</bdi>." in asked
    assert back.headers["Location"] == onward
    assert (in_time, late.headers["Location"].partition("?")[0]) == (200, reverse("account_reauthenticate"))


def test_password_set_by_mailed_code_frees_nobody_from_the_second_factor(alice):
    Authenticator.objects.create(user=alice.user, type="totp", data={"secret": "unread"})
    client = stale(alice.user)
    client.post(reverse("account_reset_password"), {"email": alice.user.email})
    code = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", str(mail.outbox[-1].body), re.M)
    client.post(reverse("account_confirm_password_reset_code"), {"code": code[1]})
    new = "another long phrase of hers"
    client.post(reverse("account_complete_password_reset"), {"password1": new, "password2": new})

    answer = client.get(reverse("account_email"))

    assert answer.headers["Location"].partition("?")[0] == LOGIN


def test_forgotten_password_is_set_anew_in_the_midst_and_leads_on_where_it_was_asked_for(alice):
    client = stale(alice.user)
    onward = f"{reverse('accounts:instead')}?then=restore"
    asked = client.get(reverse("account_reauthenticate"), {"next": onward}).content.decode()
    forgotten = f"{reverse('account_reset_password')}?next={quote(onward, safe='')}"

    to_code = client.post(forgotten, {"email": alice.user.email}).headers["Location"]
    code = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", str(mail.outbox[-1].body), re.M)
    to_password = client.post(to_code, {"code": code[1]}).headers["Location"]
    back = client.post(to_password, {"password1": PHRASE, "password2": PHRASE}).headers["Location"]
    to_sign_in = client.get(back).headers["Location"]
    signed_in = client.post(to_sign_in, {"login": alice.user.email, "password": PHRASE}).headers["Location"]

    assert [line in asked for line in (f'href="{forgotten}"', "Next: a new list in place of", " autofocus")] == [
        True
    ] * 3
    assert (back, signed_in) == (onward, onward)
    assert to_sign_in.partition("?")[0] == LOGIN


@pytest.mark.parametrize(
    ("name", "leads_to"), [("accounts:delete-account", "settings"), ("accounts:instead", "list"), (None, "list")]
)
def test_who_does_not_want_to_sign_in_again_goes_back(alice, name, leads_to):
    page = stale(alice.user).get(reverse("account_reauthenticate"), {"next": reverse(name)} if name else {})

    back = f'<a href="{reverse(f"accounts:{leads_to}")}">Cancel</a>'
    assert page.content.decode().count(back) == 1


def test_every_purpose_of_a_fresh_sign_in_is_that_of_a_page():
    pages = {f"{space}:{one.name}" for space, urls in _OURS for one in urls.urlpatterns}

    assert PURPOSES.keys() - pages == set()
