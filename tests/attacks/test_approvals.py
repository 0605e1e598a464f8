"""Approval attacked: another's request, half of what it takes, what was sent once sent again, letters guessed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import arrivals
from accounts.models import Device, KeySlot, SlotKind
from accounts.services import approvals, devices
from tests import factories
from tests.attacks import crawler
from tests.factories import Visitor, create_entry

LIST, OPEN = reverse("accounts:list"), reverse("accounts:open")
ASK, WAITING = reverse("accounts:open-approve"), reverse("accounts:open-waiting")

pytestmark = pytest.mark.row("T41")


@pytest.fixture
def laptop(alice_phone: Visitor) -> Visitor:
    """A browser of alice's that asks for her list; an account is in it."""
    create_entry(on=alice_phone, name="of alice")
    return factories.asking(alice_phone)


def letters_of(visitor: Visitor) -> str:
    """What it shows."""
    return approvals.letters(approvals.Asked(slot_of(visitor), visitor.device, visitor.cookie))


def slot_of(visitor: Visitor) -> KeySlot:
    """Its request."""
    return KeySlot.objects.select_related("device", "vault").get(device=visitor.device)


def page_of(visitor: Visitor) -> str:
    """Where it is answered."""
    return reverse("accounts:request", args=[slot_of(visitor).pk])


def approved(by: Visitor, visitor: Visitor) -> Visitor:
    """Let in, but not there yet."""
    approvals.approve(by.vault, slot_of(visitor).pk, letters_of(visitor), at=timezone.now())
    return visitor


def with_cookies(session_of: Visitor | None, key_of: Visitor | None, *, named_for: Visitor | None = None) -> Client:
    """A browser with one's session and another's key, the key under its owner's name or another's."""
    client = Client()
    if session_of is not None:
        name = settings.SESSION_COOKIE_NAME
        client.cookies[name] = session_of.client.cookies[name].value
    if key_of is not None:
        client.cookies[arrivals.cookie_name((named_for or key_of).user.pk)] = key_of.cookie.to_text()
    return client


def test_strangers_request_is_not_there(alice_phone: Visitor, laptop: Visitor, bob: Visitor) -> None:
    """As one that never was; by his own browser with the right letters too."""
    bob.client.get(LIST)
    nowhere = reverse("accounts:request", args=["00000000-0000-0000-0000-000000000000"])
    data = [{"letters": letters_of(laptop)}, {"answer": "refuse"}]
    before = crawler.rows()

    foreign = [bob.client.get(page_of(laptop)), *(bob.client.post(page_of(laptop), each) for each in data)]
    missing = [bob.client.get(nowhere), *(bob.client.post(nowhere, each) for each in data)]

    assert [answer.status_code for answer in foreign + missing] == [404] * 6
    assert [b"Laptop" in answer.content for answer in foreign] == [False] * 3
    assert crawler.changed(before, crawler.rows()) == []


def test_keys_of_other_kinds_and_other_lists_are_no_requests(alice_phone: Visitor, bob: Visitor) -> None:
    theirs = KeySlot.objects.get(device=bob.device)

    answer = alice_phone.client.get(reverse("accounts:request", args=[theirs.pk]))

    assert answer.status_code == 404


def test_browser_that_asks_can_answer_nobody(alice_phone: Visitor, laptop: Visitor, alice_elsewhere: Visitor) -> None:
    """Neither itself nor another: who has no key to the list is led to the doors."""
    other = factories.asking(alice_phone, name="Tablet")
    letters = letters_of(laptop)

    answers = [
        visitor.client.post(page_of(laptop), data)
        for visitor in (laptop, other, alice_elsewhere)
        for data in ({"letters": letters}, {"answer": "refuse"})
    ]

    assert [answer.headers["Location"] for answer in answers] == [OPEN] * 6
    assert [slot_of(laptop).sealed, slot_of(laptop).refused_at] == [None, None]


def test_approval_is_fetched_with_session_and_cookie_of_one_person_alone(
    alice_phone: Visitor, laptop: Visitor, bob: Visitor
) -> None:
    approved(alice_phone, laptop)
    before = KeySlot.objects.get(pk=slot_of(laptop).pk).sealed
    halves = {
        "session alone": with_cookies(laptop, None),
        "cookie alone": with_cookies(None, laptop),
        "his session, her cookie": with_cookies(bob, laptop),
        "his session, her cookie by his name": with_cookies(bob, laptop, named_for=bob),
        "her session, his cookie by her name": with_cookies(laptop, bob, named_for=laptop),
    }

    leads = {}
    for name, client in halves.items():
        for method in ("get", "post"):
            answer: HttpResponse = getattr(client, method)(WAITING)
            leads[name] = leads.get(name, ()) + (answer.headers["Location"].partition("?")[0],)
            assert b"of alice" not in client.get(LIST).content

    sign_in = reverse("account_login")
    assert leads == {
        "session alone": (OPEN, OPEN),
        "cookie alone": (sign_in, sign_in),
        "his session, her cookie": (OPEN, OPEN),
        "his session, her cookie by his name": (OPEN, OPEN),
        "her session, his cookie by her name": (OPEN, OPEN),
    }
    assert KeySlot.objects.get(pk=slot_of(laptop).pk).sealed == before
    assert with_cookies(laptop, laptop).post(WAITING).headers["Location"] == LIST  # The control.


