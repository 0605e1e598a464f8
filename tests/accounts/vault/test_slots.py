from __future__ import annotations

from itertools import product

import pytest

from accounts.vault import keys
from accounts.vault.errors import Damaged, Reason, VaultError, WrongKey
from accounts.vault.keys import Secret, VaultKey
from tests.accounts.vault.support import vectors

V = vectors("keys")
VAULT, SLOT, SHARE = (bytes.fromhex(V[name]) for name in ("vault", "slot", "share"))
PEPPERS = {number: Secret(bytes.fromhex(pepper)) for number, pepper in V["pepper"].items()}
VK = VaultKey(bytes.fromhex(V["vk"]))
STRETCHED = Secret(bytes.fromhex(V["words"]["stretched"]))
PRF = Secret(bytes.fromhex(V["prf"]))
DK = Secret(bytes.fromhex(V["dk"]))
KEKS = {
    "browser": keys.browser_key(DK, SHARE, VAULT, SLOT),
    "words": keys.words_key(STRETCHED, VAULT, SLOT),
    "passkey": keys.passkey_key(PRF, VAULT, SLOT),
}
WRAPPED = {kind: bytes.fromhex(V["slots"][kind]["wrapped"]) for kind in KEKS}


@pytest.mark.parametrize("kind", KEKS)
def test_slots_are_the_vectors(kind: str) -> None:
    vector = V["slots"][kind]

    made = keys.make_slot(VK, KEKS[kind], PEPPERS["1"], VAULT, SLOT)

    assert KEKS[kind].reveal().hex() == vector["kek"]
    assert keys.wrap(KEKS[kind], VK.reveal()).hex() == vector["inner"]
    assert made.hex() == vector["wrapped"]
    assert keys.open_slot(made, KEKS[kind], PEPPERS["1"], VAULT, SLOT) == VK


@pytest.mark.parametrize("kind", KEKS)
def test_a_slot_goes_under_a_new_pepper_without_its_secret(kind: str) -> None:
    moved = keys.rewrap(WRAPPED[kind], PEPPERS["1"], PEPPERS["2"], VAULT, SLOT)

    assert moved.hex() == V["slots"][kind]["under_pepper_2"]
    assert keys.open_slot(moved, KEKS[kind], PEPPERS["2"], VAULT, SLOT) == VK
    with pytest.raises(Damaged):
        keys.rewrap(moved, PEPPERS["1"], PEPPERS["2"], VAULT, SLOT)


def test_backup_keys_are_the_vectors() -> None:
    assert keys.backup_key_of_words(STRETCHED).reveal().hex() == V["slots"]["words"]["backup_kek"]
    assert keys.backup_key_of_passkey(PRF).reveal().hex() == V["slots"]["passkey"]["backup_kek"]


@pytest.mark.row("T8")
def test_every_altered_bit_and_every_shorter_slot_is_refused() -> None:
    refused = 0
    for kind, wrapped in WRAPPED.items():
        altered = [flipped(wrapped, bit) for bit in range(8 * len(wrapped))]
        shortened = [wrapped[:size] for size in range(len(wrapped))]
        for data in [*altered, *shortened, wrapped + b"\0"]:
            with pytest.raises(Damaged) as caught:
                keys.open_slot(data, KEKS[kind], PEPPERS["1"], VAULT, SLOT)
            assert caught.value.reason is Reason.SLOT_OUTER
            refused += 1
        assert keys.open_slot(wrapped, KEKS[kind], PEPPERS["1"], VAULT, SLOT) == VK

    assert refused == 3 * (384 + 48 + 1)


@pytest.mark.row("T10")
def test_a_wrong_place_is_damage_and_a_wrong_secret_a_wrong_key() -> None:
    other = bytes(16)
    for (kind, wrapped), (vault, slot) in product(WRAPPED.items(), [(other, SLOT), (VAULT, other), (SLOT, VAULT)]):
        with pytest.raises(Damaged):
            keys.open_slot(wrapped, KEKS[kind], PEPPERS["1"], vault, slot)
    for kind, wrong in product(WRAPPED, KEKS):
        if kind == wrong:
            continue
        with pytest.raises(WrongKey) as caught:
            keys.open_slot(WRAPPED[kind], KEKS[wrong], PEPPERS["1"], VAULT, SLOT)
        assert caught.value.reason is Reason.SLOT_INNER


def test_each_key_of_a_door_depends_on_all_that_it_is_made_of() -> None:
    other, none = Secret(b"\1" * 32), bytes(16)
    derived = [
        *(keys.browser_key(*made) for made in product((DK, other), (SHARE, bytes(32)), (VAULT, none), (SLOT, none))),
        *(keys.words_key(*made) for made in product((STRETCHED, other), (VAULT, none), (SLOT, none))),
        *(keys.passkey_key(*made) for made in product((PRF, other), (VAULT, none), (SLOT, none))),
        *(derive(secret) for derive in (keys.backup_key_of_words, keys.backup_key_of_passkey) for secret in (PRF, DK)),
    ]

    assert len({key.reveal() for key in derived}) == 16 + 8 + 8 + 4


def test_no_other_error_leaves_a_slot() -> None:
    for size in (0, 1, 47, 48, 49, 56, 1000):
        with pytest.raises(VaultError):
            keys.open_slot(bytes(size), KEKS["words"], PEPPERS["1"], VAULT, SLOT)


def flipped(data: bytes, bit: int) -> bytes:
    at, mask = bit // 8, 1 << bit % 8
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
