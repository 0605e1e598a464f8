"""The list of a person: opened, read, changed under the lock, undone. Every change of a list passes `change`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.dispatch import Signal
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from accounts.arrivals import Found
from accounts.models import Device, Draft, User, Vault, VaultState
from accounts.services import activity
from accounts.services.activity import Tag
from accounts.vault import encoding, sealing
from accounts.vault.coder import MakesCodes
from accounts.vault.entry import Entry
from accounts.vault.errors import VaultError
from accounts.vault.keys import VaultKey
from accounts.vault.list import AccountList

_MOST_DRAFTS = 5
_READS = frozenset({Tag.ENTRY_COUNTED})  # The next code of a counter is looked at, though its number is kept.
# What undo does not take back: counters never fall, keys never return.
_KEPT_BY_UNDO = (
    Tag.ENTRY_COUNTED,
    Tag.WORDS_MADE,
    Tag.WORDS_REMOVED,
    Tag.PASSKEY_ADDED,
    Tag.PASSKEY_REMOVED,
    Tag.BACKUP_PROTECTED,
    Tag.BACKUP_UNPROTECTED,
)

Operation = Callable[[AccountList], AccountList]

# Sent inside the transaction of a change: `vault` (its row), `before`, `after`, `at`. No key goes with the news.
changed = Signal()


@dataclass(slots=True)
class OpenVault:
    """A list that this request may read: its row, its key, the device that opened it. Travels as one value."""

    row: Vault
    key: VaultKey = field(repr=False)
    device: Device
    user: User
    sealed: bytes | None = field(default=None, repr=False)
    opened: AccountList | None = field(default=None, repr=False)
    only_door: bool = False  # When it came: no other browser, no words, no passkey opens this list.
    found: Found | None = field(default=None, repr=False)  # What else came with it.
    has_rules: bool = True  # When it came: some domain is blocked here.

    @property
    def one_way_in(self) -> bool:
        """Whether accounts would go with this browser's data. False while the list is unread."""
        return self.only_door and bool(self.opened)


class DeviceRemoved(Exception):
    """The device was removed while it asked: from then on it changes nothing."""


class BeingDeleted(Exception):
    """The person asked to be deleted: until that day, or their undo, the list can only be read."""


class NothingToUndo(Exception):
    """The state that would be put back is no longer kept."""


class ChangedSince(Exception):
    """The list was changed after what would be undone; `states` are those changes, which would be taken back too."""

    def __init__(self, states: list[VaultState]) -> None:
        super().__init__()
        self.states = states


class DraftGone(Exception):
    """What was read but not accepted has run out, was accepted, or never was this list's."""


def begin(user: User, *, name: str, key: VaultKey, at: datetime, empty: bool = False) -> Vault:
    """A new list of a person, with what NEW_LIST puts into it unless it is to be empty: nothing, outside the demo."""
    has_samples = settings.NEW_LIST and not empty
    entries: Iterable[Entry] = import_string(settings.NEW_LIST)(at=at) if has_samples else ()
    row = Vault(user=user, name=name, version=1, made_at=at, changed_at=at)
    row.save(force_insert=True)
    first = AccountList().add_many(tuple(entries))
    _keep(row, sealing.seal(first, key, row.id.bytes, row.version), act=Tag.LIST_BEGUN, at=at)
    return row


@sensitive_variables()
def opens(row: Vault, key: VaultKey) -> bool:
    """Whether a key that came out of a door opens this list: its newest state, or an older one where that is damaged.

    Asked before a door is made of it: anybody can wrap 32 bytes.
    """
    for state in VaultState.objects.filter(vault=row.pk).order_by("-version"):
        try:
            _unsealed(state, key)
        except VaultError:
            continue
        return True
    return False


@sensitive_variables()
def read(vault: OpenVault) -> AccountList:
    """The list as it stood when the request came. Raises Damaged when its newest state does not open."""
    if vault.opened is None:
        vault.opened = sealing.unseal(_sealed(vault), vault.key, vault.row.id.bytes, vault.row.version)
    return vault.opened


@sensitive_variables()
def coders(vault: OpenVault) -> Iterable[MakesCodes]:
    """What makes the codes of the list as it stood when the request came. Raises as `read`."""
    if vault.opened is not None:
        return vault.opened.entries
    return sealing.unseal_coders(_sealed(vault), vault.key, vault.row.id.bytes, vault.row.version)


def _sealed(vault: OpenVault) -> bytes:
    if not vault.sealed:
        vault.sealed = _newest(vault.row)
    return vault.sealed


