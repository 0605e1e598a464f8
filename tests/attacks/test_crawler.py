"""What the attacks rest on: the crawler knows every page, and sees that a row was changed."""

from __future__ import annotations

from django.urls import resolve

from tests import factories
from tests.attacks import crawler
from tests.factories import Visitor


def test_every_page_is_found_at_its_address(alice_phone: Visitor) -> None:
    values = crawler.furnish(alice_phone)

    lost = [
        page
        for page in crawler.pages()
        if resolve(page.address(values)).func is not page.view and not page.name.startswith("admin:admin/")
    ]

    assert lost == []
    assert len(crawler.pages()) > 100
    assert {"accounts:pin", "account_login", "mfa_edit_webauthn", "admin:accounts_device_change", "welcome"} <= {
        page.name for page in crawler.pages()
    }


def test_changed_row_is_seen(alice_phone: Visitor) -> None:
    before = crawler.rows()
    same = crawler.rows()

    factories.create_entry(on=alice_phone)

    assert crawler.changed(before, same) == []
    assert crawler.changed(before, crawler.rows()) == ["accounts_event", "accounts_vault", "accounts_vaultstate"]
