"""Approval as both browsers see it: letters, waiting, the answer, and every way in which it ends."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from accounts import arrivals
from accounts.models import Device, DeviceType, KeySlot, SlotKind, VaultState
from accounts.services import approvals, devices
from accounts.services.devices import NewDevice
from accounts.vault import keys
from tests import factories
from tests.attacks import crawler
from tests.factories import Visitor

LIST, OPEN, DEVICES = reverse("accounts:list"), reverse("accounts:open"), reverse("accounts:devices")
ASK, WAITING = reverse("accounts:open-approve"), reverse("accounts:open-waiting")
FIREFOX = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"}
POLL = {"HX-Request": "true", "HX-Target": "waiting"}
NOON = datetime(2026, 11, 24, 14, 2, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """14:02, until a test moves on."""
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def laptop(clock: time_machine.Traveller, alice_phone: Visitor) -> Visitor:
    """A browser of alice's that asks, while she is at her phone."""
    return factories.asking(alice_phone, name="Firefox on Windows")


def said(answer: HttpResponse) -> str:
    """The text of a page, tags and line breaks left out."""
    return " ".join(html.unescape(strip_tags(answer.content.decode())).split())


def messages(answer: HttpResponse) -> list[str]:
    """What is said on the next page."""
    return [str(message) for message in answer.context["messages"]]


def slot_of(visitor: Visitor) -> KeySlot:
    """The request of this browser, or the key it became."""
    return KeySlot.objects.get(device=visitor.device)


def page_of(visitor: Visitor) -> str:
    """Where its request is answered."""
    return reverse("accounts:request", args=[slot_of(visitor).pk])


def letters_of(visitor: Visitor) -> str:
    """The eight letters that this browser shows."""
    shown = re.search(r"letters-shown[^>]*><span>([A-Z]{4})</span><span>([A-Z]{4})</span>", _page(visitor))
    assert shown is not None
    return shown[1] + shown[2]


def _page(visitor: Visitor) -> str:
    return visitor.client.get(WAITING).content.decode()


def form() -> dict[str, str]:
    """What the button "Approve on …" sends."""
    return {"device_id": str(uuid4())}


# -- Asking -----------------------------------------------------------------------------------------------------------


@pytest.mark.article("G-26")
def test_door_names_the_device_seen_last_and_others_only_where_there_are_any(
    alice_phone: Visitor, alice_elsewhere: Visitor
) -> None:
    one = said(alice_elsewhere.client.get(OPEN))
    laptop = factories.asking(alice_phone)
    factories.grown_fresh(alice_phone).client.post(page_of(laptop), {"letters": letters_of(laptop)})
    laptop.client.post(WAITING)
    two = said(alice_elsewhere.client.get(OPEN))

    assert ["Approve on Alice's phone" in one, "Or on another device." in one] == [True, False]
    assert ["Approve on Laptop" in two, "Or on another device." in two] == [True, True]


@pytest.mark.article("G-26")
def test_asking_gives_the_cookie_once_and_shows_eight_letters_until_when(
    clock: time_machine.Traveller, alice_phone: Visitor
) -> None:
    client, name = factories.at_another_browser(alice_phone).client, arrivals.cookie_name(alice_phone.user.pk)

    asked = client.post(ASK, form(), headers=FIREFOX)
    shown = client.get(WAITING)
    page = said(shown)

    assert [asked.status_code, asked.headers["Location"]] == [303, WAITING]
    assert re.fullmatch(r"[A-Za-z0-9_-]{66}", asked.cookies[name].value)
    assert name not in shown.cookies
    assert re.search(r"Waiting for Alice's phone .*\b[A-Z]{8} Ends at 14:12 UTC", page)
    assert "Firefox on Windows, Computer" in page
    assert client.get(LIST).headers["Location"] == OPEN


def test_browser_is_called_as_the_person_said(alice_elsewhere: Visitor) -> None:
    client = alice_elsewhere.client
    client.post(reverse("accounts:open-name"), {"name": "Werkstatt-PC", "type": "computer"})

    client.post(ASK, form(), headers=FIREFOX)

    assert slot_of_newest().device.name == "Werkstatt-PC"


def test_browser_that_asks_again_keeps_its_name_and_another_one_gets_a_number(alice_phone: Visitor) -> None:
    names = []
    for visitor in [factories.at_another_browser(alice_phone)] * 2 + [factories.at_another_browser(alice_phone)]:
        visitor.client.post(ASK, form(), headers=FIREFOX)
        names.append(slot_of_newest().device.name)

    assert names == ["Firefox on Windows", "Firefox on Windows", "Firefox on Windows 2"]


