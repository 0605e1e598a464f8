"""What waits for a yes, as a page may show it beside the list as it stands now.

No secret key is in it: names, settings, notes and the first code are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.views.decorators.debug import sensitive_variables

from accounts.models import Draft
from accounts.services import codes, signing, vaults
from accounts.services.codes import Code
from accounts.services.drafted import Drafted, Forbidden, Way
from accounts.services.vaults import OpenVault
from accounts.vault.entry import DEFAULT_DIGITS, DEFAULT_PERIOD, LARGEST_COUNTER, Algorithm, Entry, Type
from accounts.vault.errors import Note, Problem
from accounts.vault.formats import Format
from accounts.vault.keys import Secret
from accounts.vault.list import AccountList, Comparison, Relation


@dataclass(frozen=True, slots=True)
class Listed:
    """An account that is in the list, by its names."""

    id: str
    issuer: str
    name: str
    added: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One account that waits for a yes, as a page may show it: no key is in it.

    `relation` to the list as it stands now; `listed` is the account that is the same or has its name, and none where
    that one stands before it in the draft. `same_key` is an account in the list that has this key, whatever its name.
    """

    id: str
    issuer: str
    name: str
    type: Type
    algorithm: Algorithm
    digits: int
    period: int
    counter: int
    notes: tuple[Note, ...]
    relation: Relation
    listed: Listed | None
    same_key: Listed | None
    code: Code | None
    is_own_factor: bool  # Its key is that of the codes by which this person signs in to Authweb.

    @property
    def is_usual(self) -> bool:
        """Whether its codes are made as on most sites: by time, SHA-1, 6 digits, 30 seconds."""
        settings = (self.type, self.algorithm, self.digits, self.period)
        return settings == (Type.TOTP, Algorithm.SHA1, DEFAULT_DIGITS, DEFAULT_PERIOD)


@dataclass(frozen=True, slots=True)
class Preview:
    """What waits for a yes, what could not be taken, and until when it is kept.

    With `is_signed_in` it is the code of an account that was signed in to: one account, of a kind of its own. With
    `entry_id` it is the code of that account of the list, which came back by its name.
    """

    way: Way
    format: Format
    waiting: tuple[Waiting, ...]
    problems: tuple[Problem, ...]
    forbidden: tuple[Forbidden, ...]
    ends_at: datetime
    is_signed_in: bool = False
    entry_id: str = ""

    @property
    def addable(self) -> tuple[Waiting, ...]:
        """Those that are not in the list yet."""
        return tuple(waiting for waiting in self.waiting if waiting.relation is not Relation.SAME)

    @property
    def own_factor(self) -> frozenset[str]:
        """Which of the addable ones give codes for Authweb itself: known by their key, whatever their name."""
        return frozenset(waiting.id for waiting in self.addable if waiting.is_own_factor)


@sensitive_variables()
def look(vault: OpenVault, draft_id: UUID, *, at: datetime, own_seeds: Collection[Secret] = ()) -> Preview:
    """What waits under this draft, beside the list as it stands now. Raises DraftGone, and NotListed where it is the
    code of an account that is in the list no more.

    `own_seeds` are the keys of the person's own second factor, by which it is known among them.

    An account that waits alone comes with its first codes. Of a counter account that is the code of its counter as it
    stands: the same one however often the page is looked at, and `adding.accept` keeps the counter after it.
    """
    document = Drafted.of_json(vaults.look(vault, draft_id, kind=Draft.Kind.ADD, at=at))
    ends_at = vault.row.drafts.values_list("expires_at", flat=True).get(pk=draft_id)
    accounts = vaults.read(vault)
    alone = len(document.found) == 1
    mine, beside = accounts.get(document.entry_id) if document.entry_id else None, accounts
    if mine is not None:  # Whose code it is, that account has its name, and is no other one.
        beside = replace(accounts, entries=tuple(one for one in accounts.entries if one.id != mine.id))
    compared = beside.compare_many(found.entry for found in document.found)
    if mine is not None and not mine.scans:  # Another browser was quicker.
        compared = (Comparison(Relation.SAME, mine),)
    if document.proof is not None:
        there = signing.listed(accounts, document.found[0].entry.identity)
        compared = compared if there is None else (Comparison(Relation.SAME, there),)
    waiting = []
    for found, comparison in zip(document.found, compared, strict=True):
        entry = found.entry
        same_key = None
        if alone and comparison.relation is not Relation.SAME:
            same_key = next((other for other in accounts.entries if other.secret == entry.secret), None)
        listed = comparison.entry if comparison.entry is not None and comparison.entry.id in accounts else None
        waiting.append(
            Waiting(
                id=entry.id,
                issuer=entry.issuer,
                name=entry.name,
                type=entry.type,
                algorithm=entry.algorithm,
                digits=entry.digits,
                period=entry.period,
                counter=entry.counter,
                notes=found.notes,
                relation=comparison.relation,
                listed=_listed(listed),
                same_key=_listed(same_key),
                code=_code(accounts, entry, at) if alone and comparison.relation is not Relation.SAME else None,
                is_own_factor=any(entry.secret == seed for seed in own_seeds),
            )
        )
    return Preview(
        document.way,
        document.format,
        tuple(waiting),
        document.problems,
        document.forbidden,
        ends_at,
        document.proof is not None,
        document.entry_id,
    )


@sensitive_variables()
def _code(accounts: AccountList, entry: Entry, at: datetime) -> Code | None:
    """The codes to check at the site. Of a counter account none that another account may have given already."""
    if entry.type is not Type.HOTP:
        return codes.ahead([entry], at=at)[entry.id]
    if entry.counter == LARGEST_COUNTER or counters(accounts, entry):
        return None
    return codes.first(entry, at=at)


def counters(accounts: AccountList, entry: Entry) -> list[int]:
    """Where the counters of this key stand in the list and in Trash, under whatever name."""
    return [
        other.counter for other in accounts.everything() if other.type is Type.HOTP and other.secret == entry.secret
    ]


def _listed(entry: Entry | None) -> Listed | None:
    return None if entry is None else Listed(entry.id, entry.issuer, entry.name, entry.added)
