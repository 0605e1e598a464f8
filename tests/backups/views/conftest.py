"""A store of its own for each test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def own_store(settings: Any, tmp_path: Path) -> Path:
    """An empty directory for the saved states of this test alone."""
    settings.DATA_DIR = tmp_path
    if "backups" in settings.STORAGES:
        store = {**settings.STORAGES["backups"], "OPTIONS": {"location": tmp_path / "backups"}}
        settings.STORAGES = {**settings.STORAGES, "backups": store}
    return tmp_path / "backups"
