"""Keys that do not print, pickle, copy or compare in the open.

`.reveal()` is the one way to the bytes, so that a search for it finds every place that handles a key; a test allows it
in the core alone.
"""

from __future__ import annotations

import binascii
import hmac
from typing import Final, NoReturn

from accounts.vault.errors import Damaged, Reason

_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_PADDING: Final = (b"", None, b"==", b"=")


class Secret:
    """Bytes that show nothing of themselves, not even their length in `repr`.

    Equality takes constant time for secrets of one length. There is no order, no hash, no iteration, no index.
    """

    __slots__ = ("_bytes", "_text")
    _bytes: bytes | None
    _text: str

    def __init__(self, value: bytes) -> None:
        object.__setattr__(self, "_bytes", bytes(value))
        object.__setattr__(self, "_text", "")

    @classmethod
    def of_text(cls, text: str) -> Secret:
        """A secret kept as base64url without padding and decoded when first revealed.

        Opening a list makes hundreds of these and reveals few at once, so nothing is checked here; bad text raises
        Damaged from `reveal`.
        """
        secret = _new(cls)
        _set_bytes(secret, None)
        _set_text(secret, text)
        return secret

    def reveal(self) -> bytes:
        """The bytes. Raises Damaged when the text it was made of is no base64url."""
        value = self._bytes
        if value is None:
            value = _decoded(self._text)
            if value is None:
                raise Damaged(Reason.DAMAGED_DOCUMENT)
            _set_bytes(self, value)
        return value

    def reveal_text(self) -> str:
        """The bytes as base64url without padding: for sealed documents only."""
        if not self._text:
            text = binascii.b2a_base64(self.reveal(), newline=False).rstrip(b"=")
            object.__setattr__(self, "_text", text.decode("ascii").replace("+", "-").replace("/", "_"))
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal(), other.reveal())

    def __hash__(self) -> NoReturn:
        raise TypeError("a secret has no hash")

    def __len__(self) -> int:
        return len(self.reveal())

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __iter__(self) -> NoReturn:
        raise TypeError("a secret is not iterated")

    def __getitem__(self, index: object) -> NoReturn:
        raise TypeError("a secret is not indexed")

    def __bytes__(self) -> NoReturn:
        raise TypeError("a secret is revealed by name only")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is neither pickled nor copied")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is neither pickled nor copied")

    def __copy__(self) -> NoReturn:
        raise TypeError("a secret is neither pickled nor copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise TypeError("a secret is neither pickled nor copied")


class VaultKey(Secret):
    """The 32 bytes that open one list for all its life. Raises Damaged for any other length."""

    __slots__ = ()

    def __init__(self, value: bytes) -> None:
        if len(value) != 32:
            raise Damaged(Reason.KEY_LENGTH, found=len(value), allowed=32)
        super().__init__(value)


def _decoded(text: str) -> bytes | None:
    """The bytes of base64url without padding, or None."""
    try:
        padding = _PADDING[len(text) % 4]
        if padding is None:
            return None
        # As bytes: `translate` of a text costs five times as much as all the rest.
        return binascii.a2b_base64(text.encode("ascii").translate(_STANDARD) + padding, strict_mode=True)
    except (ValueError, AttributeError, TypeError):
        return None


_new: Final = object.__new__
_set_bytes: Final = Secret.__dict__["_bytes"].__set__
_set_text: Final = Secret.__dict__["_text"].__set__
