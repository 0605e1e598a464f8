"""AWB1, a backup as one object: it opens in its place alone, by the server's key and, if so made, one a person holds.

Symmetric throughout. docs/backup-format.md gives every byte. One order of reading, and the first failure ends it:
length, magic, version, numbers, key known, MAC, SHA-256 where a record has one, server's part, slots, costs, the
person's part, body, padding. So nobody without the server's key S gets as far as a key derivation.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from accounts.vault import keys
from accounts.vault.encoding import LARGEST, SMALLEST, lp, pad, unpad
from accounts.vault.errors import Damaged, KeyMissing, Reason, Unsupported, WrongKey
from accounts.vault.keys import Costs, Label, Secret
from accounts.vault.list import BackupKey

MAGIC: Final = b"AWB1"
VERSION: Final = 1
MOST_SLOTS: Final = 8

WORDS: Final = "words"
PASSKEY: Final = "passkey"
_KINDS: Final = {WORDS: 1, PASSKEY: 2}
_NAMES: Final = {number: kind for kind, number in _KINDS.items()}
_HINT_BYTES: Final = {WORDS: 22, PASSKEY: 16}

_HEAD: Final = struct.Struct(">4sBBHI8sQ")  # magic, version, slots, length of the sealed slots, kid, stream, sequence
_BODY_AT: Final = 68
_WRAPPED: Final = 40
_TAG: Final = 16
_MAC: Final = 32
_KEY: Final = 32
_BOTH: Final = 44  # a key and its nonce
_MOST_SEALED: Final = MOST_SLOTS * (1 + _HINT_BYTES[WORDS] + _WRAPPED) + _TAG

Keys = Callable[[int], Secret | None]
Chance = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an envelope belongs: ctx 32 bytes, stream 8 bytes, sequence 0 to 2^64 − 1. Raises Damaged otherwise."""

    ctx: bytes
    stream: bytes
    sequence: int

    def __post_init__(self) -> None:
        if len(self.ctx) != 32 or len(self.stream) != 8 or not 0 <= self.sequence < 2**64:
            raise Damaged(Reason.DAMAGED_DOCUMENT)

    @property
    def bound(self) -> tuple[bytes, bytes, bytes]:
        """What keys of an envelope in this place are bound to."""
        return self.ctx, self.stream, self.sequence.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Header:
    """What an authentic envelope says before it is opened: the number of its key, and how many keys open it.

    No slots means that the server's key alone opens it. `sealed` is their length in bytes.
    """

    kid: int
    slots: int
    sealed: int


@dataclass(frozen=True, slots=True, repr=False)
class Slot:
    """One way into an envelope beside the server's key: `words` or `passkey`, and the hint it was made with.

    The hint of words is salt 16, KiB u32, passes u8, lanes u8; that of a passkey 16 bytes of SHA-256 of its id.
    """

    kind: str
    hint: bytes
    wrapped: bytes

    @property
    def salt(self) -> bytes:
        """The 16 bytes with which words are stretched."""
        return self.hint[:16]

    @property
    def costs(self) -> Costs:
        """What stretching words costs; not yet judged."""
        return Costs(int.from_bytes(self.hint[16:20], "big"), self.hint[20], self.hint[21])

    def __repr__(self) -> str:
        return f"Slot({self.kind})"


