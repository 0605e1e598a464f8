"""One list, several browsers: what one does shows in the other at its next look, and nothing else moves."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts.services import activity, devices
from accounts.services.activity import Tag
from accounts.vault.entry import Kind, Needs, Type
from tests import factories
from tests.factories import Visitor, create_entry

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = timedelta(seconds=0.3)


@pytest.fixture(autouse=True)
def _look_at_once(settings: Any) -> None:
    settings.LOOK_EVERY = AT_ONCE


@pytest.fixture
def laptop(alice_phone: Visitor) -> Visitor:
    """Alice at her laptop, where the same list is open."""
    return factories.with_another_device(alice_phone, name="Alice's laptop", type="computer")


@pytest.fixture
def laptop_page(new_context: Callable[..., BrowserContext], sign_in: SignIn, laptop: Visitor) -> Page:
    """The laptop's browser, wide enough for an account beside the list."""
    context = new_context(viewport={"width": 1280, "height": 800})
    sign_in(context, laptop)
    return context.new_page()


def issuers(page: Page) -> list[str]:
    """The accounts that are seen, in order."""
    return page.locator(".row:visible .issuer").all_inner_texts()


def marked(page: Page) -> None:
    """Name every element of the rows, so that one that was drawn anew is told from one that stayed."""
    page.evaluate("document.querySelectorAll('.row').forEach((row) => { row.stayed = true; })")


def stayed(page: Page) -> dict[str, bool]:
    """Of each account whether its element is the one that was marked."""
    return dict(
        page.evaluate(
            "[...document.querySelectorAll('.row')].map((row) => [row.querySelector('.issuer').textContent, "
            "row.stayed === true])"
        )
    )


def heard(page: Page) -> None:
    """Collect what a screen reader would say."""
    page.evaluate(
        """() => {
          window.announced = [];
          for (const live of document.querySelectorAll('[aria-live], [role=status], [role=alert]')) {
            new MutationObserver(() => window.announced.push(live.textContent)).observe(
              live, {childList: true, characterData: true, subtree: true});
          }
        }"""
    )


def looked(page: Page) -> None:
    """Wait until one more look has been answered."""
    with page.expect_response(lambda answer: "/accounts/look/" in answer.url):
        pass


def test_what_one_browser_does_shows_in_the_other(
    page: Page, context: BrowserContext, sign_in: SignIn, alice_phone: Visitor, laptop_page: Page
) -> None:
    for issuer in ("Amber", "Birch", "Cedar"):
        create_entry(on=alice_phone, issuer=issuer, name="alice")
    sign_in(context, alice_phone)
    page.goto("/accounts/")
    laptop_page.goto("/accounts/")
    marked(laptop_page)

    page.locator(".row", has_text="Birch").locator(".row-head").click()
    page.get_by_role("link", name="Edit name and note").click()
    page.get_by_label("Site").fill("Beech")
    page.get_by_role("button", name="Save").click()
    expect(laptop_page.locator(".row", has_text="Beech")).to_be_visible()
    page.goto("/accounts/")
    page.locator(".row", has_text="Amber").locator(".row-head").click()
    page.get_by_role("button", name="Move to Trash").click()
    expect(laptop_page.locator(".row", has_text="Amber")).to_have_count(0)
    page.locator(".row", has_text="Cedar").locator(".row-head").click()
    page.get_by_role("button", name="Pin to the top").click()
    expect(laptop_page.get_by_role("heading", name="Pinned")).to_be_visible()
    create_entry(on=alice_phone, issuer="Douglas", name="alice")
    expect(laptop_page.locator(".row")).to_have_count(3)

    assert issuers(laptop_page) == ["Cedar", "Beech", "Douglas"]
    assert stayed(laptop_page) == {"Cedar": True, "Beech": False, "Douglas": False}
    for issuer in issuers(laptop_page):
        expect(laptop_page.locator(".row", has_text=issuer).locator(".code")).to_have_text(re.compile(r"^\d{6}$"))


