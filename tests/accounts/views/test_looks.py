"""A look: nothing new is answered without opening the list; what other browsers did or ask is shown once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.models import Device, KeySlot, VaultState
from accounts.services import activity, deletion
from accounts.services.activity import Tag
from accounts.vault.entry import Type
from tests import factories
from tests.factories import Visitor, create_entry

pytestmark = pytest.mark.django_db

LIST, LOOK, SEEN = reverse("accounts:list"), reverse("accounts:look"), reverse("accounts:notices-seen")
Count = Callable[[Callable[[], object]], int]


@pytest.fixture
def alice_laptop(alice_phone: Visitor) -> Visitor:
    """Alice at her laptop, where the same list is open."""
    return factories.with_another_device(alice_phone, name="Alice's laptop", type="computer")


def page(visitor: Visitor) -> str:
    """The list in this browser."""
    return visitor.client.get(LIST).content.decode()


def shown(html: str) -> dict[str, str]:
    """What the script reads off a page and asks with."""
    version, news = re.search(r'data-version="(\d+)"', html), re.search(r'data-news="([^"]*)"', html)
    assert version is not None
    assert news is not None
    return {"v": version[1], "n": news[1], "open": ""}


def look(visitor: Visitor, html: str, **changed: str) -> HttpResponse:
    """The look of a page."""
    return visitor.client.get(LOOK, shown(html) | changed)


def told(visitor: Visitor) -> list[str]:
    """The sentences of the notices over this list."""
    return re.findall(r"<strong data-told>([^<]*)</strong>", page(visitor))


# -- Nothing new ------------------------------------------------------------------------------------------------------


def test_nothing_new_is_answered_by_one_query_and_without_the_list(alice_phone: Visitor, queries: Count) -> None:
    create_entry(on=alice_phone)
    html = page(alice_phone)
    state = VaultState.objects.get(version=alice_phone.vault.row.version)
    VaultState.objects.filter(pk=state.pk).update(
        sealed=bytes(state.sealed)[:-1] + bytes([bytes(state.sealed)[-1] ^ 1])
    )

    answers: list[HttpResponse] = []
    asked = queries(lambda: answers.append(look(alice_phone, html)))

    assert [asked, answers[0].status_code, answers[0].content] == [1, 204, b""]
    assert look(alice_phone, html, v="0").headers["Location"] == LIST  # The control: it would not have opened.


def test_look_asks_whether_there_is_a_list(alice_phone: Visitor) -> None:
    """The sealed list stays in the database; only that there is one is asked."""
    create_entry(on=alice_phone)
    html = page(alice_phone)
    assert look(alice_phone, html).status_code == 204

    VaultState.objects.all().delete()

    assert look(alice_phone, html).headers["Location"] == reverse("accounts:open")


@pytest.mark.parametrize("leaving", [False, True])
@pytest.mark.parametrize("accounts", [0, 1])
@pytest.mark.parametrize("two_doors", [False, True])
def test_page_just_loaded_has_nothing_new(
    alice_phone: Visitor, request: pytest.FixtureRequest, *, leaving: bool, accounts: int, two_doors: bool
) -> None:
    for number in range(accounts):
        create_entry(on=alice_phone, name=str(number))
    if two_doors:
        request.getfixturevalue("alice_laptop")
    if leaving:
        deletion.ask(alice_phone.user, at=timezone.now(), device=alice_phone.device)

    first, second = look(alice_phone, page(alice_phone)), look(alice_phone, page(alice_phone))

    assert [first.status_code, second.status_code] == [204, 204]


def test_look_is_refused_where_the_list_is_closed(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    create_entry(on=alice_phone)
    shown_there = shown(page(alice_phone))
    removed = factories.removed(alice_phone)

    answers = [visitor.client.get(LOOK, shown_there) for visitor in (removed, alice_elsewhere, alice_phone)]

    assert [answer.status_code for answer in answers] == [302, 302, 302]
    assert [answer.headers["Location"].split("?")[0] for answer in answers] == [
        reverse("accounts:open"),
        reverse("accounts:open"),
        reverse("account_login"),
    ]


@pytest.mark.parametrize(
    "asked", [{}, {"v": "x", "n": "x"}, {"v": "9" * 400}, {"n": "\x00."}, {"v": "1", "open": "<b>"}]
)
def test_whatever_a_page_says_of_itself_the_answer_is_the_list_or_the_way_to_it(
    alice_phone: Visitor, asked: dict[str, str]
) -> None:
    create_entry(on=alice_phone, issuer="Site")

    answer = alice_phone.client.get(LOOK, asked)
    framed = alice_phone.client.get(LOOK, asked | {"n": "one"})

    assert [answer.status_code, answer.headers.get("Location")] == [302, LIST]
    assert [framed.status_code, framed.content.count(b"Site")] == [200, 2]
    assert b"<b>" not in framed.content.replace(b"<bdi", b"")


# -- Another browser's changes ----------------------------------------------------------------------------------------


def test_change_of_another_browser_brings_the_rows(alice_phone: Visitor, alice_laptop: Visitor) -> None:
    entry = create_entry(on=alice_phone, issuer="Old name", name="a")
    create_entry(on=alice_phone, issuer="Gone", name="b")
    html = page(alice_laptop)
    gone = alice_phone.entries[1].id

    alice_phone.client.post(reverse("accounts:edit", args=[entry.id]), {"issuer": "New name", "name": "a", "note": ""})
    alice_phone.client.post(reverse("accounts:to-trash", args=[gone]))
    answer = look(alice_laptop, html)

    rows = answer.content.decode()
    assert answer.status_code == 200
    assert re.findall(r'class="issuer">([^<]*)<', rows) == ["New name"]
    assert shown(rows)["v"] == str(alice_phone.vault.row.version)
    assert look(alice_laptop, rows).status_code == 204
    assert "<html" not in rows


def test_account_beside_the_list_stays_marked(alice_phone: Visitor, alice_laptop: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="a")
    html = alice_laptop.client.get(reverse("accounts:account", args=[entry.id])).content.decode()
    create_entry(on=alice_phone, name="b")

    rows = look(alice_laptop, html, open=entry.id).content.decode()

    assert [rows.count("row-open"), rows.count('aria-current="true"')] == [1, 1]


def test_emptied_list_and_first_account_load_another_page(alice_phone: Visitor, alice_laptop: Visitor) -> None:
    empty = page(alice_laptop)
    entry = create_entry(on=alice_phone)
    first = look(alice_laptop, empty)
    full = page(alice_laptop)

    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))

    assert [first.status_code, b"data-rows" in first.content] == [200, True]
    assert look(alice_laptop, full).headers["Location"] == LIST


def test_what_stands_around_the_rows_loads_the_page_anew(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    alone = page(alice_phone)

    factories.with_another_device(alice_phone, name="Laptop", type="computer")
    beside = page(alice_phone)
    deletion.ask(alice_phone.user, at=timezone.now(), device=None)

    assert [look(alice_phone, html).headers["Location"] for html in (alone, beside)] == [LIST, LIST]
    assert [html.count("One way in") for html in (alone, beside)] == [2, 0]


# -- Accounts that went meanwhile -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "page_name"),
    [("get", "account"), ("get", "edit"), ("post", "edit"), ("post", "pin"), ("post", "next-code")],
)
def test_account_that_went_to_trash_meanwhile_is_told_of(alice_phone: Visitor, method: str, page_name: str) -> None:
    entry = create_entry(on=alice_phone, type=Type.HOTP)
    create_entry(on=alice_phone, name="stays")
    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))
    page(alice_phone)  # "Moved to Trash." was said there.
    version = alice_phone.vault.row.version

    answer = getattr(alice_phone.client, method)(reverse(f"accounts:{page_name}", args=[entry.id]), {"pinned": "1"})

    assert answer.headers["Location"] == LIST
    assert "This account is in Trash now." in page(alice_phone)
    assert alice_phone.vault.row.version == version


def test_account_deleted_for_good_is_not_there(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)
    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))
    alice_phone.client.post(reverse("accounts:delete", args=[entry.id]))

    assert alice_phone.client.get(reverse("accounts:account", args=[entry.id])).status_code == 404


# -- Requests ---------------------------------------------------------------------------------------------------------


def test_browser_that_asks_is_shown_on_the_list_and_at_the_next_look(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    html = page(alice_phone)

    asked = factories.asking(alice_phone)
    at_look, loaded = look(alice_phone, html), page(alice_phone)

    way = reverse("accounts:request", args=[KeySlot.objects.get(device=asked.device).pk])
    assert [at_look.content.decode().count(way), loaded.count(way), html.count("/devices/requests/")] == [1, 1, 0]
    assert look(alice_phone, at_look.content.decode()).status_code == 204
    assert look(alice_phone, loaded).status_code == 204


def test_request_goes_from_the_page_when_it_is_over(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    factories.asking(alice_phone)
    html = page(alice_phone)

    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        answer = look(alice_phone, html)

    assert [answer.status_code, b"/devices/requests/" in answer.content] == [200, False]


def test_request_is_shown_over_an_empty_list(alice_phone: Visitor) -> None:
    html = page(alice_phone)

    factories.asking(alice_phone)
    answer = look(alice_phone, html)

    assert [answer.status_code, answer.content.count(b"/devices/requests/")] == [200, 1]
    assert b"data-rows" not in answer.content
    assert page(alice_phone).count("/devices/requests/") == 1


def test_request_of_another_person_is_never_shown(alice_phone: Visitor, bob: Visitor) -> None:
    create_entry(on=bob)
    html = page(bob)

    factories.asking(alice_phone)

    assert look(bob, html).status_code == 204
    assert "/devices/requests/" not in page(bob)


# -- Notices ----------------------------------------------------------------------------------------------------------


def test_what_another_device_did_is_told_until_ok(alice_phone: Visitor, alice_laptop: Visitor, queries: Count) -> None:
    create_entry(on=alice_phone)
    html = page(alice_phone)
    assert alice_laptop.device is not None

    activity.record(Tag.WORDS_MADE, user=alice_laptop.user, device=alice_laptop.device, at=timezone.now())
    at_look = look(alice_phone, html).content.decode()
    before, there = told(alice_phone), told(alice_laptop)
    until = re.search(r'name="until" value="(\d+)"', at_look)
    assert until is not None
    answer = alice_phone.client.post(SEEN, {"until": until[1]})

    assert at_look.count("Words that open your list were made.") == 1
    assert [before, there] == [["Words that open your list were made."], []]
    assert [answer.status_code, answer.headers["Location"], told(alice_phone)] == [303, LIST, []]
    assert [queries(lambda v=v: v.client.get(LIST)) for v in (alice_phone, alice_laptop)] == [1, 1]  # type: ignore[misc]


def test_ok_by_script_is_answered_with_what_is_left(alice_phone: Visitor, alice_laptop: Visitor) -> None:
    create_entry(on=alice_phone)
    event = activity.record(Tag.WORDS_MADE, user=alice_phone.user, device=alice_laptop.device, at=timezone.now())
    factories.asking(alice_phone)

    answer = alice_phone.client.post(SEEN, {"until": event.pk}, headers={"HX-Request": "true"})

    html = answer.content.decode()
    assert [html.count("data-told"), html.count("/devices/requests/"), html.count("data-version")] == [0, 1, 0]
    assert look(alice_phone, page(alice_phone), n=re.findall(r'data-news="([^"]*)"', html)[0]).status_code == 204


def test_ok_leaves_what_came_after_the_page_was_loaded(alice_phone: Visitor, alice_laptop: Visitor) -> None:
    create_entry(on=alice_phone)
    at = timezone.now()
    first = activity.record(Tag.WORDS_MADE, user=alice_phone.user, device=alice_laptop.device, at=at)
    later = at + timedelta(seconds=1)
    activity.record(Tag.WORDS_REMOVED, user=alice_phone.user, device=alice_laptop.device, at=later)

    alice_phone.client.post(SEEN, {"until": first.pk})

    assert told(alice_phone) == ["The words that opened your list were removed."]


def test_many_acts_push_none_out_before_it_was_told(alice_phone: Visitor) -> None:
    """Who breaks in cannot hide the first line behind later ones: five at a time are told, the oldest first."""
    create_entry(on=alice_phone)
    at = timezone.now()
    for number in range(7):
        name = f"Browser {number}"
        laptop = factories.with_another_device(alice_phone, name=name, type="computer")
        activity.record(
            Tag.DEVICE_OPENED_BY_WORDS, user=alice_phone.user, device=laptop.device, at=at + timedelta(seconds=number)
        )

    pages = []
    while sentences := told(alice_phone):
        pages.append([sentence.rpartition(" ")[2] for sentence in sentences])
        until = re.search(r'name="until" value="(\d+)"', page(alice_phone))
        assert until is not None
        alice_phone.client.post(SEEN, {"until": until[1]})

    assert pages == [["4.", "3.", "2.", "1.", "0."], ["6.", "5."]]


def test_own_act_hides_nothing_that_another_device_did(alice_phone: Visitor, alice_laptop: Visitor) -> None:
    create_entry(on=alice_phone)
    at = timezone.now()
    activity.record(Tag.WORDS_MADE, user=alice_phone.user, device=alice_laptop.device, at=at)
    later = at + timedelta(seconds=1)
    activity.record(Tag.WORDS_REMOVED, user=alice_phone.user, device=alice_phone.device, at=later)

    assert told(alice_phone) == ["Words that open your list were made."]
    assert told(alice_laptop) == ["The words that opened your list were removed."]


def test_what_is_older_than_the_device_or_than_30_days_is_not_told(alice_phone: Visitor, queries: Count) -> None:
    create_entry(on=alice_phone)
    now = timezone.now()
    Device.objects.update(made_at=now - timedelta(days=60))
    laptop = factories.with_another_device(alice_phone, name="Laptop", type="computer")
    both = (alice_phone, laptop)

    found = []
    for days in (31, 29):
        activity.record(Tag.WORDS_MADE, user=alice_phone.user, at=now - timedelta(days=days))
        found.append([told(visitor) for visitor in both])
        found.append([queries(lambda visitor=visitor: visitor.client.get(LIST)) for visitor in both])  # type: ignore[misc]

    assert found == [[[], []], [1, 1], [["Words that open your list were made."], []], [2, 1]]


def test_notices_of_another_person_are_neither_told_nor_answered(alice_phone: Visitor, bob: Visitor) -> None:
    create_entry(on=bob)
    create_entry(on=alice_phone)
    event = activity.record(Tag.WORDS_MADE, user=alice_phone.user, at=timezone.now())

    bob.client.post(SEEN, {"until": event.pk})

    assert [told(bob), told(alice_phone)] == [[], ["Words that open your list were made."]]
    assert list(Device.objects.filter(user=bob.user).values_list("notices_seen_at", flat=True)) == [None]


@pytest.mark.parametrize("until", ["", "-1", "x", "9" * 18, "9" * 400, "٣", "1; DROP"])
def test_ok_to_what_was_never_told_changes_nothing(alice_phone: Visitor, until: str) -> None:
    create_entry(on=alice_phone)
    activity.record(Tag.WORDS_MADE, user=alice_phone.user, at=timezone.now())

    answer = alice_phone.client.post(SEEN, {"until": until})

    assert answer.status_code == 303
    assert Device.objects.exclude(notices_seen_at=None).count() == 0
    assert len(told(alice_phone)) == 1


def test_list_with_news_is_the_templates_own(alice_phone: Visitor) -> None:
    """Everything but the news is what a page without them shows."""
    create_entry(on=alice_phone, name="a")
    changing = r'data-(now|news)="[^"]*"|value="\w{64}"|<section class="request">.*?</section>|\s'
    with time_machine.travel(timezone.now(), tick=False):
        calm = page(alice_phone)

        factories.asking(alice_phone)
        busy = page(alice_phone)

    assert busy.count('class="request"') == 1
    assert re.sub(changing, "", busy, flags=re.DOTALL) == re.sub(changing, "", calm, flags=re.DOTALL)


def test_name_of_a_browser_is_escaped_over_the_list(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)
    facts = {"name": "<img src=x>"}
    activity.record(Tag.PASSKEY_ADDED, user=alice_phone.user, at=timezone.now(), facts=facts)

    assert "<img" not in page(alice_phone)
    assert told(alice_phone) == ["A passkey that opens your list was added: &lt;img src=x&gt;."]
