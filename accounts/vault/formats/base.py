"""What every reader of a file gives back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from accounts.vault.entry import Entry
from accounts.vault.errors import Note, Problem


class Format(StrEnum):
    """The formats that are read."""

    OTPAUTH = "otpauth"
    GOOGLE = "google"


@dataclass(frozen=True, slots=True)
class Found:
    """One account that was read, what a person should know about it, and where it stood: line, row or position."""

    entry: Entry
    notes: tuple[Note, ...]
    place: str | int


@dataclass(frozen=True, slots=True)
class Result:
    """What a file, a text or a picture gave: accounts, what could not be taken, and the format it was in.

    Every account found is either in `entries` or named by a problem.
    """

    entries: tuple[Found, ...]
    problems: tuple[Problem, ...]
    format: Format
