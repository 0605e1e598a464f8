"""What a person may put into the list. Asked on every way in, on a rename and, later, when a backup is made."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from accounts.models import User
from accounts.vault.entry import Entry


class Act(StrEnum):
    """What is about to happen to an entry."""

    ADD = "add"
    RENAME = "rename"
    PUT_BACK = "put_back"
    RESTORE = "restore"


class Refused(Exception):
    """The rule says no; its sentence, translated, is for the person."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


Rule = Callable[[User, Act, Entry], None]

RULES: list[Rule] = []  # Blocked domains join here.


def require(user: User, act: Act, entry: Entry) -> None:
    """Ask every rule. Raises Refused."""
    for rule in RULES:
        rule(user, act, entry)
