"""A store of its own for each test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import proving
from tests.fake_op import FakeProvider
from tests.proving import Roles


@pytest.fixture(autouse=True)
def own_store(settings: Any, tmp_path: Path) -> Path:
    """An empty directory for the saved states of this test alone."""
    settings.DATA_DIR = tmp_path
    if "backups" in settings.STORAGES:
        store = {**settings.STORAGES["backups"], "OPTIONS": {"location": tmp_path / "backups", "make": True}}
        settings.STORAGES = {**settings.STORAGES, "backups": store}
    return tmp_path / "backups"


@pytest.fixture(autouse=True)
def roles(op: FakeProvider, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Roles:
    """Each role at a provider of the tests."""
    return proving.mapped(op, monkeypatch, settings)
