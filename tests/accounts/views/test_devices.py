"""Devices: set up by an act, renamed, removed after a fresh sign-in, put back by another browser alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import time_machine
from django.conf import settings
from django.urls import reverse

from accounts import arrivals
from accounts.models import Device, Vault
from tests import factories
from tests.factories import Visitor

ID = "00000000-0000-4000-8000-000000000007"
DEVICES = reverse("accounts:devices")


def messages(answer: object) -> list[str]:
    """What is said on the next page."""
    return [str(message) for message in answer.context["messages"]]  # type: ignore[attr-defined]


def test_set_up_gives_the_cookie_once_and_leads_to_the_list(alice: Visitor) -> None:
    answer = alice.client.post(reverse("accounts:start"), {"name": "  Pixel   9 ", "type": "android", "device_id": ID})

    name = arrivals.cookie_name(alice.user.pk)
    assert answer.headers["Location"] == reverse("accounts:list")
    assert Device.objects.get().name == "Pixel 9"
    assert re.fullmatch(r"[A-Za-z0-9_-]{66}", answer.cookies[name].value)
    assert [name in alice.client.get(address).cookies for address in (reverse("accounts:list"), DEVICES)] == [
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("form", "faults"),
    [
        ({"name": "", "type": "ios"}, ["name"]),
        ({"name": "x" * 65, "type": "ios"}, ["name"]),
        ({"name": "a\u202eb", "type": "ios"}, ["name"]),
        ({"name": "Pixel", "type": ""}, ["type"]),
        ({"name": "Pixel", "type": "toaster"}, ["type"]),
    ],
)
def test_set_up_with_nonsense_sets_up_nothing(alice: Visitor, form: dict[str, str], faults: list[str]) -> None:
    answer = alice.client.post(reverse("accounts:start"), {"device_id": ID, **form})

    assert sorted(answer.context["form"].errors) == faults
    assert [Device.objects.count(), Vault.objects.count()] == [0, 0]


@pytest.mark.article("G-25", "refused")
def test_missing_cookie_enrols_nothing_and_a_second_list_is_an_act_of_its_own(
    alice_phone: Visitor, alice_elsewhere: Visitor
) -> None:
    client = alice_elsewhere.client
    for address in (reverse("accounts:list"), reverse("accounts:start"), reverse("accounts:open"), DEVICES):
        client.get(address, follow=True)
    by_itself = [Device.objects.count(), Vault.objects.count()]

    refused = client.post(reverse("accounts:start"), {"name": "Laptop", "type": "computer", "device_id": ID})
    client.post(reverse("accounts:separate"), {"name": "Laptop", "type": "computer", "device_id": ID})

    assert by_itself == [1, 1]
    assert refused.headers["Location"] == reverse("accounts:open")
    assert [Device.objects.count(), Vault.objects.count()] == [2, 2]


def test_device_is_renamed(alice_phone: Visitor) -> None:
    assert alice_phone.device is not None
    address = reverse("accounts:device-rename", args=[alice_phone.device.pk])

    alice_phone.client.post(address, {"name": "Old phone"})
    refused = alice_phone.client.post(address, {"name": "\x00"})

    assert Device.objects.get().name == "Old phone"
    assert sorted(refused.context["form"].errors) == ["name"]


def test_removal_asks_for_a_fresh_sign_in_before_it_is_shown(alice_stale: Visitor) -> None:
    assert alice_stale.device is not None
    address = reverse("accounts:device-remove", args=[alice_stale.device.pk])

    shown = alice_stale.client.get(address)
    posted = alice_stale.client.post(address, {"agreed": "on"})

    assert shown.headers["Location"].startswith("/sign-in/")
    assert [posted.status_code, posted.headers["Location"]] == [303, address]
    assert Device.objects.get().removed_at is None


def test_removal_names_until_when_it_can_be_undone(alice_phone: Visitor) -> None:
    assert alice_phone.device is not None
    with time_machine.travel(datetime(2026, 11, 24, 14, 2, tzinfo=UTC), tick=False):
        factories.grown_fresh(alice_phone)
        page = alice_phone.client.get(reverse("accounts:device-remove", args=[alice_phone.device.pk])).content.decode()

    assert "Until Wednesday, 25 November, 14:02 you can undo" in page


def test_own_removal_ends_here_and_now(alice_phone: Visitor) -> None:
    assert alice_phone.device is not None

    answer = alice_phone.client.post(
        reverse("accounts:device-remove", args=[alice_phone.device.pk]), {"agreed": "on"}, follow=True
    )

    assert answer.redirect_chain[0][0] == reverse("welcome")
    assert alice_phone.client.get(DEVICES).status_code == 302
    assert settings.SESSION_COOKIE_NAME not in alice_phone.client.cookies or not (
        alice_phone.client.cookies[settings.SESSION_COOKIE_NAME].value
    )


def test_removed_browser_is_told_when_and_cannot_put_itself_back(mallory_removed: Visitor) -> None:
    page = mallory_removed.client.get(reverse("accounts:open")).content.decode()
    assert mallory_removed.device is not None

    answer = mallory_removed.client.post(reverse("accounts:device-undo", args=[mallory_removed.device.pk]), follow=True)

    assert re.search(r"This device was removed on \d+ \w+ \d{4}, \d\d:\d\d\.", page)
    assert messages(answer) == ["This browser was removed. It is put back from another browser where you sign in."]
    assert Device.objects.get().removed_at is not None


def test_removed_device_is_put_back_from_another_browser(mallory_removed: Visitor) -> None:
    elsewhere = factories.at_another_browser(mallory_removed)
    assert mallory_removed.device is not None

    answer = elsewhere.client.post(reverse("accounts:device-undo", args=[mallory_removed.device.pk]), follow=True)

    assert messages(answer) == ["Put back. It opens your list again."]
    assert mallory_removed.client.get(reverse("accounts:list")).status_code == 200


@pytest.mark.parametrize("act", ["rename", "remove", "undo"])
def test_device_of_another_person_is_404(alice_phone: Visitor, bob: Visitor, act: str) -> None:
    assert bob.device is not None
    address = reverse(f"accounts:device-{act}", args=[bob.device.pk])

    answers = [alice_phone.client.post(address, {"name": "x", "agreed": "on"}), alice_phone.client.get(address)]

    assert [answer.status_code for answer in answers] == [404, 404]
    bob.device.refresh_from_db()
    assert [bob.device.name, bob.device.removed_at] == ["Bob's computer", None]


@pytest.mark.article("G-31")
@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (0, "There is no backup, and the list is empty."),
        (1, "There is no backup: 1 account will be lost."),
        (2, "There is no backup: 2 accounts will be lost."),
    ],
)
def test_removal_of_the_last_door_names_how_many_accounts_go(alice_phone: Visitor, count: int, sentence: str) -> None:
    for number in range(count):
        factories.create_entry(on=alice_phone, name=str(number))
    assert alice_phone.device is not None
    address = reverse("accounts:device-remove", args=[alice_phone.device.pk])

    here = alice_phone.client.get(address).content.decode()
    elsewhere = factories.at_another_browser(alice_phone).client.get(address).content.decode()

    assert [sentence in here, "There is no backup: all of its accounts will be lost." in elsewhere] == [True, True]
