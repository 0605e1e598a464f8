"""Requirements and tests belong together: a row without a test is seen."""

from __future__ import annotations

import ast
from collections import Counter

from tests.rules import tree

# What the main job, every browser and Cloud Backup must show of the requirements.
ROWS = frozenset(
    {
        *("S-18", "S-38", "S-56", "G-24", "G-25", "G-30", "G-31", "G-26", "G-27", "G-29", "G-34"),
        *("S-31", "S-33", "S-34", "S-36", "S-39", "S-66", "G-07", "G-23"),
        # Roles and proofs.
        *("S-10", "S-11", "S-62", "G-04", "G-06", "G-19", "G-22", "G-33"),
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
