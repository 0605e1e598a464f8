"""The keys of Authweb: made here, and gathered here for those who use them.

This module alone draws random bytes. How keys come of keys stands in `derivation`, how a door opens in `slots`,
`approval` and `words`, the cookie in `device`, the server's own keys in `server_keys`; all of it is called as
`keys.open_slot`, `keys.stretch`, `keys.DeviceCookie` …
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from accounts.vault.approval import LETTERS_SHOWN, letters, open_key, private_half, public_half, same_letters, seal_key
from accounts.vault.derivation import Label, derive, extract, fingerprint, info, unwrap, wrap
from accounts.vault.device import DeviceCookie, device_verifier
from accounts.vault.errors import Damaged, Reason, Unsupported
from accounts.vault.secret import Secret, VaultKey
from accounts.vault.server_keys import Role, ServerKey, format_key_line, keycheck, parse_key_line
from accounts.vault.slots import (
    backup_key_of_passkey,
    backup_key_of_words,
    browser_key,
    make_slot,
    open_slot,
    passkey_key,
    rewrap,
    words_key,
)
from accounts.vault.words import WORDS_COSTS, Costs, normalised, plain, stretch

__all__ = [
    "LETTERS_SHOWN",
    "WORDS_COSTS",
    "Costs",
    "DeviceCookie",
    "Label",
    "Role",
    "Secret",
    "ServerKey",
    "VaultKey",
    "backup_key_of_passkey",
    "backup_key_of_words",
    "box",
    "browser_key",
    "chosen",
    "derive",
    "device_verifier",
    "extract",
    "fingerprint",
    "info",
    "format_key_line",
    "keycheck",
    "letters",
    "make_slot",
    "new_device_key",
    "new_id",
    "new_server_key",
    "new_vault_key",
    "normalised",
    "open_key",
    "open_slot",
    "parse_key_line",
    "passkey_key",
    "plain",
    "private_half",
    "public_half",
    "random_bytes",
    "rewrap",
    "same_letters",
    "seal_field",
    "seal_key",
    "stretch",
    "unbox",
    "unseal_field",
    "unwrap",
    "words_key",
    "wrap",
]

BOX_VERSION = 1
_SALT = 32
_TAG = 16
_KEY = 32
_NONCE = 12


def random_bytes(count: int) -> bytes:
    """Bytes from the operating system's generator: for shares, salts, and whatever vectors give as an argument."""
    return secrets.token_bytes(count)


def new_id() -> str:
    """A new id of an entry: 32 hexadecimal letters, random."""
    return secrets.token_hex(16)


def chosen(options: Sequence[str], count: int) -> tuple[str, ...]:
    """So many of the options by chance, each drawn from all of them: of 7,776 words six are 77.5 bits."""
    return tuple(secrets.choice(options) for _ in range(count))


def new_vault_key() -> VaultKey:
    """The key of a new list, for all its life."""
    return VaultKey(secrets.token_bytes(32))


def new_device_key() -> Secret:
    """The key of a new browser, 32 bytes: it goes into the cookie and is kept nowhere else."""
    return Secret(secrets.token_bytes(32))


def new_server_key(role: Role, kid: int) -> ServerKey:
    """A new key of the server."""
    return ServerKey(role=role, kid=kid, key=Secret(secrets.token_bytes(32)))


def box(key: Secret, label: str, bound: tuple[bytes, ...], data: bytes, *, random: bytes | None = None) -> bytes:
    """`0x01 ‖ salt 32 ‖ AES-256-GCM(data)` under a key derived for this writing alone; 49 bytes longer than `data`.

    The salt is derived from 32 random bytes and the data: a machine that is resumed twice with one random state still
    gives two texts two keys. The label and what the box is bound to are authenticated. `random` is for vectors.
    """
    drawn = secrets.token_bytes(_SALT) if random is None else random
    salt = derive(key, f"{label}/salt", *bound, hashlib.sha256(data).digest(), salt=drawn).reveal()
    both = derive(key, label, *bound, length=_KEY + _NONCE, salt=salt).reveal()
    sealed = AESGCM(both[:_KEY]).encrypt(both[_KEY:], data, info(label, *bound))
    return bytes([BOX_VERSION]) + salt + sealed


def unbox(key: Secret, label: str, bound: tuple[bytes, ...], boxed: bytes) -> bytes:
    """What `box` took.

    Raises Unsupported for a version not known yet, Damaged when the bytes are too few or do not open: altered, bound to
    something else, or sealed under another key, which cannot be told apart.
    """
    if boxed and boxed[0] != BOX_VERSION:
        raise Unsupported(Reason.VERSION, found=boxed[0])
    if len(boxed) < 1 + _SALT + _TAG:
        raise Damaged(Reason.DAMAGED_LENGTH, found=len(boxed))
    both = derive(key, label, *bound, length=_KEY + _NONCE, salt=boxed[1 : 1 + _SALT]).reveal()
    try:
        return AESGCM(both[:_KEY]).decrypt(both[_KEY:], boxed[1 + _SALT :], info(label, *bound))
    except InvalidTag:
        pass
    raise Damaged(Reason.DAMAGED_SEAL)


def seal_field(key: Secret, purpose: str, row_id: bytes, plaintext: bytes, *, random: bytes | None = None) -> bytes:
    """A field of a row, sealed under the server key F for one purpose and row (no row: empty). Not padded."""
    return box(key, Label.FIELD, (purpose.encode("utf-8"), row_id), plaintext, random=random)


def unseal_field(key: Secret, purpose: str, row_id: bytes, sealed: bytes) -> bytes:
    """What `seal_field` took. Raises as `unbox`: a field of another row or purpose is Damaged."""
    return unbox(key, Label.FIELD, (purpose.encode("utf-8"), row_id), sealed)
