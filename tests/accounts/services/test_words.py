"""Six words, or a person's own: read however they are typed, judged, made a key, tried at a list."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.models import Attempt, Device, DeviceType, Draft, Event, KeySlot, SlotKind
from accounts.services import attempts, devices, keyring, vaults, words
from accounts.services.activity import Tag
from accounts.services.attempts import TooManyTries
from accounts.services.devices import DeviceGone, NewDevice
from accounts.services.doors import NoSuchDoor
from accounts.services.vaults import BeingDeleted, DeviceRemoved, DraftGone
from accounts.services.words import (
    Busy,
    Guessable,
    NotTypedBack,
    Weakness,
    WrongWords,
)
from accounts.vault import keys
from accounts.vault.errors import Damaged, ParseError, TooCostly
from accounts.vault.keys import Costs, Secret
from tests import factories
from tests.factories import Visitor, create_entry

SIX = "granite ladle marigold hexagon kettle lantern"
OTHERS = "abacus zoology kettle ladle granite lantern"
CHEAP = Costs(8 * 1024, 1, 1)
HOME = b"n" * 32


def made_for(visitor: Visitor, typed: str = SIX) -> KeySlot:
    """Words that open the list of this browser, made at little cost."""
    return words.make(visitor.vault, typed, at=timezone.now(), costs=CHEAP)


def laptop() -> NewDevice:
    return NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER)


def try_words(visitor: Visitor, typed: str, *, network: bytes = HOME) -> devices.Enrolled:
    """Typed in another browser of this person's."""
    list_id = factories.vault_of(visitor).pk
    return words.open_list(visitor.user, list_id, typed, laptop(), network=network, at=timezone.now())


# -- Words of one's own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "weakness"),
    [
        ("abcdefghijk", Weakness.SHORT),
        ("a b c d e f g h i j k", Weakness.SHORT),
        ("a-b-c-d-e-f-", Weakness.SHORT),
        ("8675 3094 1127 31", Weakness.NUMBERS),
        ("Pass-Word 1234", Weakness.COMMON),
        ("QWERTYUIOP123", Weakness.COMMON),
        ("alice@example.org", Weakness.SIMILAR),
        ("Alice @ Example . Org 1", Weakness.SIMILAR),
        ("ababababababab", Weakness.REPEATED),
    ],
)
def test_words_that_can_be_guessed_are_refused_with_the_reason(own: str, weakness: Weakness) -> None:
    with pytest.raises(Guessable) as caught:
        words.judge(own, factories.User(email="alice@example.org"))

    assert caught.value.weakness is weakness


def test_nothing_is_no_key() -> None:
    with pytest.raises(ParseError):
        words.judge(" - ", factories.User(email="alice@example.org"))


@pytest.mark.parametrize("own", ["abcdefghijkm", "Die Katze schläft im Ofen", "猫は窯の中で眠っている夜もある"])
def test_words_nobody_guesses_are_taken(own: str) -> None:
    assert words.judge(own, factories.User(email="alice@example.org")) == keys.normalised(own)


# -- Made a key -------------------------------------------------------------------------------------------------------


def test_words_become_a_slot_and_a_key_of_backups_in_one_change(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="a")

    slot = made_for(alice_phone)

    stretched = keys.stretch(SIX, bytes(slot.salt), CHEAP)
    (backup,) = vaults.read(alice_phone.vault).backup_keys
    hint = bytes(slot.salt) + (8 * 1024).to_bytes(4, "big") + bytes([1, 1])
    assert [backup.slot, backup.kind] == [slot.pk.hex, "words"]
    assert [backup.hint, backup.key] == [Secret(hint), keys.backup_key_of_words(stretched)]
    assert [entry.name for entry in alice_phone.entries] == ["a"]
    event = Event.objects.get(tag=Tag.WORDS_MADE)
    assert event.facts == {"list": str(slot.vault_id), "state": factories.vault_of(alice_phone).version}


@pytest.mark.row("A17")
def test_words_are_stretched_as_the_design_has_it_unless_told_otherwise(alice_phone: Visitor) -> None:
    slot = words.make(alice_phone.vault, SIX, at=timezone.now())

    assert [slot.kib, slot.passes, slot.lanes, len(bytes(slot.salt))] == [64 * 1024, 3, 1, 16]


@pytest.mark.article("G-27")
def test_old_words_are_refused_at_once_and_their_backup_key_is_gone(alice_phone: Visitor) -> None:
    old = made_for(alice_phone, SIX)

    new = made_for(alice_phone, OTHERS)

    with pytest.raises(WrongWords):
        try_words(alice_phone, SIX)
    assert try_words(alice_phone, OTHERS).vault == factories.vault_of(alice_phone)
    assert [key.slot for key in vaults.read(alice_phone.vault).backup_keys] == [new.pk.hex]
    assert not KeySlot.objects.filter(pk=old.pk).exists()


