"""Signing up and in: by password, by mailed code, with a second factor; invitations; the first administrator."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pyotp
import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Event, User
from accounts.services import sign_in
from accounts.services.activity import Tag
from tests import factories, stored
from tests.factories import PASSWORD, Visitor

SIGN_UP, LOGIN, WAYS = reverse("account_signup"), reverse("account_login"), reverse("accounts:settings-sign-in")
VERIFY = reverse("account_email_verification_sent")


def code_of_mail() -> str:
    """The code of the newest mail."""
    found = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", str(mail.outbox[-1].body), re.M)
    assert found
    return found[1]


def is_signed_in(client: Client) -> bool:
    return client.get(WAYS).status_code == 200


def sign_up(client: Client, email: str = "carol@example.org") -> Any:
    return client.post(SIGN_UP, {"email": email, "password1": PASSWORD, "password2": PASSWORD})


def tags(user: User) -> list[str]:
    return list(Event.objects.filter(user=user).order_by("id").values_list("tag", flat=True))


def without_password(email: str = "carol@example.org") -> User:
    user = factories.create_user(email)
    user.set_unusable_password()
    user.save()
    return user


def passkey(user: User, *, alone: bool = True) -> Authenticator:
    """A passkey as allauth keeps it, without the parts that only a ceremony reads."""
    credential = {"clientExtensionResults": {"credProps": {"rk": alone}}}
    return Authenticator.objects.create(
        user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "Passkey", "credential": credential}
    )


# -- Password and code ------------------------------------------------------------------------------------------------


def test_sign_up_ends_signed_in_after_the_mailed_code(client, db):
    sign_up(client)
    before = is_signed_in(client)

    answer = client.post(VERIFY, {"code": code_of_mail()})

    assert (before, answer.headers["Location"], is_signed_in(client)) == (False, reverse("accounts:list"), True)
    user = User.objects.get(email="carol@example.org")
    assert EmailAddress.objects.get(user=user).verified
    assert tags(user) == [Tag.SIGNED_UP, Tag.SIGNED_IN]


def test_code_that_did_not_come_is_sent_again_twice_and_counts_as_long(client, alice):
    taken = Client()
    with time_machine.travel(timezone.now().timestamp(), tick=False) as clock:
        sign_up(taken, "alice@example.org")
        mail.outbox.clear()
        sign_up(client)
        first = code_of_mail()
        too_soon = client.post(VERIFY, {"action": "resend"})
        sent, pages = [len(mail.outbox)], []
        for _ in range(3):
            clock.shift(840)
            pages += [who.get(VERIFY).content.decode() for who in (client, taken)]
            for who in (client, taken):
                who.post(VERIFY, {"action": "resend"})
            sent.append(len(mail.outbox))
        last = client.get(VERIFY).content.decode()
        of_first = client.post(VERIFY, {"code": first}).status_code
        of_newest = client.post(VERIFY, {"code": code_of_mail()}).status_code

    assert too_soon.status_code == 429
    assert (sent, of_first, of_newest) == ([1, 2, 3, 3], 200, 302)
    assert [">Send again</button>" in page for page in (*pages, last)] == [True] * 4 + [False] * 3


def test_third_wrong_code_ends_the_code(client, db):
    sign_up(client)
    code = code_of_mail()

    answers = [client.post(VERIFY, {"code": "WRNG-CODE"}) for _ in range(3)]
    afterwards = client.post(VERIFY, {"code": code}, follow=True)

    assert [answer.status_code for answer in answers] == [200, 200, 302]
    assert "That was the third wrong code, so it counts no more. Ask for a new one." in afterwards.content.decode()
    assert not is_signed_in(client)
    assert not EmailAddress.objects.get().verified


def test_sign_in_by_mailed_code_needs_no_password(client, db):
    without_password()

    client.post(reverse("account_request_login_code"), {"email": "carol@example.org"})
    client.post(reverse("account_confirm_login_code"), {"code": code_of_mail()})

    assert is_signed_in(client)


def test_password_is_set_anew_by_mailed_code(client, alice):
    client.post(reverse("account_reset_password"), {"email": "alice@example.org"})
    client.post(reverse("account_confirm_password_reset_code"), {"code": code_of_mail()})
    new = "another long phrase of hers"
    client.post(reverse("account_complete_password_reset"), {"password1": new, "password2": new})

    answers = [client.post(LOGIN, {"login": "alice@example.org", "password": word}) for word in (PASSWORD, new)]

    assert [answer.status_code for answer in answers] == [200, 302]
    assert not is_signed_in(alice.client)  # Sessions of the old password are over.


@pytest.mark.parametrize(("email", "password"), [("alice@example.org", "wrong"), ("nobody@example.org", PASSWORD)])
def test_wrong_password_and_unknown_address_are_told_alike(client, alice, email, password):
    answer = client.post(LOGIN, {"login": email, "password": password})

    assert "That is not the right address and password." in answer.content.decode()
    assert (Tag.SIGN_IN_FAILED in tags(alice.user)) == (email == alice.user.email)


def test_session_lasts_thirty_days_however_one_signs_in(client, alice):
    by_password = client.post(LOGIN, {"login": "alice@example.org", "password": PASSWORD}).cookies["session"]
    other = Client()
    other.post(reverse("account_request_login_code"), {"email": "alice@example.org"})
    by_code = other.post(reverse("account_confirm_login_code"), {"code": code_of_mail()}).cookies["session"]

    assert [by_password["max-age"], by_code["max-age"]] == [2592000, 2592000]


def test_signing_out_everywhere_else_ends_all_other_sessions(alice):
    elsewhere = factories.at_another_browser(alice)

    alice.client.post(reverse("usersessions_list"))

    assert (is_signed_in(alice.client), is_signed_in(elsewhere.client)) == (True, False)
    assert tags(alice.user) == [Tag.SIGNED_OUT_ELSEWHERE]


def test_onward_address_of_another_site_or_port_is_dropped(client, alice):
    for onward in ("https://evil.example/", "//evil.example/", "http://testserver:5001/", "https://localhost/"):
        answer = Client().post(f"{LOGIN}?next={onward}", {"login": "alice@example.org", "password": PASSWORD})
        assert answer.headers["Location"] == reverse("accounts:list"), onward


def test_request_without_an_address_is_not_shut_out(alice):
    answer = Client(REMOTE_ADDR="").post(LOGIN, {"login": "alice@example.org", "password": PASSWORD})

    assert answer.headers["Location"] == reverse("accounts:list")


def test_page_is_answered_although_the_mail_is_not_sent(client, db, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    answer = sign_up(client)

    assert answer.status_code == 503
    assert "The mail was not sent." in answer.content.decode()


# -- Second factor ----------------------------------------------------------------------------------------------------


def turn_totp_on(visitor: Visitor) -> str:
    """Activate one-time codes; their key."""
    address = reverse("mfa_activate_totp")
    visitor.client.get(address)
    secret = str(visitor.client.session["mfa.totp.secret"])
    answer = visitor.client.post(address, {"code": pyotp.TOTP(secret).now()})
    assert answer.status_code == 302
    return secret


def seeds_in_the_clear(visitor: Visitor) -> list[bool]:
    """Whether the database holds the key of the one-time codes, and the seed of the recovery codes."""
    secret = turn_totp_on(visitor)
    rows = {row.type: row.data for row in Authenticator.objects.filter(user=visitor.user)}
    visitor.client.get(reverse("mfa_view_recovery_codes"))
    return [secret in stored.everything(), bool(re.fullmatch(r"[0-9a-f]{80}", rows["recovery_codes"]["seed"]))]


def test_seeds_of_second_factors_are_sealed(alice):
    assert seeds_in_the_clear(alice) == [False, False]


def test_seeds_are_found_when_the_hook_is_off(alice, settings):
    settings.MFA_ADAPTER = "allauth.mfa.adapter.DefaultMFAAdapter"

    assert seeds_in_the_clear(alice) == [True, True]


def test_code_of_the_second_factor_counts_once(alice):
    secret = turn_totp_on(alice)

    with time_machine.travel(timezone.now().timestamp() + 120, tick=False):
        code = pyotp.TOTP(secret).now()
        outcomes = []
        for client in (Client(), Client()):
            client.post(LOGIN, {"login": "alice@example.org", "password": PASSWORD})
            answer = client.post(reverse("mfa_authenticate"), {"code": code})
            outcomes.append((answer.status_code, is_signed_in(client)))

    assert outcomes == [(302, True), (200, False)]
    assert Tag.FACTOR_FAILED in tags(alice.user)


@pytest.mark.parametrize("spelt", ["{}{}", "{} {}", "{}-{}"])
def test_code_counts_once_for_as_long_as_it_is_taken(alice, spelt):
    """Ahead of its half minute, and after it: allauth has forgotten by then that it was used."""
    secret, at = turn_totp_on(alice), timezone.now().timestamp() // 30 * 30 + 120
    code = pyotp.TOTP(secret).at(at + 30)
    outcomes = []
    for later in (0, 31, 60):
        with time_machine.travel(at + later, tick=False):
            client = Client()
            client.post(LOGIN, {"login": "alice@example.org", "password": PASSWORD})
            client.post(reverse("mfa_authenticate"), {"code": code if not later else spelt.format(code[:3], code[3:])})
            outcomes.append(is_signed_in(client))

    assert outcomes == [True, False, False]


def test_code_used_at_a_sign_in_is_not_taken_again_for_a_fresh_one(alice):
    secret, at = turn_totp_on(alice), timezone.now().timestamp() // 30 * 30 + 120
    code = pyotp.TOTP(secret).at(at + 30)
    client = Client()
    with time_machine.travel(at, tick=False):
        client.post(LOGIN, {"login": "alice@example.org", "password": PASSWORD})
        client.post(reverse("mfa_authenticate"), {"code": code})
    with time_machine.travel(at + 31, tick=False):
        again = client.post(reverse("mfa_reauthenticate"), {"code": code})
        other = client.post(reverse("mfa_reauthenticate"), {"code": pyotp.TOTP(secret).at(at + 60)})

    assert (again.status_code, other.status_code) == (200, 302)


def test_recovery_code_stands_in_for_the_second_factor_once(alice):
    turn_totp_on(alice)
    codes = Authenticator.objects.get(user=alice.user, type="recovery_codes").wrap().get_unused_codes()

    outcomes = []
    for client in (Client(), Client()):
        client.post(LOGIN, {"login": "alice@example.org", "password": PASSWORD})
        client.post(reverse("mfa_authenticate"), {"code": codes[0]})
        outcomes.append(is_signed_in(client))

    assert (len(codes), outcomes) == (10, [True, False])


def test_passkeys_off_on_the_server_ask_nobody_for_one(client, alice, settings):
    passkey(alice.user)
    settings.MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
    settings.MFA_PASSKEY_LOGIN_ENABLED = settings.MFA_PASSKEY_SIGNUP_ENABLED = False

    answer = client.post(LOGIN, {"login": "alice@example.org", "password": PASSWORD})

    assert answer.headers["Location"] == reverse("accounts:list")
    pages = [WAYS, reverse("account_email"), reverse("account_change_password"), reverse("mfa_activate_totp")]
    assert [alice.client.get(page).status_code for page in pages] == [200, 200, 200, 200]
    assert "Passkeys</h2>" not in alice.client.get(WAYS).content.decode()


def test_passkeys_off_for_one_person_ask_that_person_for_none_and_count_as_no_way_in(client, alice, bob):
    for user in (alice.user, bob.user):
        passkey(user)
    User.objects.filter(pk=alice.user.pk).update(passkeys_off=True)

    answers = [
        client.post(LOGIN, {"login": user.email, "password": PASSWORD}).headers["Location"]
        for user in (alice.user, bob.user)
        if not client.logout()
    ]

    alice.user.refresh_from_db()
    assert answers == [reverse("accounts:list"), reverse("mfa_authenticate")]
    assert [len(sign_in.ways_in(user).passkeys) for user in (alice.user, bob.user)] == [0, 1]


# -- The last way in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has_password", "others", "left"),
    [(False, 0, 1), (False, 1, 1), (True, 0, 0)],
    ids=["the only way in", "another passkey", "a password"],
)
def test_passkey_is_removed_unless_it_is_the_last_way_in(db, has_password, others, left):
    user = factories.create_user("carol@example.org") if has_password else without_password()
    keys = [passkey(user) for _ in range(1 + others)]
    passkey(user, alone=False)  # A second factor lets nobody in by itself.
    client = factories.at_another_browser(Visitor(user, Client())).client

    answer = client.post(reverse("mfa_remove_webauthn", args=[keys[0].pk]), follow=True)

    assert len(sign_in.ways_in(user).passkeys) == left
    assert ("This passkey is your last way in." in answer.content.decode()) == (not has_password and not others)


def test_passkey_of_somebody_else_is_not_there(alice, bob):
    key = passkey(bob.user)

    assert alice.client.post(reverse("mfa_remove_webauthn", args=[key.pk])).status_code == 404
    assert Authenticator.objects.filter(pk=key.pk).exists()


def test_outside_sign_in_that_is_the_last_way_in_stays(db, settings):
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {"APPS": [{"provider_id": "oidc-sign-in", "name": "Home", "client_id": "1", "secret": "2"}]}
    }
    user = without_password()
    link = SocialAccount.objects.create(user=user, provider="oidc-sign-in", uid="1", extra_data={"username": "carol"})
    Authenticator.objects.create(user=user, type="totp", data={"secret": "unread"})
    client = factories.at_another_browser(Visitor(user, Client())).client

    answer = client.post(reverse("socialaccount_connections"), {"account": link.pk})

    assert "This is your last way in. Set a password first." in answer.content.decode()
    assert SocialAccount.objects.filter(pk=link.pk).exists()


# -- Invitations ------------------------------------------------------------------------------------------------------


def invite(address: str) -> str:
    """The path of the link that the command prints."""
    out = StringIO()
    call_command("invite", address, stdout=out, stderr=StringIO())
    link = out.getvalue().strip()
    assert link.startswith("http://localhost:8000/")
    return link.removeprefix("http://localhost:8000")


def test_closed_sign_up_says_so(client, db, settings):
    settings.SIGN_UP = "closed"

    pages = [client.get(address).content.decode() for address in (SIGN_UP, reverse("account_signup_by_passkey"))]
    sign_up(client)

    assert ["By invitation only" in page for page in pages] == [True, True]
    assert not User.objects.exists()


def test_invited_person_signs_up_once(client, db, settings):
    settings.SIGN_UP = "closed"
    link = invite("Carol@example.org")

    landing = client.get(link)
    assert client.session.get("invitation") is None  # Nothing happens on a GET.
    client.post(link)
    sign_up(client)
    client.post(VERIFY, {"code": code_of_mail()})
    again = Client().get(link)

    assert "carol@example.org" in landing.content.decode()
    assert tags(User.objects.get()) == [Tag.SIGNED_UP, Tag.PERSON_INVITED, Tag.SIGNED_IN]
    assert "This invitation was used" in again.content.decode()


def test_invitation_is_for_one_address(client, db, settings):
    settings.SIGN_UP = "closed"
    client.post(invite("carol@example.org"))

    answer = sign_up(client, "dave@example.org")

    assert "Your invitation is for carol@example.org. Sign up with that address." in answer.content.decode()
    assert not User.objects.exists()


def test_invitation_is_over_after_seven_days_or_when_altered(client, db, settings):
    settings.SIGN_UP = "closed"
    link = invite("carol@example.org")

    with time_machine.travel(timezone.now().timestamp() + 7 * 24 * 3600 - 5):
        in_time = client.post(link).status_code
    with time_machine.travel(timezone.now().timestamp() + 7 * 24 * 3600 + 5):
        late = [client.post(link).status_code, "By invitation only" in client.get(SIGN_UP).content.decode()]
    other = "y" if link[-3] == "x" else "x"
    altered = client.get(link[:-3] + other + link[-2:]).status_code

    assert (in_time, late, altered) == (303, [410, True], 410)


@pytest.mark.parametrize("address", ["alice@example.org", "ALICE@example.org", "no address"])
def test_invitation_is_refused_for_a_known_address_and_for_none(alice, address):
    with pytest.raises(CommandError):
        invite(address)


# -- The administration -----------------------------------------------------------------------------------------------


def test_first_administrator_signs_in_and_enters_the_administration(client, db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", email="root@example.org", interactive=False, stdout=StringIO())

    to_sign_in = client.get("/admin/", follow=True)
    client.post(LOGIN, {"login": "root@example.org", "password": PASSWORD})

    assert to_sign_in.request["PATH_INFO"] == LOGIN
    assert client.get("/admin/").status_code == 200


def test_administration_refuses_who_is_no_staff(alice):
    assert alice.client.get("/admin/", follow=True).status_code == 403
