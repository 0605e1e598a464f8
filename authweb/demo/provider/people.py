"""Who can sign in at the demo's provider. Everybody knows the password and the keys."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass

from authweb.demo.provider.issuers import CONTOSO, ICLOUD, ISSUERS, MICROSOFT, Issuer

PASSWORD = "authweb-demo"  # noqa: S105 - shown on the sign-in page
_NUMBERS = uuid.UUID("5b0ff5a4-55d8-4c0b-9a52-2cf5ee3a2a60")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at one issuer. `key` makes the codes of the second factor; without one there is none."""

    issuer: Issuer
    first_name: str
    key: bytes = b""

    @property
    def email(self) -> str:
        """What they type."""
        return f"{self.first_name.lower()}@{self.issuer.domain}"

    @property
    def oid(self) -> str:
        """Their number, the same for every application: a UUID."""
        return str(uuid.uuid5(_NUMBERS, f"oid of {self.email}"))

    @property
    def sub(self) -> str:
        """Their number for Authweb, another one: who takes the one for the other finds nobody."""
        return uuid.uuid5(_NUMBERS, f"sub of {self.email}").hex

    @property
    def base32(self) -> str:
        """The key as allauth keeps it."""
        return base64.b32encode(self.key).decode("ascii")


# Read out of their letters, as the other keys of the demo are. Authweb's sample list holds both.
ALICE_AT_MICROSOFT = Person(MICROSOFT, "Alice", key=b"the demo's key 1 at Microsoft")
ALICE_AT_CONTOSO = Person(CONTOSO, "Alice", key=b"the demo's key 2 at Contoso")
PEOPLE = (
    ALICE_AT_MICROSOFT,
    Person(MICROSOFT, "Bob"),
    Person(ICLOUD, "Alice"),
    Person(ICLOUD, "Bob"),
    ALICE_AT_CONTOSO,
    Person(CONTOSO, "Bob"),
)


def people_of(issuer: Issuer) -> tuple[Person, ...]:
    """Those it knows."""
    return tuple(person for person in PEOPLE if person.issuer is issuer)


def find(issuer: Issuer, **what: str) -> Person | None:
    """The person of this issuer with this `email` or `sub`, if there is one."""
    ((name, value),) = what.items()
    return next((person for person in people_of(issuer) if getattr(person, name) == value), None)


def told() -> str:
    """One line for the terminal: who can sign in where."""
    names = sorted({person.first_name.lower() for person in PEOPLE})
    domains = ", ".join(issuer.domain for issuer in ISSUERS)
    return f"{' and '.join(names)} at {domains}"
