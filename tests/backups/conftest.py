"""Stores for the tests of backups: a directory, and a bucket of a real service in its own process."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.vault import keys
from backups.storage import DirectoryStore, WriteOnce
from tests import buckets
from tests.attacks.conftest import written as written  # noqa: PLC0414 - a fixture of both
from tests.backups.support import FaultyStore

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def service() -> Iterator[int]:
    """The port of an S3 service that runs while the tests do."""
    with buckets.service() as port:
        yield port


@pytest.fixture
def bucket(service: int) -> str:
    """A bucket of the test's own, empty."""
    name = f"bucket-{next(_NUMBERS)}"
    buckets.client(service).create_bucket(Bucket=name)
    return name


@pytest.fixture
def between(service: int) -> Iterator[buckets.Between]:
    """Somebody between the store and the service, who spoils what passes."""
    between = buckets.Between(service)
    yield between
    between.close()


@pytest.fixture
def s3_store(bucket: str, between: buckets.Between) -> Iterator[Callable[..., Any]]:
    """`s3_store(read=0.3)`: a store in the bucket, through whoever stands between."""
    from backups.storage_s3 import S3Store  # noqa: PLC0415 - boto3 is loaded where it is needed

    made: list[Any] = []

    def in_bucket(**options: Any) -> Any:
        store = S3Store(**{**buckets.options(between.port, bucket, connect=1.0, read=5.0), **options})
        made.append(store)
        return store

    yield in_bucket
    for store in made:
        store.connection.meta.client.close()


@pytest.fixture(params=["directory", "bucket"])
def described(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Each store, as STORAGES would describe it; empty."""
    if request.param == "directory":
        return {"BACKEND": "backups.storage.DirectoryStore", "OPTIONS": {"location": str(tmp_path)}}
    name, port = request.getfixturevalue("bucket"), request.getfixturevalue("service")
    return {
        "BACKEND": "backups.storage_s3.S3Store",
        "OPTIONS": buckets.options(port, name, prefix="authweb", read=30.0),
    }


@pytest.fixture
def store(described: dict[str, Any]) -> Iterator[WriteOnce]:
    """Each store, empty."""
    from tests.store_writer import store as made_of  # noqa: PLC0415 - the child's own module

    store = made_of(described)
    yield store
    if not isinstance(store, DirectoryStore):
        store.connection.meta.client.close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    """Where the store of this test alone lies: the one that the settings name."""
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {
            "BACKEND": "backups.storage.DirectoryStore",
            "OPTIONS": {"location": tmp_path / "store", "make": True},
        },
    }
    return tmp_path / "store"


@pytest.fixture
def store_of_all(folder: Path, settings: Any) -> Iterator[Path]:
    """The store that processes started by a test have by their settings: this test's alone while it lasts."""
    place = Path(settings.DATA_DIR) / "backups"
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {**settings.STORAGES["backups"], "OPTIONS": {"location": place, "make": True}},
    }
    shutil.rmtree(place, ignore_errors=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def faulty(folder: Path, settings: Any) -> Iterator[type[FaultyStore]]:
    """The same, and it fails as the test says."""
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {**settings.STORAGES["backups"], "BACKEND": "tests.backups.support.FaultyStore"},
    }
    FaultyStore.faults.clear()
    yield FaultyStore
    FaultyStore.faults.clear()
    FaultyStore.on_call = None


@pytest.fixture
def rotate(newer_key: Callable[[keys.Role], Path]) -> Callable[[], object]:
    """`rotate()` adds an S."""
    return lambda: newer_key(keys.Role.STORE)
