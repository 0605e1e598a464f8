"""Lists put aside: when, by what name, what opens them meanwhile, who keeps them, and that they go."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core import mail
from django.test import RequestFactory
from django.utils import timezone

from accounts import arrivals
from accounts.models import Attempt, Device, DeviceType, Event, KeySlot, SlotKind, User, Vault, VaultState
from accounts.services import approvals, aside, attempts, deletion, devices, doors, passkeys, vaults, words
from accounts.services.activity import Tag
from accounts.services.approvals import Asked, RequestOver
from accounts.services.devices import Enrolled, HasList, NewDevice
from accounts.services.doors import NoSuchDoor
from accounts.services.vaults import BeingDeleted
from accounts.vault.keys import Costs, Secret
from tests import factories
from tests.factories import Visitor, create_entry

SIX = "granite ladle marigold hexagon kettle lantern"
CHEAP = Costs(8 * 1024, 1, 1)
PRF = Secret(b"p" * 32)
DAYS = timedelta(days=30)


def laptop() -> NewDevice:
    return NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER)


def begun(visitor: Visitor, *, restores: bool = False, new: NewDevice | None = None) -> Enrolled:
    """Another browser of the visitor's begins a list in place of the one they have."""
    former = visitor.vault.row.pk
    return aside.begin_instead(visitor.user, former, new or laptop(), restores=restores, at=timezone.now())


def at_new_list(visitor: Visitor, made: Enrolled) -> Visitor:
    return replace(visitor, device=made.device, cookie=made.cookie)


def row(visitor: Visitor) -> Vault:
    """The row of the list that this browser's key is of, wherever it stands."""
    return Vault.objects.get(slots__device=visitor.device)


# -- Put aside --------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-32")
@pytest.mark.django_db(transaction=True)
def test_list_is_put_aside_as_the_new_one_is_begun_with_mail_and_by_name(alice_phone: Visitor) -> None:
    with time_machine.travel("2026-05-03T14:02Z", tick=False):
        begun(alice_phone)

    (listed,) = aside.of(alice_phone.user)
    assert [listed.name, listed.deleted_at.date().isoformat()] == ["Alice's phone", "2026-06-02"]
    assert [vault.name for vault in doors.lists(alice_phone.user)] == ["Laptop"]
    event = Event.objects.get(tag=Tag.LIST_PUT_ASIDE)
    assert event.facts == {"former": "Alice's phone", "day": "2026-06-02"}
    (mailed,) = (one for one in mail.outbox if "put aside in Authweb" in one.subject)
    assert "It is deleted on 2 June 2026." in mailed.body
    assert 'The list of "Alice\'s phone" was put aside' in mailed.body
    assert any("The one you had was put aside" in one.body for one in mail.outbox)


@pytest.mark.django_db(transaction=True)
def test_who_restores_loses_nothing_before_something_was_restored(alice_phone: Visitor) -> None:
    made = begun(alice_phone, restores=True)
    before = [row(alice_phone).put_aside_at, aside.of(alice_phone.user)]
    (told,) = (one.body for one in mail.outbox if "separate list" in one.subject)

    found = aside.put_aside(alice_phone.user, but=made.vault, at=timezone.now())
    again = aside.put_aside(alice_phone.user, but=made.vault, at=timezone.now() + timedelta(days=1))

    assert before == [None, []]
    assert "it is put aside once something was restored" in told
    assert [vault.pk for vault in found] == [row(alice_phone).pk]
    assert again == []
    assert Event.objects.filter(tag=Tag.LIST_PUT_ASIDE).count() == 1


@pytest.mark.parametrize("all_since", [False, True])
def test_undo_of_what_it_gave_way_to_has_it_in_use_again(alice_phone: Visitor, *, all_since: bool) -> None:
    made = begun(alice_phone, restores=True)
    new = at_new_list(alice_phone, made)
    create_entry(on=new, name="before it")
    at = timezone.now()
    entry = factories.an_entry(name="restored")
    vaults.change(new.vault, lambda accounts: accounts.add(entry), tag=Tag.RESTORED, at=at)
    aside.put_aside(alice_phone.user, but=made.vault, at=at)
    before = row(alice_phone).put_aside_at
    version = new.vault.row.version - (1 if all_since else 0)

    aside.undo(new.vault, version, at=timezone.now(), all_since=all_since)

    assert before == at
    assert (row(alice_phone).put_aside_at, row(alice_phone).gives_way_to) == (None, made.vault)
    assert [one.name for one in new.entries] == ([] if all_since else ["before it"])
    assert Event.objects.filter(tag=Tag.LIST_KEPT).count() == 1


def test_undo_of_something_else_brings_no_list_back(alice_phone: Visitor) -> None:
    made = begun(alice_phone)
    new = at_new_list(alice_phone, made)
    create_entry(on=new, name="later")

    aside.undo(new.vault, new.vault.row.version, at=timezone.now())

    assert row(alice_phone).put_aside_at is not None


