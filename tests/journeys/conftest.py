"""What journeys share that go by the demo's provider: its issuers, the roles that lead to them, and a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from authweb import providers
from authweb.demo.provider import issuers
from tests.demo_provider import Provider


@pytest.fixture(scope="module")
def provider(live_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """The demo's three issuers, which answer the server of the tests."""
    with Provider(tmp_path_factory.mktemp("provider"), site=str(live_server.url)) as provider:
        yield provider


@pytest.fixture
def demo_roles(provider: Provider, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Roles mapped as the demo maps them."""
    for named in issuers.roles(provider.port).values():
        for variable, value in named.items():
            monkeypatch.setenv(variable, value)
    settings.SOCIALACCOUNT_PROVIDERS, settings.WAYS = providers.providers(), providers.ways()


@pytest.fixture
def store(settings: Any, tmp_path: Path) -> Path:
    """A store of this test's own."""
    settings.DATA_DIR, place = tmp_path, tmp_path / "backups"
    own = {**settings.STORAGES["backups"], "OPTIONS": {"location": place, "make": True}}
    settings.STORAGES = {**settings.STORAGES, "backups": own}
    return place
