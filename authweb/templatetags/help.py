"""What pages say of the help: a link to one of its pages, and its pictures."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings

from authweb import help_pages

register = template.Library()


@register.inclusion_tag("help/_link.html")
def help_link(slug: str, part: str = "") -> dict[str, Any]:
    """A link to a page of the help, by its title, where its question arises; to a part of it where one is named."""
    return {"topic": help_pages.BY_SLUG[slug], "part": part}


@register.inclusion_tag("help/_picture.html")
def help_picture(name: str) -> dict[str, Any]:
    """A picture of a page of Authweb; nothing where there is none of this name yet."""
    there = help_pages.has_picture(name, settings.BASE_DIR / "static")
    return {"file": f"help/{name}.png" if there else "", "shows": help_pages.PICTURES[name]}
