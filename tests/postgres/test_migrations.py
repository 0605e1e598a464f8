"""Migrations on a real PostgreSQL: forward from nothing, all the way back, and forward again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from tests import processes
from tests.environment import DATABASE


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An empty database of this test's own."""
    address = urlsplit(os.environ[DATABASE])
    with psycopg.connect(os.environ[DATABASE], autocommit=True) as admin:
        admin.execute("CREATE DATABASE from_nothing")
        yield {
            "DEBUG": "1",
            "DEMO": "1",
            "DATA_DIR": str(tmp_path),
            "DATABASE_URL": address._replace(path="/from_nothing").geturl(),
        }
        admin.execute("DROP DATABASE from_nothing WITH (FORCE)")


def test_database_of_these_tests_is_postgresql() -> None:
    assert connection.vendor == "postgresql"


def test_migrations_go_forth_back_and_forth(settings: dict[str, str]) -> None:
    for arguments in (("migrate",), ("migrate", "accounts", "zero"), ("migrate",), ("migrate", "--check")):
        done = processes.manage(*arguments, settings=settings)
        assert (arguments, done.returncode, done.stderr) == (arguments, 0, "")


def test_commands_of_a_server_work_there(settings: dict[str, str]) -> None:
    for arguments in (("migrate",), ("createcachetable",), ("keys", "init"), ("keys", "check"), ("tidy",), ("tidy",)):
        done = processes.manage(*arguments, settings=settings)
        assert (arguments, done.returncode) == (arguments, 0), done.stderr
