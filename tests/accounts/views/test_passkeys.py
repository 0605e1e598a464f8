"""What the scripts of passkeys send, and what they are told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts import arrivals
from accounts.http import too_many_devices
from accounts.models import Device, KeySlot, SlotKind, User
from accounts.services import devices, passkeys
from accounts.vault.encoding import b64url
from accounts.vault.keys import Secret
from tests import factories
from tests.attacks import crawler
from tests.factories import Visitor

OPEN, NEW, PAGE = reverse("accounts:open-passkey"), reverse("accounts:passkey-new"), reverse("accounts:open")
PRF, OTHER = b"p" * 32, b"q" * 32
ID = "00000000-0000-4000-8000-000000000007"
FIREFOX = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"}
NONE_OF_YOURS = {"sentence": "This passkey opens no list of yours."}
CANNOT = {"sentence": "This passkey cannot hold a key. It can still sign you in. Six words work everywhere."}


@pytest.fixture
def slot(alice_phone: Visitor) -> KeySlot:
    """A passkey that opens alice's list."""
    both = (Secret(PRF), Secret(PRF))
    return passkeys.add(alice_phone.vault, b"one", both, "Keychain", at=timezone.now())


def used(credential: bytes = b"one", output: bytes = PRF, **more: str) -> dict[str, str]:
    """What the script sends on one touch."""
    return {"device_id": ID, "credential": b64url(credential), "output": b64url(output), **more}


def sent(visitor: Visitor, data: dict[str, Any]) -> HttpResponse:
    """It, sent by this browser."""
    return visitor.client.post(OPEN, data, headers=FIREFOX)


@pytest.mark.article("G-26")
def test_one_touch_opens_the_list_and_gives_the_cookie(alice_elsewhere: Visitor, slot: KeySlot) -> None:
    answer = sent(alice_elsewhere, used())

    name = arrivals.cookie_name(alice_elsewhere.user.pk)
    assert answer.json() == {"location": reverse("accounts:list")}
    assert re.fullmatch(r"[A-Za-z0-9_-]{66}", answer.cookies[name].value)
    assert alice_elsewhere.client.get(reverse("accounts:list")).status_code == 200
    assert Device.objects.get(pk=ID).name == "Firefox on Windows"


@pytest.mark.article("G-26", "refused")
@pytest.mark.row("T41")
@pytest.mark.parametrize(
    "data",
    [
        used(output=OTHER),
        used(credential=b"two"),
        used(output=PRF[:31]),
        used(output=PRF + b"x"),
        used(credential=b""),
        used(credential=b"x" * 1024),
        {**used(), "output": b64url(PRF) + "="},
        {**used(), "output": "ä" * 43},
        {**used(), "credential": "\x00"},
        {**used(), "device_id": "nonsense"},
        {"device_id": ID},
        {},
    ],
    ids=lambda data: "-".join(f"{len(value)}" for value in data.values()) or "nothing",
)
def test_whatever_else_is_sent_opens_nothing_and_is_told_in_one_sentence(
    alice_elsewhere: Visitor, slot: KeySlot, data: dict[str, str]
) -> None:
    before = crawler.rows()

    answer = sent(alice_elsewhere, data)

    assert answer.json() == NONE_OF_YOURS
    assert [name for name in answer.cookies if "device-key" in name] == []
    assert crawler.changed(before, crawler.rows()) == []


@pytest.mark.row("T41")
def test_passkey_of_another_person_is_told_like_one_that_never_was(bob: Visitor, slot: KeySlot) -> None:
    elsewhere = factories.at_another_browser(bob)

    assert sent(elsewhere, used()).json() == NONE_OF_YOURS


def test_damage_is_told_apart(alice_elsewhere: Visitor, slot: KeySlot) -> None:
    KeySlot.objects.filter(pk=slot.pk).update(wrapped=bytes(48))

    assert sent(alice_elsewhere, used()).json() == {
        "sentence": "What is kept here is damaged and does not open. Ask the operator of this server."
    }


def test_fifty_first_device_is_told_the_figure(alice_phone: Visitor, alice_elsewhere: Visitor, slot: KeySlot) -> None:
    now = timezone.now()
    Device.objects.bulk_create(
        Device(user=alice_phone.user, name=str(number), type="ios", made_at=now, seen_at=now, cookie_sent_at=now)
        for number in range(devices.MOST_DEVICES - 1)
    )

    answer = sent(alice_elsewhere, used())

    assert answer.json() == {"sentence": too_many_devices()}
    assert Device.objects.count() == devices.MOST_DEVICES


def test_browser_that_does_not_say_what_it_is_is_asked_first(alice_elsewhere: Visitor, slot: KeySlot) -> None:
    answer = alice_elsewhere.client.post(OPEN, used(), headers={"User-Agent": "?"})

    assert answer.json() == {"location": reverse("accounts:open-name")}


def test_open_list_is_gone_on_to_and_a_used_id_brings_a_new_page(
    alice_phone: Visitor, alice_elsewhere: Visitor, slot: KeySlot
) -> None:
    alice_phone.client.get(reverse("accounts:list"))
    taken = used(device_id=str(alice_phone.device.pk))

    assert sent(alice_phone, used()).json() == {"location": reverse("accounts:list")}
    assert sent(alice_elsewhere, taken).json() == {"location": PAGE}


