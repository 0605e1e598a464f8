"""Welcome, health, and the last page of all."""

from __future__ import annotations

import logging

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse

from authweb import views
from tests.factories import Visitor


def test_healthz_says_ok_while_database_and_cache_answer(db: None) -> None:
    answer = Client().get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "cache": "ok"})
    assert answer.cookies.output() == ""


@pytest.mark.django_db(transaction=True)
def test_healthz_says_which_store_is_down(caplog: pytest.LogCaptureFixture) -> None:
    nobody_listens = {"default": {**settings.CACHES["default"], "LOCATION": "no_such_table"}}

    with override_settings(CACHES=nobody_listens):
        answer = Client().get("/healthz")

    assert (answer.status_code, answer.json()) == (503, {"database": "ok", "cache": "down"})
    assert [record.getMessage() for record in caplog.records] == [
        "The cache does not answer.",
        "Service Unavailable: /healthz",
    ]
    assert cache.get("healthz") is None


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
