"""One browser lets another in: the new one asks with a public key, eight letters are typed in the old one.

The new browser's private half is derived from its cookie and the pepper at each request and stored nowhere. The letters
come of the public key under the pepper: a key that was swapped in the database gives other letters.
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from accounts.vault.derivation import Label, derive, info
from accounts.vault.errors import Damaged, Reason, WrongKey
from accounts.vault.secret import Secret, VaultKey

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
LETTERS_SHOWN = 8
SEALED_BYTES = 80
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def private_half(device_key: Secret, pepper: Secret, share: bytes, vault: bytes, slot: bytes) -> Secret:
    """The X25519 private key of a request, 32 bytes: from cookie and pepper together, salted with the row's share."""
    both = Secret(device_key.reveal() + pepper.reveal())
    return derive(both, Label.APPROVAL_KEY, vault, slot, salt=share)


def public_half(private: Secret) -> bytes:
    """The public key of a request, 32 bytes: what the row of the slot keeps (RFC 7748)."""
    return X25519PrivateKey.from_private_bytes(private.reveal()).public_key().public_bytes_raw()


def letters(pepper: Secret, public: bytes, vault: bytes, slot: bytes, new_device: bytes) -> str:
    """The eight letters of a request, A–Z without I and O: base 24 of 32 derived bytes, least digit first."""
    number = int.from_bytes(derive(pepper, Label.APPROVAL_LETTERS, vault, slot, new_device, public).reveal(), "big")
    shown = []
    for _ in range(LETTERS_SHOWN):
        number, digit = divmod(number, len(LETTERS))
        shown.append(LETTERS[digit])
    return "".join(shown)


def same_letters(typed: str, right: str) -> bool:
    """Whether a person typed these letters; case, spaces and hyphens do not count. Takes constant time."""
    plain = "".join(typed.upper().split()).replace("-", "")
    return hmac.compare_digest(plain.encode("utf-8", "replace"), right.encode("ascii"))


def seal_key(
    vault_key: VaultKey, public: bytes, vault: bytes, slot: bytes, old_device: bytes, new_device: bytes
) -> bytes:
    """The vault key sealed to the new browser, 80 bytes: HPKE base mode (RFC 9180).

    Raises Damaged when `public` is no public key.
    """
    try:
        key = X25519PublicKey.from_public_bytes(public)
        return _SUITE.encrypt(vault_key.reveal(), key, info(Label.APPROVAL, vault, slot, old_device, new_device))
    except ValueError:  # 31 bytes, or a point of small order
        pass
    raise Damaged(Reason.APPROVAL)


def open_key(
    sealed: bytes, private: Secret, vault: bytes, slot: bytes, old_device: bytes, new_device: bytes
) -> VaultKey:
    """The vault key out of `seal_key`.

    Raises WrongKey when it was sealed to another browser, slot, device or list, or was altered: HPKE cannot tell which.
    Who opens a key opens the list with it before believing it: anybody can seal 32 bytes to a public key.
    """
    key = X25519PrivateKey.from_private_bytes(private.reveal())
    if len(sealed) == SEALED_BYTES:
        try:
            return VaultKey(_SUITE.decrypt(sealed, key, info(Label.APPROVAL, vault, slot, old_device, new_device)))
        except (InvalidTag, ValueError):
            pass
    raise WrongKey(Reason.APPROVAL)
