"""A lost phone: six words that were made on it open the list in another browser; with script and without."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import Attempt, Device, KeySlot, SlotKind
from accounts.services import words
from accounts.vault.keys import Costs
from tests import factories
from tests.factories import PASSWORD, Visitor, create_entry

pytestmark = pytest.mark.django_db(transaction=True)

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"
SIX = "granite ladle marigold hexagon kettle lantern"
Contexts = Callable[..., BrowserContext]
SignIn = Callable[[BrowserContext, Visitor], None]


def make_words(phone: Page) -> list[str]:
    """From the keys to the six words, by a fresh sign-in."""
    phone.goto("/keys/")
    phone.get_by_role("link", name="Make six words").click()
    phone.get_by_label("Password").fill(PASSWORD)
    phone.locator("main button[type=submit]").first.click()
    expect(phone.get_by_role("heading", name="Make six words")).to_be_visible()
    phone.get_by_role("button", name="Make six words").click()
    expect(phone.get_by_role("heading", name="Your six words")).to_be_visible()
    return phone.locator(".card .six-word").all_inner_texts()


def type_back(phone: Page, six: list[str]) -> None:
    """The two that are asked for, by their numbers."""
    for label in phone.locator(".two-words label").all():
        number = int(re.sub(r"\D", "", label.inner_text()))
        phone.get_by_label(f"Word {number}", exact=True).fill(six[number - 1])
    phone.get_by_role("button", name="Finish").click()
    expect(phone.get_by_text("Made. Your words open your list from now on.")).to_be_visible()


@pytest.mark.article("G-26")
@pytest.mark.article("G-27")
@pytest.mark.parametrize("scripted", [True, False], ids=["with script", "without script"])
def test_phone_is_lost_and_words_reopen_the_list(
    new_context: Contexts, sign_in: SignIn, alice_phone: Visitor, scripted: bool
) -> None:
    create_entry(on=alice_phone, issuer="Site of alice")
    lost = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=scripted)
    sign_in(lost, factories.grown_stale(alice_phone))
    phone = lost.new_page()
    six = make_words(phone)
    address = phone.url
    expect(phone.get_by_role("button", name="Print")).to_be_visible(visible=scripted)
    expect(phone.get_by_text("To print them, use your browser's own")).to_be_visible(visible=not scripted)
    type_back(phone, six)
    phone.goto(address)
    expect(phone.locator(".six-word")).to_have_count(0)
    lost.close()

    laptop = new_context(user_agent=FIREFOX, viewport={"width": 1280, "height": 800}, java_script_enabled=scripted)
    sign_in(laptop, factories.at_another_browser(alice_phone))
    page = laptop.new_page()
    page.goto("/accounts/")
    page.get_by_role("link", name="Type your six words").click()
    page.get_by_label("Six words").fill("-".join(six).upper())
    page.get_by_role("button", name="Open the list").click()

    page.wait_for_url("**/accounts/")
    expect(page.get_by_text("Site of alice").first).to_be_visible()
    assert [device.name for device in Device.objects.exclude(pk=alice_phone.device.pk)] == ["Firefox on Windows"]
    assert [Attempt.objects.count(), KeySlot.objects.filter(kind=SlotKind.WORDS).count()] == [0, 1]
    assert [sent.subject for sent in mail.outbox][-2:] == [
        "Words that open your Authweb list were made",
        "Your Authweb list was opened by your words: Firefox on Windows",
    ]


@pytest.mark.article("G-26")
@pytest.mark.parametrize("scripted", [True, False], ids=["with script", "without script"])
def test_mistyped_word_is_put_right_by_its_button(
    new_context: Contexts, sign_in: SignIn, alice_phone: Visitor, scripted: bool
) -> None:
    words.make(alice_phone.vault, SIX, at=timezone.now(), costs=Costs(8 * 1024, 1, 1))
    laptop = new_context(viewport={"width": 360, "height": 740}, java_script_enabled=scripted)
    sign_in(laptop, factories.at_another_browser(alice_phone))
    page = laptop.new_page()
    page.goto("/open/words/")

    page.get_by_label("Six words").fill("abacus ladle marigld hexagon kettle lantern")
    page.get_by_role("button", name="Open the list").click()
    expect(page.get_by_role("link", name="Word 3: marigld is not in the word list")).to_be_visible()
    page.get_by_role("button", name="Take marigold").click()
    expect(page.get_by_label("Six words")).to_have_value("abacus ladle marigold hexagon kettle lantern")
    page.get_by_role("button", name="Open the list").click()
    expect(page.get_by_text(re.compile("9 tries left until")).first).to_be_visible()
    page.get_by_label("Six words").fill(SIX)
    page.get_by_role("button", name="Open the list").click()

    page.wait_for_url("**/accounts/")


@pytest.mark.article("G-27")
def test_sheet_alone_is_printed_on_one_page(new_context: Contexts, sign_in: SignIn, alice_phone: Visitor) -> None:
    context = new_context(viewport={"width": 794, "height": 1123}, color_scheme="dark")
    context.add_init_script("window.printed = 0; window.print = () => { window.printed += 1; };")
    sign_in(context, factories.grown_stale(alice_phone))
    page = context.new_page()
    six = make_words(page)
    expect(page.locator(".sheet")).to_be_hidden()

    page.get_by_role("button", name="Print").click()
    printed = page.evaluate("window.printed")
    page.emulate_media(media="print")

    seen = page.evaluate("document.body.innerText")
    assert printed == 1
    assert page.locator("main > :visible").count() == 1
    assert page.locator(".sheet .six-word").all_inner_texts() == six
    assert ["/open/ in the new browser." in seen, "alice" in seen, "Finish" in seen] == [True, False, False]
    assert page.evaluate("getComputedStyle(document.querySelector('.sheet-title')).color") == "rgb(0, 0, 0)"
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", prefer_css_page_size=True))) == 1
