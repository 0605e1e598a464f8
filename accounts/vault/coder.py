"""What of a list makes its codes, read alone.

A refresh asks for nothing else, and names, notes and the Trash would be a tenth of what it costs.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

from accounts.vault.entry import ALGORITHMS, TYPES, Algorithm, Type
from accounts.vault.errors import Damaged, Reason
from accounts.vault.list import opened
from accounts.vault.secret import Secret


class MakesCodes(Protocol):
    """An account, as far as its codes go: an `Entry`, or a `Coder`."""

    @property
    def id(self) -> str:
        """32 hexadecimal letters."""

    @property
    def secret(self) -> Secret | None:
        """The key; none in an account by name only."""

    @property
    def type(self) -> Type:
        """By time, by counter, Steam's way."""

    @property
    def algorithm(self) -> Algorithm:
        """The hash."""

    @property
    def digits(self) -> int:
        """How many."""

    @property
    def period(self) -> int:
        """Seconds."""

    @property
    def counter(self) -> int:
        """The next one to use."""


class Coder(NamedTuple):
    """What makes the codes of one account, and nothing else of it."""

    id: str
    secret: Secret | None
    type: Type
    algorithm: Algorithm
    digits: int
    period: int
    counter: int


def of_list(data: bytes) -> tuple[Coder, ...]:
    """The coders of a list's document of any version, in its order, once it has been authenticated; the Trash has none.

    Accounts by name only are left out. Raises Unsupported, and Damaged where what makes a code is missing: what stands
    beside it is not read.
    """
    version, document = opened(data)
    try:
        return tuple([_READERS[version](entry) for entry in document.get("entries", ()) if "secret" in entry])
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise Damaged(Reason.DAMAGED_DOCUMENT)


_of_text: Final = Secret.of_text


def _read_1(entry: dict[str, Any]) -> Coder:
    return Coder(
        entry["id"],
        _of_text(entry["secret"]),
        TYPES[entry["type"]],
        ALGORITHMS[entry["algorithm"]],
        entry["digits"],
        entry["period"],
        entry["counter"],
    )


_READERS: Final = {1: _read_1}
