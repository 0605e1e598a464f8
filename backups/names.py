"""Where a backup lies in the store: under a name that only a server key and a proven sign-in lead to.

`v1/xa/xapheyctc5fcdotq6zimvuqrza6fnc55pkozzerxshhytu3xovia/0001020304050607/0000000000000007-00000001.awb`

The folder is made of the verified issuer and the stable id of the recovery account and of the device type, so a backup
is found after the database is lost, and never from another type of device. The number of the server key stands in the
name: a rotation, too, only ever creates.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from accounts.vault import keys
from accounts.vault.errors import Damaged, ParseError, Reason
from accounts.vault.keys import Label, Secret
from backups.envelope import Place

DEVICE_TYPES: Final = ("ios", "android", "computer")
_ROOT: Final = "v1"
_PATH: Final = re.compile(
    rf"{_ROOT}/([a-z2-7]{{2}})/(\1[a-z2-7]{{50}})/([0-9a-f]{{16}})/([0-9a-f]{{16}})-([0-9a-f]{{8}})\.awb"
)


@dataclass(frozen=True, slots=True)
class Name:
    """One object: whose backups (ctx, 32 bytes), which turning on (stream, 8 bytes), its number in it, and the key."""

    ctx: bytes
    stream: bytes
    sequence: int
    kid: int

    @property
    def path(self) -> str:
        """The object's path in the store, from its root."""
        return f"{prefix(self.ctx, self.stream)}{self.sequence:016x}-{self.kid:08x}.awb"

    @property
    def place(self) -> Place:
        """What the envelope is bound to."""
        return Place(self.ctx, self.stream, self.sequence)

    @classmethod
    def parse(cls, path: str) -> Name:
        """The name of a path. Raises Damaged for anything that is not exactly what `path` gives."""
        found = _PATH.fullmatch(path)
        name = None
        if found is not None:
            _, folder, stream, sequence, kid = found.groups()
            ctx = base64.b32decode(folder.upper() + "====")
            name = cls(ctx, bytes.fromhex(stream), int(sequence, 16), int(kid, 16))
        if name is None or name.path != path:  # The last letter has bits left over: one path for one name.
            raise Damaged(Reason.DAMAGED_DOCUMENT)
        return name


def ctx(name_key: Secret, issuer: str, uid: str, device_type: str) -> bytes:
    """The 32 bytes that stand for a recovery account and a device type, under the server key NAME.

    The issuer as it was verified, the stable id, never an address. Raises ParseError for text that is no UTF-8 and for
    another type of device than `ios`, `android`, `computer`.
    """
    if device_type not in DEVICE_TYPES:
        raise ParseError(Reason.TYPE_UNKNOWN, type=device_type)
    try:
        parts = [part.encode("utf-8") for part in (issuer, uid, device_type)]
    except UnicodeEncodeError:
        parts = []
    if not parts:
        raise ParseError(Reason.NOT_UTF8)
    return keys.fingerprint(keys.derive(name_key, Label.BACKUP_CTX), "", *parts)


def prefix(ctx: bytes, stream: bytes | None = None) -> str:
    """Under what path the objects of a recovery account and device type lie, or those of one stream; ends in `/`."""
    letters = base64.b32encode(ctx).decode("ascii").rstrip("=").lower()
    folder = f"{_ROOT}/{letters[:2]}/{letters}/"
    return folder if stream is None else f"{folder}{stream.hex()}/"
