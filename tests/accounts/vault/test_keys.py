from __future__ import annotations

import hmac

import pytest

from accounts.vault import keys
from accounts.vault.errors import Damaged, Reason, Unsupported, WrongKey
from accounts.vault.keys import Label, Secret
from tests.accounts.vault.support import vectors

V = vectors("keys")
VAULT = bytes.fromhex(V["vault"])
PEPPER = Secret(bytes.fromhex(V["pepper"]["1"]))


def test_the_outer_key_of_a_slot_is_the_vector() -> None:
    derived = keys.derive(PEPPER, Label.SLOT_PEPPER, VAULT, bytes.fromhex(V["slot"]))

    assert derived.reveal().hex() == V["pepper_key"]


def test_a_key_depends_on_label_place_salt_and_length() -> None:
    derived = {
        keys.derive(PEPPER, label, *bound, length=length, salt=salt).reveal()[:32]
        for label in ("a", "b")
        for bound in ((), (b"",), (b"x",), (b"x", b""), (b"", b"x"))
        for length in (32,)
        for salt in (b"", b"s")
    }

    assert len(derived) == 20
    assert len(keys.derive(PEPPER, "a", length=44)) == 44


def test_both_halves_of_a_derivation_are_the_whole() -> None:
    half = keys.extract(PEPPER)
    whole = keys.derive(PEPPER, Label.SLOT_PEPPER, VAULT)

    assert hmac.digest(half.reveal(), keys.info(Label.SLOT_PEPPER, VAULT) + b"\1", "sha256") == whole.reveal()


def test_fingerprints_depend_on_label_and_parts() -> None:
    prints = {keys.fingerprint(PEPPER, label, *parts) for label in "ab" for parts in ((), (b"1",), (b"1", b""))}

    assert {len(print_) for print_ in prints} == {32}
    assert len(prints) == 6


def test_wrapped_keys_open_with_their_key_alone() -> None:
    wrapped = keys.wrap(PEPPER, bytes(32))

    assert keys.unwrap(PEPPER, wrapped) == bytes(32)
    for key, data in ((Secret(bytes(32)), wrapped), (PEPPER, wrapped[:-1]), (PEPPER, b""), (PEPPER, wrapped[:-8])):
        with pytest.raises(WrongKey):
            keys.unwrap(key, data)


def test_what_is_made_is_new_each_time_and_of_its_length() -> None:
    makers = [keys.new_vault_key, keys.new_device_key, lambda: keys.new_server_key(keys.Role.STORE, 1).key]

    for maker in makers:
        assert len(maker()) == 32
        assert maker() != maker()
    assert len({keys.new_id() for _ in range(100)}) == 100
    assert len(keys.new_id()) == 32
    assert {len(keys.random_bytes(n)) for n in (0, 16)} == {0, 16}


def test_a_box_opens_under_its_key_label_and_place_alone() -> None:
    boxed = keys.box(PEPPER, Label.FIELD, (b"a", b"b"), b"text")

    assert keys.unbox(PEPPER, Label.FIELD, (b"a", b"b"), boxed) == b"text"
    assert len(boxed) == 49 + 4
    for key, label, bound in (
        (Secret(bytes(32)), Label.FIELD, (b"a", b"b")),
        (PEPPER, Label.DRAFT, (b"a", b"b")),
        (PEPPER, Label.FIELD, (b"ab", b"")),
        (PEPPER, Label.FIELD, ()),
    ):
        with pytest.raises(Damaged) as caught:
            keys.unbox(key, label, bound, boxed)
        assert caught.value.reason is Reason.DAMAGED_SEAL


def test_one_random_state_gives_two_texts_two_salts_and_one_text_two_places_two_salts() -> None:
    def salt(text: bytes, bound: bytes = b"") -> bytes:
        return keys.box(PEPPER, Label.FIELD, (bound,), text, random=bytes(32))[1:33]

    assert salt(b"one") == salt(b"one")
    assert len({salt(b"one"), salt(b"two"), salt(b"one", b"else")}) == 3
    assert keys.box(PEPPER, Label.FIELD, (), b"one") != keys.box(PEPPER, Label.FIELD, (), b"one")


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_box_of_another_version_is_told_apart(version: int) -> None:
    boxed = bytes([version]) + keys.box(PEPPER, Label.FIELD, (), b"text")[1:]

    with pytest.raises(Unsupported) as caught:
        keys.unbox(PEPPER, Label.FIELD, (), boxed)

    assert (caught.value.reason, dict(caught.value.facts)) == (Reason.VERSION, {"found": version})


@pytest.mark.parametrize("size", [0, 1, 33, 48])
def test_a_box_that_is_too_short_is_damaged(size: int) -> None:
    with pytest.raises(Damaged) as caught:
        keys.unbox(PEPPER, Label.FIELD, (), keys.box(PEPPER, Label.FIELD, (), b"")[:size])

    assert caught.value.reason is Reason.DAMAGED_LENGTH


def test_a_sealed_field_belongs_to_its_purpose_and_row() -> None:
    sealed = keys.seal_field(PEPPER, "identity", b"row 1", b"\0 not padded")

    assert keys.unseal_field(PEPPER, "identity", b"row 1", sealed) == b"\0 not padded"
    assert len(sealed) == 49 + 12
    for purpose, row in (("identity", b"row 2"), ("mfa", b"row 1"), ("identityrow 1", b"")):
        with pytest.raises(Damaged):
            keys.unseal_field(PEPPER, purpose, row, sealed)


def test_chosen_words_are_each_drawn_from_all() -> None:
    drawn = {keys.chosen("ab", 3) for _ in range(400)}

    assert drawn == {(a, b, c) for a in "ab" for b in "ab" for c in "ab"}
