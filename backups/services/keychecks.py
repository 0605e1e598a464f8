"""Which server keys the store was written with: noted in the store itself, since it outlives the database.

A database that is new beside a keys file that is new would otherwise start, and every backup that lies there would be
found by nobody. The notes are `keys/<role>-<kid>.check`: 32 bytes that tell a key again and open nothing. Whoever
writes in the store can write any note; so where the database knows a key as well, it is the database that is believed.
"""

from __future__ import annotations

import hmac
from contextlib import suppress

from accounts.models import KeyCheck
from accounts.services.keyring import KeysDiffer, keyring
from accounts.vault import keys
from accounts.vault.errors import VaultError
from accounts.vault.keys import Role
from backups import envelope, storage
from backups.names import Name
from backups.services import objects
from backups.storage import NameTaken, NotStored

ROLES = (Role.STORE, Role.NAME)  # What lies in the store hangs on these two.
_FOLDER = "keys/"
_LOOKED_AT = 100  # Objects of one key, of which one has to be what it made.


def check() -> list[str]:
    """Compare the file with the store, and note keys that are new there. Returns what an operator should know.

    Before the database notes the keys: what it knows of itself is what it knew before. Raises KeysDiffer: then nothing
    may start. StoreFailed where it does not answer: then nothing is known.
    """
    store, have, told = storage.backups(), keyring().by_name, []
    rows = {(Role(row.role), row.kid): bytes(row.check_value) for row in KeyCheck.objects.all()}
    for (role, kid), key in sorted(have.items()):
        if role not in ROLES:
            continue
        value, name = keys.keycheck(key, role, kid), _name(role, kid)
        is_known = hmac.compare_digest(rows.get((role, kid), b""), value)
        try:
            noted = store.fetch(name)
        except NotStored:
            if is_known or _is_its_maker(role, kid):
                with suppress(NameTaken):
                    store.create(name, value)
            else:
                told.append(f"{role} {kid}: whether the backups in the store were named by it cannot be told")
            continue
        if hmac.compare_digest(noted, value):
            continue
        if not is_known:
            raise _differs(role, kid, f"{name} there tells")
        told.append(f"{role} {kid}: {name} in the store is of another key, or of another hand; remove it there")
    noted_there = {name for name in store.names(_FOLDER) if name.endswith(".check")}
    missing = sorted(noted_there - {_name(role, kid) for role, kid in have})
    return told + [f"{_called(name)}: the store of backups knows it, the server keys file lacks it" for name in missing]


def _is_its_maker(role: Role, kid: int) -> bool:
    """Whether nothing in the store speaks against a key of which there is no note. Raises KeysDiffer.

    S has signed what lies there under its number. Of NAME nothing there tells.
    """
    if role is not Role.STORE:
        return next(iter(storage.backups().names("v1/")), None) is None
    looked_at = 0
    for path in storage.backups().names("v1/"):
        try:
            name = Name.parse(path)
            if name.kid != kid:
                continue
            looked_at += 1
            envelope.verify(objects.fetched(name), name.place, objects.server_key)
        except (VaultError, NotStored):
            if looked_at >= _LOOKED_AT:
                break
            continue
        return True
    if looked_at:
        raise _differs(role, kid, "it signed none of what lies there")
    return True


def _differs(role: Role, kid: int, why: str) -> KeysDiffer:
    return KeysDiffer(
        f"The server key {role} {kid} is not the one that the backups in the store were written with: {why}. "
        "Put the former keys back: manage.py keys enter."
    )


def _name(role: Role, kid: int) -> str:
    return f"{_FOLDER}{role}-{kid}.check"


def _called(name: str) -> str:
    return name.removeprefix(_FOLDER).removesuffix(".check").replace("-", " ")
