"""Keys: what is held and what it opens, removed after a fresh sign-in; a way back asked for, and shown on the list."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import KeySlot, SlotKind, User
from accounts.services import devices
from tests import factories
from tests.attacks import crawler
from tests.factories import Visitor, create_entry, create_key, vault_of, with_another_device

KEYS, WAY_BACK, LIST = reverse("accounts:keys"), reverse("accounts:way-back"), reverse("accounts:list")
LINK = "otpauth://totp/GitHub:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def words_of(answer: Any) -> str:
    """What a page says, tags left out."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode().partition("<main")[2]))


def removal(key: KeySlot) -> str:
    return reverse("accounts:key-remove", args=[key.pk])


# -- Keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-27")
def test_keys_say_since_when_last_used_and_what_each_opens(alice_phone: Visitor) -> None:
    words = create_key(on=alice_phone, kind=SlotKind.WORDS)
    passkey = create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="Key of <alice>")
    day = timezone.now() - timedelta(days=30)
    KeySlot.objects.filter(pk=words.pk).update(made_at=day, used_at=day + timedelta(days=9))
    KeySlot.objects.filter(pk=passkey.pk).update(made_at=day)
    since, used = (f"{at.day} {at:%B %Y}" for at in (day, day + timedelta(days=9)))
    with_another_device(alice_phone, name="Laptop", type="computer")

    said = words_of(alice_phone.client.get(KEYS))

    assert "Nothing stored on this server opens your list." in said
    assert re.search(
        rf"Your words Made {since}, last used {used}, \d\d:\d\d Opens this list in any browser .*Remove "
        rf"Key of &lt;alice&gt; Made {since}, not used yet Opens this list where the passkey is synced Remove",
        said,
    )
    assert "2 devices Each opens this list, in its own browser" in said
    assert "This is the only way into your list." not in said


def test_only_door_is_named(alice_phone: Visitor) -> None:
    said = words_of(alice_phone.client.get(KEYS))

    assert "This is the only way into your list." in said
    assert "None yet." in said


def test_keys_of_another_person_are_not_on_the_page(alice_phone: Visitor, bob: Visitor) -> None:
    create_key(on=bob, kind=SlotKind.PASSKEY, name="Key of bob")

    assert "Key of bob" not in words_of(alice_phone.client.get(KEYS))


@pytest.mark.parametrize(
    ("words", "passkeys", "line"),
    [(0, 0, "None yet"), (1, 0, "Your words"), (0, 1, "1 passkey"), (1, 2, "Your words, 2 passkeys")],
)
def test_settings_name_the_keys(alice_phone: Visitor, words: int, passkeys: int, line: str) -> None:
    for kind in [SlotKind.WORDS] * words + [SlotKind.PASSKEY] * passkeys:
        create_key(on=alice_phone, kind=kind)

    assert f" Keys {line} " in words_of(alice_phone.client.get(reverse("accounts:settings")))


