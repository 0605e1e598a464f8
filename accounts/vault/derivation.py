"""Keys out of keys: HKDF under a label (RFC 5869), key wrap (RFC 3394), and the label of every derivation.

A label names its purpose and version; what a key is bound to follows it, each part with its length, so that no key can
serve for two things. Nothing in here is random and nothing is slow.
"""

from __future__ import annotations

import hmac
from enum import StrEnum

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from accounts.vault.encoding import lp
from accounts.vault.errors import Reason, WrongKey
from accounts.vault.secret import Secret


class Label(StrEnum):
    """Every label of lists, doors and backups; beside it what each is bound to. Ids are 16 raw bytes."""

    SLOT_BROWSER = "authweb/slot/1/browser"  # vault, slot; salted with the share
    SLOT_WORDS = "authweb/slot/1/words"  # vault, slot
    SLOT_PASSKEY = "authweb/slot/1/passkey"  # vault, slot
    SLOT_PEPPER = "authweb/slot/1/pepper"  # vault, slot
    BACKUP_WORDS = "authweb/backup/1/words"
    BACKUP_PASSKEY = "authweb/backup/1/passkey"
    BACKUP_SERVER = "authweb/backup/1/server"  # ctx
    BACKUP_MAC = "authweb/backup/1/mac"
    BACKUP_CTX = "authweb/backup/1/ctx"
    BACKUP_BOUND = "authweb/backup/1/bound"  # list, ctx
    BACKUP_SS = "authweb/backup/1/ss"  # ctx, stream, sequence u64, SHA-256(lp(slots, padded contents))
    BACKUP_SLOTS = "authweb/backup/1/slots"  # ctx, stream, sequence u64
    BACKUP_BODY = "authweb/backup/1/body"  # ctx, stream, sequence u64, sealed slots
    DEVICE_AUTH = "authweb/device/1/auth"  # device
    APPROVAL_KEY = "authweb/approval/1/key"  # vault, slot; salted with the share
    APPROVAL_LETTERS = "authweb/approval/1/letters"  # vault, slot, new device, public key
    APPROVAL = "authweb/approval/1"  # vault, slot, old device, new device
    LIST = "authweb/list/1"  # vault, version u64
    DRAFT = "authweb/draft/1"  # vault, draft
    FIELD = "authweb/field/1"  # purpose, row
    KEY = "authweb/key/1"  # role, kid u32, key
    KEYCHECK = "authweb/keycheck/1"  # role, kid u32
    SUBJECT = "authweb/subject/1"  # kind, whose tries are counted or whose network it is
    IDENTITY = "authweb/identity/1"  # NAME; then, under the derived key, kind and who it is


def info(label: str, *bound: bytes) -> bytes:
    """label ‖ lp(bound): what a derivation is for, and what is authenticated beside a sealed text."""
    return label.encode("ascii") + lp(*bound)


def derive(key: Secret, label: str, *bound: bytes, length: int = 32, salt: bytes = b"") -> Secret:
    """HKDF-SHA256 of a key under a label and what it is bound to; `length` bytes. An empty salt is no salt."""
    hkdf = HKDF(algorithm=SHA256(), length=length, salt=salt or None, info=info(label, *bound))
    return Secret(hkdf.derive(key.reveal()))


def extract(key: Secret) -> Secret:
    """The first half of `derive` without a salt, 32 bytes: what HMAC-SHA256 under it gives of info ‖ 0x01 is a key.

    For one key that gives many, so that this half is done once.
    """
    return Secret(hmac.digest(_NO_SALT, key.reveal(), "sha256"))


def fingerprint(key: Secret, label: str, *parts: bytes) -> bytes:
    """HMAC-SHA256 under a key of label ‖ lp(parts), 32 bytes: names a thing without showing it."""
    return hmac.digest(key.reveal(), info(label, *parts), "sha256")


def wrap(wrapping_key: Secret, data: bytes) -> bytes:
    """AES-256 key wrap (RFC 3394) of 16, 24, 32, 40 … bytes; 8 bytes longer than what it holds."""
    return aes_key_wrap(wrapping_key.reveal(), data)


def unwrap(wrapping_key: Secret, wrapped: bytes) -> bytes:
    """What `wrap` took. Raises WrongKey for another key or an altered bit, which cannot be told apart here."""
    try:
        return aes_key_unwrap(wrapping_key.reveal(), wrapped)
    except (InvalidUnwrap, ValueError):
        pass
    raise WrongKey(Reason.SLOT_INNER)


_NO_SALT = bytes(32)
