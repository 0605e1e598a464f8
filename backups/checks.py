"""What must hold of backups before anything starts: their tables are whole."""

from __future__ import annotations

from django.core import checks

from accounts.vault.entry import Kind
from backups.portions import PORTIONS


@checks.register
def every_kind_has_a_portion(**_: object) -> list[checks.CheckMessage]:
    """A kind of account without a portion would be left out of backups, and nobody would know."""
    return [
        checks.Error(f"No portion for {kind}.", hint=f"Kind.{kind.name}: Portion.…,", id="backups.E001")
        for kind in Kind
        if kind not in PORTIONS
    ]