class StoreKey(Secret):
    """A server key S, and what is derived of it alone: prepared once for many envelopes, kept by whoever holds it.

    Every function here takes a plain Secret as well, and then prepares it anew.
    """

    __slots__ = ("_mac", "_server")
    _mac: HMAC
    _server: HMAC

    def __init__(self, value: bytes) -> None:
        super().__init__(value)
        base = HMAC(keys.extract(self).reveal(), SHA256())
        mac = HMAC(_after(base, _MAC_INFO), SHA256())
        object.__setattr__(self, "_mac", _fed(mac, _LP_32))
        object.__setattr__(self, "_server", _fed(base, _SERVER_INFO))

    @classmethod
    def of(cls, key: Secret) -> StoreKey:
        """The prepared form of a key; the key itself where it is prepared already."""
        return key if isinstance(key, StoreKey) else cls(key.reveal())

    def wrap(self, ctx: bytes, share: Secret) -> bytes:
        """The server's part of an envelope of this ctx, wrapped: 40 bytes."""
        return aes_key_wrap(_after(self._server, ctx + _FIRST), share.reveal())

    def unwrap(self, ctx: bytes, wrapped: bytes) -> Secret:
        """What `wrap` took. Raises Damaged for another key, another ctx or an altered bit."""
        try:
            return Secret(aes_key_unwrap(_after(self._server, ctx + _FIRST), wrapped))
        except InvalidUnwrap:
            pass
        raise Damaged(Reason.SLOT_OUTER)

    def mac(self, ctx: bytes, *parts: bytes | memoryview) -> bytes:
        """The 32 bytes at the end of an envelope of this ctx, over these parts of it, one after another."""
        return _after(self._mac, ctx, *parts)


def write(
    contents: bytes,
    place: Place,
    *,
    kid: int,
    key: Secret,
    backup_keys: Sequence[BackupKey] = (),
    chance: Chance = keys.random_bytes,
) -> bytes:
    """The envelope of these contents in a place, under the server key S of this number.

    With backup keys any one of them opens it, always together with S; without them S alone does. `chance` is asked for
    32 bytes, the person's part where there are keys, then for 32 more. Raises Damaged for contents of more than
    2^20 − 4 bytes and for keys that the format has no room for.
    """
    if len(backup_keys) > MOST_SLOTS:
        raise Damaged(Reason.DAMAGED_LENGTH, found=len(backup_keys))
    store, padded = StoreKey.of(key), pad(contents)
    own = chance(_KEY) if backup_keys else b""
    slots = b"".join([_slot(backup_key, own) for backup_key in backup_keys])
    digest = hashlib.sha256(lp(slots) + len(padded).to_bytes(4, "big"))
    digest.update(padded)
    share = keys.derive(Secret(chance(_KEY)), Label.BACKUP_SS, *place.bound, digest.digest())

    length = len(slots) + _TAG if slots else 0
    head = _HEAD.pack(MAGIC, VERSION, len(backup_keys), length, kid, place.stream, place.sequence)
    sealed = b""
    if slots:
        box, nonce = _box(keys.derive(share, Label.BACKUP_SLOTS, *place.bound, length=_BOTH))
        sealed = box.encrypt(nonce, slots, lp(place.ctx, _numberless(head)))
    box, nonce = _body_box(share, own, place, sealed)
    body = box.encrypt(nonce, padded, lp(place.ctx, _numberless(head), sealed))
    wrapped = store.wrap(place.ctx, share)
    return _signed(store, place, head, wrapped, sealed, body)


def verify(data: bytes, place: Place, keys: Keys, *, sha256: bytes | None = None) -> Header:
    """What an envelope says of itself, once it is known to be whole and in its place; needs nobody's secret.

    `keys` gives the server key S of a number, or None; `sha256` is what a record says of the bytes, if there is one.
    Raises Damaged, Unsupported for a newer format, KeyMissing.
    """
    return _verified(data, place, keys, sha256)[0]


def slots(data: bytes, place: Place, keys: Keys, *, sha256: bytes | None = None) -> tuple[Slot, ...]:
    """The ways into an envelope beside the server's key, in its order. Raises as `verify`, and TooCostly."""
    header, store = _verified(data, place, keys, sha256)
    return _slots(data, place, header, _share(data, place, store))


