"""Several browsers and processes change one list: nothing any of them wrote is lost. On SQLite and on PostgreSQL."""

from __future__ import annotations

import http.client
import itertools
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.middleware.csrf import get_token
from django.test import RequestFactory
from django.urls import reverse

from accounts.models import Vault
from accounts.services import vaults
from accounts.vault.entry import Type
from tests import factories, processes
from tests.environment import ROOT
from tests.factories import Visitor, create_entry

pytestmark = pytest.mark.django_db(transaction=True)


def write_together(*visitors: Visitor, writers: int, changes: int, manner: str) -> list[str]:
    """Start all writers, wait until each is ready, let them go at once, wait until all are done. What each said.

    With several visitors they take turns: each writer is at one of their browsers.
    """
    environment = processes.clean_environment(
        DJANGO_SETTINGS_MODULE="authweb.settings",
        DEBUG="1",
        DATA_DIR=str(settings.DATA_DIR),
        SERVER_KEYS_FILE=str(settings.SERVER_KEYS_FILE),
        SECRET_KEY=settings.SECRET_KEY,
        DATABASE_URL=address_of_database(),
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
        for (number, writer), visitor in zip(enumerate(started), itertools.cycle(visitors), strict=False):
            writer.stdin.write(f"{visitor.device.pk} {visitor.cookie.to_text()} {number} {changes} {manner}\n")
            writer.stdin.flush()
        assert [writer.stdout.readline() for writer in started] == ["ready\n"] * writers
        for writer in started:
            writer.stdin.write("go\n")
            writer.stdin.flush()
        said = [writer.communicate(timeout=100) for writer in started]
        assert [faults for _, faults in said] == [""] * writers
        return [words for words, _ in said]
    finally:
        for writer in started:
            if writer.poll() is None:
                writer.kill()
                writer.communicate()


def address_of_database() -> str:
    """The database of the tests, as DATABASE_URL names it."""
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


# -- Two browsers of one person ---------------------------------------------------------------------------------------


@pytest.fixture
def laptop(alice_phone: Visitor) -> Visitor:
    """Alice at her laptop, where the same list is open."""
    return factories.with_another_device(alice_phone, name="Alice's laptop", type="computer")


@pytest.mark.row("T16")
def test_whatever_two_browsers_do_at_once_is_all_kept(alice_phone: Visitor, laptop: Visitor) -> None:
    """Accounts that come, names, order, Trash; and no number of a counter is given twice."""
    create_entry(on=alice_phone, name="counter", type=Type.HOTP)
    writers, changes = 4, 8

    said = write_together(alice_phone, laptop, writers=writers, changes=changes, manner="everything")

    names = {f"{writer}-{change}" for writer in range(writers) for change in range(changes)}
    accounts = vaults.read(laptop.vault)
    given = sorted(int(step) for words in said for step in words.split())
    assert {entry.name for entry in accounts.entries if entry.type is not Type.HOTP} == names
    assert {entry.issuer for entry in accounts.entries if entry.type is not Type.HOTP} == {"Renamed"}
    assert {trashed.entry.name for trashed in accounts.trash} == {f"{name} gone" for name in names}
    assert given == list(range(writers * changes))
    assert next(entry for entry in accounts.entries if entry.type is Type.HOTP).counter == len(given)
    assert Vault.objects.get().version == 2 + 5 * len(given)


@pytest.mark.row("T16")
def test_next_code_of_two_browsers_at_once_is_never_of_one_number(
    live: str, alice_phone: Visitor, laptop: Visitor
) -> None:
    """Requests over the network, eight at a time."""
    entry = create_entry(on=alice_phone, name="counter", type=Type.HOTP)
    for visitor in (alice_phone, laptop):
        visitor.client.get(reverse("accounts:list"))  # The first answer of a browser gives its session another id.
    asked = [alice_phone, laptop] * 12

    with ThreadPoolExecutor(8) as pool:
        pages = list(
            pool.map(lambda visitor: posted(live, visitor, reverse("accounts:next-code", args=[entry.id])), asked)
        )

    given = sorted(int(number) for page in pages for number in re.findall(r"Code of counter (\d+)\.", page))
    assert given == list(range(len(asked)))
    assert laptop.entries[0].counter == len(asked)


def posted(site: str, visitor: Visitor, address: str) -> str:
    """The page that a form of this browser is answered with."""
    form = RequestFactory().get("/")
    token = get_token(form)
    cookies = {name: morsel.value for name, morsel in visitor.client.cookies.items()}
    cookies[settings.CSRF_COOKIE_NAME] = form.META["CSRF_COOKIE"]
    server = http.client.HTTPConnection(urlsplit(site).netloc, timeout=60)
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), "X-CSRFToken": token}
    server.request("POST", address, headers=headers)
    answer = server.getresponse()
    body = answer.read().decode()
    server.close()
    assert answer.status == 200, body
    return body
