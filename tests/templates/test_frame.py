"""The frame of every page, and the pages that are shown when no other can be."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.template import loader
from django.test import RequestFactory, override_settings

from accounts.forms import DeviceForm
from accounts.models import User

ID = "00000000-0000-4000-8000-000000000007"
LAST_PAGES = ("400.html", "403.html", "403_csrf.html", "404.html", "429.html")


def asked(user: User | AnonymousUser) -> HttpRequest:
    request = RequestFactory().get("/somewhere/")
    request.user = user
    return request


def rendered(template: str, user: User | AnonymousUser | None = None, **context: object) -> str:
    return loader.get_template(template).render(context, asked(user or AnonymousUser()))


@pytest.mark.parametrize("template", LAST_PAGES)
def test_page_of_an_error_says_one_sentence_and_one_next_step(template: str) -> None:
    main = re.search(r"<main.*</main>", rendered(template), re.DOTALL)

    assert main is not None
    assert (main[0].count("<h1>"), main[0].count("<p "), main[0].count("button-main")) == (1, 1, 1)


def test_page_of_our_own_fault_needs_neither_request_nor_database() -> None:
    page = loader.get_template("500.html").render({"reference": "AW-7Q3K-2F"})

    assert "AW-7Q3K-2F" in page
    assert re.findall(r"<h1>(.*)</h1>", page) == ["The fault is on our side."]


@pytest.mark.parametrize(
    ("theme", "scheme", "bars"),
    [
        ("system", "light dark", ["#e8f0ee", "#070f10"]),
        ("light", "light", ["#e8f0ee"]),
        ("dark", "dark", ["#070f10"]),
    ],
)
def test_page_has_the_colours_a_person_chose(theme: str, scheme: str, bars: list[str]) -> None:
    page = rendered("404.html", User(email="alice@example.org", theme=theme))

    assert re.findall(r'data-theme="(\w+)"', page) == [theme]
    assert re.findall(r'name="color-scheme" content="([^"]*)"', page) == [scheme]
    assert re.findall(r'name="theme-color" content="([^"]*)"', page) == bars


def test_demo_says_so_on_every_page() -> None:
    with override_settings(DEMO=True):
        demo = rendered("404.html")

    assert ("This is a demo" in demo, "This is a demo" in rendered("404.html")) == (True, False)


def test_error_summary_takes_the_focus_and_leads_to_each_field() -> None:
    page = rendered(
        "accounts/_device_form.html", form=DeviceForm({"device_id": ID, "name": "", "type": "toaster"}), action="/"
    )

    assert "2 things to correct" in page
    assert re.search(r'<div class="errors" role="alert" tabindex="-1" autofocus>', page)
    targets = re.findall(r'<a href="#([^"]+)">', page)
    assert targets == ["id_name", "id_type"]
    assert [len(re.findall(rf'\bid="{target}"', page)) for target in targets] == [1, 1]


def test_field_in_error_is_bound_to_its_sentence() -> None:
    page = rendered(
        "accounts/_device_form.html", form=DeviceForm({"device_id": ID, "name": "", "type": "ios"}), action="/"
    )

    field = re.search(r'<input[^>]*name="name"[^>]*>', page)
    assert field is not None
    assert ('aria-invalid="true"' in field[0], 'aria-describedby="id_name_error"' in field[0]) == (True, True)
    assert len(re.findall(r'id="id_name_error"', page)) == 1
