"""Keys a person holds: counted as they are, removed with their backup key in one act, never another's."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.models import Event, KeySlot, SlotKind, User
from accounts.services import devices, held_keys, vaults
from accounts.services.activity import Tag
from tests.factories import Visitor, create_entry, create_key, vault_of, with_another_device


def tags(visitor: Visitor) -> list[str]:
    """What happened, the latest first."""
    return list(visitor.user.events.values_list("tag", flat=True))


def backed_up(visitor: Visitor) -> list[str]:
    """The slots whose backup key lies in the list."""
    return [key.slot for key in vaults.read(visitor.vault).backup_keys]


def test_keys_and_devices_of_a_list_are_told_apart(alice_phone: Visitor, bob: Visitor) -> None:
    words = create_key(on=alice_phone, kind=SlotKind.WORDS)
    passkeys = [create_key(on=alice_phone, kind=SlotKind.PASSKEY, name=name) for name in ("first", "second")]
    gone = with_another_device(alice_phone, name="Old tablet", type="ios")
    with_another_device(alice_phone, name="Laptop", type="computer")
    devices.remove(gone.device, at=timezone.now(), by=None)  # type: ignore[arg-type]

    held, his = held_keys.of(vault_of(alice_phone)), held_keys.of(vault_of(bob))

    assert (held.words, held.passkeys, held.devices) == (words, tuple(passkeys), 2)
    assert (his.words, his.passkeys, his.devices, his.one_door) == (None, (), 1, True)
    assert [held.without(key).keys for key in (words, passkeys[0])] == [tuple(passkeys), (words, passkeys[1])]


@pytest.mark.article("G-27")
@pytest.mark.parametrize("kind", [SlotKind.WORDS, SlotKind.PASSKEY])
def test_removed_key_goes_with_its_backup_key_in_one_act(alice_phone: Visitor, kind: SlotKind) -> None:
    other = create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="stays")
    key = create_key(on=alice_phone, kind=kind, name="goes")
    before = vault_of(alice_phone).version

    held_keys.remove(alice_phone.vault, key.pk, at=timezone.now())

    assert list(held_keys.of(vault_of(alice_phone)).keys) == [other]
    assert backed_up(alice_phone) == [other.pk.hex]
    assert vault_of(alice_phone).version == before + 1
    event = Event.objects.latest("pk")
    assert event.tag == {SlotKind.WORDS: Tag.WORDS_REMOVED, SlotKind.PASSKEY: Tag.PASSKEY_REMOVED}[kind]
    assert event.facts == {
        "name": "goes",
        "slot": key.pk.hex,
        "list": str(key.vault_id),
        "state": before + 1,
    }


def test_key_without_a_backup_key_is_removed_and_told_as_well(alice_phone: Visitor) -> None:
    key = create_key(on=alice_phone, kind=SlotKind.WORDS, backed_up=False)

    held_keys.remove(alice_phone.vault, key.pk, at=timezone.now())

    assert not KeySlot.objects.filter(pk=key.pk).exists()
    assert tags(alice_phone).count(Tag.WORDS_REMOVED) == 1


@pytest.mark.parametrize("whose", ["nobody", "bob", "browser"])
def test_what_is_no_key_of_this_list_is_not_there_and_nothing_changes(
    alice_phone: Visitor, bob: Visitor, whose: str
) -> None:
    create_key(on=alice_phone, kind=SlotKind.WORDS)
    slots: dict[str, UUID] = {
        "nobody": uuid4(),
        "bob": create_key(on=bob, kind=SlotKind.WORDS).pk,
        "browser": KeySlot.objects.get(device=alice_phone.device).pk,
    }
    before = (sorted(KeySlot.objects.values_list("pk", flat=True)), vault_of(alice_phone).version, tags(alice_phone))

    with pytest.raises(held_keys.NoSuchKey):
        held_keys.one(vault_of(alice_phone), slots[whose])
    with pytest.raises(held_keys.NoSuchKey):
        held_keys.remove(alice_phone.vault, slots[whose], at=timezone.now())

    after = (sorted(KeySlot.objects.values_list("pk", flat=True)), vault_of(alice_phone).version, tags(alice_phone))
    assert after == before


def test_removal_that_fails_leaves_slot_and_backup_key(alice_phone: Visitor) -> None:
    key = create_key(on=alice_phone, kind=SlotKind.WORDS)
    User.objects.filter(pk=alice_phone.user.pk).update(deletes_at=timezone.now())

    with pytest.raises(vaults.BeingDeleted):
        held_keys.remove(alice_phone.vault, key.pk, at=timezone.now())

    assert held_keys.of(vault_of(alice_phone)).words == key
    assert backed_up(alice_phone) == [key.pk.hex]


def test_undo_brings_no_removed_key_back(alice_phone: Visitor) -> None:
    key = create_key(on=alice_phone, kind=SlotKind.WORDS)
    create_entry(on=alice_phone)
    added = vault_of(alice_phone).version
    held_keys.remove(alice_phone.vault, key.pk, at=timezone.now())

    vaults.undo(alice_phone.vault, added, at=timezone.now())

    assert (alice_phone.entries, backed_up(alice_phone)) == ((), [])


def test_removed_key_is_known_again_by_its_owner_alone(alice_phone: Visitor, bob: Visitor) -> None:
    key = create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="Key")
    held_keys.remove(alice_phone.vault, key.pk, at=timezone.now())

    known = [held_keys.was_removed(visitor.vault, key.pk) for visitor in (alice_phone, bob)]

    assert known == [True, False]


# -- Keep a way back --------------------------------------------------------------------------------------------------


def due(visitor: Visitor, *, only_door: bool = True) -> bool:
    """Whether it is asked now of this person, as a request finds them."""
    vault = visitor.vault
    vault.user, vault.only_door = User.objects.get(pk=visitor.user.pk), only_door
    vaults.read(vault)
    return held_keys.way_back_is_due(vault)


@pytest.mark.article("G-27")
def test_way_back_is_asked_after_the_first_and_the_fifth_account_and_then_never(alice_phone: Visitor) -> None:
    asked = [due(alice_phone)]
    for number in range(8):
        create_entry(on=alice_phone, name=str(number))
        asked.append(due(alice_phone))
        if asked[-1]:
            held_keys.not_now(alice_phone.vault)

    assert asked == [False, True, False, False, False, True, False, False, False]


def test_way_back_is_not_asked_where_something_else_opens_the_list(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)

    assert [due(alice_phone, only_door=True), due(alice_phone, only_door=False)] == [True, False]


def test_not_now_twice_is_one_answer(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    for _ in range(2):
        held_keys.not_now(alice_phone.vault)
    for number in range(4):
        create_entry(on=alice_phone, name=str(number))

    assert due(alice_phone)


def test_not_now_to_a_list_that_began_with_many_is_the_last_answer(alice_phone: Visitor) -> None:
    for number in range(6):
        create_entry(on=alice_phone, name=str(number))
    held_keys.not_now(alice_phone.vault)

    assert not due(alice_phone)


def test_answer_to_a_list_that_shrank_takes_none_back(alice_phone: Visitor) -> None:
    entries = [create_entry(on=alice_phone, name=str(number)) for number in range(5)]
    held_keys.not_now(alice_phone.vault)
    vaults.change(
        alice_phone.vault,
        lambda accounts: accounts.trash_entry(entries[0].id, 0),
        tag=Tag.ENTRY_TRASHED,
        at=timezone.now(),
    )

    held_keys.not_now(alice_phone.vault)
    create_entry(on=alice_phone, name="fifth again")

    assert not due(alice_phone)
