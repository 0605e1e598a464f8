"""The rows of the list: their template is rendered once a shape, then filled.

Through the template engine a page of 100 rows costs ten times what its codes cost. So `_account.html` is rendered with
marks in place of values, once for each shape a row can have, and the marks are filled with escaped values. A test holds
the result equal to the plain template's. Only shapes are remembered between requests, never a value.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import itemgetter

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from accounts.models import User
from accounts.services.codes import Code
from accounts.templatetags.look import tile_letter, tile_number
from accounts.vault.entry import Entry, Type

COMMON_PERIOD = 30  # The period of the ring in the bar, in seconds; an account with another one has its own ring.
_NO_ID = "0" * 32  # Stands in addresses, where a mark does not fit.


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything by which two rows differ, but for their values."""

    language: str
    hidden: bool
    grouped: bool
    next_shown: bool
    compact: bool
    counter: bool
    shown: bool  # There is a code: always, but for a counter before its next code.
    own_ring: bool
    issuer: bool
    name: bool
    opened: bool  # Its page stands beside the list.

    @classmethod
    def of(cls, entry: Entry, code: Code | None, user: User, *, opened: str = "") -> Shape:
        """The shape of an account's row for a person."""
        counter = entry.type is Type.HOTP
        return cls(
            language=get_language() or "",
            hidden=user.hide_codes and not counter,
            grouped=user.group_digits,
            next_shown=user.show_next_code,
            compact=user.compact_rows,
            counter=counter,
            shown=code is not None,
            own_ring=code is not None and not counter and code.period != COMMON_PERIOD,
            issuer=bool(entry.issuer),
            name=bool(entry.name),
            opened=entry.id == opened,
        )


def values(entry: Entry, code: Code | None) -> dict[str, str]:
    """What a row shows, as text not yet escaped. An account without a code has empty fields for it."""
    called = entry.issuer or entry.name
    digits = code.digits if code else ""
    width = code.width if code else 0
    half = width // 2
    period = code.period if code else 0
    first = digits[:width]
    user, sign, host = entry.name.partition("@")
    return {
        "id": entry.id,
        "issuer": entry.issuer,
        "name": entry.name,
        "name_one": user + sign,  # A long address breaks after its "@".
        "name_two": host,
        "letter": tile_letter(called),
        "tile": str(tile_number(called)),
        "search": f"{entry.issuer} {entry.name}".casefold(),
        "counter": str(entry.counter),
        "digits": digits,
        "step": str(code.step) if code else "",
        "period": str(period),
        "width": str(width),
        "ends": _clock(code.ends_at) if period and code and period != COMMON_PERIOD else "",
        "spoken": " ".join(first),
        "one": first[:half],
        "two": first[half:],
        "next_one": digits[width : width + half],
        "next_two": digits[width + half : 2 * width],
    }


def _clock(second: int) -> str:
    return timezone.localtime(datetime.fromtimestamp(second, tz=timezone.get_current_timezone())).strftime("%H:%M:%S")


_FIELDS = (
    *("id", "issuer", "name", "letter", "tile", "search", "counter", "digits", "step", "period", "width", "ends"),
    *("spoken", "one", "two", "next_one", "next_two", "name_one", "name_two"),
)
_MARKS = {field: f"\x02{field}\x03" for field in (*_FIELDS, "csrf")} | {"id": _NO_ID}


@lru_cache(maxsize=256)
def _filler(shape: Shape) -> tuple[str, Callable[[Mapping[str, str]], tuple[str, ...]]]:
    """The row of a shape as a %-format, and the fields it takes in their order."""
    text: str = render_to_string("accounts/_account.html", {"row": _MARKS, "shape": shape, "csrf": _MARKS["csrf"]})
    text = text.replace("%", "%%").replace(_NO_ID, "\x02id\x03")
    pieces = text.split("\x02")
    names: list[str] = []
    for number, piece in enumerate(pieces[1:], 1):
        name, _, rest = piece.partition("\x03")
        names.append(name)
        pieces[number] = f"%s{rest}"
    return "".join(pieces), itemgetter(*names)


def render(
    entries: Iterable[Entry], codes: Mapping[str, Code], *, user: User, csrf: str, opened: str = ""
) -> SafeString:
    """The rows of these accounts, ready for a page. Values are escaped here; the CSRF token is the page's own.

    `opened` is the id of the account whose page stands beside the list.
    """
    rows = []
    escape = html.escape
    for entry in entries:
        code = codes.get(entry.id)
        text, fields = _filler(Shape.of(entry, code, user, opened=opened))
        row = {field: escape(value) for field, value in values(entry, code).items()}
        row["csrf"] = csrf
        rows.append(text % fields(row))
    return mark_safe("".join(rows))  # noqa: S308 - every value in it was escaped two lines above


def plain(entry: Entry, code: Code | None, *, user: User, csrf: str) -> SafeString:
    """One row by the template alone: what `render` must equal."""
    context = {"row": values(entry, code), "shape": Shape.of(entry, code, user), "csrf": csrf}
    return render_to_string("accounts/_account.html", context)
