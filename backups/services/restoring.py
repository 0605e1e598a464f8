"""A saved state comes back: found by a proven account, opened, held until the yes, merged into the list.

What a person has not proven is told nobody: a choice that does not exist and one of somebody else are the same. What
opens an envelope passes through here and is kept nowhere; what was in it is held sealed under the list's own key.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain, zip_longest
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import Attempt, DeviceType, Draft
from accounts.services import activity, aside, attempts, identity, policy, vaults, words
from accounts.services.activity import Tag
from accounts.services.attempts import WORDS_OF_NETWORK, Limit
from accounts.services.identity import Identity, Purpose
from accounts.services.policy import Act
from accounts.services.vaults import OpenVault
from accounts.vault import keys, merging
from accounts.vault.entry import Entry, Needs, folded
from accounts.vault.errors import KeyMissing, Unsupported, VaultError, WrongKey
from accounts.vault.keys import Secret
from accounts.vault.list import AccountList, Relation
from accounts.vault.merging import Keep
from backups import envelope
from backups.contents import Contents
from backups.models import Generation, RecoveryAccount
from backups.names import Name
from backups.services import objects, recovery
from backups.storage import NotStored

logger = logging.getLogger(__name__)

WORDS_OF_RECOVERY = Limit(Attempt.Act.WORDS, 10, timedelta(hours=24))
RESTORES = Limit(Attempt.Act.RESTORE, 3, timedelta(hours=24))
_LOOKED_INTO = 40  # Saved states without a record, of which so many are opened to see whose they are.

_KEY = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}")


# -- Where it is ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """A saved state that can be chosen, as far as records or itself tell. `kinds` are the keys of which it needs one.

    Without a record and without the key that opens it nothing but its number is known: `made_at` is None.
    """

    name: Name
    made_at: datetime | None = None
    device_name: str = ""
    whole: int = 0
    named: int = 0
    checked_at: datetime | None = None
    kinds: frozenset[str] = frozenset()
    is_recorded: bool = False
    is_damaged: bool = False
    deletes_at: datetime | None = None
    sha256: bytes | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """What a form calls it."""
        return f"{self.name.stream.hex()}-{self.name.sequence:016x}"

    @property
    def count(self) -> int:
        """Accounts in it."""
        return self.whole + self.named


@dataclass(frozen=True, slots=True)
class Found:
    """The backups under a proven account: the newest of each, then the earlier ones.

    `missing` are newest numbers that the records know and the store lacks, each with the number before it that is
    there, 0 where none is. `elsewhere` counts the backups of other types of devices, which are closed here.
    """

    newest: tuple[Choice, ...] = ()
    older: tuple[Choice, ...] = ()
    missing: tuple[tuple[int, int], ...] = ()
    elsewhere: Mapping[str, int] = field(default_factory=dict)

    @property
    def every(self) -> tuple[Choice, ...]:
        """All of them."""
        return (*self.newest, *self.older)

    @property
    def is_unrecorded(self) -> bool:
        """Whether the records of this server are newer than all that was found."""
        return bool(self.newest) and not any(choice.is_recorded for choice in self.every)


def is_key(text: str) -> bool:
    """Whether a form could call a saved state so."""
    return _KEY.fullmatch(text) is not None


class NotThere(Exception):
    """No such saved state under this account: it never was, it is gone, or it is somebody else's."""


class KeyNeeded(Exception):
    """The sign-in alone does not open it, and no key came with it."""


class WrongWords(Exception):
    """They open no slot of it. `left` tries are left until `until`."""

    def __init__(self, left: int, until: datetime) -> None:
        super().__init__()
        self.left, self.until = left, until


