"""The first visit of a list of a hundred accounts, at the server that people reach: small, few files, nothing moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests import visits
from tests.served import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with alice's hundred accounts."""
    with Served(tmp_path_factory.mktemp("served"), accounts=100) as served:
        yield served


@pytest.mark.parametrize("width", [360, 1280])
def test_first_visit_is_small_and_nothing_moves(browser: Browser, served: Served, width: int) -> None:
    visit = visits.first(browser, served, width=width)

    assert visit.size <= 60_000, visit.files
    assert len(visit.files) <= 16, visit.files
    assert visit.shifts == []
    assert [path for path in visit.files if path.endswith("/accounts/")] == [f"{served.address}/accounts/"]


def test_what_moves_would_be_seen(browser: Browser) -> None:
    context = browser.new_context()
    context.add_init_script(visits.SHIFTS)
    page = context.new_page()
    page.goto("data:text/html,<p>A list</p>")
    page.wait_for_timeout(300)

    page.evaluate("document.body.prepend(Object.assign(document.createElement('h1'), {textContent: 'Late'}))")
    page.wait_for_timeout(300)

    assert page.evaluate("window.shifts.length") == 1
    context.close()
