"""The pictures of README and of the help: which there are, who is seen in them, and where.

A further one is a line in PICTURES, and a function where nobody stands there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.services.identity import Purpose
from accounts.vault.entry import Kind
from authweb.demo import samples
from tests import factories
from tests.factories import Visitor

PHONE, COMPUTER = (360, 740), (1060, 700)
MOST = 60_000  # Bytes of one picture.


@dataclass(frozen=True, slots=True)
class Shot:
    """A page as somebody sees it: by their cookies, in a window of this size; all of it, or what a selector names.

    With `typed`, the page that comes when these fields of its form were filled and sent.
    """

    scene: Callable[[], tuple[Visitor, str]]
    size: tuple[int, int] = PHONE
    part: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, of one shot, or of several put together by a page of `frames.py`."""

    file: Path
    shots: Mapping[str, Shot]
    frame: str = ""


def somebody() -> Visitor:
    """Alice at her phone, with the accounts of the demo, backed up."""
    visitor = factories.enrolled("alice@example.org", name="Pixel 9", type="android", time_zone="UTC")
    User.objects.filter(pk=visitor.user.pk).update(way_back_asked=2)
    at = timezone.now()
    for entry in samples.new_list(at=at):
        vaults.change(visitor.vault, lambda accounts, entry=entry: accounts.add(entry), tag=Tag.ENTRY_ADDED, at=at)
    factories.create_words(on=visitor)
    factories.backed_up(visitor)
    return visitor


def her_list() -> tuple[Visitor, str]:
    """Her list."""
    return somebody(), reverse("accounts:list")


def one_account() -> tuple[Visitor, str]:
    """Her list, and beside it one account."""
    visitor = somebody()
    return visitor, reverse("accounts:account", args=[visitor.entries[1].id])


def backup() -> tuple[Visitor, str]:
    """Her Cloud Backup, which is on."""
    return somebody(), reverse("backups:status")


def turning_on() -> tuple[Visitor, str]:
    """Where she chooses who holds the backup."""
    visitor = factories.enrolled("alice@example.org", name="Pixel 9", type="android", time_zone="UTC")
    for number in range(12):
        factories.create_entry(on=visitor, issuer=f"Site {number}")
    return visitor, reverse("backups:on")


def restore_preview() -> tuple[Visitor, str]:
    """What comes back to a new phone: a few, of which one is there and one has to be signed in to again."""
    old = factories.enrolled("alice@example.org", name="Pixel 8", type="android", time_zone="UTC")
    kept = [("GitHub", "alice", Kind.THIRD_PARTY), ("Nordbank", "Giro", Kind.THIRD_PARTY)]
    for issuer, name, kind in [*kept, ("Contoso", "alice@contoso.example", Kind.WORK)]:
        factories.create_entry(on=old, issuer=issuer, name=name, kind=kind)
    factories.backed_up(old)
    new = factories.enrolled("alice.new@example.org", name="Pixel 9", type="android", time_zone="UTC")
    factories.create_entry(on=new, issuer="GitHub", name="alice")
    proof = factories.proven(new, purpose=Purpose.RESTORE)
    answer = new.client.get(f"{reverse('backups:restore-choose')}?proof={proof}")  # The one there is opens at once.
    return new, answer.headers["Location"]


def adding() -> tuple[Visitor, str]:
    """Which kinds of accounts there are to add."""
    return somebody(), reverse("accounts:add")


def blocking() -> tuple[Visitor, str]:
    """Where an administrator blocks a domain at which three people have an address."""
    desk = factories.enrolled("admin@example.org", name="Desk", type="computer", is_staff=True, is_superuser=True)
    for name in ("alice", "bob", "carol"):
        factories.enrolled(f"{name}@contoso.com", name="Pixel 9", type="android")
    return desk, reverse("admin:accounts_blockeddomain_add")


RULE = {
    "domain": "contoso.com",
    "from_date": "2026-06-01",
    "reason": "Codes of our organisation stay on our own devices.",
    "contact": "it@contoso.com",
}
HELP = Path("static/help")
PICTURES = (
    Picture(
        Path("docs/images/list.png"),
        {"computer": Shot(one_account, COMPUTER), "phone": Shot(her_list, (330, 660))},
        frame="desk",
    ),
    Picture(HELP / "backup.png", {"": Shot(backup, (360, 690))}),
    Picture(HELP / "turning-on.png", {"": Shot(turning_on, (360, 600))}),
    Picture(HELP / "restore-preview.png", {"": Shot(restore_preview)}),
    Picture(HELP / "add-account.png", {"": Shot(adding, (360, 610))}),
    Picture(HELP / "install.png", {}, frame="home"),
    Picture(HELP / "block-totp.png", {"": Shot(blocking, (760, 640))}),
    Picture(HELP / "block-totp-preview.png", {"": Shot(blocking, (760, 450), typed=RULE)}),
)
