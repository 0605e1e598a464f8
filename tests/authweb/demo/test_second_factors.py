"""Alice signs in at the demo's provider with codes that the list of the demo shows; one command starts both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from authweb.demo import people
from authweb.demo.provider.issuers import CONTOSO, MICROSOFT, PORTS
from tests import processes
from tests.conftest import Faults
from tests.demo_provider import Provider, Somebody
from tests.processes import MANAGE, Started


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Provider]:
    """The demo, running, seen from its provider."""
    port = processes.free_port(and_next=PORTS - 1)
    settings = {"DEBUG": "1", "DEMO": "1", "PORT": str(port), "DATA_DIR": str(tmp_path)}
    with Started([*MANAGE, "demo"], settings=settings) as started:
        started.wait_for("Ctrl-C ends it.")
        yield Provider(tmp_path, port=port)


@pytest.fixture
def page(browser: Browser, demo: Provider, faults: Faults) -> Iterator[Page]:
    """A page of a phone at the demo."""
    context = browser.new_context(base_url=demo.site, viewport={"width": 360, "height": 740})
    context.set_default_timeout(10_000)
    faults.watch(context)
    yield context.new_page()
    context.close()


def test_codes_in_the_list_let_alice_in_at_the_provider(demo: Provider, page: Page) -> None:
    page.goto("/sign-in/login/")
    page.get_by_label("E-mail").fill(people.PEOPLE[0].email)
    page.get_by_label("Password").fill(people.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Set up this device").click()
    expect(page.locator(".row")).to_have_count(12)

    for issuer in (MICROSOFT, CONTOSO):
        alice = Somebody(demo, issuer).ask(prompt="login", max_age="0").sign_in("alice")
        assert alice.headings == ["Enter your code"]
        row = page.locator(".row").filter(has_text=f"alice@{issuer.domain}")
        code = re.sub(r"\D", "", row.locator("[data-code]").inner_text())

        assert alice.submit(code=code).claims()["preferred_username"] == f"alice@{issuer.domain}"
