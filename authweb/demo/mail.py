"""Mails of the demo go into a folder and are read at /demo/mail/ without a sign-in: one of them has the code for it."""

from __future__ import annotations

import email.policy
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage as Parsed
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

_SHOWN = 100
_NAME = re.compile(r"[0-9]{16,20}")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it is shown."""

    name: str
    to: str
    subject: str
    body: str
    at: datetime


class Backend(BaseEmailBackend):
    """Writes each mail into a file, named by when it was sent."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep them all."""
        _folder().mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            name = str(time.time_ns() // 1000)
            whole = _folder() / f".{name}"
            whole.write_bytes(message.message().as_bytes())
            whole.replace(_folder() / f"{name}.eml")
        return len(email_messages)


@require_safe
@login_not_required
def mails(request: HttpRequest) -> HttpResponse:
    """The newest mails."""
    newest = sorted(_folder().glob("*.eml"), reverse=True)[:_SHOWN]
    return render(request, "demo/mails.html", {"mails": [_read(path) for path in newest]})


@require_safe
@login_not_required
def mail(request: HttpRequest, name: str) -> HttpResponse:
    """One mail, as text."""
    path = _folder() / f"{name}.eml"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise Http404
    return render(request, "demo/mail.html", {"mail": _read(path)})


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "mail"


def _read(path: Path) -> Mail:
    with path.open("rb") as file:
        parsed = email.message_from_binary_file(file, _class=Parsed, policy=email.policy.default)
    body = parsed.get_body(("plain",))
    at = datetime.fromtimestamp(int(path.stem) / 1_000_000, tz=timezone.get_current_timezone())
    text = body.get_content() if body is not None else ""
    return Mail(path.stem, str(parsed["To"]), str(parsed["Subject"]), text, at)
