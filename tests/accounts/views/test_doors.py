"""The page of the doors: who meets it, what this browser will be called, several lists."""

from __future__ import annotations

import html
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.models import Device, DeviceType
from accounts.services import devices, passkeys, words
from accounts.services.devices import NewDevice
from accounts.vault.encoding import b64url
from accounts.vault.keys import Costs, Secret
from tests import factories
from tests.factories import Visitor

OPEN, NAME = reverse("accounts:open"), reverse("accounts:open-name")
FIREFOX = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"}


def said(answer: HttpResponse) -> str:
    """The text of a page, tags and line breaks left out."""
    return " ".join(html.unescape(strip_tags(answer.content.decode())).split())


@pytest.mark.article("G-26")
def test_browser_is_told_what_it_will_be_called_and_may_change_it(alice_elsewhere: Visitor) -> None:
    client = alice_elsewhere.client
    before = said(client.get(OPEN, headers=FIREFOX))

    client.post(NAME, {"name": " Werkstatt-PC ", "type": "computer"}, headers=FIREFOX)
    after = said(client.get(OPEN, headers=FIREFOX))

    assert "It will be called 'Firefox on Windows', computer." in before
    assert "It will be called 'Werkstatt-PC', computer." in after


def test_browser_that_does_not_say_what_it_is_is_asked(alice_elsewhere: Visitor) -> None:
    page = said(alice_elsewhere.client.get(OPEN, headers={"User-Agent": "?"}))
    form = alice_elsewhere.client.get(NAME, headers={"User-Agent": "?"}).context["form"]

    assert "Say first what it is." in page
    assert form["type"].value() == ""


@pytest.mark.parametrize("form", [{"name": "", "type": "ios"}, {"name": "x", "type": "toaster"}, {"name": "x" * 65}])
def test_nonsense_changes_no_name(alice_elsewhere: Visitor, form: dict[str, str]) -> None:
    answer = alice_elsewhere.client.post(NAME, form, headers=FIREFOX)

    assert answer.status_code == 200
    assert "'Firefox on Windows'" in said(alice_elsewhere.client.get(OPEN, headers=FIREFOX))


def test_open_list_needs_no_doors(alice_phone: Visitor) -> None:
    locations = [alice_phone.client.get(address).headers["Location"] for address in (OPEN, NAME)]

    assert locations == [reverse("accounts:list")] * 2


def test_person_without_a_list_sets_one_up(alice: Visitor) -> None:
    assert alice.client.get(OPEN).headers["Location"] == reverse("accounts:start")


def test_list_without_doors_says_so(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    devices.remove(alice_phone.device, at=timezone.now(), by=None)

    page = said(alice_elsewhere.client.get(OPEN))

    assert "Nothing opens this list any more: no device, no passkey, no words." in page


def test_other_lists_are_one_click_away_and_those_of_others_are_not(alice_elsewhere: Visitor, bob: Visitor) -> None:
    alice = alice_elsewhere.user
    later = timezone.now() + timedelta(days=1)
    devices.set_up(alice, NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER), at=later, separate=True)
    older = Device.objects.get(name="Alice's phone").slots.get().vault
    client = alice_elsewhere.client

    newest, chosen, foreign, nonsense = (
        client.get(OPEN, {"list": value}).context["doors"].vault.name
        for value in ("", older.pk, factories.vault_of(bob).pk, "nonsense")
    )

    assert [newest, chosen, foreign, nonsense] == ["Laptop", "Alice's phone", "Laptop", "Laptop"]
    assert UUID(str(client.get(OPEN, {"list": older.pk}).context["list"])) == older.pk


def test_browser_of_a_name_that_cannot_be_shown_is_called_this_browser(alice_elsewhere: Visitor) -> None:
    agent = {"User-Agent": "Mozilla/5.0 (Linux; Android 15; A\x85Bcc: x) Chrome/130.0"}

    page = said(alice_elsewhere.client.get(OPEN, headers=agent))

    assert "It will be called 'This browser', Android." in page


@pytest.mark.parametrize("door", ["open-approve", "open-passkey", "open-words"])
def test_who_has_fifty_devices_is_told_so_at_every_door(alice_phone: Visitor, door: str) -> None:
    Device.objects.bulk_create(
        Device(
            user=alice_phone.user,
            name=str(number),
            type=DeviceType.IOS,
            verifier=bytes(32),
            made_at=timezone.now(),
            seen_at=timezone.now(),
            cookie_sent_at=timezone.now(),
        )
        for number in range(49)
    )
    vault, at = alice_phone.vault, timezone.now()
    six = "granite ladle marigold hexagon kettle lantern"
    words.make(vault, six, at=at, costs=Costs(8 * 1024, 1, 1))
    passkeys.add(vault, b"one", (Secret(bytes(32)), Secret(bytes(32))), "Keychain", at=at)
    elsewhere = factories.at_another_browser(alice_phone).client
    data = {"device_id": str(uuid4()), "words": six, "credential": b64url(b"one"), "output": b64url(bytes(32))}

    answer = elsewhere.post(reverse(f"accounts:{door}"), data, headers=FIREFOX, follow=True)

    assert "You have 50 devices, as many as one person can have. Remove one first." in said(answer)
    assert Device.objects.count() == 50


def test_second_browser_of_one_kind_is_told_apart(alice_phone: Visitor) -> None:
    vault, at = alice_phone.vault, timezone.now()
    for name in ("Firefox on Windows", "Firefox on Windows 2"):
        devices.enrol(alice_phone.user, vault.row, vault.key, NewDevice(uuid4(), name, DeviceType.COMPUTER), at=at)

    page = said(factories.at_another_browser(alice_phone).client.get(OPEN, headers=FIREFOX))

    assert "It will be called 'Firefox on Windows 3', computer." in page
