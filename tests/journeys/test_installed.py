"""Authweb as an app of the device: what Chromium makes of the manifest, what the worker keeps, and no connection."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import Browser, Page, expect

from tests.served import Served

pytestmark = pytest.mark.timeout(120)

# Every entry of every cache of this origin: its address, and what it says.
_KEPT = """
async () => {
  const found = [];
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      found.push([new URL(request.url).pathname, await (await cache.match(request, { ignoreVary: true })).text()]);
    }
  }
  return found;
}
"""
_SHELL = [
    "/offline/",
    "/offline/de/",
    "/offline/en/",
    "/static/css/base.….css",
    "/static/css/variables.….css",
    "/static/icons/icon.….svg",
]


def kept(page: Page) -> dict[str, str]:
    """What the caches hold, by its place."""
    page.wait_for_function("async () => (await caches.match('/offline/', {ignoreVary: true})) !== undefined")
    return dict(page.evaluate(_KEPT))


def said_of_the_manifest(page: Page) -> dict[str, Any]:
    """As Chromium reads it: its faults, and why the app cannot be installed, apart from what a hidden window lacks."""
    session = page.context.new_cdp_session(page)
    read = session.send("Page.getAppManifest")
    hindered = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    return {
        "faults": read["errors"],
        "hindered": [one["errorId"] for one in hindered if one["errorId"] != "in-incognito"],
        "manifest": json.loads(read["data"]),
    }


def test_app_is_installable_keeps_no_code_and_tells_that_there_is_no_connection(
    browser: Browser, tmp_path: Path
) -> None:
    with translation.override("de"):
        no_connection = gettext("No connection.")
    with Served(tmp_path, accounts=3) as served:
        context = browser.new_context(base_url=served.address, locale="de-DE", viewport={"width": 360, "height": 740})
        served.sign_in(context)
        page = context.new_page()
        page.goto("/accounts/")
        page.evaluate("navigator.serviceWorker.ready")
        told = said_of_the_manifest(page)
        page.goto("/settings/")
        page.goto("/accounts/")  # By now through the worker.
        codes = page.locator(".row .code").all_inner_texts()
        issuers = page.locator(".row .issuer").all_inner_texts()
        shell = kept(page)
        served.server.end()

        page.goto("/accounts/")
        expect(page.locator("html")).to_have_attribute("lang", "de")
        expect(page.get_by_role("heading", name=no_connection)).to_be_visible()
        drawn = page.evaluate("getComputedStyle(document.querySelector('.button-main')).borderTopLeftRadius")
        again = page.get_by_role("link").last.evaluate("link => link.href")
        page.goto("/accounts/add/")
        there = [urlsplit(page.url).path, page.locator(".row").count(), len(kept(page))]

        told_of_nothing = [text for text in (*codes, *issuers) if any(text in body for body in shell.values())]
        assert [told["faults"], told["hindered"]] == [[], []]
        shortcuts = ["/accounts/", "/accounts/add/", "/backups/restore/"]
        assert [one["url"] for one in told["manifest"]["shortcuts"]] == shortcuts
        assert sorted(re.sub(r"\.[0-9a-f]{12}\.", ".….", place) for place in shell) == _SHELL
        assert ([len(codes), len(issuers)], told_of_nothing) == ([4, 4], [])
        assert (drawn, urlsplit(again).path) == ("10px", "/accounts/")
        assert there == ["/accounts/add/", 0, len(_SHELL)]

        served.start()
        with served:
            page.get_by_role("link").last.click()
            expect(page.get_by_role("heading", name=no_connection)).to_have_count(0)
        context.close()
