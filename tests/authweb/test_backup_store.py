"""Where backups lie, from the environment: whole, or the start fails and names the line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from authweb import backup_store
from tests import processes

DEFAULT = Path("/srv/authweb/backups")
BUCKET = {
    "BACKUP_STORE": "s3://our-backups",
    "BACKUP_S3_REGION": "eu-central-1",
    "BACKUP_S3_ACCESS_KEY_ID": "id",
    "BACKUP_S3_SECRET_ACCESS_KEY": "secret",
}


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The store of these settings, and of no others."""
    for name in list(os.environ):
        if name.startswith("BACKUP_"):
            monkeypatch.delenv(name)

    def with_settings(*, at_home: bool = False, **settings: str) -> dict[str, Any]:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return backup_store.store(default=DEFAULT, at_home=at_home)

    return with_settings


def test_store_is_a_directory_among_the_data_where_nothing_is_set(configured: Callable[..., dict[str, Any]]) -> None:
    assert configured() == {
        "BACKEND": "backups.storage.DirectoryStore",
        "OPTIONS": {"location": "/srv/authweb/backups", "make": True},
    }


def test_directory_that_is_named_is_not_made(configured: Callable[..., dict[str, Any]]) -> None:
    assert configured(BACKUP_STORE="/mnt/disk/backups")["OPTIONS"] == {"location": "/mnt/disk/backups", "make": False}


@pytest.mark.parametrize(
    ("address", "prefix"), [("s3://our-backups", ""), ("s3://our-backups/", ""), ("s3://our-backups/a/b.c/", "a/b.c")]
)
def test_bucket_is_named_with_region_and_keys(
    address: str, prefix: str, configured: Callable[..., dict[str, Any]]
) -> None:
    assert configured(**{**BUCKET, "BACKUP_STORE": address}) == {
        "BACKEND": "backups.storage_s3.S3Store",
        "OPTIONS": {
            "bucket": "our-backups",
            "prefix": prefix,
            "endpoint": None,
            "region": "eu-central-1",
            "access_key": "id",
            "secret_key": "secret",
        },
    }


def test_service_of_ones_own_needs_no_region_and_its_key_may_lie_in_a_file(
    configured: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("of-the-file\n")

    found = configured(
        BACKUP_STORE="s3://our-backups",
        BACKUP_S3_ENDPOINT="https://s3.example.org:9000/",
        BACKUP_S3_ACCESS_KEY_ID="id",
        BACKUP_S3_SECRET_ACCESS_KEY_FILE=str(tmp_path / "secret"),
    )["OPTIONS"]

    assert (found["endpoint"], found["region"], found["secret_key"]) == (
        "https://s3.example.org:9000",
        "us-east-1",
        "of-the-file",
    )


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost", "[::1]:9000"])
def test_service_without_https_is_taken_on_ones_own_machine_alone(
    host: str, configured: Callable[..., dict[str, Any]]
) -> None:
    settings = {**BUCKET, "BACKUP_S3_ENDPOINT": f"http://{host}"}

    assert configured(at_home=True, **settings)["OPTIONS"]["endpoint"] == f"http://{host}"
    with pytest.raises(ImproperlyConfigured, match="https is required"):
        configured(**settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"BACKUP_STORE": "backups"}, "whole path of a directory"),
        ({"BACKUP_STORE": "file:///srv/backups"}, "whole path of a directory"),
        ({"BACKUP_STORE": "s3:/our-backups"}, "whole path of a directory"),
        ({**BUCKET, "BACKUP_STORE": "s3://"}, "s3://bucket or s3://bucket/prefix"),
        ({**BUCKET, "BACKUP_STORE": "s3://Our_Backups"}, "s3://bucket or s3://bucket/prefix"),
        ({**BUCKET, "BACKUP_STORE": "s3://our-backups/../x"}, "s3://bucket or s3://bucket/prefix"),
        ({**BUCKET, "BACKUP_STORE": "s3://our-backups/.x"}, "s3://bucket or s3://bucket/prefix"),
        ({"BACKUP_STORE": "s3://our-backups"}, "set BACKUP_S3_REGION or BACKUP_S3_ENDPOINT, BACKUP_S3_ACCESS_KEY_ID"),
        ({**BUCKET, "BACKUP_S3_SECRET_ACCESS_KEY": ""}, "half configured: set BACKUP_S3_SECRET_ACCESS_KEY."),
        ({**BUCKET, "BACKUP_S3_REGION": "Europe, Frankfurt"}, "write the region's name"),
        ({**BUCKET, "BACKUP_S3_ENDPOINT": "http://s3.example.org"}, "https is required"),
        ({**BUCKET, "BACKUP_S3_ENDPOINT": "ftp://s3.example.org"}, "https is required"),
        ({**BUCKET, "BACKUP_S3_ENDPOINT": "s3.example.org"}, "write the service's address"),
        ({**BUCKET, "BACKUP_S3_ENDPOINT": "https://id:key@s3.example.org"}, "write the service's address"),
        ({**BUCKET, "BACKUP_S3_ENDPOINT": "https://s3.example.org/bucket"}, "write the service's address"),
        ({**BUCKET, "BACKUP_S3_ENDPOINT": "https://s3.example.org:port"}, "is no address"),
        ({**BUCKET, "BACKUP_STORE": ""}, "names no bucket, and yet BACKUP_S3_REGION, BACKUP_S3_ACCESS_KEY_ID"),
        ({**BUCKET, "BACKUP_STORE": "/srv/backups"}, "names no bucket"),
    ],
)
def test_what_is_no_store_is_refused(
    settings: dict[str, str], said: str, configured: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(ImproperlyConfigured, match=said) as refused:
        configured(at_home=True, **settings)

    assert "secret" not in str(refused.value)


PRODUCTION = {
    "SITE_URL": "https://auth.example.org",
    "EMAIL_URL": "smtp://mail.example.org:587",
    "SECRET_KEY": "of-a-test-alone-" * 4,
}


def checked(*tags: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`check --deploy` of a production with these settings."""
    return processes.manage("check", "--deploy", "--fail-level", "WARNING", settings={**PRODUCTION, **settings})


def test_half_a_bucket_stops_the_start() -> None:
    done = checked(BACKUP_STORE="s3://our-backups")

    assert done.returncode == 1
    assert "The bucket of BACKUP_STORE is half configured: set BACKUP_S3_REGION" in done.stderr


def test_hours_of_grace_are_a_number_in_bounds() -> None:
    done = checked(BACKUP_GRACE_HOURS="721")

    assert (done.returncode, "BACKUP_GRACE_HOURS='721': write a whole number from 1 to 720." in done.stderr) == (
        1,
        True,
    )


def test_production_with_a_bucket_has_nothing_to_say() -> None:
    done = checked(**BUCKET, ROLE_MICROSOFT_CLIENT_ID="id", ROLE_MICROSOFT_CLIENT_SECRET="secret")

    assert (done.returncode, done.stderr) == (0, "")


def test_production_is_warned_where_everything_lies_in_one_place(tmp_path: Path) -> None:
    done = checked(DATA_DIR=str(tmp_path), BACKUP_STORE=str(tmp_path / "not-there"))

    assert done.returncode == 1
    assert sorted(word for word in done.stderr.split() if word.startswith("(backups.")) == [
        "(backups.W001)",
        "(backups.W002)",
    ]
