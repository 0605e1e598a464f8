"""What templates draw: our icons, the mark, the backup sign, letter tiles, and codes in halves."""

from __future__ import annotations

import unicodedata
import zlib
from datetime import date as Day
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django import template
from django.template.defaultfilters import date
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

register = template.Library()

# Our own icons: 24 by 24, stroke 1.75, round ends, no fill. Stroke and colour come from the sheet.
ICONS = {
    "approve": '<path d="M11.5 21H9a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2h6a2 2 0 0 1 2 2v5.5M14 18l2.5 2.5L21 16"/>',
    "back": '<path d="m15 5.5-6.5 6.5 6.5 6.5"/>',
    "blocked": '<circle cx="12" cy="12" r="9"/><path d="m5.7 5.7 12.6 12.6"/>',
    "briefcase": '<rect x="3" y="7.5" width="18" height="12.5" rx="2"/>'
    '<path d="M8.5 7.5v-2a1.5 1.5 0 0 1 1.5-1.5h4a1.5 1.5 0 0 1 1.5 1.5v2M3 13h18"/>',
    "check": '<path d="m4.5 12.5 5 5L20 7"/>',
    "chevron": '<path d="m9 5.5 6.5 6.5L9 18.5"/>',
    "clock": '<circle cx="12" cy="12" r="9"/><path d="M12 7v5.2l3.2 1.9"/>',
    "close": '<path d="m5 5 14 14M19 5 5 19"/>',
    "copy": '<rect x="8.5" y="8.5" width="12" height="12" rx="2.5"/>'
    '<path d="M5 15.3a2 2 0 0 1-1.5-1.9V6A2.5 2.5 0 0 1 6 3.5h7.4a2 2 0 0 1 1.9 1.5"/>',
    "down": '<path d="m5.5 9 6.5 6.5L18.5 9"/>',
    "edit": '<path d="m4 20 .9-4.2L16.2 4.5a1.8 1.8 0 0 1 2.5 0l.8.8a1.8 1.8 0 0 1 0 2.5L8.2 19.1 4 20Z'
    'M14 6.7 17.3 10"/>',
    "eye": '<path d="M2.5 12C4.5 8 8 5.5 12 5.5S19.5 8 21.5 12c-2 4-5.5 6.5-9.5 6.5S4.5 16 2.5 12Z"/>'
    '<circle cx="12" cy="12" r="2.8"/>',
    "file": '<path d="M14 3H7.5a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h9a2 2 0 0 0 2-2V7.5L14 3v4.5h4.5"/>',
    "help": '<circle cx="12" cy="12" r="9"/><path d="M9.6 9.4a2.5 2.5 0 1 1 3.4 2.4c-.7.3-1 .8-1 1.6v.3M12 16.7v.1"/>',
    "grip": '<path d="M4 9h16M4 15h16"/>',
    "info": '<circle cx="12" cy="12" r="9"/><path d="M12 11.5v5M12 7.8v.1"/>',
    "key": '<circle cx="7.5" cy="16.5" r="4"/><path d="M10.4 13.6 20.5 3.5M15.5 8.5l3 3M18.5 5.5l2 2"/>',
    "laptop": '<rect x="5" y="5" width="14" height="10.5" rx="2"/><path d="M2.5 19h19"/>',
    "link": '<path d="M10 14a4.2 4.2 0 0 0 6 .3l3-3A4.2 4.2 0 0 0 13 5.4l-1 1M14 10a4.2 4.2 0 0 0-6-.3l-3 3'
    'A4.2 4.2 0 0 0 11 18.6l1-1"/>',
    "list": '<path d="M9 6h11.5M9 12h11.5M9 18h11.5M4 6h.01M4 12h.01M4 18h.01"/>',
    "lock": '<rect x="4.5" y="10.5" width="15" height="10" rx="2.5"/><path d="M8 10.5V8a4 4 0 0 1 8 0v2.5"/>',
    "mail": '<rect x="3" y="5" width="18" height="14" rx="2"/><path d="m3.5 7.5 8.5 6 8.5-6"/>',
    "more": '<path stroke-width="2.5" d="M5.5 12h.01M12 12h.01M18.5 12h.01"/>',
    "offline": '<path d="M3 3l18 18M5 12.5a10 10 0 0 1 4-2.4m4.5-.1a10 10 0 0 1 5.5 2.5M2 9a15 15 0 0 1 3.7-2.5m5-1'
    'A15 15 0 0 1 22 9M8.5 16a5 5 0 0 1 6 -.6M12 19.5h.01"/>',
    "open": '<path d="M14 4h6v6M20 4l-9 9M10 5H6a2 2 0 0 0-2 2v11a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2v-4"/>',
    "out": '<path d="M14 4H7a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h7M10 12h11M17.5 8.5 21 12l-3.5 3.5"/>',
    "passkey": '<circle cx="9" cy="7.5" r="3.8"/><path d="M2.5 20a6.5 6.5 0 0 1 10-5.4"/>'
    '<circle cx="17.5" cy="10.5" r="3.3"/><path d="M17.5 13.8V21h3M17.5 17.5h2.5"/>',
    "paste": '<path d="M8.5 5H7a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V7a2 2 0 0 0-2-2h-1.5M8.5 12h7'
    'M8.5 16h4"/><rect x="8.5" y="3" width="7" height="4" rx="1.2"/>',
    "person": '<circle cx="12" cy="8" r="4.5"/><path d="M4.5 20.5a7.5 7.5 0 0 1 15 0"/>',
    "phone": '<rect x="6.5" y="2.5" width="11" height="19" rx="2.5"/><path d="M11 18h2"/>',
    "picture": '<rect x="3.5" y="3.5" width="17" height="17" rx="2.5"/><circle cx="9" cy="9" r="1.7"/>'
    '<path d="m4 17.5 4.5-4 3 2.5 4.5-4.5 4.5 4"/>',
    "pin": '<path d="M8.5 3.5h7M9.5 3.5V10L6 14.5h12L14.5 10V3.5M12 14.5V21"/>',
    "plus": '<path d="M12 4.5v15M4.5 12h15"/>',
    "print": '<path d="M7 8V3.5h10V8M7 17H5a2 2 0 0 1-2-2v-5a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2h-2"/>'
    '<rect x="7" y="14" width="10" height="6.5" rx="1"/>',
    "refresh": '<path d="M20 11a8 8 0 0 0-14.2-4L4 9m0-4.5V9h4.5M4 13a8 8 0 0 0 14.2 4l1.8-2m0 4.5V15h-4.5"/>',
    "restore": '<path d="M4 4.5V9.5h5M4.3 9.3A8.3 8.3 0 1 1 3.7 13"/>',
    "scan": '<path d="M3 8V5.5A2.5 2.5 0 0 1 5.5 3H8M16 3h2.5A2.5 2.5 0 0 1 21 5.5V8M21 16v2.5'
    "a2.5 2.5 0 0 1-2.5 2.5H16M8 21H5.5A2.5 2.5 0 0 1 3 18.5V16M8 8.5h2.5V11H8ZM14 8v2.5h2M8 15h3.5"
    'M14.5 14h2v2.5h-2Z"/>',
    "search": '<circle cx="10.5" cy="10.5" r="6.5"/><path d="m15.5 15.5 5 5"/>',
    "settings": '<path d="M3 7.5h10M18.5 7.5H21M3 16.5h3M11.5 16.5H21"/><circle cx="15.8" cy="7.5" r="2.5"/>'
    '<circle cx="8.7" cy="16.5" r="2.5"/>',
    "trash": '<path d="M4 6.5h16M9 6.5V3.5h6v3M6 6.5l.7 12.6a1.5 1.5 0 0 0 1.5 1.4h7.6a1.5 1.5 0 0 0 1.5-1.4'
    'L18 6.5M10.3 10.5v6M13.7 10.5v6"/>',
    "up": '<path d="m5.5 15.5 6.5-6.5 6.5 6.5"/>',
    "warning": '<path d="M12 3.5 2.5 20h19ZM12 10v4.5M12 17.2v.1"/>',
    "words": '<path d="M3 6h7M3 12h7M3 18h7M14 6h7M14 12h7M14 18h7"/>',
}
_TURNING = frozenset({"back", "chevron", "open", "out"})  # Mirrored where one reads from the right.

