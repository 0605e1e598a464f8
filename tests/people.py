"""People with lists of so many accounts, open in a browser that has been there before."""

from __future__ import annotations

import itertools
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import reverse
from django.utils import timezone

from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.vault.entry import Entry
from accounts.vault.secret import Secret
from tests import factories
from tests.asking import Asker
from tests.factories import Visitor

_numbers = itertools.count(1)
SITES = ("GitHub", "Fastmail", "Sparkasse", "Amazon", "Nextcloud", "PyPI", "Google", "Mastodon", "Dropbox", "Steuer")


@dataclass(frozen=True, slots=True)
class Person:
    """Someone at a browser, and that browser."""

    visitor: Visitor
    asker: Asker
    addresses: tuple[str, str, str]  # Of the list, of its codes, of a look at it.
    shown: str  # What the page says of itself when it looks.

    @classmethod
    def with_accounts(cls, count: int) -> Person:
        """A new person with so many accounts, all of the usual kind: SHA-1, 6 digits, 30 seconds."""
        address, zone = f"person-{next(_numbers)}@example.org", "Europe/Berlin"
        visitor = factories.enrolled(address, name="Phone", type="android", time_zone=zone)
        listed(visitor, count)
        addresses = reverse("accounts:list"), reverse("accounts:codes"), reverse("accounts:look")
        asker = Asker(
            get_wsgi_application(), host=_host(), cookies=known_cookies(visitor), csrf=settings.CSRF_COOKIE_NAME
        )
        page = visitor.client.get(addresses[0], secure=True, headers={"host": _host()})
        news = re.search(rb'data-news="([^"]*)"', page.content)
        assert news is not None
        shown = f"v={visitor.vault.row.version}&n={news[1].decode()}&open="
        return cls(visitor, asker, addresses, shown=shown)

    def page(self) -> bytes:
        """The list."""
        return self.asker.get(self.addresses[0])

    def refresh(self, query: str) -> bytes:
        """Codes from an instant on."""
        return self.asker.get(self.addresses[1], query)

    def look(self) -> bytes:
        """A look at what is shown already: there is nothing new."""
        return self.asker.get(self.addresses[2], self.shown, expected="204 No Content")


def listed(visitor: Visitor, count: int) -> None:
    """Put so many accounts into the list of a visitor."""
    entries = [an_account(number) for number in range(count)]
    vault = visitor.vault
    vaults.change(vault, lambda accounts: accounts.add_many(entries), tag=Tag.ENTRY_ADDED, at=timezone.now())


def known_cookies(visitor: Visitor) -> dict[str, str]:
    """The cookies of a browser after its first answer, which gives the session a new id."""
    answer = visitor.client.get(reverse("accounts:codes"), secure=True, headers={"host": _host()})
    assert answer.status_code == 200
    return {name: morsel.value for name, morsel in visitor.client.cookies.items()}


def _host() -> str:
    return urlsplit(settings.SITE_URL).netloc


def an_account(number: int) -> Entry:
    """The account of this number, its key at random."""
    site = SITES[number % len(SITES)]
    secret = Secret(secrets.token_bytes(20))
    return factories.an_entry(
        issuer=f"{site} {number // len(SITES)}".removesuffix(" 0"), name=_name(number), secret=secret
    )


def _name(number: int) -> str:
    return "alice@example.org" if number % 3 else f"alice.{number}@office.example"