def test_codes_go_on_in_rows_that_came_and_in_rows_that_stayed(alice_phone: Visitor, laptop_page: Page) -> None:
    create_entry(on=alice_phone, issuer="Old", name="a", period=2)
    laptop_page.goto("/accounts/")
    create_entry(on=alice_phone, issuer="New", name="b", period=2)
    expect(laptop_page.locator(".row")).to_have_count(2)

    seen: dict[str, set[str]] = {"Old": set(), "New": set()}
    for _ in range(12):
        for issuer, codes in seen.items():
            codes.add(laptop_page.locator(".row", has_text=issuer).locator(".code").inner_text())
        laptop_page.wait_for_timeout(500)

    assert [len(codes) >= 3 for codes in seen.values()] == [True, True]
    assert seen["Old"] & seen["New"] != set()  # One secret key: the same codes at the same time.


def test_search_and_focus_stay_and_nothing_is_said(alice_phone: Visitor, laptop_page: Page) -> None:
    for issuer in ("GitHub", "GitLab", "Fastmail"):
        create_entry(on=alice_phone, issuer=issuer, name="alice")
    lab, mail = alice_phone.entries[1].id, alice_phone.entries[2].id
    laptop_page.goto("/accounts/")
    laptop_page.get_by_role("searchbox").fill("git")
    laptop_page.locator(f"#account-{lab} .copy").focus()
    heard(laptop_page)

    alice_phone.client.post(f"/accounts/{lab}/edit/", {"issuer": "GitLab EE", "name": "alice", "note": ""})
    alice_phone.client.post(f"/accounts/{mail}/trash/")
    expect(laptop_page.locator(".row")).to_have_count(2)
    expect(laptop_page.locator(".row", has_text="GitLab EE")).to_be_visible()
    looked(laptop_page)

    assert laptop_page.get_by_role("searchbox").input_value() == "git"
    assert issuers(laptop_page) == ["GitHub", "GitLab EE"]
    assert laptop_page.locator("mark").all_inner_texts() == ["Git", "Git"]
    assert laptop_page.evaluate("document.activeElement.closest('.row').id") == f"account-{lab}"
    assert laptop_page.evaluate("document.activeElement.className") == "copy"
    assert laptop_page.evaluate("window.announced") == ["2 of 2 accounts"]  # What the search itself says of the list.


def test_badge_counts_what_another_browser_left_to_do_while_one_searches(
    alice_phone: Visitor, laptop_page: Page
) -> None:
    create_entry(on=alice_phone, issuer="Amber")
    laptop_page.goto("/accounts/")
    to_list = laptop_page.get_by_role("navigation").get_by_role("link").first
    expect(to_list).to_have_accessible_name("Accounts")
    laptop_page.get_by_role("searchbox").fill("amber")

    for issuer, said in (("Birch", "1 account waits"), ("Cedar", "2 accounts wait")):
        create_entry(on=alice_phone, issuer=issuer, kind=Kind.WORK, needs=Needs.SIGN_IN, secret=None)
        expect(to_list).to_have_accessible_name(f"Accounts {said} for your sign-in")

    expect(laptop_page.locator(".row:visible")).to_have_count(1)


def test_search_keeps_out_what_came_and_does_not_match(alice_phone: Visitor, laptop_page: Page) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    laptop_page.goto("/accounts/")
    laptop_page.get_by_role("searchbox").fill("git")

    create_entry(on=alice_phone, issuer="Fastmail", name="alice")
    expect(laptop_page.locator(".row")).to_have_count(2)

    assert issuers(laptop_page) == ["GitHub"]
    assert laptop_page.evaluate("document.activeElement.type") == "search"


def test_focus_of_an_account_that_went_goes_nowhere_else(alice_phone: Visitor, laptop_page: Page) -> None:
    gone = create_entry(on=alice_phone, issuer="Gone", name="a")
    create_entry(on=alice_phone, issuer="Stays", name="b")
    laptop_page.goto("/accounts/")
    laptop_page.locator(f"#account-{gone.id} .copy").focus()

    alice_phone.client.post(f"/accounts/{gone.id}/trash/")
    expect(laptop_page.locator(".row")).to_have_count(1)

    assert laptop_page.evaluate("document.activeElement === document.body")


