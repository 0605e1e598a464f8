"""Requirements and tests belong together: a row without a test is seen."""

from __future__ import annotations

import ast
from collections import Counter

from tests.rules import tree

# What the main job, every browser, Cloud Backup and restore must show of the requirements.
ROWS = frozenset(
    {
        *("G-01", "G-03", "G-04", "G-05", "G-06", "G-07", "G-10", "G-11", "G-12", "G-13", "G-14", "G-15"),
        *("G-16", "G-17", "G-19", "G-20", "G-22", "G-23", "G-24", "G-25", "G-26", "G-27", "G-29", "G-30"),
        *("G-31", "G-32", "G-33", "G-34", "G-36", "S-02", "S-03", "S-07", "S-09", "S-10", "S-11", "S-12", "S-13"),
        *("S-14", "S-15", "S-16", "S-17", "S-18", "S-19", "S-20", "S-21", "S-22", "S-24", "S-25", "S-26"),
        *("S-27", "S-28", "S-29", "S-30", "S-31", "S-32", "S-33", "S-34", "S-36", "S-38", "S-39", "S-44", "S-45"),
        *("S-46", "S-47", "S-48", "S-49", "S-50", "S-51", "S-52", "S-53", "S-56", "S-62", "S-63", "S-64"),
        *("S-57", "S-58", "S-61", "S-65", "S-66"),
        *("S-04", "S-05", "S-08", "S-35", "S-37", "G-08", "G-09", "G-18", "G-21", "G-28", "G-35"),
        *("G-02", "S-01", "S-06", "S-23", "S-40", "S-41", "S-42", "S-43", "S-54", "S-55", "S-59", "S-60"),
    }
)


def marked() -> Counter[str]:
    """How many tests name each row by `@pytest.mark.article("S-38")`."""
    found: Counter[str] = Counter()
    for path in tree.ROOT.glob("tests/**/test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "article"
                and isinstance(node.args[0], ast.Constant)
            ):
                found[str(node.args[0].value)] += 1
    return found


def test_every_row_of_what_is_built_has_a_test_and_no_other_is_claimed() -> None:
    assert set(marked()) == ROWS