def test_cookie_of_the_asking_device_with_another_key_fetches_nothing(alice_phone: Visitor, laptop: Visitor) -> None:
    approved(alice_phone, laptop)
    forged = laptop.cookie.to_text()[:-3] + ("AAA" if laptop.cookie.to_text()[-3:] != "AAA" else "BBA")
    client = with_cookies(laptop, None)
    client.cookies[arrivals.cookie_name(laptop.user.pk)] = forged

    assert client.post(WAITING).headers["Location"] == OPEN
    assert slot_of(laptop).kind == SlotKind.APPROVAL


def test_what_was_sent_once_does_nothing_when_it_is_sent_again(alice_phone: Visitor, laptop: Visitor) -> None:
    """The approval, its fetching, and the asking: from a record of what went by."""
    phone, letters = factories.grown_fresh(alice_phone).client, letters_of(laptop)
    phone.post(page_of(laptop), {"letters": letters})
    laptop.client.post(WAITING)
    laptop.client.get(LIST)
    phone.get(LIST)
    before = crawler.rows()

    phone.post(page_of(laptop), {"letters": letters})
    phone.post(page_of(laptop), {"answer": "refuse"})
    laptop.client.post(WAITING)
    laptop.client.post(ASK, {"device_id": str(laptop.device.pk)})

    assert crawler.changed(before, crawler.rows()) == []
    assert laptop.client.get(LIST).status_code == 200


def test_sealed_key_put_back_after_it_was_used_opens_nothing_more(alice_phone: Visitor, laptop: Visitor) -> None:
    """Whoever writes the database keeps an approval and plants it into a later request of the same browser's owner."""
    approved(alice_phone, laptop)
    kept = slot_of(laptop).sealed
    second = factories.asking(alice_phone, name="Second")
    KeySlot.objects.filter(pk=slot_of(second).pk).update(sealed=kept, by_device=alice_phone.device)

    answer = second.client.post(WAITING)

    assert answer.status_code == 200
    assert slot_of(second).kind == SlotKind.APPROVAL
    assert second.client.get(LIST).headers["Location"] == OPEN


def test_request_given_the_kind_of_a_browser_opens_nothing(alice_phone: Visitor, laptop: Visitor) -> None:
    """A slot planted by who writes the database but has no key: 48 bytes of another device's, or any."""
    right = KeySlot.objects.get(device=alice_phone.device)
    for wrapped in (bytes(right.wrapped), bytes(48)):
        KeySlot.objects.filter(pk=slot_of(laptop).pk).update(
            kind=SlotKind.BROWSER, wrapped=wrapped, public_key=None, expires_at=None
        )

        assert laptop.client.get(LIST).headers["Location"] == OPEN


def test_device_id_of_one_who_joined_is_not_taken_by_a_session_without_a_key(
    alice_phone: Visitor, laptop: Visitor, alice_elsewhere: Visitor
) -> None:
    """The id stands in addresses under Devices: asking with it must not shred the newcomer's key."""
    approved(alice_phone, laptop)
    laptop.client.post(WAITING)

    alice_elsewhere.client.post(ASK, {"device_id": str(laptop.device.pk)}, headers={"User-Agent": "X11; Firefox/1"})

    assert laptop.client.get(LIST).status_code == 200


def test_removed_browser_lets_nobody_in(alice_phone: Visitor, laptop: Visitor) -> None:
    phone, letters = factories.grown_fresh(alice_phone).client, letters_of(laptop)
    devices.remove(alice_phone.device, at=timezone.now(), by=None)

    answer = phone.post(page_of(laptop), {"letters": letters})

    assert answer.headers["Location"] == OPEN
    assert slot_of(laptop).sealed is None


def test_guesses_from_many_tabs_are_three_in_all(alice_phone: Visitor, laptop: Visitor) -> None:
    phone = factories.grown_fresh(alice_phone).client

    for _ in range(6):
        phone.post(page_of(laptop), {"letters": "AAAAAAAA"})
    phone.post(page_of(laptop), {"letters": letters_of(laptop)})

    assert [slot_of(laptop).wrong, slot_of(laptop).sealed] == [3, None]


def test_letters_stand_in_the_asking_browser_alone(alice_phone: Visitor, laptop: Visitor) -> None:
    """On no page of who has the list, nor of another browser of the same person."""
    letters = letters_of(laptop)
    values = {**crawler.furnish(alice_phone), "request_id": slot_of(laptop).pk}
    elsewhere = factories.at_another_browser(alice_phone)
    shown = [letters, f"{letters[:4]} {letters[4:]}", f"<span>{letters[:4]}</span><span>{letters[4:]}</span>"]

    found = [
        page.name
        for visitor in (alice_phone, elsewhere)
        for page in crawler.pages()
        if page.name not in ("account_logout", "admin:logout")
        and any(form.encode() in crawler.body(visitor.client.get(page.address(values))) for form in shown)
    ]

    assert found == []
    assert shown[2].encode() in laptop.client.get(WAITING).content  # The control.


def test_time_runs_out_for_what_was_approved_too(alice_phone: Visitor) -> None:
    late = factories.asking(alice_phone, at=timezone.now() - timedelta(minutes=9, seconds=59))
    approved(alice_phone, late)
    KeySlot.objects.filter(pk=slot_of(late).pk).update(expires_at=timezone.now())

    late.client.post(WAITING)

    assert late.client.get(LIST).headers["Location"] == OPEN
    assert Device.objects.enrolled().filter(slots__kind=SlotKind.BROWSER).count() == 1
