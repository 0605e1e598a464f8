"""Words and phrases as keys: normalised, then stretched by Argon2id (RFC 9106) within bounds judged beforehand."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from accounts.vault.errors import ParseError, Reason, TooCostly
from accounts.vault.secret import Secret

_HYPHENS = str.maketrans("", "", "-\u2010\u2011")
_BOUNDS = (
    ("kib", Reason.COST_MEMORY, 8 * 1024, 1024 * 1024),
    ("passes", Reason.COST_PASSES, 1, 10),
    ("lanes", Reason.COST_LANES, 1, 8),
)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a derivation costs: memory in KiB, passes, lanes. What is written today is the default."""

    kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 1

    def checked(self) -> Costs:
        """These costs, if they may be paid: 8 MiB to 1 GiB, 1 to 10 passes, 1 to 8 lanes. Raises TooCostly."""
        for name, reason, least, most in _BOUNDS:
            found = getattr(self, name)
            if not least <= found <= most:
                raise TooCostly(reason, found=found, allowed=least if found < least else most)
        return self


WORDS_COSTS = Costs()


def plain(text: str) -> str:
    """Words as they are compared and stretched: NFKC, casefold, NFKC, no white space, no - nor U+2010 nor U+2011."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(folded.split()).translate(_HYPHENS)


def normalised(words: Secret | str) -> Secret:
    """The words as they are stretched: `plain`, as UTF-8. Two persons' ways to type the same words give the same bytes.

    Raises ParseError when nothing is left, or when the text is no UTF-8.
    """
    try:
        found = plain(words if isinstance(words, str) else words.reveal().decode("utf-8")).encode("utf-8")
    except UnicodeError:
        found = None
    if found is None:
        raise ParseError(Reason.NOT_UTF8)
    if not found:
        raise ParseError(Reason.WORDS_EMPTY)
    return Secret(found)


def stretch(words: Secret | str, salt: bytes, costs: Costs = WORDS_COSTS) -> Secret:
    """32 bytes of Argon2id (version 1.3) over the normalised words. 0.16 s and 64 MiB at today's costs.

    `salt` is 16 bytes, kept in the slot. Raises TooCostly before any work, ParseError as `normalised`.
    """
    costs.checked()
    found = normalised(words)
    argon2 = Argon2id(salt=salt, length=32, iterations=costs.passes, lanes=costs.lanes, memory_cost=costs.kib)
    return Secret(argon2.derive(found.reveal()))
