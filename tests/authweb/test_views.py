"""Welcome, health, and the last page of all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse

from authweb import views
from tests import buckets
from tests.factories import Visitor


def test_healthz_says_ok_while_all_stores_answer(db: None) -> None:
    answer = Client().get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "cache": "ok", "store": "ok"})
    assert answer.cookies.output() == ""


@pytest.mark.django_db(transaction=True)
def test_healthz_says_which_store_is_down(caplog: pytest.LogCaptureFixture) -> None:
    nobody_listens = {"default": {**settings.CACHES["default"], "LOCATION": "no_such_table"}}

    with override_settings(CACHES=nobody_listens):
        answer = Client().get("/healthz")

    assert (answer.status_code, answer.json()) == (503, {"database": "ok", "cache": "down", "store": "ok"})
    assert [record.getMessage() for record in caplog.records] == [
        "The cache does not answer.",
        "Service Unavailable: /healthz",
    ]
    assert cache.get("healthz") is None


def test_healthz_says_that_the_store_of_backups_is_down_and_asks_it_now_and_then(
    db: None,
    tmp_path,  # noqa: ANN001
    settings,  # noqa: ANN001
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder, now = tmp_path / "not-mounted", [1000.0]
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {"BACKEND": "backups.storage.DirectoryStore", "OPTIONS": {"location": str(folder)}},
    }
    monkeypatch.setattr(views.time, "monotonic", lambda: now[0])

    answer = Client().get("/healthz")
    folder.mkdir()
    soon = Client().get("/healthz")
    now[0] += 6
    later = Client().get("/healthz")

    assert (answer.status_code, answer.json()) == (503, {"database": "ok", "cache": "ok", "store": "down"})
    assert [soon.json()["store"], later.json()["store"], later.status_code] == ["down", "ok", 200]
    assert [record.getMessage() for record in caplog.records if record.name == "authweb"] == [
        "The store of backups cannot be written to: unreachable (no such directory)."
    ]


@pytest.fixture
def slow_store(settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[buckets.Between]:  # noqa: ANN001
    """Who stands before the bucket of backups, and lets it wait a second; each health check may ask it anew."""
    between = buckets.Between(0)  # Nothing is passed on: each answer is said beforehand.
    options = buckets.options(between.port, "backups", connect=1.0, read=5.0)
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {"BACKEND": "backups.storage_s3.S3Store", "OPTIONS": options},
    }
    monkeypatch.setattr(views, "_STORE_ASKED_EVERY", 0.0)
    yield between
    between.close()


def store_is(start: Callable[[], object] = lambda: None) -> str:
    """What a health check says of the store of backups."""
    start()
    try:
        return str(Client().get("/healthz").json()["store"])
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_healthz_asks_a_slow_store_once_for_all_who_know_nothing_yet(
    slow_store: buckets.Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_STORE_ASKED_EVERY", 60.0)
    slow_store.spoil(*["slow"] * 8)
    together = Barrier(8)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: store_is(lambda: together.wait(20)), range(8)))

    assert told == ["down"] * 8
    assert len(slow_store.asked) == 1


@pytest.mark.django_db(transaction=True)
def test_healthz_tells_what_is_known_while_one_asks_a_slow_store(slow_store: buckets.Between) -> None:
    slow_store.spoil("412")  # What is there already is not written again: so it can be written to.
    before = store_is()
    slow_store.spoil(*["slow"] * 9)
    slow_store.slow = 3.0

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(store_is)
        until = time.monotonic() + 20
        while not slow_store.asked and time.monotonic() < until:
            time.sleep(0.01)
        meanwhile = list(pool.map(lambda _: store_is(), range(8)))
        still_asking, asked = not first.done(), len(slow_store.asked)
    slow_store.spoil("412")

    assert (before, meanwhile, first.result(), store_is()) == ("ok", ["ok"] * 8, "down", "ok")
    assert (still_asking, asked) == (True, 1)


def test_healthz_asks_neither_for_a_sign_in_nor_for_a_session(db: None, queries) -> None:  # noqa: ANN001
    assert queries(lambda: Client().get("/healthz")) == 2


def test_welcome_sends_a_signed_in_person_to_the_list(alice: Visitor) -> None:
    answer = alice.client.get(reverse("welcome"))

    assert (answer.status_code, answer.headers["Location"]) == (302, reverse("accounts:list"))


def test_error_page_shows_the_reference_that_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    request = RequestFactory().get("/accounts/", {"q": "secret of the query"})

    answer = views.server_error(request)

    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    reference = logged[0].split(":")[0]
    assert answer.status_code == 500
    assert logged == [f"{reference}: GET /accounts/"]
    assert reference in answer.content.decode()


def test_error_page_answers_though_its_template_is_broken(tmp_path, caplog: pytest.LogCaptureFixture) -> None:  # noqa: ANN001
    (tmp_path / "500.html").write_text("{% no_such_tag %}")
    broken = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    with override_settings(TEMPLATES=broken):
        answer = views.server_error(RequestFactory().get("/"))

    assert answer.status_code == 500
    assert answer.content.decode().startswith("The fault is on our side. AW-")