def find(person: Identity, device_type: str) -> Found:
    """The backups of this type of device under a proven account. Raises StoreFailed."""
    streams, rows = _streams(person, device_type), _rows(person, device_type)
    found: dict[bytes, list[Choice]] = {}
    looked_into = 0
    # The newest of each stream come first, so that of many the newest are looked into.
    for name in chain.from_iterable(zip_longest(*streams.values())):
        row = rows.get((name.stream, name.sequence)) if name is not None else None
        if name is None or _is_gone(row):
            continue
        if row is not None:
            choice = _recorded(name, row)
        else:
            looked_into += 1
            choice = _looked_into(name, device_type) if looked_into <= _LOOKED_INTO else Choice(name)
        found.setdefault(name.stream, []).append(choice)
    newest = sorted((choices[0] for choices in found.values()), key=_when, reverse=True)
    older = sorted((choice for choices in found.values() for choice in choices[1:]), key=_when, reverse=True)
    elsewhere = {type: len(_streams(person, type)) for type in DeviceType.values if type != device_type}
    return Found(
        tuple(newest),
        tuple(older),
        tuple(_missing(rows, streams)),
        {type: count for type, count in elsewhere.items() if count},
    )


def _choice(person: Identity, device_type: str, key: str) -> Choice:
    """The saved state that a form calls by this key. Raises NotThere, StoreFailed."""
    for name in chain.from_iterable(_streams(person, device_type).values()):
        if Choice(name).key == key:
            row = _rows(person, device_type).get((name.stream, name.sequence))
            if _is_gone(row):
                break
            return _recorded(name, row) if row is not None else Choice(name)
    raise NotThere


def _is_gone(row: Generation | None) -> bool:
    """Whether it was deleted, but for what the store has yet to let go."""
    return row is not None and row.backup is not None and row.backup.is_gone


def _streams(person: Identity, device_type: str) -> dict[bytes, list[Name]]:
    """What lies there, by streams, in each the newest first: each number once, of two server keys the newer."""
    found: dict[tuple[bytes, int], Name] = {}
    for ctx in recovery.ctxs(person, device_type):
        for name in objects.named(ctx):
            there = found.get((name.stream, name.sequence))
            if there is None or there.kid < name.kid:
                found[name.stream, name.sequence] = name
    streams: dict[bytes, list[Name]] = {}
    for name in sorted(found.values(), key=lambda name: name.sequence, reverse=True):
        streams.setdefault(name.stream, []).append(name)
    return streams


def _rows(person: Identity, device_type: str) -> dict[tuple[bytes, int], Generation]:
    """What the records know of this person's saved states: of no other's, whatever stream and number those have."""
    states = (Generation.State.PROVEN, Generation.State.DAMAGED)
    rows = Generation.objects.filter(
        recovery_account__name__in=recovery.ctxs(person, device_type), state__in=states
    ).select_related("recovery_account", "backup")
    return {(bytes.fromhex(row.stream), row.sequence): row for row in rows.defer("waiting")}


def _recorded(name: Name, row: Generation) -> Choice:
    return Choice(
        name,
        made_at=row.made_at,
        device_name=row.device_name,
        whole=row.whole,
        named=row.named,
        checked_at=row.checked_at,
        kinds=frozenset(kind for kind, _slot in row.slots),
        is_recorded=True,
        is_damaged=row.state == Generation.State.DAMAGED,
        deletes_at=row.backup.deletes_at if row.backup is not None else None,
        sha256=bytes(row.sha256) if row.kid == name.kid else None,
    )


@sensitive_variables()
def _looked_into(name: Name, device_type: str) -> Choice:
    """What a saved state without a record says of itself; where it needs a key, which kinds of key.

    One that only this server cannot open can be chosen all the same: then it is said why.
    """
    try:
        data = objects.fetched(name)
        slots = envelope.slots(data, name.place, objects.server_key)
        if slots:
            return Choice(name, kinds=frozenset(slot.kind for slot in slots))
        contents = Contents.from_bytes(envelope.read(data, name.place, objects.server_key), device_type=device_type)
    except (NotStored, VaultError) as error:
        logger.warning("A saved state without a record does not open: %s", type(error).__name__)
        return Choice(name, is_damaged=not isinstance(error, KeyMissing | Unsupported))
    return Choice(
        name,
        made_at=datetime.fromtimestamp(contents.at, UTC),
        device_name=contents.device_name,
        whole=contents.whole,
        named=contents.named,
    )


