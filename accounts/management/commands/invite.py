"""Invite a person: a link by which one address may sign up, while sign-up is closed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from accounts.services import sign_in


class Command(BaseCommand):
    """Prints the link; how it reaches the person is the operator's choice."""

    help = "Print a link by which ADDRESS, and no other address, may sign up."

    def add_arguments(self, parser: CommandParser) -> None:
        """One address."""
        parser.add_argument("address", metavar="ADDRESS")

    def handle(self, *args: Any, **options: Any) -> str:
        """Make the link. Fails for what is no address, and for one that signs in already."""
        address = str(options["address"]).strip().lower()
        try:
            validate_email(address)
        except ValidationError:
            raise CommandError(f"{address!r} is not an e-mail address.") from None
        if sign_in.is_known(address):
            raise CommandError(f"{address} signs in here already.")
        days = settings.INVITATION_MAX_AGE.days
        self.stderr.write(f"For {address}, within {days} days, once:")
        return sign_in.invitation(address)
