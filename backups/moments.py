"""When something was, as a person reads it: absolute, in their own time; the server's zone is named where theirs is
not known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.templatetags.look import clock, weekday


def short(moment: datetime, user: Any, *, at: datetime) -> str:
    """The hour where it was today, else the day: "14:02", "3 May", "3 May 2025"."""
    local, now = timezone.localtime(moment), timezone.localtime(at)
    if local.date() == now.date():
        return clock(local, user)
    return date_format(local, _("j F") if local.year == now.year else _("j F Y"))


def full(moment: datetime, user: Any, *, at: datetime) -> str:
    """The hour where it was today, else day and hour: "14:02", "3 May 2026, 14:02"."""
    local = timezone.localtime(moment)
    hour = clock(local, user)
    if local.date() == timezone.localtime(at).date():
        return hour
    return _("%(day)s, %(time)s") % {"day": date_format(local, _("j F Y")), "time": hour}


def listed(moment: datetime, user: Any, *, at: datetime) -> str:
    """As a line of a list begins: "Today, 14:02", "Yesterday, 18:11", "1 May 2026, 20:15"."""
    local, today = timezone.localtime(moment), timezone.localtime(at).date()
    hour = clock(local, user)
    if local.date() == today:
        return _("Today, %(time)s") % {"time": hour}
    if local.date() == today - timedelta(days=1):
        return _("Yesterday, %(time)s") % {"time": hour}
    return _("%(day)s, %(time)s") % {"day": date_format(local, _("j F Y")), "time": hour}


def ahead(moment: datetime, user: Any) -> str:
    """A moment to come: "Tuesday, 14:02"; with its date where a day of the week alone would not say which."""
    return _("%(day)s, %(time)s") % named(moment, user)


def named(moment: datetime, user: Any) -> dict[str, str]:
    """A moment to come, as a sentence names it: its %(day)s and its %(time)s."""
    local = timezone.localtime(moment)
    return {"day": weekday(local), "time": clock(local, user)}


def lasting(span: timedelta) -> str:
    """How long something lasts, in the largest unit that fits it whole: "30 days", "24 hours", "15 minutes"."""
    hours, minutes = span // timedelta(hours=1), span // timedelta(minutes=1)
    if span % timedelta(days=1) == timedelta(0) and span.days > 1:
        return ngettext("%(count)d day", "%(count)d days", span.days) % {"count": span.days}
    if span % timedelta(hours=1) == timedelta(0):
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    if span % timedelta(minutes=1) == timedelta(0):
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    seconds = span // timedelta(seconds=1)
    return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
