"""The page around the rows of the list: rendered once for each shape, then filled, as the rows in it are.

Around a hundred rows the template engine costs as much as the rows with all their codes. So `accounts/list.html` is
rendered with marks in place of values, for somebody of whom only the shape is known. A test holds the result equal to
the template's own, for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language

from accounts import chips, filling, http, rows
from accounts.chips import Chip
from accounts.filling import Filler
from accounts.http import VaultRequest
from accounts.models import Event, User
from accounts.rows import Manner
from accounts.services import activity, approvals, blocking
from accounts.services import codes as codes_service
from accounts.services.approvals import Request
from accounts.services.blocking import Blocks
from accounts.vault.entry import Entry
from accounts.vault.list import AccountList

TEMPLATE = "accounts/list.html"


# -- What other browsers ask and did ----------------------------------------------------------------------------------


class Notice(NamedTuple):
    """What this browser is told once: its line of activity, what happened, when and on which device.

    `when` is None and `by` empty where the sentence names them itself: then it asks whether this was the person.
    """

    id: int
    sentence: str
    when: datetime | None = None
    by: str = ""

    @classmethod
    def of(cls, event: Event) -> Notice:
        """The notice of a line."""
        told = activity.told(event)
        if told:
            return cls(event.pk, told)
        return cls(event.pk, activity.sentence(event), event.at, activity.done_on(event))

    @property
    def asks(self) -> bool:
        """Whether "This was not me" stands with it."""
        return self.when is None


class News(NamedTuple):
    """What stands above the rows, and the chip. `frame`: what a page says around them that can change elsewhere."""

    frame: str
    chip: Chip
    requests: list[Request]
    notices: list[Notice]

    @property
    def token(self) -> str:
        """What a page hands back at its next look, so that the same is not told again."""
        return ".".join(
            [
                self.frame,
                self.chip.token,
                *(asks.id.hex[:8] for asks in self.requests),
                *(str(one.id) for one in self.notices),
            ]
        )

    def frames(self, token: str) -> bool:
        """Whether the page of this token says the same around its rows; otherwise it is to be loaded anew."""
        return token.partition(".")[0] == self.frame


def news(request: VaultRequest, *, at: datetime) -> News:
    """What this browser is to be told of others. Where there is nothing, it costs no query."""
    vault, user = request.vault, request.user
    asked = vault.row.asked_until is not None and vault.row.asked_until > at
    return News(
        chip=chips.of(vault, at=at),
        frame=f"{'one' if vault.only_door else ''}{'leaves' if user.deletes_at else ''}",
        requests=approvals.pending(vault, at, network=http.network_of(request)) if asked else [],
        notices=[Notice.of(event) for event in activity.unseen(user, vault.device, at=at)],
    )


# -- The page ---------------------------------------------------------------------------------------------------------


def context(
    request: VaultRequest,
    accounts: AccountList,
    *,
    at: datetime,
    query: str = "",
    opened: str = "",
    told: News | None = None,
    blocks: Blocks | None = None,
) -> dict[str, Any]:
    """What the pane of the list shows: rows, times, news. `opened` is the account whose page stands beside it.

    `blocks` are the rules about domains, where they were asked for already.
    """
    shown: tuple[Entry, ...] = accounts.entries
    words = query.casefold().split()
    if words:
        shown = tuple(e for e in shown if all(word in f"{e.issuer} {e.name}".casefold() for word in words))
    codes = codes_service.ahead(shown, at=at)
    csrf: Any = SimpleLazyObject(lambda: get_token(request))  # Its letters cost as much as ten rows; few pages need it.
    blocked = blocking.among(shown, blocking.met_by(request.vault) if blocks is None else blocks, at=at)
    shared: dict[str, Any] = {"user": request.user, "csrf": csrf, "opened": opened, "blocked": blocked}
    pinned = [entry for entry in shown if entry.pinned]
    others = [entry for entry in shown if not entry.pinned]
    common = int(at.timestamp()) // rows.COMMON_PERIOD
    ends = datetime.fromtimestamp((common + 1) * rows.COMMON_PERIOD, tz=timezone.get_current_timezone())
    waiting, language = _waiting(accounts), get_language() or ""
    # What was told before the list was opened could not count its accounts in the chip.
    told = news(request, at=at) if told is None else told._replace(chip=chips.of(request.vault, at=at))
    return {
        "pinned": rows.render(pinned, codes, **shared),
        "others": rows.render(others, codes, **shared),
        "count": len(accounts),
        "chip": told.chip.html,
        "shown": len(shown),
        "query": query,
        "now": f"{at.timestamp():.3f}",
        "ends": f"{ends:%H:%M:%S}",
        "zone": ends.tzname(),
        "csrf_token": csrf,
        "ahead": int(settings.CODES_AHEAD.total_seconds()),
        "version": request.vault.row.version,
        "again": "" if query else _again(waiting, language),
        "badge": _badge(waiting, language),
        "every": settings.LOOK_EVERY.total_seconds(),
        **of_news(told),
    }


def _waiting(accounts: AccountList) -> int:
    """How many accounts wait for their person. Few need anything, and the others are passed over."""
    return len([entry for entry in accounts.entries if entry.needs is not None and entry.waits])


@lru_cache(maxsize=64)
def _again(waiting: int, language: str) -> str:
    """The line that leads to the accounts that came back by their name, and counts them; empty where none waits."""
    return render_to_string("accounts/_again_line.html", {"waiting": waiting}) if waiting else ""


def badge(accounts: AccountList) -> str:
    """How many accounts wait for their person, beside the word that leads to the list; nothing in it where none does.

    For pages that opened the list anyway: none is opened for it.
    """
    return _badge(_waiting(accounts), get_language() or "")


@lru_cache(maxsize=64)
def _badge(waiting: int, language: str) -> str:
    return render_to_string("accounts/_badge.html", {"waiting": waiting})


def of_news(told: News) -> dict[str, Any]:
    """What `_list_notices.html` shows."""
    asks = any(notice.asks for notice in told.notices)
    return {"news": told.token, "requests": told.requests, "notices": told.notices, "asks_who": asks}


class Shape(NamedTuple):
    """Everything by which two pages differ, but for their values."""

    manner: Manner
    theme: str
    zone_known: bool
    pinned: bool
    others: bool
    several: bool
    chip: bool
    demo: bool

    @classmethod
    def of(cls, user: User, context: Mapping[str, Any]) -> Shape:
        """The shape of a person's page."""
        pinned, others, several = bool(context["pinned"]), bool(context["others"]), context["count"] > 1
        chip = bool(context["chip"])
        return cls(Manner.of(user), user.theme, bool(user.time_zone), pinned, others, several, chip, settings.DEMO)


