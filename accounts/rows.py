"""The rows of the list: their template is rendered once for each manner and kind of row, then filled.

`_account.html` is rendered with marks in place of values, and these are filled with escaped values. A test holds the
result equal to the plain template's.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import filling
from accounts.filling import Filler
from accounts.models import User
from accounts.services.blocking import Under
from accounts.services.codes import Code
from accounts.templatetags.look import tile_letter, tile_number
from accounts.vault import entry as core
from accounts.vault.entry import Entry, Needs, Type

COMMON_PERIOD = 30  # The period of the ring in the bar, in seconds; an account with another one has its own ring.
_NO_ID = "0" * 32  # Stands in addresses, where a mark does not fit.


class Manner(NamedTuple):
    """How a person wants rows."""

    language: str
    hidden: bool
    grouped: bool
    next_shown: bool
    compact: bool

    @classmethod
    def of(cls, user: User) -> Manner:
        """The manner of a person, in the language of this request."""
        return cls(get_language() or "", user.hide_codes, user.group_digits, user.show_next_code, user.compact_rows)


class Kind(NamedTuple):
    """By what two rows of one person differ, but for their values."""

    counter: bool
    shown: bool  # There is a code: always, but for a counter before its next code.
    own_ring: bool
    issuer: bool
    name: bool
    opened: bool  # Its page stands beside the list.
    signed_in: bool  # Somebody signed in to it.
    needs: str  # What `needs_of` says; "dated" where its counter is of a backup; empty for nearly all.
    blocked: str  # By a rule: "now", "soon" before its day; empty for nearly all.

    @classmethod
    def of(cls, entry: Entry, code: Code | None, opened: str, under: Under | None) -> Kind:
        """The kind of an account's row."""
        counter = entry.type is Type.HOTP
        own_ring = code is not None and not counter and code.period != COMMON_PERIOD
        signed_in = entry.signed_in is not None
        named = bool(entry.issuer), bool(entry.name)
        needs = "" if entry.needs is None and entry.as_of is None else needs_of(entry) or _dated(entry)
        blocked = "" if under is None else "now" if under.holds else "soon"
        return cls(counter, code is not None, own_ring, *named, entry.id == opened, signed_in, needs, blocked)


def needs_of(entry: Entry) -> str:
    """What an account that came back by its name says: "sign_in", "scan" or "organization" (its QR code), "kept"."""
    if entry.needs is None:
        return ""
    if entry.needs is Needs.KEPT:
        return "kept"
    if entry.needs is Needs.SIGN_IN and entry.signs_in:
        return "sign_in"
    return "organization" if entry.kind is core.Kind.WORK else "scan"


def _dated(entry: Entry) -> str:
    return "dated" if entry.type is Type.HOTP and entry.as_of is not None else ""


def values(
    entry: Entry, code: Code | None, under: Under | None = None, *, text: Callable[[str], str] = str
) -> dict[str, object]:
    """What a row shows. `text` is done to what people wrote; the rest is digits and letters of our own making."""
    digits, width, step, period = (code.digits, code.width, code.step, code.period) if code else ("", 0, "", 0)
    half = width // 2
    issuer, name = entry.issuer, entry.name
    called = issuer or name
    escaped = text(name)
    user, sign, host = escaped.partition("@")
    row: dict[str, object] = {
        "id": entry.id,
        "issuer": text(issuer),
        "name": escaped,
        "name_one": user + sign,  # A long address breaks after its "@".
        "name_two": host,
        "both": text(f"{issuer}, {name}" if issuer and name else called),  # As a screen reader calls it.
        "letter": text(tile_letter(called)),
        "tile": tile_number(called),
        "search": text(f"{issuer} {name}".casefold()),
        "counter": entry.counter,
        "digits": digits,
        "step": step,
        "period": period,
        "width": width,
        "ends": _clock(code.ends_at) if code and period not in (0, COMMON_PERIOD) else "",
        "spoken": " ".join(digits[:width]),
        "one": digits[:half],
        "two": digits[half:width],
        "next_one": digits[width : width + half],
        "next_two": digits[width + half : 2 * width],
        "signed_in": _day(entry.signed_in) if entry.signed_in is not None else "",
    }
    if entry.as_of is not None:
        row["as_of"] = _day(entry.as_of)
    if under is not None:
        row |= {"domain": text(under.block.readable), "from": day_of(under.block.from_date)}
    return row


def _clock(second: int) -> str:
    return timezone.localtime(datetime.fromtimestamp(second, tz=timezone.get_current_timezone())).strftime("%H:%M:%S")


def _day(second: int) -> str:
    """The day in the words of this request's language: "3 May"; with its year where that is another one."""
    return day_of(timezone.localtime(datetime.fromtimestamp(second, tz=timezone.get_current_timezone())).date())


def day_of(day: date) -> str:
    """The same of a day: it is one wherever the person is."""
    return date_format(day, _("j F") if day.year == timezone.localtime().year else _("j F Y"))


_MARKS = filling.marks(
    (
        *("issuer", "name", "letter", "tile", "search", "counter", "digits", "step", "period", "width", "ends"),
        *("spoken", "one", "two", "next_one", "next_two", "name_one", "name_two", "both", "csrf", "signed_in", "as_of"),
        *("domain", "from"),
    )
) | {"id": _NO_ID}


@lru_cache(maxsize=256)
def _filler(manner: Manner, kind: Kind) -> Filler:
    """What makes a row of a kind."""
    text = _rendered(_MARKS, manner, kind, _MARKS["csrf"])
    return filling.filler(text.replace(_NO_ID, filling.marks(["id"])["id"]))


def _rendered(row: Mapping[str, object], manner: Manner, kind: Kind, csrf: str) -> SafeString:
    shape = {**manner._asdict(), **kind._asdict()}
    return render_to_string("accounts/_account.html", {"row": row, "shape": shape, "csrf": csrf})


def render(
    entries: Iterable[Entry],
    codes: Mapping[str, Code],
    *,
    user: User,
    csrf: str,
    opened: str = "",
    blocked: Mapping[str, Under] = MappingProxyType({}),
) -> SafeString:
    """The rows of these accounts, ready for a page. Values are escaped here; the CSRF token is the page's own, and made
    only where a row asks for it.

    `opened` is the id of the account whose page stands beside the list; `blocked` are those under a rule.
    """
    rows = []
    manner = Manner.of(user)
    for entry in entries:
        code = codes.get(entry.id)
        under = blocked.get(entry.id)
        row = values(entry, code, under, text=html.escape)
        row["csrf"] = csrf
        rows.append(_filler(manner, Kind.of(entry, code, opened, under))(row))
    return mark_safe("".join(rows))  # noqa: S308 - what people wrote was escaped three lines above


def plain(entry: Entry, code: Code | None, *, user: User, csrf: str, under: Under | None = None) -> SafeString:
    """One row by the template alone: what `render` must equal."""
    return _rendered(values(entry, code, under), Manner.of(user), Kind.of(entry, code, "", under), csrf)
