"""`manage.py rewrap_backups`: every saved state under the newest server key S."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from backups.services import rotation
from backups.services.rotation import NotStarted, Running
from backups.storage import StoreFailed


class Command(BaseCommand):
    """After `keys add S` and a restart; as often as one likes."""

    help = (
        "Bring every saved state in the store under the newest server key S, so that the line of an older one can go."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and count."""
        try:
            done = rotation.rewrap()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except NotStarted:
            raise CommandError("No server has started with the newest S yet: restart Authweb first.") from None
        except Running:
            raise CommandError("Another rewrap_backups is at work: wait for it.") from None
        except StoreFailed as error:
            raise CommandError(f"The store of backups does not answer: {error.cause.value}.") from None
        self.stdout.write(f"{done.passed} saved states passed under S {done.kid}.")
        for kid, count in sorted(done.under.items()):
            self.stdout.write(f"S {kid} carries {count} saved states.")
        if done.failed:
            raise CommandError(f"{done.failed} saved states stay as they are; the log says why.")
        self.stdout.write(f"Lines of S before {done.kid} can go once no copy of the store needs them.")
