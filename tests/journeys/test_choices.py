"""Restore is no small print: where a list begins it is at least as large as what else can be chosen there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext

from accounts.models import SlotKind
from tests import factories
from tests.factories import Visitor

SignIn = Callable[[BrowserContext, Visitor], None]

pytestmark = pytest.mark.django_db(transaction=True)

CHOICES = 'main .choice, main .buttons > button[type="submit"]'


def with_an_empty_list() -> Visitor:
    """Whose list has no account."""
    return factories.enrolled("alice@example.org", name="Phone", type="ios")


def without_a_list() -> Visitor:
    """Who has set nothing up."""
    return factories.visitor("alice@example.org")


def at_another_browser() -> Visitor:
    """Whose list is opened by each kind of door, elsewhere."""
    visitor = with_an_empty_list()
    for kind in (SlotKind.WORDS, SlotKind.PASSKEY):
        factories.create_key(on=visitor, kind=kind, name="Key")
    return factories.at_another_browser(visitor)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(
    ("who", "page", "beside"),
    [
        (with_an_empty_list, "accounts:list", ["Add account"]),
        (without_a_list, "accounts:start", ["Set up this device"]),
        (at_another_browser, "accounts:open", ["Approve on Phone", "Use your passkey", "Type your six words"]),
    ],
)
def test_restore_is_at_least_as_large_as_what_else_can_be_chosen(
    who: Callable[[], Visitor],
    page: str,
    beside: list[str],
    width: int,
    new_context: Callable[..., BrowserContext],
    sign_in: SignIn,
) -> None:
    context = new_context(viewport={"width": width, "height": 800})
    sign_in(context, who())
    seen = context.new_page()

    seen.goto(reverse(page))
    sizes = {
        choice.inner_text().split("\n")[0].strip(): choice.evaluate("one => [one.offsetWidth, one.offsetHeight]")
        for choice in seen.locator(CHOICES).all()
    }

    assert list(sizes) == [*beside, "Restore from backup"]
    wide, high = sizes["Restore from backup"]
    assert [name for name in beside if sizes[name][0] > wide or sizes[name][1] > high] == []
