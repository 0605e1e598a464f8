"""Codes from an instant on: never ahead of five minutes, never a counter twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.db import connection
from django.utils import timezone

from accounts.services import codes
from accounts.vault.entry import Type
from accounts.vault.errors import NotListed, ParseError
from tests.factories import SECRET, Visitor, an_entry, create_entry

AT = datetime(2026, 11, 24, 12, 0, 7, tzinfo=UTC)
ORACLE = TOTP(SECRET, 6, SHA1(), 30, enforce_key_length=False)  # noqa: S303 - RFC 6238


def oracle(second: int) -> str:
    """The code of an independent implementation."""
    return ORACLE.generate(second).decode()


def test_codes_are_those_of_now_and_five_minutes_on() -> None:
    entry = an_entry()
    now = int(AT.timestamp())

    code = codes.ahead([entry], at=AT)[entry.id]

    assert code.step == now // 30
    assert code.digits == "".join(oracle(second) for second in range(now - now % 30, now + 301, 30))
    assert code.first == oracle(now)
    assert code.second == oracle(now + 30)
    assert code.ends_at == now - now % 30 + 30


@pytest.mark.parametrize("second", range(0, 60))
def test_no_code_begins_more_than_five_minutes_ahead(second: int) -> None:
    at = AT + timedelta(seconds=second)
    entries = [an_entry(name=str(period), period=period) for period in (1, 5, 30, 60, 299, 300, 301, 86400)]

    for entry, code in ((entry, codes.ahead([entry], at=at)[entry.id]) for entry in entries):
        last_begins = (code.step + len(code.digits) // code.width - 1) * entry.period
        beyond_the_next = len(code.digits) // code.width > 2
        assert code.step * entry.period <= at.timestamp()
        assert last_begins <= at.timestamp() + 300 or not beyond_the_next


def test_codes_since_an_instant_leave_out_what_the_page_has() -> None:
    entry = an_entry()
    now = int(AT.timestamp())
    since = now - now % 30 + 240

    code = codes.ahead([entry], at=AT, since=since)[entry.id]

    assert code.step == since // 30
    assert code.digits == "".join(oracle(second) for second in range(since, now + 301, 30))


def test_codes_since_long_ago_begin_now() -> None:
    entry = an_entry()

    assert codes.ahead([entry], at=AT, since=0) == codes.ahead([entry], at=AT)


def test_codes_since_beyond_the_bound_are_none() -> None:
    assert codes.ahead([an_entry()], at=AT, since=int(AT.timestamp()) + 3600) == {}


def test_counter_account_has_no_code_ahead() -> None:
    assert codes.ahead([an_entry(type=Type.HOTP)], at=AT) == {}


def test_next_code_gives_the_codes_of_rfc_4226_one_after_another(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, type=Type.HOTP)

    given = [codes.next_code(alice_phone.vault, entry.id, at=AT).digits for _ in range(4)]

    assert given == ["755224", "287082", "359152", "969429"]
    assert alice_phone.entries[0].counter == 4


def test_next_code_of_an_account_without_counter_is_refused(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone)

    with pytest.raises(ParseError):
        codes.next_code(alice_phone.vault, entry.id, at=AT)
    with pytest.raises(NotListed):
        codes.next_code(alice_phone.vault, "0" * 32, at=AT)


@pytest.mark.django_db(transaction=True)
def test_no_counter_is_given_twice_to_clicks_at_once(alice_phone: Visitor) -> None:
    entry = create_entry(on=alice_phone, type=Type.HOTP)
    vaults = [alice_phone.vault for _ in range(16)]

    def click(vault: object) -> str:
        try:
            return codes.next_code(vault, entry.id, at=timezone.now()).digits  # type: ignore[arg-type]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(click, vaults))

    assert len(set(given)) == 16
    assert alice_phone.entries[0].counter == 16


def test_first_code_of_a_counter_is_that_of_the_counter_as_it_stands() -> None:
    assert codes.first(an_entry(type=Type.HOTP, counter=1), at=AT).digits == "287082"
