"""What a person may put into the list. Asked on every way in, on a rename, and when a backup is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from accounts.models import User
from accounts.services import blocking
from accounts.vault.entry import Entry


class Act(StrEnum):
    """What is about to happen to an entry."""

    ADD = "add"
    RENAME = "rename"
    KEEP = "keep"
    PUT_BACK = "put_back"
    RESTORE = "restore"
    BACK_UP = "back_up"


class Refused(Exception):
    """The rule says no; its sentence, translated, is for the person. `short` says it where a line has little room.

    `over` is what the rule is about, as a domain: two of one rule about the same are one to the person.
    """

    def __init__(self, sentence: str, short: str = "", over: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.short, self.over = sentence, short or sentence, over


# A rule is asked of many accounts at once, so that it reads once what it needs. It answers with those it refuses.
Rule = Callable[[User, Act, Sequence[Entry], datetime], Mapping[str, Refused]]


def domains(user: User, act: Act, entries: Sequence[Entry], at: datetime) -> dict[str, Refused]:
    """No third-party codes for a blocked domain, from its day on.

    A code that a person brings, or gives another name, is judged by that name alone, whichever account it is to be the
    code of. What is in the Trash or a backup was judged then: an account that was added by sign-in comes back.
    """
    brought = act in (Act.ADD, Act.RENAME)
    found = blocking.held(entries, blocking.every(), at=at, brought=brought) if entries else {}
    return {
        entry_id: Refused(blocking.refusal(block), blocking.short(block), block.domain)
        for entry_id, block in found.items()
    }


RULES: list[Rule] = [domains]


def refused(user: User, act: Act, entries: Sequence[Entry], *, at: datetime) -> dict[str, Refused]:
    """Those that a rule refuses, by their ids. Each rule is asked once, however many they are."""
    found: dict[str, Refused] = {}
    for rule in RULES:
        found = {**rule(user, act, entries, at), **found}
    return found


def require(user: User, act: Act, entry: Entry, *, at: datetime) -> None:
    """Ask every rule. Raises Refused."""
    if error := refused(user, act, [entry], at=at).get(entry.id):
        raise error


def require_name(user: User, entry: Entry, *, issuer: str, name: str, at: datetime) -> None:
    """Ask every rule about another name of an account. One refused as it stands, over the same, is no worse off.

    In the operation that renames it, so that nothing becomes of the account between the two. Raises Refused, and
    ParseError for what is no name.
    """
    renamed = entry.renamed(issuer=issuer, name=name)
    if (renamed.issuer, renamed.name) == (entry.issuer, entry.name):
        return
    error = refused(user, Act.RENAME, [renamed], at=at).get(entry.id)
    if error is None:
        return
    stands = refused(user, Act.KEEP, [entry], at=at).get(entry.id)
    if stands is None or stands.over != error.over:
        raise error