def _when(choice: Choice) -> tuple[float, int]:
    return (choice.made_at.timestamp() if choice.made_at else 0.0, choice.name.sequence)


def _missing(
    rows: Mapping[tuple[bytes, int], Generation], streams: Mapping[bytes, Sequence[Name]]
) -> Iterator[tuple[int, int]]:
    """Of each stream the newest number that is known, where a store behind its records lacks it."""
    known: dict[bytes, int] = {}
    for (stream, sequence), row in rows.items():
        if not _is_gone(row):
            known[stream] = max(sequence, known.get(stream, 0))
    for stream, sequence in known.items():
        there = max((name.sequence for name in streams.get(stream, ())), default=0)
        if sequence > there:
            yield sequence, there


# -- Opened -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opener:
    """What a person opens a saved state with: the words as typed, or a passkey's output. Neither is kept.

    `network` is where they type, as `attempts.network` has it.
    """

    words: Secret | str = field(default="", repr=False)
    output: Secret | None = field(default=None, repr=False)
    network: bytes = b""


@sensitive_variables()
def hold(vault: OpenVault, proof: str, key: str, opener: Opener, *, is_trial: bool = False, at: datetime) -> UUID:
    """Open a saved state of a proven account and hold what is in it until the yes: 15 minutes. Spends the proof, under
    whose number it waits from then on.

    Raises NotProven, NotThere, KeyNeeded, WrongWords, WrongKey (of a passkey), TooManyTries, words.Busy, StoreFailed,
    Damaged, Unsupported, KeyMissing, TooCostly; then the proof serves on.
    """
    person = identity.look(proof, user=vault.user, purpose=Purpose.RESTORE, target=str(vault.row.pk), at=at)
    choice = _choice(person, vault.device.type, key)
    contents = _opened(person, choice, opener, vault.device.type, at=at)
    document = document_of(contents, person, choice.name, is_trial=is_trial)
    with transaction.atomic():
        identity.spend(proof, user=vault.user, purpose=Purpose.RESTORE, target=str(vault.row.pk), at=at)
        return vaults.hold(vault, document, kind=Draft.Kind.RESTORE, at=at, id=UUID(proof)).id


@sensitive_variables()
def document_of(contents: Contents, person: Identity, name: Name, *, is_trial: bool = False) -> dict[str, Any]:
    """What waits for the yes: the contents, whose backup it is, who is told of a restore and over whom it counts."""
    return {
        "v": 1,
        "contents": json.loads(contents.to_bytes()),
        "stream": name.stream.hex(),
        "number": name.sequence,
        "label": person.masked,
        "subject": subject(person).hex(),
        "names": [ctx.hex() for ctx in recovery.ctxs(person, contents.device_type)],
        "trial": is_trial,
    }


def is_held(vault: OpenVault, proof: str, *, at: datetime) -> bool:
    """Whether what a proof was spent on still waits: the second of two clicks goes where the first led to."""
    try:
        draft_id = UUID(proof)
    except ValueError:
        return False
    return vault.device.drafts.filter(pk=draft_id, kind=Draft.Kind.RESTORE, expires_at__gt=at).exists()


@sensitive_variables()
def _opened(person: Identity, choice: Choice, opener: Opener, device_type: str, *, at: datetime) -> Contents:
    try:
        data = objects.fetched(choice.name)
    except NotStored:
        raise NotThere from None
    place, sha256 = choice.name.place, choice.sha256
    slots = envelope.slots(data, place, objects.server_key, sha256=sha256)
    backup_key = None
    if slots and opener.output is not None:
        backup_key = ("passkey", keys.backup_key_of_passkey(opener.output))
    elif slots and opener.words:
        backup_key = _by_words(person, data, choice, slots, opener, at=at)
    elif slots:
        raise KeyNeeded
    text = envelope.read(data, place, objects.server_key, backup_key=backup_key, sha256=sha256)
    return Contents.from_bytes(text, device_type=device_type)


