"""Pictures, links and what is typed become accounts: read, asked for, kept sealed until the yes, then added.

The secret keys never leave this service: a page gets names, settings, notes and the first code.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import Draft
from accounts.services import codes, policy, signing, vaults
from accounts.services.activity import Tag
from accounts.services.codes import Code
from accounts.services.policy import Act
from accounts.services.signing import Several
from accounts.services.vaults import OpenVault
from accounts.vault import encoding, formats, keys, qr, uri
from accounts.vault.entry import DEFAULT_DIGITS, DEFAULT_PERIOD, LARGEST_COUNTER, Algorithm, Entry, Kind, Type
from accounts.vault.errors import (
    AlreadyListed,
    Damaged,
    Note,
    ParseError,
    Problem,
    Reason,
    TooCostly,
    TooLarge,
    Unsupported,
    VaultError,
)
from accounts.vault.formats import Format, Found
from accounts.vault.keys import Secret
from accounts.vault.list import MAX_ENTRIES, AccountList, Comparison, Relation

MOST_PICTURES = 20
_READING_TAKES = timedelta(seconds=6)  # At most, for all pictures of one request and a little over.
_VERSION = 1


class Way(StrEnum):
    """How an account came: decides in which words its place and its faults are told."""

    PICTURE = "picture"
    LINK = "link"
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class Forbidden:
    """An account that a rule refuses: where it stood, and the rule's own sentence."""

    place: str | int
    sentence: str


class NothingTaken(Exception):
    """Nothing of what was given can be added, and why: at least one of the two is not empty."""

    def __init__(self, problems: tuple[Problem, ...], forbidden: tuple[Forbidden, ...] = ()) -> None:
        super().__init__()
        self.problems, self.forbidden = problems, forbidden


class Full(VaultError):
    """The list has no room for all of it. Facts: holds, allowed, count."""

    def __init__(self, *, holds: int, count: int) -> None:
        super().__init__(Reason.TOO_LARGE, holds=holds, allowed=MAX_ENTRIES, count=count, unit="entries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """An account as it was typed: site and name in one line, the key as text."""

    label: str
    secret: str = field(repr=False)
    type: Type
    algorithm: Algorithm
    digits: int
    period: int
    counter: int


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


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person says yes to: which accounts, and under which site and name (by id) where they were changed."""

    chosen: frozenset[str]
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)


# -- In: what is given becomes a draft --------------------------------------------------------------------------------


@sensitive_variables()
def from_pictures(
    vault: OpenVault,
    pictures: Sequence[tuple[str, bytes]],
    *,
    at: datetime,
    proof: UUID | None = None,
    entry_id: str = "",
) -> UUID:
    """Read the QR codes of pictures (file name, bytes) and hold their accounts; parts of an export are joined.

    A picture that cannot be read is a problem at its name. With `proof` it is the code of the account that was signed
    in to, with `entry_id` that of an account of the list that came back by its name. Raises NothingTaken, Full,
    TooCostly, ParseError (TOO_MANY_PICTURES); with `proof` Several and NotProven too, with `entry_id` Several,
    NotListed and AlreadyListed.
    """
    if len(pictures) > MOST_PICTURES:
        raise ParseError(Reason.TOO_MANY_PICTURES, found=len(pictures), allowed=MOST_PICTURES)
    texts: dict[str, None] = {}  # The same code in two pictures is read once.
    problems: list[Problem] = []
    until = time.monotonic() + _READING_TAKES.total_seconds()
    for name, data in pictures:
        try:
            if time.monotonic() > until:  # Others wait for this worker.
                raise ParseError(Reason.PICTURE_TOO_COSTLY)
            texts |= dict.fromkeys(qr.read(data))
        except VaultError as error:
            problems.append(Problem.of(name, error))
    return _hold(vault, tuple(texts), problems, Way.PICTURE, at, proof, entry_id)


