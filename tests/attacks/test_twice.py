"""Twice: by two clicks, in two tabs, from a page that is older than the list. Done once, or said; nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.models import Device, SlotKind, User
from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.vault.entry import Type
from tests.factories import Visitor, create_entry, create_key, vault_of


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