@sensitive_variables()
def _by_words(
    person: Identity, data: bytes, choice: Choice, slots: Sequence[envelope.Slot], opener: Opener, *, at: datetime
) -> tuple[str, Secret]:
    """The key that these words make. Counted before it is computed. Raises WrongWords, TooManyTries, Busy."""
    counted = subject(person)
    limits = [(WORDS_OF_RECOVERY, counted), *([(WORDS_OF_NETWORK, opener.network)] if opener.network else [])]
    tried = attempts.count(limits, at=at)
    try:
        for slot in slots:
            if slot.kind != envelope.WORDS:
                continue
            made = keys.backup_key_of_words(words.stretched(opener.words, slot.salt, slot.costs, at=at))
            try:
                envelope.read(data, choice.name.place, objects.server_key, backup_key=(envelope.WORDS, made))
            except WrongKey:
                continue
            attempts.forget(tried)
            return envelope.WORDS, made
    except words.Busy:
        attempts.forget(tried)
        raise
    raise WrongWords(*attempts.left(WORDS_OF_RECOVERY, counted, at=at))


def subject(person: Identity) -> bytes:
    """Whose tries and restores are counted: the recovery account, whoever asks."""
    return attempts.of_identity(identity.tag(person.issuer, person.uid))


# -- The fate of each -------------------------------------------------------------------------------------------------


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


_WAITING = (Needs.SIGN_IN, Needs.SCAN)
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
    has_code: bool = True  # Here, or in the backup.
    waits: bool = False  # It is here already, by name, and waits for its code.
    added: datetime | None = None  # When it, and the one of its name that is here, joined a list.
    there_added: datetime | None = None
    signed_in: datetime | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a saved state would bring, and until when it is held."""

    rows: tuple[Row, ...]
    device_name: str
    made_at: datetime
    ends_at: datetime
    is_trial: bool

    def of(self, fate: Fate) -> tuple[Row, ...]:
        """Those of one fate, in their order."""
        return tuple(row for row in self.rows if row.fate is fate)

    @property
    def with_codes(self) -> int:
        """How many will have codes."""
        return sum(row.has_code and row.fate is not Fate.BLOCKED for row in self.rows)


@sensitive_variables()
def preview(vault: OpenVault, draft_id: UUID, *, at: datetime) -> Preview:
    """The fate of each account beside the list as it stands now. Raises DraftGone."""
    document = _held(vault, draft_id, at=at)
    contents = _contents(vault, document)
    ends_at = vault.row.drafts.values_list("expires_at", flat=True).get(pk=draft_id)
    return Preview(
        tuple(_rows_of(vault, contents)),
        contents.device_name,
        datetime.fromtimestamp(contents.at, UTC),
        ends_at,
        bool(document["trial"]),
    )


@sensitive_variables()
def _held(vault: OpenVault, draft_id: UUID, *, at: datetime) -> Mapping[str, Any]:
    """What was opened and waits. Raises DraftGone, for a report too."""
    document: Mapping[str, Any] = vaults.look(vault, draft_id, kind=Draft.Kind.RESTORE, at=at)
    if "contents" not in document:
        raise vaults.DraftGone
    return document


@sensitive_variables()
def _contents(vault: OpenVault, document: Mapping[str, Any]) -> Contents:
    return Contents.from_document(document["contents"], device_type=vault.device.type)


@sensitive_variables()
def _rows_of(vault: OpenVault, contents: Contents) -> Iterator[Row]:
    for met in merging.meet(vaults.read(vault), contents.entries):
        fate, sentence = _fate(met.entry, met.relation), ""
        if fate is not Fate.HERE:
            try:
                policy.require(vault.user, Act.RESTORE, met.entry)
            except policy.Refused as refused:
                fate, sentence = Fate.BLOCKED, refused.sentence
        entry, there = met.entry, met.there
        yield Row(
            entry.id,
            entry.issuer,
            entry.name,
            entry.kind.value,
            fate,
            sentence,
            has_code=(there if fate is Fate.HERE and there is not None else entry).secret is not None,
            waits=fate is Fate.HERE and there is not None and there.needs in _WAITING,
            added=_time(entry.added),
            there_added=_time(there.added if there is not None else None),
        )


def _time(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _fate(entry: Entry, relation: Relation) -> Fate:
    if relation is Relation.SAME:
        return Fate.HERE
    if entry.secret is None:
        return {Needs.SIGN_IN: Fate.SIGN_IN, Needs.SCAN: Fate.SCAN}.get(entry.needs or Needs.SIGN_IN, Fate.NAME)
    return Fate.CLASH if relation is Relation.CLASH else Fate.CODE


# -- The yes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the person says yes to: which accounts, and which of two keys where one name has both."""

    ids: frozenset[str]
    keeps: Mapping[str, Keep] = field(default_factory=dict)


