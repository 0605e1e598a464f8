"""The server keys file, read once, by role and number; and what is sealed under its key F."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from accounts.models import KeyCheck
from accounts.vault import keys
from accounts.vault.errors import Damaged, ParseError, Reason
from accounts.vault.keys import Role, Secret, ServerKey

_KID_BYTES = 4


class KeysDiffer(ImproperlyConfigured):
    """A key of the file is another than the database knows under its number."""


@dataclass(frozen=True)
class Keyring:
    """The keys of the file: `{(role, kid): key}`. The highest number of a role writes, all of them read."""

    by_name: dict[tuple[Role, int], Secret]

    def newest(self, role: Role) -> tuple[int, Secret]:
        """Number and key that write. Raises ImproperlyConfigured when the role has none."""
        kids = [kid for known, kid in self.by_name if known == role]
        if not kids:
            raise ImproperlyConfigured(f"The server keys file has no key {role}: manage.py keys add {role}.")
        return max(kids), self.by_name[role, max(kids)]

    def get(self, role: Role, kid: int) -> Secret:
        """The key of a number. Raises ImproperlyConfigured, naming what the file lacks."""
        try:
            return self.by_name[role, kid]
        except KeyError:
            raise ImproperlyConfigured(f"The server keys file lacks {role} {kid}: manage.py keys enter.") from None


@cache
def keyring() -> Keyring:
    """The file of SERVER_KEYS_FILE. Raises ImproperlyConfigured: there is no default key."""
    return Keyring({(key.role, key.kid): key.key for key in read(Path(settings.SERVER_KEYS_FILE))})


def read(path: Path) -> list[ServerKey]:
    """The keys of a file, in its order. Raises ImproperlyConfigured with the line that is wrong."""
    try:
        if path.stat().st_mode & 0o007:
            raise ImproperlyConfigured(f"The server keys at {path} are open to everybody on this machine: chmod 0400.")
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        raise ImproperlyConfigured(f"No server keys at {path}: make them by `manage.py keys init`.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"The server keys at {path} cannot be read: {type(error).__name__}.") from None
    found: list[ServerKey] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            key = keys.parse_key_line(line)
        except ParseError as error:
            raise ImproperlyConfigured(f"{path}, line {number}: {error.reason.value}.") from None
        if any((key.role, key.kid) == (other.role, other.kid) for other in found):
            raise ImproperlyConfigured(f"{path}, line {number}: {key.role} {key.kid} stands there twice.")
        found.append(key)
    return found


def write(path: Path, server_keys: Iterable[ServerKey]) -> None:
    """Put these keys into the file, whole or not at all, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"{keys.format_key_line(key)}\n" for key in server_keys)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    keyring.cache_clear()


def missing_kids() -> list[str]:
    """Keys the database knows and the file lacks: a warning, since what they open stays shut."""
    have = keyring().by_name
    return sorted(
        f"{check.role} {check.kid}" for check in KeyCheck.objects.all() if (Role(check.role), check.kid) not in have
    )


@transaction.atomic
def check() -> None:
    """Compare the file with the database, and note keys that are new. Raises KeysDiffer: then nothing may start."""
    for role in Role:
        keyring().newest(role)
    known = {(Role(row.role), row.kid): bytes(row.check_value) for row in KeyCheck.objects.select_for_update()}
    for (role, kid), key in keyring().by_name.items():
        value = keys.keycheck(key, role, kid)
        if (role, kid) not in known:
            KeyCheck.objects.create(role=role, kid=kid, check_value=value)
        elif known[role, kid] != value:
            raise KeysDiffer(f"The server key {role} {kid} is not the one this database was written with.")


def seal(purpose: str, row_id: bytes, data: bytes) -> bytes:
    """A field sealed under the newest F: `kid u32 ‖ box`. For seeds of second factors and, later, proven identities."""
    kid, key = keyring().newest(Role.FIELD)
    return kid.to_bytes(_KID_BYTES, "big") + keys.seal_field(key, purpose, row_id, data)


def unseal(purpose: str, row_id: bytes, sealed: bytes) -> bytes:
    """What `seal` took. Raises Damaged; ImproperlyConfigured when the file lacks the key."""
    kid = int.from_bytes(sealed[:_KID_BYTES], "big")
    return keys.unseal_field(keyring().get(Role.FIELD, kid), purpose, row_id, sealed[_KID_BYTES:])


def pepper(kid: int | None = None) -> tuple[int, Secret]:
    """The pepper of a number, or the newest one, with its number."""
    return keyring().newest(Role.PEPPER) if kid is None else (kid, keyring().get(Role.PEPPER, kid))


def pepper_of(slot_kid: int) -> Secret:
    """The pepper that wraps a key slot. Raises Damaged where the file lacks it: the slot does not open here."""
    try:
        return keyring().get(Role.PEPPER, slot_kid)
    except ImproperlyConfigured:
        raise Damaged(Reason.SLOT_OUTER) from None


def peppers() -> list[Secret]:
    """Every pepper of the file, the newest first."""
    return [key for (role, _), key in sorted(keyring().by_name.items(), reverse=True) if role is Role.PEPPER]


def name_key(kid: int | None = None) -> Secret:
    """The NAME key of a number, or the newest one. Raises ImproperlyConfigured."""
    return keyring().newest(Role.NAME)[1] if kid is None else keyring().get(Role.NAME, kid)


def name_kids() -> list[int]:
    """The numbers of all NAME keys, the newest first."""
    return sorted((kid for role, kid in keyring().by_name if role is Role.NAME), reverse=True)


def made(roles: Iterable[Role], *, beside: Iterable[ServerKey] = ()) -> list[ServerKey]:
    """One new key for each role, numbered after those that are there."""
    there = list(beside)
    return [
        keys.new_server_key(role, max((key.kid for key in there if key.role == role), default=0) + 1) for role in roles
    ]
