"""Whatever is put back, by whatever way: a key that was taken away opens nothing, and no counter falls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts.models import KeySlot, SlotKind, VaultState
from accounts.services import devices, held_keys, passkeys, vaults, words
from accounts.services.activity import Tag
from accounts.vault.encoding import b64url
from accounts.vault.entry import Type
from accounts.vault.keys import Costs, Secret
from tests import factories
from tests.attacks.life import FIREFOX, OUTPUT
from tests.factories import Visitor, create_entry, vault_of

pytestmark = pytest.mark.row("T46")

LIST = reverse("accounts:list")
SIX = "granite ladle marigold hexagon kettle lantern"
OTHERS = "abacus zoology kettle ladle granite lantern"
CHEAP = Costs(8 * 1024, 1, 1)

# -- Ways to put something back ---------------------------------------------------------------------------------------


def undo_first(visitor: Visitor) -> None:
    """All there was before the first account, and everything since."""
    visitor.client.post(reverse("accounts:undo", args=[2]), {"agreed": "1"})


def undo_to_the_keys(visitor: Visitor) -> None:
    """Everything since both keys were there."""
    visitor.client.post(reverse("accounts:undo", args=[5]), {"agreed": "1"})


def undo_each(visitor: Visitor) -> None:
    """Every act that is kept, the newest first: the one that took the key away too."""
    for version in range(vault_of(visitor).version, 1, -1):
        visitor.client.post(reverse("accounts:undo", args=[version]), {"agreed": "1"})


def mend(visitor: Visitor) -> None:
    """The newest state is damaged, after something else was done."""
    create_entry(on=visitor, name="lost")
    damage(visitor, since=vault_of(visitor).version)
    visitor.client.post(reverse("accounts:mend"))


def mend_to_the_keys(visitor: Visitor) -> None:
    """All states are damaged since both keys were there."""
    damage(visitor, since=5)
    visitor.client.post(reverse("accounts:mend"))


def damage(visitor: Visitor, *, since: int) -> None:
    """The states of these numbers open no more."""
    VaultState.objects.filter(vault=vault_of(visitor), version__gte=since).update(sealed=b"\x01" + bytes(5000))


def put_device_back(visitor: Visitor) -> None:
    """The browser that took the key away is removed, and put back."""
    devices.remove(visitor.device, at=timezone.now(), by=None)
    elsewhere = factories.at_another_browser(visitor).client
    elsewhere.post(reverse("accounts:device-undo", args=[visitor.device.pk]))


PUT_BACK = (Tag.LIST_UNDONE, Tag.LIST_MENDED, Tag.DEVICE_PUT_BACK)
WAYS = [undo_first, undo_to_the_keys, undo_each, mend, mend_to_the_keys, put_device_back]


# -- Keys -------------------------------------------------------------------------------------------------------------


def opens_by_words(visitor: Visitor, typed: str) -> bool:
    """Whether these words let a browser in."""
    client = factories.at_another_browser(visitor).client
    client.post(reverse("accounts:open-words"), {"device_id": factories.uuid4(), "words": typed}, headers=FIREFOX)
    return client.get(LIST).status_code == 200


def opens_by_passkey(visitor: Visitor) -> bool:
    """Whether the passkey lets a browser in."""
    client = factories.at_another_browser(visitor).client
    data = {"device_id": factories.uuid4(), "credential": b64url(b"one"), "output": b64url(OUTPUT)}
    client.post(reverse("accounts:open-passkey"), data, headers=FIREFOX)
    return client.get(LIST).status_code == 200


def held(visitor: Visitor) -> tuple[set[str], set[str]]:
    """The keys a person holds: as slots, and in the list, where backups would be made for them."""
    slots = KeySlot.objects.filter(vault=vault_of(visitor), kind__in=(SlotKind.WORDS, SlotKind.PASSKEY))
    return {slot.pk.hex for slot in slots}, {key.slot for key in vaults.read(visitor.vault).backup_keys}


@pytest.fixture
def phone(alice_phone: Visitor) -> Visitor:
    """A list whose first act was an account; then words and a passkey came."""
    create_entry(on=alice_phone, name="first")
    words.make(alice_phone.vault, SIX, at=timezone.now(), costs=CHEAP)
    passkeys.add(alice_phone.vault, b"one", (Secret(OUTPUT), Secret(OUTPUT)), "Key", at=timezone.now())
    return alice_phone


def taken_away(visitor: Visitor) -> None:
    """Both keys, and another account afterwards."""
    for slot in KeySlot.objects.filter(vault=vault_of(visitor), kind__in=(SlotKind.WORDS, SlotKind.PASSKEY)):
        held_keys.remove(visitor.vault, slot.pk, at=timezone.now())
    create_entry(on=visitor, name="second")


@pytest.mark.parametrize("way", WAYS)
def test_key_taken_away_stays_away(way: Callable[[Visitor], None], phone: Visitor) -> None:
    taken_away(phone)

    way(phone)

    assert [opens_by_words(phone, SIX), opens_by_passkey(phone)] == [False, False]
    assert held(phone) == (set(), set())
    assert phone.user.events.filter(tag__in=PUT_BACK).exists()


@pytest.mark.parametrize("way", WAYS)
def test_words_that_were_changed_stay_changed(way: Callable[[Visitor], None], phone: Visitor) -> None:
    words.make(phone.vault, OTHERS, at=timezone.now(), costs=CHEAP)
    create_entry(on=phone, name="second")

    way(phone)

    assert [opens_by_words(phone, SIX), opens_by_words(phone, OTHERS), opens_by_passkey(phone)] == [False, True, True]
    slots, backed_up = held(phone)
    assert backed_up <= slots
    assert len(slots) == 2


def test_list_put_back_by_hand_with_its_keys_opens_by_none_of_them(phone: Visitor) -> None:
    """Who writes the database puts the state of before in place of the newest: it is another number's."""
    before = VaultState.objects.get(vault=vault_of(phone), version=vault_of(phone).version)
    taken_away(phone)
    VaultState.objects.filter(vault=vault_of(phone), version=vault_of(phone).version).update(sealed=before.sealed)

    phone.client.post(reverse("accounts:mend"))

    assert held(phone) == (set(), set())
    assert [opens_by_words(phone, SIX), opens_by_passkey(phone)] == [False, False]


