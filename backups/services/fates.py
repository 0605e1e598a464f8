"""What becomes of each account of a saved state that is held: shown before the yes, and told after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.views.decorators.debug import sensitive_variables

from accounts.models import Draft
from accounts.services import policy, vaults
from accounts.services.identity import Identity
from accounts.services.policy import Act
from accounts.services.vaults import OpenVault
from accounts.vault import merging
from accounts.vault.entry import Entry, Needs
from accounts.vault.list import Relation
from accounts.vault.merging import Met
from backups.contents import Contents
from backups.services import opening


class Fate(StrEnum):
    """What becomes of an account of the backup."""

    SIGN_IN = "sign_in"
    SCAN = "scan"
    NAME = "name"
    CLASH = "clash"
    CODE = "code"
    HERE = "here"
    BLOCKED = "blocked"
    LEFT = "left"  # Of a report alone: the person did not want it.
    SIGNED_IN = "signed_in"  # Of a report alone: it came back by name, and they have signed in to it since.


WAITING = (Needs.SIGN_IN, Needs.SCAN)
# Those that are here afterwards with all that they had.
RESTORED = frozenset({Fate.CODE, Fate.CLASH, Fate.HERE, Fate.NAME, Fate.SIGNED_IN})


@dataclass(frozen=True, slots=True)
class Row:
    """One account of the backup as a page may show it: no key is in it."""

    id: str
    issuer: str
    name: str
    kind: str
    fate: Fate
    sentence: str = ""  # The rule that blocks it.
    short: str = ""  # The same where there is little room.
    has_code: bool = True  # Here, or in the backup.
    waits: bool = False  # It is here already, by name, and waits for its code.
    rises: bool = False  # It is here already, and its counter is further in the backup.
    added: datetime | None = None  # When it, and the one of its name that is here, joined a list.
    there_added: datetime | None = None
    signed_in: datetime | None = None
    was_here: bool = False  # Of a report alone: it was here before, whatever became of it since.


@dataclass(frozen=True, slots=True)
class Preview:
    """What a saved state would bring, and until when it is held."""

    rows: tuple[Row, ...]
    device_name: str
    made_at: datetime
    ends_at: datetime
    is_trial: bool
    person: Identity  # Under whose recovery account it is kept.

    def of(self, fate: Fate) -> tuple[Row, ...]:
        """Those of one fate, in their order."""
        return tuple(row for row in self.rows if row.fate is fate)

    @property
    def is_all_here(self) -> bool:
        """Whether nothing of it would come in, no counter either."""
        return bool(self.rows) and all(row.fate is Fate.HERE and not row.rises for row in self.rows)

    @property
    def with_codes(self) -> int:
        """How many will have codes."""
        return sum(row.has_code and row.fate is not Fate.BLOCKED for row in self.rows)


@sensitive_variables()
def preview(vault: OpenVault, draft_id: UUID, *, at: datetime) -> Preview:
    """The fate of each account beside the list as it stands now. Raises DraftGone."""
    document = held(vault, draft_id, at=at)
    contents = contents_of(vault, document)
    ends_at = vault.row.drafts.values_list("expires_at", flat=True).get(pk=draft_id)
    return Preview(
        tuple(rows_of(vault, merging.meet(vaults.read(vault), contents.entries), at=at)),
        contents.device_name,
        datetime.fromtimestamp(contents.at, UTC),
        ends_at,
        bool(document["trial"]),
        opening.person_of(document),
    )


@sensitive_variables()
def held(vault: OpenVault, draft_id: UUID, *, at: datetime) -> Mapping[str, Any]:
    """What was opened and waits. Raises DraftGone, for a report too."""
    document: Mapping[str, Any] = vaults.look(vault, draft_id, kind=Draft.Kind.RESTORE, at=at)
    if "contents" not in document:
        raise vaults.DraftGone
    return document


@sensitive_variables()
def contents_of(vault: OpenVault, document: Mapping[str, Any]) -> Contents:
    return Contents.from_document(document["contents"], device_type=vault.device.type)


@sensitive_variables()
def rows_of(vault: OpenVault, found: Sequence[Met], *, at: datetime) -> Iterator[Row]:
    """What becomes of each. One that is here already is asked no rule: nothing of it comes in."""
    new = [met.entry for met in found if met.relation is not Relation.SAME]
    refused = policy.refused(vault.user, Act.RESTORE, new, at=at)
    for met in found:
        fate, sentence, short = _fate(met.entry, met.relation), "", ""
        if met.entry.id in refused and fate is not Fate.HERE:
            fate, sentence, short = Fate.BLOCKED, refused[met.entry.id].sentence, refused[met.entry.id].short
        entry, there = met.entry, met.there
        clash = there if fate is Fate.CLASH else None  # Of two of one name alone it is told since when each is.
        yield Row(
            entry.id,
            entry.issuer,
            entry.name,
            entry.kind.value,
            fate,
            sentence,
            short=short,
            has_code=(there if fate is Fate.HERE and there is not None else entry).secret is not None,
            waits=fate is Fate.HERE and there is not None and there.needs in WAITING,
            rises=fate is Fate.HERE and there is not None and entry.counter > there.counter,
            added=moment(entry.added) if clash is not None else None,
            there_added=moment(clash.added) if clash is not None else None,
        )


def moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _fate(entry: Entry, relation: Relation) -> Fate:
    if relation is Relation.SAME:
        return Fate.HERE
    if entry.secret is None:
        return {Needs.SIGN_IN: Fate.SIGN_IN, Needs.SCAN: Fate.SCAN}.get(entry.needs or Needs.SIGN_IN, Fate.NAME)
    return Fate.CLASH if relation is Relation.CLASH else Fate.CODE