def slot_of_newest() -> KeySlot:
    """The request made last."""
    return KeySlot.objects.filter(kind=SlotKind.APPROVAL).latest("made_at")


def test_browser_that_does_not_say_what_it_is_is_asked_first(alice_elsewhere: Visitor) -> None:
    answer = alice_elsewhere.client.post(ASK, form(), headers={"User-Agent": "?"})

    assert answer.headers["Location"].startswith(reverse("accounts:open-name"))
    assert Device.objects.count() == 1


@pytest.mark.parametrize("data", [{}, {"device_id": "nonsense"}, {"device_id": "\x00"}])
def test_nonsense_asks_for_nothing(alice_elsewhere: Visitor, data: dict[str, str]) -> None:
    answer = alice_elsewhere.client.post(ASK, data, headers=FIREFOX)

    assert answer.headers["Location"].startswith(OPEN)
    assert Device.objects.count() == 1


def test_looking_asks_for_nothing(alice_elsewhere: Visitor) -> None:
    assert alice_elsewhere.client.get(ASK, form(), headers=FIREFOX).status_code == 405
    assert alice_elsewhere.client.get(WAITING).headers["Location"] == OPEN
    assert alice_elsewhere.client.post(WAITING).headers["Location"] == OPEN


def test_who_has_the_list_or_none_asks_nobody(alice_phone: Visitor) -> None:
    newcomer = factories.visitor("carol@example.org").client

    asked = [alice_phone.client.post(ASK, form(), headers=FIREFOX), newcomer.post(ASK, form(), headers=FIREFOX)]
    waiting = [alice_phone.client.get(WAITING), newcomer.get(WAITING)]

    assert [answer.headers["Location"] for answer in asked] == [LIST, reverse("accounts:start")]
    assert [answer.headers["Location"] for answer in waiting] == [LIST, OPEN]
    assert Device.objects.count() == 1


