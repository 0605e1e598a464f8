"""The list in a browser: codes that are never late, copied by a tap, found, put in order; and all without script."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.sessions.models import Session
from playwright.sync_api import BrowserContext, Page, expect

from accounts.vault.entry import Type
from tests import periods
from tests.factories import SECRET, Visitor, create_entry

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = pytest.mark.django_db(transaction=True)


def oracle(second: float, period: int = 30) -> str:
    """The code of an independent implementation."""
    return TOTP(SECRET, 6, SHA1(), period, enforce_key_length=False).generate(int(second)).decode()  # noqa: S303


def code_shown(page: Page, name: str) -> str:
    """The digits in the row of an account, as they are drawn."""
    return page.locator(".row", has_text=name).locator(".code").inner_text().replace("\n", "").replace(" ", "")


def right_code(page: Page, name: str, period: int) -> tuple[str, str]:
    """What is shown and what should be, read within one period."""
    shown, moment = periods.in_one(lambda: code_shown(page, name), period)
    return shown, oracle(moment, period)


def test_codes_are_right_over_three_boundaries_without_the_server(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, faults: object
) -> None:
    create_entry(on=alice_phone, name="quick", period=5)
    sign_in(context, alice_phone)
    page.goto("/accounts/")
    faults.expect("ERR_INTERNET_DISCONNECTED")  # type: ignore[attr-defined]
    context.set_offline(True)

    seen = []
    for _ in range(4):
        shown, right = right_code(page, "quick", 5)
        assert shown == right
        seen.append(shown)
        page.wait_for_timeout((5 - time.time() % 5) * 1000 + 400)

    assert len(set(seen)) == 4


def test_code_is_blanked_when_its_time_is_over_and_back_when_the_server_is(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, faults: object, settings: object
) -> None:
    settings.CODES_AHEAD = settings.CODES_AHEAD * 0  # type: ignore[attr-defined]
    create_entry(on=alice_phone, name="quick", period=2)
    sign_in(context, alice_phone)
    faults.expect("ERR_INTERNET_DISCONNECTED")  # type: ignore[attr-defined]
    page.goto("/accounts/")
    context.set_offline(True)

    row = page.locator(".row")
    expect(row.locator(".ended")).to_be_visible(timeout=15_000)
    blank = code_shown(page, "quick")
    context.set_offline(False)
    expect(row.locator(".ended")).to_be_hidden(timeout=40_000)

    assert blank == "––––––"
    assert re.fullmatch(r"\d{6}", code_shown(page, "quick"))


def test_wrong_clock_shows_the_right_code_and_says_so(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    create_entry(on=alice_phone, name="a")
    sign_in(context, alice_phone)
    page.add_init_script("{ const real = Date.now; Date.now = () => real() - 40_000; }")

    page.goto("/accounts/")

    shown, right = right_code(page, "a", 30)
    assert shown == right
    expect(page.locator("[data-clock-note]")).to_have_text(
        "This device's clock differs by 40 seconds; the codes here follow the server."
    )


def test_right_clock_says_nothing(page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor) -> None:
    create_entry(on=alice_phone, name="a")
    sign_in(context, alice_phone)
    page.add_init_script("{ const real = Date.now; Date.now = () => real() - 4_000; }")

    page.goto("/accounts/")
    page.wait_for_timeout(500)

    expect(page.locator("[data-clock-note]")).to_be_hidden()


def test_computer_that_slept_shows_no_stale_code(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, faults: object
) -> None:
    """While it slept one of the browser's clocks stood still: until the server has answered no code is shown."""
    create_entry(on=alice_phone, name="a")
    sign_in(context, alice_phone)
    faults.expect("ERR_INTERNET_DISCONNECTED")  # type: ignore[attr-defined]
    page.goto("/accounts/")
    context.set_offline(True)

    page.evaluate("{ const real = Date.now; Date.now = () => real() + 600_000; }")

    expect(page.locator(".row .code")).to_have_text("––––––", timeout=5_000)


