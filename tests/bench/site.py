"""Authweb in this process as people have it: production's settings, static files named by their content."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tests import environment

HOST = "auth.example.org"


def prepare(data: Path) -> None:
    """Set the environment of this process. Before Django reads its settings."""
    kept = environment.without_ours()
    os.environ.clear()
    os.environ.update(
        kept,
        DJANGO_SETTINGS_MODULE="authweb.settings",
        SITE_URL=f"https://{HOST}",
        SSL_REDIRECT="0",
        SECRET_KEY=secrets.token_urlsafe(60),
        EMAIL_URL=f"file://{data}/mails",
        DATA_DIR=str(data),
        # A backup without a provider is none that anybody could restore, and its status says so.
        ROLE_MICROSOFT_CLIENT_ID="authweb",
        ROLE_MICROSOFT_CLIENT_SECRET="of-the-bench-alone",
        # Playwright runs an event loop in this thread; Django would refuse the database there.
        DJANGO_ALLOW_ASYNC_UNSAFE="1",
    )
    os.environ.pop("DATABASE_URL", None)