def test_settings_name_no_keys_where_the_list_is_closed(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    answer = alice_elsewhere.client.get(reverse("accounts:settings"))

    assert [KEYS in answer.content.decode(), alice_elsewhere.client.get(KEYS).headers["Location"]] == [
        False,
        reverse("accounts:open"),
    ]


def test_keys_ask_the_database_three_times_however_many(alice_phone: Visitor, queries: Callable[..., int]) -> None:
    alice_phone.client.get(LIST)
    asked = [queries(lambda: alice_phone.client.get(KEYS))]
    for _ in range(3):
        create_key(on=alice_phone, kind=SlotKind.PASSKEY)
        asked.append(queries(lambda: alice_phone.client.get(KEYS)))

    assert asked == [3, 3, 3, 3]


# -- Removed ----------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-27")
@pytest.mark.parametrize(
    ("kind", "question", "done"),
    [
        (SlotKind.WORDS, "Remove your words?", "Removed. Those words no longer open your list."),
        (SlotKind.PASSKEY, "Remove the passkey ' My key '?", "Removed. That passkey no longer opens your list."),
    ],
)
def test_removal_says_what_stops_and_that_it_is_the_last_key(
    alice_phone: Visitor, kind: SlotKind, question: str, done: str
) -> None:
    key = create_key(on=alice_phone, kind=kind, name="My key")

    asked = words_of(alice_phone.client.get(removal(key)))
    held = KeySlot.objects.filter(pk=key.pk).exists()
    answer = alice_phone.client.post(removal(key), follow=True)

    assert question in asked
    assert "This is the last key you hold. Then this browser is the only way into your list." in asked
    assert "Other keys 1 device" in asked
    assert held
    assert [str(message) for message in answer.context["messages"]] == [done]
    assert answer.redirect_chain == [(KEYS, 303)]
    assert not KeySlot.objects.filter(pk=key.pk).exists()


def test_removal_of_the_last_key_names_the_devices_that_stay(alice_phone: Visitor) -> None:
    key = create_key(on=alice_phone, kind=SlotKind.WORDS)
    with_another_device(alice_phone, name="Laptop", type="computer")

    asked = words_of(alice_phone.client.get(removal(key)))

    assert "This is the last key you hold. Then only your 2 devices open it, each in its own browser." in asked


def test_removal_of_one_of_several_keys_warns_of_nothing(alice_phone: Visitor) -> None:
    key = create_key(on=alice_phone, kind=SlotKind.WORDS)
    create_key(on=alice_phone, kind=SlotKind.PASSKEY)

    asked = words_of(alice_phone.client.get(removal(key)))

    assert "Other keys 1 passkey 1 device" in asked
    assert "last key" not in asked


def test_removal_asks_for_a_fresh_sign_in_before_it_is_shown(alice_stale: Visitor) -> None:
    key = create_key(on=alice_stale, kind=SlotKind.WORDS)

    shown = alice_stale.client.get(removal(key))
    posted = alice_stale.client.post(removal(key))

    assert shown.headers["Location"].startswith(reverse("account_reauthenticate"))
    assert [posted.status_code, posted.headers["Location"]] == [303, removal(key)]
    assert KeySlot.objects.filter(pk=key.pk).exists()
    assert "account_reauthentication_state" not in alice_stale.client.session


@pytest.mark.parametrize("whose", ["nobody", "bob", "browser", "bobs browser"])
def test_slot_that_is_no_key_of_ones_list_is_404(alice_phone: Visitor, bob: Visitor, whose: str) -> None:
    slots = {
        "nobody": uuid4(),
        "bob": create_key(on=bob, kind=SlotKind.WORDS).pk,
        "browser": KeySlot.objects.get(device=alice_phone.device).pk,
        "bobs browser": KeySlot.objects.get(device=bob.device).pk,
    }
    alice_phone.client.get(KEYS)  # The first answer of a browser keeps its upkeep.
    before = crawler.rows()
    address = reverse("accounts:key-remove", args=[slots[whose]])

    answers = [alice_phone.client.get(address).status_code, alice_phone.client.post(address).status_code]

    assert answers == [404, 404]
    assert crawler.changed(before, crawler.rows()) == []


def test_key_of_a_list_of_ones_own_that_is_not_open_here_is_404(alice_phone: Visitor) -> None:
    """Two lists of one person: the keys of one are no keys of the other."""
    key = create_key(on=alice_phone, kind=SlotKind.WORDS)
    client = factories.at_another_browser(alice_phone).client
    client.post(reverse("accounts:separate"), {"name": "Laptop", "type": "computer", "device_id": uuid4()})

    answers = [client.get(LIST), client.get(removal(key)), client.post(removal(key))]

    assert [answer.status_code for answer in answers] == [200, 404, 404]


def test_second_click_finds_it_done(alice_phone: Visitor) -> None:
    key = create_key(on=alice_phone, kind=SlotKind.WORDS)
    before = vault_of(alice_phone).version

    answers = [alice_phone.client.post(removal(key)) for _ in range(2)]
    again = alice_phone.client.get(removal(key))

    assert [(answer.status_code, answer.headers["Location"]) for answer in answers] == [(303, KEYS)] * 2
    assert again.headers["Location"] == KEYS
    assert vault_of(alice_phone).version == before + 1


# -- A device is removed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("doors", "stays", "keys"),
    [
        ((), None, "None"),
        (("words",), "Your words then open your list, in any browser.", "Your words"),
        (("passkey",), "A passkey of yours then opens your list, where it is synced.", "1 passkey"),
        (("device",), "Your list stays on the other devices.", "1 device"),
        (("device", "words", "passkey"), "Your list stays on the other devices.", "Your words 1 passkey 1 device"),
    ],
)
def test_removal_of_a_device_names_what_else_opens_the_list(
    alice_phone: Visitor, doors: tuple[str, ...], stays: str | None, keys: str
) -> None:
    for door in doors:
        if door == "device":
            with_another_device(alice_phone, name="Laptop", type="computer")
        else:
            create_key(on=alice_phone, kind=SlotKind(door))
    sentences = (
        "Your list stays on the other devices.",
        "Your words then open your list, in any browser.",
        "A passkey of yours then opens your list, where it is synced.",
    )

    asked = words_of(alice_phone.client.get(reverse("accounts:device-remove", args=[alice_phone.device.pk])))  # type: ignore[union-attr]

    assert [sentence for sentence in sentences if sentence in asked] == ([stays] if stays else [])
    assert re.search(rf"Other keys {keys} (Make|Cancel|I know)", asked)
    assert ("This is the last way into your list." in asked) == (not doors)


def test_doors_of_other_people_are_no_keys_of_a_device(alice_phone: Visitor, bob: Visitor) -> None:
    create_key(on=bob, kind=SlotKind.WORDS)

    asked = words_of(alice_phone.client.get(reverse("accounts:device-remove", args=[alice_phone.device.pk])))  # type: ignore[union-attr]

    assert "Other keys None Make six words first" in asked


# -- Keep a way back --------------------------------------------------------------------------------------------------