@sensitive_variables()
def from_text(vault: OpenVault, text: str, *, at: datetime, proof: UUID | None = None, entry_id: str = "") -> UUID:
    """Read links, one a line, and hold their accounts. Raises NothingTaken, Full, TooCostly; the others as above."""
    return _hold(vault, text, [], Way.LINK, at, proof, entry_id)


@sensitive_variables()
def by_hand(vault: OpenVault, typed: Typed, *, at: datetime, proof: UUID | None = None, entry_id: str = "") -> UUID:
    """Hold the account that was typed. Raises ParseError, policy.Refused, Full; the others as above."""
    secret, notes = uri.secret_from_text(typed.secret)
    issuer, name, _ = uri.names_from_label("", typed.label)
    entry = Entry.new(
        id=keys.new_id(),
        issuer=issuer,
        name=name,
        secret=secret,
        type=typed.type,
        algorithm=typed.algorithm,
        digits=typed.digits,
        period=typed.period,
        counter=typed.counter,
    )
    policy.require(vault.user, Act.ADD, entry, at=at)
    found = (Found(entry, notes, 1),)
    return _kept(vault, _Document(Way.HAND, Format.OTPAUTH, found, proof=proof, entry_id=entry_id), at)


@sensitive_variables()
def _hold(
    vault: OpenVault,
    given: str | tuple[str, ...],
    problems: list[Problem],
    way: Way,
    at: datetime,
    proof: UUID | None,
    entry_id: str,
) -> UUID:
    try:
        result = formats.read(given) if isinstance(given, str) else formats.read_texts(given)
    except TooLarge as error:  # More lines than a list may hold.
        raise Full(holds=_size(vaults.read(vault)), count=error.found) from None
    except Unsupported as error:
        raise NothingTaken((Problem.of(1, error),)) from None
    problems.extend(result.problems)
    found: list[Found] = []
    forbidden: list[Forbidden] = []
    refused = policy.refused(vault.user, Act.ADD, [one.entry for one in result.entries], at=at)
    for one in result.entries:
        if one.entry.id in refused:
            forbidden.append(Forbidden(one.place, refused[one.entry.id].sentence))
        else:
            found.append(one)
    if not found:
        if not problems and not forbidden:
            problems.append(Problem(1, Reason.NOTHING_IN_IT))
        raise NothingTaken(tuple(problems), tuple(forbidden))
    document = _Document(way, result.format, tuple(found), tuple(problems), tuple(forbidden), proof, entry_id)
    return _kept(vault, document, at)


@sensitive_variables()
def _kept(vault: OpenVault, document: _Document, at: datetime) -> UUID:
    if document.proof is not None:
        document = _as_signed_in(vault, document, document.proof, at)
    accounts = vaults.read(vault)
    if document.entry_id:
        document = _as_brought_back(vault, document, accounts.get(document.entry_id), at)
    else:
        entries = [found.entry for found in document.found]
        compared = accounts.compare_many(entries)
        new = [entry for entry, found in zip(entries, compared, strict=True) if found.relation is not Relation.SAME]
        _added(accounts, new)
    try:
        draft = vaults.hold(vault, document.to_json(), kind=Draft.Kind.ADD, at=at)
    except (
        Damaged
    ) as error:  # Longer than what can be sealed as one; only a heap of accounts already listed gets there.
        raise TooCostly(Reason.FILE_TOO_LARGE, found=error.facts["found"], allowed=encoding.LARGEST) from None
    return draft.id


@sensitive_variables()
def _as_signed_in(vault: OpenVault, document: _Document, proof: UUID, at: datetime) -> _Document:
    """The one account under the name it has at its provider; one typed by hand keeps the name that was typed."""
    who = signing.look(vault, proof, at=at)
    if len(document.found) != 1:
        raise Several
    found = document.found[0]
    entry = found.entry
    if document.way is not Way.HAND:
        entry = signing.named(entry, who)
        policy.require(vault.user, Act.ADD, entry, at=at)
    entry = signing.bound(replace(entry, kind=Kind.PERSONAL_CODE), who)
    return replace(document, found=(replace(found, entry=entry),))


