"""The lines of the server keys file: a role, a number, a key in letters a person can type, and a check.

`S 1 CEIR CEIR CEIR CEIR CEIR CEIR CEIR CEIR CEIR CEIR CEIR CEIR CEIQ 7IVI`
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum

from accounts.vault.derivation import Label, fingerprint, info
from accounts.vault.errors import ParseError, Reason
from accounts.vault.secret import Secret

KEY_BYTES = 32
_KEY_LETTERS = 52
_CHECK_LETTERS = 4
_GROUP = 4
_LARGEST_KID = 2**32 - 1


class Role(StrEnum):
    """What a server key is for."""

    STORE = "S"  # backups and their MAC
    NAME = "NAME"  # names of objects in the store
    FIELD = "F"  # sealed fields: second factors of the sign-in, proven identities
    PEPPER = "PEPPER"  # the outer layer of key slots, letters of approvals


@dataclass(frozen=True, slots=True)
class ServerKey:
    """One key of the server: 32 bytes under a role and a number (kid, 1 to 2^32 − 1; the highest writes, all read)."""

    role: Role
    kid: int
    key: Secret


def format_key_line(key: ServerKey) -> str:
    """The line of a key, as the file holds it and as the sheet prints it."""
    letters = _letters(key.key.reveal()) + _check(key)
    groups = [letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP)]
    return " ".join([key.role.value, str(key.kid), *groups])


def parse_key_line(line: str) -> ServerKey:
    """The key of a line; case and white space do not count.

    Raises ParseError that names what is wrong, the first from the left: role, number, letter (and the group it stands
    in), length, check.
    """
    role, number, letters = _parts("".join(line.split()).upper())
    if role not in list(Role):
        raise ParseError(Reason.LINE_ROLE)
    if not 1 <= len(number) <= 10 or not 1 <= int(number) <= _LARGEST_KID:
        raise ParseError(Reason.LINE_NUMBER)
    for place, letter in enumerate(letters):
        if letter not in _ALPHABET:
            raise ParseError(Reason.LINE_LETTER, letter=letter, group=place // _GROUP + 1)
    if len(letters) != _KEY_LETTERS + _CHECK_LETTERS:
        raise ParseError(Reason.LINE_LENGTH, found=len(letters), allowed=_KEY_LETTERS + _CHECK_LETTERS)
    value = base64.b32decode(letters[:_KEY_LETTERS] + "====")
    key = ServerKey(role=Role(role), kid=int(number), key=Secret(value))
    if _letters(value) + _check(key) != letters:  # Four letters that the line itself shows: nothing to time here.
        raise ParseError(Reason.LINE_CHECK)
    return key


def keycheck(key: Secret, role: Role | str, kid: int) -> bytes:
    """HMAC-SHA256, 32 bytes, by which the database knows a key again without holding it."""
    return fingerprint(key, Label.KEYCHECK, str(role).encode("ascii"), kid.to_bytes(4, "big"))


_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_DIGITS = frozenset("0123456789")


def _parts(text: str) -> tuple[str, str, str]:
    """Role, number and letters of a line without spaces."""
    role = text[: len(text) - len(text.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
    rest = text[len(role) :]
    split = len(rest) - _KEY_LETTERS - _CHECK_LETTERS
    # A key may begin with a digit. Its length is fixed, so the number before it ends where that many letters remain.
    if split < 1 or not set(rest[:split]) <= _DIGITS:
        split = len(rest) - len(rest.lstrip("0123456789"))
    return role, rest[:split], rest[split:]


def _letters(key: bytes) -> str:
    return base64.b32encode(key).decode("ascii").rstrip("=")


def _check(key: ServerKey) -> str:
    bound = info(Label.KEY, key.role.value.encode("ascii"), key.kid.to_bytes(4, "big"), key.key.reveal())
    return _letters(hashlib.sha256(bound).digest())[:_CHECK_LETTERS]
