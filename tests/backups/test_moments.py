"""Moments are absolute, in the person's own time; the server's zone is named where theirs is not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import User
from backups import moments

AT = datetime(2026, 5, 3, 22, 30, tzinfo=UTC)  # 4 May in Berlin.


@pytest.mark.parametrize(
    ("zone", "back", "expected"),
    [
        ("", timedelta(0), ("22:30 UTC", "22:30 UTC", "Today, 22:30 UTC")),
        ("Europe/Berlin", timedelta(0), ("00:30", "00:30", "Today, 00:30")),
        ("Europe/Berlin", timedelta(hours=1), ("3 May", "3 May 2026, 23:30", "Yesterday, 23:30")),
        ("", timedelta(days=2), ("1 May", "1 May 2026, 22:30 UTC", "1 May 2026, 22:30 UTC")),
        ("", timedelta(days=365), ("3 May 2025", "3 May 2025, 22:30 UTC", "3 May 2025, 22:30 UTC")),
    ],
)
def test_moment_is_said_shortly_in_full_and_in_a_list(zone: str, back: timedelta, expected: tuple[str, ...]) -> None:
    user, moment = User(time_zone=zone), AT - back

    with timezone.override(zone or "UTC"):
        said = tuple(say(moment, user, at=AT) for say in (moments.short, moments.full, moments.listed))

    assert said == expected


@pytest.mark.parametrize(
    ("zone", "days", "expected"),
    [("", 1, "Monday, 22:30 UTC"), ("Europe/Berlin", 1, "Tuesday, 00:30"), ("", 8, "Monday, 11 May, 22:30 UTC")],
)
def test_moment_to_come_is_said_by_its_day(zone: str, days: int, expected: str) -> None:
    with timezone.override(zone or "UTC"), time_machine.travel(AT, tick=False):
        assert moments.ahead(AT + timedelta(days=days), User(time_zone=zone)) == expected
