"""What sign-in mails: every change of the ways in, in words that say what happened and what to do."""

from __future__ import annotations

import re

import pyotp
import pytest
from allauth.account import app_settings
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.factories import PASSWORD, Visitor

pytestmark = pytest.mark.django_db(transaction=True)
NEW = "another long phrase of hers"


@pytest.fixture
def hers(transactional_db: None) -> Visitor:
    return factories.visitor("alice@example.org")


def code() -> str:
    found = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", str(mail.outbox[-1].body), re.M)
    assert found
    return found[1]


def sent() -> list[tuple[str, str]]:
    """To whom, and what about; then the box is empty."""
    found = [(message.to[0], message.subject) for message in mail.outbox]
    mail.outbox.clear()
    return found


def without_password() -> Visitor:
    user = factories.create_user("carol@example.org")
    user.set_unusable_password()
    user.save()
    Authenticator.objects.create(user=user, type="totp", data={"secret": "unread"})
    return factories.at_another_browser(Visitor(user, Client()))


def test_change_of_the_password_is_mailed(hers):
    hers.client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})

    assert sent() == [("alice@example.org", "Your Authweb password was changed")]


def test_first_password_is_mailed(db):
    without_password().client.post(reverse("account_set_password"), {"password1": NEW, "password2": NEW})

    assert sent() == [("carol@example.org", "Your Authweb account has a password now")]


def test_password_set_anew_is_mailed(hers):
    client = Client()
    client.post(reverse("account_reset_password"), {"email": "alice@example.org"})
    client.post(reverse("account_confirm_password_reset_code"), {"code": code()})
    mail.outbox.clear()
    client.post(reverse("account_complete_password_reset"), {"password1": NEW, "password2": NEW})

    assert sent() == [("alice@example.org", "Your Authweb password was set anew")]


def test_addresses_added_made_main_and_removed_are_mailed_to_the_address_before(hers):
    page = reverse("account_email")
    hers.client.post(page, {"email": "new@example.org", "action_add": ""})
    asked = code()
    to_the_new_one = sent()
    hers.client.post(reverse("account_email_verification_sent"), {"code": asked})
    added = sent()
    hers.client.post(page, {"email": "new@example.org", "action_primary": ""})
    changed = sent()
    hers.client.post(page, {"email": "alice@example.org", "action_remove": ""})
    removed = sent()

    assert to_the_new_one == [("new@example.org", f"Your code for Authweb: {asked}")]
    assert added == [("alice@example.org", "An address was added to your Authweb account")]
    assert changed == [("alice@example.org", "Your Authweb address was changed")]
    assert removed == [("new@example.org", "An address was removed from your Authweb account")]
    hers.user.refresh_from_db()
    assert hers.user.email == "new@example.org"


def test_one_time_codes_and_recovery_codes_are_mailed(hers):
    page = reverse("mfa_activate_totp")
    hers.client.get(page)
    hers.client.post(page, {"code": pyotp.TOTP(hers.client.session["mfa.totp.secret"]).now()})
    turned_on = sent()
    hers.client.post(reverse("mfa_generate_recovery_codes"))
    made = sent()
    hers.client.post(reverse("mfa_deactivate_totp"))

    assert turned_on == [("alice@example.org", "One-time codes were turned on for Authweb")]
    assert made == [("alice@example.org", "New recovery codes for Authweb were made")]
    assert sent() == [("alice@example.org", "One-time codes were turned off for Authweb")]


def test_removed_passkey_is_mailed(hers):
    key = Authenticator.objects.create(user=hers.user, type="webauthn", data={"name": "Key", "credential": {}})

    hers.client.post(reverse("mfa_remove_webauthn", args=[key.pk]))

    assert sent() == [("alice@example.org", "A passkey was removed from your Authweb account")]


def test_change_says_when_where_from_and_what_to_do(hers):
    hers.client.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW},
        HTTP_USER_AGENT="Firefox & more",
        HTTP_HOST="localhost",
    )

    body = str(mail.outbox[0].body)
    assert re.search(r"^When: \d+ \w+ \d{4}, \d\d:\d\d UTC$", body, re.M)
    assert "From: 127.0.0.1\nBrowser: Firefox & more\n" in body
    assert "http://localhost:8000/sign-in/password/reset/\nhttp://localhost:8000/settings/sign-in/\n" in body


def test_unknown_address_is_told_so_by_mail_alone(transactional_db):
    for page in ("account_request_login_code", "account_reset_password"):
        Client(HTTP_HOST="localhost:5001").post(reverse(page), {"email": "nobody@example.org"})

    assert ["http://localhost:8000/sign-in/signup/" in str(message.body) for message in mail.outbox] == [True, True]
    assert sent() == [("nobody@example.org", "No Authweb account has this address")] * 2


def test_mails_are_plain_and_calm(hers):
    client = Client()
    client.post(reverse("account_request_login_code"), {"email": "alice@example.org"})
    client.post(reverse("account_reset_password"), {"email": "alice@example.org"})
    Client().post(reverse("account_signup"), {"email": "alice@example.org", "password1": NEW, "password2": NEW})
    Client().post(reverse("account_signup"), {"email": "dan@example.org", "password1": NEW, "password2": NEW})

    assert len(mail.outbox) == 4
    for message in mail.outbox:
        text = f"{message.subject}\n{message.body}"
        assert (message.alternatives, "!" in text, "&#" in text, "testserver" in text) == ([], False, False, False)
        assert text.rstrip().endswith("--\nAuthweb at http://localhost:8000")


def test_codes_count_as_long_as_their_mails_say():
    timeouts = [
        app_settings.EMAIL_VERIFICATION_BY_CODE_TIMEOUT,
        app_settings.LOGIN_BY_CODE_TIMEOUT,
        app_settings.PASSWORD_RESET_BY_CODE_TIMEOUT,
    ]

    assert timeouts == [15 * 60] * 3
