"""Pages and mails speak the language of their reader."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import User
from accounts.services import devices
from tests.factories import Visitor, create_entry


def words(page: Any) -> list[bool]:
    """Whether a page speaks German, and whether English."""
    text = page.content.decode()
    return ['<html lang="de"' in text and "Konto hinzufügen" in text, "Add account" in text]


def test_page_is_in_the_language_the_person_chose(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    address = reverse("accounts:list")

    english = alice_phone.client.get(address, headers={"Accept-Language": "en"})
    alice_phone.client.post(reverse("accounts:settings-appearance"), {"theme": "system", "language": "de"})
    german = alice_phone.client.get(address, headers={"Accept-Language": "en"})

    assert [words(english), words(german)] == [[False, True], [True, False]]


def test_page_is_in_the_language_of_the_browser_where_nobody_chose(db: None, client: Client) -> None:
    pages = [
        client.get(reverse("welcome"), headers={"Accept-Language": asked}) for asked in ("de-AT,en;q=0.5", "fr", "")
    ]

    assert [page.headers["Content-Language"] for page in pages] == ["de", "en", "en"]


def test_language_of_one_person_is_not_the_next_ones_and_ends_with_the_choice(
    alice_phone: Visitor, bob: Visitor
) -> None:
    """What a browser remembers is for pages that know nobody: the sign-in after signing out, the help."""
    asked, page = {"Accept-Language": "en"}, reverse("accounts:settings")
    User.objects.filter(pk=alice_phone.user.pk).update(language="de")
    alice_phone.client.get(page)
    shared = Client()
    shared.cookies[settings.LANGUAGE_COOKIE_NAME] = alice_phone.client.cookies[settings.LANGUAGE_COOKIE_NAME].value

    nobody = shared.get(reverse("account_login"), headers=asked)
    bob.client.cookies.update(shared.cookies)
    bobs = bob.client.get(page, headers=asked)
    User.objects.filter(pk=alice_phone.user.pk).update(language="")
    hers = alice_phone.client.get(page, headers=asked)

    assert [answer.headers["Content-Language"] for answer in (nobody, bobs, hers)] == ["de", "en", "en"]
    assert [answer.cookies[settings.LANGUAGE_COOKIE_NAME].value for answer in (bobs, hers)] == ["", ""]


@pytest.mark.parametrize(("chosen", "spoken"), [("de", "en"), ("", "de")])
def test_mail_is_in_the_language_of_its_reader(
    chosen: str,
    spoken: str,
    alice_phone: Visitor,
    mailoutbox: list[Any],
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]],
) -> None:
    alice_phone.user.language = chosen
    alice_phone.user.save()
    device = alice_phone.user.devices.get()

    with translation.override(spoken), django_capture_on_commit_callbacks(execute=True):
        devices.remove(device, at=device.made_at, by=None)

    assert [mail.subject for mail in mailoutbox] == [f"Ein Gerät wurde aus Authweb entfernt: {device.name}"]