# The mark is a tally split in two; the backup sign tells by its halves how the backup stands.
_LEFT = "M17.5 3.1A13 13 0 0 0 10 27.5V14H17.5Z"
_RIGHT = "M22 4.5A13 13 0 0 1 14.5 28.9V18H22Z"
_RIGHT_INSIDE = "M21.9 4.9A12.6 12.6 0 0 1 14.9 28.3V18.4H21.9Z"
_SOLID = 'fill="currentColor" stroke="currentColor" stroke-width="2" stroke-linejoin="round"'
SIGNS = {
    "on": f'<path {_SOLID} d="{_LEFT}{_RIGHT}"/>',
    "unsaved": f'<path {_SOLID} transform="translate(-1.5 -1)" d="{_LEFT}"/>'
    f'<path {_SOLID} transform="translate(2 2)" d="{_RIGHT}"/>',
    "needs": f'<path {_SOLID} transform="translate(-1 0)" d="{_LEFT}"/><path fill="none" stroke="currentColor"'
    ' stroke-width="4.2" stroke-linecap="round" d="M25 6.5V17.5M25 25v.01"/>',
    "failing": f'<path {_SOLID} d="M15.3 3.5A12.5 12.5 0 0 0 9.2 26.5L12 21.4 8.8 17 13.2 12.5 11 8.2Z'
    'M25 6.2A12.5 12.5 0 0 1 16.5 28.5L18.8 22.8 16 18.6 21.5 14 19.5 9.8Z"/>',
    "off": f'<path {_SOLID} d="{_LEFT}"/><path fill="none" stroke="currentColor" stroke-width="1.5"'
    f' stroke-linejoin="round" d="{_RIGHT_INSIDE}"/>',
    "deleting": f'<path {_SOLID} d="{_LEFT}"/><path fill="none" stroke="currentColor" stroke-width="1.5"'
    f' stroke-linejoin="round" stroke-dasharray="2.6 2.4" d="{_RIGHT_INSIDE}"/>',
}


