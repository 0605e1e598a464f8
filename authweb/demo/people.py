"""Who can sign in to the demo. Everybody knows the password."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.db import transaction

from accounts.models import User

PASSWORD = "authweb-demo"  # noqa: S105 - printed on the terminal


@dataclass(frozen=True, slots=True)
class Person:
    """An address, and whether the administration opens to it."""

    email: str
    is_staff: bool = False


PEOPLE = (Person("alice@example.org"), Person("admin@example.org", is_staff=True))


@transaction.atomic
def seed() -> None:
    """Make those who are not there yet. What a person did to themselves in the demo stays."""
    for person in PEOPLE:
        if User.objects.filter(email=person.email).exists():
            continue
        make = User.objects.create_superuser if person.is_staff else User.objects.create_user
        user = make(person.email, PASSWORD)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
