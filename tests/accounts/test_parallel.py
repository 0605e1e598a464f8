"""Several processes change one list: nothing any of them wrote is lost. On SQLite, and on PostgreSQL as well."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import Vault
from tests import processes
from tests.environment import ROOT
from tests.factories import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


def write_together(visitor: Visitor, *, writers: int, changes: int, manner: str) -> None:
    """Start all writers, wait until each is ready, let them go at once, wait until all are done."""
    environment = processes.clean_environment(
        DJANGO_SETTINGS_MODULE="authweb.settings",
        DEBUG="1",
        DATA_DIR=str(settings.DATA_DIR),
        SERVER_KEYS_FILE=str(settings.SERVER_KEYS_FILE),
        SECRET_KEY=settings.SECRET_KEY,
        DATABASE_URL=_address(),
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.writer"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(writers)
    ]
    try:
        for number, writer in enumerate(started):
            writer.stdin.write(f"{visitor.device.pk} {visitor.cookie.to_text()} {number} {changes} {manner}\n")
            writer.stdin.flush()
        assert [writer.stdout.readline() for writer in started] == ["ready\n"] * writers
        said = []
        for writer in started:
            writer.stdin.write("go\n")
            writer.stdin.flush()
        for writer in started:
            said.append(writer.communicate(timeout=100)[1])
        assert said == [""] * writers
    finally:
        for writer in started:
            if writer.poll() is None:
                writer.kill()
                writer.communicate()


def _address() -> str:
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return f"postgres://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


@pytest.mark.row("T16")
def test_changes_of_one_list_by_eight_processes_are_all_kept(alice_phone: Visitor) -> None:
    write_together(alice_phone, writers=8, changes=25, manner="careful")

    assert {entry.name for entry in alice_phone.entries} == {f"{n}-{c}" for n in range(8) for c in range(25)}
    assert Vault.objects.get().version == 201


@pytest.mark.row("T16")
def test_writing_a_list_back_that_was_read_earlier_would_lose_changes(alice_phone: Visitor) -> None:
    write_together(alice_phone, writers=4, changes=10, manner="naive")

    assert len(alice_phone.entries) < 40