def test_more_codes_are_asked_for_early_and_only_while_looked_at(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, settings: object
) -> None:
    settings.CODES_AHEAD = settings.CODES_AHEAD / 100  # type: ignore[attr-defined] # 3 seconds
    create_entry(on=alice_phone, name="quick", period=1)
    sign_in(context, alice_phone)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/codes/" in request.url else None)
    page.goto("/accounts/")
    page.wait_for_timeout(5_000)
    while_looked_at = len(asked)

    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_timeout(500)
    asked.clear()
    page.wait_for_timeout(5_000)

    assert while_looked_at >= 2
    assert asked == []


def test_signed_out_elsewhere_leads_to_the_sign_in(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, settings: object
) -> None:
    settings.CODES_AHEAD = settings.CODES_AHEAD * 0  # type: ignore[attr-defined]
    create_entry(on=alice_phone, name="quick", period=2)
    sign_in(context, alice_phone)
    page.goto("/accounts/")

    Session.objects.all().delete()

    page.wait_for_url("**/sign-in/**", timeout=15_000)


# -- Copy -------------------------------------------------------------------------------------------------------------


def test_code_is_copied_without_the_gap_by_tap_and_by_key(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, live: str
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    sign_in(context, alice_phone)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live)
    page.goto("/accounts/")
    button = page.get_by_role("button", name="Copy code for GitHub, alice")

    def copied_by(act: Callable[[], None]) -> tuple[str, str]:
        page.evaluate("navigator.clipboard.writeText('')")
        act()
        page.wait_for_function("navigator.clipboard.readText()")
        return page.evaluate("navigator.clipboard.readText()"), code_shown(page, "alice")

    for act in (button.click, lambda: button.press("Enter")):
        copied, moment = periods.in_one(partial(copied_by, act))
        assert copied == (oracle(moment), oracle(moment))
    expect(page.locator("[data-said]")).to_have_text(re.compile("^Copied"))


