"""Mail about one's own devices. Called by activity alone, sent once the act is committed."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.dateparse import parse_datetime

from accounts.models import Event, User

logger = logging.getLogger(__name__)


def mail(event: Event) -> None:
    """Tell the owner of an event, in their language and time. The act stands whatever becomes of the mail, and so do
    other mails.
    """
    transaction.on_commit(lambda: _send(event), robust=True)


def say_goodbye(user: User) -> None:
    """Tell who was deleted that it is done, at the address they had; once their rows are gone."""
    transaction.on_commit(lambda: _tell(user, "person_left", {"user": user}), robust=True)


def _send(event: Event) -> None:
    until = parse_datetime(str(event.facts.get("until", "")))
    # `devices:device:set_up`: device_set_up.
    _tell(event.user, "_".join(event.tag.split(":")[1:]), {"event": event, "until": until})


def _tell(user: User, what: str, context: dict[str, Any]) -> None:
    # Who chose none reads what the page of the act speaks; without a page it is the server's language.
    language = user.language or translation.get_language() or settings.LANGUAGE_CODE
    with translation.override(language), timezone.override(user.time_zone or None):
        context |= {"site": settings.SITE_URL}
        subject = render_to_string(f"mail/{what}_subject.txt", context).strip()
        body = render_to_string(f"mail/{what}.txt", context)
    try:
        send_mail(subject, body, None, [user.email])
    except Exception as error:  # Whatever a mail server or an address makes of it; its text may quote the mail.
        logger.error("A notice could not be mailed: %s, %s", what, type(error).__name__)
