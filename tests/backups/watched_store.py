"""A store for schedules: away or the end of its process when it is told to, and watched in what it was given."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from backups import storage
from backups.storage import DirectoryStore, StoreFailed


class Killed(BaseException):
    """The process ends here."""


class WatchedStore(DirectoryStore):
    """A directory that is away when it is told to, ends its process at a call, and knows what each name was given."""

    away: ClassVar[bool] = False
    killed_at: ClassVar[str] = ""
    given: ClassVar[dict[str, bytes]] = {}

    def _act(self, act: str) -> None:
        if WatchedStore.killed_at == act:
            WatchedStore.killed_at = ""
            raise Killed
        if WatchedStore.away:
            raise StoreFailed(storage.Cause.UNREACHABLE)

    def create(self, name: str, data: bytes) -> None:
        """Noted once it is kept."""
        self._act("create")
        super().create(name, data)
        WatchedStore.given[name] = data

    def fetch(self, name: str) -> bytes:
        """As it is."""
        self._act("fetch")
        return super().fetch(name)

    def remove(self, name: str) -> bool:
        """As it is."""
        self._act("remove")
        return super().remove(name)

    def names(self, prefix: str = "") -> Iterator[str]:
        """As they are."""
        self._act("names")
        return super().names(prefix)


@contextmanager
def answering() -> Iterator[storage.WriteOnce]:
    """The store for a look at what is so, whatever it does to others."""
    away, WatchedStore.away = WatchedStore.away, False
    killed_at, WatchedStore.killed_at = WatchedStore.killed_at, ""
    yield storage.backups()
    WatchedStore.away, WatchedStore.killed_at = away, killed_at


def copied() -> dict[str, bytes]:
    """All of it, as an operator copies a directory."""
    with answering() as store:
        return {name: store.fetch(name) for name in store.names()}


def put_back(copy: Mapping[str, bytes]) -> None:
    """The directory is as it was when it was copied: what came since is gone, what went is there again."""
    with answering() as store:
        for name in set(store.names()) - copy.keys():
            store.remove(name)
        for name in copy.keys() - set(store.names()):
            store.create(name, copy[name])


def begin() -> None:
    """An empty store that answers and knows of nothing."""
    WatchedStore.away, WatchedStore.killed_at = False, ""
    put_back({})
    WatchedStore.given.clear()


@pytest.fixture
def watched(settings: Any) -> Iterator[None]:
    """The store of the schedules, in memory where the system has such a place: they do not pull the plug."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own in it
    place = Path(tempfile.mkdtemp(prefix="authweb-", dir=memory if memory.is_dir() else None))
    options = {"location": place / "store", "make": True}
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {"BACKEND": "tests.backups.watched_store.WatchedStore", "OPTIONS": options},
    }
    yield
    shutil.rmtree(place)
