"""One browser lets another in: once, within ten minutes, by the letters that the new one shows, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import Attempt, Device, DeviceType, Event, KeySlot, SlotKind, User, Vault, VaultState
from accounts.services import approvals, attempts, devices, keyring
from accounts.services.activity import Tag
from accounts.services.approvals import Asked, NoSuchRequest, OtherLetters, RequestOver, State
from accounts.services.attempts import TooManyTries
from accounts.services.devices import DeviceGone, NewDevice
from accounts.services.vaults import DeviceRemoved
from accounts.vault import keys
from accounts.vault.errors import WrongKey
from accounts.vault.keys import DeviceCookie, Secret
from tests import factories, stored
from tests.factories import Visitor, create_entry

HOME, AWAY = b"h" * 32, b"a" * 32
MINUTE = timedelta(minutes=1)


def ask(visitor: Visitor, *, at: datetime, name: str = "Laptop", before: Asked | None = None) -> Asked:
    """A laptop of this person asks for their list."""
    new = NewDevice(uuid4(), name, DeviceType.COMPUTER)
    return approvals.ask(visitor.user, factories.vault_of(visitor), new, network=HOME, at=at, before=before)


def again(asked: Asked) -> Asked:
    """The same request, as the browser's next look finds it."""
    slot = KeySlot.objects.select_related("device", "by_device", "vault").get(pk=asked.slot.pk)
    return replace(asked, slot=slot)


def state(asked: Asked, *, at: datetime) -> State:
    """How it stands now."""
    return approvals.state(again(asked).slot, at=at)


def approve(visitor: Visitor, asked: Asked, *, at: datetime) -> None:
    """The right letters, typed in the browser that has the list."""
    approvals.approve(visitor.vault, asked.slot.pk, approvals.letters(asked), at=at)


def laptop(visitor: Visitor, asked: Asked) -> Visitor:
    """The browser that asked, once it has the list."""
    return Visitor(visitor.user, visitor.client, asked.device, asked.cookie)


def told(tag: Tag) -> list[tuple[str, object]]:
    """Who did it, and to whom, in the lines of a tag."""
    return [(event.device_name, event.facts.get("asked")) for event in Event.objects.filter(tag=tag)]


# -- The way it goes --------------------------------------------------------------------------------------------------


@pytest.mark.article("G-26", "allowed")
@pytest.mark.row("T41")
def test_right_letters_open_the_list_in_the_browser_that_asked(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="a")
    at = timezone.now()

    asked = ask(alice_phone, at=at)
    waiting = [state(asked, at=at), list(alice_phone.user.devices.enrolled().values_list("name", flat=True))]
    approve(alice_phone, asked, at=at)
    approved = [state(asked, at=at), alice_phone.user.devices.enrolled().count()]
    device = approvals.finish(again(asked), at=at)

    assert waiting == [State.PENDING, ["Alice's phone"]]
    assert approved == [State.APPROVED, 2]
    assert [entry.name for entry in laptop(alice_phone, asked).entries] == ["a"]
    slot = KeySlot.objects.get(device=device)
    assert [slot.pk, slot.kind, slot.public_key, slot.sealed, slot.by_device, slot.expires_at, slot.network] == [
        asked.slot.pk,
        SlotKind.BROWSER,
        *[None] * 5,
    ]
    assert told(Tag.REQUEST_MADE) == told(Tag.DEVICE_OPENED_BY_APPROVAL) == [("Laptop", None)]
    assert told(Tag.REQUEST_APPROVED) == [("Alice's phone", "Laptop")]
    assert User.objects.get().noticed_at == at


@pytest.mark.row("T41")
@pytest.mark.parametrize("form", [str.lower, lambda s: f" {s[:4]} {s[4:]} ", lambda s: f"{s[:4]}-{s[4:]}"])
def test_letters_are_taken_as_people_type_them(alice_phone: Visitor, form: Callable[[str], str]) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)

    approvals.approve(alice_phone.vault, asked.slot.pk, form(approvals.letters(asked)), at=at)

    assert state(asked, at=at) is State.APPROVED


