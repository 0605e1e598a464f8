"""What a device is told of the app, and what the worker keeps: nobody's, in each language, new with each release."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import resolve, reverse

from authweb import installing
from tests.factories import Visitor

NAMES = [("en", "Restore from backup"), ("de", "Aus Sicherung wiederherstellen")]


@pytest.mark.parametrize(("language", "restore"), NAMES)
def test_manifest_is_whole_in_each_language(language: str, restore: str, settings: Any) -> None:
    told = Client().get(reverse("manifest", args=[language]))

    manifest = told.json()
    pictures = [*manifest["icons"], *(icon for one in manifest["shortcuts"] for icon in one["icons"])]
    missing = [one["src"] for one in pictures if not finders.find(one["src"].removeprefix(settings.STATIC_URL))]
    assert told.headers["Content-Type"] == "application/manifest+json"
    assert {one.get("purpose") for one in manifest["icons"]} == {"any", "maskable", None}
    assert missing == []
    assert [manifest["lang"], manifest["dir"], manifest["scope"], manifest["id"]] == [language, "ltr", "/", "/"]
    assert [resolve(one["url"]).view_name for one in manifest["shortcuts"]] == [
        "accounts:list",
        "accounts:add",
        "backups:restore",
    ]
    assert manifest["shortcuts"][-1]["name"] == restore


def test_page_without_a_connection_is_the_same_for_everybody(alice_phone: Visitor) -> None:
    address = reverse("offline", args=["en"])

    answers = [client.get(address) for client in (Client(), alice_phone.client)]

    assert answers[0].content == answers[1].content
    assert "No connection." in answers[0].content.decode()
    assert [Client().get(reverse(name, args=["xx"])).status_code for name in ("offline", "manifest")] == [404, 404]


def test_worker_is_another_one_when_what_it_keeps_is(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG = True  # Elsewhere it is written once.
    scripts = [installing.worker()]

    scripts.append(installing.worker())
    monkeypatch.setattr(installing, "_FILES", (*installing._FILES, "css/forms.css"))
    scripts.append(installing.worker())
    monkeypatch.setattr(installing, "offline", lambda language: f"Another sentence in {language}.")
    scripts.append(installing.worker())

    assert [one == scripts[0] for one in scripts] == [True, True, False, False]
    assert scripts[2] != scripts[3]


def test_worker_answers_for_the_whole_site_and_is_kept_for_an_hour() -> None:
    answer = Client().get("/worker.js")

    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, max-age=3600"
    assert answer.content.decode() == installing.worker()
