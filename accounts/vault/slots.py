"""Key slots: how a browser's cookie, six words or a passkey opens a list.

A slot is wrap(outer KEK, wrap(KEK, VK)), 48 bytes. The inner key comes of what the person has; the outer one of the
server's pepper. So the database alone is no test for words, and a pepper is exchanged without anybody's secret.
Vault and slot ids are 16 raw bytes everywhere.
"""

from __future__ import annotations

from accounts.vault.derivation import Label, derive, unwrap, wrap
from accounts.vault.errors import Damaged, Reason, WrongKey
from accounts.vault.secret import Secret, VaultKey

SLOT_BYTES = 48


def browser_key(device_key: Secret, share: bytes, vault: bytes, slot: bytes) -> Secret:
    """The inner KEK of a browser: from the cookie's key, salted with the share (32 bytes) in the slot's row."""
    return derive(device_key, Label.SLOT_BROWSER, vault, slot, salt=share)


def words_key(stretched: Secret, vault: bytes, slot: bytes) -> Secret:
    """The inner KEK of words, from what `accounts.vault.words.stretch` made of them."""
    return derive(stretched, Label.SLOT_WORDS, vault, slot)


def passkey_key(prf: Secret, vault: bytes, slot: bytes) -> Secret:
    """The inner KEK of a passkey, from its 32 bytes of PRF output."""
    return derive(prf, Label.SLOT_PASSKEY, vault, slot)


def backup_key_of_words(stretched: Secret) -> Secret:
    """The key, kept inside the sealed list, under which backups open with the words. Bound to no list."""
    return derive(stretched, Label.BACKUP_WORDS)


def backup_key_of_passkey(prf: Secret) -> Secret:
    """The key, kept inside the sealed list, under which backups open with the passkey. Bound to no list."""
    return derive(prf, Label.BACKUP_PASSKEY)


def make_slot(vault_key: VaultKey, kek: Secret, pepper: Secret, vault: bytes, slot: bytes) -> bytes:
    """The 48 bytes that `open_slot` opens with the same keys at the same place."""
    inner = wrap(kek, vault_key.reveal())
    return wrap(derive(pepper, Label.SLOT_PEPPER, vault, slot), inner)


def open_slot(wrapped: bytes, kek: Secret, pepper: Secret, vault: bytes, slot: bytes) -> VaultKey:
    """The vault key in a slot.

    Raises Damaged when the outer layer does not open (altered bytes, another row, another server key) and WrongKey when
    only the inner one does not (other words, another passkey, another cookie).
    """
    return VaultKey(unwrap(kek, _inner(wrapped, pepper, vault, slot)))


def rewrap(wrapped: bytes, old_pepper: Secret, new_pepper: Secret, vault: bytes, slot: bytes) -> bytes:
    """The slot under a new pepper. Needs nobody's secret. Raises Damaged when the old pepper does not open it."""
    return wrap(derive(new_pepper, Label.SLOT_PEPPER, vault, slot), _inner(wrapped, old_pepper, vault, slot))


def _inner(wrapped: bytes, pepper: Secret, vault: bytes, slot: bytes) -> bytes:
    if len(wrapped) == SLOT_BYTES:
        try:
            return unwrap(derive(pepper, Label.SLOT_PEPPER, vault, slot), wrapped)
        except WrongKey:
            pass
    raise Damaged(Reason.SLOT_OUTER)
