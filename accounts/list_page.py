"""The page around the rows of the list: rendered once for each shape, then filled, as the rows in it are.

Around a hundred rows the template engine costs as much as the rows with all their codes. So `accounts/list.html` is
rendered with marks in place of values, for somebody of whom only the shape is known. A test holds the result equal to
the template's own, for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from accounts import filling, http
from accounts.filling import Filler
from accounts.models import User
from accounts.rows import Manner

TEMPLATE = "accounts/list.html"


class Shape(NamedTuple):
    """Everything by which two pages differ, but for their values."""

    manner: Manner
    theme: str
    zone_known: bool
    pinned: bool
    others: bool
    several: bool
    one_way_in: bool
    demo: bool

    @classmethod
    def of(cls, user: User, context: Mapping[str, Any]) -> Shape:
        """The shape of a person's page."""
        pinned, others, several = bool(context["pinned"]), bool(context["others"]), context["count"] > 1
        one_way_in = bool(context["one_way_in"])
        return cls(
            Manner.of(user), user.theme, bool(user.time_zone), pinned, others, several, one_way_in, settings.DEMO
        )


def fits(request: HttpRequest) -> bool:
    """Whether this request's page is like any other: no search, nothing to be said once, nobody who leaves."""
    leaves = request.user.deletes_at is not None  # type: ignore[union-attr]
    return not leaves and not request.META.get("QUERY_STRING") and not len(get_messages(request))


def filled(user: User, context: Mapping[str, Any]) -> str:
    """The page with the rows, times and token of this context, all of them ready for HTML."""
    return _filler(Shape.of(user, context))(context)


_MARKS = filling.marks(("pinned", "others", "now", "ahead", "ends", "zone", "csrf_token"))


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
    vault = SimpleNamespace(one_way_in=shape.one_way_in)
    request = SimpleNamespace(user=anybody, path=reverse("accounts:list"), vault=vault)
    context = {
        **http.shell(request),  # type: ignore[arg-type]
        **_MARKS,
        "pinned": _MARKS["pinned"] if shape.pinned else "",
        "others": _MARKS["others"] if shape.others else "",
        "count": 2 if shape.several else 1,
        "query": "",
        "user": anybody,
        "request": request,
    }
    return filling.filler(render_to_string(TEMPLATE, context))
