from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import pytest

from accounts.vault import keys
from accounts.vault.encoding import lp
from accounts.vault.errors import (
    Damaged,
    KeyMissing,
    Reason,
    TooCostly,
    Unsupported,
    VaultError,
    WrongKey,
)
from accounts.vault.keys import Costs, Label, Secret
from accounts.vault.list import BackupKey
from backups import envelope
from backups.contents import Contents
from backups.envelope import Header, Place, StoreKey
from tests.accounts.vault.support import new_list
from tests.backups.envelopes import (
    HINTS,
    KEYS,
    MODES,
    PASSKEY,
    PLACE,
    PREPARED,
    TEXT,
    WORDS,
    S,
    V,
    another,
    chance,
    made,
    opener,
    place_of,
    signed,
)

HEAD, SERVER = slice(0, 28), slice(28, 68)


def refused(data: bytes, *, place: Place = PLACE, backup_key: tuple[str, Secret] | None = None) -> bool:
    """Whether an envelope is refused, by an error of the core that shows nothing else."""
    try:
        envelope.read(data, place, PREPARED.get, backup_key=backup_key)
    except (Damaged, Unsupported, KeyMissing, WrongKey, TooCostly):
        return True
    return False


def flipped(data: bytes, bit: int) -> bytes:
    at = bit // 8
    return data[:at] + bytes([data[at] ^ 1 << bit % 8]) + data[at + 1 :]


# -- The format -------------------------------------------------------------------------------------------------------


@pytest.mark.row("T12")
@pytest.mark.parametrize("mode", MODES)
def test_an_envelope_is_the_vector(mode: str) -> None:
    backup_keys, vector, file = KEYS[mode], MODES[mode].vector, MODES[mode].file

    found = envelope.write(TEXT, PLACE, kid=1, key=S[1], backup_keys=backup_keys, chance=chance(backup_keys))

    assert found == file
    assert hashlib.sha256(found).hexdigest() == vector["sha256"]
    assert len(found) == vector["bytes"]
    assert found[SERVER].hex() == vector["server_slot"]
    assert envelope.read(found, PLACE, S.get, backup_key=opener(backup_keys)) == TEXT
    assert envelope.prove(found, PLACE, S.get, backup_keys) == TEXT


@pytest.mark.row("T12")
@pytest.mark.parametrize("mode", MODES)
def test_parts_of_an_envelope_are_the_vectors(mode: str) -> None:
    vector, file = MODES[mode].vector, MODES[mode].file
    share = keys.unwrap(keys.derive(S[1], Label.BACKUP_SERVER, PLACE.ctx), file[SERVER])
    found = envelope.slots(file, PLACE, S.get)
    sealed = file[68 : 68 + int.from_bytes(file[6:8], "big")]
    whole = Secret(share + bytes.fromhex(vector["a"]))
    both = keys.derive(whole, Label.BACKUP_BODY, *PLACE.bound, sealed, length=44).reveal()
    kinds = {"words": b"\1", "passkey": b"\2"}

    assert share.hex() == vector["ss"]
    assert [(kinds[slot.kind] + slot.hint + slot.wrapped).hex() for slot in found] == vector["slots"]
    assert [both[:32].hex(), both[32:].hex()] == [vector["body_key"], vector["body_nonce"]]
    assert envelope.verify(file, PLACE, S.get) == Header(kid=1, slots=len(found), sealed=len(sealed))


def test_keys_of_a_store_key_are_those_of_the_format() -> None:
    for kid, key in S.items():
        mac = keys.derive(key, Label.BACKUP_MAC)
        kek = keys.derive(key, Label.BACKUP_SERVER, PLACE.ctx)

        assert mac.reveal().hex() == V["mac_key"][str(kid)]
        assert kek.reveal().hex() == V["server_kek"][str(kid)]
        for prepared in (StoreKey.of(key), PREPARED[kid], StoreKey.of(PREPARED[kid])):
            assert prepared.mac(PLACE.ctx, b"a", b"b") == mac_of(mac, b"ab")
            assert prepared.wrap(PLACE.ctx, Secret(bytes(32))) == keys.wrap(kek, bytes(32))
            assert prepared.unwrap(PLACE.ctx, keys.wrap(kek, bytes(32))) == Secret(bytes(32))
    assert StoreKey.of(PREPARED[1]) is PREPARED[1]