def test_order_of_another_browser_moves_rows_and_draws_none_anew(alice_phone: Visitor, laptop_page: Page) -> None:
    for issuer in ("Amber", "Birch", "Cedar"):
        create_entry(on=alice_phone, issuer=issuer, name="alice")
    amber, birch, cedar = (entry.id for entry in alice_phone.entries)
    laptop_page.goto("/accounts/")
    laptop_page.locator(f"#account-{birch} .row-head").focus()
    marked(laptop_page)

    alice_phone.client.post("/accounts/order/", {"id": [cedar, amber, birch]})
    expect(laptop_page.locator(".row .issuer").first).to_have_text("Cedar")

    assert issuers(laptop_page) == ["Cedar", "Amber", "Birch"]
    assert stayed(laptop_page) == {"Cedar": True, "Amber": True, "Birch": True}
    assert laptop_page.evaluate("document.activeElement.closest('.row').id") == f"account-{birch}"


def test_code_of_a_counter_stays_in_sight_while_others_change(alice_phone: Visitor, laptop_page: Page) -> None:
    bank = create_entry(on=alice_phone, issuer="Bank", name="giro", type=Type.HOTP)
    laptop_page.goto("/accounts/")
    laptop_page.get_by_role("button", name="Next code for Bank, giro").click()
    row = laptop_page.locator(f"#account-{bank.id}")
    expect(row.locator(".code")).to_have_text("755224")

    create_entry(on=alice_phone, issuer="New", name="b")
    expect(laptop_page.locator(".row")).to_have_count(2)
    alice_phone.client.post(f"/accounts/{bank.id}/edit/", {"issuer": "Bank", "name": "savings", "note": ""})
    expect(row.locator(".name")).to_have_text("savings")
    expect(row.locator(".code")).to_have_text("755224")
    row.locator("[type=submit]").click()
    expect(row.locator(".code")).to_have_text("287082")

    assert alice_phone.entries[0].counter == 2


def test_copied_and_a_shown_code_stay_while_others_change(alice_phone: Visitor, laptop_page: Page, live: str) -> None:
    alice_phone.user.hide_codes = True
    alice_phone.user.save()
    create_entry(on=alice_phone, issuer="GitHub", name="alice", period=3600)
    laptop_page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live)
    laptop_page.goto("/accounts/")
    laptop_page.get_by_role("link", name="Show code for GitHub, alice").click()
    laptop_page.get_by_role("button", name="Copy code for GitHub, alice").click()
    expect(laptop_page.locator(".copied")).to_be_visible()

    create_entry(on=alice_phone, issuer="New", name="b")
    looked(laptop_page)
    looked(laptop_page)
    copied = laptop_page.locator(".copied").first.is_visible()
    expect(laptop_page.locator(".row")).to_have_count(2)

    assert copied
    expect(laptop_page.locator(".row", has_text="GitHub").locator(".code")).to_have_text(re.compile(r"^\d{6}$"))


def test_account_beside_the_list_stays_until_something_is_done_with_it(alice_phone: Visitor, laptop_page: Page) -> None:
    gone = create_entry(on=alice_phone, issuer="Gone", name="a")
    create_entry(on=alice_phone, issuer="Stays", name="b")
    laptop_page.goto(f"/accounts/{gone.id}/")
    expect(laptop_page.locator(".row-open")).to_have_count(1)

    alice_phone.client.post(f"/accounts/{gone.id}/trash/")
    expect(laptop_page.locator(".row")).to_have_count(1)
    title = laptop_page.locator(".account-title h1").inner_text()
    laptop_page.get_by_role("button", name="Pin to the top").click()

    assert title == "Gone"
    laptop_page.wait_for_url("**/accounts/")
    expect(laptop_page.locator(".message")).to_contain_text("This account is in Trash now.")


def test_open_account_stays_marked_beside_the_list(alice_phone: Visitor, laptop_page: Page) -> None:
    entry = create_entry(on=alice_phone, issuer="Open", name="a")
    laptop_page.goto(f"/accounts/{entry.id}/")

    alice_phone.client.post(f"/accounts/{entry.id}/edit/", {"issuer": "Renamed", "name": "a", "note": ""})

    expect(laptop_page.locator(".row-open .issuer")).to_have_text("Renamed")


# -- What others ask and did ------------------------------------------------------------------------------------------


