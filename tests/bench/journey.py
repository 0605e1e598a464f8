"""A restore as a person goes through it, at the demo and its provider: how long a machine takes, by how many steps."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from authweb.demo.provider.issuers import MICROSOFT, PORTS
from authweb.demo.provider.people import PASSWORD
from tests import browsers, processes
from tests.demo_provider import Provider
from tests.processes import MANAGE, Started

WITHIN = 60.0
STEPS = 6

# Seconds by the keystroke-level model (Card, Moran, Newell: The Keystroke-Level Model for User Performance Time with
# Interactive Systems, CACM 23, 1980), for somebody who knows the way and the sign-in: reading is not in it.
_DECIDE, _POINT, _CLICK, _TO_KEYS = 1.35, 1.1, 0.2, 0.4
_KEY = 0.28  # An average typist without practice in this text.
PRESS = _DECIDE + _POINT + _CLICK


@dataclass(slots=True)
class Journey:
    """From "Restore from backup" to codes on the screen: the seconds, and on how many pages something is done.

    `by_hand` are the seconds that a person's hands and decisions take besides.
    """

    page: Page
    provider: Provider
    steps: int = 0
    seconds: float = 0.0
    by_hand: float = 0.0

    def go(self) -> None:
        """Alice, who is new, restores what bob at Microsoft keeps of a laptop that is lost."""
        begun = time.monotonic()
        self._press("Restore from backup")
        self._does("Restore from backup", f"Sign in with {MICROSOFT.name}")
        self.steps += 1
        self.provider.sign_in(self.page, MICROSOFT, "bob")
        for typed in (f"bob@{MICROSOFT.domain}", PASSWORD):
            self.by_hand += PRESS + _TO_KEYS + len(typed) * _KEY
        self.by_hand += PRESS
        self._does("Choose the backup", "Continue")
        self._does("4 of 5 will have codes", "Restore")
        self._does("Sign in to restore your account", "Finish later")
        self._does("Restored 4 of 5.", "Look at your codes")
        expect(self.page.locator(".row", has_text="Nextcloud").locator("[data-code]")).to_have_text(
            re.compile(r"^\d{3}\s?\d{3}$")
        )
        self.seconds = time.monotonic() - begun

    def _does(self, heading: str, press: str) -> None:
        """One page of the way, and what leads on from it."""
        self.steps += 1
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)
        self._press(press)

    def _press(self, name: str) -> None:
        self.by_hand += PRESS
        main = self.page.locator("main")
        main.get_by_role("button", name=name).or_(main.get_by_role("link", name=name)).click()


def of(directory: Path) -> Journey:
    """Hers, once, at a demo that is just up."""
    port = processes.free_port(and_next=PORTS - 1)
    settings = {"DEBUG": "1", "DEMO": "1", "PORT": str(port), "DATA_DIR": str(directory)}
    with Started([*MANAGE, "demo"], settings=settings) as demo, sync_playwright() as playwright:
        demo.wait_for("Ctrl-C ends it.")
        chromium = playwright.chromium.launch(executable_path=browsers.find(), args=list(browsers.ARGUMENTS))
        page = chromium.new_context(base_url=f"http://localhost:{port}").new_page()
        page.goto("/sign-in/login/")
        page.get_by_label("E-mail").fill("alice@example.org")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url("**/start/")
        journey = Journey(page, Provider(directory, port=port))
        journey.go()
        chromium.close()
    return journey
