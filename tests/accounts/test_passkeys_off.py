"""Passkeys that are not accepted any more: what is named first, what stops, what stays, and who is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Event, KeySlot, SlotKind, User
from accounts.vault.encoding import b64url
from accounts.vault.list import Protection
from accounts.views import sign_in
from tests import factories
from tests.attacks import crawler
from tests.factories import PASSWORD, Visitor, create_entry, create_key

OFF, ON, WAYS = (reverse(f"accounts:{name}") for name in ("passkeys-off", "passkeys-on", "settings-sign-in"))
REFUSED = "Your passkeys are not accepted here, so they open nothing. Accept them again under Passkeys and sign-in."


def words_of(answer: Any) -> str:
    """What a page says, tags left out."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode().partition("<main")[2]))


def passkey(user: User, name: str, *, alone: bool = True, of: KeySlot | None = None) -> Authenticator:
    """A passkey that signs in, as allauth keeps it; of the same authenticator as a key to the list, if one is given."""
    credential = {"clientExtensionResults": {"credProps": {"rk": alone}}}
    if of is not None:
        credential["id"] = b64url(bytes(of.credential or b""))
    return Authenticator.objects.create(
        user=user, type=Authenticator.Type.WEBAUTHN, data={"name": name, "credential": credential}
    )


def facts(answer: Any) -> list[tuple[str, str]]:
    """The rows of the card."""
    found = re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd></div>", answer.content.decode(), re.DOTALL)
    return [(name, re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", says)).strip()) for name, says in found]


@pytest.mark.article("S-57")
def test_page_tells_under_important_to_keep_the_provider_of_passkeys_on(alice: Visitor) -> None:
    said = words_of(alice.client.get(WAYS))

    assert (
        " Important. If you have passkeys for your Microsoft account, keep the authenticator that holds them switched"
        " on as passkey provider in the settings of your device. Switched off there, those passkeys stop working. "
        in said
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.article("S-58")
def test_switch_names_by_the_persons_own_what_stops_before_anything_does(alice_phone: Visitor, bob: Visitor) -> None:
    create_entry(on=alice_phone)
    key = create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="Keychain of <alice>")
    factories.backed_up(alice_phone, protection=Protection.KEY)
    create_key(on=bob, kind=SlotKind.PASSKEY, name="Key of bob")
    for name, alone in (("Phone", True), ("Stick", False)):
        passkey(alice_phone.user, name, alone=alone)
    day = f"{key.made_at.day} {key.made_at:%B %Y}"
    before = crawler.rows()

    answer = alice_phone.client.get(OFF)

    assert facts(answer) == [
        ("Sign-in", "' Phone ' no longer signs you in. ' Stick ' is no longer your second factor."),
        (
            "Key to your list",
            "' Keychain of &lt;alice&gt; ' no longer opens your list in another browser.",
        ),
        (
            "Key to your backup",
            f"' Keychain of &lt;alice&gt; ' no longer opens what was saved since {day}, for you.",
        ),
    ]
    assert "Your passkeys are your only second factor. Without them your password alone signs you in." in words_of(
        answer
    )
    assert "You have no words." in words_of(answer)
    assert (
        "Until you make six words or accept passkeys again, nobody can restore your backup, you included."
        in words_of(answer)
    )
    assert crawler.changed(before, crawler.rows()) == []


@pytest.mark.article("S-58", "refused")
@pytest.mark.parametrize("has_password", [True, False])
def test_passkeys_go_off_unless_nothing_else_signs_the_person_in(alice: Visitor, has_password: bool) -> None:
    passkey(alice.user, "Phone")
    if not has_password:
        User.objects.filter(pk=alice.user.pk).update(password="!")
        alice = factories.at_another_browser(Visitor(User.objects.get(pk=alice.user.pk), Client()))

    asked = words_of(alice.client.get(OFF))
    alice.client.post(OFF)

    alice.user.refresh_from_db()
    assert alice.user.passkeys_off == has_password
    assert ("Nothing else signs you in. Set a password first" in asked) == (not has_password)
    assert [event.tag for event in Event.objects.all()] == ["sign_in:passkeys:off"] * has_password


@pytest.mark.django_db(transaction=True)
def test_while_off_a_passkey_opens_nothing_and_one_click_brings_it_back(alice_phone: Visitor) -> None:
    key = create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="Keychain")
    elsewhere = factories.at_another_browser(alice_phone)
    used = {"device_id": "00000000-0000-4000-8000-000000000007", "credential": b64url(bytes(key.credential or b""))}
    open_by, restore = reverse("accounts:open-passkey"), reverse("backups:restore-passkey")

    mail.outbox.clear()

    alice_phone.client.post(OFF)
    told = [
        elsewhere.client.post(open_by, {**used, "output": b64url(bytes(32))}).json(),
        alice_phone.client.post(restore, {"choice": "1", "output": b64url(bytes(32))}).json(),
    ]
    pages = [words_of(elsewhere.client.get(reverse("accounts:open"))), words_of(alice_phone.client.get(WAYS))]
    added = [
        alice_phone.client.get(reverse(name)).headers["Location"]
        for name in ("mfa_add_webauthn", "accounts:passkey-new")
    ]
    alice_phone.client.post(ON)
    again = words_of(elsewhere.client.get(reverse("accounts:open")))

    assert told == [{"sentence": REFUSED}] * 2
    assert ["Use your passkey" in page for page in (pages[0], again)] == [False, True]
    assert "Your passkeys are not accepted here, so they open nothing. Accept passkeys again" in pages[0]
    assert "Yours do nothing here" in pages[1]
    assert added == [WAYS, reverse("accounts:keys")]
    assert sorted(sent.subject for sent in mail.outbox) == [
        "Your passkeys are accepted at Authweb again",
        "Your passkeys are not accepted at Authweb any more",
    ]
    assert KeySlot.objects.filter(pk=key.pk).exists()


def test_passkeys_off_take_the_second_factor_from_nobody_who_has_codes(client: Client, alice: Visitor) -> None:
    passkey(alice.user, "Phone")
    Authenticator.objects.create(user=alice.user, type="totp", data={"secret": "unread"})

    asked = words_of(alice.client.get(OFF))
    alice.client.post(OFF)
    answer = client.post(reverse("account_login"), {"login": "alice@example.org", "password": PASSWORD})

    assert "second factor. Without" not in asked
    assert answer.headers["Location"] == reverse("mfa_authenticate")


@pytest.mark.parametrize("on_server", [True, False], ids=["on", "off"])
def test_switch_is_there_for_keys_to_the_list_whatever_the_server_takes(
    alice_phone: Visitor, settings: Any, on_server: bool
) -> None:
    create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="Keychain")
    passkey(alice_phone.user, "Phone")
    if not on_server:
        settings.MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
        settings.MFA_PASSKEY_LOGIN_ENABLED = settings.MFA_PASSKEY_SIGNUP_ENABLED = False

    every = [
        alice_phone.client.get(WAYS),
        alice_phone.client.get(OFF),
        alice_phone.client.post(OFF, follow=True),
        alice_phone.client.get(ON),
        alice_phone.client.post(ON, follow=True),
    ]

    assert [answer.status_code for answer in every] == [200] * 5
    assert ["Accept passkeys" in words_of(every[0]), "Phone" in words_of(every[0])] == [True, on_server]


