"""Requirements and tests belong together: a row without a test is seen, and so is a refusal without its opposite."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.article import AWAITED, REFUSALS, ROWS, marks
from tests.article.marks import Mark

WHOLE = [
    Mark(row, f"test_{side}", side) for row in ROWS for side in (("refused", "allowed") if row in REFUSALS else ("",))
]


def test_every_row_has_a_test_and_every_refusal_its_opposite() -> None:
    assert marks.faults(marks.marks()) == []


def test_rows_are_those_of_the_article_and_its_gaps() -> None:
    assert sorted(ROWS) == [*(f"G-{n:02}" for n in range(1, 37)), *(f"S-{n:02}" for n in range(1, 67))]
    assert (REFUSALS | AWAITED) - set(ROWS) == set()


def test_document_is_the_table_and_the_marks() -> None:
    found = marks.marks()

    written = marks.document(found, {mark.test: "passed" for mark in found})

    assert written == marks.DOCUMENT.read_text(encoding="utf-8"), "`make article` writes docs/article.md."


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (WHOLE, []),
        (WHOLE[1:], ["S-01 has no test."]),
        ([*WHOLE, Mark("S-67", "test_one")], ["test_one shows S-67, which is no row."]),
        ([*WHOLE, Mark("S-02", "test_one", "refused")], ["test_one: S-02 has no side 'refused'."]),
        ([*WHOLE, Mark("S-08", "test_one", "denied")], ["test_one: S-08 has no side 'denied'."]),
        (
            [one for one in WHOLE if one != Mark("S-08", "test_allowed", "allowed")],
            ["S-08 is a refusal and has no test of its own marked 'allowed'."],
        ),
        ([*WHOLE, Mark("S-08", "test_allowed", "refused")], ["test_allowed shows both sides of S-08."]),
    ],
)
def test_what_is_missing_is_named(found: Iterable[Mark], fault: list[str]) -> None:
    assert marks.faults(found, awaited=frozenset()) == fault


def test_row_that_is_awaited_has_no_test() -> None:
    awaited = frozenset({"S-01"})

    assert marks.faults(WHOLE[1:], awaited) == []
    assert marks.faults(WHOLE, awaited) == ["S-01 is awaited and has tests."]


def test_marks_of_a_test_and_of_its_file_are_read() -> None:
    source = """
pytestmark = [pytest.mark.django_db, pytest.mark.article("G-29")]

@pytest.mark.article("S-08", "refused")
@pytest.mark.row("T1")
def test_one(): ...

def test_two(): ...

def no_test(): ...
"""

    assert list(marks.marks_in(source, Path("tests/test_it.py"))) == [
        Mark("S-08", "tests/test_it.py::test_one", "refused"),
        Mark("G-29", "tests/test_it.py::test_one"),
        Mark("G-29", "tests/test_it.py::test_two"),
    ]
    everywhere = "".join(path.read_text() for path in Path("tests").glob("**/test_*.py"))
    assert len(re.findall(r"^@pytest\.mark\.article\(", everywhere, re.MULTILINE)) <= len(marks.marks())


def test_document_says_the_side_and_how_each_test_ended() -> None:
    found = [Mark("S-08", "tests/a.py::test_b", "allowed"), Mark("S-08", "tests/a.py::test_a", "refused")]

    lines = [
        line for line in marks.document(found, {"tests/a.py::test_a": "failed"}).splitlines() if "tests/a.py" in line
    ]

    assert lines == [
        f"| S-08 | {ROWS['S-08']} | refused: `tests/a.py::test_a` | failed |",
        "|  |  | allowed: `tests/a.py::test_b` | not run |",
    ]