def test_words_are_not_made_by_who_may_change_nothing(alice_phone: Visitor) -> None:
    old, vault = made_for(alice_phone), alice_phone.vault
    devices.remove(alice_phone.device, at=timezone.now(), by=None)
    with pytest.raises(DeviceRemoved):
        words.make(vault, OTHERS, at=timezone.now(), costs=CHEAP)
    Device.objects.update(removed_at=None)
    type(alice_phone.user).objects.update(deletes_at=timezone.now() + timedelta(days=1))
    with pytest.raises(BeingDeleted):
        words.make(vault, OTHERS, at=timezone.now(), costs=CHEAP)
    with pytest.raises(BeingDeleted):
        words.begin(vault, at=timezone.now())

    assert [slot.pk for slot in KeySlot.objects.filter(kind=SlotKind.WORDS)] == [old.pk]
    assert [key.slot for key in vaults.read(alice_phone.vault).backup_keys] == [old.pk.hex]


@pytest.mark.article("G-27")
def test_drawn_words_become_the_key_once_two_are_typed_back(alice_phone: Visitor) -> None:
    at = timezone.now()
    draft_id = words.begin(alice_phone.vault, at=at)
    drawn = words.look(alice_phone.vault, draft_id, at=at)
    one, other = (drawn.words[place - 1] for place in drawn.asked)

    with pytest.raises(NotTypedBack) as caught:
        words.finish(alice_phone.vault, draft_id, ("nothing", f" {other.upper()} "), at=at)
    nothing_made = KeySlot.objects.filter(kind=SlotKind.WORDS).exists()
    words.finish(alice_phone.vault, draft_id, (one, other), at=at)

    assert [caught.value.places, nothing_made] == [(drawn.asked[0],), False]
    with pytest.raises(DraftGone):
        words.finish(alice_phone.vault, draft_id, (one, other), at=at)
    assert words.was_finished(alice_phone.vault, draft_id, at=at)
    assert not words.was_finished(alice_phone.vault, uuid4(), at=at)
    assert try_words(alice_phone, " ".join(drawn.words)).device.name == "Laptop"


def test_drawn_words_wait_fifteen_minutes_and_are_kept_for_fifteen_more(alice_phone: Visitor) -> None:
    at = timezone.now()
    draft_id = words.begin(alice_phone.vault, at=at)
    drawn = words.look(alice_phone.vault, draft_id, at=at + timedelta(minutes=14))

    renewed = words.renew(alice_phone.vault, draft_id, at=at + timedelta(minutes=14))
    again = words.look(alice_phone.vault, renewed, at=at + timedelta(minutes=28))

    assert [again.words, again.asked] == [drawn.words, drawn.asked]
    assert again.ends_at - drawn.ends_at == timedelta(minutes=14)
    for gone, later in ((draft_id, 14), (renewed, 29)):
        with pytest.raises(DraftGone):
            words.look(alice_phone.vault, gone, at=at + timedelta(minutes=later))


def test_the_two_that_are_asked_differ_from_draw_to_draw(alice_phone: Visitor) -> None:
    at, asked = timezone.now(), set()
    for _ in range(60):
        asked.add(words.look(alice_phone.vault, words.begin(alice_phone.vault, at=at), at=at).asked)

    assert len(asked) > 5
    assert {place for pair in asked for place in pair} == {1, 2, 3, 4, 5, 6}
    assert [pair for pair in asked if pair[0] >= pair[1]] == []
    assert Draft.objects.count() == 5


# -- Tried ------------------------------------------------------------------------------------------------------------


@pytest.mark.row("T41")
@pytest.mark.article("G-26", "allowed")
def test_right_words_make_a_device_that_sees_the_list_and_cost_no_try(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="a")
    slot = made_for(alice_phone)

    opened = try_words(alice_phone, "GRANITE-ladle marigold  hexagonkettle lantern")

    there = Visitor(alice_phone.user, alice_phone.client, opened.device, opened.cookie)
    assert [entry.name for entry in there.entries] == ["a"]
    assert [Attempt.objects.count(), KeySlot.objects.get(pk=slot.pk).used_at is None] == [0, False]
    assert [event.device_name for event in Event.objects.filter(tag=Tag.DEVICE_OPENED_BY_WORDS)] == ["Laptop"]


@pytest.mark.row("T21")
def test_wrong_words_are_counted_and_make_nothing(alice_phone: Visitor) -> None:
    made_for(alice_phone)
    at = timezone.now()

    with pytest.raises(WrongWords) as caught:
        try_words(alice_phone, OTHERS)

    assert caught.value.left == 9
    assert timedelta(hours=24) <= caught.value.until - at < timedelta(hours=24, minutes=1)
    assert [Device.objects.count(), Event.objects.filter(tag=Tag.WORDS_FAILED).count()] == [1, 1]
    assert words.tries_left(factories.vault_of(alice_phone).pk, at=timezone.now())[0] == 9


