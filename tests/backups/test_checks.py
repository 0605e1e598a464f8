from __future__ import annotations

import pytest

from accounts.vault.entry import Kind
from backups import checks
from backups.portions import PORTIONS


def test_every_kind_has_a_portion() -> None:
    assert checks.every_kind_has_a_portion() == []


@pytest.mark.article("S-31")
def test_check_names_the_kind_without_a_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {kind: portion for kind, portion in PORTIONS.items() if kind is not Kind.WORK}
    monkeypatch.setattr(checks, "PORTIONS", without)

    found = checks.every_kind_has_a_portion()

    assert [(error.id, error.msg, error.hint) for error in found] == [
        ("backups.E001", "No portion for work.", "Kind.WORK: Portion.…,")
    ]
