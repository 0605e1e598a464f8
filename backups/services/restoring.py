"""The yes: what was chosen of a saved state that is held is merged into the list, and the report of it is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import Attempt, Draft
from accounts.services import activity, aside, attempts, vaults
from accounts.services.activity import Tag
from accounts.services.attempts import Limit, TooManyTries
from accounts.services.identity import Identity
from accounts.services.vaults import OpenVault
from accounts.vault import keys, merging
from accounts.vault.entry import Entry, Needs, Type, folded
from accounts.vault.list import AccountList
from accounts.vault.merging import Keep, Met
from backups.contents import Contents
from backups.models import RecoveryAccount
from backups.services import adopting, fates, opening, recovery
from backups.services.fates import RESTORED, WAITING, Fate, Row, moment

RESTORES = Limit(Attempt.Act.RESTORE, 3, timedelta(hours=24))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the person says yes to: which accounts, and which of two keys where one name has both."""

    ids: frozenset[str]
    keeps: Mapping[str, Keep] = field(default_factory=dict)


class RestoredOften(TooManyTries):
    """As many restores as a recovery account has in a day; `account` is its masked label."""

    def __init__(self, next_at: datetime, account: str) -> None:
        super().__init__(next_at)
        self.account = account


class NothingChosen(Exception):
    """No account has a tick."""


class Trial(Exception):
    """It was held to be looked at: nothing of it is written."""


def awaited(person: Identity, *, at: datetime) -> RestoredOften | None:
    """Why a backup under this recovery account can be restored only later; None where it can be now."""
    left, next_at = attempts.left(RESTORES, opening.subject(person), at=at)
    return None if left else RestoredOften(next_at, person.masked)


@sensitive_variables()
def accept(vault: OpenVault, draft_id: UUID, chosen: Chosen, *, at: datetime) -> UUID:
    """Merge what was chosen into the list, in one transaction, and hold the report of it. Returns the report's id.

    Three a day are counted over the recovery account, however many people hold it; one that changes nothing is none.
    Everybody who holds it is told. Raises DraftGone, RestoredOften, NothingChosen, Trial, TooLarge; then nothing has
    changed and the draft still waits.
    """
    document = fates.held(vault, draft_id, at=at)
    if document["trial"]:
        raise Trial
    contents = fates.contents_of(vault, document)
    found = merging.meet(vaults.read(vault), contents.entries)
    rows = [_wanted(row, chosen) for row in fates.rows_of(vault, found, at=at)]
    wanted = {row.id for row in rows if row.fate not in (Fate.BLOCKED, Fate.LEFT)}
    if not wanted:
        raise NothingChosen
    met = [one for one in found if one.entry.id in wanted]
    person, opened_by = opening.person_of(document), document.get("by", "")
    try:
        tried = attempts.count([(RESTORES, opening.subject(person))], at=at)
    except TooManyTries as error:
        raise RestoredOften(error.next_at, person.masked) from None
    stands: list[bool] = []
    try:
        earlier = adopting.unrecorded(person, contents, document["stream"], document["number"], at=at)
        with transaction.atomic():
            transaction.on_commit(lambda: stands.append(True))
            changed, report_id = _merged(vault, draft_id, person, contents, met, rows, chosen.keeps, opened_by, at=at)
            adopting.adopt(vault, person, earlier, document["stream"], at=at)
    except BaseException:
        if not stands:  # What fails after the commit takes nothing back.
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
    person: Identity,
    contents: Contents,
    met: Sequence[Met],
    rows: Sequence[Row],
    keeps: Mapping[str, Keep],
    opened_by: str,
    *,
    at: datetime,
) -> tuple[bool, UUID]:
    """In the one transaction: the draft is used up, the list changed, everybody told, the report held."""
    reference, before = activity.new_reference(), []

    read, entries = vaults.read(vault), [one.entry for one in met]

    def merged(accounts: AccountList) -> AccountList:
        before.append(accounts)
        return merging.merge(
            accounts,
            entries,
            made_at=contents.at,
            at=vaults.seconds(at),
            new_id=keys.new_id,
            keeps=keeps,
            # What is left out stands beside nothing: then they are met anew, and where the list changed meanwhile.
            met=met if accounts is read and len(met) == len(contents.entries) else None,
            former=vaults.kept(vault) if any(entry.type is Type.HOTP for entry in entries) else (),
        )

    vaults.use(vault, draft_id, kind=Draft.Kind.RESTORE, at=at)
    facts = {
        "count": sum(row.fate in RESTORED and not row.waits for row in rows),
        "all": len(contents.entries),
        "account": person.masked,
        "draft": str(draft_id),
    }
    after = vaults.change(vault, merged, tag=Tag.RESTORED, at=at, facts=facts, reference=reference)
    changed = after is not before[-1]
    if changed:
        aside.put_aside(vault.user, but=vault.row, at=at, by=vault.device)  # Where this list is in its place.
        _tell_others(vault, person, contents.device_name, at=at)
    report = {
        "v": 1,
        "of": len(contents.entries),
        "device": contents.device_name,
        "made": contents.at,
        "done": vaults.seconds(at),
        "reference": reference if changed else "",
        "state": vault.row.version if changed else 0,
        "by": opened_by,
        "rows": [[row.issuer, row.name, row.kind, row.fate.value, row.sentence, row.has_code] for row in rows],
    }
    report_id = report_of(draft_id)
    vaults.hold(vault, {"report": report}, kind=Draft.Kind.RESTORE, at=at, id=report_id)
    return changed, report_id