@register.simple_tag
@cache
def icon(name: str, size: int = 24) -> SafeString:
    """One of our icons, 24, 20 or 16 px. Decoration: the word beside it, or the button's label, names it."""
    turns = " icon-turns" if name in _TURNING else ""
    sized = f" icon-{size}" if size != 24 else ""
    return _drawn(f"icon{sized}{turns}", 24, ICONS[name])


@register.simple_tag
@cache
def mark() -> SafeString:
    """Authweb's mark, in the colour of its place."""
    return _drawn("mark", 32, SIGNS["on"])


@register.simple_tag
@cache
def sign(state: str, size: int = 24) -> SafeString:
    """The backup sign in one of its six states; always beside the state's words."""
    sized = f" sign-{size}" if size != 24 else ""
    return _drawn(f"sign sign-{state}{sized}", 32, SIGNS[state])


def _drawn(classes: str, grid: int, shapes: str) -> SafeString:
    svg = f'<svg class="{classes}" viewBox="0 0 {grid} {grid}" aria-hidden="true">{shapes}</svg>'
    return mark_safe(svg)  # noqa: S308 - shapes of the tables above, classes by templates


@register.simple_tag
def tile(issuer: str, name: str = "", size: int = 40) -> SafeString:
    """A letter on one of ten grounds; the same site has the same ground on every device. Decoration."""
    label = issuer.strip() or name.strip()
    sized = f" tile-{size}px" if size != 40 else ""
    return format_html(
        '<span class="tile tile-{}{}" aria-hidden="true">{}</span>', tile_number(label), sized, tile_letter(label)
    )


def tile_number(label: str) -> int:
    """Which of the ten grounds: the same for any spelling in capitals or compatible characters."""
    known = unicodedata.normalize("NFKC", label).strip().casefold()
    return zlib.crc32(known.encode("utf-8", "surrogatepass")) % 10


def tile_letter(label: str) -> str:
    """The first whole character, as a capital; an emoji as it stands; nothing for an empty label."""
    label = label.lstrip()
    if not label:
        return ""
    end = 1
    if _is_flag(label[0]) and label[1:2] and _is_flag(label[1]):
        end = 2
    while end < len(label) and (_joins(label[end]) or label[end - 1] == _JOINER):
        end += 1
    letter = label[:end]
    capital = letter.title()  # Some scripts have capitals that no fonts draw; they have no title case.
    return capital if len(capital) == len(letter) else letter


_JOINER = "\u200d"


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _joins(character: str) -> bool:
    """Accents, joiners, skin tones and tags belong to the character before them."""
    return (
        character == _JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or unicodedata.category(character) in ("Mn", "Mc", "Me")
    )


@register.filter(expects_localtime=True)
def weekday(moment: datetime) -> str:
    """ "Tuesday"; with the date where that could be meant of another week."""
    far = moment - timezone.now() > timedelta(days=6)
    return date(moment, _("l, j F") if far else "l")


@register.filter
def day(text: str) -> Day:
    """The day of a line of activity, as a date."""
    return Day.fromisoformat(text)


@register.filter
def halves(code: str) -> SafeString:
    """A code in two groups, the second never the shorter one. The gap is a margin: what is copied has none."""
    middle = len(code) // 2
    return format_html("<span>{}</span><span>{}</span>", code[:middle], code[middle:])


@register.filter(expects_localtime=True)
def clock(moment: datetime, user: Any) -> str:
    """Hour and minute in the person's own zone; where theirs is not known, in the server's, which is named."""
    return str(date(moment, "H:i" if getattr(user, "time_zone", "") else "H:i T"))
