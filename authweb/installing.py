"""Authweb as an app of the device: its manifest, and the worker that has one page to show where nothing is reached."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import get_template
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

_WORKER = Path(__file__).with_name("worker.js")
# What the page without a connection is drawn with.
_FILES = ("css/variables.css", "css/base.css", "icons/icon.svg")
# Where a long touch of the icon leads, each by its icon's own word.
_SHORTCUTS = (
    ("accounts:list", gettext_lazy("Accounts")),
    ("accounts:add", gettext_lazy("Add account")),
    ("backups:restore", gettext_lazy("Restore from backup")),
)


def manifest(language: str) -> dict[str, Any]:
    """What a device is told of the app, in one language: names, icons, shortcuts."""
    with translation.override(language):
        return {
            "id": "/",
            "name": "Authweb",
            "short_name": "Authweb",
            "description": _("Codes for your sign-ins, in every browser you use. Nothing stored opens your list."),
            "lang": language,
            "dir": "rtl" if translation.get_language_bidi() else "ltr",
            "categories": ["security", "utilities"],
            "start_url": reverse("accounts:list"),
            "scope": "/",
            "display": "standalone",
            "background_color": "#e8f0ee",
            "theme_color": "#075b63",
            # The sign fills 63 % of them, inside what any mask leaves, and their ground goes to the edge.
            "icons": [
                *(_icon(size, purpose) for purpose in ("any", "maskable") for size in (192, 512)),
                {"src": static("icons/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
            ],
            "shortcuts": [
                {"name": str(word), "url": reverse(name), "icons": [_icon(192, "any")]} for name, word in _SHORTCUTS
            ],
        }


def _icon(size: int, purpose: str) -> dict[str, str]:
    address = static(f"icons/icon-{size}.png")
    return {"src": address, "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}


def offline(language: str) -> str:
    """The page that is shown where no server is reached: static, without a person, a session or a database."""
    with translation.override(language):
        return get_template("authweb/offline.html").render({})


def worker() -> str:
    """The script of the worker. It is another one whenever anything it keeps is, so that browsers take it anew."""
    return _worker() if not settings.DEBUG else _worker.__wrapped__()


@cache
def _worker() -> str:
    files = [static(file) for file in _FILES]
    pages = {language: reverse("offline", args=[language]) for language, _name in settings.LANGUAGES}
    script = _WORKER.read_text()
    kept = [script, *files, *(offline(language) for language in pages)]
    version = hashlib.sha256("\0".join(kept).encode()).hexdigest()[:12]
    shell = json.dumps({"version": version, "files": files, "pages": pages})
    return f'"use strict";\nconst SHELL = {shell};\n{script}'
