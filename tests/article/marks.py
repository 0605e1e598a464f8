"""Which tests say that they show a row, read off their sources; and the document of them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.article import AWAITED, REFUSALS, ROWS, SECTIONS, SIDES
from tests.environment import ROOT

DOCUMENT = ROOT / "docs" / "article.md"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A test, `tests/…/test_….py::test_…`, a row that it shows, and which side of a refusal; empty where it is none."""

    row: str
    test: str
    side: str = ""


def marks() -> list[Mark]:
    """All marks there are, in the order of tests."""
    return [
        mark
        for path in sorted((ROOT / "tests").glob("**/test_*.py"))
        for mark in marks_in(path.read_text(encoding="utf-8"), path.relative_to(ROOT))
    ]


def marks_in(source: str, path: Path) -> Iterator[Mark]:
    """The marks of one file: of a test by a decorator, of all its tests by `pytestmark`."""
    tree = ast.parse(source)
    of_all = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["pytestmark"]
    ]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for said in (*node.decorator_list, *of_all):
                for call in ast.walk(said):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.article":
                        row, side = ([ast.literal_eval(given) for given in call.args] + [""])[:2]
                        yield Mark(row, f"{path.as_posix()}::{node.name}", side)


def faults(found: Iterable[Mark], awaited: frozenset[str] = AWAITED) -> list[str]:
    """What is wrong with these marks: rows without a test, refusals without their opposite, marks that say nothing."""
    found = list(found)
    shown = {mark.row for mark in found}
    faults = [f"{row} has no test." for row in ROWS if row not in shown | awaited]
    faults += [f"{row} is awaited and has tests." for row in sorted(awaited & shown)]
    for mark in found:
        if mark.row not in ROWS:
            faults.append(f"{mark.test} shows {mark.row}, which is no row.")
        elif mark.side and (mark.row not in REFUSALS or mark.side not in SIDES):
            faults.append(f"{mark.test}: {mark.row} has no side {mark.side!r}.")
    for row in sorted(REFUSALS - awaited):
        sides = {side: {mark.test for mark in found if mark.row == row and mark.side == side} for side in SIDES}
        faults += [
            f"{row} is a refusal and has no test of its own marked {side!r}." for side in SIDES if not sides[side]
        ]
        faults += [f"{test} shows both sides of {row}." for test in sorted(sides[SIDES[0]] & sides[SIDES[1]])]
    return faults


_HEAD = """# The article, row by row

Authweb does what Microsoft's article "Back up your accounts in Microsoft Authenticator" says, on web pages. Each of its
statements is a row, S-01 to S-66; G-01 to G-36 say what Authweb does where the article is silent or contradicts itself.
Beside each stand the tests that show it. Where a row refuses something, one test shows what is refused and another what
is allowed. `make article` runs all of them and writes this page.
"""


def document(found: Iterable[Mark], outcomes: Mapping[str, str]) -> str:
    """docs/article.md, with how each test ended."""
    lines = [_HEAD]
    of_row = by_row(found)
    for section, rows in SECTIONS.items():
        lines += [f"## {section}\n", "| row | Authweb … | shown by | outcome |", "| --- | --- | --- | --- |"]
        for row, text in rows.items():
            lines += table(row, text, of_row.get(row, ()), outcomes)
        lines.append("")
    return "\n".join(lines)


def by_row(found: Iterable[Mark]) -> dict[str, list[Mark]]:
    """The marks of each row, refusals and their opposites last."""
    rows: dict[str, list[Mark]] = {}
    for mark in sorted(found, key=lambda mark: (("", *SIDES).index(mark.side), mark.test)):
        rows.setdefault(mark.row, []).append(mark)
    return rows


def table(row: str, text: str, found: Iterable[Mark], outcomes: Mapping[str, str]) -> list[str]:
    """The lines of one row: one for each of its tests."""
    lines = []
    for mark in found:
        side = f"{mark.side}: " if mark.side else ""
        lines.append(f"| {row} | {text} | {side}`{mark.test}` | {outcomes.get(mark.test, 'not run')} |")
        row = text = ""
    return lines or [f"| {row} | {text} | | not built yet |"]