def test_two_requests_at_once_have_their_own_letters_and_are_listed_by_name_and_time(alice_phone: Visitor) -> None:
    at = timezone.now()
    first, second = ask(alice_phone, at=at, name="Laptop"), ask(alice_phone, at=at + MINUTE, name="Tablet")

    shown = approvals.pending(alice_phone.vault, at + MINUTE, network=HOME)
    with pytest.raises(OtherLetters):
        approvals.approve(alice_phone.vault, first.slot.pk, approvals.letters(second), at=at)

    assert [(one.name, one.asked_at, one.ends_at - one.asked_at) for one in shown] == [
        ("Laptop", at, 10 * MINUTE),
        ("Tablet", at + MINUTE, 10 * MINUTE),
    ]
    assert [state(first, at=at), state(second, at=at)] == [State.PENDING, State.PENDING]


def test_request_says_whether_it_came_from_the_network_of_who_looks(alice_phone: Visitor) -> None:
    at = timezone.now()
    ask(alice_phone, at=at)

    near, far, unknown = (approvals.pending(alice_phone.vault, at, network=network) for network in (HOME, AWAY, b""))

    assert [near[0].nearby, far[0].nearby, unknown[0].nearby] == [True, False, None]


def test_list_that_nobody_asks_for_costs_no_query(alice_phone: Visitor, queries: Callable[..., int]) -> None:
    at = timezone.now()
    before, asked = alice_phone.vault, ask(alice_phone, at=at)
    after = alice_phone.vault
    ends = after.row.asked_until

    costs = [
        queries(lambda: approvals.pending(before, at)),
        queries(lambda: approvals.pending(after, at)),
        queries(lambda: approvals.pending(after, at + 10 * MINUTE)),
    ]

    assert costs == [0, 1, 0]
    assert ends == asked.slot.expires_at


def test_page_is_told_until_when_the_last_of_several_requests_waits(alice_phone: Visitor) -> None:
    at = timezone.now()

    later, earlier = ask(alice_phone, at=at + MINUTE), ask(alice_phone, at=at)

    assert factories.vault_of(alice_phone).asked_until == later.slot.expires_at > earlier.slot.expires_at


