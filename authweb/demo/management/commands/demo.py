"""`manage.py demo`: what `make run` starts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import connection

from authweb import serving
from authweb.demo import people


class Command(BaseCommand):
    """Keys, database, people once; then the site and `tidy`, until Ctrl-C."""

    help = "Start the demo on this machine. Everything it keeps lies in one folder."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Make what is missing, then start."""
        serving.refuse_taken("127.0.0.1", settings.PORT)
        Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True)
        if not Path(settings.SERVER_KEYS_FILE).exists():
            call_command("keys", "init", stdout=io.StringIO())
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable")
        call_command("keys", "check", stdout=io.StringIO())
        people.seed()
        connection.close()
        code = serving.together(
            [serving.site(host="127.0.0.1", port=settings.PORT, workers=1, log_requests=False), serving.tidy()],
            up=lambda: serving.answers(settings.PORT),
            told=self._tell,
        )
        if code:
            raise CommandError("The demo ended by itself.", returncode=code)

    def _tell(self) -> None:
        alice, admin = people.PEOPLE
        self.stdout.write(
            f"\nAuthweb, the demo:  {settings.SITE_URL}\n"
            f"  sign in as        {alice.email}, password {people.PASSWORD}\n"
            f"  mails             {settings.SITE_URL}/demo/mail/\n"
            f"  administration    {settings.SITE_URL}/admin/ as {admin.email}, the same password\n"
            f"  kept in           {settings.DATA_DIR}\n"
            "Ctrl-C ends it.\n"
        )
        self.stdout.flush()
