"""Cloud Backup: a change with it by one without, making and proving by the bare work, rewrap by the bare work."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from functools import cached_property
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from accounts.services import vaults
from accounts.services.identity import Identity
from accounts.vault import encoding, keys
from accounts.vault.list import AccountList, Protection
from backups import envelope
from backups.contents import Contents
from backups.envelope import Place, StoreKey
from backups.models import Backup, Status
from backups.services import making, switching
from tests.bench.timing import Act, Spread, interleaved, ratio
from tests.factories import Visitor
from tests.people import Person, an_account

_RENAMED = 5  # Changes of a round.
_MADE = 3  # Lists of a thousand, in a round.
REWRAPPED = 400  # Envelopes of a round: 10,000 in all rounds together.
_KID, _NEW_KID = 1, 2


class Saving:
    """The rounds, each group of two acts in turn, when a figure first asks for it."""

    @cached_property
    def change(self) -> Spread:
        """The form that renames one of a hundred accounts, as its browser sends it."""
        on, off = Person.with_accounts(100), Person.with_accounts(100)
        backup = backed_up(on.visitor)
        took = interleaved({"on": _renaming(on), "off": _renaming(off)})
        backup.refresh_from_db()
        changes = backup.generations.stored().order_by("-sequence").values_list("sequence", flat=True).first()
        assert backup.status(timezone.now()) is Status.PROTECTED
        assert changes == backup.high_water > _RENAMED
        return ratio(took, "on", "off")

    @cached_property
    def making(self) -> Spread:
        """A list of a thousand accounts, open, becomes bytes that are proven to open."""
        accounts = AccountList().add_many([an_account(number) for number in range(1000)])
        key, place = StoreKey(secrets.token_bytes(32)), _place()

        def contents() -> Contents:
            frame = {"device_type": "android", "device_name": "Phone", "app": settings.VERSION, "at": int(time.time())}
            return Contents.of_list(accounts, **frame)

        once = bare_making(json.loads(contents().to_bytes()))

        def made() -> None:
            for _ in range(_MADE):
                making.prove(contents(), place, kid=_KID, key=key)

        def bare() -> None:
            for _ in range(_MADE):
                once()

        return ratio(interleaved({"made": made, "bare": bare}), "made", "bare")

    @cached_property
    def rewrap(self) -> Spread:
        """Envelopes of ten accounts pass under a newer server key."""
        old, new = StoreKey(secrets.token_bytes(32)), StoreKey(secrets.token_bytes(32))
        accounts = AccountList().add_many([an_account(number) for number in range(10)])
        contents = Contents.of_list(accounts, device_type="android", device_name="Phone", app="1", at=int(time.time()))
        text, known = contents.to_bytes(), {_KID: old, _NEW_KID: new}.get
        places = [_place() for _ in range(REWRAPPED)]
        stored = [(place, envelope.write(text, place, kid=_KID, key=old)) for place in places]
        wrapping, mac = secrets.token_bytes(32), secrets.token_bytes(32)
        wrapped = aes_key_wrap(wrapping, secrets.token_bytes(32))

        def rewrapped() -> None:
            for place, data in stored:
                envelope.rewrap(data, place, known, kid=_NEW_KID, key=new)

        def bare() -> None:
            for _, data in stored:
                aes_key_wrap(wrapping, aes_key_unwrap(wrapping, wrapped))
                hmac.digest(mac, data, "sha256")
                hmac.digest(mac, data, "sha256")

        return ratio(interleaved({"rewrapped": rewrapped, "bare": bare}), "rewrapped", "bare")


def bare_making(document: Any) -> Act:
    """What making a saved state of this document needs at least: canonical JSON, one envelope written and read, strict
    JSON.
    """
    key, place = StoreKey(secrets.token_bytes(32)), _place()

    def make() -> None:
        sealed = envelope.write(encoding.canonical(document), place, kid=_KID, key=key)
        encoding.strict(envelope.read(sealed, place, {_KID: key}.get))

    return make


def backed_up(visitor: Visitor) -> Backup:
    """Turn Cloud Backup on for the list of a visitor."""
    address = visitor.user.email
    uid = hashlib.sha256(address.encode()).hexdigest()
    proven = Identity(Role.MICROSOFT, "https://issuer.example/v2.0", uid, address, timezone.now())
    return switching.turn_on(visitor.vault, proven, Protection.SIGN_IN, at=timezone.now())


def _renaming(person: Person) -> Act:
    entry, numbers = vaults.read(person.visitor.vault).entries[50], count()
    address = reverse("accounts:edit", args=[entry.id])

    def rename() -> None:
        for _ in range(_RENAMED):
            form = {"issuer": entry.issuer, "name": f"alice {next(numbers)}", "note": ""}
            person.asker.post(address, form)

    return rename


def _place() -> Place:
    return Place(keys.random_bytes(32), keys.random_bytes(8), 7)
