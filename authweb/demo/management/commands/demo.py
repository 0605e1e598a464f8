"""`manage.py demo`: what `make run` starts."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import connection

from authweb import serving
from authweb.demo import people
from authweb.demo.provider import issuers
from authweb.demo.provider import people as outside


class Command(BaseCommand):
    """Keys, database, people once; then the site, `tidy` and the provider beside it, until Ctrl-C."""

    help = "Start the demo on this machine. Everything it keeps lies in one folder."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Make what is missing, then start."""
        serving.refuse_taken("127.0.0.1", settings.PORT, ports=issuers.PORTS)
        Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True)
        if not Path(settings.SERVER_KEYS_FILE).exists():
            call_command("keys", "init", stdout=io.StringIO())
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable")
        call_command("keys", "check", stdout=io.StringIO())
        people.seed()
        connection.close()
        _name_issuers()
        code = serving.together(
            [
                serving.site(host="127.0.0.1", port=settings.PORT, workers=1, log_requests=False),
                serving.tidy(),
                (sys.executable, "-m", "authweb.demo.provider.serve"),
            ],
            up=_all_answer,
            told=self._tell,
        )
        if code:
            raise CommandError("The demo ended by itself.", returncode=code)

    def _tell(self) -> None:
        alice, admin, bob, _ = people.PEOPLE
        self.stdout.write(
            f"\nAuthweb, the demo:  {settings.SITE_URL}\n"
            f"  sign in as        {alice.email}, password {people.PASSWORD}\n"
            f"  a lost laptop     {bob.email}, the same password; its backup is under bob at Microsoft\n"
            f"  mails             {settings.SITE_URL}/demo/mail/\n"
            f"  administration    {settings.SITE_URL}/admin/ as {admin.email}, the same password\n"
            f"  Microsoft, iCloud and Contoso are played beside it: {outside.told()},\n"
            "                    the same password\n"
            f"  kept in           {settings.DATA_DIR}\n"
            "Ctrl-C ends it.\n"
        )
        self.stdout.flush()


def _name_issuers() -> None:
    """Tell the processes that are about to start which issuers play which role; what somebody set themselves stays."""
    for named in issuers.roles(settings.PORT).values():
        if not any(name in os.environ or f"{name}_FILE" in os.environ for name in named):
            os.environ.update(named)


def _all_answer() -> bool:
    """Whether the site is up, and each of the issuers."""
    return serving.answers(settings.PORT) and all(
        serving.answers(settings.PORT + issuer.offset, "/.well-known/openid-configuration", host=issuers.HOST)
        for issuer in issuers.ISSUERS
    )