@pytest.mark.article("G-26")
def test_doors_name_the_known_passkeys_and_none_where_there_are_none(
    alice_elsewhere: Visitor, bob: Visitor, slot: KeySlot
) -> None:
    hers = alice_elsewhere.client.get(PAGE).content.decode()
    his = factories.at_another_browser(bob).client.get(PAGE).content.decode()

    assert re.findall(r'data-allowed="([^"]*)"', hers) == [f"[&quot;{b64url(b'one')}&quot;]"]
    assert re.findall(r"data-passkey-use|passkey_key\.js", his) == []
    assert "Passkeys need JavaScript, which is off in this browser." in hers


@pytest.mark.parametrize(("method", "offered"), [("password", False), ("mfa", True)])
def test_second_touch_is_offered_to_who_signed_in_by_a_passkey(
    alice_elsewhere: Visitor, slot: KeySlot, method: str, offered: bool
) -> None:
    session = alice_elsewhere.client.session
    session["account_authentication_methods"] = [
        {"method": method, "type": "webauthn", "passwordless": True, "at": timezone.now().timestamp(), "id": 1}
    ]
    session.save()

    shown = alice_elsewhere.client.get(PAGE).content.decode()

    assert ("One more touch opens your list" in shown) == offered
    assert shown.count("data-passkey-use") == 1


# -- Adding -----------------------------------------------------------------------------------------------------------


def given(
    credential: bytes = b"new", first: bytes = PRF, second: bytes = PRF, name: str = "Keychain"
) -> dict[str, str]:
    """What the script sends after two uses."""
    return {"credential": b64url(credential), "first": b64url(first), "second": b64url(second), "name": name}


@pytest.mark.article("G-27")
def test_passkey_used_twice_is_added(alice_phone: Visitor) -> None:
    answer = alice_phone.client.post(NEW, given())

    (added,) = passkeys.of(alice_phone.vault.row)
    shown = alice_phone.client.get(reverse("accounts:keys")).content.decode()
    assert answer.json() == {"location": reverse("accounts:keys")}
    assert [bytes(added.credential), added.name] == [b"new", "Keychain"]
    assert "This passkey opens your list from now on." in shown


@pytest.mark.row("T45")
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (given(second=OTHER), CANNOT),
        (given(first=b""), CANNOT),
        (given(second=PRF[:31]), CANNOT),
        (given(first=PRF[:31], second=PRF[:31]), CANNOT),
        (given(first=PRF + b"x", second=PRF + b"x"), CANNOT),
        (given(credential=b""), CANNOT),
        (given(credential=b"x" * 1024), CANNOT),
        ({"name": "Keychain"}, CANNOT),
        (given(name=""), {"sentence": "The name is missing. Give the passkey a name.", "again": True}),
        (
            given(name="a\u202eb"),
            {"sentence": "There is a character in it that cannot be shown. Type it anew.", "again": True},
        ),
        (given(credential=b"one"), {"sentence": "This passkey opens your list already."}),
    ],
)
def test_what_is_no_key_is_not_added(
    alice_phone: Visitor, slot: KeySlot, data: dict[str, str], said: dict[str, str]
) -> None:
    answer = alice_phone.client.post(NEW, data)

    assert answer.json() == said
    assert passkeys.of(alice_phone.vault.row) == [slot]


def test_eighth_passkey_is_refused_with_the_figure(alice_phone: Visitor) -> None:
    for number in range(7):
        alice_phone.client.post(NEW, given(b"id %d" % number))

    answer = alice_phone.client.post(NEW, given())
    shown = alice_phone.client.get(NEW).content.decode()

    assert answer.json() == {"sentence": "7 passkeys open your list, as many as can. Remove one first."}
    assert "7 passkeys open your list, as many as can. Remove one first." in " ".join(shown.split())
    assert KeySlot.objects.filter(kind=SlotKind.PASSKEY).count() == 7
    assert "passkey_key.js" not in shown  # It would look for buttons that are not there.


def test_who_takes_no_passkeys_adds_none(alice_phone: Visitor) -> None:
    User.objects.update(passkeys_off=True)

    answers = [alice_phone.client.get(NEW), alice_phone.client.post(NEW, given())]

    assert [answer.headers["Location"] for answer in answers] == [reverse("accounts:keys")] * 2
    assert not KeySlot.objects.filter(kind=SlotKind.PASSKEY).exists()


def test_names_are_numbered(alice_phone: Visitor) -> None:
    names = []
    for number in range(2):
        names.append(alice_phone.client.get(NEW).context["form"]["name"].value())
        alice_phone.client.post(NEW, given(b"id %d" % number))

    assert names == ["Passkey", "Passkey 2"]


def test_stale_sign_in_adds_nothing_and_leaves_nothing_in_the_session(alice_stale: Visitor) -> None:
    asked = alice_stale.client.get(NEW).headers["Location"]
    answer = alice_stale.client.post(NEW, given(first=b"S" * 32, second=b"S" * 32))

    assert "/reauthenticate/" in asked
    assert [answer.status_code, answer.headers["Location"]] == [303, NEW]
    assert passkeys.of(alice_stale.vault.row) == []
    assert b64url(b"S" * 32) not in str(dict(alice_stale.client.session))


def test_no_page_has_a_field_for_what_a_passkey_gives(
    alice_phone: Visitor, alice_elsewhere: Visitor, slot: KeySlot
) -> None:
    pages = alice_phone.client.get(NEW).content + alice_elsewhere.client.get(PAGE).content

    assert re.findall(rb'name="(credential|output|first|second)"', pages) == []


def test_removed_device_adds_nothing(alice_phone: Visitor) -> None:
    devices.remove(alice_phone.device, at=timezone.now(), by=None)

    assert alice_phone.client.post(NEW, given()).status_code in (302, 303)
    assert not KeySlot.objects.filter(kind=SlotKind.PASSKEY).exists()
