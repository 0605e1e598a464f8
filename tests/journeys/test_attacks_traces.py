"""What a browser keeps after sign-out: no code and no label, in no storage, no cache, no page that comes back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests import browsers
from tests.factories import Visitor, create_entry

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = [pytest.mark.row("A23"), pytest.mark.django_db(transaction=True)]

ISSUER, NAME, NOTE = "Quokkaharbour", "petra.quokka@example.org", "under the wombat"
LABELS = (ISSUER, NAME, NOTE, ISSUER.lower())

# Everything a page may keep in a browser, as one text.
KEPT = """async () => {
  const kept = [JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}), document.cookie, window.name];
  for (const database of await indexedDB.databases()) kept.push(JSON.stringify(database));
  for (const name of await caches.keys()) {
    kept.push(name);
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      kept.push(request.url, await (await cache.match(request)).text());
    }
  }
  const workers = 'serviceWorker' in navigator ? await navigator.serviceWorker.getRegistrations() : [];
  kept.push(...workers.map((worker) => worker.scope), JSON.stringify(history.state));
  return kept.join('\\n');
}"""


def used(page: Page, address: str = "") -> set[str]:
    """Use the list as people do, and return the codes that were seen."""
    codes = set()
    page.goto(f"{address}/accounts/")
    page.locator(".row a").first.click()
    page.wait_for_load_state()
    page.goto(f"{address}/accounts/")
    page.locator("input[name=q], input[type=search]").first.fill("quokka")
    page.locator(".row .copy").first.click()
    codes |= set(re.findall(r"\d{6}", page.locator(".row").first.inner_text().replace(" ", "").replace("\n", "")))
    for part in ("order/", "add/link/", "trash/"):
        page.goto(f"{address}/accounts/{part}")
    page.goto(f"{address}/accounts/?q=quokka")
    return codes


def sign_out(page: Page, address: str = "") -> None:
    """Sign out by the page's own button."""
    page.goto(f"{address}/sign-in/logout/")
    page.locator("main form button[type=submit], main form button").first.click()
    page.wait_for_url(re.compile(r"/(sign-in/login/)?$"))


def test_storage_caches_and_the_way_back_show_nothing_after_sign_out(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    entry = create_entry(on=alice_phone, issuer=ISSUER, name=NAME, note=NOTE)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(context, alice_phone)
    codes = used(page)
    page.goto(f"/accounts/{entry.id}/")
    during = page.evaluate(KEPT)

    sign_out(page)
    after = page.evaluate(KEPT)
    back = []
    for _ in range(8):
        page.go_back()
        page.wait_for_timeout(150)
        back.append(page.content())
    cookies = str(context.cookies())

    everything = "\n".join([during, after, *back, cookies])
    assert [label for label in LABELS if label in everything] == []
    assert [code for code in codes if code in everything] == []
    assert len(codes) >= 1
    assert not page.url.endswith(f"{entry.id}/") or "sign-in" in page.url or ISSUER not in page.content()


def test_profile_of_the_browser_holds_nothing(
    tmp_path: Path, alice_phone: Visitor, live: str, _playwright: Playwright
) -> None:
    """The folder of the browser on disk, searched once it is closed: history, caches, sessions, restored tabs."""
    create_entry(on=alice_phone, issuer=ISSUER, name=NAME, note=NOTE)
    profile = tmp_path / "profile"
    context = _playwright.chromium.launch_persistent_context(
        profile, executable_path=browsers.whole(), args=list(browsers.ARGUMENTS)
    )
    try:
        context.add_cookies(
            [
                {"name": morsel.key, "value": morsel.value, "url": live, "httpOnly": True, "sameSite": "Lax"}
                for morsel in alice_phone.client.cookies.values()
            ]
        )
        page = context.new_page()
        page.goto(f"{live}/accounts/")
        expect(page.locator(".row")).to_contain_text(ISSUER)
        page.locator(".row a").first.click()
        page.wait_for_load_state()
        page.goto(f"{live}/accounts/trash/")
        sign_out(page, live)
    finally:
        context.close()

    files = [path for path in profile.rglob("*") if path.is_file() and not path.is_symlink()]
    whole = b"".join(path.read_bytes() for path in files)
    found = [label for label in LABELS if label.encode() in whole or label.encode("utf-16-le") in whole]
    assert found == []
    assert b"/accounts/trash/" in whole  # The control: what a browser writes down of a visit is found there.


@pytest.mark.parametrize("place", ["localStorage", "sessionStorage", "caches", "history"])
def test_label_that_is_kept_is_noticed(
    place: str, page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    """The control: a page that keeps one."""
    sign_in(context, alice_phone)
    page.goto("/accounts/")
    keep = {
        "localStorage": f"localStorage.setItem('list', '{ISSUER}')",
        "sessionStorage": f"sessionStorage.setItem('htmx-history-cache', '{ISSUER}')",
        "caches": f"caches.open('pages').then((cache) => cache.put('/x', new Response('{ISSUER}')))",
        "history": f"history.replaceState({{name: '{ISSUER}'}}, '')",
    }[place]
    page.evaluate(keep)

    assert ISSUER in page.evaluate(KEPT)


def test_clipboard_holds_a_code_and_no_label(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    create_entry(on=alice_phone, issuer=ISSUER, name=NAME)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(context, alice_phone)
    page.goto("/accounts/")

    page.locator(".row .copy").first.click()
    page.wait_for_timeout(200)

    assert re.fullmatch(r"\d{6}", page.evaluate("navigator.clipboard.readText()"))


def test_nothing_of_the_list_is_in_files_of_the_server_that_people_reach(alice_phone: Visitor, live: str) -> None:
    """Static files are the repository's own; no upload and no page is written beside them."""
    create_entry(on=alice_phone, issuer=ISSUER, name=NAME)
    alice_phone.client.get("/accounts/")

    found = subprocess.run(["grep", "-rl", ISSUER, "static", "templates"], capture_output=True, text=True, check=False)

    assert found.stdout == ""
