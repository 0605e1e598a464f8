"""A lost device, so that there is something to restore in the demo: its list is backed up, and opens nowhere any more.

One of each type of device: what was backed up on a computer comes back on a computer alone.
"""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from django.conf import settings

from accounts.models import DeviceType, User
from accounts.roles import Role
from accounts.services import devices, vaults
from accounts.services.activity import Tag
from accounts.services.devices import NewDevice
from accounts.services.identity import Identity
from accounts.services.vaults import OpenVault
from accounts.vault import keys
from accounts.vault.entry import Entry, Kind, Needs
from accounts.vault.keys import Secret
from accounts.vault.list import Protection
from authweb.demo.provider import people
from authweb.demo.provider.issuers import ICLOUD, MICROSOFT
from backups.services import switching

_DEVICES = {
    DeviceType.COMPUTER: "Old laptop",
    DeviceType.ANDROID: "Old Pixel",
    DeviceType.IOS: "Old iPhone",
}
_NAMES = ("Fastmail", "Hetzner", "Nextcloud", "Proton")


def seed(user: User, types: tuple[DeviceType, ...], *, at: datetime) -> None:
    """Lists of a person that nothing opens, each with a backup under bob's account for its type of device."""
    for type in types:
        issuer = ICLOUD if type is DeviceType.IOS else MICROSOFT
        bob = people.find(issuer, email=f"bob@{issuer.domain}")
        assert bob is not None  # noqa: S101 - of the table beside
        uid = bob.sub if issuer is ICLOUD else bob.oid
        who = Identity(Role(issuer.role), issuer.named(settings.PORT), uid, bob.email, at)
        key = keys.new_vault_key()
        row = vaults.begin(user, name=_DEVICES[type], key=key, at=at, empty=True)
        device = devices.enrol(user, row, key, NewDevice(uuid4(), _DEVICES[type], type), at=at).device
        vault = OpenVault(row, key, device, user)
        vaults.change(vault, lambda accounts: accounts.add_many(_accounts(at)), tag=Tag.ENTRY_ADDED, at=at)
        switching.turn_on(vault, who, Protection.SIGN_IN, at=at)


def _accounts(at: datetime) -> tuple[Entry, ...]:
    added = int(at.timestamp())
    whole = [
        Entry.new(
            id=keys.new_id(),
            issuer=issuer,
            name="bob@example.org",
            secret=Secret(f"the demo's lost account {number}".encode("ascii")),
            added=added,
        )
        for number, issuer in enumerate(_NAMES)
    ]
    named = {"id": keys.new_id(), "issuer": "Contoso", "name": "bob@contoso.example", "kind": Kind.WORK}
    return (*whole, Entry.new(**named, secret=None, needs=Needs.SIGN_IN, added=added))
