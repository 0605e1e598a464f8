"""What was read and waits for a yes: the document that is sealed between the two requests."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.views.decorators.debug import sensitive_variables

from accounts.vault.entry import Entry
from accounts.vault.errors import Note, Problem, Reason
from accounts.vault.formats import Format, Found

_VERSION = 1


class Way(StrEnum):
    """How an account came: decides in which words its place and its faults are told."""

    PICTURE = "picture"
    LINK = "link"
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class Forbidden:
    """An account that a rule refuses: where it stood, and the rule's own sentence."""

    place: str | int
    sentence: str


@dataclass(frozen=True, slots=True)
class Drafted:
    """What is sealed between the two requests."""

    way: Way
    format: Format
    found: tuple[Found, ...]
    problems: tuple[Problem, ...] = ()
    forbidden: tuple[Forbidden, ...] = ()
    proof: UUID | None = None  # Of the sign-in to the account whose code this is.
    entry_id: str = ""  # Of the account of the list whose code this is.

    @sensitive_variables()
    def to_json(self) -> dict[str, Any]:
        of = ({"proof": str(self.proof)} if self.proof else {}) | ({"of": self.entry_id} if self.entry_id else {})
        return of | {
            "v": _VERSION,
            "way": self.way.value,
            "format": self.format.value,
            "found": [
                {
                    "entry": found.entry.to_document(),
                    "notes": [note.value for note in found.notes],
                    "place": found.place,
                }
                for found in self.found
            ],
            "problems": [
                {"place": problem.place, "reason": problem.reason.value, "facts": dict(problem.facts)}
                for problem in self.problems
            ],
            "forbidden": [{"place": one.place, "sentence": one.sentence} for one in self.forbidden],
        }

    @classmethod
    @sensitive_variables()
    def of_json(cls, document: Any) -> Drafted:
        return cls(
            way=Way(document["way"]),
            format=Format(document["format"]),
            found=tuple(
                Found(Entry.from_document(row["entry"]), tuple(map(Note, row["notes"])), row["place"])
                for row in document["found"]
            ),
            problems=tuple(Problem(row["place"], Reason(row["reason"]), row["facts"]) for row in document["problems"]),
            forbidden=tuple(Forbidden(row["place"], row["sentence"]) for row in document["forbidden"]),
            proof=UUID(document["proof"]) if "proof" in document else None,
            entry_id=document.get("of", ""),
        )
