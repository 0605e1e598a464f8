"""Every no of the core, and every note, is said: what is, and what to do next."""

from __future__ import annotations

import re

import pytest

from accounts import sentences
from accounts.vault.entry import Algorithm, Type
from accounts.vault.errors import Fact, Note, ParseError, Problem, Reason, TooLarge
from tests.factories import an_entry

# Facts as the core gives them with each reason; what is not named has none.
FACTS: dict[Reason, dict[str, Fact]] = {
    Reason.SECRET_LETTER: {"letter": "1"},
    Reason.CONTROL_CHARACTER: {"field": "name"},
    Reason.TYPE_UNKNOWN: {"type": "xotp"},
    Reason.ALGORITHM_REFUSED: {"algorithm": "MD5"},
    Reason.DIGITS: {"found": "0"},
    Reason.PERIOD: {"found": "0"},
    Reason.COUNTER: {"found": "-1"},
    Reason.PARAMETER_TWICE: {"name": "secret"},
    Reason.PICTURE_TOO_LARGE: {"found": 20 * 2**20, "allowed": 8 * 2**20, "unit": "bytes"},
    Reason.TOO_MANY_PICTURES: {"found": 21, "allowed": 20},
    Reason.FILE_TOO_LARGE: {"found": 9 * 2**20, "allowed": 5 * 2**20},
    Reason.PARTS_MISSING: {"found": 2, "total": 3, "missing": (1,)},
    Reason.VERSION: {"found": 7},
    Reason.KEY_MISSING: {"kid": 3},
    Reason.OTHER_DEVICE_TYPE: {"found": "android"},
    Reason.LINE_LETTER: {"letter": "O", "group": 3},
    Reason.TOO_LARGE: {"found": 2001, "allowed": 2000, "unit": "entries"},
    **{
        reason: {"found": 300, "allowed": 256}
        for reason in (
            *(Reason.SECRET_TOO_LONG, Reason.NAME_TOO_LONG, Reason.ISSUER_TOO_LONG, Reason.NOTE_TOO_LONG),
            *(Reason.TAG_TOO_LONG, Reason.TOO_MANY_TAGS, Reason.TEXT_TOO_LONG, Reason.LINE_LENGTH),
            *(Reason.COST_MEMORY, Reason.COST_PASSES, Reason.COST_LANES),
        )
    },
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_sentence(reason: Reason) -> None:
    for picture in (False, True):
        said = sentences.sentence(Problem(1, reason, FACTS.get(reason, {})), picture=picture)

        assert re.fullmatch(r"\S.*[.\d/]", said, re.DOTALL), said
        assert "%" not in said
        assert len(said) > 20


@pytest.mark.parametrize("reason", sorted(FACTS))
def test_figures_and_letters_are_named(reason: Reason) -> None:
    facts = {name: fact for name, fact in FACTS[reason].items() if name not in ("unit", "field")}
    shown = {str(fact) if isinstance(fact, str | int) else str(fact[0]) for fact in facts.values()}
    if reason in (Reason.PICTURE_TOO_LARGE, Reason.FILE_TOO_LARGE):
        shown = {str(int(fact) // 2**20) for fact in facts.values() if isinstance(fact, int)}
    if reason is Reason.OTHER_DEVICE_TYPE:
        shown = {"Android"}

    said = sentences.sentence(Problem(1, reason, FACTS[reason])).replace(",", "")

    assert {fact for fact in shown if fact not in said} == set()


def test_a_reason_without_sentence_would_be_seen() -> None:
    assert set(sentences.SENTENCES) == set(Reason)
    assert set(sentences.NOTES) == set(Note)


@pytest.mark.parametrize("note", Note)
def test_every_note_has_its_sentence(note: Note) -> None:
    assert re.fullmatch(r"[A-Z].{20,}\.", sentences.note(note))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ParseError(Reason.SECRET_LETTER, letter="1"),
            "The key has a letter that cannot be there: 1. A key has the letters A to Z and the digits 2 to 7.",
        ),
        (
            ParseError(Reason.SECRET_LETTER, letter="\x00"),
            "The key has a letter that cannot be there: U+0000. A key has the letters A to Z and the digits 2 to 7.",
        ),
        (
            ParseError(Reason.SECRET_LETTER, letter="\u05d0"),
            "The key has a letter that cannot be there: \u2068\u05d0\u2069. "
            "A key has the letters A to Z and the digits 2 to 7.",
        ),
        (
            TooLarge(found=2001, allowed=2000, unit="entries"),
            "Your list would hold 2,001 accounts; 2,000 are allowed, Trash included. "
            "Delete some that you no longer need, in Trash too.",
        ),
        (
            TooLarge(found=1_000_345, allowed=1_000_000, unit="bytes"),
            "Your list would have 1,000,345 bytes; 1,000,000 are allowed, Trash included. "
            "Shorten notes, or delete accounts that you no longer need.",
        ),
        (
            ParseError(Reason.PICTURE_TOO_LARGE, width=13000, height=13000, found=13000, allowed=4096, unit="side"),
            "This picture has 13,000 × 13,000 pixels; 4,096 on a side are allowed. Cut it down to the QR code.",
        ),
        (
            ParseError(
                Reason.PICTURE_TOO_LARGE, width=4096, height=4000, found=16_384_000, allowed=16_000_000, unit="pixels"
            ),
            "This picture has 4,096 × 4,000 pixels, 16,384,000 in all; 16,000,000 are allowed. "
            "Cut it down to the QR code.",
        ),
        (
            ParseError(Reason.PICTURE_TOO_LARGE, found=8 * 2**20 + 1, allowed=8 * 2**20, unit="bytes"),
            "This picture has 8.1 MiB; 8 MiB are allowed. Cut it down to the QR code.",
        ),
        (
            ParseError(Reason.PICTURE_TOO_LARGE),
            "This picture has more pixels than it says, and more than are allowed. Cut it down to the QR code.",
        ),
        (
            ParseError(Reason.PARTS_MISSING, found=2, total=3, missing=(1,)),
            "2 of 3 read, number 1 is missing. Add that QR code too, or go on without it.",
        ),
        (
            ParseError(Reason.PARTS_MISSING, found=1, total=4, missing=(2, 3, 4)),
            "1 of 4 read, numbers 2, 3 and 4 are missing. Add those QR codes too, or go on without them.",
        ),
        (
            ParseError(Reason.PARTS_MISSING, found=1, total=2000, missing=tuple(range(2, 2001))),
            "1 of 2,000 QR codes of this export were read, 1,999 are missing. Add them too, or go on without them.",
        ),
    ],
)
def test_a_sentence_is_made_of_its_facts(error: ParseError, said: str) -> None:
    assert sentences.sentence(error) == said


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "6 digits, new every 30 seconds."),
        ({"period": 60, "digits": 8}, "8 digits, new every 60 seconds."),
        ({"period": 1}, "6 digits, new every second."),
        ({"algorithm": Algorithm.SHA256}, "6 digits, new every 30 seconds, with SHA-256."),
        ({"type": Type.HOTP, "counter": 1041}, "6 digits, by counter. It stands at 1,041."),
        (
            {"type": Type.HOTP, "algorithm": Algorithm.SHA512},
            "6 digits, by counter, with SHA-512. It stands at 0.",
        ),
        ({"type": Type.STEAM}, "Steam: 5 letters and digits, new every 30 seconds."),
    ],
)
def test_settings_are_told_in_words(fields: dict[str, object], said: str) -> None:
    assert sentences.settings(an_entry(**fields)) == said
