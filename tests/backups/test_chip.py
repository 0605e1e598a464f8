"""The chip tells the state that was checked, in every place, without a query and without opening the list."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts import list_page
from accounts.models import SlotKind, User
from backups import chip
from backups.models import Backup, Cause
from backups.services import finding
from tests import factories, people
from tests.factories import Visitor
from tests.pages import plain

pytestmark = pytest.mark.django_db(transaction=True)

LIST, LOOK = reverse("accounts:list"), reverse("accounts:look")
AT = datetime(2026, 5, 5, 14, 2, 7, tzinfo=UTC)
Count = Callable[[Callable[[], object]], int]


@pytest.fixture
def android(db: None) -> Visitor:
    """Alice at an Android phone, with two accounts in her list and another door to it."""
    visitor = factories.enrolled("alice@example.org", name="Pixel 9", type="android")
    for name in ("one", "two"):
        factories.create_entry(on=visitor, name=name)
    factories.create_key(on=visitor, kind=SlotKind.WORDS)
    return visitor


def chips(html: str) -> list[str]:
    """The chips of a page: in the top bar, in the dock."""
    return [plain(found) for found in re.findall(r"<a class=\"chip.*?</a>", html, re.DOTALL)]


def page(visitor: Visitor, address: str = LIST) -> str:
    """The page; its token, which differs each time, left out."""
    html = visitor.client.get(address).content.decode()
    return re.sub(r'(name="csrfmiddlewaretoken" value=")\w{64}"', r'\1"', html)


STATES: list[tuple[dict[str, Any], str, str, bool]] = [
    ({}, "Backed up 2 of 2, 14:02 UTC", "chip", False),
    ({"behind_since": AT, "behind_changes": 1}, "Saving …", "chip", False),
    ({"behind_since": AT - timedelta(minutes=3)}, "Not backed up since 13:59 UTC", "chip chip-wait", False),
    (
        {"behind_since": AT - timedelta(minutes=3), "failure": Cause.STORE},
        "Not backed up since 13:59 UTC",
        "chip chip-danger chip-asks",
        True,
    ),
    ({"failure": Cause.NO_KEY}, "Needs you Look at it", "chip chip-wait chip-asks", True),
    ({"shrunk_from": 14}, "Needs you Look at it", "chip chip-wait chip-asks", True),
    ({"checked_at": AT - timedelta(days=12)}, "Backed up Checked 12 days ago", "chip", False),
    ({"checked_at": AT - timedelta(days=42)}, "Backed up Checked 42 days ago", "chip chip-wait", False),
    (
        {"deletes_at": AT + timedelta(hours=24)},
        "Backup will be deleted Wednesday, 14:02 UTC",
        "chip chip-wait",
        False,
    ),
]


@pytest.mark.parametrize(("fields", "words", "classes", "asks"), STATES)
def test_chip_stands_twice_on_the_list_in_each_state(
    android: Visitor, fields: dict[str, Any], words: str, classes: str, asks: bool
) -> None:
    with time_machine.travel(AT, tick=False):
        backup = factories.backed_up(android)
        Backup.objects.filter(pk=backup.pk).update(**fields)
        filled, by_template = page(android), page(android, f"{LIST}?q=")

    assert chips(filled) == [words, words]
    assert filled == by_template
    assert f'<a class="{classes}" data-chip href="/backups/">' in filled
    assert ("chip-asks" in filled) is asks
    assert filled.count("to-settings") == 2


def test_list_without_a_backup_says_so_and_one_way_in_says_more(android: Visitor) -> None:
    off = page(android)
    one = factories.enrolled("zoe@example.org", name="Phone", type="android")
    empty = page(one)
    factories.create_entry(on=one)

    assert chips(off) == ["Not backed up 2 accounts"] * 2
    assert [chips(empty), chips(page(one))] == [[], ["One way in Keep a way back"] * 2]
    factories.backed_up(one)
    assert [words.startswith("Backed up 1 of 1") for words in chips(page(one))] == [True, True]


def test_chip_of_one_person_is_nobody_elses(android: Visitor) -> None:
    other = factories.enrolled("zoe@example.org", name="Phone", type="android")
    factories.create_entry(on=other)
    factories.create_key(on=other, kind=SlotKind.WORDS)
    factories.backed_up(other)
    User.objects.update(time_zone="Europe/Berlin")
    list_page._filler.cache_clear()

    assert chips(page(android)) == ["Not backed up 2 accounts"] * 2
    assert chips(page(other))[0].startswith("Backed up 1 of 1")


@pytest.mark.parametrize("on", [False, True])
def test_chip_costs_no_query(android: Visitor, queries: Count, on: bool) -> None:
    people.listed(android, 3)
    if on:
        factories.backed_up(android)
    android.client.get(LIST)
    entry = reverse("accounts:account", args=[android.entries[0].id])
    shown = re.search(r'data-news="([^"]*)"', page(android))
    assert shown is not None
    asked = {"v": str(android.vault.row.version), "n": shown[1], "open": ""}

    assert [queries(lambda address=address: android.client.get(address)) for address in (LIST, entry)] == [1, 1]
    assert queries(lambda: android.client.get(LOOK, asked)) == 1
    assert android.client.get(LOOK, asked).status_code == 204


def test_look_notices_another_state_and_brings_the_chip(android: Visitor) -> None:
    backup = factories.backed_up(android)
    html = page(android)
    news, version = re.search(r'data-news="([^"]*)"', html), re.search(r'data-version="(\d+)"', html)
    assert news is not None
    assert version is not None
    asked = {"v": version[1], "n": news[1], "open": ""}
    before = android.client.get(LOOK, asked)
    Backup.objects.filter(pk=backup.pk).update(behind_since=timezone.now() - timedelta(minutes=3))

    after = android.client.get(LOOK, asked)

    assert before.status_code == 204
    assert [words.startswith("Not backed up since") for words in chips(after.content.decode())] == [True]


def test_what_came_with_the_list_is_the_backups_own_row(android: Visitor, rf: Any) -> None:
    factories.backed_up(android)
    vault = android.vault

    asked = chip.of(vault)

    assert asked == finding.of(vault.row)
    assert vault.found is None
    assert set(chip.READ) <= {field.attname for field in Backup._meta.concrete_fields}