def read(
    data: bytes,
    place: Place,
    keys: Keys,
    *,
    backup_key: tuple[str, Secret] | None = None,
    sha256: bytes | None = None,
) -> bytes:
    """The contents of an envelope; `backup_key` is a kind and the key made of words or of a passkey's PRF output.

    Where the server's key alone opens it, no other is looked at. Raises as `slots`, and WrongKey when a key is needed
    and this one, or none, opens no slot of its kind.
    """
    header, store = _verified(data, place, keys, sha256)
    share = _share(data, place, store)
    own = b""
    if header.slots:
        own = _own(_slots(data, place, header, share), backup_key)
    return _body(data, place, header, share, own)


def prove(data: bytes, place: Place, keys: Keys, backup_keys: Sequence[BackupKey] = ()) -> bytes:
    """The contents of an envelope, opened as a restore would, through every slot.

    Raises as `read`, and Damaged unless these are its slots, one by one.
    """
    header, store = _verified(data, place, keys, None)
    share = _share(data, place, store)
    found = _slots(data, place, header, share)
    if [(slot.kind, slot.hint) for slot in found] != [(key.kind, key.hint.reveal()) for key in backup_keys]:
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    parts = {_own((slot,), (key.kind, key.key)) for slot, key in zip(found, backup_keys, strict=True)} or {b""}
    if len(parts) != 1:
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    return _body(data, place, header, share, *parts)


def rewrap(data: bytes, place: Place, keys: Keys, *, kid: int, key: Secret) -> bytes:
    """The envelope under another server key S: number of the key, server's slot and MAC change, all else stays.

    Needs nobody's secret. Raises as `verify`.
    """
    store, new = _verified(data, place, keys, None)[1], StoreKey.of(key)
    wrapped = new.wrap(place.ctx, _share(data, place, store))
    head = data[:8] + kid.to_bytes(4, "big") + data[12 : _HEAD.size]
    return _signed(new, place, head, wrapped, memoryview(data)[_BODY_AT:-_MAC])


# -- One step each, in the order of reading ---------------------------------------------------------------------------


def _verified(data: bytes, place: Place, keys: Keys, sha256: bytes | None) -> tuple[Header, StoreKey]:
    size = len(data)
    if not _BODY_AT + SMALLEST + _TAG + _MAC <= size <= _BODY_AT + _MOST_SEALED + LARGEST + _TAG + _MAC:
        raise Damaged(Reason.DAMAGED_LENGTH, found=size)
    magic, version, number, sealed, kid, stream, sequence = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    if version != VERSION:
        raise Unsupported(Reason.VERSION, found=version)
    padded = size - _BODY_AT - sealed - _TAG - _MAC
    if number > MOST_SLOTS or bool(number) != bool(sealed) or padded < SMALLEST or padded & (padded - 1):
        raise Damaged(Reason.DAMAGED_LENGTH, found=size)
    if stream != place.stream or sequence != place.sequence:
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    key = keys(kid)
    if key is None:
        raise KeyMissing(kid)
    store = StoreKey.of(key)
    if not hmac.compare_digest(store.mac(place.ctx, memoryview(data)[:-_MAC]), data[-_MAC:]):
        raise Damaged(Reason.DAMAGED_SEAL)
    if sha256 is not None and not hmac.compare_digest(hashlib.sha256(data).digest(), sha256):
        raise Damaged(Reason.DAMAGED_SEAL)
    return Header(kid, number, sealed), store


def _share(data: bytes, place: Place, store: StoreKey) -> Secret:
    """The server's part."""
    return store.unwrap(place.ctx, data[_HEAD.size : _BODY_AT])


