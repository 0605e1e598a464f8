from __future__ import annotations

import base64
import hashlib
import traceback
from itertools import product

import pytest

from accounts.vault import coder, keys, sealing
from accounts.vault.encoding import pad
from accounts.vault.errors import Damaged, Reason, TooLarge, Unsupported, VaultError
from accounts.vault.keys import Label, VaultKey
from accounts.vault.list import AccountList
from accounts.vault.secret import Secret
from tests.accounts.vault.support import new_entry, new_list, vectors

V = vectors("list")
VK, VAULT = VaultKey(bytes.fromhex(V["vk"])), bytes.fromhex(V["vault"])
DRAFT = bytes(range(16, 32))


def test_the_sealed_list_is_the_vector() -> None:
    sealed = sealing.seal_document(V["text"].encode(), VK, VAULT, V["version"], random=bytes.fromhex(V["random"]))

    assert sealed == base64.b64decode(V["sealed"])
    assert hashlib.sha256(sealed).hexdigest() == V["sha256"]
    assert sealed[1:33].hex() == V["salt"]
    assert sealing.unseal(sealed, VK, VAULT, V["version"]) == AccountList()


def test_a_list_comes_back_from_its_state() -> None:
    accounts = new_list(1, 2, 3).trash_entry(new_entry(2).id, 5)

    sealed = sealing.seal(accounts, VK, VAULT, 1)

    assert sealing.unseal(sealed, VK, VAULT, 1) == accounts
    assert len(sealed) == 1 + 32 + 4096 + 16
    assert sealed != sealing.seal(accounts, VK, VAULT, 1)


def test_the_coders_of_a_list_come_from_the_same_state() -> None:
    sealed = sealing.seal(new_list(1, 2, 3), VK, VAULT, 1)

    assert sealing.unseal_coders(sealed, VK, VAULT, 1) == coder.of_list(new_list(1, 2, 3).to_bytes())
    with pytest.raises(Damaged):
        sealing.unseal_coders(sealed, VK, VAULT, 2)


def test_the_size_of_a_state_tells_little_of_the_number_of_accounts() -> None:
    sizes = {len(sealing.seal(new_list(*range(count)), VK, VAULT, 1)) for count in range(0, 201, 5)}

    assert len(sizes) <= 5


@pytest.mark.row("T8")
def test_every_altered_bit_of_a_sealed_list_is_refused() -> None:
    sealed = sealing.seal(new_list(1, 2), VK, VAULT, 1)
    refused = 0
    for bit in range(8 * len(sealed)):
        at = bit // 8
        altered = sealed[:at] + bytes([sealed[at] ^ 1 << bit % 8]) + sealed[at + 1 :]
        try:
            sealing.unseal(altered, VK, VAULT, 1)
        except (Damaged, Unsupported):
            refused += 1

    assert refused == 8 * (1 + 32 + 4096 + 16) == 33_160
    assert sealing.unseal(sealed, VK, VAULT, 1) == new_list(1, 2)


@pytest.mark.row("T10")
def test_every_shorter_and_every_longer_state_is_refused() -> None:
    sealed = sealing.seal(new_list(1, 2), VK, VAULT, 1)
    refused = 0
    for data in [*(sealed[:size] for size in range(len(sealed))), sealed + b"\0", sealed * 2]:
        with pytest.raises(Damaged):
            sealing.unseal(data, VK, VAULT, 1)
        refused += 1

    assert refused == 4145 + 2


