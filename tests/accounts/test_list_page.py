"""The page of the list, filled instead of rendered, is what the template says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import product

import pytest
import time_machine
from django.urls import reverse

from accounts import list_page
from accounts.models import SlotKind, User
from accounts.vault.entry import Kind, Needs, Type
from tests.factories import Visitor, create_entry, create_key, enrolled

NOON = datetime(2026, 11, 24, 12, 0, 7, tzinfo=UTC)
LIST = reverse("accounts:list")


def page(visitor: Visitor, address: str = LIST) -> str:
    """The page in this browser; its token, which differs each time, left out."""
    with time_machine.travel(NOON, tick=False):
        html = visitor.client.get(address).content.decode()
    return re.sub(r'(name="csrfmiddlewaretoken" value=")\w{64}"', r'\1"', html)


def by_template(visitor: Visitor) -> str:
    """The same page as the template says it: any query leads there."""
    return page(visitor, f"{LIST}?q=")


@pytest.mark.parametrize("theme", User.Theme.values)
def test_page_is_what_the_template_says_for_everybody(alice_phone: Visitor, theme: str) -> None:
    create_entry(on=alice_phone, name="a")
    create_entry(on=alice_phone, name="counter", type=Type.HOTP)
    flags = ("hide_codes", "show_next_code", "compact_rows", "group_digits")
    everybody = product(("", "Europe/Berlin"), product((False, True), repeat=len(flags)))

    for zone, chosen in everybody:
        User.objects.update(theme=theme, time_zone=zone, **dict(zip(flags, chosen, strict=True)))

        assert page(alice_phone) == by_template(alice_phone)


@pytest.mark.parametrize(("pinned", "others"), [(0, 1), (0, 2), (1, 0), (2, 0), (1, 1)])
def test_page_is_what_the_template_says_for_every_list(alice_phone: Visitor, pinned: int, others: int) -> None:
    for number in range(pinned + others):
        create_entry(on=alice_phone, issuer="100 % <b>", name=f"{{{{ {number} }}}} %s", pinned=number < pinned)

    assert page(alice_phone) == by_template(alice_phone)


def test_page_is_what_the_template_says_where_accounts_wait(alice_phone: Visitor) -> None:
    for number in range(3):
        create_entry(on=alice_phone, name=str(number), secret=None, kind=Kind.WORK, needs=Needs.SIGN_IN)

        assert page(alice_phone) == by_template(alice_phone)
        assert 'data-part="again"' in page(alice_phone)


@pytest.mark.parametrize("door", [None, SlotKind.WORDS])
def test_page_is_what_the_template_says_with_one_way_in_and_with_two(
    alice_phone: Visitor, door: SlotKind | None
) -> None:
    create_entry(on=alice_phone, name="a")
    if door is not None:
        create_key(on=alice_phone, kind=door)

    assert page(alice_phone) == by_template(alice_phone)
    assert page(alice_phone).count("One way in") == (0 if door else 2)


def test_page_of_a_shape_keeps_nothing_of_the_person_before(alice_phone: Visitor) -> None:
    other = enrolled("zoe@example.net", name="Zoe's tablet", type="android", time_zone="Asia/Tokyo")
    create_entry(on=alice_phone, issuer="Of alice", name="a")
    create_entry(on=other, issuer="Of zoe", name="z")
    User.objects.update(time_zone="Asia/Tokyo")
    list_page._filler.cache_clear()

    pages = [page(alice_phone), page(other)]

    assert list_page._filler.cache_info().misses == 1
    for words, told in (("Of alice", [True, False]), ("Of zoe", [False, True]), ("example.net", [False, False])):
        assert [words in html for html in pages] == told


def test_message_is_shown_once_over_the_list(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, name="a")
    create_entry(on=alice_phone, name="b")
    alice_phone.client.post(reverse("accounts:to-trash", args=[entry.id]))

    assert ["Moved to Trash." in page(alice_phone) for _ in range(2)] == [True, False]
