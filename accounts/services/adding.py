"""Pictures, links and what is typed become accounts: read, asked for, kept sealed until the yes, then added.

The secret keys never leave the services: what a page gets is `previewing`'s.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import Draft
from accounts.services import policy, signing, vaults
from accounts.services.activity import Tag
from accounts.services.drafted import Drafted, Forbidden, Way
from accounts.services.policy import Act
from accounts.services.previewing import counters
from accounts.services.signing import Several
from accounts.services.vaults import OpenVault
from accounts.vault import encoding, formats, keys, qr, uri
from accounts.vault.entry import LARGEST_COUNTER, Algorithm, Entry, Kind, Type
from accounts.vault.errors import (
    AlreadyListed,
    Damaged,
    ParseError,
    Problem,
    Reason,
    TooCostly,
    TooLarge,
    Unsupported,
    VaultError,
)
from accounts.vault.formats import Format, Found
from accounts.vault.list import MAX_ENTRIES, AccountList, Relation

MOST_PICTURES = 20
_READING_TAKES = timedelta(seconds=6)  # At most, for all pictures of one request and a little over.


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
    return _kept(vault, Drafted(Way.HAND, Format.OTPAUTH, found, proof=proof, entry_id=entry_id), at)


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
        raise Full(holds=vaults.read(vault).size, count=error.found) from None
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
    document = Drafted(way, result.format, tuple(found), tuple(problems), tuple(forbidden), proof, entry_id)
    return _kept(vault, document, at)


@sensitive_variables()
def _kept(vault: OpenVault, document: Drafted, at: datetime) -> UUID:
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
def _as_signed_in(vault: OpenVault, document: Drafted, proof: UUID, at: datetime) -> Drafted:
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


def _as_brought_back(vault: OpenVault, document: Drafted, back: Entry, at: datetime) -> Drafted:
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
        raise Full(holds=accounts.size, count=len(entries)) from None


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
    document = Drafted.of_json(vaults.take(vault, draft_id, kind=Draft.Kind.ADD, at=at))
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
    return replace(entry, counter=max(counter, *counters(accounts, entry), 0))


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
