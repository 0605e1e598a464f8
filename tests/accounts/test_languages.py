"""Pages and mails speak the language of their reader."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

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
