"""What the pages of sign-in know of where they lead on to: what for, back where, and whether a backup is restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter
from django import template
from django.http import Http404
from django.urls import resolve, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.http import RESTORE

register = template.Library()

# What a fresh sign-in is asked for, by the name of the page that asks.
PURPOSES: Mapping[str, Promise] = {
    "accounts:instead": _("Next: a new list in place of the one you cannot open."),
    "accounts:request": _("Next: approve a browser."),
    "accounts:device-remove": _("Next: remove a device."),
    "accounts:device-undo": _("Next: put a device back."),
    "accounts:words-new": _("Next: make six words."),
    "accounts:words-own": _("Next: choose words of your own."),
    "accounts:passkey-new": _("Next: add a passkey."),
    "accounts:key-remove": _("Next: remove a key."),
    "accounts:passkeys-off": _("Next: switch your passkeys off."),
    "accounts:passkeys-on": _("Next: switch your passkeys on."),
    "accounts:delete-account": _("Next: delete your Authweb account."),
    "backups:on": _("Next: turn on Cloud Backup."),
    "backups:iphone": _("Next: turn on Cloud Backup."),
    "backups:account": _("Next: keep the backup under another account."),
    "backups:protection": _("Next: choose what opens the backup."),
    "backups:older": _("Next: the earlier saved states."),
    "backups:off": _("Next: turn off Cloud Backup."),
    "backups:delete": _("Next: delete the backup."),
}
# Pages that stand under no settings: who does not want them goes back to the list.
_OF_THE_LIST = ("", "accounts:instead", "accounts:request")


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a sign-in leads: what for, empty where that is not known; where "Cancel" goes; whether who has no
    Authweb account may make one here.
    """

    purpose: Promise | str
    cancel: str
    restores: bool
    can_sign_up: bool


@register.simple_tag(takes_context=True)
def leads_on(context: template.Context) -> Onward:
    """What follows the sign-in of this page, by its `next`."""
    name = _name_of(context.get("redirect_field_value"))
    return Onward(
        purpose=PURPOSES.get(name, ""),
        cancel=reverse("accounts:list" if name in _OF_THE_LIST else "accounts:settings"),
        restores=name == RESTORE,
        can_sign_up=get_adapter().is_open_for_signup(context["request"]),
    )


@register.filter
def focused(field: Any) -> str:
    """A field in which a person can type at once."""
    return str(field.as_widget(attrs={"autofocus": True}))


def _name_of(address: object) -> str:
    try:
        return resolve(urlsplit(str(address or "")).path).view_name
    except (Http404, ValueError):
        return ""