def fits(request: HttpRequest, context: Mapping[str, Any]) -> bool:
    """Whether this page is like any other: no search, nothing asked, nothing to be said once, nobody who leaves."""
    leaves = request.user.deletes_at is not None  # type: ignore[union-attr]
    told = leaves or context["requests"] or context["notices"]
    return not told and not request.META.get("QUERY_STRING") and not len(get_messages(request))


def filled(user: User, context: Mapping[str, Any]) -> str:
    """The page with the rows, times and token of this context, all of them ready for HTML."""
    return _filler(Shape.of(user, context))(context)


_MARKS = filling.marks(
    (
        *("pinned", "others", "now", "ahead", "ends", "zone", "csrf_token", "version", "every", "news", "chip"),
        *("again", "badge"),
    ),
)


@lru_cache(maxsize=64)
def _filler(shape: Shape) -> Filler:
    manner = shape.manner
    anybody = User(
        theme=shape.theme,
        time_zone="UTC" if shape.zone_known else "",
        language=manner.language,
        hide_codes=manner.hidden,
        group_digits=manner.grouped,
        show_next_code=manner.next_shown,
        compact_rows=manner.compact,
    )
    request = SimpleNamespace(user=anybody, path=reverse("accounts:list"))
    context = {
        **http.shell(request),  # type: ignore[arg-type]
        **_MARKS,
        "list_is_open": True,
        "chip": _MARKS["chip"] if shape.chip else "",
        "pinned": _MARKS["pinned"] if shape.pinned else "",
        "others": _MARKS["others"] if shape.others else "",
        "count": 2 if shape.several else 1,
        "query": "",
        "user": anybody,
        "request": request,
    }
    return filling.filler(render_to_string(TEMPLATE, context))
