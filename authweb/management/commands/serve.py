"""`manage.py serve`: production, as deploy/ starts it."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, CommandError, call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from authweb import collecting, env, serving
from backups.services import keychecks
from backups.storage import StoreFailed


class Command(BaseCommand):
    """The site, and `tidy` beside it, until Ctrl-C or SIGTERM."""

    help = "Start the site for people: refuses while migrations are open or a server key is another."

    def handle(self, *args: Any, **options: Any) -> None:
        """Look first, then start."""
        host = env.text("LISTEN", "127.0.0.1")
        workers = env.number("WORKERS", os.cpu_count() or 1, least=1, most=64)
        serving.refuse_taken(host, settings.PORT)
        call_command("check", deploy=True, fail_level="ERROR", verbosity=0)
        _refuse_open_migrations()
        self._compare_keys_with_the_store()
        call_command("keys", "check", stdout=self.stderr)
        call_command("createcachetable")
        collecting.collect()
        connection.close()
        code = serving.together(
            [serving.site(host=host, port=settings.PORT, workers=workers), serving.tidy()],
            up=lambda: serving.answers(settings.PORT),
            told=lambda: print(f"Authweb answers at {settings.SITE_URL}, here on {host}:{settings.PORT}.", flush=True),
        )
        if code:
            raise CommandError("The server ended by itself.", returncode=code)

    def _compare_keys_with_the_store(self) -> None:
        """A store that does not answer stops nothing: lists work without it."""
        try:
            told = keychecks.check()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except StoreFailed as error:
            self.stderr.write(f"The store of backups does not answer ({error}): its keys were not compared.")
            return
        for line in told:
            self.stderr.write(line)


def _refuse_open_migrations() -> None:
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        raise CommandError(f"The database does not answer ({type(error).__name__}): look at DATABASE_URL.") from None
    if plan:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan[:3])
        more = f" and {len(plan) - 3} more" if len(plan) > 3 else ""
        raise CommandError(f"Migrations are open ({names}{more}): run manage.py migrate, then start again.")