def added(visitor: Visitor, name: str) -> str:
    """Add an account by the pages; where they lead."""
    link = LINK.replace("alice", name)
    confirm = visitor.client.post(reverse("accounts:add-link"), {"link": link}).headers["Location"]
    answer = visitor.client.post(confirm, {"issuer": "GitHub", "name": name, "keep": "both"})
    return str(answer.headers["Location"]).partition("#")[0]


@pytest.mark.article("G-27")
def test_way_back_is_asked_after_the_first_account_and_once_more_at_the_fifth(alice_phone: Visitor) -> None:
    led = []
    for number in range(7):
        led.append(added(alice_phone, str(number)))
        if led[-1] == WAY_BACK:
            page = words_of(alice_phone.client.get(WAY_BACK))
            assert "This list opens in this browser only. If the browser's data goes, the list goes." in page
            assert alice_phone.client.post(WAY_BACK).headers["Location"] == LIST

    assert led == [WAY_BACK, LIST, LIST, LIST, WAY_BACK, LIST, LIST]


@pytest.mark.parametrize("door", ["device", "words", "passkey"])
def test_way_back_is_not_asked_of_who_has_one(alice_phone: Visitor, door: str) -> None:
    if door == "device":
        with_another_device(alice_phone, name="Laptop", type="computer")
    else:
        create_key(on=alice_phone, kind=SlotKind(door))

    assert added(alice_phone, "a") == LIST


def test_looking_at_the_page_is_no_answer(alice_phone: Visitor) -> None:
    added(alice_phone, "a")
    alice_phone.client.get(WAY_BACK)

    assert [User.objects.get().way_back_asked, added(alice_phone, "b")] == [0, WAY_BACK]


def test_what_is_done_has_its_tick(alice_phone: Visitor) -> None:
    create_key(on=alice_phone, kind=SlotKind.WORDS)

    page = words_of(alice_phone.client.get(WAY_BACK))

    assert "They open the list in any browser. Done" in page
    assert "wherever the passkey is synced. Done" not in page
    assert ["This list opens in this browser only." in page, "Not now" in page] == [False, False]


@pytest.mark.parametrize("address", [KEYS, WAY_BACK])
def test_passkeys_are_offered_unless_they_are_switched_off(alice_phone: Visitor, address: str) -> None:
    offered = [reverse("accounts:passkey-new") in alice_phone.client.get(address).content.decode()]
    User.objects.update(passkeys_off=True)
    offered.append(reverse("accounts:passkey-new") in alice_phone.client.get(address).content.decode())

    assert offered == [True, False]


# -- One way in -------------------------------------------------------------------------------------------------------


def chips(visitor: Visitor, address: str = LIST) -> int:
    """How often "One way in" stands on a page: in the dock, and in the bar of wide screens."""
    return visitor.client.get(address).content.decode().count("One way in")


@pytest.mark.article("G-27")
def test_one_way_in_stands_on_the_list_until_another_door_is_there(alice_phone: Visitor) -> None:
    empty = chips(alice_phone)
    create_entry(on=alice_phone)
    alone = [chips(alice_phone), chips(alice_phone, f"{LIST}?q=")]
    laptop = with_another_device(alice_phone, name="Laptop", type="computer")
    two = [chips(alice_phone), chips(laptop)]
    devices.remove(laptop.device, at=timezone.now(), by=None)  # type: ignore[arg-type]
    alone.append(chips(alice_phone))
    with_key = []
    for kind in (SlotKind.WORDS, SlotKind.PASSKEY):
        key = create_key(on=alice_phone, kind=kind)
        with_key.append(chips(alice_phone))
        key.delete()

    assert (empty, alone, two, with_key) == (0, [2, 2, 2], [0, 0], [0, 0])


def test_request_for_approval_and_doors_of_other_lists_are_no_way_in(alice_phone: Visitor, bob: Visitor) -> None:
    create_entry(on=alice_phone)
    create_key(on=bob, kind=SlotKind.WORDS)
    asking, _ = devices.add_row(
        alice_phone.user, devices.NewDevice(uuid4(), "Laptop", devices.DeviceType.COMPUTER), at=timezone.now()
    )
    KeySlot.objects.create(
        vault=vault_of(alice_phone),
        kind=SlotKind.APPROVAL,
        kid=1,
        device=asking,
        share=bytes(32),
        public_key=bytes(32),
        expires_at=timezone.now() + timedelta(minutes=10),
        made_at=timezone.now(),
    )

    assert chips(alice_phone) == 2


def test_list_asks_the_database_once_with_one_way_in_and_without(
    alice_phone: Visitor, queries: Callable[..., int]
) -> None:
    create_entry(on=alice_phone)
    alice_phone.client.get(LIST)
    asked = [queries(lambda: alice_phone.client.get(LIST))]
    create_key(on=alice_phone, kind=SlotKind.WORDS)
    asked.append(queries(lambda: alice_phone.client.get(LIST)))

    assert asked == [1, 1]
