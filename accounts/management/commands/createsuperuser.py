"""Django's createsuperuser, whose person can sign in: with mandatory verification, only a verified address can."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.management.commands import createsuperuser

from accounts.models import User


class Command(createsuperuser.Command):
    """Wins over Django's, since this app stands before `django.contrib.auth`."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the person; their address counts as verified, on the word of who types at the server."""
        super().handle(*args, **options)
        for user in User.objects.filter(is_superuser=True, emailaddress=None):
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