def mac_of(key: Secret, data: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104) written out, of lp(ctx) and these bytes."""
    padded = key.reveal().ljust(64, b"\0")
    inner, outer = (bytes(byte ^ mask for byte in padded) for mask in (0x36, 0x5C))
    return hashlib.sha256(outer + hashlib.sha256(inner + lp(PLACE.ctx) + data).digest()).digest()


def test_slots_say_how_words_are_stretched_and_whose_passkey_it_is() -> None:
    words, passkey = envelope.slots(MODES["both"].file, PLACE, PREPARED.get)

    assert (words.kind, words.salt, words.costs) == ("words", bytes.fromhex(V["words"]["salt"]), Costs(65536, 3, 1))
    assert (passkey.kind, passkey.hint) == ("passkey", HINTS["passkey"])
    assert envelope.slots(MODES["none"].file, PLACE, PREPARED.get) == ()
    assert repr(words) == "Slot(words)"


def test_words_open_an_envelope_from_its_slot_alone() -> None:
    file = MODES["both"].file
    slot = envelope.slots(file, PLACE, PREPARED.get)[0]
    typed = keys.stretch("Correct-horse battery  STAPLE dolphin anvil", slot.salt, slot.costs)

    assert envelope.read(file, PLACE, PREPARED.get, backup_key=("words", keys.backup_key_of_words(typed))) == TEXT


@pytest.mark.parametrize("size", [0, 1, 4092, 4093, 2**20 - 4])
def test_contents_of_each_size_come_back(size: int) -> None:
    text = bytes(range(256)) * (size // 256) + bytes(size % 256)

    for backup_keys in KEYS.values():
        data = made(text, backup_keys)
        assert envelope.prove(data, PLACE, PREPARED.get, backup_keys) == text
    with pytest.raises(Damaged):
        made(bytes(2**20 - 3))


def test_no_two_envelopes_are_alike() -> None:
    one, two = made(TEXT, (WORDS,)), made(TEXT, (WORDS,))

    assert one[:28] == two[:28]
    assert [one[at : at + 16] == two[at : at + 16] for at in range(28, len(one) - 16, 16)].count(True) == 0


def test_one_random_state_gives_two_texts_two_keys() -> None:
    def shares(contents: bytes, backup_keys: tuple[BackupKey, ...], place: Place) -> bytes:
        drawn = chance(backup_keys)
        return envelope.write(contents, place, kid=1, key=S[1], backup_keys=backup_keys, chance=drawn)[SERVER]

    texts, places = (TEXT, b"{}"), (PLACE, place_of(sequence=8), place_of(stream=bytes(8)), place_of(uid="other"))
    found = {shares(*given) for given in product(texts, [*KEYS.values()], places)}

    assert len(found) == 2 * 4 * 4


@pytest.mark.parametrize("mode", MODES)
def test_every_key_of_an_envelope_opens_it_and_no_other(mode: str) -> None:
    file, backup_keys = MODES[mode].file, KEYS[mode]

    for key in backup_keys:
        assert envelope.read(file, PLACE, PREPARED.get, backup_key=(key.kind, key.key)) == TEXT
        for other in (another(key.kind), replace(key, kind="passkey" if key.kind == "words" else "words")):
            with pytest.raises(WrongKey) as caught:
                envelope.read(file, PLACE, PREPARED.get, backup_key=(other.kind, other.key))
            assert caught.value.reason is Reason.SLOT_INNER


@pytest.mark.row("T12")
def test_a_server_key_alone_opens_what_is_protected_by_the_sign_in_alone() -> None:
    opened = [mode for mode, of in MODES.items() if not refused(of.file)]

    assert opened == ["none"]


def test_of_several_passkeys_each_opens() -> None:
    others = tuple(another("passkey", number) for number in range(3, 10))
    data = made(TEXT, (WORDS, *others))

    for key in (WORDS, *others):
        assert envelope.read(data, PLACE, PREPARED.get, backup_key=(key.kind, key.key)) == TEXT
    assert len(data) == 4212 + 16 + 63 + 7 * 57
    assert envelope.prove(data, PLACE, PREPARED.get, (WORDS, *others)) == TEXT


@pytest.mark.parametrize(
    "backup_keys",
    [
        (another("passkey"),) * 9,
        (replace(WORDS, kind="approval"),),
        (replace(WORDS, kind="passkey"),),
        (replace(PASSKEY, hint=Secret(bytes(15))),),
        (replace(PASSKEY, key=Secret(bytes(16))),),
    ],
)
def test_keys_the_format_has_no_room_for_are_refused(backup_keys: tuple[BackupKey, ...]) -> None:
    with pytest.raises(Damaged):
        made(TEXT, backup_keys)


@pytest.mark.parametrize(
    ("ctx", "stream", "sequence"),
    [(bytes(31), bytes(8), 0), (bytes(32), bytes(9), 0), (bytes(32), bytes(8), -1), (bytes(32), bytes(8), 2**64)],
)
def test_a_place_that_cannot_be_is_refused(ctx: bytes, stream: bytes, sequence: int) -> None:
    with pytest.raises(Damaged):
        Place(ctx, stream, sequence)


# -- Proof and rotation -----------------------------------------------------------------------------------------------


def test_a_proof_asks_for_exactly_the_keys_it_was_made_with() -> None:
    for written, given in product(KEYS.values(), [*KEYS.values(), (PASSKEY, WORDS)]):
        data = made(TEXT, written)
        if written == given:
            assert envelope.prove(data, PLACE, PREPARED.get, given) == TEXT
        else:
            with pytest.raises(Damaged):
                envelope.prove(data, PLACE, PREPARED.get, given)
    with pytest.raises(WrongKey):
        envelope.prove(MODES["both"].file, PLACE, PREPARED.get, (WORDS, replace(PASSKEY, key=WORDS.key)))


def test_slots_that_hold_two_parts_prove_nothing() -> None:
    data = resealed(MODES["both"].file, lambda found: found[:-57] + found[-57:-40] + keys.wrap(PASSKEY.key, bytes(32)))

    with pytest.raises(Damaged) as caught:
        envelope.prove(data, PLACE, PREPARED.get, (WORDS, PASSKEY))
    assert caught.value.reason is Reason.DAMAGED_DOCUMENT


@pytest.mark.row("T12")
@pytest.mark.parametrize("mode", MODES)
def test_a_rotation_moves_number_server_slot_and_mac_alone(mode: str) -> None:
    file = MODES[mode].file

    moved = envelope.rewrap(file, PLACE, S.get, kid=2, key=S[2])

    assert hashlib.sha256(moved).hexdigest() == MODES[mode].vector["rewrapped_to_2_sha256"]
    assert [at for at in range(len(file)) if file[at] != moved[at] and not (28 <= at < 68 or at >= len(file) - 32)] == [
        11
    ]
    assert moved == envelope.rewrap(file, PLACE, PREPARED.get, kid=2, key=PREPARED[2])
    assert envelope.prove(moved, PLACE, {2: S[2]}.get, KEYS[mode]) == TEXT
    assert envelope.rewrap(moved, PLACE, S.get, kid=1, key=S[1]) == file
    with pytest.raises(KeyMissing) as caught:
        envelope.verify(moved, PLACE, {1: S[1]}.get)
    assert caught.value.kid == 2


# -- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.row("T8")
@pytest.mark.row("A8")
def test_every_altered_bit_of_every_protection_is_refused() -> None:
    count = 0
    for mode in MODES.values():
        assert mode.opened(mode.file) == TEXT
        key = opener(mode.keys)
        count += sum(refused(flipped(mode.file, bit), backup_key=key) for bit in range(8 * len(mode.file)))

    assert count == 8 * (4212 + 4291 + 4285 + 4348) == 137_088


@pytest.mark.row("T10")
@pytest.mark.row("A8")
def test_every_shorter_and_every_longer_envelope_is_refused() -> None:
    count = 0
    for mode in MODES.values():
        key, file = opener(mode.keys), mode.file
        shorter = (file[:size] for size in range(len(file)))
        beheaded = (file[size:] for size in range(1, len(file)))
        longer = [file + bytes(more) for more in (1, 16, 4096, 2**20)] + [file + file, b"\0" + file, b""]
        count += sum(refused(data, backup_key=key) for data in (*shorter, *beheaded, *longer))

    assert count == 2 * 17_136 - 4 + 4 * 7


@pytest.mark.row("T9")
@pytest.mark.row("A10")
def test_what_a_holder_of_the_mac_key_alters_is_refused(long: bool) -> None:
    tried = count = 0
    for mode in MODES.values():
        for key in mode.keys or (None,):
            by = key and (key.kind, key.key)
            for at, bit in product(range(len(mode.file) - 32), range(8) if long else (None,)):
                data = signed(flipped(mode.file, 8 * at + (at % 8 if bit is None else bit)))
                count += refused(data, backup_key=by)
                tried += 1
            assert not refused(signed(mode.file), backup_key=by)  # The control: signed as it was, it opens.

    assert count == tried == 21_324 * (8 if long else 1)


@pytest.mark.row("T9")
def test_lengths_that_a_holder_of_the_mac_key_moves_are_refused() -> None:
    count = 0
    for mode, slots, sealed in product(MODES.values(), range(256), (0, 1, 16, 73, 79, 136, 520, 521, 65535)):
        data = signed(mode.file[:5] + bytes([slots]) + sealed.to_bytes(2, "big") + mode.file[8:])
        if data == mode.file:
            continue
        count += refused(data, backup_key=opener(mode.keys))

    assert count == 4 * 256 * 9 - 4


@pytest.mark.row("T9")
@pytest.mark.parametrize(("mode", "slots"), [("words", 0), ("none", 1), ("none", 8), ("words", 9), ("both", 255)])
def test_a_header_that_contradicts_itself_is_refused_whoever_signed_it(mode: str, slots: int) -> None:
    file = MODES[mode].file

    with pytest.raises(Damaged) as caught:
        envelope.verify(signed(file[:5] + bytes([slots]) + file[6:]), PLACE, PREPARED.get)
    assert caught.value.reason is Reason.DAMAGED_LENGTH


@pytest.mark.row("T9")
def test_a_body_that_is_no_power_of_two_is_refused_whoever_signed_it() -> None:
    file = MODES["both"].file
    passed = []
    for sealed in range(1, 2**16):
        try:
            envelope.verify(signed(file[:6] + sealed.to_bytes(2, "big") + file[8:]), PLACE, PREPARED.get)
        except Damaged:
            continue
        passed.append(sealed)

    assert passed == [136]
    for more in (1, 4095, 4097, 8192):
        with pytest.raises(Damaged):
            envelope.verify(signed(file[:-32] + bytes(more) + file[-32:]), PLACE, PREPARED.get)
    doubled = signed(file[:-32] + bytes(4096) + file[-32:])
    assert envelope.verify(doubled, PLACE, PREPARED.get).slots == 2  # Its length could be: the body decides.
    assert refused(doubled, backup_key=opener(KEYS["both"]))


@pytest.mark.row("A10")
def test_what_is_planted_without_the_server_key_is_refused() -> None:
    stranger = Secret(bytes(32))
    for mode, kid in product(MODES, (0, 1, 2, 3)):
        data = envelope.write(TEXT, PLACE, kid=kid, key=stranger, backup_keys=KEYS[mode])
        with pytest.raises((Damaged, KeyMissing)):
            envelope.verify(data, PLACE, PREPARED.get)


def test_under_the_mac_of_another_number_the_server_part_does_not_open() -> None:
    data = signed(MODES["none"].file[:11] + b"\2" + MODES["none"].file[12:], kid=2)

    assert envelope.verify(data, PLACE, PREPARED.get) == Header(kid=2, slots=0, sealed=0)
    with pytest.raises(Damaged) as caught:
        envelope.read(data, PLACE, PREPARED.get)
    assert caught.value.reason is Reason.SLOT_OUTER
    with pytest.raises(Damaged):
        envelope.rewrap(data, PLACE, PREPARED.get, kid=1, key=S[1])


PLACES = [
    place_of(uid="another person"),
    place_of(device_type="ios"),
    place_of(stream=bytes(8)),
    place_of(sequence=6),
    place_of(sequence=8),
    place_of(sequence=7 << 32),
]


@pytest.mark.row("T10")
@pytest.mark.row("A9")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", MODES)
def test_an_envelope_in_another_place_is_refused(mode: str, place: Place) -> None:
    file, key = MODES[mode].file, opener(KEYS[mode])

    assert refused(file, place=place, backup_key=key)
    # Moved, its header written anew, and signed by who holds the MAC key.
    moved = signed(file[:12] + place.stream + place.sequence.to_bytes(8, "big") + file[28:], place)
    assert envelope.verify(moved, place, PREPARED.get).kid == 1
    assert refused(moved, place=place, backup_key=key)
    # Its server part wrapped anew by who holds S: still bound to where it was made.
    share = PREPARED[1].unwrap(PLACE.ctx, file[SERVER])
    planted = signed(moved[:28] + PREPARED[1].wrap(place.ctx, share) + moved[68:], place)
    with pytest.raises(Damaged) as caught:
        envelope.read(planted, place, PREPARED.get, backup_key=key)
    assert caught.value.reason is Reason.DAMAGED_SEAL


def parts(data: bytes) -> list[bytes]:
    end = 68 + int.from_bytes(data[6:8], "big")
    return [data[HEAD], data[SERVER], data[68:end], data[end:-32]]


@pytest.mark.row("T10")
@pytest.mark.parametrize("mode", MODES)
def test_no_mixture_of_two_envelopes_opens(mode: str) -> None:
    backup_keys, others = KEYS[mode], [made(b"{}", given) for given in KEYS.values()]
    one, count, tried = MODES[mode].file, 0, 0
    for two in [*others, MODES["both"].file]:
        for chosen in product((0, 1), repeat=4):
            mixed = signed(
                b"".join((parts(one), parts(two))[which][part] for part, which in enumerate(chosen)) + bytes(32)
            )
            if mixed in (one, two):
                continue
            tried += 1
            count += refused(mixed, backup_key=opener(backup_keys))

    assert count == tried
    assert tried >= 5 * 14 - 3 * 4 - 16


def resealed(file: bytes, change: Callable[[bytes], bytes], *, number: int | None = None) -> bytes:
    """An envelope whose slots were changed by somebody who holds S, sealed and signed as they should be."""
    share = PREPARED[1].unwrap(PLACE.ctx, file[SERVER])
    found = b"".join(
        {"words": b"\1", "passkey": b"\2"}[slot.kind] + slot.hint + slot.wrapped
        for slot in envelope.slots(file, PLACE, PREPARED.get)
    )
    slots, (_, _, _, body) = change(found), parts(file)
    head = file[:5] + bytes([file[5] if number is None else number]) + (len(slots) + 16).to_bytes(2, "big") + file[8:28]
    box, nonce = envelope._box(keys.derive(share, Label.BACKUP_SLOTS, *PLACE.bound, length=44))
    bound = lp(PLACE.ctx, head[:8] + bytes(4) + head[12:])
    return signed(head + file[SERVER] + box.encrypt(nonce, slots, bound) + body + bytes(32))


SLOT = b"\2" + HINTS["passkey"]
SHUFFLES: dict[str, tuple[Callable[[bytes], bytes], int]] = {
    "added": (lambda found: found + SLOT + keys.wrap(another("passkey").key, bytes(32)), 3),
    "dropped, the first": (lambda found: found[63:], 1),
    "dropped, the last": (lambda found: found[:63], 1),
    "exchanged": (lambda found: found[63:] + found[:63], 2),
    "twice": (lambda found: found + found, 4),
    "another hint": (lambda found: flipped(found, 8 * 70), 2),
}


@pytest.mark.row("T10")
@pytest.mark.row("A9")
@pytest.mark.parametrize("how", SHUFFLES)
def test_slots_that_a_holder_of_the_server_key_moves_shut_the_body(how: str) -> None:
    change, number = SHUFFLES[how]
    data = resealed(MODES["both"].file, change, number=number)

    assert len(envelope.slots(data, PLACE, PREPARED.get)) == number
    for key in (WORDS, PASSKEY):
        assert refused(data, backup_key=(key.kind, key.key))
    assert resealed(MODES["both"].file, lambda found: found) == MODES["both"].file  # The control.


@pytest.mark.parametrize(
    ("change", "number"),
    [
        (lambda found: b"", 2),
        (lambda found: found, 1),
        (lambda found: found, 3),
        (lambda found: found[:-1], 2),
        (lambda found: found + b"\1", 3),
        (lambda found: b"\0" + found[1:], 2),
        (lambda found: b"\3" + found[1:], 2),
    ],
)
def test_slots_of_another_shape_are_refused(change: Callable[[bytes], bytes], number: int) -> None:
    data = resealed(MODES["both"].file, change, number=number)

    with pytest.raises(Damaged):
        envelope.slots(data, PLACE, PREPARED.get)


def costs(kib: int, passes: int, lanes: int) -> bytes:
    return kib.to_bytes(4, "big") + bytes([passes, lanes])


@pytest.mark.parametrize(
    "dear",
    [costs(8191, 3, 1), costs(2**20 + 1, 3, 1), costs(2**32 - 1, 255, 255), costs(65536, 0, 1), costs(65536, 11, 1)]
    + [costs(65536, 3, 0), costs(65536, 3, 9)],
)
def test_words_that_cost_too_much_are_refused_before_any_work(dear: bytes) -> None:
    data = resealed(MODES["both"].file, lambda found: found[:17] + dear + found[23:])

    for act in (
        lambda: envelope.slots(data, PLACE, PREPARED.get),
        lambda: envelope.read(data, PLACE, PREPARED.get, backup_key=opener((WORDS,))),
    ):
        with pytest.raises(TooCostly):
            act()
    assert envelope.verify(data, PLACE, PREPARED.get).slots == 2


def test_a_record_of_other_bytes_is_damage() -> None:
    file = MODES["words"].file
    right, wrong = hashlib.sha256(file).digest(), bytes(32)

    assert envelope.verify(file, PLACE, PREPARED.get, sha256=right).kid == 1
    for act in (
        lambda: envelope.verify(file, PLACE, PREPARED.get, sha256=wrong),
        lambda: envelope.slots(file, PLACE, PREPARED.get, sha256=wrong),
        lambda: envelope.read(file, PLACE, PREPARED.get, backup_key=opener((WORDS,)), sha256=wrong),
    ):
        with pytest.raises(Damaged):
            act()


# -- The order of reading ---------------------------------------------------------------------------------------------


def test_the_first_thing_that_is_wrong_is_told() -> None:
    """Everything is wrong with the first of these bytes; one thing after another is put right."""
    file = MODES["words"].file
    far = (*PLACES[:1], *PLACES[2:4])
    tries: Iterator[tuple[bytes, Place, type[VaultError], Reason]] = iter(
        [
            (b"XXXX\2" + bytes(4000), far[2], Damaged, Reason.DAMAGED_LENGTH),
            (b"XXXX\2\xff" + file[6:-1] + b"\0", far[2], Damaged, Reason.DAMAGED_DOCUMENT),
            (b"AWB1\2\xff" + file[6:-1] + b"\0", far[2], Unsupported, Reason.VERSION),
            (b"AWB1\1\xff" + file[6:-1] + b"\0", far[2], Damaged, Reason.DAMAGED_LENGTH),
            (file[:11] + b"\x09" + file[12:-1] + b"\0", far[2], Damaged, Reason.DAMAGED_DOCUMENT),
            (file[:11] + b"\x09" + file[12:-1] + b"\0", PLACE, KeyMissing, Reason.KEY_MISSING),
            (flipped(file, 8 * 30), far[0], Damaged, Reason.DAMAGED_SEAL),
            (signed(flipped(file, 8 * 30)), PLACE, Damaged, Reason.SLOT_OUTER),
            (signed(flipped(file, 8 * 70)), PLACE, Damaged, Reason.DAMAGED_SEAL),
            (signed(flipped(file, 8 * 200)), PLACE, WrongKey, Reason.SLOT_INNER),
        ]
    )
    for data, place, error, reason in tries:
        with pytest.raises(error) as caught:
            envelope.read(data, place, PREPARED.get, backup_key=("words", PASSKEY.key))
        assert (type(caught.value), caught.value.reason) == (error, reason)


def test_no_key_is_derived_of_words_before_the_mac_holds() -> None:
    asked: list[int] = []

    def server_key(kid: int) -> Secret | None:
        asked.append(kid)
        return S.get(kid)

    for data in (b"", b"BWB1" + MODES["none"].file[4:], MODES["none"].file[:-1]):
        with pytest.raises(Damaged):
            envelope.slots(data, PLACE, server_key)
    assert asked == []
    envelope.slots(MODES["both"].file, PLACE, server_key)
    assert asked == [1]


def test_padding_that_is_not_the_writers_is_refused() -> None:
    share = keys.derive(Secret(bytes(32)), "any")
    head = MODES["none"].file[:28]
    box, nonce = envelope._body_box(share, b"", PLACE, b"")

    for padded in (bytes(4095) + b"\1", b"\0\0\xff\xff" + bytes(4092), bytes(8192)):
        body = box.encrypt(nonce, padded, lp(PLACE.ctx, head[:8] + bytes(4) + head[12:], b""))
        data = signed(head + PREPARED[1].wrap(PLACE.ctx, share) + body + bytes(32))
        with pytest.raises(Damaged) as caught:
            envelope.read(data, PLACE, PREPARED.get)
        assert caught.value.reason is Reason.DAMAGED_PADDING


# -- What is seen from outside ----------------------------------------------------------------------------------------


@pytest.mark.row("A16")
@pytest.mark.parametrize("mode", MODES)
def test_the_size_of_an_envelope_tells_little_of_the_number_of_accounts(mode: str) -> None:
    sizes = set()
    for count in range(201):
        accounts = new_list(*range(count))
        contents = Contents.of_list(accounts, device_type="android", device_name="Alice's phone", app="1.0", at=1)
        sizes.add(len(made(contents.to_bytes(), KEYS[mode])))

    assert len(sizes) <= 5


@pytest.mark.row("A42")
def test_the_store_alone_is_no_test_of_words_and_shows_no_salt() -> None:
    for mode in ("words", "both"):
        one, two = made(TEXT, KEYS[mode]), made(TEXT, KEYS[mode])
        for needle in (HINTS["words"], HINTS["passkey"], WORDS.key.reveal(), TEXT):
            assert not any(needle in data for data in (one, two))
        # Whatever words are tried: without S no byte of an envelope depends on them in a way that can be computed.
        assert not {one[at : at + 8] for at in range(68, len(one) - 8)} & {
            two[at : at + 8] for at in range(68, len(two))
        }


def test_no_secret_shows_in_what_is_raised_or_printed() -> None:
    shown = "".join(map(repr, (PREPARED[1], *envelope.slots(MODES["both"].file, PLACE, PREPARED.get))))

    assert shown == "StoreKey(…)Slot(words)Slot(passkey)"
    for data in (
        MODES["both"].file,
        signed(flipped(MODES["both"].file, 8 * 30)),
        signed(flipped(MODES["both"].file, 700)),
    ):
        with pytest.raises(VaultError) as caught:
            envelope.read(data, PLACE, PREPARED.get, backup_key=("words", Secret(bytes(32))))
        assert caught.value.__context__ is None
