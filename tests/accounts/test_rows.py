"""The rows of the list, filled instead of rendered, are what the template says."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from itertools import product
from types import SimpleNamespace

import pytest
import time_machine

from accounts import rows
from accounts.models import User
from accounts.services.blocking import Block, Under
from accounts.services.codes import Code
from accounts.vault.entry import Kind, Needs, Type
from tests.factories import an_entry

SIX = Code("111222333444", 6, 59_000_000, 30)
EIGHT = Code("1111222233334444", 8, 29_500_000, 60)
COUNTED = Code("987654", 6, 7, 0)

HOSTILE = (
    {"issuer": "<script>alert(1)</script>", "name": '"><img src=x onerror=alert(1)>'},
    {"issuer": "100 %s {{ row.id }}", "name": "%(id)s @ {% now %} & '"},
    {"issuer": "", "name": "0" * 32},
    {"issuer": "بنك المثال", "name": "أليس@example.org"},
    {"issuer": "Mastodon 🐘", "name": ""},
)


def people() -> list[User]:
    """Everybody by what they prefer."""
    flags = ("hide_codes", "show_next_code", "compact_rows", "group_digits")
    return [User(**dict(zip(flags, chosen, strict=True))) for chosen in product((False, True), repeat=len(flags))]


@pytest.mark.parametrize("names", HOSTILE, ids=lambda names: ascii(names["issuer"] or names["name"])[:12])
def test_rows_are_what_the_template_says_in_every_shape(names: dict[str, str]) -> None:
    timed, counter = an_entry(**names), an_entry(**names, type=Type.HOTP)
    signed_in = an_entry(**names, signed_in=1_700_000_000)
    by_name = an_entry(**names, signed_in=1_700_000_000, secret=None, kind=Kind.WORK)
    kinds = [(timed, SIX), (timed, EIGHT), (counter, None), (counter, COUNTED), (signed_in, SIX), (by_name, None)]
    for kind, needs in product((Kind.WORK, Kind.PERSONAL_CODE), Needs):
        kinds.append((an_entry(**names, secret=None, kind=kind, needs=needs), None))
    of_a_backup = an_entry(**names, type=Type.HOTP, as_of=1_700_000_000)
    kinds += [(of_a_backup, None), (of_a_backup, COUNTED)]

    for user, (entry, code) in product(people(), kinds):
        filled = rows.render([entry], {entry.id: code} if code else {}, user=user, csrf="the token")
        plain = rows.plain(entry, code, user=user, csrf="the token")

        # In the template an address has noughts where the id goes.
        assert filled == plain.replace(f"/{'0' * 32}/", f"/{entry.id}/")


@pytest.mark.parametrize("holds", [False, True])
def test_row_of_a_blocked_account_is_what_the_template_says(holds: bool) -> None:
    entry = an_entry(**HOSTILE[0])
    under = Under(Block("<b>.example", date(2026, 7, 1), "reason", "contact"), holds)

    for user in people():
        filled = rows.render([entry], {entry.id: SIX}, user=user, csrf="", blocked={entry.id: under})

        plain = rows.plain(entry, SIX, user=user, csrf="", under=under)
        assert filled == plain.replace(f"/{'0' * 32}/", f"/{entry.id}/")
        assert "blocked for <bdi>&lt;b&gt;.example</bdi>" in filled


@pytest.mark.parametrize(("now", "day"), [("2026-05-04", "3 May"), ("2027-01-01", "3 May 2026")])
def test_row_says_when_somebody_signed_in(now: str, day: str) -> None:
    second = int(datetime(2026, 5, 3, 12, tzinfo=UTC).timestamp())
    entry = an_entry(signed_in=second, secret=None, kind=Kind.WORK)

    with time_machine.travel(f"{now}T12:00Z", tick=False):
        row = rows.render([entry], {}, user=User(), csrf="")

    assert re.findall(r'"row-line">([^<]*)<', row) == [f"Signed in {day}"]
    assert "code-line" not in row


def test_row_of_a_shape_keeps_no_value_of_the_row_before() -> None:
    first, second = an_entry(issuer="First"), an_entry(issuer="Second")
    user = User()

    both = rows.render([first, second], {first.id: SIX, second.id: SIX}, user=user, csrf="")

    alone = [rows.render([entry], {entry.id: SIX}, user=user, csrf="") for entry in (first, second)]
    assert both == "".join(alone)
    assert [("First" in row, "Second" in row) for row in alone] == [(True, False), (False, True)]


def test_value_that_is_not_escaped_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = an_entry(**HOSTILE[0])
    monkeypatch.setattr(rows, "html", SimpleNamespace(escape=str))

    filled = rows.render([entry], {entry.id: SIX}, user=User(), csrf="")

    assert filled != rows.plain(entry, SIX, user=User(), csrf="").replace(f"/{'0' * 32}/", f"/{entry.id}/")