class NothingChosen(Exception):
    """No account has a tick."""


class Trial(Exception):
    """It was held to be looked at: nothing of it is written."""


@sensitive_variables()
def accept(vault: OpenVault, draft_id: UUID, chosen: Chosen, *, at: datetime) -> UUID:
    """Merge what was chosen into the list, in one transaction, and hold the report of it. Returns the report's id.

    Three a day are counted over the recovery account, however many people hold it; one that changes nothing is none.
    Everybody who holds it is told. Raises DraftGone, TooManyTries, NothingChosen, Trial, TooLarge; then nothing has
    changed and the draft still waits.
    """
    document = _held(vault, draft_id, at=at)
    if document["trial"]:
        raise Trial
    contents = _contents(vault, document)
    rows = [_wanted(row, chosen) for row in _rows_of(vault, contents)]
    wanted = {row.id for row in rows if row.fate not in (Fate.BLOCKED, Fate.LEFT)}
    entries = [entry for entry in contents.entries if entry.id in wanted]
    if not entries:
        raise NothingChosen
    tried = attempts.count([(RESTORES, bytes.fromhex(document["subject"]))], at=at)
    try:
        changed, report_id = _merged(vault, draft_id, document, contents, entries, rows, chosen.keeps, at=at)
    except BaseException:
        attempts.forget(tried)
        raise
    if not changed:
        attempts.forget(tried)
    return report_id


def _wanted(row: Row, chosen: Chosen) -> Row:
    """What becomes of an account after the yes. One that is here already is asked for nothing: its counter may rise."""
    if row.fate in (Fate.HERE, Fate.BLOCKED):
        return row
    if row.id not in chosen.ids or (row.fate is Fate.CLASH and chosen.keeps.get(row.id) is Keep.LIST):
        return replace(row, fate=Fate.LEFT)
    return row


@sensitive_variables()
def _merged(
    vault: OpenVault,
    draft_id: UUID,
    document: Mapping[str, Any],
    contents: Contents,
    entries: Sequence[Entry],
    rows: Sequence[Row],
    keeps: Mapping[str, Keep],
    *,
    at: datetime,
) -> tuple[bool, UUID]:
    """The one transaction: the draft is used up, the list changed, everybody told, the report held."""
    reference, before = activity.new_reference(), []

    def merged(accounts: AccountList) -> AccountList:
        before.append(accounts)
        return merging.merge(
            accounts, entries, made_at=contents.at, at=vaults.seconds(at), new_id=keys.new_id, keeps=keeps
        )

    with transaction.atomic():
        vaults.use(vault, draft_id, kind=Draft.Kind.RESTORE, at=at)
        facts = {
            "count": sum(row.fate in RESTORED and not row.waits for row in rows),
            "all": len(contents.entries),
            "account": document["label"],
            "draft": str(draft_id),
        }
        after = vaults.change(vault, merged, tag=Tag.RESTORED, at=at, facts=facts, reference=reference)
        changed = after is not before[-1]
        if changed:
            aside.put_aside(vault.user, but=vault.row, at=at, by=vault.device)  # Where this list is in its place.
            _tell_others(vault, document, at=at)
        report = {
            "v": 1,
            "of": len(contents.entries),
            "device": contents.device_name,
            "made": contents.at,
            "done": vaults.seconds(at),
            "reference": reference if changed else "",
            "state": vault.row.version if changed else 0,
            "rows": [[row.issuer, row.name, row.kind, row.fate.value, row.sentence, row.has_code] for row in rows],
        }
        report_id = report_of(draft_id)
        vaults.hold(vault, {"report": report}, kind=Draft.Kind.RESTORE, at=at, id=report_id)
        return changed, report_id