def _as_brought_back(vault: OpenVault, document: _Document, back: Entry, at: datetime) -> _Document:
    """The one account as that of the list which it is the code of: of what was read the key and its settings count."""
    if not back.scans:
        raise AlreadyListed(back)
    if len(document.found) != 1:
        raise Several
    found = document.found[0]
    entry = signing.checked_code(replace(found.entry, kind=back.kind, issuer=back.issuer, name=back.name))
    policy.require(vault.user, Act.ADD, entry, at=at)
    return replace(document, found=(replace(found, entry=entry),))


def _added(accounts: AccountList, new: Iterable[Entry]) -> AccountList:
    """The list with all of them. Raises Full where `add_many` says TooLarge for their number."""
    entries = tuple(new)
    try:
        return accounts.add_many(entries)
    except TooLarge as error:
        if error.unit != "entries":
            raise
        raise Full(holds=_size(accounts), count=len(entries)) from None


def _size(accounts: AccountList) -> int:
    return len(accounts.entries) + len(accounts.trash)


# -- Between: what a page may show ------------------------------------------------------------------------------------


@sensitive_variables()
def preview(vault: OpenVault, draft_id: UUID, *, at: datetime, own_seeds: Collection[Secret] = ()) -> Preview:
    """What waits under this draft, beside the list as it stands now. Raises DraftGone, and NotListed where it is the
    code of an account that is in the list no more.

    `own_seeds` are the keys of the person's own second factor, by which it is known among them.

    An account that waits alone comes with its first codes. Of a counter account that is the code of its counter as it
    stands: the same one however often the page is looked at, and `accept` keeps the counter after it.
    """
    document = _Document.of_json(vaults.look(vault, draft_id, kind=Draft.Kind.ADD, at=at))
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
    if entry.counter == LARGEST_COUNTER or _counters(accounts, entry):
        return None
    return codes.first(entry, at=at)


def _counters(accounts: AccountList, entry: Entry) -> list[int]:
    """Where the counters of this key stand in the list and in Trash, under whatever name."""
    everything = (*accounts.entries, *(trashed.entry for trashed in accounts.trash))
    return [other.counter for other in everything if other.type is Type.HOTP and other.secret == entry.secret]


def _listed(entry: Entry | None) -> Listed | None:
    return None if entry is None else Listed(entry.id, entry.issuer, entry.name, entry.added)


# -- Out: the yes -----------------------------------------------------------------------------------------------------


@sensitive_variables()
@transaction.atomic
def accept(vault: OpenVault, draft_id: UUID, choice: Choice, *, at: datetime) -> int:
    """Add what the person chose, all or none, once: of two clicks one does it. Returns how many.

    A code of an account that came back by its name goes to that account, which keeps all else.

    Raises DraftGone, policy.Refused, AlreadyListed, ParseError (a name), Full, TooLarge, NotProven where the sign-in
    it belongs to is too old or used, and NotListed where that account is; then nothing has changed and the draft still
    waits.
    """
    document = _Document.of_json(vaults.take(vault, draft_id, kind=Draft.Kind.ADD, at=at))
    alone = len(document.found) == 1
    chosen: list[Entry] = []
    for found in document.found:
        entry = found.entry
        if entry.id not in choice.chosen:
            continue
        if entry.id in choice.names:
            issuer, name = choice.names[entry.id]
            entry = entry.renamed(issuer=issuer, name=name)
        chosen.append(replace(entry, added=vaults.seconds(at)))
    if not chosen:
        return 0
    if document.proof is not None:
        who = signing.spend(vault, document.proof, at=at)
        chosen = [signing.coded(entry, who) for entry in chosen]

    def added(accounts: AccountList) -> AccountList:
        # Under the lock of the list: the account may have another name by now than when its code was read.
        if document.entry_id:
            coded = accounts.with_code(document.entry_id, _counted(accounts, chosen[0], shown=alone))
            policy.require(vault.user, Act.ADD, coded.get(document.entry_id), at=at)
            return coded
        for refused in policy.refused(vault.user, Act.ADD, chosen, at=at).values():
            raise refused
        for entry in chosen:
            signing.check_new(accounts, entry)
        return _added(accounts, [_counted(accounts, entry, shown=alone) for entry in chosen])

    vaults.change(
        vault,
        added,
        tag=Tag.ENTRY_SCANNED if document.entry_id else Tag.ENTRY_ADDED,
        at=at,
        facts={"count": len(chosen), "draft": str(draft_id)},
    )
    return len(chosen)