@pytest.mark.row("T41")
def test_list_of_another_person_and_list_without_words_have_no_such_door(alice_phone: Visitor, bob: Visitor) -> None:
    made_for(alice_phone)
    hers, his = factories.vault_of(alice_phone), factories.vault_of(bob)

    for list_id in (hers.pk, his.pk, UUID(int=0)):
        with pytest.raises(NoSuchDoor):
            words.open_list(bob.user, list_id, SIX, laptop(), network=HOME, at=timezone.now())

    assert Attempt.objects.count() == 0


def test_words_of_a_list_put_aside_open_it_and_leave_it_there(alice_phone: Visitor) -> None:
    made_for(alice_phone)
    row = factories.vault_of(alice_phone)
    row.put_aside_at = timezone.now()
    row.save()

    opened = words.open_list(alice_phone.user, row.pk, SIX, laptop(), network=HOME, at=timezone.now())

    assert opened.vault == row
    assert opened.vault.put_aside_at is not None


@pytest.mark.row("T41")
@pytest.mark.parametrize("wrapped", [b"", bytes(47), bytes(48)])
def test_damaged_slot_is_told_apart_and_costs_no_try(alice_phone: Visitor, wrapped: bytes) -> None:
    slot = made_for(alice_phone)
    KeySlot.objects.filter(pk=slot.pk).update(wrapped=wrapped)

    for typed in (SIX, OTHERS):
        with pytest.raises(Damaged):
            try_words(alice_phone, typed)

    assert Attempt.objects.count() == 0


def test_other_server_key_is_told_apart_and_costs_no_try(alice_phone: Visitor) -> None:
    slot = made_for(alice_phone)
    KeySlot.objects.filter(pk=slot.pk).update(kid=99)

    with pytest.raises(Damaged):
        try_words(alice_phone, SIX)

    assert Attempt.objects.count() == 0


def test_slot_that_holds_the_key_of_another_list_opens_nothing(alice_phone: Visitor) -> None:
    slot = made_for(alice_phone)
    place, (_, pepper) = (slot.vault_id.bytes, slot.id.bytes), keyring.pepper()
    inner = keys.words_key(keys.stretch(SIX, bytes(slot.salt), CHEAP), *place)
    planted = keys.make_slot(keys.new_vault_key(), inner, pepper, *place)
    KeySlot.objects.filter(pk=slot.pk).update(wrapped=planted)

    with pytest.raises(Damaged):
        try_words(alice_phone, SIX)

    assert Device.objects.count() == 1


@pytest.mark.row("A17")
@pytest.mark.parametrize("costs", [{"kib": 2**31 - 1}, {"kib": 1}, {"passes": 11}, {"passes": 0}, {"lanes": 9}])
def test_costs_beyond_the_bounds_are_refused_before_any_work(alice_phone: Visitor, costs: dict[str, int]) -> None:
    slot = made_for(alice_phone)
    KeySlot.objects.filter(pk=slot.pk).update(**costs)

    with pytest.raises(TooCostly):
        try_words(alice_phone, SIX)

    assert Attempt.objects.count() == 0


def test_words_wait_for_a_turn_and_a_try_without_one_is_forgotten(
    alice_phone: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_for(alice_phone)
    monkeypatch.setattr(words, "_LOOKS", 2)
    at = timezone.now()

    with words._turn(at), words._turn(at):
        with pytest.raises(Busy) as caught:
            try_words(alice_phone, SIX)
        with pytest.raises(Busy):
            words.make(alice_phone.vault, OTHERS, at=at, costs=CHEAP)
    opened = try_words(alice_phone, SIX)

    assert at < caught.value.next_at <= timezone.now() + timedelta(minutes=1)
    assert [Attempt.objects.count(), opened.device.name] == [0, "Laptop"]


def test_id_of_a_device_in_use_is_refused(alice_phone: Visitor) -> None:
    made_for(alice_phone)
    new = NewDevice(alice_phone.device.pk, "Mine", DeviceType.IOS)
    KeySlot.objects.filter(device=alice_phone.device).update(used_at=timezone.now())

    with pytest.raises(DeviceGone):
        words.open_list(alice_phone.user, factories.vault_of(alice_phone).pk, SIX, new, network=HOME, at=timezone.now())

    assert Attempt.objects.count() == 0


@pytest.mark.row("T21")
def test_thirty_tries_of_one_network_are_the_most_however_many_lists_there_are(alice_phone: Visitor) -> None:
    made_for(alice_phone)
    at = timezone.now()
    for _ in range(30):
        attempts.count([(attempts.WORDS_OF_NETWORK, HOME)], at=at)

    with pytest.raises(TooManyTries):
        try_words(alice_phone, SIX)

    assert try_words(alice_phone, SIX, network=b"m" * 32).device.name == "Laptop"