def test_request_and_notice_come_by_themselves_and_are_said_once(
    alice_phone: Visitor, laptop: Visitor, laptop_page: Page
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    laptop_page.goto("/accounts/")
    heard(laptop_page)

    factories.asking(alice_phone, name="Firefox on Windows")
    expect(laptop_page.get_by_role("link", name="Look at the request")).to_be_visible()
    activity.record(Tag.WORDS_MADE, user=laptop.user, device=alice_phone.device, at=timezone.now())
    expect(laptop_page.locator("[data-told]")).to_be_visible()
    looked(laptop_page)
    looked(laptop_page)
    laptop_page.get_by_role("button", name="OK").click()
    expect(laptop_page.locator("[data-told]")).to_have_count(0)
    looked(laptop_page)

    assert laptop_page.evaluate("window.announced") == [
        "Firefox on Windows asks to open your list",
        "Words that open your list were made.",
    ]
    expect(laptop_page.get_by_role("link", name="Look at the request")).to_be_visible()
    expect(laptop_page.locator("[data-told]")).to_have_count(0)


def test_notice_is_answered_without_script(
    new_context: Callable[..., BrowserContext], sign_in: SignIn, alice_phone: Visitor
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    activity.record(Tag.WORDS_MADE, user=alice_phone.user, at=timezone.now())
    context = new_context(java_script_enabled=False)
    sign_in(context, alice_phone)
    page = context.new_page()
    page.goto("/accounts/")
    before = page.locator("[data-told]").all_inner_texts()
    tops = [page.locator(f".notice {part}").first.bounding_box() for part in ("> .icon", "[data-told]")]

    page.get_by_role("button", name="OK").click()
    page.wait_for_url("**/accounts/")

    assert before == ["Words that open your list were made."]
    assert [round(top["y"] - tops[1]["y"]) for top in tops if top] == [1, 0]  # The sign beside the first line.
    expect(page.locator("[data-told]")).to_have_count(0)


def test_first_account_of_another_browser_shows_on_the_empty_page(alice_phone: Visitor, laptop_page: Page) -> None:
    laptop_page.goto("/accounts/")
    expect(laptop_page.get_by_role("heading", name="No accounts yet")).to_be_visible()

    entry = create_entry(on=alice_phone, issuer="First", name="a")
    expect(laptop_page.locator(".row .issuer")).to_have_text("First")
    alice_phone.client.post(f"/accounts/{entry.id}/trash/")

    expect(laptop_page.get_by_role("heading", name="No accounts yet")).to_be_visible()


# -- When it asks -----------------------------------------------------------------------------------------------------


def test_hidden_page_does_not_ask_and_asks_at_once_when_it_is_back(
    alice_phone: Visitor, laptop_page: Page, settings: Any
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    asked: list[str] = []
    laptop_page.on("request", lambda request: asked.append(request.url) if "/look/" in request.url else None)
    laptop_page.goto("/accounts/")
    looked(laptop_page)
    laptop_page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true}); window.away = true;"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    laptop_page.wait_for_timeout(500)
    asked.clear()
    laptop_page.wait_for_timeout(5_500)
    while_hidden = len(asked)

    laptop_page.evaluate("document.querySelector('[data-look]').dataset.every = '1000'")
    with laptop_page.expect_request("**/look/**"):
        laptop_page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    laptop_page.wait_for_timeout(500)

    assert [while_hidden, len(asked)] == [0, 1]


def test_page_asks_less_often_of_a_server_that_does_not_answer(
    alice_phone: Visitor, laptop_page: Page, faults: Any
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    faults.expect("ERR_INTERNET_DISCONNECTED")
    laptop_page.goto("/accounts/")
    looked(laptop_page)
    asked: list[str] = []
    laptop_page.on("request", lambda request: asked.append(request.url) if "/look/" in request.url else None)

    laptop_page.context.set_offline(True)
    laptop_page.wait_for_timeout(5_000)
    offline = len(asked)
    create_entry(on=alice_phone, issuer="New", name="b")
    laptop_page.context.set_offline(False)

    assert 2 <= offline <= 5
    expect(laptop_page.locator(".row")).to_have_count(2)


@pytest.mark.parametrize("end", ["session", "device"])
def test_browser_that_was_shut_out_shows_it_at_its_next_look(
    alice_phone: Visitor, laptop: Visitor, laptop_page: Page, end: str
) -> None:
    create_entry(on=alice_phone, issuer="GitHub", name="alice")
    laptop_page.goto("/accounts/")

    if end == "session":
        Session.objects.all().delete()
    else:
        assert laptop.device is not None
        devices.remove(laptop.device, at=timezone.now(), by=alice_phone.device)

    laptop_page.wait_for_url("**/sign-in/**")
    expect(laptop_page.locator(".row")).to_have_count(0)