@sensitive_variables()
def _counted(accounts: AccountList, entry: Entry, *, shown: bool) -> Entry:
    """A counter account after the code that its page has shown, and not behind another account of the same key."""
    if entry.type is not Type.HOTP:
        return entry
    counter = min(entry.counter + 1, LARGEST_COUNTER) if shown else entry.counter
    return replace(entry, counter=max(counter, *_counters(accounts, entry), 0))


@sensitive_variables()
@transaction.atomic
def renew(vault: OpenVault, draft_id: UUID, *, at: datetime) -> UUID:
    """Keep what waits for another 15 minutes, under a number of its own. Raises DraftGone."""
    document = vaults.take(vault, draft_id, kind=Draft.Kind.ADD, at=at)
    return vaults.hold(vault, document, kind=Draft.Kind.ADD, at=at).id


def was_accepted(vault: OpenVault, draft_id: UUID, *, at: datetime) -> bool:
    """Whether this person said yes to a draft that is gone: the second of two clicks, or the way back to its page."""
    since = at - 2 * settings.DRAFT_KEPT
    tags = (Tag.ENTRY_ADDED, Tag.ENTRY_SCANNED)
    return vault.user.events.filter(at__gte=since, tag__in=tags, facts__draft=str(draft_id)).exists()


# -- The draft's document ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Document:
    """What is sealed between the two requests."""

    way: Way
    format: Format
    found: tuple[Found, ...]
    problems: tuple[Problem, ...] = ()
    forbidden: tuple[Forbidden, ...] = ()
    proof: UUID | None = None  # Of the sign-in to the account whose code this is.
    entry_id: str = ""  # Of the account of the list whose code this is.

    @sensitive_variables()
    def to_json(self) -> dict[str, Any]:
        of = ({"proof": str(self.proof)} if self.proof else {}) | ({"of": self.entry_id} if self.entry_id else {})
        return of | {
            "v": _VERSION,
            "way": self.way.value,
            "format": self.format.value,
            "found": [
                {
                    "entry": found.entry.to_document(),
                    "notes": [note.value for note in found.notes],
                    "place": found.place,
                }
                for found in self.found
            ],
            "problems": [
                {"place": problem.place, "reason": problem.reason.value, "facts": dict(problem.facts)}
                for problem in self.problems
            ],
            "forbidden": [{"place": one.place, "sentence": one.sentence} for one in self.forbidden],
        }

    @classmethod
    @sensitive_variables()
    def of_json(cls, document: Any) -> _Document:
        return cls(
            way=Way(document["way"]),
            format=Format(document["format"]),
            found=tuple(
                Found(Entry.from_document(row["entry"]), tuple(map(Note, row["notes"])), row["place"])
                for row in document["found"]
            ),
            problems=tuple(Problem(row["place"], Reason(row["reason"]), row["facts"]) for row in document["problems"]),
            forbidden=tuple(Forbidden(row["place"], row["sentence"]) for row in document["forbidden"]),
            proof=UUID(document["proof"]) if "proof" in document else None,
            entry_id=document.get("of", ""),
        )
