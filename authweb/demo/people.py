"""Who can sign in to the demo. Everybody knows the password."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone

from accounts.models import DeviceType, User
from authweb.demo import lost

PASSWORD = "authweb-demo"  # noqa: S105 - printed on the terminal


@dataclass(frozen=True, slots=True)
class Person:
    """An address, whether the administration opens to it, and devices that are lost, of which a backup is left."""

    email: str
    is_staff: bool = False
    lost: tuple[DeviceType, ...] = ()


PEOPLE = (
    Person("alice@example.org"),
    Person("admin@example.org", is_staff=True),
    Person("bob@example.org", lost=(DeviceType.COMPUTER,)),
    Person("bob.on.phones@example.org", lost=(DeviceType.ANDROID, DeviceType.IOS)),
)


@transaction.atomic
def seed() -> None:
    """Make those who are not there yet. What a person did to themselves in the demo stays."""
    for person in PEOPLE:
        if User.objects.filter(email=person.email).exists():
            continue
        make = User.objects.create_superuser if person.is_staff else User.objects.create_user
        user = make(person.email, PASSWORD)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        lost.seed(user, person.lost, at=timezone.now())
