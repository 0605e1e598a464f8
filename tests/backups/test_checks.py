"""What is said of tables and of a store before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import checks as django_checks

from accounts.vault.entry import Kind
from backups import checks
from backups.portions import PORTIONS
from tests import buckets

ELSEWHERE = Path("/proc/version")  # A file on a file system of its own, on any Linux.


@pytest.fixture
def stored_at(settings: Any) -> Callable[..., None]:
    """`stored_at(folder)`: the store is a directory there."""

    def placed(folder: Path, *, make: bool = False) -> None:
        settings.STORAGES = {
            **settings.STORAGES,
            "backups": {
                "BACKEND": "backups.storage.DirectoryStore",
                "OPTIONS": {"location": str(folder), "make": make},
            },
        }

    return placed


def ids(found: list[django_checks.CheckMessage]) -> list[str | None]:
    """What was found, by its id."""
    return [message.id for message in found]


def test_store_and_keys_on_one_file_system_are_warned_of(
    stored_at: Callable[..., None], settings: Any, tmp_path: Path
) -> None:
    stored_at(tmp_path / "not" / "made" / "yet")
    settings.SERVER_KEYS_FILE = tmp_path / "server-keys.txt"
    assert ids(checks.store_lies_apart_from_the_keys()) == ["backups.W001"]

    settings.SERVER_KEYS_FILE = ELSEWHERE
    assert ids(checks.store_lies_apart_from_the_keys()) == []


def test_link_to_another_disk_counts_as_that_disk(
    stored_at: Callable[..., None], settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "keys").symlink_to(ELSEWHERE)
    stored_at(tmp_path)
    settings.SERVER_KEYS_FILE = tmp_path / "keys"

    assert ids(checks.store_lies_apart_from_the_keys()) == []


def test_store_that_cannot_be_written_to_is_warned_of(stored_at: Callable[..., None], tmp_path: Path) -> None:
    stored_at(tmp_path / "not-mounted")
    assert [message.msg for message in checks.store_can_be_written_to()] == [
        f"Backups cannot be written to {tmp_path / 'not-mounted'}: unreachable (no such directory)."
    ]

    stored_at(tmp_path)
    assert ids(checks.store_can_be_written_to()) == []


@pytest.mark.parametrize("place", ["static", "static/backups", "."])
def test_store_among_what_is_served_is_refused(
    place: str, stored_at: Callable[..., None], settings: Any, tmp_path: Path
) -> None:
    settings.STATIC_ROOT = tmp_path / "static"
    stored_at(tmp_path / place)
    assert ids(checks.store_is_not_served()) == ["backups.E002"]

    stored_at(tmp_path / "static-not")
    assert ids(checks.store_is_not_served()) == []


def test_store_within_the_program_is_warned_of(stored_at: Callable[..., None], settings: Any, tmp_path: Path) -> None:
    stored_at(settings.BASE_DIR / "var" / "data" / "backups")
    assert ids(checks.store_is_not_part_of_the_program()) == ["backups.W003"]

    stored_at(tmp_path)
    assert ids(checks.store_is_not_part_of_the_program()) == []


def test_store_that_overwrites_is_refused(settings: Any) -> None:
    for entry in ({"BACKEND": "django.core.files.storage.FileSystemStorage"}, {}):
        settings.STORAGES = {**settings.STORAGES, "backups": entry}

        assert ids(checks.store_writes_once()) == ["backups.E003"]


def test_bucket_is_asked_nothing_before_the_start(settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {"BACKEND": "backups.storage_s3.S3Store", "OPTIONS": buckets.options(9, "nobody-listens")},
    }

    for check in (
        checks.store_writes_once,
        checks.store_is_not_served,
        checks.store_is_not_part_of_the_program,
        checks.store_lies_apart_from_the_keys,
        checks.store_can_be_written_to,
    ):
        assert check() == []


def test_every_kind_has_a_portion() -> None:
    assert checks.every_kind_has_a_portion() == []


@pytest.mark.article("S-31")
def test_check_names_the_kind_without_a_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {kind: portion for kind, portion in PORTIONS.items() if kind is not Kind.WORK}
    monkeypatch.setattr(checks, "PORTIONS", without)

    found = checks.every_kind_has_a_portion()

    assert [(error.id, error.msg, error.hint) for error in found] == [
        ("backups.E001", "No portion for work.", "Kind.WORK: Portion.…,")
    ]
