"""Codes without a server: for 100 seconds nobody answers, and an account of five seconds shows each code in time."""

from __future__ import annotations

import contextlib
import http.client
import signal
import time
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from playwright.sync_api import sync_playwright

from tests import browsers
from tests.factories import SECRET
from tests.served import Served

BOUNDARIES = 20
PERIOD = 5
LATE = 0.05
# Each change of the code that is drawn, by the clock of the machine, which is the server's too.
_WATCH = """
(row) => {
  const code = row.querySelector("[data-code]");
  window.seen = [];
  new MutationObserver(() => window.seen.push([Date.now() / 1000, code.textContent])).observe(code, {
    childList: true,
    characterData: true,
    subtree: true,
  });
}
"""


def late(directory: Path) -> list[float]:
    """By how many seconds the right code came after each boundary; infinite where it did not come within the period."""
    with Served(directory, accounts=10) as served, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browsers.find(), args=list(browsers.ARGUMENTS))
        context = chromium.new_context(base_url=served.address)
        served.sign_in(context)
        page = context.new_page()
        page.goto("/accounts/")  # A worker that has answered before answers as it does for people.
        page.goto("/accounts/", wait_until="networkidle")
        page.locator(".row", has_text="Quick").evaluate(_WATCH)
        served.server.end(signal.SIGINT)
        _refused(served)
        first = (int(time.time()) // PERIOD + 1) * PERIOD
        boundaries = [first + number * PERIOD for number in range(BOUNDARIES)]
        page.wait_for_timeout((boundaries[-1] + 1 - time.time()) * 1000)
        seen: list[tuple[float, str]] = page.evaluate("window.seen")
        chromium.close()
    return [_lateness(boundary, seen) for boundary in boundaries]


def _lateness(boundary: int, seen: list[tuple[float, str]]) -> float:
    code = TOTP(SECRET, 6, SHA1(), PERIOD, enforce_key_length=False).generate(boundary).decode()  # noqa: S303
    return min((abs(at - boundary) for at, shown in seen if shown == code), default=float("inf"))


def _refused(served: Served) -> None:
    """Nobody answers any more."""
    with contextlib.closing(http.client.HTTPConnection("localhost", int(served.settings["PORT"]), timeout=5)) as asked:
        try:
            asked.request("GET", "/healthz")
        except OSError:
            return
    raise AssertionError("The server still listens.")
