"""A second factor that cannot be shown any more: said in one sentence, taken off by the operator, told by mail."""

from __future__ import annotations

import io

import pyotp
import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.factories import PASSWORD, Visitor

LOGIN, WAYS = reverse("account_login"), reverse("accounts:settings-sign-in")


@pytest.fixture
def with_factor(alice: Visitor) -> Visitor:
    """Alice with one-time codes and recovery codes."""
    address = reverse("mfa_activate_totp")
    factories.grown_fresh(alice).client.get(address)
    secret = str(alice.client.session["mfa.totp.secret"])
    alice.client.post(address, {"code": pyotp.TOTP(secret).now()})
    assert Authenticator.objects.count() == 2
    return alice


def sign_in(code: str = "000000") -> object:
    """From a new browser, by password and then by a code."""
    client = Client()
    client.post(LOGIN, {"login": "alice@example.org", "password": PASSWORD})
    return client.post(reverse("mfa_authenticate"), {"code": code})


def test_seed_that_does_not_open_is_one_sentence_and_no_way_in(with_factor: Visitor) -> None:
    for authenticator in Authenticator.objects.all():
        damaged = {key: "AAAAAUFB" if isinstance(value, str) else value for key, value in authenticator.data.items()}
        Authenticator.objects.filter(pk=authenticator.pk).update(data=damaged)

    answer = sign_in()

    assert answer.status_code == 503  # type: ignore[attr-defined]
    assert "Your second factor cannot be checked." in answer.content.decode()  # type: ignore[attr-defined]


def test_operator_takes_it_off_and_the_person_is_told(with_factor: Visitor, django_capture_on_commit_callbacks) -> None:
    mail.outbox.clear()

    with django_capture_on_commit_callbacks(execute=True):
        call_command("take_off_second_factor", "Alice@example.org", stdout=io.StringIO())
    client = Client()
    client.post(LOGIN, {"login": "alice@example.org", "password": PASSWORD})

    assert Authenticator.objects.count() == 0
    assert [message.subject for message in mail.outbox] == ["Your second factor at Authweb was taken off"]
    assert client.get(WAYS).status_code == 200


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("nobody@example.org", "nobody@example.org does not sign in here."),
        ("alice@example.org", "alice@example.org has no second factor but passkeys."),
    ],
)
def test_there_must_be_one_to_take_off(alice: Visitor, address: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=f"^{sentence}$"):
        call_command("take_off_second_factor", address)
