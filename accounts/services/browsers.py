"""What a browser says of itself: a name and a type that a device begins with."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from accounts.models import DeviceType

_SYSTEMS = (
    (r"iPhone", "iPhone", DeviceType.IOS),
    (r"iPad", "iPad", DeviceType.IOS),
    (r"Android", "Android", DeviceType.ANDROID),
    (r"Windows", "Windows", DeviceType.COMPUTER),
    (r"Macintosh", "Mac", DeviceType.COMPUTER),
    (r"CrOS", "Chromebook", DeviceType.COMPUTER),
    (r"Linux|X11", "Linux", DeviceType.COMPUTER),
)
_BROWSERS = (
    (r"Edg(e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera", "Opera"),
    (r"SamsungBrowser", "Samsung Internet"),
    (r"Firefox|FxiOS", "Firefox"),
    (r"Chrome|Chromium|CriOS", "Chrome"),
    (r"Safari", "Safari"),
)
_MODEL = re.compile(r"Android [\d.]+; (?P<model>[^;)]{2,30})\)")


def detect(user_agent: str) -> tuple[str, DeviceType | None]:
    """A name and a type to begin with; no type where the browser does not say enough."""
    text = user_agent[:512]
    browser = next((name for pattern, name in _BROWSERS if re.search(pattern, text)), "")
    for pattern, system, type in _SYSTEMS:
        if re.search(pattern, text):
            model = _MODEL.search(text)
            called = model["model"].strip() if model and model["model"].strip() not in ("K", "wv") else system
            named = _("%(browser)s on %(system)s") % {"browser": browser, "system": called} if browser else called
            return named, type
    return browser, None
