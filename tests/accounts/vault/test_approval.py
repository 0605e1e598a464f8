from __future__ import annotations

from itertools import product

import pytest

from accounts.vault import keys
from accounts.vault.errors import Damaged, Reason, WrongKey
from accounts.vault.keys import Secret, VaultKey
from tests.accounts.vault.support import vectors

V = vectors("keys")
A = V["approval"]
VAULT, SLOT, SHARE = (bytes.fromhex(V[name]) for name in ("vault", "slot", "share"))
OLD, NEW = bytes.fromhex(A["old_device"]), bytes.fromhex(A["new_device"])
PEPPER = Secret(bytes.fromhex(V["pepper"]["1"]))
DK = Secret(bytes.fromhex(A["new_dk"]))
VK = VaultKey(bytes.fromhex(V["vk"]))
PRIVATE = keys.private_half(DK, PEPPER, SHARE, VAULT, SLOT)
PUBLIC = keys.public_half(PRIVATE)
SEALED = bytes.fromhex(A["sealed_read_only"])


def test_keys_and_letters_of_a_request_are_the_vectors() -> None:
    assert PRIVATE.reveal().hex() == A["private"]
    assert PUBLIC.hex() == A["public"]
    assert keys.letters(PEPPER, PUBLIC, VAULT, SLOT, NEW) == A["letters"]
    assert keys.open_key(SEALED, PRIVATE, VAULT, SLOT, OLD, NEW) == VK


def test_a_sealed_key_opens_in_the_new_browser() -> None:
    sealed = keys.seal_key(VK, PUBLIC, VAULT, SLOT, OLD, NEW)

    assert len(sealed) == 80
    assert keys.open_key(sealed, PRIVATE, VAULT, SLOT, OLD, NEW) == VK
    assert sealed != keys.seal_key(VK, PUBLIC, VAULT, SLOT, OLD, NEW)


@pytest.mark.row("T8")
def test_every_altered_bit_and_every_shorter_approval_is_refused() -> None:
    altered = [
        SEALED[: bit // 8] + bytes([SEALED[bit // 8] ^ 1 << bit % 8]) + SEALED[bit // 8 + 1 :] for bit in range(640)
    ]
    # X25519 masks the top bit of a point (RFC 7748), but HPKE authenticates the encapsulated key as it was sent.
    refused = 0
    for data in [*altered, *(SEALED[:size] for size in range(80)), SEALED + b"\0"]:
        with pytest.raises(WrongKey) as caught:
            keys.open_key(data, PRIVATE, VAULT, SLOT, OLD, NEW)
        assert caught.value.reason is Reason.APPROVAL
        refused += 1

    assert refused == 640 + 80 + 1


@pytest.mark.row("T10")
def test_swapped_vault_slot_or_device_does_not_open() -> None:
    places = set(product((VAULT, SLOT), (SLOT, VAULT), (OLD, NEW), (NEW, OLD))) - {(VAULT, SLOT, OLD, NEW)}

    for place in places:
        with pytest.raises(WrongKey):
            keys.open_key(SEALED, PRIVATE, *place)
    assert len(places) == 15
    with pytest.raises(WrongKey):
        keys.open_key(SEALED, Secret(b"\1" * 32), VAULT, SLOT, OLD, NEW)


def test_the_private_half_depends_on_cookie_pepper_share_and_place() -> None:
    other = Secret(b"\1" * 32)
    made = {
        keys.private_half(*parts).reveal()
        for parts in product((DK, other), (PEPPER, other), (SHARE, bytes(32)), (VAULT, SLOT), (SLOT, VAULT))
    }

    assert len(made) == 32


def test_a_key_swapped_in_the_database_changes_the_letters() -> None:
    swapped = keys.public_half(Secret(b"\1" * 32))
    made = {
        keys.letters(*parts)
        for parts in product((PEPPER, Secret(bytes(32))), (PUBLIC, swapped), (VAULT, SLOT), (SLOT, VAULT), (NEW, OLD))
    }

    assert len(made) == 32
    assert {len(letters) for letters in made} == {8}
    assert set("".join(made)) <= set("ABCDEFGHJKLMNPQRSTUVWXYZ")


@pytest.mark.parametrize("typed", ["GAKGWLXV", "gakg wlxv", " GAKG-WLXV\n"])
def test_letters_are_taken_as_people_type_them(typed: str) -> None:
    assert keys.same_letters(typed, A["letters"])


@pytest.mark.parametrize("typed", ["", "GAKGWLX", "GAKGWLXW", "GAKGWLXVA", "ГAKGWLXV", "\ud800"])
def test_other_letters_are_not_taken(typed: str) -> None:
    assert not keys.same_letters(typed, A["letters"])


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33), bytes(32)])
def test_nothing_is_sealed_to_what_is_no_public_key(public: bytes) -> None:
    with pytest.raises(Damaged):
        keys.seal_key(VK, public, VAULT, SLOT, OLD, NEW)
