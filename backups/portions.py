"""What a backup carries of each kind of account: one table, whole by a system check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from accounts.vault.entry import Entry, Kind, Needs


class Portion(StrEnum):
    """How much of an account goes into a backup."""

    WHOLE = "whole"
    NAME_ONLY = "name_only"


# docs/backup-format.md quotes this table, and a test holds both equal.
PORTIONS: Final[Mapping[Kind, Portion]] = MappingProxyType(
    {
        Kind.THIRD_PARTY: Portion.WHOLE,
        Kind.PERSONAL_CODE: Portion.WHOLE,
        Kind.PERSONAL_PASSWORDLESS: Portion.NAME_ONLY,
        Kind.WORK: Portion.NAME_ONLY,
    }
)


def carried(entry: Entry) -> Entry:
    """The part of an account that goes into a backup.

    Whole: the account as it is, without what belongs to this list alone: whom it stands for at a provider, when it
    signed in, when it was restored. Name only: id, kind, issuer, name, whether it is pinned, and what brings its code
    back; the secret key is absent, and so are code settings and note. An account without a secret key has no more to
    give than its name, whatever its kind.
    """
    if entry.secret is None or PORTIONS[entry.kind] is Portion.NAME_ONLY:
        return Entry(
            id=entry.id,
            kind=entry.kind,
            issuer=entry.issuer,
            name=entry.name,
            pinned=entry.pinned,
            needs=_needs(entry),
        )
    if entry.needs is None and entry.identity is None and entry.signed_in is None and entry.as_of is None:
        return entry
    return replace(entry, needs=None, identity=None, signed_in=None, as_of=None)


def _needs(entry: Entry) -> Needs:
    """A code that came by a scan, and belongs to no sign-in, comes back by a scan; what waited already waits on."""
    if entry.secret is None:
        return entry.needs or Needs.SIGN_IN
    return Needs.SCAN if entry.identity is None else Needs.SIGN_IN