def test_of_several_lists_the_one_of_this_type_of_device_is_meant(alice_phone: Visitor) -> None:
    made = devices.set_up(alice_phone.user, laptop(), at=timezone.now(), separate=True)
    changed_last = doors.of(alice_phone.user).vault

    found = [doors.of(alice_phone.user, type=type).vault for type in ("ios", "computer", "android", "")]

    assert changed_last == made.vault
    assert found == [row(alice_phone), made.vault, made.vault, made.vault]


def test_list_that_nobody_gave_up_is_never_put_aside(alice_phone: Visitor, bob: Visitor) -> None:
    separate = devices.set_up(alice_phone.user, laptop(), at=timezone.now(), separate=True)

    found = aside.put_aside(alice_phone.user, but=separate.vault, at=timezone.now())

    assert found == []
    with pytest.raises(NoSuchDoor):
        aside.begin_instead(alice_phone.user, row(bob).pk, laptop(), restores=False, at=timezone.now())
    assert [vault.put_aside_at for vault in Vault.objects.all()] == [None] * 3


def test_list_that_was_opened_since_stays_in_use(alice_phone: Visitor) -> None:
    made = begun(alice_phone, restores=True)
    later = timezone.now() + timedelta(hours=2)
    KeySlot.objects.filter(device=alice_phone.device).update(used_at=later)

    assert aside.put_aside(alice_phone.user, but=made.vault, at=later) == []
    assert row(alice_phone).put_aside_at is None


@pytest.mark.parametrize("restores", [False, True])
def test_second_click_takes_the_place_of_the_first(alice_phone: Visitor, restores: bool) -> None:
    new = laptop()

    begun(alice_phone, restores=restores, new=new)
    second = begun(alice_phone, restores=restores, new=new)

    former = row(alice_phone)
    assert [former.gives_way_to, former.put_aside_at is None] == [second.vault, restores]
    assert Vault.objects.count() == 2
    assert Event.objects.filter(tag=Tag.LIST_PUT_ASIDE).count() == (0 if restores else 1)


def test_nothing_is_begun_while_the_person_leaves(alice_phone: Visitor) -> None:
    deletion.ask(alice_phone.user, at=timezone.now())

    with pytest.raises(BeingDeleted):
        begun(alice_phone)

    assert [Vault.objects.count(), row(alice_phone).put_aside_at] == [1, None]


def test_list_is_called_after_the_device_it_was_open_on_last(alice_phone: Visitor) -> None:
    tablet = factories.with_another_device(alice_phone, name="Tablet", type="ios")
    Device.objects.filter(pk=tablet.device.pk).update(seen_at=timezone.now() + timedelta(hours=2))
    both = doors.name_of(row(alice_phone))

    Device.objects.all().delete()

    assert [both, doors.name_of(Vault.objects.get())] == ["Tablet", "Alice's phone"]


# -- Meanwhile --------------------------------------------------------------------------------------------------------