def _tell_others(vault: OpenVault, document: Mapping[str, Any], *, at: datetime) -> None:
    """Whoever else holds this recovery account, by mail and on each device. The person's own line tells themselves."""
    names = [bytes.fromhex(name) for name in document["names"]]
    holders = RecoveryAccount.objects.filter(name__in=names).exclude(user=vault.user).select_related("user")
    facts = {"account": document["label"], "asked": vault.device.name}
    for holder in {one.user_id: one.user for one in holders}.values():
        activity.record(Tag.RESTORED_BY_ANOTHER, user=holder, at=at, facts=facts)


def drop(vault: OpenVault, draft_id: UUID) -> None:
    """The person said no: what was opened is gone."""
    vaults.drop(vault, draft_id)


def report_of(draft_id: UUID) -> UUID:
    """The number of the report of what was held: the second of two clicks finds it by that."""
    return uuid5(draft_id, "report")


def was_accepted(vault: OpenVault, draft_id: UUID, *, at: datetime) -> bool:
    """Whether a draft that is gone was restored, though its report is gone too."""
    since = at - 2 * settings.DRAFT_KEPT
    return vault.user.events.filter(at__gte=since, tag=Tag.RESTORED, facts__draft=str(draft_id)).exists()


# -- The report -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report:
    """How a restore ended. `state` is the one of the list that it made, by which it is undone; 0 where none."""

    of: int
    device_name: str
    made_at: datetime
    done_at: datetime
    reference: str
    state: int
    rows: tuple[Row, ...]

    @property
    def to_do(self) -> tuple[Row, ...]:
        """Those that came back by name and wait."""
        return tuple(row for row in self.rows if row.fate in (Fate.SIGN_IN, Fate.SCAN))

    @property
    def restored(self) -> tuple[Row, ...]:
        """Those that are here with what they had."""
        return tuple(row for row in self.rows if row.fate in RESTORED)

    @property
    def left(self) -> tuple[Row, ...]:
        """Those that did not come back: unwanted, or not allowed."""
        return tuple(row for row in self.rows if row.fate in (Fate.LEFT, Fate.BLOCKED))


@sensitive_variables()
def report(vault: OpenVault, report_id: UUID, *, at: datetime) -> Report:
    """The report that `accept` held, for 15 minutes, with what was signed in to since. Raises DraftGone."""
    document = vaults.look(vault, report_id, kind=Draft.Kind.RESTORE, at=at).get("report")
    if document is None:
        raise vaults.DraftGone
    there = {(entry.kind.value, *entry.called): entry for entry in vaults.read(vault)}
    return Report(
        document["of"],
        document["device"],
        datetime.fromtimestamp(document["made"], UTC),
        datetime.fromtimestamp(document["done"], UTC),
        document["reference"],
        document["state"],
        tuple(
            _since(Row("", issuer, name, kind, Fate(fate), sentence, has_code), there)
            for issuer, name, kind, fate, sentence, has_code in document["rows"]
        ),
    )


def _since(row: Row, there: Mapping[tuple[str, str, str], Entry]) -> Row:
    """What has become since then of an account that came back by name, or was here by name."""
    if row.has_code or row.fate not in (Fate.SIGN_IN, Fate.SCAN, Fate.HERE):
        return row
    entry = there.get((row.kind, folded(row.issuer), folded(row.name)))
    if entry is None:
        return row
    if entry.needs in _WAITING:
        return replace(row, fate=Fate.SCAN if entry.needs is Needs.SCAN else Fate.SIGN_IN)
    if row.fate is Fate.HERE:
        return row
    if entry.needs is Needs.KEPT:
        return replace(row, fate=Fate.NAME)
    return replace(row, fate=Fate.SIGNED_IN, signed_in=_time(entry.signed_in))
