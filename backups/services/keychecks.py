"""Which server keys the store was written with: noted in the store itself, since it outlives the database.

A database that is new beside a keys file that is new would otherwise start, and every backup that lies there would be
found by nobody. The notes are `keys/<role>-<kid>.check`: 32 bytes that tell a key again and open nothing.
"""

from __future__ import annotations

import hmac

from accounts.services.keyring import KeysDiffer, keyring
from accounts.vault import keys
from accounts.vault.keys import Role
from backups import storage
from backups.storage import NameTaken

ROLES = (Role.STORE, Role.NAME)  # What lies in the store hangs on these two.
_FOLDER = "keys/"


def check() -> list[str]:
    """Compare the file with the store, and note keys that are new there. Returns what the store knows and it lacks.

    Raises KeysDiffer: then nothing may start. StoreFailed where it does not answer: then nothing is known.
    """
    store, have = storage.backups(), keyring().by_name
    names = {_name(role, kid): (role, kid) for role, kid in have if role in ROLES}
    for name, (role, kid) in sorted(names.items()):
        value = keys.keycheck(have[role, kid], role, kid)
        try:
            store.create(name, value)
        except NameTaken:
            if not hmac.compare_digest(store.fetch(name), value):
                raise KeysDiffer(
                    f"The server key {role} {kid} is not the one that the backups in the store were written with "
                    f"({name} there). Put the former keys back: manage.py keys enter."
                ) from None
    return sorted(_called(name) for name in store.names(_FOLDER) if name not in names)


def _name(role: Role, kid: int) -> str:
    return f"{_FOLDER}{role}-{kid}.check"


def _called(name: str) -> str:
    return name.removeprefix(_FOLDER).removesuffix(".check").replace("-", " ")