def test_cookie_of_the_old_browser_opens_it_for_nothing_but_to_keep_it(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    begun(alice_phone)
    request = RequestFactory().get("/")
    request.COOKIES = {name: morsel.value for name, morsel in alice_phone.client.cookies.items()}
    arrival = arrivals.of(request)
    assert arrival is not None
    (request.door,) = arrival.doors

    opened = devices.enter_aside(request)

    assert devices.enter(request) is None
    assert opened is not None
    assert len(vaults.read(opened)) == 1


@pytest.mark.django_db(transaction=True)
def test_words_and_passkey_open_it_and_whoever_comes_keeps_it(alice_phone: Visitor) -> None:
    words.make(alice_phone.vault, SIX, at=timezone.now(), costs=CHEAP)
    passkeys.add(alice_phone.vault, b"one", (PRF, PRF), "Key", at=timezone.now())
    begun(alice_phone)
    former, user, at = row(alice_phone), alice_phone.user, timezone.now()

    network = attempts.network("127.0.0.1")
    by_passkey = passkeys.open_list(user, b"one", PRF, replace(laptop(), name="PC"), at=at)
    at += timedelta(seconds=1)  # The list is called after the device it was open on last.
    by_words = words.open_list(user, former.pk, SIX, replace(laptop(), name="Tablet"), network=network, at=at)
    still = [row(alice_phone).put_aside_at is not None, former.pk in [one.pk for one in doors.lists(user)]]
    aside.keep(at_new_list(alice_phone, by_words).vault, at=at)

    assert [by_words.vault, by_passkey.vault] == [former, former]
    assert still == [True, False]
    assert [row(alice_phone).put_aside_at, row(alice_phone).gives_way_to] == [None, None]
    assert {vault.name for vault in doors.lists(user)} == {"Alice's phone", "Laptop"}
    assert [one.subject for one in mail.outbox][-1] == "A list of yours is in use again in Authweb: Tablet"


def test_passkey_of_both_lists_opens_the_one_in_use_unless_the_other_is_wanted(alice_phone: Visitor) -> None:
    passkeys.add(alice_phone.vault, b"one", (PRF, PRF), "Key", at=timezone.now())
    made = begun(alice_phone)
    passkeys.add(at_new_list(alice_phone, made).vault, b"one", (PRF, PRF), "Key", at=timezone.now())
    former, user, at = row(alice_phone), alice_phone.user, timezone.now()

    by_itself, asked_for = (
        passkeys.open_list(user, b"one", PRF, laptop(), at=at, wanted=wanted) for wanted in (None, former.pk)
    )

    assert [by_itself.vault, asked_for.vault] == [made.vault, former]


def test_approvals_no_longer_apply_to_it(alice_phone: Visitor) -> None:
    waits, approved = (factories.asking(alice_phone, name=name) for name in ("Tablet", "PC"))
    slot = KeySlot.objects.select_related("device", "vault").get(device=approved.device)
    asked = Asked(slot, approved.device, approved.cookie)
    approvals.approve(alice_phone.vault, slot.pk, approvals.letters(asked), at=timezone.now())

    begun(alice_phone)

    assert doors.of(alice_phone.user, row(alice_phone).pk).devices == ()
    assert not KeySlot.objects.pending(timezone.now()).exists()
    with pytest.raises(RequestOver):
        approvals.finish(asked, at=timezone.now())
    assert KeySlot.objects.get(device=waits.device).kind == SlotKind.APPROVAL


def test_kept_twice_it_is_told_once_and_deleted_it_is_not_kept(alice_phone: Visitor) -> None:
    begun(alice_phone)
    vault = alice_phone.vault
    aside.keep(vault, at=timezone.now())
    aside.keep(vault, at=timezone.now())
    Vault.objects.filter(pk=vault.row.pk).delete()

    with pytest.raises(NoSuchDoor):
        aside.keep(vault, at=timezone.now())

    assert Event.objects.filter(tag=Tag.LIST_KEPT).count() == 1


def test_it_is_not_kept_while_the_person_leaves(alice_phone: Visitor) -> None:
    begun(alice_phone)
    deletion.ask(alice_phone.user, at=timezone.now())

    with pytest.raises(BeingDeleted):
        aside.keep(alice_phone.vault, at=timezone.now())

    assert row(alice_phone).put_aside_at is not None


# -- The end ----------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-32")
def test_it_goes_after_thirty_days_with_keys_states_and_devices_and_nothing_else(
    alice_phone: Visitor, bob: Visitor
) -> None:
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    create_entry(on=alice_phone)
    former = row(alice_phone)
    made, put = begun(alice_phone), timezone.now()
    Attempt.objects.create(subject=attempts.of_list(former.pk), act=Attempt.Act.WORDS, at=put)
    since = row(alice_phone).put_aside_at
    assert since is not None

    early = aside.expire(since + DAYS - timedelta(seconds=1))
    gone, again = aside.expire(since + DAYS), aside.expire(since + DAYS)

    assert [early, gone, again] == [0, 1, 0]
    assert set(Vault.objects.all()) == {made.vault, row(bob)}
    assert set(KeySlot.objects.values_list("vault", flat=True)) == {made.vault.pk, row(bob).pk}
    assert set(VaultState.objects.values_list("vault", flat=True)) == {made.vault.pk, row(bob).pk}
    assert set(Device.objects.all()) == {made.device, bob.device}
    assert not Attempt.objects.exists()
    assert Event.objects.get(tag=Tag.LIST_DELETED).facts == {"former": "Alice's phone"}


def test_list_that_was_kept_stays_after_thirty_days(alice_phone: Visitor) -> None:
    begun(alice_phone)
    aside.keep(alice_phone.vault, at=timezone.now())

    assert aside.expire(timezone.now() + 2 * DAYS) == 0
    assert Vault.objects.count() == 2


def test_how_long_is_a_setting(alice_phone: Visitor, settings: Any) -> None:
    settings.LISTS_PUT_ASIDE_FOR = timedelta(days=1)
    begun(alice_phone)

    assert aside.expire(timezone.now() + timedelta(days=1)) == 1


def test_last_key_of_a_list_put_aside_is_named_when_its_device_is_removed(alice_phone: Visitor) -> None:
    assert alice_phone.device is not None
    begun(alice_phone)

    alone = devices.loss(alice_phone.device)
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    with_words = devices.loss(alice_phone.device)

    assert [alone.aside, alone.lists, with_words.aside] == [True, (), False]


def test_person_whose_lists_are_all_put_aside_sets_one_up(alice_phone: Visitor) -> None:
    made = begun(alice_phone)
    with pytest.raises(HasList):
        devices.set_up(User.objects.get(pk=alice_phone.user.pk), laptop(), at=timezone.now())
    Vault.objects.filter(pk=made.vault.pk).delete()

    devices.set_up(alice_phone.user, laptop(), at=timezone.now())

    assert [len(aside.of(alice_phone.user)), len(doors.lists(alice_phone.user))] == [1, 1]
