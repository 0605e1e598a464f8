"""Twice: by two clicks, in two tabs, from a page that is older than the list. Done once, or said; nothing is lost."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Device, KeySlot, SlotKind, User
from accounts.services import approvals, passkeys, vaults, words
from accounts.services.activity import Tag
from accounts.services.approvals import Asked
from accounts.vault.encoding import b64url
from accounts.vault.entry import Type
from accounts.vault.keys import Costs, Secret
from tests import factories
from tests.attacks import crawler
from tests.attacks.life import FIREFOX, OUTPUT
from tests.factories import Visitor, create_entry, create_key, vault_of

SIX = "granite ladle marigold hexagon kettle lantern"
CHEAP = Costs(8 * 1024, 1, 1)


def twice(visitor: Visitor, page: str, *args: Any, **data: Any) -> list[HttpResponse]:
    """Both answers to a form that was sent two times."""
    address = reverse(page, args=args)
    return [visitor.client.post(address, data) for _ in range(2)]


def names(visitor: Visitor) -> list[str]:
    """What is in the list."""
    return [entry.name for entry in visitor.entries]


def in_trash(visitor: Visitor) -> list[str]:
    """What is in Trash."""
    return [trashed.entry.name for trashed in vaults.read(visitor.vault).trash]


def test_second_click_on_move_to_trash_finds_it_done(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="once")

    answers = twice(alice_phone, "accounts:to-trash", entry.id)

    assert [answer.status_code for answer in answers] == [303, 303]
    assert (names(alice_phone), in_trash(alice_phone)) == ([], ["once"])
    assert vault_of(alice_phone).version == 3


def test_second_click_on_put_back_finds_it_done(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="once")
    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))

    answers = twice(alice_phone, "accounts:put-back", entry.id)

    assert [answer.status_code for answer in answers] == [303, 303]
    assert (names(alice_phone), in_trash(alice_phone)) == (["once"], [])
    assert vault_of(alice_phone).version == 4


def test_second_click_on_removing_a_key_finds_it_done(alice_phone: Visitor) -> None:
    key = create_key(on=alice_phone, kind=SlotKind.WORDS)

    answers = twice(alice_phone, "accounts:key-remove", key.pk)

    assert [answer.headers["Location"] for answer in answers] == [reverse("accounts:keys")] * 2
    assert alice_phone.user.events.filter(tag=Tag.WORDS_REMOVED).count() == 1
    assert vault_of(alice_phone).version == 3


def test_second_not_now_is_the_same_answer(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="once")

    answers = twice(alice_phone, "accounts:way-back")

    assert [answer.headers["Location"] for answer in answers] == [reverse("accounts:list")] * 2
    assert User.objects.get().way_back_asked == 1


def test_second_click_on_delete_says_that_nothing_is_there(alice_phone: Visitor) -> None:
    entry, other = create_entry(on=alice_phone, name="once"), create_entry(on=alice_phone, name="other")
    for one in (entry, other):
        alice_phone.client.post(reverse("accounts:to-trash", args=[one.id]))

    answers = twice(alice_phone, "accounts:delete", entry.id)

    assert [answer.status_code for answer in answers] == [303, 404]
    assert in_trash(alice_phone) == ["other"]


def test_second_click_on_undo_asks_before_it_takes_back_what_came_since(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="once")
    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))
    version = vault_of(alice_phone).version

    first, second = twice(alice_phone, "accounts:undo", version)

    assert [first.status_code, second.status_code] == [303, 200]
    assert names(alice_phone) == ["once"]
    assert "A change of the list was undone." in second.content.decode()


def test_second_click_on_pin_order_rename_and_note_changes_nothing_more(alice_phone: Visitor) -> None:
    entry, other = create_entry(on=alice_phone, name="a"), create_entry(on=alice_phone, name="b")

    answers = [
        *twice(alice_phone, "accounts:pin", entry.id, pinned="1"),
        *twice(alice_phone, "accounts:order", id=[other.id, entry.id]),
        *twice(alice_phone, "accounts:edit", entry.id, issuer="Site", name="a", note="n"),
        *twice(alice_phone, "accounts:device-rename", alice_phone.device.pk, name="New name"),
    ]

    assert {answer.status_code for answer in answers} == {303}
    assert vault_of(alice_phone).version == 6
    assert alice_phone.user.events.filter(tag=Tag.DEVICE_RENAMED).count() == 1


def test_second_click_on_next_code_gives_the_code_after_and_never_the_same(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="c", type=Type.HOTP, counter=7)

    answers = twice(alice_phone, "accounts:next-code", entry.id)

    shown = [answer.context["code"].digits for answer in answers]
    assert shown[0] != shown[1]
    assert alice_phone.entries[0].counter == 9


def test_removal_and_its_undo_are_done_once(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    create_entry(on=alice_phone, name="kept")
    device = alice_phone.device.pk

    removed = twice(alice_elsewhere, "accounts:device-remove", device, agreed="1")
    put_back = twice(alice_elsewhere, "accounts:device-undo", device)
    page = alice_elsewhere.client.get(reverse("accounts:devices")).content.decode()

    assert [answer.status_code for answer in (*removed, *put_back)] == [303] * 4
    assert alice_phone.user.events.filter(tag=Tag.DEVICE_REMOVED).count() == 1
    assert alice_phone.user.events.filter(tag=Tag.DEVICE_PUT_BACK).count() == 1
    assert Device.objects.get(pk=device).removed_at is None
    assert "no longer kept" not in page
    assert names(alice_phone) == ["kept"]


# -- Doors and keys ---------------------------------------------------------------------------------------------------


def opened_twice(visitor: Visitor, page: str, **data: Any) -> tuple[list[HttpResponse], Client]:
    """Two clicks in a browser without a key: the answer to the first, and its cookie with it, is dropped."""
    elsewhere = factories.at_another_browser(visitor).client
    session = elsewhere.cookies[settings.SESSION_COOKIE_NAME].value
    answers = []
    for _ in range(2):
        client = Client(headers=FIREFOX)
        client.cookies[settings.SESSION_COOKIE_NAME] = session
        answers.append(client.post(reverse(page), data))
    return answers, client


def doors_of(visitor: Visitor) -> list[str]:
    """The kinds of keys that open the list."""
    return sorted(KeySlot.objects.doors().filter(vault=vault_of(visitor)).values_list("kind", flat=True))


@pytest.mark.parametrize("door", ["words", "passkey"])
def test_second_click_on_a_door_makes_one_device_and_its_cookie_opens(door: str, alice_phone: Visitor) -> None:
    alice_phone.client.get(reverse("accounts:list"))
    words.make(alice_phone.vault, SIX, at=timezone.now(), costs=CHEAP)
    passkeys.add(alice_phone.vault, b"one", (Secret(OUTPUT), Secret(OUTPUT)), "Key", at=timezone.now())
    sent = {"words": {"words": SIX}, "passkey": {"credential": b64url(b"one"), "output": b64url(OUTPUT)}}[door]

    answers, client = opened_twice(alice_phone, f"accounts:open-{door}", device_id=uuid4(), **sent)

    given = [[name for name in answer.cookies if "device-key" in name] for answer in answers]
    assert [len(names) for names in given] == [1, 1]
    assert client.get(reverse("accounts:list")).status_code == 200
    assert doors_of(alice_phone) == ["browser", "browser", "passkey", "words"]
    assert Device.objects.filter(user=alice_phone.user).count() == 2


def test_second_click_on_a_door_in_use_changes_nothing(alice_phone: Visitor) -> None:
    """The first answer has come, and the list was looked at: the form of before is sent once more."""
    words.make(alice_phone.vault, SIX, at=timezone.now(), costs=CHEAP)
    elsewhere, data = factories.at_another_browser(alice_phone).client, {"device_id": uuid4(), "words": SIX}
    elsewhere.post(reverse("accounts:open-words"), data, headers=FIREFOX)
    elsewhere.get(reverse("accounts:list"))
    before = crawler.rows()

    answer = elsewhere.post(reverse("accounts:open-words"), data, headers=FIREFOX)

    assert answer.headers["Location"] == reverse("accounts:list")
    assert crawler.changed(before, crawler.rows()) == []


def test_second_click_on_asking_leaves_one_request_and_its_letters(alice_phone: Visitor) -> None:
    answers, client = opened_twice(alice_phone, "accounts:open-approve", device_id=uuid4())

    shown = client.get(reverse("accounts:open-waiting"))
    assert [answer.headers["Location"] for answer in answers] == [reverse("accounts:open-waiting")] * 2
    assert KeySlot.objects.filter(kind=SlotKind.APPROVAL).count() == 1
    assert len(shown.context["letters"]) == 8


@pytest.mark.parametrize("answer", ["approve", "refuse"])
def test_second_click_on_an_answer_finds_it_given(answer: str, alice_phone: Visitor) -> None:
    asking = factories.asking(alice_phone)
    slot = KeySlot.objects.select_related("device", "vault").get(device=asking.device)
    letters = approvals.letters(Asked(slot, asking.device, asking.cookie))
    data = {"approve": {"letters": letters}, "refuse": {"answer": "refuse"}}[answer]

    answers = twice(alice_phone, "accounts:request", slot.pk, **data)

    tags = (Tag.REQUEST_APPROVED, Tag.REQUEST_REFUSED, Tag.REQUEST_ENDED)
    assert [one.headers["Location"] for one in answers] == [reverse("accounts:request", args=[slot.pk])] * 2
    assert alice_phone.user.events.filter(tag__in=tags).count() == 1
    assert KeySlot.objects.get(pk=slot.pk).wrong == 0


def test_second_click_on_open_your_list_after_an_approval_is_led_on(alice_phone: Visitor) -> None:
    asking = factories.asking(alice_phone)
    slot = KeySlot.objects.select_related("device", "vault").get(device=asking.device)
    letters = approvals.letters(Asked(slot, asking.device, asking.cookie))
    approvals.approve(alice_phone.vault, slot.pk, letters, at=timezone.now())

    answers = twice(asking, "accounts:open-waiting")

    assert [answer.headers["Location"] for answer in answers] == [reverse("accounts:list")] * 2
    assert alice_phone.user.events.filter(tag=Tag.DEVICE_OPENED_BY_APPROVAL).count() == 1
    assert doors_of(alice_phone) == ["browser", "browser"]


def test_second_click_on_words_makes_one_key(alice_phone: Visitor) -> None:
    """Drawn twice, two drafts wait; the one that is typed back is the key, once."""
    begun = [answer.headers["Location"] for answer in twice(alice_phone, "accounts:words-new")]
    drawn = alice_phone.client.get(begun[1]).context["drawn"]
    one, other = (drawn.words[place - 1] for place in drawn.asked)

    answers = [alice_phone.client.post(begun[1], {"one": one, "other": other}) for _ in range(2)]

    assert [answer.headers["Location"] for answer in answers] == [reverse("accounts:keys")] * 2
    assert alice_phone.user.events.filter(tag=Tag.WORDS_MADE).count() == 1
    assert doors_of(alice_phone) == ["browser", "words"]
    assert vault_of(alice_phone).version == 2


def test_second_click_on_words_of_ones_own_leaves_one_key_that_opens(alice_phone: Visitor) -> None:
    answers = twice(alice_phone, "accounts:words-own", words=SIX, again=SIX)

    held = [key.slot for key in vaults.read(alice_phone.vault).backup_keys]
    assert [answer.headers["Location"] for answer in answers] == [reverse("accounts:keys")] * 2
    assert held == [KeySlot.objects.get(kind=SlotKind.WORDS).pk.hex]


def test_second_click_on_adding_a_passkey_says_that_it_opens_already(alice_phone: Visitor) -> None:
    given = {"name": "Key", "credential": b64url(b"one"), "first": b64url(OUTPUT), "second": b64url(OUTPUT)}

    first, second = twice(alice_phone, "accounts:passkey-new", **given)

    assert first.json() == {"location": reverse("accounts:keys")}
    assert second.json() == {"sentence": "This passkey opens your list already."}
    assert doors_of(alice_phone) == ["browser", "passkey"]


def test_leaving_and_staying_are_done_once(alice_phone: Visitor) -> None:
    left = twice(alice_phone, "accounts:delete-account", agreed="1")
    until = User.objects.get().deletes_at
    stayed = twice(alice_phone, "accounts:delete-account-undo")

    assert until is not None
    assert [answer.status_code for answer in (*left, *stayed)] == [303] * 4
    assert [alice_phone.user.events.filter(tag=tag).count() for tag in (Tag.PERSON_LEAVES, Tag.PERSON_STAYS)] == [1, 1]
    assert User.objects.get().deletes_at is None


@pytest.mark.parametrize("act", ["to-trash", "edit", "pin", "order", "put-back"])
def test_page_that_is_older_than_the_list_loses_nothing(act: str, alice_phone: Visitor) -> None:
    """Another tab has added an account meanwhile: the act of this one keeps it."""
    entry, second = create_entry(on=alice_phone, name="a"), create_entry(on=alice_phone, name="b")
    if act == "put-back":
        alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))
    create_entry(on=alice_phone, name="of another tab")

    if act == "order":
        alice_phone.client.post(reverse("accounts:order"), {"id": [second.id, entry.id]})
    else:
        data = {"pinned": "1", "issuer": "X", "name": "a"}
        alice_phone.client.post(reverse(f"accounts:{act}", args=[entry.id]), data)

    assert "of another tab" in names(alice_phone)
    assert "b" in names(alice_phone)


@pytest.mark.row("T46")
def test_undo_never_gives_a_counter_twice(alice_phone: Visitor) -> None:
    """Of an act before and of one after; nor does putting back from Trash."""
    entry = create_entry(on=alice_phone, name="c", type=Type.HOTP, counter=7)
    alice_phone.client.post(reverse("accounts:pin", args=[entry.id]), {"pinned": "1"})
    version = vault_of(alice_phone).version
    for _ in range(3):
        alice_phone.client.post(reverse("accounts:next-code", args=[entry.id]))

    alice_phone.client.post(reverse("accounts:undo", args=[version]), {"agreed": "1"})
    after_undo = (alice_phone.entries[0].pinned, alice_phone.entries[0].counter)
    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))
    trashed = vault_of(alice_phone).version
    alice_phone.client.post(reverse("accounts:undo", args=[trashed]), {"agreed": "1"})

    assert after_undo == (False, 10)
    assert alice_phone.entries[0].counter == 10


@pytest.mark.row("T46")
def test_second_account_of_one_name_overwrites_nothing(alice_phone: Visitor) -> None:
    first = create_entry(on=alice_phone, issuer="GitHub", name="alice")
    link = "otpauth://totp/GitHub:alice?secret=JBSWY3DPEHPK3PXP&issuer=GitHub"
    held = alice_phone.client.post(reverse("accounts:add-link"), {"link": link})

    alice_phone.client.post(held.headers["Location"], {"issuer": "GitHub", "name": "alice", "keep": "both"})

    assert [entry.name for entry in alice_phone.entries] == ["alice", "alice"]
    assert alice_phone.entries[0] == first
    assert alice_phone.entries[0].secret != alice_phone.entries[1].secret
    assert vault_of(alice_phone).changed_at <= timezone.now()
