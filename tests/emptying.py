"""What a test committed goes after it: from the tables that hold something, and nothing is migrated anew for that.

Django's flush empties all tables one by one and then makes each permission and content type again, at every test.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connections, transaction
from django.test import TransactionTestCase

# Filled by migrating, and left alone by the application.
_MIGRATED = frozenset({"auth_permission", "django_content_type"})


def empty(alias: str = "default") -> list[str]:
    """Empty the tables. Returns those that held something."""
    quoted = connections[alias].ops.quote_name
    asked = (f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {quoted(table)})" for table in _tables(alias))  # noqa: S608
    with transaction.atomic(alias), connections[alias].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(asked))
        full = [table for (table,) in cursor.fetchall()]
        for table in full:  # In any order: what refers to another is looked at when all are gone.
            cursor.execute(f"DELETE FROM {quoted(table)}")  # noqa: S608 - names of our own tables
    return full


@cache
def _tables(alias: str) -> tuple[str, ...]:
    found = connections[alias].introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(sorted(set(found) - _MIGRATED))


def install() -> None:
    """From now on, after each test that commits."""

    def after(case: Any) -> None:
        for alias in case._databases_names(include_mirrors=False):
            empty(alias)

    TransactionTestCase._fixture_teardown = after  # type: ignore[attr-defined]