@sensitive_variables()
def change(
    vault: OpenVault,
    operation: Operation,
    *,
    tag: Tag,
    at: datetime,
    facts: dict[str, Any] | None = None,
    reference: str = "",
) -> AccountList:
    """Apply one operation to the list as it stands now, and keep the result as its next state.

    Under the lock of the vault's row, so that nothing another browser wrote meanwhile is lost. What the operation
    raises undoes everything. Raises DeviceRemoved, BeingDeleted.
    """
    with transaction.atomic():
        row = Vault.objects.select_for_update().get(pk=vault.row.pk)
        device = Device.objects.filter(pk=vault.device.pk, removed_at=None).values("user__deletes_at").first()
        if device is None:
            raise DeviceRemoved
        if device["user__deletes_at"] is not None and tag not in _READS:
            raise BeingDeleted
        before = _opened(vault, row)
        after = operation(before)
        if after == before:  # Also where the Trash holds what is too old: that goes with the next change.
            vault.row, vault.opened, vault.sealed = row, before, None
            return before
        after = after.without_trash_before(seconds(at - settings.TRASH_KEPT))
        row.version, row.changed_at = row.version + 1, at
        row.save(update_fields=["version", "changed_at"])
        _keep(row, sealing.seal(after, vault.key, row.id.bytes, row.version), act=tag, at=at)
        said = _facts(row, facts)
        activity.record(tag, user=vault.user, device=vault.device, at=at, facts=said, reference=reference)
        changed.send(Vault, vault=row, before=before, after=after, at=at)
    vault.row, vault.opened, vault.sealed = row, after, None
    return after


@sensitive_variables()
def undo(vault: OpenVault, version: int, *, at: datetime, all_since: bool = False) -> AccountList:
    """Put back entries and Trash as they were before state `version` was made. No counter falls.

    Raises NothingToUndo when that state is no longer kept or does not open, and ChangedSince when more would be taken
    back, unless all of it is meant.
    """
    if version > vault.row.version or not vault.row.states.filter(version=version - 1).exists():
        raise NothingToUndo
    later = list(
        VaultState.objects.filter(vault=vault.row.pk, version__gt=version)
        .exclude(act__in=_KEPT_BY_UNDO)
        .defer("sealed")
    )
    if later and not all_since:
        raise ChangedSince(later)
    # The states since then too: an account deleted in one of them may have given codes meanwhile.
    states = VaultState.objects.filter(vault=vault.row.pk, version__gte=version - 1).order_by("version")
    try:
        older, *between = (_unsealed(one, vault.key) for one in states)
    except VaultError:
        raise NothingToUndo from None
    return change(
        vault,
        lambda accounts: accounts.undone_to(older, between),
        tag=Tag.LIST_UNDONE,
        at=at,
        facts={"of": version},
    )


@sensitive_variables()
def kept(vault: OpenVault) -> Iterator[AccountList]:
    """Each state of the list that is kept and opens. Within a change, they are those up to it."""
    for state in VaultState.objects.filter(vault=vault.row.pk):
        with suppress(VaultError):
            yield _unsealed(state, vault.key)


@sensitive_variables()
def last_good(vault: OpenVault) -> VaultState | None:
    """The newest kept state that opens, where the list itself does not; None where none does."""
    for state in VaultState.objects.filter(vault=vault.row.pk, version__lt=vault.row.version).order_by("-version"):
        try:
            _unsealed(state, vault.key)
        except VaultError:
            continue
        return state
    return None


@sensitive_variables()
def mend(vault: OpenVault, *, at: datetime) -> AccountList:
    """Begin anew from the last state that opens, where the newest does not. Raises NothingToUndo."""
    with transaction.atomic():
        row = Vault.objects.select_for_update().get(pk=vault.row.pk)
        vault.row, vault.opened, vault.sealed = row, None, None
        try:
            return read(vault)  # It opens: another browser was quicker, or nothing was wrong.
        except VaultError:
            state = last_good(vault)
        if state is None:
            raise NothingToUndo
        mended = _unsealed(state, vault.key)
        lost = VaultState.objects.filter(vault=row.pk, version__gt=state.version, act=Tag.ENTRY_COUNTED).count()
        mended = mended.counted_on(lost)  # Which counters gave those codes is lost; none gives one twice.
        there = {slot.hex for slot in row.slots.values_list("pk", flat=True)}
        mended = mended.without_backup_keys(key.slot for key in mended.backup_keys if key.slot not in there)
        row.version, row.changed_at = row.version + 1, at
        row.save(update_fields=["version", "changed_at"])
        _keep(row, sealing.seal(mended, vault.key, row.id.bytes, row.version), act=Tag.LIST_MENDED, at=at)
        activity.record(Tag.LIST_MENDED, user=vault.user, device=vault.device, at=at, facts={"of": state.version})
        changed.send(Vault, vault=row, before=mended, after=mended, at=at)
    vault.opened = mended
    return mended


