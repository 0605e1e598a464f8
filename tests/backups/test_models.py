"""How a backup stands: ten states, told by one row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from backups.models import Backup, Cause, RecoveryAccount, Status

NOW = datetime(2026, 5, 3, 14, 2, tzinfo=UTC)


def a_backup(**fields: Any) -> Backup:
    """A backup on an iPhone that was saved and checked an hour ago, but for these fields; in no table."""
    account = RecoveryAccount(role="apple", device_type="ios", label="a…@icloud.example")
    saved = NOW - timedelta(hours=1)
    given = {"stream": "00" * 8, "on_at": saved, "saved_at": saved, "checked_at": saved, "recovery_account": account}
    return Backup(id=uuid4(), **{**given, **fields})


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, Status.PROTECTED),
        ({"stream": "", "recovery_account": None, "on_at": None}, Status.OFF),
        ({"deletes_at": NOW + timedelta(hours=1)}, Status.DELETING),
        ({"deletes_at": NOW + timedelta(hours=1), "failure": Cause.STORE}, Status.DELETING),
        ({"behind_since": NOW - timedelta(seconds=2)}, Status.SAVING),
        ({"behind_since": NOW - timedelta(seconds=3)}, Status.UNSAVED),
        ({"behind_since": NOW - timedelta(seconds=1), "failure": Cause.STORE}, Status.FAILING),
        ({"failure": Cause.NO_KEY}, Status.NEEDS_YOU),
        ({"failure": Cause.PROVIDER}, Status.NEEDS_YOU),
        ({"shrunk_from": 14}, Status.SHRUNK),
        ({"checked_at": NOW - timedelta(days=8)}, Status.PROTECTED),
        ({"checked_at": NOW - timedelta(days=8, seconds=1)}, Status.UNCHECKED),
        ({"checked_at": None}, Status.UNCHECKED),
    ],
)
def test_status_follows_from_what_was_checked(fields: dict[str, Any], status: Status) -> None:
    assert a_backup(**fields).status(NOW) is status


@pytest.mark.article("G-03")
def test_microsoft_on_an_iphone_needs_the_person_from_the_day_on(settings: Any) -> None:
    account = RecoveryAccount(role="microsoft", device_type="ios", label="a…@outlook.example")
    first = settings.ICLOUD_FROM
    backup = a_backup(recovery_account=account, checked_at=first)

    assert backup.status(first - timedelta(seconds=1)) is Status.PROTECTED
    assert backup.status(first) is Status.NEEDS_YOU


def test_status_of_now_is_that_of_a_list_without_a_backup() -> None:
    assert Backup().status(timezone.now()) is Status.OFF
