"""Pages of the six words: typed in a new browser, made, printed and typed back in one that has the list."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.models import Attempt, Device, DeviceType, Draft, KeySlot, SlotKind
from accounts.services import devices, words
from accounts.services.devices import NewDevice
from accounts.vault.keys import Costs
from tests import factories, stored
from tests.factories import Visitor

OPEN, NEW, OWN, KEYS = (reverse(f"accounts:{name}") for name in ("open-words", "words-new", "words-own", "keys"))
LIST = reverse("accounts:list")
SIX = "granite ladle marigold hexagon kettle lantern"
OTHERS = "abacus zoology kettle ladle granite lantern"
MINE = "Die Katze schläft im Ofen"
CHEAP = Costs(8 * 1024, 1, 1)
FIREFOX = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"}


@pytest.fixture
def elsewhere(alice_phone: Visitor) -> Visitor:
    """Alice at another browser, her list openable by SIX."""
    words.make(alice_phone.vault, SIX, at=timezone.now(), costs=CHEAP)
    return factories.at_another_browser(alice_phone)


def said(answer: HttpResponse) -> str:
    """The text of a page, tags and line breaks left out."""
    return " ".join(html.unescape(strip_tags(answer.content.decode())).split())


def send(visitor: Visitor, typed: str, *, query: str = "", **more: str) -> HttpResponse:
    """The form of the door, opened and sent."""
    page = visitor.client.get(f"{OPEN}{query}", headers=FIREFOX)
    data = {"device_id": page.context["form"]["device_id"].value(), "words": typed, **more}
    return visitor.client.post(f"{OPEN}{query}", data, headers=FIREFOX)


# -- In a new browser -------------------------------------------------------------------------------------------------


@pytest.mark.article("G-26")
def test_right_words_lead_to_the_list(elsewhere: Visitor) -> None:
    answer = send(elsewhere, " Granite-ladle MARIGOLD hexagonkettle lantern")

    assert [answer.status_code, answer.headers["Location"]] == [303, LIST]
    assert elsewhere.client.get(LIST).status_code == 200
    assert [(made.name, made.type) for made in Device.objects.exclude(name="Alice's phone")] == [
        ("Firefox on Windows", DeviceType.COMPUTER)
    ]


def test_door_stands_on_the_page_of_doors_only_where_there_are_words(elsewhere: Visitor, bob: Visitor) -> None:
    his = factories.at_another_browser(bob).client

    with_words, without = (client.get(reverse("accounts:open")).content.decode() for client in (elsewhere.client, his))

    assert [f'href="{OPEN}?list=' in page for page in (with_words, without)] == [True, False]
    assert his.get(OPEN, headers=FIREFOX).headers["Location"].startswith(reverse("accounts:open"))


def test_word_that_is_none_is_named_and_its_neighbour_taken_by_a_button(elsewhere: Visitor) -> None:
    typed = "granite ladle marigld hexagon ketle lantern"

    named = send(elsewhere, typed)
    taken = send(elsewhere, typed, take="marigold")
    both = send(elsewhere, "granite ladle marigold hexagon ketle lantern", take="kettle")

    assert "Word 3: marigld is not in the word list" in said(named)
    assert "marigld: marigold? This cost no try." in said(named)
    assert '<button class="button button-second take" type="submit" name="take" value="marigold">' in (
        named.content.decode()
    )
    assert "Word 5: ketle is not in the word list" in said(taken)
    assert taken.context["form"]["words"].value() == "granite ladle marigold hexagon ketle lantern"
    assert [both.context["form"]["words"].value(), both.context["form"].errors] == [SIX, {}]
    assert [Attempt.objects.count(), Device.objects.count()] == [0, 1]


def test_more_than_may_be_typed_is_not_read_to_be_put_right(elsewhere: Visitor) -> None:
    """Reading grows with the square of the text: a megabyte would hold a worker for minutes."""
    typed = "acid " * 100 + "marigld"

    answer = send(elsewhere, typed, take="marigold")

    assert "That is too long: 500 characters are the most." in said(answer)
    assert answer.context["form"]["words"].value() == typed


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("granite", "This is 1 word; there are six. This cost no try."),
        (f"{SIX} zoom", "These are 7 words; there are six. This cost no try."),
        ("zzzzzz", "There is no word like it. This cost no try."),
        ("", "No words were typed."),
        ("- -", "No words were typed. Type all of them."),
        ("a" * 501, "That is too long: 500 characters are the most."),
        ("<b>granite</b>", "Word 1: <b>granite</b> is not in the word list"),
        ("gra\x00nite", "There is a character in it that cannot be shown. Type it anew."),
    ],
)
def test_what_costs_no_try_says_so(elsewhere: Visitor, typed: str, sentence: str) -> None:
    answer = send(elsewhere, typed)

    assert sentence in said(answer)
    assert [Attempt.objects.count(), Device.objects.count()] == [0, 1]


@pytest.mark.article("G-26", "refused")
@pytest.mark.row("T21")
def test_wrong_words_say_how_many_tries_are_left_until_when(elsewhere: Visitor) -> None:
    type(elsewhere.user).objects.update(time_zone="Europe/Berlin")
    with time_machine.travel("2026-05-04 12:02:00Z", tick=False):
        elsewhere = factories.at_another_browser(elsewhere)
        first, *_, ninth, tenth = (said(send(elsewhere, OTHERS)) for _ in range(10))
        page = said(elsewhere.client.get(OPEN, headers=FIREFOX))
    with time_machine.travel("2026-05-04 13:02:00Z", tick=False):
        elsewhere = factories.at_another_browser(elsewhere)
        eleventh = send(elsewhere, SIX)

    assert "Those are not the words of this list. 9 tries left until Tuesday at 14:02." in first
    assert "Those are not the words of this list. 1 try left until Tuesday at 14:02." in ninth
    assert "Those are not the words of this list. No try is left until Tuesday at 14:02." in tenth
    assert "No try is left until Tuesday at 14:02." in page
    assert (
        "Too many wrong words were typed. These were not tried. The next try is possible on Tuesday at 14:02"
        in said(eleventh)
    )
    with time_machine.travel("2026-05-05 12:02:01Z", tick=False):
        elsewhere = factories.at_another_browser(elsewhere)
        assert send(elsewhere, SIX).status_code == 303


def test_tries_that_are_left_stand_below_when_one_is_gone(elsewhere: Visitor) -> None:
    before = said(elsewhere.client.get(OPEN, headers=FIREFOX))
    send(elsewhere, OTHERS)

    after = said(elsewhere.client.get(OPEN, headers=FIREFOX))

    assert ["left until" in before, "9 tries left until" in after] == [False, True]


def test_own_words_open_by_their_own_form(alice_phone: Visitor) -> None:
    words.make(alice_phone.vault, MINE, at=timezone.now(), costs=CHEAP)
    elsewhere = factories.at_another_browser(alice_phone)

    as_six = send(elsewhere, MINE)
    short = send(elsewhere, "Die Katze", query="?own=1")
    opened = send(elsewhere, "diekatze SCHLÄFT im-ofen", query="?own=1")

    assert "is not in the word list" in said(as_six)
    assert f"{OPEN}?list={factories.vault_of(alice_phone).pk}&own=1" in html.unescape(as_six.content.decode())
    assert "Your own words have 12 characters or more. This cost no try." in said(short)
    assert [opened.status_code, opened.headers["Location"], Attempt.objects.count()] == [303, LIST, 0]


def test_damaged_slot_is_said_and_costs_no_try(elsewhere: Visitor) -> None:
    KeySlot.objects.filter(kind=SlotKind.WORDS).update(wrapped=bytes(48))

    damaged = send(elsewhere, SIX)
    KeySlot.objects.filter(kind=SlotKind.WORDS).update(kib=2**31 - 1)
    costly = send(elsewhere, SIX)

    assert "What these words open is damaged" in said(damaged)
    assert "This asks for 2,147,483,647 KiB of memory" in said(costly)
    assert Attempt.objects.count() == 0


def test_second_list_is_opened_by_its_own_words(elsewhere: Visitor) -> None:
    first = factories.vault_of(elsewhere)
    separate = devices.set_up(
        elsewhere.user,
        NewDevice(factories.uuid4(), "Tablet", DeviceType.IOS),
        at=timezone.now() + timedelta(minutes=1),
        separate=True,
    )

    without = elsewhere.client.get(f"{OPEN}?list={separate.vault.pk}", headers=FIREFOX)
    opened = send(elsewhere, SIX, query=f"?list={first.pk}")

    assert without.headers["Location"] == f"{reverse('accounts:open')}?list={separate.vault.pk}"
    assert [opened.status_code, KeySlot.objects.filter(vault=first, kind=SlotKind.BROWSER).count()] == [303, 2]


@pytest.mark.row("T41")
def test_list_of_another_person_in_the_address_is_as_none(elsewhere: Visitor, bob: Visitor) -> None:
    his = factories.at_another_browser(bob)
    hers = factories.vault_of(elsewhere).pk

    answers = [his.client.get(f"{OPEN}?list={hers}", headers=FIREFOX) for _ in range(1)]
    answers.append(
        his.client.post(f"{OPEN}?list={hers}", {"device_id": factories.uuid4(), "words": SIX}, headers=FIREFOX)
    )

    assert {answer.headers["Location"] for answer in answers} == {
        f"{reverse('accounts:open')}?list={factories.vault_of(bob).pk}"
    }
    assert [Attempt.objects.count(), Device.objects.count()] == [0, 2]


def test_browser_that_says_nothing_of_itself_is_asked_first(elsewhere: Visitor) -> None:
    answer = elsewhere.client.get(OPEN, headers={"User-Agent": ""})

    assert answer.headers["Location"].startswith(reverse("accounts:open-name"))


def test_browser_with_the_list_and_person_without_one_are_led_on(alice_phone: Visitor) -> None:
    carol = factories.visitor("carol@example.org")

    assert alice_phone.client.get(OPEN).headers["Location"] == LIST
    assert carol.client.get(OPEN).headers["Location"] == reverse("accounts:start")


def test_words_removed_meanwhile_lead_back_to_the_doors(elsewhere: Visitor) -> None:
    page = elsewhere.client.get(OPEN, headers=FIREFOX)
    KeySlot.objects.filter(kind=SlotKind.WORDS).delete()

    data = {"device_id": page.context["form"]["device_id"].value(), "words": SIX}
    answer = elsewhere.client.post(OPEN, data, headers=FIREFOX)

    assert answer.headers["Location"].startswith(reverse("accounts:open"))


@pytest.mark.parametrize("device_id", ["", "not an id"])
def test_form_without_its_device_is_shown_again(elsewhere: Visitor, device_id: str) -> None:
    answer = elsewhere.client.post(OPEN, {"device_id": device_id, "words": SIX}, headers=FIREFOX)

    assert [answer.status_code, Device.objects.count()] == [200, 1]


# -- Made -------------------------------------------------------------------------------------------------------------


def drawn(visitor: Visitor) -> tuple[str, words.Drawn]:
    """Press the button; the address of the six, and the six."""
    address = visitor.client.post(NEW).headers["Location"]
    draft = Draft.objects.latest("expires_at")
    return address, words.look(visitor.vault, draft.pk, at=timezone.now())


def shown_on(page: HttpResponse) -> list[str]:
    """The words on a page: those of the screen, then those of the sheet."""
    return re.findall(r'translate="no">([a-z-]+)<', page.content.decode())


def typed_back(six: words.Drawn) -> dict[str, str]:
    """What the form asks for."""
    return dict(zip(("one", "other"), (six.words[place - 1] for place in six.asked), strict=True))


@pytest.mark.article("G-27")
def test_six_words_are_shown_once_and_two_are_typed_back(alice_phone: Visitor) -> None:
    looked = alice_phone.client.get(NEW)
    before = Draft.objects.count()
    address, six = drawn(alice_phone)
    shown = alice_phone.client.get(address)

    wrong = alice_phone.client.post(address, {"one": "nothing", "other": typed_back(six)["other"]})
    right = alice_phone.client.post(address, {name: f" {word.upper()} " for name, word in typed_back(six).items()})
    again = alice_phone.client.get(address)

    one, other = six.asked
    assert [looked.status_code, before] == [200, 0]
    assert [(f"Word {one}" in said(shown)), (f"Word {other}" in said(shown))] == [True, True]
    assert f"Word {one}: This is not word {one}. It stands above." in said(wrong)
    assert [shown_on(page) for page in (shown, wrong)] == [[*six.words, *six.words]] * 2
    assert [right.status_code, right.headers["Location"]] == [303, KEYS]
    assert [again.status_code, again.headers["Location"]] == [302, KEYS]
    assert "Made. Your words open your list from now on." in said(alice_phone.client.get(KEYS))
    assert send(factories.at_another_browser(alice_phone), " ".join(six.words)).headers["Location"] == LIST


def test_second_click_on_finish_is_led_on(alice_phone: Visitor) -> None:
    address, six = drawn(alice_phone)

    answers = [alice_phone.client.post(address, typed_back(six)) for _ in range(2)]

    assert [answer.headers["Location"] for answer in answers] == [KEYS, KEYS]
    assert KeySlot.objects.filter(kind=SlotKind.WORDS).count() == 1


def test_words_not_typed_back_in_time_are_gone_and_one_button_begins_anew(alice_phone: Visitor) -> None:
    address, six = drawn(alice_phone)
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        factories.grown_fresh(alice_phone)
        answers = [alice_phone.client.get(address), alice_phone.client.post(address, typed_back(six))]
        anew = alice_phone.client.post(NEW)

    assert [answer.status_code for answer in answers] == [404, 404]
    assert f'method="post" action="{NEW}"' in answers[0].content.decode()
    assert [shown_on(answer) for answer in answers] == [[], []]
    assert [anew.status_code, KeySlot.objects.filter(kind=SlotKind.WORDS).count()] == [303, 0]


def test_fifteen_more_minutes_keep_the_same_words(alice_phone: Visitor) -> None:
    address, six = drawn(alice_phone)

    renewed = alice_phone.client.post(address, {"renew": "1"}).headers["Location"]

    assert shown_on(alice_phone.client.get(renewed)) == [*six.words, *six.words]
    assert [renewed == address, alice_phone.client.get(address).status_code] == [False, 404]


def test_words_drawn_in_one_browser_are_shown_in_no_other(alice_phone: Visitor, bob: Visitor) -> None:
    address, six = drawn(alice_phone)
    tablet = factories.with_another_device(alice_phone, name="Tablet", type="ios")

    answers = [visitor.client.get(address) for visitor in (tablet, bob)]

    assert [answer.status_code for answer in answers] == [404, 404]


def test_change_says_that_the_old_words_stop(elsewhere: Visitor, alice_phone: Visitor) -> None:
    page = said(alice_phone.client.get(NEW))
    address, six = drawn(alice_phone)

    alice_phone.client.post(address, typed_back(six))

    assert "Change your words" in page
    assert "The words you have open the list until you finish. Then they stop at once" in page
    assert "Changed. The old words no longer open your list." in said(alice_phone.client.get(KEYS))
    assert "Those are not the words of this list." in said(send(elsewhere, SIX))


def test_own_words_are_typed_twice_and_judged(alice_phone: Visitor) -> None:
    def sent(one: str, other: str) -> HttpResponse:
        return alice_phone.client.post(OWN, {"words": one, "again": other})

    answers = {
        "The two are not the same. Type both anew.": sent(MINE, f"{MINE} auch"),
        "That is too short: 12 characters or more": sent("Die Katze", "Die Katze"),
        "That is one of the passwords that are tried first.": sent("password1234", "password1234"),
        "That is too much like your e-mail address.": sent("alice@example.org", "alice@example.org"),
        "That is a number alone.": sent("8675309112731", "8675309112731"),
        "That repeats a few characters.": sent("abababababab", "abababababab"),
        "No words were typed.": sent("", ""),
    }
    refused = KeySlot.objects.filter(kind=SlotKind.WORDS).count()
    made = sent(MINE, "die-katze-schläft-im-ofen")

    assert {sentence: sentence in said(answer) for sentence, answer in answers.items()} == dict.fromkeys(answers, True)
    assert [answer.content.count(b"Katze") for answer in answers.values()] == [0] * 7
    assert [refused, made.headers["Location"]] == [0, KEYS]


def test_own_words_are_made_ten_times_an_hour(alice_phone: Visitor) -> None:
    """Each takes one of the two turns that everybody waits for."""
    guessable = {"words": "1234567890123", "again": "1234567890123"}

    answers = [alice_phone.client.post(reverse("accounts:words-own"), guessable).status_code for _ in range(11)]

    assert answers == [200] * 10 + [429]


def test_person_who_leaves_makes_no_words(alice_phone: Visitor) -> None:
    address, six = drawn(alice_phone)
    type(alice_phone.user).objects.update(deletes_at=timezone.now() + timedelta(days=1))

    answers = [
        *(alice_phone.client.get(page) for page in (NEW, OWN, address)),
        alice_phone.client.post(NEW),
        alice_phone.client.post(OWN, {"words": MINE, "again": MINE}),
        alice_phone.client.post(address, typed_back(six)),
    ]

    assert [answer.headers["Location"] for answer in answers] == [LIST] * 6
    assert [KeySlot.objects.filter(kind=SlotKind.WORDS).count(), Draft.objects.count()] == [0, 1]


# -- What is never kept -----------------------------------------------------------------------------------------------


@pytest.mark.row("T26")
def test_words_sent_with_a_stale_sign_in_are_kept_in_no_session(alice_phone: Visitor) -> None:
    address, six = drawn(alice_phone)
    factories.grown_stale(alice_phone)

    answers = [
        alice_phone.client.post(OWN, {"words": MINE, "again": MINE}),
        alice_phone.client.post(address, typed_back(six)),
    ]

    assert [(answer.status_code, answer.headers["Location"]) for answer in answers] == [(303, OWN), (303, address)]
    everything = stored.everything()
    assert [text for text in ("Katze", "one=", "other=") if text in everything] == []
    assert KeySlot.objects.filter(kind=SlotKind.WORDS).count() == 0


@pytest.mark.row("T26")
def test_without_the_guard_a_session_would_keep_them(alice_phone: Visitor, settings) -> None:  # noqa: ANN001
    """The control: allauth suspends the POST, body and all."""
    draft_id = words.begin(alice_phone.vault, at=timezone.now())
    six = words.look(alice_phone.vault, draft_id, at=timezone.now())
    address = reverse("accounts:words-confirm", args=[draft_id])
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "NoSuspendedPost" not in name]
    factories.grown_stale(alice_phone)

    kept = []
    for page, data in ((OWN, {"words": MINE, "again": MINE}), (address, typed_back(six))):
        alice_phone.client.post(page, data)
        kept.append([text for text in ("Katze", "one=", "other=") if text in stored.everything()])

    assert kept == [["Katze"], ["one=", "other="]]


def test_fields_of_words_are_left_alone_by_browsers(elsewhere: Visitor, alice_phone: Visitor) -> None:
    address, _ = drawn(alice_phone)
    pages = [
        elsewhere.client.get(OPEN, headers=FIREFOX),
        alice_phone.client.get(address),
        alice_phone.client.get(OWN),
    ]

    fields = [field for page in pages for field in re.findall(r"<(?:textarea|input)[^>]*>", page.content.decode())]
    typed = [field for field in fields if re.search(r'name="(words|again|one|other)"', field)]

    assert len(typed) == 5
    for attribute in ('autocomplete="off"', 'autocapitalize="none"', 'spellcheck="false"'):
        assert [field for field in typed if attribute not in field] == []
    assert [page.headers["Cache-Control"].count("no-store") for page in pages] == [1, 1, 1]


def test_sheet_says_where_to_go_and_names_nobody(alice_phone: Visitor) -> None:
    address, six = drawn(alice_phone)

    page = alice_phone.client.get(address).content.decode()
    sheet = page[page.index('<section class="sheet">') : page.index("</section>")]

    assert f"<strong>{settings.SITE_URL}/open/</strong>" in sheet
    assert re.findall(r'translate="no">([a-z-]+)<', sheet) == list(six.words)
    assert ["alice" in sheet, "sheet.css" in page, 'media="print"' in page] == [False, True, True]
