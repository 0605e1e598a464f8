"""The list and its drafts as sealed bytes: `0x01 ‖ salt 32 ‖ AES-256-GCM(pad(JSON))`, bound to where they lie.

A state opens under its list's key, vault id and version alone: a state of another list, an older one put in place of a
newer one under its number, or a draft do not.
"""

from __future__ import annotations

from accounts.vault import keys
from accounts.vault.coder import Coder, of_list
from accounts.vault.encoding import pad, unpad
from accounts.vault.keys import Label
from accounts.vault.list import AccountList
from accounts.vault.secret import VaultKey


def seal(accounts: AccountList, key: VaultKey, vault_id: bytes, version: int, *, random: bytes | None = None) -> bytes:
    """A list as its state of this number; vault id 16 raw bytes, random 32 bytes (for vectors). Raises TooLarge."""
    return seal_document(accounts.to_bytes(), key, vault_id, version, random=random)


def unseal(data: bytes, key: VaultKey, vault_id: bytes, version: int) -> AccountList:
    """The list in a state, of whatever version of the format.

    Raises Damaged when the bytes do not open: altered, of another list or number, or under another key, which cannot be
    told apart (a vault key has proven itself against its slot before it comes here); Unsupported for a version to come.
    """
    return AccountList.from_bytes(unseal_document(data, key, vault_id, version))


def unseal_coders(data: bytes, key: VaultKey, vault_id: bytes, version: int) -> tuple[Coder, ...]:
    """What makes the codes of the list in a state, and nothing else of it. Raises as `unseal`."""
    return of_list(unseal_document(data, key, vault_id, version))


def seal_document(
    document: bytes, key: VaultKey, vault_id: bytes, version: int, *, random: bytes | None = None
) -> bytes:
    """The bytes of a document, sealed as the state of this number. Raises Damaged for more than fits (2^20 − 4)."""
    return keys.box(key, Label.LIST, (vault_id, version.to_bytes(8, "big")), pad(document), random=random)


def unseal_document(data: bytes, key: VaultKey, vault_id: bytes, version: int) -> bytes:
    """The bytes of the document in a state. Raises as `unseal`."""
    return unpad(keys.unbox(key, Label.LIST, (vault_id, version.to_bytes(8, "big")), data))


def seal_draft(
    document: bytes, key: VaultKey, vault_id: bytes, draft_id: bytes, *, random: bytes | None = None
) -> bytes:
    """What waits for a yes, sealed under the list's key; ids 16 raw bytes. Raises Damaged for more than fits."""
    return keys.box(key, Label.DRAFT, (vault_id, draft_id), pad(document), random=random)


def unseal_draft(data: bytes, key: VaultKey, vault_id: bytes, draft_id: bytes) -> bytes:
    """The document of a draft. Raises Damaged, Unsupported as `unseal`."""
    return unpad(keys.unbox(key, Label.DRAFT, (vault_id, draft_id), data))
