from __future__ import annotations

import pytest

from accounts.vault import formats
from accounts.vault.entry import Type
from accounts.vault.errors import Note, Problem, Reason
from accounts.vault.formats import Format
from tests.accounts.vault.formats.test_google import GOOD

KEY = "JBSWY3DPEHPK3PXP"


def test_lines_are_read_in_order_and_blank_ones_ignored() -> None:
    text = f"""
        otpauth://totp/GitHub:bob?secret={KEY}&issuer=GitHub

        otpauth://hotp/eve?secret={KEY}
        steam://{KEY}
    """

    result = formats.read(text)

    assert result.format is Format.OTPAUTH
    assert [(found.entry.name, found.entry.type, found.notes, found.place) for found in result.entries] == [
        ("bob", Type.TOTP, (), 2),
        ("eve", Type.HOTP, (Note.COUNTER_ASSUMED,), 4),
        ("", Type.STEAM, (), 5),
    ]
    assert result.problems == ()


def test_what_cannot_be_taken_is_named_by_its_line() -> None:
    result = formats.read(
        f"otpauth://totp/a?secret={KEY}\r\nan intruder\rotpauth://totp/b\n\notpauth://totp/c?secret=A1A1\n"
        f"phonefactor://x\notpauth://totp/d?secret={KEY}&digits=0"
    )

    assert [found.entry.name for found in result.entries] == ["a"]
    assert result.problems == (
        Problem(2, Reason.NOT_OTPAUTH, {}),
        Problem(3, Reason.NO_SECRET, {}),
        Problem(5, Reason.SECRET_LETTER, {"letter": "1"}),
        Problem(6, Reason.PHONEFACTOR, {}),
        Problem(7, Reason.DIGITS, {"found": "0"}),
    )


def test_links_and_parts_of_an_export_may_stand_together() -> None:
    result = formats.read(f"otpauth://totp/a?secret={KEY}\n{GOOD}")

    assert (result.format, [found.entry.name for found in result.entries]) == (Format.OTPAUTH, ["a", "bob"])


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_line_ends_divide_lines(separator: str) -> None:
    result = formats.read(f"otpauth://totp/a{separator}b?secret={KEY}")

    assert [problem.reason for problem in result.problems] == [Reason.CONTROL_CHARACTER]
