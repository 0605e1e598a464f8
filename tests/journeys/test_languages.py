"""Longer words break no page: German, and English made longer by two fifths, on the narrowest phones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page

from accounts.services import vaults
from accounts.vault.entry import Type
from tests.attacks import crawler
from tests.factories import Visitor, create_entry

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

ENTRANCES = (
    "welcome",
    *("account_login", "account_signup", "account_signup_by_passkey", "account_request_login_code"),
    "account_reset_password",
)
HELP = ("back-up", "keys", "passkeys", "what-is-kept", "it-admins")  # Steps, facts, an address, tables.
PAGES = (
    *(f"accounts:{name}" for name in ("list", "order", "trash", "add", "add-other", "devices", "activity")),
    *(f"accounts:{name}" for name in ("settings", "settings-codes", "settings-appearance", "settings-sign-in")),
    *(f"accounts:{name}" for name in ("keys", "way-back", "words-new", "words-own", "passkey-new", "delete-account")),
    *("account_change_password", "account_email", "mfa_activate_totp", "mfa_add_webauthn", "account_logout"),
)
# Two fifths more of each text; codes and what is not seen stay.
LONGER = """() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (walker.nextNode()) nodes.push(walker.currentNode);
    for (const node of nodes) {
        const text = node.data.trim();
        if (/\\p{Letter}{2}/u.test(text)) node.data = text + " " + text.slice(0, Math.ceil(text.length * 0.4));
    }
}"""
# The page scrolls sideways, or text is cut off: it reaches beyond the window, or beyond what hides the rest of it.
TOO_WIDE = """() => {
    const found = document.scrollingElement.scrollWidth > window.innerWidth ? ["the page scrolls sideways"] : [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const range = document.createRange();
        range.selectNodeContents(walker.currentNode);
        const right = Math.max(0, ...[...range.getClientRects()].map((line) => line.right));
        for (let around = walker.currentNode.parentElement; around; around = around.parentElement) {
            const style = getComputedStyle(around);
            if (around.clientWidth < 2 || style.overflowX === "auto" || style.textOverflow === "ellipsis") break;
            const hides = ["hidden", "clip"].includes(style.overflowX) || around === document.body;
            if (hides && right > Math.min(around.getBoundingClientRect().right, window.innerWidth) + 1) {
                found.push(walker.currentNode.data.trim());
                break;
            }
        }
    }
    return found;
}"""


def too_wide(page: Page, addresses: list[str], *, longer: bool) -> dict[str, list[str]]:
    """The pages that scroll sideways at 320 or 360 px, and what is too wide there."""
    found = {}
    for address in addresses:
        page.goto(address)
        if longer:
            page.evaluate(LONGER)
        for width in (320, 360):
            page.set_viewport_size({"width": width, "height": 740})
            if wide := page.evaluate(TOO_WIDE):
                found[f"{address} at {width}"] = wide
    return found


@pytest.mark.parametrize(("language", "longer"), [("de", False), ("en", True)])
def test_entrances_do_not_scroll_sideways(
    language: str, longer: bool, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context(locale=language).new_page()
    of_help = [reverse("help"), *(reverse("help-page", args=[slug]) for slug in HELP)]

    assert too_wide(page, [*(reverse(name) for name in ENTRANCES), *of_help], longer=longer) == {}
    assert page.locator("html").get_attribute("lang") == language


@pytest.mark.parametrize(("language", "longer"), [("de", False), ("en", True)])
def test_pages_of_the_list_and_settings_do_not_scroll_sideways(
    language: str, longer: bool, new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", pinned=True)
    create_entry(on=alice_phone, issuer="Donaudampfschifffahrtsgesellschaft", name="alice.von.und.zu@example.org")
    create_entry(on=alice_phone, issuer="Counter", type=Type.HOTP)
    gone = create_entry(on=alice_phone, issuer="Old")
    held = crawler.opened(alice_phone, vaults.read(alice_phone.vault), is_trial=False)
    alice_phone.client.post(reverse("accounts:to-trash", args=[gone.id]))
    kept = next(entry for entry in alice_phone.entries if entry.issuer == "GitHub")
    by_hand = {"label": "GitHub: alice", "secret": "JBSWY3DPEHPK3PXP"}
    waiting = alice_phone.client.post(reverse("accounts:add-hand"), by_hand).headers["Location"]
    context = new_context(locale=language)
    sign_in(context, alice_phone)
    addresses = [
        *(reverse(name) for name in PAGES),
        *(reverse(f"accounts:{name}", args=[kept.id]) for name in ("account", "edit")),
        reverse("accounts:delete", args=[gone.id]),
        *(reverse(f"accounts:{name}", args=[alice_phone.device.pk]) for name in ("device-rename", "device-remove")),
        waiting,
        reverse("backups:restore-preview", args=[held]),
    ]
    page = context.new_page()

    assert too_wide(page, addresses, longer=longer) == {}
    assert page.locator("html").get_attribute("lang") == language


def test_page_that_is_too_wide_would_be_found(page: Page, live: str) -> None:
    page.goto(reverse("account_login"))
    assert page.evaluate(TOO_WIDE) == []

    page.evaluate("() => { document.querySelector('h1').style.whiteSpace = 'nowrap'; }")
    page.evaluate("() => { document.querySelector('h1').textContent = 'Unteilbar '.repeat(20); }")
    cut_off = page.evaluate(TOO_WIDE)
    page.evaluate("() => { document.body.append(document.querySelector('h1')); }")

    assert [text[:9] for text in cut_off] == ["Unteilbar"]
    assert page.evaluate(TOO_WIDE) == ["the page scrolls sideways", *cut_off]