def test_shredded_device_is_put_back_by_nothing(phone: Visitor) -> None:
    other = factories.with_another_device(phone, name="Laptop", type="computer")
    devices.remove(other.device, at=timezone.now() - settings.REMOVED_DEVICE_KEPT, by=phone.device)
    devices.expire(timezone.now())
    create_entry(on=phone, name="second")

    for way in (undo_first, undo_each, mend):
        way(phone)
    phone.client.post(reverse("accounts:device-undo", args=[other.device.pk]))

    assert other.client.get(LIST).status_code == 302
    assert not KeySlot.objects.filter(device=other.device.pk).exists()


def test_slot_put_back_would_open(phone: Visitor) -> None:
    """The control: the row of the words back in its place, and they open again."""
    slot = KeySlot.objects.get(kind=SlotKind.WORDS)
    taken_away(phone)

    slot.save(force_insert=True)

    assert opens_by_words(phone, SIX)


# -- Counters ---------------------------------------------------------------------------------------------------------


def undo_newest(visitor: Visitor) -> None:
    visitor.client.post(reverse("accounts:undo", args=[vault_of(visitor).version]), {"agreed": "1"})


def trash_and_back(visitor: Visitor) -> None:
    (entry,) = [entry for entry in visitor.entries if entry.name == "counts"]
    visitor.client.post(reverse("accounts:to-trash", args=[entry.id]))
    visitor.client.post(reverse("accounts:put-back", args=[entry.id]))


def delete_and_undo(visitor: Visitor) -> None:
    (entry,) = [entry for entry in visitor.entries if entry.name == "counts"]
    visitor.client.post(reverse("accounts:to-trash", args=[entry.id]))
    visitor.client.post(reverse("accounts:delete", args=[entry.id]))
    visitor.client.post(reverse("accounts:undo", args=[vault_of(visitor).version - 1]), {"agreed": "1"})


@pytest.mark.parametrize("then", [undo_newest, undo_each, trash_and_back, delete_and_undo, mend, put_device_back])
@pytest.mark.parametrize("first", [undo_newest, trash_and_back, delete_and_undo, mend])
def test_no_code_of_a_counter_is_given_twice(
    first: Callable[[Visitor], None], then: Callable[[Visitor], None], alice_phone: Visitor
) -> None:
    """Two ways after each other, a code before, between and after them."""
    entry = create_entry(on=alice_phone, name="counts", type=Type.HOTP, counter=7)
    alice_phone.client.post(reverse("accounts:pin", args=[entry.id]), {"pinned": "1"})
    given = [next_code(alice_phone, entry.id)]

    for way in (first, then):
        alice_phone.client.post(reverse("accounts:edit", args=[entry.id]), {"issuer": "X", "name": "counts"})
        given.append(next_code(alice_phone, entry.id))
        way(alice_phone)
        client = signed_in_again(alice_phone)
        given.append(next_code(client, entry.id))

    codes = [code for code in given if code is not None]
    assert len(set(codes)) == len(codes)
    assert len(codes) >= 3


def next_code(visitor: Visitor, entry_id: str) -> Any:
    """The code that is shown; None where an undo has taken the account away."""
    answer = visitor.client.post(reverse("accounts:next-code", args=[entry_id]))
    return answer.context["code"].digits if answer.status_code == 200 else None


def signed_in_again(visitor: Visitor) -> Visitor:
    """The same browser: removing it ended its session."""
    if visitor.client.get(LIST).status_code == 200:
        return visitor
    session = factories.at_another_browser(visitor).client.cookies[settings.SESSION_COOKIE_NAME]
    visitor.client.cookies[settings.SESSION_COOKIE_NAME] = session.value
    return visitor


def test_counter_of_an_older_state_would_give_a_code_again(alice_phone: Visitor) -> None:
    """The control: the entry as it was, put in place of the one that counted on."""
    entry = create_entry(on=alice_phone, name="counts", type=Type.HOTP, counter=7)
    first = next_code(alice_phone, entry.id)

    vaults.change(alice_phone.vault, lambda accounts: accounts._with(entry), tag=Tag.ENTRY_PUT_BACK, at=timezone.now())

    assert next_code(alice_phone, entry.id) == first
