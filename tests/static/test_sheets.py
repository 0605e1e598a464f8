"""The sheets: small, one place for colours, dark written twice alike, contrast as the design has it."""

from __future__ import annotations

import re
from pathlib import Path

import brotli
import pytest

CSS = Path(__file__).resolve().parents[2] / "static/css"
SHEETS = ("variables.css", "base.css", "forms.css", "accounts.css", "backups.css")
VARIABLES = (CSS / "variables.css").read_text()
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl|oklch)a?\(")


def colours(selector: str) -> dict[str, str]:
    """The colours a block of variables.css sets, by name."""
    block = VARIABLES.split(selector + " {", 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_sheets_are_under_12_kb_over_the_wire() -> None:
    sizes = {sheet: len(brotli.compress((CSS / sheet).read_bytes())) for sheet in SHEETS}

    assert sum(sizes.values()) < 12_000, sizes


@pytest.mark.parametrize("sheet", SHEETS[1:])
def test_no_colour_stands_outside_the_variables(sheet: str) -> None:
    text = re.sub(r"/\*.*?\*/", "", (CSS / sheet).read_text(), flags=re.DOTALL)

    assert COLOUR.findall(text) == []


def test_every_variable_in_use_is_set_and_every_one_set_is_used() -> None:
    everything = "".join((CSS / sheet).read_text() for sheet in (*SHEETS, "restore.css", "help.css", "admin.css"))
    used = set(re.findall(r"var\(--([\w-]+)\)", everything))
    known = set(re.findall(r"--([\w-]+):", VARIABLES))
    of_django = set(re.findall(r"--([\w-]+):", (CSS / "admin.css").read_text()))

    assert used - known - of_django == set()
    assert known - used == set()


def test_dark_is_the_same_by_the_system_and_by_choice() -> None:
    by_system, by_choice = colours(':root:not([data-theme="light"])'), colours(':root[data-theme="dark"]')

    assert by_system == by_choice
    assert by_system.keys() == colours(":root").keys()


def test_dark_is_for_the_screen_alone() -> None:
    on_paper = re.sub(r"^@media screen\b.*?^}", "", VARIABLES, flags=re.DOTALL | re.MULTILINE)

    assert on_paper.count(":root") == 1
    assert "dark" not in re.sub(r"/\*.*?\*/", "", on_paper, flags=re.DOTALL)


@pytest.mark.parametrize("theme", [":root", ':root[data-theme="dark"]'])
def test_text_and_borders_have_their_contrast(theme: str) -> None:
    named = colours(theme)
    text = [(ink, ground) for ink in ("ink", "ink-2", "accent") for ground in ("page", "surface", "inset", "wash")]
    text += [("accent-2", "wash"), ("accent-2", "wash-2"), ("on-fill", "fill"), ("on-fill", "fill-2")]
    text += [("wait", "wait-wash"), ("wait", "surface"), ("danger", "danger-wash"), ("danger", "surface")]
    text += [("danger", "page"), ("on-danger", "danger-fill"), ("on-door", "door"), ("on-door", "door-2")]
    text += [("on-message", "message"), ("ink", "wait-wash"), ("ink", "danger-wash")]
    borders = [("edge", "surface"), ("edge", "page"), ("accent", "track"), ("wait", "track"), ("fill", "surface")]
    tiles = [(f"tile-{number}-ink", f"tile-{number}") for number in range(10)]

    too_weak = [
        (one, other, round(contrast(named[one], named[other]), 2))
        for pairs, least in ((text, 4.5), (borders, 3.0), (tiles, 7.5))
        for one, other in pairs
        if contrast(named[one], named[other]) < least
    ]

    assert too_weak == []
