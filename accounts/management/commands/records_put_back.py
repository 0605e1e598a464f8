"""`manage.py records_put_back`: after an old copy of the database was put in place."""

from __future__ import annotations

from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.models import Event, User
from accounts.services import activity
from accounts.services.activity import Tag


class Command(BaseCommand):
    """Ends all sessions, and tells everybody of which day the records are."""

    help = "After an old copy of the database was put back: ends every session and tells everybody."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; a second time tells everybody again."""
        newest = Event.objects.exclude(tag=Tag.RECORDS_PUT_BACK).order_by("-at").first()
        if newest is None:
            raise CommandError("Nothing ever happened in this database: there is nobody to tell.")
        day = timezone.localtime(newest.at).date().isoformat()
        with transaction.atomic():
            UserSession.objects.all().delete()
            ended, _ = Session.objects.all().delete()
            # Who had asked to be deleted then may have undone it since: they have the time to do so again.
            leaving = User.objects.exclude(deletes_at=None)
            leaving.update(deletes_at=timezone.now() + settings.ACCOUNT_DELETED_AFTER)
            people = list(User.objects.filter(is_active=True))
            for user in people:
                activity.record(Tag.RECORDS_PUT_BACK, user=user, at=timezone.now(), facts={"day": day})
        self.stdout.write(f"The records are those of {day}. Sessions ended: {ended}. People told: {len(people)}.")