# -- No ---------------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-26", "refused")
@pytest.mark.row("T41")
def test_other_letters_leave_it_waiting_and_the_third_time_ends_it(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    right = approvals.letters(asked)
    states = []
    for typed in ("AAAAAAAA", right[:7], right[::-1] + "A"):
        with pytest.raises(OtherLetters):
            approvals.approve(alice_phone.vault, asked.slot.pk, typed, at=at)
        states.append(state(asked, at=at))

    with pytest.raises(RequestOver):
        approve(alice_phone, asked, at=at)

    assert states == [State.PENDING, State.PENDING, State.MISTYPED]
    assert told(Tag.REQUEST_ENDED) == [("Alice's phone", "Laptop")]
    assert told(Tag.REQUEST_APPROVED) == []
    assert approvals.pending(alice_phone.vault, at) == []


@pytest.mark.row("T41")
def test_right_letters_after_two_wrong_ones_are_right(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    for _ in range(2):
        with pytest.raises(OtherLetters):
            approvals.approve(alice_phone.vault, asked.slot.pk, "AAAAAAAA", at=at)

    approve(alice_phone, asked, at=at)

    assert approvals.finish(again(asked), at=at) == asked.device


@pytest.mark.article("G-26", "refused")
@pytest.mark.row("T41")
def test_refused_request_is_over_for_both(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)

    approvals.refuse(alice_phone.vault, asked.slot.pk, at=at)

    assert state(asked, at=at) is State.REFUSED
    assert again(asked).slot.by_device == alice_phone.device
    assert told(Tag.REQUEST_REFUSED) == [("Alice's phone", "Laptop")]
    for act in (approve, lambda *_, at: approvals.finish(again(asked), at=at)):
        with pytest.raises(RequestOver):
            act(alice_phone, asked, at=at)
    with pytest.raises(RequestOver):
        approvals.refuse(alice_phone.vault, asked.slot.pk, at=at)


@pytest.mark.article("G-26", "refused")
@pytest.mark.row("T41")
def test_request_ends_by_time_before_its_approval_and_after(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked, other = ask(alice_phone, at=at), ask(alice_phone, at=at)
    last = at + settings.APPROVAL_KEPT - timedelta(microseconds=1)
    over = at + settings.APPROVAL_KEPT

    with pytest.raises(RequestOver):
        approve(alice_phone, asked, at=over)
    approve(alice_phone, asked, at=last)
    with pytest.raises(RequestOver):
        approvals.finish(again(asked), at=over)
    approve(alice_phone, other, at=last)

    assert timedelta(minutes=10) == settings.APPROVAL_KEPT
    assert [state(asked, at=last), state(asked, at=over)] == [State.APPROVED, State.OVER]
    assert approvals.finish(again(other), at=last) == other.device


@pytest.mark.row("T41")
def test_approval_is_given_once_and_used_once(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    approve(alice_phone, asked, at=at)
    approved = again(asked)

    with pytest.raises(RequestOver):
        approve(alice_phone, asked, at=at)
    approvals.finish(approved, at=at)
    for late in (approved, again(asked)):
        with pytest.raises(RequestOver):
            approvals.finish(late, at=at)

    assert [len(told(tag)) for tag in (Tag.REQUEST_APPROVED, Tag.DEVICE_OPENED_BY_APPROVAL)] == [1, 1]
    assert state(asked, at=at) is State.OPENED


@pytest.mark.row("T41")
@pytest.mark.django_db(transaction=True)
def test_of_many_that_finish_at_once_one_does(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    approve(alice_phone, asked, at=at)
    approved = again(asked)

    def one(_: int) -> bool:
        try:
            approvals.finish(approved, at=at)
        except RequestOver:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(one, range(12)))

    assert sum(done) == 1
    assert told(Tag.DEVICE_OPENED_BY_APPROVAL) == [("Laptop", None)]
    assert laptop(alice_phone, asked).entries == ()


@pytest.mark.row("T41")
@pytest.mark.django_db(transaction=True)
def test_of_many_wrong_entries_at_once_none_is_lost(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    vault = alice_phone.vault

    def one(_: int) -> str:
        try:
            approvals.approve(vault, asked.slot.pk, "AAAAAAAA", at=at)
        except (OtherLetters, RequestOver) as error:
            return type(error).__name__
        finally:
            connection.close()
        return "approved"

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(one, range(9)))

    assert sorted(said) == ["OtherLetters"] * 3 + ["RequestOver"] * 6
    assert state(asked, at=at) is State.MISTYPED


@pytest.mark.row("T41")
def test_request_for_anothers_list_is_not_there(alice_phone: Visitor, bob: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)

    for act in (
        lambda: approvals.approve(bob.vault, asked.slot.pk, approvals.letters(asked), at=at),
        lambda: approvals.refuse(bob.vault, asked.slot.pk, at=at),
        lambda: approvals.of(bob.vault, asked.slot.pk),
        lambda: approvals.of(alice_phone.vault, uuid4()),
    ):
        with pytest.raises(NoSuchRequest):
            act()

    assert approvals.pending(bob.vault, at) == []
    assert state(asked, at=at) is State.PENDING


# -- Removal of either ------------------------------------------------------------------------------------------------


@pytest.fixture
def tablet(alice_phone: Visitor) -> Visitor:
    """A second browser of alice's with her list."""
    at = timezone.now()
    asked = ask(alice_phone, at=at, name="Tablet")
    approve(alice_phone, asked, at=at)
    approvals.finish(again(asked), at=at)
    return laptop(alice_phone, asked)


@pytest.mark.row("A6")
@pytest.mark.row("T41")
def test_removal_of_the_device_that_asked_voids_its_approval(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    approve(alice_phone, asked, at=at)

    devices.remove(asked.device, at=at, by=alice_phone.device)
    with pytest.raises(RequestOver):
        approvals.finish(again(asked), at=at)
    with pytest.raises(DeviceGone):
        devices.put_back(asked.device, at=at, by=alice_phone.device)

    assert [state(asked, at=at), again(asked).slot.sealed] == [State.REMOVED, None]
    assert list(alice_phone.user.devices.enrolled()) == [alice_phone.device]
    assert list(alice_phone.user.devices.removed()) == []


@pytest.mark.row("A6")
@pytest.mark.row("T41")
def test_removal_of_the_device_that_approved_voids_its_approval_for_good(alice_phone: Visitor, tablet: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    approvals.approve(tablet.vault, asked.slot.pk, approvals.letters(asked), at=at)

    devices.remove(tablet.device, at=at, by=alice_phone.device)
    states = [state(asked, at=at)]
    devices.put_back(Device.objects.get(pk=tablet.device.pk), at=at, by=alice_phone.device)
    states.append(state(asked, at=at))

    with pytest.raises(RequestOver):
        approvals.finish(again(asked), at=at)
    assert states == [State.WITHDRAWN, State.WITHDRAWN]
    assert again(asked).slot.sealed is None


@pytest.mark.row("A6")
def test_removal_of_another_device_voids_nothing(alice_phone: Visitor, tablet: Visitor) -> None:
    at = timezone.now()
    approved, waiting = ask(alice_phone, at=at), ask(alice_phone, at=at)
    approve(alice_phone, approved, at=at)

    devices.remove(tablet.device, at=at, by=None)

    assert [state(approved, at=at), state(waiting, at=at)] == [State.APPROVED, State.PENDING]


@pytest.mark.row("A6")
def test_removed_browser_approves_and_refuses_nothing(alice_phone: Visitor, tablet: Visitor) -> None:
    at = timezone.now()
    asked, opened = ask(alice_phone, at=at), tablet.vault
    devices.remove(tablet.device, at=at, by=None)

    with pytest.raises(DeviceRemoved):
        approvals.approve(opened, asked.slot.pk, approvals.letters(asked), at=at)
    with pytest.raises(DeviceRemoved):
        approvals.refuse(opened, asked.slot.pk, at=at)

    assert state(asked, at=at) is State.PENDING


# -- Who writes the database ------------------------------------------------------------------------------------------


@pytest.mark.row("T41")
def test_public_key_swapped_in_the_row_changes_the_letters_that_are_expected(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    before = approvals.letters(asked)
    KeySlot.objects.filter(pk=asked.slot.pk).update(public_key=keys.public_half(Secret(b"m" * 32)))

    with pytest.raises(OtherLetters):
        approvals.approve(alice_phone.vault, asked.slot.pk, before, at=at)

    assert approvals.letters(again(asked)) == before
    assert again(asked).slot.sealed is None


@pytest.mark.row("A9")
@pytest.mark.row("T41")
def test_planted_key_and_swapped_places_open_nothing(alice_phone: Visitor, bob: Visitor, tablet: Visitor) -> None:
    at = timezone.now()
    asked, other = ask(alice_phone, at=at), ask(alice_phone, at=at)
    approve(alice_phone, asked, at=at)
    approve(alice_phone, other, at=at)
    row, hers, his = again(asked).slot, factories.vault_of(alice_phone), factories.vault_of(bob)
    places = (hers.id.bytes, row.id.bytes, alice_phone.device.pk.bytes, asked.device.pk.bytes)
    planted = keys.seal_key(keys.new_vault_key(), bytes(row.public_key), *places)
    swaps: list[dict[str, object]] = [
        {"sealed": planted},
        {"sealed": bytes(again(other).slot.sealed)},
        {"sealed": bytes(80)},
        {"sealed": b""},
        {"by_device": tablet.device},
        {"vault": his},
        {"share": b"s" * 32},
    ]

    for swap in swaps:
        KeySlot.objects.filter(pk=row.pk).update(**swap)
        with pytest.raises(WrongKey):
            approvals.finish(again(asked), at=at)
        KeySlot.objects.filter(pk=row.pk).update(
            sealed=row.sealed, by_device=row.by_device, vault=row.vault, share=row.share
        )
        assert [KeySlot.objects.get(pk=row.pk).kind, len(told(Tag.DEVICE_OPENED_BY_APPROVAL))] == [SlotKind.APPROVAL, 1]

    assert approvals.finish(again(asked), at=at) == asked.device  # The control: as it was, it opens.


@pytest.mark.row("A9")
@pytest.mark.row("T41")
def test_other_cookie_does_not_finish(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    approve(alice_phone, asked, at=at)

    with pytest.raises(WrongKey):
        cookie = DeviceCookie(asked.device.pk.bytes, keys.new_device_key())
        approvals.finish(replace(again(asked), cookie=cookie), at=at)

    assert state(asked, at=at) is State.APPROVED


def test_approval_of_a_device_that_is_refused_since_counts_no_more(alice_phone: Visitor) -> None:
    """However it came to be removed."""
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    approve(alice_phone, asked, at=at)
    Device.objects.filter(pk=alice_phone.device.pk).update(removed_at=at)

    with pytest.raises(RequestOver):
        approvals.finish(again(asked), at=at)

    assert state(asked, at=at) is State.WITHDRAWN


def test_approval_without_one_who_gave_it_is_none(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    approve(alice_phone, asked, at=at)
    KeySlot.objects.filter(pk=asked.slot.pk).update(by_device=None)

    with pytest.raises(RequestOver):
        approvals.finish(again(asked), at=at)

    assert state(asked, at=at) is State.WITHDRAWN


@pytest.mark.row("T41")
def test_list_that_is_damaged_in_every_state_is_not_entered(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    approve(alice_phone, asked, at=at)
    VaultState.objects.update(sealed=bytes(200))

    with pytest.raises(WrongKey):
        approvals.finish(again(asked), at=at)

    assert state(asked, at=at) is State.APPROVED


def test_neither_letters_nor_keys_lie_in_the_database(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    letters = approvals.letters(asked)
    held = [stored.everything()]
    approve(alice_phone, asked, at=at)
    held.append(stored.everything())
    approvals.finish(again(asked), at=at)
    held.append(stored.everything())
    _, pepper = keyring.pepper(asked.slot.kid)
    places = (asked.slot.vault_id.bytes, asked.slot.id.bytes)
    private = keys.private_half(asked.cookie.key, pepper, bytes(asked.slot.share), *places)
    secrets = {
        "letters": letters,
        "list": alice_phone.vault.key.reveal().hex(),
        "private half": private.reveal().hex(),
        "cookie": asked.cookie.key.reveal().hex(),
        "cookie's text": asked.cookie.to_text(),
    }

    found = [name for name, secret in secrets.items() for text in held if secret.lower() in text.lower()]

    assert found == []
    assert bytes(asked.slot.public_key).hex() in held[0]  # The control: what lies there is found.


# -- How often, how long ----------------------------------------------------------------------------------------------


@pytest.mark.article("G-26", "refused")
def test_sixth_request_within_an_hour_is_refused_with_its_time(alice_phone: Visitor) -> None:
    at = timezone.now()
    before = None
    for number in range(5):
        before = ask(alice_phone, at=at + number * MINUTE, before=before)

    with pytest.raises(TooManyTries) as refused:
        ask(alice_phone, at=at + 6 * MINUTE, before=before)

    assert refused.value.next_at == at + timedelta(hours=1)
    assert [KeySlot.objects.filter(kind=SlotKind.APPROVAL).get().pk, Attempt.objects.count()] == [before.slot.pk, 5]
    assert ask(alice_phone, at=at + timedelta(hours=1), before=before).device.name == "Laptop"


def test_asking_again_replaces_what_this_browser_asked_alone(alice_phone: Visitor) -> None:
    at = timezone.now()
    first, other = ask(alice_phone, at=at), ask(alice_phone, at=at, name="Tablet")

    second = ask(alice_phone, at=at, before=first)

    assert set(KeySlot.objects.filter(kind=SlotKind.APPROVAL).values_list("pk", flat=True)) == {
        other.slot.pk,
        second.slot.pk,
    }
    assert not Device.objects.filter(pk=first.device.pk).exists()


def test_request_that_became_a_key_is_never_replaced(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    approve(alice_phone, asked, at=at)
    before = again(asked)
    approvals.finish(before, at=at)

    ask(alice_phone, at=at, before=before)

    assert laptop(alice_phone, asked).entries == ()


def test_id_of_a_device_in_use_is_never_taken(alice_phone: Visitor, bob: Visitor) -> None:
    at = timezone.now()
    KeySlot.objects.filter(device=alice_phone.device).update(used_at=at)

    for taken in (bob.device.pk, alice_phone.device.pk):
        new = NewDevice(taken, "Laptop", DeviceType.COMPUTER)
        with pytest.raises(DeviceGone):
            approvals.ask(alice_phone.user, factories.vault_of(alice_phone), new, network=HOME, at=at)

    assert Device.objects.count() == 2


def test_second_click_has_its_own_letters(alice_phone: Visitor) -> None:
    at = timezone.now()
    new = NewDevice(UUID(int=7), "Laptop", DeviceType.COMPUTER)
    row = factories.vault_of(alice_phone)

    first, second = (approvals.ask(alice_phone.user, row, new, network=HOME, at=at) for _ in range(2))

    assert KeySlot.objects.get(kind=SlotKind.APPROVAL).pk == second.slot.pk
    assert approvals.letters(first) != approvals.letters(second)


def test_answer_is_kept_for_an_hour_and_what_was_sealed_for_the_ten_minutes(alice_phone: Visitor) -> None:
    at = timezone.now()
    refused, approved = ask(alice_phone, at=at), ask(alice_phone, at=at)
    approvals.refuse(alice_phone.vault, refused.slot.pk, at=at)
    approve(alice_phone, approved, at=at)
    over, gone = at + settings.APPROVAL_KEPT, at + settings.APPROVAL_KEPT + timedelta(hours=1)

    early = [approvals.expire(over - MINUTE), again(approved).slot.sealed is None]
    ended = [approvals.expire(over), again(approved).slot.sealed is None]
    states = [state(refused, at=over), state(approved, at=over)]
    late = [approvals.expire(gone), approvals.expire(gone)]

    assert [early, ended, late] == [[0, False], [0, True], [2, 0]]
    assert states == [State.REFUSED, State.OVER]
    assert list(Device.objects.all()) == [alice_phone.device]


def test_used_approval_is_not_cleared_away(alice_phone: Visitor, tablet: Visitor) -> None:
    approvals.expire(timezone.now() + timedelta(days=1))

    assert tablet.entries == ()


def test_request_keeps_no_list_that_nothing_else_opens(alice_phone: Visitor, bob: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    devices.remove(alice_phone.device, at=at - settings.REMOVED_DEVICE_KEPT, by=None)

    devices.expire(at)

    assert list(Vault.objects.values_list("user", flat=True)) == [bob.user.pk]
    assert not Device.objects.filter(pk=asked.device.pk).exists()


def test_list_without_any_key_goes_with_the_last_that_asked_for_it(alice_phone: Visitor, bob: Visitor) -> None:
    at = timezone.now()
    ask(alice_phone, at=at)
    Device.objects.filter(pk=alice_phone.device.pk).delete()

    approvals.expire(at + timedelta(hours=2))

    assert list(Vault.objects.values_list("user", flat=True)) == [bob.user.pk]


def test_browser_that_asks_is_no_last_way_in(alice_phone: Visitor) -> None:
    at = timezone.now()
    asked = ask(alice_phone, at=at)
    devices.remove(alice_phone.device, at=at, by=None)

    assert devices.loss(asked.device).lists == ()


def test_list_is_kept_while_a_removal_can_be_undone(alice_phone: Visitor) -> None:
    at = timezone.now()
    ask(alice_phone, at=at)
    devices.remove(alice_phone.device, at=at, by=None)

    approvals.expire(at + timedelta(hours=2))

    assert [Vault.objects.count(), list(Device.objects.all())] == [1, [alice_phone.device]]


def test_network_is_no_address(alice_phone: Visitor) -> None:
    asked = approvals.ask(
        alice_phone.user,
        factories.vault_of(alice_phone),
        NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER),
        network=attempts.network("192.0.2.7"),
        at=timezone.now(),
    )

    assert bytes(asked.slot.network) == attempts.network("192.0.2.7")
    assert "192.0.2.7" not in stored.everything()


@pytest.mark.row("T41")
def test_name_above_the_field_for_the_letters_is_fixed_before_there_are_any(alice_phone: Visitor) -> None:
    """A thief with a session would put the letters there, for the owner to copy."""
    at = timezone.now()
    asked = ask(alice_phone, at=at)

    with pytest.raises(DeviceGone):
        devices.rename(asked.device, f"Type {approvals.letters(asked)}", at=at)
    approve(alice_phone, asked, at=at)
    approvals.finish(again(asked), at=at)
    devices.rename(Device.objects.get(pk=asked.device.pk), "Werkstatt-PC", at=at)

    assert [device.name for device in Device.objects.filter(user=alice_phone.user).order_by("made_at")] == [
        "Alice's phone",
        "Werkstatt-PC",
    ]


@pytest.mark.django_db(transaction=True)
def test_double_click_on_asking_asks_once(alice_phone: Visitor) -> None:
    at, new, row = timezone.now(), NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER), factories.vault_of(alice_phone)

    def click(_: int) -> Asked:
        try:
            return approvals.ask(alice_phone.user, row, new, network=HOME, at=at)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        clicks = list(pool.map(click, range(4)))

    (slot,) = KeySlot.objects.filter(kind=SlotKind.APPROVAL)
    assert [len(clicks), slot.device_id] == [4, new.id]
