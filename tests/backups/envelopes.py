"""What the tests of backups share: the vectors as values, and a real file of each protection."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from accounts.vault import keys
from accounts.vault.keys import Secret
from accounts.vault.list import BackupKey
from backups import envelope, names
from backups.envelope import Place
from backups.names import Name
from tests.accounts.vault.support import id_of, vectors

V = vectors("backup")
S = {int(kid): Secret(bytes.fromhex(key)) for kid, key in V["s"].items()}
PREPARED = {kid: envelope.StoreKey.of(key) for kid, key in S.items()}
NAME_KEY = Secret(bytes.fromhex(V["name_key"]))
CTX = bytes.fromhex(V["ctx"])
NAME = Name(CTX, bytes.fromhex(V["stream"]), V["sequence"], 1)
PLACE = NAME.place
TEXT = V["text"].encode()
HINTS = {
    "words": bytes.fromhex(V["words"]["salt"]) + (65536).to_bytes(4, "big") + b"\3\1",
    "passkey": hashlib.sha256(bytes.fromhex(V["credential_id"])).digest()[:16],
}
WORDS, PASSKEY = (
    BackupKey(id_of(number), kind, Secret(HINTS[kind]), Secret(bytes.fromhex(V["backup_keys"][kind])))
    for number, kind in enumerate(HINTS)
)


@dataclass(frozen=True)
class Mode:
    """A protection: its keys, its vector, the file of the vector."""

    keys: tuple[BackupKey, ...]
    vector: dict[str, Any]
    file: bytes

    def opened(self, data: bytes, place: Place = PLACE) -> bytes:
        """The contents, by the last key of this protection."""
        return envelope.read(data, place, PREPARED.get, backup_key=opener(self.keys))


def opener(backup_keys: tuple[BackupKey, ...]) -> tuple[str, Secret] | None:
    return (backup_keys[-1].kind, backup_keys[-1].key) if backup_keys else None


KEYS = {"none": (), "words": (WORDS,), "passkey": (PASSKEY,), "both": (WORDS, PASSKEY)}
MODES = {vector["name"]: Mode(KEYS[vector["name"]], vector, base64.b64decode(vector["file"])) for vector in V["files"]}


def chance(backup_keys: tuple[BackupKey, ...]) -> Callable[[int], bytes]:
    """The randomness of the vectors."""
    drawn: Iterator[bytes] = iter(
        [bytes.fromhex(V[name]) for name in (("random_a", "random_ss") if backup_keys else ("random_ss",))]
    )
    return lambda count: next(drawn)[:count]


def place_of(
    *, uid: str = V["uid"], device_type: str = "android", stream: bytes = NAME.stream, sequence: int = 7
) -> Place:
    """Another place: of another person, type of device, turning on, number."""
    return Place(names.ctx(NAME_KEY, V["issuer"], uid, device_type), stream, sequence)


def signed(data: bytes, place: Place = PLACE, kid: int = 1) -> bytes:
    """These bytes as who holds the MAC key of S signs them, the last 32 replaced."""
    return data[:-32] + PREPARED[kid].mac(place.ctx, data[:-32])


def made(contents: bytes = TEXT, backup_keys: tuple[BackupKey, ...] = (), place: Place = PLACE) -> bytes:
    return envelope.write(contents, place, kid=1, key=PREPARED[1], backup_keys=backup_keys)


def another(kind: str, byte: int = 1) -> BackupKey:
    """A key of this kind that belongs to nobody here."""
    return BackupKey(id_of(byte), kind, Secret(bytes([byte]) * len(HINTS[kind])), keys.derive(Secret(bytes(32)), kind))
