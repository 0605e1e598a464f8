"""The word list is the one it should be, and what is typed is read against it."""

from __future__ import annotations

import hashlib
from importlib import resources

import pytest

from accounts.services import word_list
from accounts.services.word_list import NotInList, OtherNumber
from accounts.vault import keys
from accounts.vault.errors import ParseError

SIX = "granite ladle marigold hexagon kettle lantern"


def test_word_list_is_the_one_of_the_eff() -> None:
    raw = (resources.files("xkcdpass") / "static" / "eff-long").read_bytes()

    assert hashlib.sha256(raw).hexdigest() == "6d557f0693958fb5e650b68b5bee585eb82cf4da32965505c789e924743bc522"
    assert len(word_list.listed()) == len(set(word_list.listed())) == 7776


def test_no_word_begins_another_so_run_together_they_split_in_one_way() -> None:
    plain = sorted({keys.plain(word) for word in word_list.listed()})

    begun = [(one, other) for one, other in zip(plain, plain[1:], strict=False) if other.startswith(one)]

    assert begun == []
    assert len(plain) == 7775  # "yo-yo" and "yoyo" are one.
    assert {len(word) for word in plain} == set(range(3, 10))


def test_made_words_are_six_of_the_list_and_others_each_time() -> None:
    drawn = [word_list.made() for _ in range(50)]

    assert {len(six) for six in drawn} == {6}
    assert {word for six in drawn for word in six} <= set(word_list.listed())
    assert len(set(drawn)) == 50


@pytest.mark.article("G-26")
@pytest.mark.parametrize(
    "typed",
    [
        SIX,
        SIX.upper(),
        "  Granite-Ladle  marigold\thexagon\u00a0kettle\nlantern ",
        "graniteladlemarigoldhexagonkettlelantern",
        "granite\u2011ladle\u2010marigold hexagonkettle lantern",
        "mari gold".join(["granite ladle ", " hexagon kettle lantern"]),
    ],
)
def test_spaces_hyphens_and_capitals_do_not_matter(typed: str) -> None:
    assert word_list.read(typed) == keys.normalised(SIX)


@pytest.mark.parametrize(
    ("typed", "place", "word", "nearest", "corrected"),
    [
        ("aple", 1, "aple", "apple", "apple"),
        (
            "granite ladle marigld hexagon kettle lantern",
            3,
            "marigld",
            "marigold",
            "granite ladle marigold hexagon kettle lantern",
        ),
        ("graniteladlemarigldhexagon", 3, "marigld", "marigold", "granite ladle marigold hexagon"),
        ("granites ladle", 1, "granites", "granite", "granite ladle"),
        ("drop-dwn ladle", 1, "dropdwn", "drop-down", "drop-down ladle"),
        ("mari gold ladle ketle", 3, "ketle", "kettle", "marigold ladle kettle"),
        ("granite mari gld ladle", 2, "marigld", "marigold", "granite marigold ladle"),
        ("zzzzzz granite", 1, "zzzzzz", "", "zzzzzz granite"),
        ("graniteladlexxxxxxxxxhexagon", 3, "xxxxxxxxx", "", "granite ladle xxxxxxxxx hexagon"),
        ("яблоко granite", 1, "яблоко", "", "яблоко granite"),
        ("x" * 500, 1, "x" * 500, "", "x" * 500),
    ],
)
def test_first_word_that_is_none_is_named_with_its_neighbour(
    typed: str, place: int, word: str, nearest: str, corrected: str
) -> None:
    with pytest.raises(NotInList) as caught:
        word_list.read(typed)

    fault = caught.value
    assert (fault.place, fault.word, fault.nearest, fault.corrected) == (place, word, nearest, corrected)
    assert word_list.corrected(typed, nearest) == (corrected if nearest else typed)


@pytest.mark.parametrize(
    "typed",
    [
        "1 granite 2 ladle 3 marigold 4 hexagon 5 kettle 6 lantern",
        "1. Granite\n2. Ladle\n3. Marigold\n4. Hexagon\n5. Kettle\n6. Lantern",
        "granite, ladle, marigold, hexagon, kettle, lantern.",
    ],
)
def test_sheet_that_was_copied_is_read_without_its_numbers(typed: str) -> None:
    assert word_list.read(typed) == keys.normalised(SIX)


@pytest.mark.parametrize(("typed", "found"), [("granite", 1), (f"{SIX} zoom", 7), ("drop-down t-shirt", 2)])
def test_other_numbers_of_words_are_told(typed: str, found: int) -> None:
    with pytest.raises(OtherNumber) as caught:
        word_list.read(typed)

    assert caught.value.found == found


@pytest.mark.parametrize("typed", ["", " - ", "\u2011"])
def test_nothing_typed_is_no_word(typed: str) -> None:
    with pytest.raises(ParseError):
        word_list.read(typed)


def test_neighbour_is_put_in_for_its_own_word_alone() -> None:
    typed = "granite ladle marigld"

    assert word_list.corrected(typed, "kettle") == typed
    assert word_list.corrected(typed, "") == typed
    assert word_list.corrected(SIX, "marigold") == SIX
    assert word_list.corrected("-", "marigold") == "-"
