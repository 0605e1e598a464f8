"""What the page really asks for: static/js/clock.js itself, in a browser whose time is simulated, hour after hour.

So the figures follow the script, and cannot drift away from it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import brotli
import time_machine
from playwright.sync_api import Route, sync_playwright

from tests import browsers
from tests.environment import ROOT
from tests.people import Person

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Request:
    """When, and with which query."""

    at: datetime
    query: str


def of(person: Person, hours: int) -> list[list[Request]]:
    """The requests for codes of each of these hours, while the list of this person is looked at all the time."""
    begun = datetime.now(tz=UTC)
    made: list[Request] = []

    def ask(address: str, milliseconds: float) -> Any:
        request = Request(datetime.fromtimestamp(milliseconds / 1000, tz=UTC), urlsplit(address).query)
        made.append(request)
        with time_machine.travel(request.at, tick=False):
            return json.loads(person.refresh(request.query))

    with time_machine.travel(begun, tick=False):
        page = brotli.decompress(person.page()).decode()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browsers.find(), args=list(browsers.ARGUMENTS))
        context = chromium.new_context()
        script = (Path(__file__).with_name("hours.js")).read_text()
        context.add_init_script(script.replace("EPOCH", str(begun.timestamp() * 1000)))
        context.expose_function("ask", ask)
        context.route("**/*", lambda route: _answer(route, page))
        tab = context.new_page()
        tab.goto("https://auth.example.org/accounts/")
        tab.evaluate(f"window.live({hours * 3600})")
        chromium.close()
    return [[one for one in made if begun + hour * HOUR <= one.at < begun + (hour + 1) * HOUR] for hour in range(hours)]


def _answer(route: Route, page: str) -> None:
    """The page and its clock; nothing else of it matters here."""
    path = urlsplit(route.request.url).path
    if path == "/accounts/":
        route.fulfill(body=page, content_type="text/html; charset=utf-8")
    elif path.startswith("/static/js/clock."):
        route.fulfill(path=ROOT / "static/js/clock.js", content_type="text/javascript")
    else:
        route.abort()