def test_switch_is_the_persons_alone(alice: Visitor) -> None:
    """Staff would skip what the person is asked and told: a fresh sign-in, the last way in, a mail."""
    passkey(alice.user, "Phone")
    desk = factories.visitor("root@example.org", is_staff=True, is_superuser=True)

    desk.client.post(reverse("admin:accounts_user_change", args=[alice.user.pk]), {"passkeys_off": "on"})

    alice.user.refresh_from_db()
    assert (alice.user.is_active, alice.user.passkeys_off) == (False, False)  # What else was sent is taken.


@pytest.mark.parametrize(("method", "locked"), [("get", False), ("post", True)])
def test_of_two_that_take_a_way_in_away_one_waits_for_the_other(
    alice: Visitor, rf: RequestFactory, method: str, locked: bool
) -> None:
    """Unlinking and the switch at once would each count on the other's way in."""
    asked = getattr(rf, method)("/")
    asked.user = alice.user

    with CaptureQueriesContext(connection) as queries:
        sign_in.one_by_one(lambda _request: HttpResponse())(asked)

    assert ["accounts_user" in query["sql"] for query in queries if "SELECT" in query["sql"]] == [True] * locked


# -- One is removed ---------------------------------------------------------------------------------------------------


@pytest.mark.article("S-58")
@pytest.mark.parametrize("is_key", [True, False], ids=["a key too", "no key"])
def test_removal_of_a_passkey_names_what_stops_and_what_it_goes_on_doing(alice_phone: Visitor, is_key: bool) -> None:
    slot = create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="Keychain")
    factor = passkey(alice_phone.user, "Phone", of=slot if is_key else None)

    of_sign_in = alice_phone.client.get(reverse("mfa_remove_webauthn", args=[factor.pk]))
    of_list = alice_phone.client.get(reverse("accounts:key-remove", args=[slot.pk]))

    assert facts(of_sign_in) == [
        ("Sign-in", "Stops with this passkey"),
        (
            "Key to your list",
            "It is one and stays one, until you remove it there too. Keys to your list" if is_key else "It is none",
        ),
        ("Key to your backup", "It is none"),
    ]
    assert "It is your only second factor. Without it your password alone signs you in" in words_of(of_sign_in)
    assert facts(of_list)[2:5] == [
        ("Key to your list", "Stops at once"),
        ("Key to your backup", "It opens no saved state"),
        (
            "Sign-in",
            "It goes on signing you in, until you remove it there too. Passkeys and sign-in"
            if is_key
            else "It does not sign you in",
        ),
    ]