def _slots(data: bytes, place: Place, header: Header, share: Secret) -> tuple[Slot, ...]:
    if not header.slots:
        return ()
    box, nonce = _box(keys.derive(share, Label.BACKUP_SLOTS, *place.bound, length=_BOTH))
    sealed = data[_BODY_AT : _BODY_AT + header.sealed]
    rest = _opened(box, nonce, sealed, lp(place.ctx, _numberless(data[: _HEAD.size])))
    found: list[Slot] = []
    while rest:
        kind = _NAMES.get(rest[0])
        if kind is None:
            raise Damaged(Reason.DAMAGED_DOCUMENT)
        hint, wrapped = 1 + _HINT_BYTES[kind], 1 + _HINT_BYTES[kind] + _WRAPPED
        found.append(Slot(kind, rest[1:hint], rest[hint:wrapped]))
        if len(found[-1].wrapped) != _WRAPPED:
            raise Damaged(Reason.DAMAGED_LENGTH, found=header.sealed)
        rest = rest[wrapped:]
    if len(found) != header.slots:
        raise Damaged(Reason.DAMAGED_LENGTH, found=header.sealed)
    for slot in found:
        if slot.kind == WORDS:
            slot.costs.checked()
    return tuple(found)


def _own(found: Sequence[Slot], backup_key: tuple[str, Secret] | None) -> bytes:
    """The person's part, out of the first slot that this key opens."""
    if backup_key is not None:
        kind, key = backup_key
        for slot in found:
            try:
                if slot.kind == kind:
                    return keys.unwrap(key, slot.wrapped)
            except WrongKey:
                pass
    raise WrongKey(Reason.SLOT_INNER)


def _body(data: bytes, place: Place, header: Header, share: Secret, own: bytes) -> bytes:
    end = _BODY_AT + header.sealed
    sealed = data[_BODY_AT:end]
    box, nonce = _body_box(share, own, place, sealed)
    bound = lp(place.ctx, _numberless(data[: _HEAD.size]), sealed)
    return unpad(_opened(box, nonce, memoryview(data)[end:-_MAC], bound))


# -- Pieces -----------------------------------------------------------------------------------------------------------

_LP_32: Final = (32).to_bytes(4, "big")  # _LP_32 + ctx is lp(ctx)
_SERVER_INFO: Final = keys.info(Label.BACKUP_SERVER) + _LP_32
_FIRST: Final = b"\1"  # HKDF-Expand numbers its blocks; 32 bytes are the first.
_MAC_INFO: Final = keys.info(Label.BACKUP_MAC) + _FIRST


def _fed(state: HMAC, part: bytes) -> HMAC:
    state.update(part)
    return state


def _after(state: HMAC, *parts: bytes | memoryview) -> bytes:
    """The HMAC of these parts, from a state that is left as it is: a copy costs a third of beginning anew."""
    copy = state.copy()
    for part in parts:
        copy.update(part)
    return copy.finalize()


def _numberless(head: bytes) -> bytes:
    """The first 28 bytes with kid zero: what stays when the server's key is exchanged."""
    return head[:8] + bytes(4) + head[12:]


def _slot(key: BackupKey, own: bytes) -> bytes:
    hint = key.hint.reveal()
    if len(hint) != _HINT_BYTES.get(key.kind) or len(key.key) != _KEY:
        raise Damaged(Reason.DAMAGED_DOCUMENT)
    return bytes([_KINDS[key.kind]]) + hint + keys.wrap(key.key, own)


def _box(both: Secret) -> tuple[AESGCM, bytes]:
    value = both.reveal()
    return AESGCM(value[:_KEY]), value[_KEY:]


def _body_box(share: Secret, own: bytes, place: Place, sealed: bytes) -> tuple[AESGCM, bytes]:
    whole = Secret(share.reveal() + own)
    return _box(keys.derive(whole, Label.BACKUP_BODY, *place.bound, sealed, length=_BOTH))


def _opened(box: AESGCM, nonce: bytes, sealed: bytes | memoryview, bound: bytes) -> bytes:
    try:
        return box.decrypt(nonce, sealed, bound)
    except InvalidTag:
        pass
    raise Damaged(Reason.DAMAGED_SEAL)


def _signed(store: StoreKey, place: Place, *parts: bytes | memoryview) -> bytes:
    return b"".join([*parts, store.mac(place.ctx, *parts)])