def test_list_without_a_device_is_asked_of_nobody(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    devices.remove(alice_phone.device, at=timezone.now(), by=None)

    alice_elsewhere.client.post(ASK, form(), headers=FIREFOX)

    assert not KeySlot.objects.filter(kind=SlotKind.APPROVAL).exists()


def test_list_that_was_chosen_is_the_one_that_is_asked_for(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    older = factories.vault_of(alice_phone)
    separate = NewDevice(uuid4(), "Tablet", DeviceType.IOS)
    devices.set_up(alice_phone.user, separate, at=timezone.now() + timedelta(days=1), separate=True)

    alice_elsewhere.client.post(f"{ASK}?list={older.pk}", form(), headers=FIREFOX)

    assert slot_of_newest().vault == older
    assert "Waiting for Alice's phone" in said(alice_elsewhere.client.get(WAITING))


@pytest.mark.article("G-26")
def test_sixth_request_in_an_hour_is_told_when_the_next_is_possible(
    clock: time_machine.Traveller, alice_elsewhere: Visitor
) -> None:
    client = alice_elsewhere.client
    for _ in range(5):
        client.post(ASK, form(), headers=FIREFOX)
    last = slot_of_newest()

    answer = client.post(ASK, form(), headers=FIREFOX, follow=True)

    assert answer.redirect_chain[0][0].startswith(OPEN)
    assert messages(answer) == ["This list was asked for five times within an hour. Ask again at 15:02."]
    assert [slot.pk for slot in KeySlot.objects.filter(kind=SlotKind.APPROVAL)] == [last.pk]


def test_open_page_leads_back_to_the_letters_while_they_count(laptop: Visitor, clock: time_machine.Traveller) -> None:
    waits = said(laptop.client.get(OPEN))
    clock.shift(timedelta(minutes=10))
    over = said(laptop.client.get(OPEN))

    assert ["This browser waits for an approval." in page for page in (waits, over)] == [True, False]


def test_id_of_a_device_in_use_asks_for_nothing(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    alice_phone.client.get(LIST)

    answer = alice_elsewhere.client.post(ASK, {"device_id": str(alice_phone.device.pk)}, headers=FIREFOX, follow=True)

    assert messages(answer) == ["This page was out of date. Ask from here."]
    assert alice_phone.entries == ()


# -- Waiting ----------------------------------------------------------------------------------------------------------


def test_waiting_page_asks_again_and_again_and_hears_nothing_until_something_happens(laptop: Visitor) -> None:
    page = _page(laptop)

    polled, pressed = laptop.client.post(WAITING, headers=POLL), laptop.client.post(WAITING)

    assert 'hx-trigger="every 3s"' in page
    assert [polled.status_code, polled.content] == [204, b""]
    assert [pressed.status_code, pressed.headers["Location"]] == [303, WAITING]


@pytest.mark.article("G-26")
def test_last_minute_is_said_once_and_renewed_with_one_button(laptop: Visitor, clock: time_machine.Traveller) -> None:
    before = letters_of(laptop)
    clock.shift(timedelta(minutes=9))

    warned = laptop.client.post(WAITING, headers=POLL)
    again = laptop.client.post(WAITING, {"warned": "1"}, headers=POLL)
    renewed = laptop.client.post(ASK, form(), headers=FIREFOX)

    assert [warned.status_code, again.status_code] == [200, 204]
    assert "These letters end within a minute." in said(warned)
    assert ["Show new letters" in said(warned), "<html" in warned.content.decode()] == [True, False]
    assert renewed.headers["Location"] == WAITING
    assert "Ends at 14:21" in said(laptop.client.get(WAITING))
    assert letters_of(laptop) != before
    assert KeySlot.objects.filter(kind=SlotKind.APPROVAL).count() == 1


@pytest.mark.article("G-26")
def test_approved_browser_opens_the_list_by_its_next_question_and_not_by_looking(
    alice_phone: Visitor, laptop: Visitor
) -> None:
    factories.create_entry(on=alice_phone, name="of alice")
    factories.grown_fresh(alice_phone).client.post(page_of(laptop), {"letters": letters_of(laptop)})

    before = crawler.rows()
    looked = laptop.client.get(WAITING)
    changed = crawler.changed(before, crawler.rows())
    asked = laptop.client.post(WAITING, headers=POLL)

    assert ["Approved on Alice's phone" in said(looked), "load, every 3s" in looked.content.decode()] == [True, True]
    assert changed == []
    assert [asked.status_code, asked.headers["HX-Redirect"]] == [200, LIST]
    assert "of alice" in laptop.client.get(LIST).content.decode()
    assert [laptop.client.get(WAITING).headers["Location"], laptop.client.post(WAITING).headers["Location"]] == [
        LIST
    ] * 2


def test_approved_browser_without_script_opens_the_list_by_its_button(alice_phone: Visitor, laptop: Visitor) -> None:
    factories.grown_fresh(alice_phone).client.post(page_of(laptop), {"letters": letters_of(laptop)})

    answer = laptop.client.post(WAITING)

    assert [answer.status_code, answer.headers["Location"]] == [303, LIST]
    assert laptop.client.get(LIST).status_code == 200


ENDINGS = {
    "refused": "Refused on Alice's phone.",
    "mistyped": "Other letters were typed on Alice's phone, three times. That ended the request.",
    "over": "The ten minutes are over.",
    "removed": "This device was removed on 24 November 2026, 14:02.",
    "withdrawn": "Alice's phone approved, and was removed before this browser opened the list.",
}


@pytest.mark.article("G-26")
@pytest.mark.row("T41")
@pytest.mark.parametrize("ending", ENDINGS)
def test_each_ending_has_its_sentence_and_the_ways_on(
    ending: str, alice_phone: Visitor, laptop: Visitor, clock: time_machine.Traveller
) -> None:
    phone, address, letters = factories.grown_fresh(alice_phone).client, page_of(laptop), letters_of(laptop)
    if ending == "refused":
        phone.post(address, {"answer": "refuse"})
    if ending == "mistyped":
        for _ in range(3):
            phone.post(address, {"letters": "AAAAAAAA"})
    if ending in ("removed", "withdrawn"):
        phone.post(address, {"letters": letters})
        devices.remove({"removed": laptop, "withdrawn": alice_phone}[ending].device, at=timezone.now(), by=None)
    if ending == "over":
        clock.shift(timedelta(minutes=10))

    polled, pressed = laptop.client.post(WAITING, headers=POLL), laptop.client.post(WAITING)
    page = laptop.client.get(WAITING)

    assert [polled.headers["HX-Redirect"], pressed.headers["Location"]] == [WAITING, WAITING]
    assert ENDINGS[ending] in said(page)
    assert "hx-post" not in page.content.decode()
    assert ["Use another way" in said(page), "Ask again" in said(page)] == [True, ending != "withdrawn"]
    assert slot_of(laptop).kind == SlotKind.APPROVAL


@pytest.mark.row("T41")
@pytest.mark.parametrize("fault", ["planted", "damaged"])
def test_approval_that_does_not_open_the_list_says_so_and_changes_nothing(
    fault: str, alice_phone: Visitor, laptop: Visitor
) -> None:
    factories.grown_fresh(alice_phone).client.post(page_of(laptop), {"letters": letters_of(laptop)})
    slot = slot_of(laptop)
    places = (slot.vault_id.bytes, slot.id.bytes, alice_phone.device.pk.bytes, laptop.device.pk.bytes)
    if fault == "planted":
        slot.sealed = keys.seal_key(keys.new_vault_key(), bytes(slot.public_key), *places)
        slot.save()
    else:
        VaultState.objects.update(sealed=bytes(200))
    before = crawler.rows()

    answers = [laptop.client.post(WAITING), laptop.client.post(WAITING, headers=POLL)]

    sentence = "What was sent to this browser does not open your list. Nothing was changed."
    assert [sentence in said(answer) for answer in answers] == [True, True]
    assert ["hx-post" in answer.content.decode() for answer in answers] == [False, False]
    assert crawler.changed(before, crawler.rows()) == []


def test_list_that_was_put_aside_is_waited_for_no_more(alice_phone: Visitor, laptop: Visitor) -> None:
    row = factories.vault_of(alice_phone)
    row.put_aside_at = timezone.now()
    row.save()

    answers = [laptop.client.get(WAITING), laptop.client.post(WAITING)]

    assert [answer.headers["Location"] for answer in answers] == [OPEN, OPEN]


def test_waiting_browser_whose_last_device_went_is_told(alice_phone: Visitor, laptop: Visitor) -> None:
    devices.remove(alice_phone.device, at=timezone.now(), by=None)

    page = said(laptop.client.get(WAITING))

    assert "No device opens this list now." in page


# -- The browser that has the list ------------------------------------------------------------------------------------


@pytest.mark.article("G-26")
def test_devices_show_each_request_where_the_list_is_open(
    alice_phone: Visitor, laptop: Visitor, alice_elsewhere: Visitor, bob: Visitor
) -> None:
    factories.asking(alice_phone, name="Chrome on Linux")

    page = said(alice_phone.client.get(DEVICES))
    closed = [said(visitor.client.get(DEVICES)) for visitor in (alice_elsewhere, laptop, bob)]

    sentence = "From the same network as this device, 14:02 UTC. The request ends at 14:12 UTC."
    assert [page.count(sentence), page.count("asks to open your list")] == [2, 2]
    assert ["asks to open" in other for other in closed] == [False] * 3


@pytest.mark.article("G-26")
def test_request_tells_who_when_and_from_where(
    alice_phone: Visitor, laptop: Visitor, clock: time_machine.Traveller
) -> None:
    clock.shift(timedelta(minutes=1))
    client = factories.grown_fresh(alice_phone).client

    near, far = client.get(page_of(laptop)), client.get(page_of(laptop), REMOTE_ADDR="192.0.2.99")

    page = said(near)
    assert "Firefox on Windows asks to open your list" in page
    assert re.search(r"Asked ?14:02 UTC \(1 minute ago\)", page)
    assert re.search(r"Where ?From the same network as this device Type ?Computer Ends ?14:12 UTC", page)
    assert re.search(r"Where ?From another network", said(far))
    assert letters_of(laptop) not in near.content.decode()


@pytest.mark.article("G-26")
def test_approval_is_said_with_a_way_to_take_it_back(alice_phone: Visitor, laptop: Visitor) -> None:
    client = factories.grown_fresh(alice_phone).client

    answer = client.post(page_of(laptop), {"letters": letters_of(laptop).lower()}, follow=True)
    laptop.client.post(WAITING)
    later = client.get(page_of(laptop))

    for page in (answer, later):
        assert "Firefox on Windows has your list now." in said(page)
        assert reverse("accounts:device-remove", args=[laptop.device.pk]) in page.content.decode()


@pytest.mark.article("G-26")
def test_other_letters_are_told_and_the_third_time_ends_it(alice_phone: Visitor, laptop: Visitor) -> None:
    client = factories.grown_fresh(alice_phone).client

    answers = [client.post(page_of(laptop), {"letters": "AAAA AAAA"}, follow=True) for _ in range(3)]

    sentence = "These are not the letters of this request. If you did not ask for it, refuse it."
    assert [answer.context["form"].errors["letters"] for answer in answers[:2]] == [[sentence]] * 2
    assert "Other letters were typed three times. That ended the request." in said(answers[2])


@pytest.mark.parametrize("letters", ["", "   ", "x" * 65, "\x00"])
def test_nothing_typed_is_no_wrong_entry(alice_phone: Visitor, laptop: Visitor, letters: str) -> None:
    answer = factories.grown_fresh(alice_phone).client.post(page_of(laptop), {"letters": letters})

    assert sorted(answer.context["form"].errors) == ["letters"]
    assert slot_of(laptop).wrong == 0


@pytest.mark.article("G-26")
def test_refusal_says_what_to_do_if_it_was_a_stranger(alice_phone: Visitor, laptop: Visitor) -> None:
    client = factories.grown_fresh(alice_phone).client

    answer = client.post(page_of(laptop), {"answer": "refuse"}, follow=True)
    late = client.post(page_of(laptop), {"letters": letters_in_the_row(laptop)}, follow=True)

    assert "Refused. If this was not you, change your password." in said(answer)
    assert "Refused. If this was not you" in said(late)
    assert slot_of(laptop).sealed is None


def letters_in_the_row(visitor: Visitor) -> str:
    """What would have been right, after the page no longer shows it."""
    asked = approvals.Asked(slot_of(visitor), visitor.device, visitor.cookie)
    return approvals.letters(asked)


@pytest.mark.article("G-26")
def test_request_whose_time_is_over_says_so(
    alice_phone: Visitor, laptop: Visitor, clock: time_machine.Traveller
) -> None:
    letters = letters_of(laptop)
    clock.shift(timedelta(minutes=10))
    client = factories.grown_fresh(alice_phone).client

    answer = client.post(page_of(laptop), {"letters": letters}, follow=True)

    assert "The ten minutes are over. Ask again in the new browser." in said(answer)
    assert slot_of(laptop).sealed is None


def test_request_of_a_device_that_was_removed_says_so(alice_phone: Visitor, laptop: Visitor) -> None:
    devices.remove(laptop.device, at=timezone.now(), by=None)

    page = factories.grown_fresh(alice_phone).client.get(page_of(laptop))

    assert "A device that took part was removed. That ended the request." in said(page)


def test_request_asks_for_a_fresh_sign_in_before_it_is_shown(alice_stale: Visitor) -> None:
    laptop = factories.asking(alice_stale)
    letters = letters_of(laptop)

    shown = alice_stale.client.get(page_of(laptop))
    posted = alice_stale.client.post(page_of(laptop), {"letters": letters})

    assert shown.headers["Location"].startswith("/sign-in/")
    assert [posted.status_code, posted.headers["Location"]] == [303, page_of(laptop)]
    assert slot_of(laptop).sealed is None


def test_device_whose_approval_was_not_fetched_is_removed_without_an_undo(
    alice_phone: Visitor, laptop: Visitor
) -> None:
    client = factories.grown_fresh(alice_phone).client
    client.post(page_of(laptop), {"letters": letters_of(laptop)})
    before = said(client.get(DEVICES))

    client.post(reverse("accounts:device-remove", args=[laptop.device.pk]))
    client.post(reverse("accounts:device-undo", args=[laptop.device.pk]))

    assert ["Firefox on Windows" in before, "Firefox on Windows" in said(client.get(DEVICES))] == [True, False]
    assert laptop.client.post(WAITING).headers["Location"] == WAITING
    assert Client().get(WAITING).status_code == 302


@pytest.mark.parametrize(("typed", "sentence"), [("B", "This is 1 letter"), ("KXRM TQB", "These are 7 letters")])
def test_slip_of_the_finger_is_no_wrong_entry(alice_phone: Visitor, laptop: Visitor, typed: str, sentence: str) -> None:
    client = factories.grown_fresh(alice_phone).client

    answers = [client.post(page_of(laptop), {"letters": typed}) for _ in range(4)]

    assert f"{sentence}; there are eight. This cost no try." in said(answers[-1])
    assert KeySlot.objects.get(kind=SlotKind.APPROVAL).wrong == 0
