"""Tries are counted before they are judged, for a list and for a network, and none slips through."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Attempt
from accounts.services import attempts
from accounts.services.attempts import APPROVALS_OF_LIST, WORDS_OF_LIST, WORDS_OF_NETWORK, TooManyTries

pytestmark = pytest.mark.django_db

LIST, HOME = b"l" * 32, b"n" * 32


@pytest.mark.row("T21")
@pytest.mark.parametrize(
    ("limit", "most", "within"),
    [
        (WORDS_OF_LIST, 10, timedelta(hours=24)),
        (WORDS_OF_NETWORK, 30, timedelta(hours=1)),
        (APPROVALS_OF_LIST, 5, timedelta(hours=1)),
    ],
    ids=lambda value: getattr(value, "act", None),
)
def test_one_try_more_than_the_limit_is_refused_until_the_oldest_counts_no_more(
    limit: attempts.Limit, most: int, within: timedelta
) -> None:
    begun = timezone.now()
    for number in range(most):
        attempts.count([(limit, LIST)], at=begun + timedelta(seconds=number))

    with pytest.raises(TooManyTries) as refused:
        attempts.count([(limit, LIST)], at=begun + within - timedelta(seconds=1))
    attempts.count([(limit, LIST)], at=begun + within)

    assert refused.value.next_at == begun + within
    assert Attempt.objects.count() == most + 1


def test_refused_try_is_counted_for_nobody() -> None:
    at = timezone.now()
    for _ in range(10):
        attempts.count([(WORDS_OF_LIST, LIST)], at=at)

    with pytest.raises(TooManyTries):
        attempts.count([(WORDS_OF_NETWORK, HOME), (WORDS_OF_LIST, LIST)], at=at)

    assert attempts.left(WORDS_OF_NETWORK, HOME, at=at)[0] == 30


def test_forgotten_try_is_left_again() -> None:
    at = timezone.now()
    tried = attempts.count([(WORDS_OF_LIST, LIST), (WORDS_OF_NETWORK, HOME)], at=at)
    before = attempts.left(WORDS_OF_LIST, LIST, at=at)

    attempts.forget(tried)

    assert [before, attempts.left(WORDS_OF_LIST, LIST, at=at)[0]] == [(9, at + timedelta(hours=24)), 10]


def test_acts_and_subjects_are_counted_apart() -> None:
    at = timezone.now()
    for _ in range(5):
        attempts.count([(APPROVALS_OF_LIST, LIST)], at=at)

    left = [
        attempts.left(limit, subject, at=at)[0]
        for limit, subject in ((APPROVALS_OF_LIST, LIST), (APPROVALS_OF_LIST, HOME), (WORDS_OF_LIST, LIST))
    ]

    assert left == [0, 5, 10]


def test_network_is_an_address_or_a_household_and_stands_nowhere_in_the_clear() -> None:
    same = [("192.0.2.7", "::ffff:192.0.2.7"), ("2001:db8:1:2::3", "2001:db8:1:2:aaaa::9")]
    different = ["192.0.2.7", "192.0.2.8", "2001:db8:1:2::3", "2001:db8:1:3::3", "no address", ""]

    assert [attempts.network(a) == attempts.network(b) for a, b in same] == [True, True]
    assert len({attempts.network(address) for address in different}) == len(different)
    assert {len(attempts.network(address)) for address in different} == {32}


def test_list_and_network_of_equal_bytes_are_two_subjects() -> None:
    list_id = uuid4()

    assert attempts.of_list(list_id) != attempts.network(list_id.hex)


def test_old_tries_are_deleted_once_no_limit_reaches_them() -> None:
    at = timezone.now()
    for days in (0, 1, 2, 3):
        attempts.count([(WORDS_OF_NETWORK, HOME)], at=at - timedelta(days=days))

    assert [attempts.expire(at), attempts.expire(at), Attempt.objects.count()] == [2, 0, 2]


@pytest.mark.row("T21")
@pytest.mark.django_db(transaction=True)
def test_of_thirty_tries_at_once_no_more_than_ten_are_let_through() -> None:
    at = timezone.now()

    def one(_: int) -> bool:
        try:
            attempts.count([(WORDS_OF_LIST, LIST)], at=at)
        except TooManyTries:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        through = list(pool.map(one, range(30)))

    assert sum(through) <= 10
    assert Attempt.objects.count() == sum(through)
    assert sum(through) + attempts.left(WORDS_OF_LIST, LIST, at=at)[0] == 10
