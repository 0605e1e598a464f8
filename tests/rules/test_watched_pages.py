"""The fixture that watches pages finds what it is there to find."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.conftest import Faults

POLICY = "default-src 'none'; script-src 'self'"


@pytest.mark.parametrize(
    ("html", "status", "found"),
    [
        ("<script>1</script>", 200, "content policy: script-src-elem refused inline"),
        ("<p style='color: red'>", 200, "content policy: style-src-attr refused inline"),
        (
            "<img src='https://elsewhere.example/x.png'>",
            200,
            "content policy: img-src refused https://elsewhere.example",
        ),
        ("<script src='/boom.js'></script>", 200, "script: boom"),
        ("<p>down</p>", 500, "500: http://localhost"),
    ],
)
def test_fault_of_a_page_is_found(
    html: str, status: int, found: str, context: BrowserContext, page: Page, faults: Faults
) -> None:
    context.route(
        "**/boom.js", lambda route: route.fulfill(body="throw new Error('boom')", content_type="text/javascript")
    )
    context.route(
        "**/planted",
        lambda route: route.fulfill(
            body=f"<!doctype html><link rel=icon href='data:,'>{html}",
            status=status,
            content_type="text/html",
            headers={"Content-Security-Policy": POLICY},
        ),
    )

    page.goto("/planted")
    page.wait_for_timeout(100)

    assert [fault for fault in faults.found if fault.startswith(found)] != []
    assert faults.unexpected() == faults.found
    faults.expect("")
    assert faults.unexpected() == []


def test_page_of_ours_has_no_fault(page: Page, faults: Faults) -> None:
    page.goto("/")

    assert page.title() != ""
    assert faults.found == []