@pytest.mark.row("T10")
def test_a_state_belongs_to_its_list_number_purpose_and_key() -> None:
    sealed = sealing.seal(new_list(1), VK, VAULT, 7)
    draft = sealing.seal_draft(b"{}", VK, VAULT, DRAFT)

    for key, vault, version in product((VK, VaultKey(bytes(32))), (VAULT, DRAFT), (7, 6, 8, 7 << 56)):
        if (key, vault, version) == (VK, VAULT, 7):
            continue
        with pytest.raises(Damaged) as caught:
            sealing.unseal(sealed, key, vault, version)
        assert caught.value.reason is Reason.DAMAGED_SEAL
    for swapped in (
        lambda: sealing.unseal(draft, VK, VAULT, 7),
        lambda: sealing.unseal_draft(sealed, VK, VAULT, DRAFT),
        lambda: sealing.unseal_draft(draft, VK, VAULT, VAULT),
        lambda: sealing.unseal_draft(draft, VK, DRAFT, DRAFT),
        lambda: sealing.unseal_draft(draft, VaultKey(bytes(32)), VAULT, DRAFT),
        lambda: sealing.unseal(keys.box(VK, Label.FIELD, (VAULT, b"\0" * 7 + b"\7"), pad(b"{}")), VK, VAULT, 7),
    ):
        with pytest.raises(Damaged):
            swapped()
    assert sealing.unseal_draft(draft, VK, VAULT, DRAFT) == b"{}"


@pytest.mark.row("T10")
def test_salt_and_text_of_two_states_do_not_go_together() -> None:
    one, two = (sealing.seal(new_list(number), VK, VAULT, 1) for number in (1, 2))

    with pytest.raises(Damaged):
        sealing.unseal(one[:33] + two[33:], VK, VAULT, 1)


def test_what_holds_the_key_and_pads_or_writes_badly_is_damaged() -> None:
    place = (VAULT, (1).to_bytes(8, "big"))

    for plaintext, reason in (
        (b"", Reason.DAMAGED_PADDING),
        (bytes(8192), Reason.DAMAGED_PADDING),
        (pad(b'{"v":1}')[:-1] + b"x", Reason.DAMAGED_PADDING),
        (pad(b"{"), Reason.DAMAGED_JSON),
        (pad(b"[]"), Reason.DAMAGED_DOCUMENT),
    ):
        with pytest.raises(Damaged) as caught:
            sealing.unseal(keys.box(VK, Label.LIST, place, plaintext), VK, VAULT, 1)
        assert caught.value.reason is reason


def test_a_list_beyond_its_bounds_is_not_sealed() -> None:
    with pytest.raises(TooLarge):
        sealing.seal(AccountList(tuple(new_entry(n, note="x" * 2000) for n in range(500))), VK, VAULT, 1)


def test_the_largest_draft_is_sealed_and_a_larger_one_refused() -> None:
    largest = b" " * (2**20 - 4)

    assert sealing.unseal_draft(sealing.seal_draft(largest, VK, VAULT, DRAFT), VK, VAULT, DRAFT) == largest
    with pytest.raises(Damaged):
        sealing.seal_draft(largest + b" ", VK, VAULT, DRAFT)


def test_no_secret_shows_in_what_is_sealed_or_raised() -> None:
    canary = b"canary-7Hq2 in the cage"
    accounts = AccountList((new_entry(secret=Secret(canary), name="alice-in-a-dump"),))
    sealed = sealing.seal(accounts, VK, VAULT, 1)
    held = [accounts.to_bytes(), keys.unbox(VK, Label.LIST, (VAULT, bytes(7) + b"\1"), sealed)]
    needles = [canary, base64.b64encode(canary).rstrip(b"="), base64.urlsafe_b64encode(canary).rstrip(b"=")]
    needles += [b"alice-in-a-dump", canary.hex().encode(), base64.b32encode(canary).rstrip(b"=")]

    assert not any(needle in sealed for needle in needles)
    assert all(needles[2] in text and needles[3] in text for text in held)  # The control: unsealed, both are there.
    try:
        sealing.unseal(keys.box(VK, Label.LIST, (VAULT, bytes(7) + b"\1"), pad(held[0][:-1])), VK, VAULT, 1)
    except VaultError as error:
        printed = "".join(traceback.format_exception(error)) + repr(vars(error))
        assert error.__context__ is None
    assert not any(needle.decode() in printed for needle in needles)
