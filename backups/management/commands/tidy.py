"""`manage.py tidy`: what is due, in order."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections, connection
from django.utils import timezone

from accounts.services import approvals, aside, attempts, deletion, devices, identity, rotation, vaults
from backups.services import adopting, ending, keeping, retaining
from backups.services import rotation as keys_of_backups

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """One kind of work: what it clears away, and how. It returns how many it cleared; to do it twice does no harm."""

    what: str
    expire: Callable[[datetime], int]


def _sessions(at: datetime) -> int:
    """Sessions that ran out, and allauth's notes of sessions that are no more."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    gone = UserSession.objects.filter(created_at__lt=at - timedelta(days=1)).exclude(
        session_key__in=Session.objects.values("session_key")
    )
    return int(gone.delete()[0])


def _cache(at: datetime) -> int:
    """Rows of the cache that ran out: counters hold addresses, and nobody reads them any more."""
    configured = settings.CACHES["default"]
    if not configured["BACKEND"].endswith(".DatabaseCache"):
        return 0
    if configured["LOCATION"] not in connection.introspection.table_names():
        return 0  # The server's first start makes the table.
    table = connection.ops.quote_name(configured["LOCATION"])
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE expires < %s",  # noqa: S608 - a name of the settings
            [connection.ops.adapt_datetimefield_value(at.replace(microsecond=0))],
        )
        return int(cursor.rowcount)


def _write_ahead_log(_at: datetime) -> int:
    """What was shredded leaves the file of the database at once; SQLite's log beside it must go as well."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return 0


DUE = (
    Due("old states of lists and drafts", vaults.expire),
    Due("requests for approval", approvals.expire),
    Due("counted tries", attempts.expire),
    Due("proofs", identity.expire),
    Due("keys of removed devices", devices.expire),
    Due("lists put aside", aside.expire),
    Due("sessions", _sessions),
    Due("cache", _cache),
    Due("saved states that wait", keeping.retry),
    Due("backups that were turned off", ending.expire),
    Due("saved states under an older server key, where a run was killed", keys_of_backups.finish),
    Due("saved states to be read again", keeping.read_again),
    Due("saved states that need not stay", retaining.tidy),
    Due("saved states of earlier backups that need not stay", adopting.tidy),
    Due("people whose backup is behind", keeping.tell_who_is_behind),
    Due("saved states of people who leave", retaining.expire_people),
    Due("people who leave", deletion.expire),
    Due("key slots under an older pepper", rotation.rewrap),
    Due("write-ahead log", _write_ahead_log),
)


class Command(BaseCommand):
    """Once, or every so many seconds until it is told to end."""

    help = "Clear away what is due: old states, drafts, removed devices, sessions."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """`--every SECONDS`."""
        parser.add_argument("--every", type=int, metavar="SECONDS", help="again and again, until it is told to end")

    def handle(self, *args: Any, every: int | None, **options: Any) -> None:
        """Do all that is due. What fails is named, and the rest is done."""
        if every is None:
            failed = tidy(timezone.now())
            if failed:
                raise CommandError(f"Failed: {', '.join(failed)}.")
            return
        told = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: told.set())
        while not told.is_set():
            close_old_connections()
            tidy(timezone.now())
            told.wait(every)


def tidy(at: datetime) -> list[str]:
    """Do all that is due at this time. Returns what failed; the reasons are in the log."""
    failed = []
    for due in DUE:
        try:
            cleared = due.expire(at)
        except Exception:  # One kind of work that fails holds back no other.
            logger.exception("Not tidied: %s", due.what)
            failed.append(due.what)
        else:
            if cleared:
                logger.info("Tidied: %s, %d", due.what, cleared)
    return failed