def test_hidden_code_is_shown_by_a_tap(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    alice_phone.user.hide_codes = True
    alice_phone.user.save()
    create_entry(on=alice_phone, issuer="GitHub", name="quick", period=5)
    sign_in(context, alice_phone)
    page.goto("/accounts/")
    before = code_shown(page, "quick")

    def tapped() -> str:
        page.get_by_role("link", name="Show code for GitHub, quick").click()
        return code_shown(page, "quick")

    shown, moment = periods.in_one(tapped, 5)

    assert [before, shown] == ["••••••", oracle(moment, 5)]
    expect(page.locator(".row .code")).to_have_text("••••••", timeout=7_000)


def test_ticking_says_nothing_to_a_screen_reader(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    """The timer is not live: over two periods nothing is announced; a copy is, once."""
    create_entry(on=alice_phone, issuer="GitHub", name="quick", period=3)
    sign_in(context, alice_phone)
    page.goto("/accounts/")
    page.evaluate(
        """() => {
          window.announced = [];
          for (const live of document.querySelectorAll('[aria-live], [role=status], [role=alert]')) {
            new MutationObserver(() => window.announced.push(live.textContent)).observe(
              live, {childList: true, characterData: true, subtree: true});
          }
        }"""
    )

    page.wait_for_timeout(6_500)
    ticking = page.evaluate("window.announced.length")
    page.get_by_role("button", name="Copy code for GitHub, quick").click()
    page.wait_for_timeout(300)

    assert [ticking, page.evaluate("window.announced.length")] == [0, 1]


# -- Counter ----------------------------------------------------------------------------------------------------------


def test_counter_gives_one_code_a_tap(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    create_entry(on=alice_phone, issuer="Bank", name="giro", type=Type.HOTP)
    sign_in(context, alice_phone)
    page.goto("/accounts/")

    page.get_by_role("button", name="Next code for Bank, giro").click()
    expect(page.locator(".row .code")).to_have_text("755224")
    page.get_by_role("button", name="Next code for Bank, giro").click()
    expect(page.locator(".row .code")).to_have_text("287082")

    assert alice_phone.entries[0].counter == 2


# -- Search, order ----------------------------------------------------------------------------------------------------


def test_search_as_you_type_marks_the_match_and_can_be_cleared(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    for issuer in ("GitHub", "GitLab", "Fastmail"):
        create_entry(on=alice_phone, issuer=issuer, name="alice")
    sign_in(context, alice_phone)
    page.goto("/accounts/")

    page.get_by_role("searchbox").fill("git")
    found = page.locator(".row:visible .issuer").all_inner_texts()
    marks = page.locator("mark").all_inner_texts()
    label = page.locator("[data-found]").inner_text()
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.get_by_text("No account matches")).to_be_visible()
    page.get_by_role("button", name="Clear search").click()

    assert found == ["GitHub", "GitLab"]
    assert marks == ["Git", "Git"]
    assert label == "2 of 3 accounts"
    expect(page.locator(".row:visible")).to_have_count(3)
    expect(page.locator("mark")).to_have_count(0)


def test_order_is_changed_by_drag_and_by_buttons(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor
) -> None:
    for name in "abc":
        create_entry(on=alice_phone, issuer=f"Site {name}", name=name)
    sign_in(context, alice_phone)
    page.goto("/accounts/order/")

    page.get_by_role("button", name="Move up: Site b, b").click()
    grip = page.locator("li", has_text="Site c").locator(".grip").bounding_box()
    target = page.locator("li", has_text="Site b").bounding_box()
    assert grip is not None
    assert target is not None
    page.mouse.move(grip["x"] + 5, grip["y"] + 5)
    page.mouse.down()
    page.mouse.move(target["x"] + 20, target["y"] + 5, steps=12)
    page.mouse.up()
    page.get_by_role("button", name="Save the order").click()
    page.wait_for_url("**/accounts/")

    assert [entry.name for entry in alice_phone.entries] == ["c", "b", "a"]
    page.get_by_role("button", name="Undo").click()
    page.wait_for_load_state()
    assert [entry.name for entry in alice_phone.entries] == ["a", "b", "c"]


# -- Without script ---------------------------------------------------------------------------------------------------


def test_list_without_script_shows_current_and_next_code_with_end_time(
    new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    context = new_context(java_script_enabled=False)
    sign_in(context, alice_phone)
    page = context.new_page()

    _, before = periods.in_one(lambda: page.goto("/accounts/"))

    row = page.locator(".row").inner_text()
    assert code_shown(page, "alice") == oracle(before)
    assert oracle(before + 30) in row.replace(" ", "").replace("\n", "")
    expect(page.get_by_text(re.compile(r"^Codes end at \d\d:\d\d:(00|30) UTC\."))).to_be_visible()
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    expect(page.get_by_role("button", name="Copy code for GitHub, alice")).to_be_hidden()


def test_everything_that_is_pressed_works_without_script(
    new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor
) -> None:
    create_entry(on=alice_phone, issuer="Bank", name="giro", type=Type.HOTP)
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    context = new_context(java_script_enabled=False)
    sign_in(context, alice_phone)
    page = context.new_page()

    page.goto("/accounts/")
    page.get_by_role("button", name="Next code for Bank, giro").click()
    counter = page.locator(".account-code .code").inner_text().replace("\n", "")
    page.goto("/accounts/")
    page.get_by_role("searchbox").fill("git")
    page.get_by_role("searchbox").press("Enter")
    found = page.locator(".row .issuer").all_inner_texts()
    page.locator(".row .row-head").click()
    page.get_by_role("button", name="Pin to the top").click()
    page.get_by_role("button", name="Move to Trash").click()
    page.get_by_role("button", name="Undo").click()

    assert counter == "755224"
    assert found == ["GitHub"]
    assert [(entry.name, entry.pinned) for entry in alice_phone.entries] == [("giro", False), ("alice", True)]