@sensitive_variables()
def hold(vault: OpenVault, document: object, *, kind: Draft.Kind, at: datetime, id: UUID | None = None) -> Draft:
    """Keep what was read, sealed, until the person says yes: 15 minutes at most, the newest few of a device.

    Bytes are JSON that is written already. `id` is one that nothing else will ever be held under.

    Raises BeingDeleted: nothing is begun that could not be ended.
    """
    if User.objects.filter(pk=vault.user.pk).exclude(deletes_at=None).exists():
        raise BeingDeleted
    held = vault.device.drafts.filter(kind=kind).order_by("-expires_at").values_list("pk", flat=True)
    Draft.objects.filter(pk__in=list(held[_MOST_DRAFTS - 1 :])).delete()
    draft = Draft(vault=vault.row, device=vault.device, kind=kind, expires_at=at + settings.DRAFT_KEPT)
    draft.id = id or draft.id
    text = document if isinstance(document, bytes) else encoding.canonical(document)
    draft.sealed = sealing.seal_draft(text, vault.key, vault.row.id.bytes, draft.id.bytes)
    draft.save(force_insert=True)
    return draft


@sensitive_variables()
def look(vault: OpenVault, draft_id: UUID, *, kind: Draft.Kind, at: datetime) -> Any:
    """The document of a draft of this list and device. Raises DraftGone."""
    draft = _waiting(vault, draft_id, kind, at).first()
    if draft is None:
        raise DraftGone
    return encoding.trusted(sealing.unseal_draft(bytes(draft.sealed), vault.key, vault.row.id.bytes, draft.id.bytes))


def take(vault: OpenVault, draft_id: UUID, *, kind: Draft.Kind, at: datetime) -> Any:
    """`look`, and the draft is gone: of two clicks one takes it. Inside the transaction of what it is taken for."""
    document = look(vault, draft_id, kind=kind, at=at)
    use(vault, draft_id, kind=kind, at=at)
    return document


def use(vault: OpenVault, draft_id: UUID, *, kind: Draft.Kind, at: datetime) -> None:
    """A draft whose document was read before is gone: of two clicks one uses it. As `take`. Raises DraftGone."""
    taken, _ = _waiting(vault, draft_id, kind, at).delete()
    if not taken:
        raise DraftGone


def _waiting(vault: OpenVault, draft_id: UUID, kind: Draft.Kind, at: datetime) -> QuerySet[Draft]:
    return Draft.objects.filter(pk=draft_id, vault=vault.row, device=vault.device, kind=kind, expires_at__gt=at)


def drop(vault: OpenVault, draft_id: UUID) -> None:
    """The person said no."""
    Draft.objects.filter(pk=draft_id, vault=vault.row, device=vault.device).delete()


def expire(at: datetime) -> int:
    """Delete states older than 30 days but for the newest, and drafts that ran out. Returns how many."""
    old = VaultState.objects.filter(made_at__lt=at - settings.STATES_KEPT_FOR, version__lt=F("vault__version"))
    states, _ = old.delete()
    drafts, _ = Draft.objects.filter(expires_at__lte=at).delete()
    return states + drafts


def seconds(moment: datetime) -> int:
    """A time as the core knows it: whole seconds since 1970."""
    return int(moment.timestamp())


def _facts(row: Vault, facts: dict[str, Any] | None) -> dict[str, Any]:
    """What a line of activity says of the state it made, so that it can be undone from there."""
    return {**(facts or {}), "list": str(row.pk), "state": row.version}


def undone_at(vault: OpenVault, version: int) -> datetime | None:
    """When state `version` was undone, alone or with what came after it; None where it stands, or stands again."""
    lines = vault.user.events.filter(tag=Tag.LIST_UNDONE, facts__list=str(vault.row.pk), facts__state__gt=version)
    undone: tuple[datetime, int] | None = None
    for at, facts in lines.order_by("pk").values_list("at", "facts"):
        if facts["of"] <= version:
            undone = undone or (at, facts["state"])
        elif undone is not None and facts["of"] <= undone[1]:
            undone = None  # The undo was undone.
    return undone[0] if undone is not None else None


def undoable(vault: OpenVault) -> frozenset[int]:
    """Numbers of the states whose making can be undone: the one before is kept."""
    kept = VaultState.objects.filter(vault=vault.row.pk).values_list("version", flat=True)
    return frozenset(version + 1 for version in kept if version < vault.row.version)


def _newest(row: Vault) -> bytes:
    return bytes(VaultState.objects.values_list("sealed", flat=True).get(vault=row.pk, version=row.version))


@sensitive_variables()
def _opened(vault: OpenVault, row: Vault) -> AccountList:
    """The list as it stands now, under the lock of its row. What this request has open is not opened twice where it is
    these very bytes, under this very number.
    """
    sealed = _newest(row)
    if vault.opened is not None and (vault.row.version, vault.sealed) == (row.version, sealed):
        return vault.opened
    return sealing.unseal(sealed, vault.key, row.id.bytes, row.version)


@sensitive_variables()
def _unsealed(state: VaultState, key: VaultKey) -> AccountList:
    return sealing.unseal(bytes(state.sealed), key, state.vault_id.bytes, state.version)


def _keep(row: Vault, sealed: bytes, *, act: Tag, at: datetime) -> None:
    VaultState.objects.create(vault=row, version=row.version, sealed=sealed, act=act, made_at=at)
    row.states.filter(version__lte=row.version - settings.STATES_KEPT).delete()
