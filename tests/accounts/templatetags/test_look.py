"""What templates draw: tiles, codes in halves, signs, icons."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest
from django.template import Context, Template

from accounts.templatetags import look

ROOT = Path(__file__).resolve().parents[3]


def drawn(source: str, **context: object) -> str:
    return Template("{% load look %}" + source).render(Context(context))


def test_tile_is_chosen_by_the_issuer_whatever_its_spelling() -> None:
    expected = zlib.crc32(b"github") % 10

    spelt = ("GitHub", " github ", "GITHUB", "\uff27\uff49\uff54\uff28\uff55\uff42")  # The last one in full width.

    assert [look.tile_number(name) for name in spelt] == [expected] * 4


def test_tile_folds_what_lower_case_alone_would_not() -> None:
    assert look.tile_number("Straße") == look.tile_number("STRASSE") == zlib.crc32(b"strasse") % 10


def test_tiles_use_all_ten_grounds() -> None:
    assert {look.tile_number(f"site {number}") for number in range(200)} == set(range(10))


@pytest.mark.parametrize(
    ("label", "letter"),
    [
        ("github", "G"),
        ("  éclair", "É"),
        ("e\u0301clair", "E\u0301"),  # A letter and its accent.
        ("\u0634\u0631\u0643\u0629", "\u0634"),  # From the right.
        ("\U0001f6b2 Tuesday ride", "\U0001f6b2"),
        ("\U0001f469\U0001f3fd\u200d\U0001f52c lab", "\U0001f469\U0001f3fd\u200d\U0001f52c"),  # One person, four signs.
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\U0001f1e9\U0001f1ea"),  # Two flags.
        ("\u2708\ufe0f trips", "\u2708\ufe0f"),
        ("ßtraße", "ß"),  # Its capital would be two letters.
        ("\u10d0\u10d1", "\u10d0"),  # Georgian has no title case.
        ("7-Eleven", "7"),
        ("", ""),
    ],
)
def test_tile_shows_the_first_whole_character(label: str, letter: str) -> None:
    assert look.tile_letter(label) == letter


def test_tile_without_an_issuer_stands_for_the_name() -> None:
    number = look.tile_number("alice")

    assert drawn("{% tile '' 'alice' %}") == f'<span class="tile tile-{number}" aria-hidden="true">A</span>'


def test_tile_escapes_its_letter() -> None:
    number = look.tile_number("<b>")

    assert drawn("{% tile label '' 32 %}", label="<b>") == (
        f'<span class="tile tile-{number} tile-32px" aria-hidden="true">&lt;</span>'
    )


@pytest.mark.parametrize(
    ("code", "first", "second"),
    [
        ("12345", "12", "345"),
        ("428913", "428", "913"),
        ("1234567", "123", "4567"),
        ("48291530", "4829", "1530"),
        ("123456789", "1234", "56789"),
        ("1234567890", "12345", "67890"),
        ("R7K2P", "R7", "K2P"),  # Steam.
    ],
)
def test_halves_put_the_shorter_group_first_and_nothing_between(code: str, first: str, second: str) -> None:
    assert drawn("{{ code|halves }}", code=code) == f"<span>{first}</span><span>{second}</span>"


def test_signs_differ_by_shape_not_by_colour_alone() -> None:
    shapes = {re.sub(r' class="[^"]*"', "", drawn("{% sign state %}", state=state)) for state in look.SIGNS}

    assert len(shapes) == len(look.SIGNS) == 6


def test_sign_of_a_size_says_its_state_to_the_sheet_alone() -> None:
    svg = drawn("{% sign 'off' 80 %}")

    assert re.findall(r'class="([^"]*)"|aria-hidden="(true)"', svg) == [("sign sign-off sign-80", ""), ("", "true")]


def test_icons_that_point_are_mirrored_where_one_reads_from_the_right() -> None:
    turning = {name for name in look.ICONS if "icon-turns" in look.icon(name, 20)}

    assert turning == {"back", "chevron", "open", "out"}


def test_every_icon_a_template_names_is_drawn() -> None:
    named = {
        name
        for template in [*ROOT.glob("templates/**/*.html"), *ROOT.glob("authweb/**/*.html")]
        for name in re.findall(r"\{% icon [\"'](\w+)[\"']", template.read_text())
    }

    assert named - set(look.ICONS) == set()
    assert "copy" in named


def test_nothing_drawn_carries_a_style() -> None:
    everything = "".join(
        [*map(look.icon, look.ICONS), *map(look.sign, look.SIGNS), look.mark(), drawn("{% tile 'A' %}")]
    )

    assert re.findall(r"style=|<style", everything) == []
