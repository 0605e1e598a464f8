"""What is read waits sealed for a yes, is added once, and never gives its key away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Draft, Event
from accounts.services import adding, policy, previewing, vaults
from accounts.services.activity import Tag
from accounts.services.adding import Choice, Full, NothingTaken, Typed
from accounts.services.drafted import Forbidden, Way
from accounts.services.policy import Act
from accounts.vault import encoding, otp
from accounts.vault.entry import LARGEST_COUNTER, Algorithm, Entry, Type
from accounts.vault.errors import AlreadyListed, Note, ParseError, Problem, Reason, TooCostly, TooLarge
from accounts.vault.formats import Format
from accounts.vault.list import Relation
from accounts.vault.secret import Secret
from tests import factories, pictures
from tests.accounts.vault.formats import test_google as google
from tests.factories import SECRET, Visitor, an_entry, at_another_browser, create_entry

KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # SECRET in base32.
LINK = f"otpauth://totp/GitHub:alice?secret={KEY}&issuer=GitHub"
OTHER = "otpauth://totp/GitLab:bob?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=GitLab"
COUNTER = f"otpauth://hotp/Bank:alice?secret={KEY}&issuer=Bank&counter=5"
TYPED = Typed(
    label="GitHub: alice",
    secret=KEY,
    type=Type.TOTP,
    algorithm=Algorithm.SHA1,
    digits=6,
    period=30,
    counter=0,
)


def all_of(preview: previewing.Preview) -> Choice:
    return Choice(frozenset(waiting.id for waiting in preview.addable))


def look(visitor: Visitor, draft_id: UUID) -> previewing.Preview:
    return previewing.look(visitor.vault, draft_id, at=timezone.now())


def finish(visitor: Visitor, draft_id: UUID, choice: Choice | None = None) -> int:
    chosen = choice or all_of(look(visitor, draft_id))
    return adding.accept(visitor.vault, draft_id, chosen, at=timezone.now())


def by_link(visitor: Visitor, *links: str) -> UUID:
    return adding.from_text(visitor.vault, "\n".join(links), at=timezone.now())


def names(entries: tuple[Entry, ...]) -> list[tuple[str, str]]:
    return [(entry.issuer, entry.name) for entry in entries]


@pytest.fixture
def refusing() -> Iterator[list[tuple[Act, str]]]:
    """A rule that refuses what is called "blocked", and notes what it was asked."""
    asked: list[tuple[Act, str]] = []

    @factories.rule
    def rule(user: object, act: Act, entry: Entry) -> None:
        asked.append((act, entry.name))
        if "blocked" in entry.name:
            raise policy.Refused("Codes for this domain may not be kept here.")

    policy.RULES.append(rule)
    yield asked
    policy.RULES.remove(rule)


# -- In ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", Way)
def test_each_way_in_leads_to_a_draft_and_not_to_the_list(way: Way, alice_phone: Visitor) -> None:
    at = timezone.now()
    ways = {
        Way.PICTURE: lambda: adding.from_pictures(alice_phone.vault, [("qr.png", pictures.of(LINK))], at=at),
        Way.LINK: lambda: adding.from_text(alice_phone.vault, LINK, at=at),
        Way.HAND: lambda: adding.by_hand(alice_phone.vault, TYPED, at=at),
    }

    preview = look(alice_phone, ways[way]())

    assert alice_phone.entries == ()
    assert (preview.way, preview.format, preview.problems, preview.forbidden) == (way, Format.OTPAUTH, (), ())
    (waiting,) = preview.waiting
    assert (waiting.issuer, waiting.name, waiting.relation) == ("GitHub", "alice", Relation.NEW)
    assert preview.ends_at - at == timedelta(minutes=15)


@pytest.mark.parametrize("way", Way)
def test_each_way_in_ends_on_the_list_with_its_key(way: Way, alice_phone: Visitor) -> None:
    at = timezone.now()
    if way is Way.HAND:
        draft = adding.by_hand(alice_phone.vault, TYPED, at=at)
    elif way is Way.LINK:
        draft = by_link(alice_phone, LINK)
    else:
        draft = adding.from_pictures(alice_phone.vault, [("qr.png", pictures.of(LINK))], at=at)

    assert finish(alice_phone, draft) == 1

    (entry,) = alice_phone.entries
    assert (entry.issuer, entry.name, entry.secret) == ("GitHub", "alice", Secret(SECRET))
    assert abs(entry.added - vaults.seconds(at)) <= 2
    assert list(Event.objects.filter(tag=Tag.ENTRY_ADDED).values_list("facts__count", "device")) == [
        (1, alice_phone.device.pk)
    ]


def test_preview_holds_no_key(alice_phone: Visitor) -> None:
    preview = look(alice_phone, by_link(alice_phone, LINK))

    shown = repr(asdict(preview))

    assert "GEZDGNBV" not in shown
    assert "MTIzNDU2" not in shown  # The same bytes in base64.
    assert "Secret" not in shown


def test_draft_is_sealed(alice_phone: Visitor) -> None:
    by_link(alice_phone, LINK)

    (sealed,) = Draft.objects.values_list("sealed", flat=True)

    for canary in (b"GitHub", b"alice", SECRET, b"MTIzNDU2", b"entries"):
        assert canary not in bytes(sealed)


def test_several_links_are_read_at_once(alice_phone: Visitor) -> None:
    draft = by_link(alice_phone, LINK, "", OTHER)

    assert finish(alice_phone, draft) == 2
    assert names(alice_phone.entries) == [("GitHub", "alice"), ("GitLab", "bob")]


def test_a_link_that_cannot_be_read_does_not_hold_up_the_others(alice_phone: Visitor) -> None:
    preview = look(alice_phone, by_link(alice_phone, LINK, "otpauth://totp/x?secret=ABC1", OTHER))

    assert [waiting.name for waiting in preview.waiting] == ["alice", "bob"]
    assert preview.problems == (Problem(2, Reason.SECRET_LETTER, {"letter": "1"}),)


def test_pictures_are_read_together_and_a_bad_one_is_named(alice_phone: Visitor) -> None:
    given = [
        ("one.png", pictures.of(LINK, OTHER)),
        ("empty.png", pictures.without_code()),
        ("again.png", pictures.of(LINK)),
    ]

    preview = look(alice_phone, adding.from_pictures(alice_phone.vault, given, at=timezone.now()))

    assert [waiting.name for waiting in preview.waiting] == ["alice", "bob"]
    assert preview.problems == (Problem("empty.png", Reason.PICTURE_NONE, {}),)


def test_parts_of_an_export_are_joined_over_pictures(alice_phone: Visitor) -> None:
    parts = [
        google.link(google.message(google.account(name=f"person {index}"), size=3, index=index)) for index in range(3)
    ]
    given = [(f"{index}.png", pictures.of(parts[index])) for index in (2, 0, 1)]

    preview = look(alice_phone, adding.from_pictures(alice_phone.vault, given, at=timezone.now()))

    assert preview.format is Format.GOOGLE
    assert [waiting.name for waiting in preview.waiting] == ["person 0", "person 1", "person 2"]
    assert preview.problems == ()


def test_a_missing_part_is_named_and_the_others_may_be_taken(alice_phone: Visitor) -> None:
    parts = [
        google.link(google.message(google.account(name=f"person {index}"), size=3, index=index)) for index in (0, 2)
    ]

    draft = by_link(alice_phone, *parts)

    (problem,) = look(alice_phone, draft).problems
    assert (problem.reason, problem.facts["missing"]) == (Reason.PARTS_MISSING, [2])
    assert finish(alice_phone, draft) == 2


def test_more_than_twenty_pictures_are_refused_with_the_figure(alice_phone: Visitor) -> None:
    with pytest.raises(ParseError) as caught:
        adding.from_pictures(alice_phone.vault, [("x.png", b"")] * 21, at=timezone.now())

    assert (caught.value.reason, dict(caught.value.facts)) == (Reason.TOO_MANY_PICTURES, {"found": 21, "allowed": 20})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", Reason.NOT_RECOGNISED),
        ("   ", Reason.FILE_EMPTY),
        ("otpauth://totp/x", Reason.NO_SECRET),
        (f"otpauth://totp/x?secret={KEY}&digits=0", Reason.DIGITS),
        (f"otpauth://totp/x?secret={KEY}&period=0", Reason.PERIOD),
        ("otpauth://totp/x?secret=ABC0", Reason.SECRET_LETTER),
        (f"otpauth://totp/{'x' * 1_000_000}?secret={KEY}", Reason.TEXT_TOO_LONG),
        (f"otpauth://totp/a%07b?secret={KEY}", Reason.CONTROL_CHARACTER),
        (f"otpauth://totp/a%E2%80%AEb?secret={KEY}", Reason.CONTROL_CHARACTER),
        ("phonefactor://activate?code=1", Reason.PHONEFACTOR),
    ],
)
def test_where_nothing_can_be_taken_nothing_waits(text: str, reason: Reason, alice_phone: Visitor) -> None:
    with pytest.raises(NothingTaken) as caught:
        by_link(alice_phone, text)

    assert [problem.reason for problem in caught.value.problems] == [reason]
    assert not Draft.objects.exists()


def test_an_empty_export_says_that_nothing_is_in_it(alice_phone: Visitor) -> None:
    with pytest.raises(NothingTaken) as caught:
        by_link(alice_phone, google.link(google.message()))

    assert caught.value.problems == (Problem(1, Reason.NOTHING_IN_IT),)


# -- The list's cap ---------------------------------------------------------------------------------------------------


def fill(visitor: Visitor, count: int, **fields: str) -> None:
    entries = [an_entry(issuer="", name=f"n{number}", **fields) for number in range(count)]
    vaults.change(visitor.vault, lambda a: a.add_many(entries), tag=Tag.ENTRY_ADDED, at=timezone.now())


@pytest.mark.article("G-30", "refused")
def test_what_does_not_fit_is_refused_whole_with_the_figures(alice_phone: Visitor) -> None:
    fill(alice_phone, 1995)
    links = [f"otpauth://totp/new{number}?secret={KEY}" for number in range(12)]

    with pytest.raises(Full) as caught:
        by_link(alice_phone, *links)

    assert dict(caught.value.facts) == {"holds": 1995, "allowed": 2000, "count": 12, "unit": "entries"}
    assert finish(alice_phone, by_link(alice_phone, *links[:5])) == 5


@pytest.mark.article("G-30")
def test_trash_counts(alice_phone: Visitor) -> None:
    fill(alice_phone, 2000)
    first = alice_phone.entries[0]
    now = vaults.seconds(timezone.now())
    vaults.change(alice_phone.vault, lambda a: a.trash_entry(first.id, now), tag=Tag.ENTRY_TRASHED, at=timezone.now())

    with pytest.raises(Full) as caught:
        adding.by_hand(alice_phone.vault, TYPED, at=timezone.now())

    assert dict(caught.value.facts) == {"holds": 2000, "allowed": 2000, "count": 1, "unit": "entries"}


def test_more_lines_than_a_list_holds_are_refused_with_the_figures(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone)

    with pytest.raises(Full) as caught:
        by_link(alice_phone, LINK, *["x"] * 2000)

    assert dict(caught.value.facts) == {"holds": 1, "allowed": 2000, "count": 2001, "unit": "entries"}


@pytest.mark.article("G-30")
def test_bytes_count(alice_phone: Visitor) -> None:
    fill(alice_phone, 480, note="x" * 1800)

    with pytest.raises(TooLarge) as caught:
        by_link(alice_phone, *[f"otpauth://totp/{'y' * 250}{number:03}?secret={KEY}" for number in range(100)])

    assert (caught.value.unit, caught.value.allowed) == ("bytes", 1_000_000)
    assert caught.value.found > 1_000_000


def test_a_list_that_filled_up_meanwhile_refuses_the_yes_and_the_draft_waits(alice_phone: Visitor) -> None:
    draft = by_link(alice_phone, LINK)
    choice = all_of(look(alice_phone, draft))
    fill(alice_phone, 2000)

    with pytest.raises(Full) as caught:
        finish(alice_phone, draft, choice)

    assert dict(caught.value.facts) == {"holds": 2000, "allowed": 2000, "count": 1, "unit": "entries"}
    assert len(look(alice_phone, draft).waiting) == 1


def test_a_heap_that_cannot_be_sealed_is_refused_with_its_size(alice_phone: Visitor) -> None:
    # 300 characters of three bytes each, in four places: read again they are in the list, so they take no room there.
    wide = "\u4e16" * 250
    links = [f"otpauth://totp/{wide}:{number:04}{wide[:200]}?secret={KEY}&issuer={wide}" for number in range(330)]
    finish(alice_phone, by_link(alice_phone, *links))

    with pytest.raises(TooCostly) as caught:
        by_link(alice_phone, *links, *links)

    assert caught.value.reason is Reason.FILE_TOO_LARGE
    assert caught.value.facts["allowed"] == encoding.LARGEST
    assert isinstance(caught.value.facts["found"], int)
    assert caught.value.facts["found"] > encoding.LARGEST


# -- Same, clash ------------------------------------------------------------------------------------------------------


def test_the_same_account_is_said_to_be_there(alice_phone: Visitor) -> None:
    finish(alice_phone, by_link(alice_phone, LINK))
    (listed,) = alice_phone.entries

    draft = by_link(alice_phone, LINK.replace("alice", "Alice"))

    (waiting,) = look(alice_phone, draft).waiting
    assert (waiting.relation, waiting.listed.id, waiting.code) == (Relation.SAME, listed.id, None)
    with pytest.raises(AlreadyListed):
        finish(alice_phone, draft, Choice(frozenset([waiting.id])))
    assert alice_phone.entries == (listed,)


def test_a_second_account_of_one_name_overwrites_nothing(alice_phone: Visitor) -> None:
    finish(alice_phone, by_link(alice_phone, LINK))
    before = alice_phone.entries[0]

    draft = by_link(alice_phone, LINK.replace(KEY, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))

    (waiting,) = look(alice_phone, draft).waiting
    assert (waiting.relation, waiting.listed.id) == (Relation.CLASH, before.id)
    finish(alice_phone, draft)
    assert names(alice_phone.entries) == [("GitHub", "alice"), ("GitHub", "alice")]
    assert alice_phone.entries[0] == before
    assert alice_phone.entries[1].secret != before.secret


def test_an_account_that_comes_twice_is_added_once(alice_phone: Visitor) -> None:
    draft = by_link(alice_phone, LINK, LINK, OTHER)

    preview = look(alice_phone, draft)

    assert [(waiting.relation, waiting.listed) for waiting in preview.waiting] == [
        (Relation.NEW, None),
        (Relation.SAME, None),
        (Relation.NEW, None),
    ]
    assert finish(alice_phone, draft) == 2


def test_the_key_of_an_account_of_another_name_is_said(alice_phone: Visitor) -> None:
    listed = create_entry(on=alice_phone, issuer="Renamed", name="me")

    (waiting,) = look(alice_phone, by_link(alice_phone, LINK)).waiting

    assert waiting.relation is Relation.NEW
    assert waiting.same_key == previewing.Listed(listed.id, "Renamed", "me", 0)


def test_two_browsers_that_add_the_same_account_end_with_one(alice_phone: Visitor) -> None:
    one, two = by_link(alice_phone, LINK), by_link(alice_phone, LINK)
    choice = all_of(look(alice_phone, two))
    finish(alice_phone, one)

    with pytest.raises(AlreadyListed):
        finish(alice_phone, two, choice)

    assert names(alice_phone.entries) == [("GitHub", "alice")]


# -- The yes ----------------------------------------------------------------------------------------------------------


def test_only_what_was_chosen_is_added_under_the_names_given(alice_phone: Visitor) -> None:
    draft = by_link(alice_phone, LINK, OTHER)
    first, second = look(alice_phone, draft).waiting

    finish(alice_phone, draft, Choice(frozenset([second.id]), {second.id: (" Work ", "me"), first.id: ("no", "no")}))

    assert names(alice_phone.entries) == [("Work", "me")]


@pytest.mark.parametrize(
    ("issuer", "name", "reason"),
    [
        ("", " ", Reason.NO_NAME),
        ("x" * 257, "a", Reason.ISSUER_TOO_LONG),
        ("a", "x" * 257, Reason.NAME_TOO_LONG),
        ("a", "b\u202e", Reason.CONTROL_CHARACTER),
    ],
)
def test_a_name_that_cannot_be_leaves_the_draft_waiting(
    issuer: str, name: str, reason: Reason, alice_phone: Visitor
) -> None:
    draft = by_link(alice_phone, LINK)
    (waiting,) = look(alice_phone, draft).waiting

    with pytest.raises(ParseError) as caught:
        finish(alice_phone, draft, Choice(frozenset([waiting.id]), {waiting.id: (issuer, name)}))

    assert caught.value.reason is reason
    assert (alice_phone.entries, len(look(alice_phone, draft).waiting)) == ((), 1)


def test_a_yes_to_nothing_of_it_adds_nothing(alice_phone: Visitor) -> None:
    draft = by_link(alice_phone, LINK)

    assert finish(alice_phone, draft, Choice(frozenset(["0" * 32]))) == 0
    assert alice_phone.entries == ()


def test_a_second_yes_finds_nothing_and_is_known_to_have_been_one(alice_phone: Visitor) -> None:
    draft = by_link(alice_phone, LINK)
    choice = all_of(look(alice_phone, draft))
    finish(alice_phone, draft, choice)

    with pytest.raises(vaults.DraftGone):
        finish(alice_phone, draft, choice)

    now = timezone.now()
    assert len(alice_phone.entries) == 1
    assert adding.was_accepted(alice_phone.vault, draft, at=now)
    assert not adding.was_accepted(alice_phone.vault, UUID(int=1), at=now)
    assert not adding.was_accepted(alice_phone.vault, draft, at=now + timedelta(hours=1))


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_add_one_account(alice_phone: Visitor) -> None:
    draft = by_link(alice_phone, LINK)
    choice = all_of(look(alice_phone, draft))
    vault_of = [alice_phone.vault for _ in range(4)]
    start = threading.Barrier(4)
    ended: list[str] = []

    def click(number: int) -> None:
        start.wait()
        try:
            adding.accept(vault_of[number], draft, choice, at=timezone.now())
            ended.append("added")
        except vaults.DraftGone:
            ended.append("gone")
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ended) == ["added", "gone", "gone", "gone"]
    assert len(alice_phone.entries) == 1


def test_a_draft_is_of_one_list_and_one_device(alice_phone: Visitor, bob: Visitor) -> None:
    draft = by_link(alice_phone, LINK)
    vault = alice_phone.vault
    stolen = replace(vault, device=bob.vault.device)

    for other in (bob.vault, stolen):
        with pytest.raises(vaults.DraftGone):
            previewing.look(other, draft, at=timezone.now())
        with pytest.raises(vaults.DraftGone):
            adding.accept(other, draft, Choice(frozenset()), at=timezone.now())
        vaults.drop(other, draft)
    assert len(look(alice_phone, draft).waiting) == 1
    assert at_another_browser(alice_phone).device is None


def test_a_draft_runs_out_and_can_be_kept_longer(alice_phone: Visitor) -> None:
    now = timezone.now()
    draft = adding.from_text(alice_phone.vault, LINK, at=now)
    late = now + timedelta(minutes=14)

    renewed = adding.renew(alice_phone.vault, draft, at=late)

    with pytest.raises(vaults.DraftGone):
        previewing.look(alice_phone.vault, draft, at=late)
    assert previewing.look(alice_phone.vault, renewed, at=now + timedelta(minutes=28)).waiting[0].name == "alice"
    with pytest.raises(vaults.DraftGone):
        previewing.look(alice_phone.vault, renewed, at=now + timedelta(minutes=29))
    with pytest.raises(vaults.DraftGone):
        adding.renew(alice_phone.vault, renewed, at=now + timedelta(minutes=29))


# -- Codes ------------------------------------------------------------------------------------------------------------


def test_an_account_alone_shows_its_codes_and_several_show_none(alice_phone: Visitor) -> None:
    at = timezone.now()
    (alone,) = previewing.look(alice_phone.vault, by_link(alice_phone, LINK), at=at).waiting
    several = previewing.look(alice_phone.vault, by_link(alice_phone, LINK, COUNTER), at=at).waiting

    assert alone.code.first == otp.Totp(Secret(SECRET)).at(vaults.seconds(at))
    assert [waiting.code for waiting in several] == [None, None]


def test_a_counter_that_was_shown_is_not_given_again(alice_phone: Visitor) -> None:
    draft = by_link(alice_phone, COUNTER)
    shown = [look(alice_phone, draft).waiting[0].code for _ in range(3)]

    finish(alice_phone, draft)

    assert {code.first for code in shown} == {otp.Hotp(Secret(SECRET)).at(5)}
    assert [entry.counter for entry in alice_phone.entries] == [6]


def test_a_counter_that_was_not_shown_stays(alice_phone: Visitor) -> None:
    finish(alice_phone, by_link(alice_phone, OTHER, COUNTER))

    assert [entry.counter for entry in alice_phone.entries] == [0, 5]


def test_a_counter_key_that_is_listed_under_another_name_shows_no_code_again(alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, issuer="Renamed", name="me", type=Type.HOTP, counter=41)
    draft = by_link(alice_phone, COUNTER)

    assert look(alice_phone, draft).waiting[0].code is None
    finish(alice_phone, draft)

    assert [entry.counter for entry in alice_phone.entries] == [41, 41]


def test_the_last_counter_is_not_shown_and_not_passed(alice_phone: Visitor) -> None:
    draft = by_link(alice_phone, COUNTER.replace("counter=5", f"counter={LARGEST_COUNTER}"))

    assert look(alice_phone, draft).waiting[0].code is None
    finish(alice_phone, draft)

    assert [entry.counter for entry in alice_phone.entries] == [LARGEST_COUNTER]


def test_notes_come_along(alice_phone: Visitor) -> None:
    (waiting,) = look(alice_phone, by_link(alice_phone, "otpauth://hotp/a?secret=ABC")).waiting

    assert waiting.notes == (Note.UNUSUAL_LENGTH, Note.SHORT_SECRET, Note.COUNTER_ASSUMED)


# -- Rules ------------------------------------------------------------------------------------------------------------


def test_a_rule_is_asked_on_every_way_in(alice_phone: Visitor, refusing: list[tuple[Act, str]]) -> None:
    blocked = LINK.replace("alice", "blocked")
    at = timezone.now()

    with pytest.raises(NothingTaken) as by_text:
        by_link(alice_phone, blocked)
    with pytest.raises(NothingTaken) as by_picture:
        adding.from_pictures(alice_phone.vault, [("qr.png", pictures.of(blocked))], at=at)
    with pytest.raises(policy.Refused):
        adding.by_hand(alice_phone.vault, replace(TYPED, label="GitHub: blocked"), at=at)

    refused = (Forbidden(1, "Codes for this domain may not be kept here."),)
    assert (by_text.value.forbidden, by_picture.value.forbidden) == (refused, refused)
    assert refusing == [(Act.ADD, "blocked")] * 3
    assert not Draft.objects.exists()


def test_what_a_rule_lets_pass_is_taken_beside_what_it_refuses(
    alice_phone: Visitor, refusing: list[tuple[Act, str]]
) -> None:
    draft = by_link(alice_phone, LINK.replace("alice", "blocked"), OTHER)

    preview = look(alice_phone, draft)

    assert preview.forbidden == (Forbidden(1, "Codes for this domain may not be kept here."),)
    assert [waiting.name for waiting in preview.waiting] == ["bob"]


def test_a_rule_is_asked_again_for_the_yes_and_for_the_name_given_there(
    alice_phone: Visitor, refusing: list[tuple[Act, str]]
) -> None:
    draft = by_link(alice_phone, LINK)
    (waiting,) = look(alice_phone, draft).waiting

    with pytest.raises(policy.Refused):
        finish(alice_phone, draft, Choice(frozenset([waiting.id]), {waiting.id: ("GitHub", "blocked")}))

    assert refusing == [(Act.ADD, "alice"), (Act.ADD, "blocked")]
    assert (alice_phone.entries, len(look(alice_phone, draft).waiting)) == ((), 1)
