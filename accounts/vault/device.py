"""The device cookie: the one place where a browser's key exists, and what the server keeps to know it again."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass

from accounts.vault.derivation import Label, derive
from accounts.vault.encoding import b64url, from_b64url
from accounts.vault.errors import Damaged, Reason, Unsupported
from accounts.vault.secret import Secret

VERSION = 1
COOKIE_LETTERS = 66


@dataclass(frozen=True, slots=True)
class DeviceCookie:
    """What a device cookie says: the device's id (16 bytes) and its key (32 bytes)."""

    device: bytes
    key: Secret

    def to_text(self) -> str:
        """base64url(0x01 ‖ device ‖ key) without padding, 66 letters. To be sent to that browser and nowhere else."""
        return b64url(bytes([VERSION]) + self.device + self.key.reveal())

    @classmethod
    def from_text(cls, text: str) -> DeviceCookie:
        """The cookie of exactly this text.

        Raises Damaged for another length or alphabet or for bits left over, Unsupported for another version.
        """
        data = None
        if len(text) == COOKIE_LETTERS:
            with suppress(Damaged):
                data = from_b64url(text)
        if data is None:
            raise Damaged(Reason.COOKIE)
        if data[0] != VERSION:
            raise Unsupported(Reason.VERSION, found=data[0])
        return cls(device=data[1:17], key=Secret(data[17:]))


def device_verifier(key: Secret, device: bytes) -> bytes:
    """What the device's row keeps, 32 bytes: SHA-256 of a key derived from the cookie's, bound to the device's id.

    Knows the cookie again, opens nothing. Compare with `hmac.compare_digest`.
    """
    return hashlib.sha256(derive(key, Label.DEVICE_AUTH, device).reveal()).digest()