def _tell_others(vault: OpenVault, person: Identity, former: str, *, at: datetime) -> None:
    """Whoever else holds this recovery account, by mail and on each device; `former` is the device it was made on.

    The person's own line tells themselves.
    """
    names = recovery.ctxs(person, vault.device.type)
    holders = RecoveryAccount.objects.filter(name__in=names).exclude(user=vault.user).select_related("user")
    facts = {"account": person.masked, "asked": vault.device.name, "former": former}
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
    """How a restore ended. `state` is the one of the list that it made, by which it is undone; 0 where none.

    `undone_at` is when it was; `opened_by` the kind of key that the backup was opened with, empty where it needed none.
    """

    of: int
    device_name: str
    made_at: datetime
    done_at: datetime
    reference: str
    state: int
    rows: tuple[Row, ...]
    undone_at: datetime | None
    opened_by: str

    @property
    def back(self) -> tuple[Row, ...]:
        """Those that came back by it, with a code or by name."""
        return tuple(row for row in self.rows if not row.was_here and row.fate not in (Fate.LEFT, Fate.BLOCKED))

    @property
    def with_codes(self) -> int:
        """How many of those came back with their codes."""
        return sum(row.has_code for row in self.back)

    @property
    def by_name(self) -> int:
        """How many of those came back by name."""
        return len(self.back) - self.with_codes

    @property
    def here(self) -> int:
        """How many were here before."""
        return sum(row.was_here for row in self.rows)

    @property
    def unwanted(self) -> bool:
        """Whether one was left out that another restore would bring."""
        return any(row.fate is Fate.LEFT for row in self.rows)

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
            _since(
                Row("", issuer, name, kind, Fate(fate), sentence, has_code=has_code, was_here=Fate(fate) is Fate.HERE),
                there,
            )
            for issuer, name, kind, fate, sentence, has_code in document["rows"]
        ),
        vaults.undone_at(vault, document["state"]) if document["state"] else None,
        document.get("by", ""),
    )


def _since(row: Row, there: Mapping[tuple[str, str, str], Entry]) -> Row:
    """What has become since then of an account that came back by name, or was here by name."""
    if row.has_code or row.fate not in (Fate.SIGN_IN, Fate.SCAN, Fate.HERE):
        return row
    entry = there.get((row.kind, folded(row.issuer), folded(row.name)))
    if entry is None:
        return row
    if entry.needs in WAITING:
        return replace(row, fate=Fate.SCAN if entry.needs is Needs.SCAN else Fate.SIGN_IN)
    if row.fate is Fate.HERE:
        return row
    if entry.needs is Needs.KEPT:
        return replace(row, fate=Fate.NAME)
    return replace(row, fate=Fate.SIGNED_IN, signed_in=moment(entry.signed_in))
