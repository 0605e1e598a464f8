"""Keys and secrets are revealed in the core alone."""

from __future__ import annotations

import ast

from tests.environment import ROOT
from tests.rules import tree

MAY_REVEAL = ("accounts/vault/", "backups/envelope.py", "backups/contents.py")
_REVEALS = frozenset({"reveal", "reveal_text"})


def revealed_in(source: str) -> list[int]:
    """The lines of a module that take a secret out of its wrapping, by name or by a name in quotes."""
    return sorted(
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr in _REVEALS)
        or (isinstance(node, ast.Constant) and node.value in _REVEALS)
    )


def test_secrets_are_revealed_in_the_core_alone() -> None:
    found = [
        f"{tree.named(path)}:{line}"
        for path in tree.modules()
        if not tree.named(path).startswith(MAY_REVEAL)
        for line in revealed_in(path.read_text())
    ]

    assert found == []


def test_revealing_is_found_where_it_is_planted() -> None:
    planted = (
        "def leak(entry):\n    show = entry.secret.reveal\n    return show(), getattr(entry.secret, 'reveal_text')()\n"
    )

    assert revealed_in(planted) == [2, 3]
    assert revealed_in((ROOT / "accounts/vault/slots.py").read_text()) != []
