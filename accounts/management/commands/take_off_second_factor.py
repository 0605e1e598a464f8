"""For a person who cannot show their second factor any more: take it off."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import User
from accounts.services import sign_in


class Command(BaseCommand):
    """The operator's way out where phone and recovery codes are lost, or the server key F is."""

    help = "Remove one-time codes and recovery codes of ADDRESS, who is told by mail. Passkeys and lists stay."

    def add_arguments(self, parser: CommandParser) -> None:
        """One address."""
        parser.add_argument("address", metavar="ADDRESS")

    def handle(self, *args: Any, **options: Any) -> str:
        """Do it. Fails for who does not sign in here, or has none."""
        user = User.objects.filter(email__iexact=str(options["address"]).strip()).first()
        if user is None:
            raise CommandError(f"{options['address']} does not sign in here.")
        if not sign_in.take_off_second_factor(user, at=timezone.now()):
            raise CommandError(f"{user.email} has no second factor but passkeys.")
        return f"Taken off. {user.email} is told by mail."
