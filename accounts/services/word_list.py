"""The list that six words are drawn from: read once, and what was typed read against it.

A word that is none of it is named before anything is tried; opening a list never needs it.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib import resources

from django.views.decorators.debug import sensitive_variables

from accounts.vault import keys
from accounts.vault.errors import ParseError
from accounts.vault.keys import Secret

COUNT = 6
_LONGEST = 9  # Letters of the longest word of the list.
_BETWEEN = re.compile(r"[\s\u2010\u2011-]+")
_AROUND = "0123456789.,;:()"  # The numbers of a sheet that was copied, the commas of somebody who writes some.


class NotInList(Exception):
    """A typed word is none of the list: which (from 1), and its nearest neighbour, if one is near.

    `corrected` is all that was typed, with the neighbour in its place.
    """

    def __init__(self, place: int, word: str, nearest: str, corrected: str) -> None:
        super().__init__()
        self.place, self.word, self.nearest, self.corrected = place, word, nearest, corrected


class OtherNumber(Exception):
    """All are words of the list, but not six: `found` is how many."""

    def __init__(self, found: int) -> None:
        super().__init__()
        self.found = found


@cache
def listed() -> tuple[str, ...]:
    """The long list of the EFF: 7,776 words, https://www.eff.org/dice."""
    return tuple((resources.files("xkcdpass") / "static" / "eff-long").read_text(encoding="ascii").split())


@cache
def _by_plain() -> dict[str, str]:
    """Each word by how it is normalised. None begins another, so a text without spaces splits in one way."""
    return {keys.plain(word): word for word in listed()}


def made() -> tuple[str, ...]:
    """Six words by chance: 77.5 bits."""
    return keys.chosen(listed(), COUNT)


@sensitive_variables()
def read(typed: str) -> Secret:
    """Six words of the list, however they were typed: spaces, hyphens, capitals and numbers beside them do not matter.

    Raises NotInList for the first that is none, OtherNumber, ParseError when nothing was typed.
    """
    pieces = [piece for piece in (keys.plain(part).strip(_AROUND) for part in _BETWEEN.split(typed)) if piece]
    words = keys.normalised("".join(pieces))
    found, rest = _split("".join(pieces))
    if rest:
        raise _fault(pieces)
    if len(found) != COUNT:
        raise OtherNumber(len(found))
    return words


@sensitive_variables()
def corrected(typed: str, nearest: str) -> str:
    """What was typed, with this neighbour in place of the first word that is none; unchanged if it is not its own."""
    try:
        read(typed)
    except NotInList as fault:
        return fault.corrected if nearest and fault.nearest == nearest else typed
    except (OtherNumber, ParseError):
        pass
    return typed


def _split(text: str) -> tuple[list[str], str]:
    """The words that a text begins with, and what is left of it once no word begins the rest."""
    known, found = _by_plain(), []
    while text:
        word = next((text[:length] for length in range(1, _LONGEST + 1) if text[:length] in known), "")
        if not word:
            break
        found.append(word)
        text = text[len(word) :]
    return found, text


def _fault(pieces: list[str]) -> NotInList:
    """The first word that is none of the list, as it was set apart or as it would fit best."""
    before: list[str] = []
    while True:
        piece, after = pieces[0], pieces[1:]
        words, rest = _split(piece)
        if rest and after:
            joined, left = _split(piece + after[0])  # A word with a hyphen, or with a space that came in between.
            if not left:
                words, rest, after = joined, "", after[1:]
        if rest:
            break
        before, pieces = before + words, after
    readings = [(before + words, word, [*behind, *after]) for word, behind in _cut(rest)]
    if words:
        readings.append((before, piece, after))
    if after and _split(after[0])[1]:
        readings.append((before, piece + after[0], after[1:]))
    nearest, (before, word, after) = max(
        ((_nearest(reading[1]), reading) for reading in readings), key=lambda found: _likeness(found[1][1], found[0])
    )
    return NotInList(len(before) + 1, word, nearest, " ".join([*before, nearest or word, *after]))


def _cut(rest: str) -> list[tuple[str, list[str]]]:
    """Where a word that is none may end: so that only words follow, or with the text."""
    cuts: list[tuple[str, list[str]]] = []
    for end in range(2, min(len(rest), _LONGEST + 2)):
        words, left = _split(rest[end:])
        if words and not left:
            cuts.append((rest[:end], words))
    return cuts if cuts and len(rest) > _LONGEST + 2 else [*cuts, (rest, [])]


def _nearest(word: str) -> str:
    """The word of the list most like it; none where none is near."""
    near = difflib.get_close_matches(word, _by_plain(), 1) if len(word) <= 2 * _LONGEST else []
    return _by_plain()[near[0]] if near else ""


def _likeness(word: str, nearest: str) -> float:
    return difflib.SequenceMatcher(a=word, b=keys.plain(nearest)).ratio() if nearest else 0
