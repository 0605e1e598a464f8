"""Cloud Backup on, another recovery account, another protection, off: each one act, with its way back.

Every act begins by locking the vault's row, as each change of the list does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.views.decorators.debug import sensitive_variables

from accounts import roles
from accounts.models import Device, User, Vault
from accounts.services import activity, identity, keyring, vaults
from accounts.services.activity import Tag
from accounts.services.identity import Identity
from accounts.services.vaults import OpenVault
from accounts.vault.entry import Entry, folded
from accounts.vault.keys import Role as KeyRole
from accounts.vault.keys import Secret
from accounts.vault.list import AccountList, Protection
from backups import names, storage
from backups.models import Backup, Cause, Generation, RecoveryAccount
from backups.services import keeping, making
from backups.storage import StoreFailed

_MOVING_TAKES = timedelta(minutes=5)
_LABEL = 64


class NotKept(Exception):
    """The backup could not be made, or not be kept. Nothing that was there before has changed."""

    def __init__(self, cause: Cause, reference: str) -> None:
        super().__init__(cause.value)
        self.cause, self.reference = cause, reference


class NotOn(Exception):
    """Cloud Backup is not on: another browser, or another tab, was quicker."""


class AlreadyOn(Exception):
    """Cloud Backup is on already: a second click, or another tab."""


class TimeOver(Exception):
    """The time of Undo is over: it is deleted."""


class KeyNeeded(Exception):
    """Protected by a key a person holds, and the list has none."""


class LastKey(Exception):
    """It is the last key that opens the backup: another one first, or the sign-in only."""


# -- Answers of an iPhone -------------------------------------------------------------------------------------------


class Question(StrEnum):
    """What a page cannot see of an iPhone, and asks."""

    ICLOUD_BACKUP = "icloud_backup"
    SAVED_TO_ICLOUD = "saved_to_icloud"
    KEYCHAIN = "keychain"


class Answer(StrEnum):
    """What is answered."""

    ON = "on"
    UNSEEN = "unseen"


def of(vault: Vault) -> Backup | None:
    """The backup of a list as the database has it now; None before its first answer."""
    return Backup.objects.select_related("recovery_account").filter(vault=vault).first()


def by_id(user: User, backup_id: UUID | str) -> Backup:
    """A backup of this person that is kept, whichever list it is of. Raises NotOn."""
    try:
        known = UUID(str(backup_id))
    except ValueError:
        raise NotOn from None
    kept = Backup.objects.filter(pk=known, user=user).exclude(stream="").select_related("recovery_account", "vault")
    backup = kept.first()
    if backup is None:
        raise NotOn
    return backup


def every(user: User) -> list[Backup]:
    """The backups of a person that are kept, of all their lists: those in play first, then the newest."""
    kept = Backup.objects.filter(user=user).exclude(stream="").exclude(saved_at=None, deletes_at__isnull=False)
    return list(
        kept.select_related("recovery_account", "vault").order_by(F("deletes_at").asc(nulls_first=True), "-on_at")
    )


def former(vault: Vault, *, at: datetime) -> list[Backup]:
    """Backups of a list under former recovery accounts, in their time of Undo, the newest first."""
    left = vault.former_backups.exclude(saved_at=None).filter(deletes_at__gt=at)
    return list(left.select_related("recovery_account").order_by("-deletes_at"))


def answer(vault: OpenVault, given: dict[Question, Answer], *, at: datetime) -> Backup:
    """Keep what was answered of an iPhone's switches, with its date."""
    with transaction.atomic():
        backup = _backup(_locked(vault), vault.user)
        backup.switches |= {question.value: [one.value, at.isoformat()] for question, one in given.items()}
        backup.save(update_fields=["switches"])
    return backup


# -- The recovery account -------------------------------------------------------------------------------------------


def known(user: User, device_type: str, at: datetime) -> RecoveryAccount | None:
    """The account that "Continue" means: the one proven last whose provider fits this device type and date."""
    fitting = [role.value for role in roles.recovery_roles(device_type, at)]
    accounts = RecoveryAccount.objects.filter(user=user, device_type=device_type, role__in=fitting)
    return accounts.order_by("-proven_at").first()


def ctxs(person: Identity, device_type: str) -> list[bytes]:
    """The names under which this person's backups of a device type lie, the newest first: one for each NAME key."""
    return [names.ctx(key, person.issuer, person.uid, device_type) for _, key in _name_keys()]


def found(person: Identity, device_type: str, *, besides: Backup | None = None) -> list[keeping.Found]:
    """The backups that lie under a proven account already, but for the list's own. Raises StoreFailed."""
    own = besides.stream if besides is not None else ""
    return [one for one in keeping.found(ctxs(person, device_type)) if one.stream != own]


def _account(user: User, person: Identity, device_type: str, *, at: datetime) -> RecoveryAccount:
    """The row of a proven account: the one that is there, under whichever NAME key it was made, or a new one."""
    there = RecoveryAccount.objects.filter(user=user, name__in=ctxs(person, device_type)).order_by("-kid").first()
    if there is not None:
        there.label, there.proven_at = person.masked[:_LABEL], at
        there.save(update_fields=["label", "proven_at"])
        return there
    kid, key = _name_keys()[0]
    return RecoveryAccount.objects.create(
        user=user,
        name=names.ctx(key, person.issuer, person.uid, device_type),
        tag=identity.tag(person.issuer, person.uid, kid),
        kid=kid,
        role=str(person.role),
        device_type=device_type,
        label=person.masked[:_LABEL],
        proven_at=at,
    )


def _name_keys() -> list[tuple[int, Secret]]:
    every = keyring.keyring().by_name.items()
    return sorted(((kid, key) for (role, kid), key in every if role is KeyRole.NAME), reverse=True)


# -- On -------------------------------------------------------------------------------------------------------------


@sensitive_variables()
def turn_on(vault: OpenVault, person: Identity, protection: Protection, *, at: datetime) -> Backup:
    """Begin to back the list up under a proven account; its device type is that of this browser.

    Within the time of Undo it goes on as it was, or moves. Raises AlreadyOn, KeyNeeded, and NotKept where the first
    saved state could not even be made; one that is made and not yet kept goes out by itself, and the status says so.
    """
    backup = of(vault.row)
    if backup is not None and backup.stream:
        if backup.is_on:
            raise AlreadyOn
        undo(backup, device=vault.device, at=at, vault=vault)
        account = backup.recovery_account
        if account is None or bytes(account.name) not in ctxs(person, account.device_type):
            return change_account(vault, person, protection, at=at)
        return protect(vault, protection, at=at)
    _check_protection(vaults.read(vault), protection)
    try:
        with transaction.atomic():
            backup = _backup(_locked(vault), vault.user)
            if backup.stream:
                raise AlreadyOn
            accounts = _protected(vault, protection, at=at)
            _begin(backup, _account(vault.user, person, vault.device.type, at=at), vault.device, at=at)
            activity.record(
                Tag.BACKUP_ON, user=vault.user, device=vault.device, at=at, facts={"account": person.masked}
            )
            making.make(backup, accounts, at=at)
            keeping.send_once_committed(backup, at=at)
    except making.NotMade as error:
        raise not_kept(vault, error.cause, at=at) from None
    backup.refresh_from_db()
    return backup


@sensitive_variables()
def change_account(vault: OpenVault, person: Identity, protection: Protection, *, at: datetime) -> Backup:
    """Move to another recovery account: the new backup is kept and proven first, then the old one enters its time.

    The same account again is only proven anew. Raises NotOn, KeyNeeded, NotKept: then the old one goes on.
    """
    old = of(vault.row)
    if old is None or not old.is_on or old.recovery_account is None:
        raise NotOn
    if _is_of(old.recovery_account, person, vault.device.type):
        RecoveryAccount.objects.filter(pk=old.recovery_account.pk).update(label=person.masked[:_LABEL], proven_at=at)
        Backup.objects.filter(pk=old.pk).update(bound=making.bound(vault.row.pk, old.recovery_account))
        return protect(vault, protection, at=at)
    _check_protection(vaults.read(vault), protection)
    try:
        with transaction.atomic():
            _locked(vault)
            accounts = _newest(vault, at=at)
            # As if it were deleted already: whatever goes wrong from here on, `tidy` finds and clears it.
            new = Backup(user=vault.user, former_of=vault.row, switches=old.switches)
            _begin(new, _account(vault.user, person, vault.device.type, at=at), vault.device, at=at)
            making.make(new, accounts.protected_by(protection), at=at)
            Backup.objects.filter(pk=new.pk).update(deletes_at=at + _MOVING_TAKES)
    except making.NotMade as error:
        raise not_kept(vault, error.cause, at=at) from None
    if not keeping.send(new, at=at):
        cause, reference = Cause(new.failure or Cause.UNKNOWN), new.reference
        Backup.objects.filter(pk=new.pk).update(deletes_at=at)
        raise NotKept(cause, reference)
    with transaction.atomic():
        _locked(vault)
        old = Backup.objects.select_for_update().get(pk=old.pk)
        if not old.is_on or old.vault_id != vault.row.pk:
            Backup.objects.filter(pk=new.pk).update(deletes_at=at)
            raise NotOn
        old.vault, old.former_of, old.deletes_at = None, vault.row, at + settings.BACKUP_GRACE
        old.save(update_fields=["vault", "former_of", "deletes_at"])
        new.vault, new.former_of, new.deletes_at = vault.row, None, None
        new.save(update_fields=["vault", "former_of", "deletes_at"])
        activity.record(Tag.BACKUP_MOVED, user=vault.user, device=vault.device, at=at, facts={"account": person.masked})
        now = _protected(vault, protection, at=at)
        if not making.same(
            now, accounts.protected_by(protection)
        ):  # Another browser changed the list while the new one was being kept.
            making.attempt(new, now, at=at)
    new.refresh_from_db()
    return new


@sensitive_variables()
def protect(vault: OpenVault, protection: Protection, *, at: datetime) -> Backup:
    """Another protection from the next saved state on, which is made now. Raises NotOn, KeyNeeded."""
    _check_protection(vaults.read(vault), protection)
    with transaction.atomic():
        _locked(vault)
        backup = of(vault.row)
        if backup is None or not backup.is_on:
            raise NotOn
        _protected(vault, protection, at=at)  # Where it is another one, the signal makes the next saved state.
    backup.refresh_from_db()
    return backup


@sensitive_variables()
def back_up(vault: OpenVault, *, at: datetime) -> Backup:
    """Send what waits; make a saved state anew where none waits and the backup is behind. Raises NotOn."""
    with transaction.atomic():
        _locked(vault)
        rows = Backup.objects.select_for_update(of=("self",)).select_related("recovery_account")
        backup = rows.filter(vault=vault.row).first()
        if backup is None or not backup.is_on:
            raise NotOn
        waits = backup.generations.filter(state=Generation.State.WAITING).exists()
        if not waits and backup.behind_since is not None:
            making.attempt(backup, _newest(vault, at=at), at=at)
        elif waits:
            keeping.send_once_committed(backup, at=at)
    backup.refresh_from_db()
    return backup


def _begin(backup: Backup, account: RecoveryAccount, device: Device, *, at: datetime) -> None:
    of_list = backup.vault_id or backup.former_of_id
    assert of_list is not None  # noqa: S101 - a backup begins as one of a list
    backup.recovery_account, backup.stream = account, making.new_stream()
    backup.bound = making.bound(of_list, account)
    backup.device_name, backup.on_at, backup.deletes_at = device.name, at, None
    backup.high_water = backup.accepted = backup.whole = backup.named = backup.behind_changes = 0
    backup.saved_at = backup.checked_at = backup.behind_since = backup.behind_told_at = backup.retry_at = None
    backup.failure, backup.reference, backup.shrunk_from = "", "", None
    backup.save()


def _is_of(account: RecoveryAccount, person: Identity, device_type: str) -> bool:
    return account.device_type == device_type and bytes(account.name) in ctxs(person, device_type)


def not_kept(vault: OpenVault, cause: Cause, *, at: datetime) -> NotKept:
    """The error, with a reference that activity knows though all else was rolled back."""
    reference = activity.new_reference()
    keeping.logger.error("%s: not backed up, %s", reference, cause.value)
    activity.record(
        Tag.BACKUP_FAILED,
        user=vault.user,
        device=vault.device,
        at=at,
        facts={"cause": cause.value},
        reference=reference,
    )
    return NotKept(cause, reference)


# -- The list, for a backup -----------------------------------------------------------------------------------------


def _check_protection(accounts: AccountList, protection: Protection) -> None:
    if protection is Protection.KEY and not accounts.backup_keys:
        raise KeyNeeded


def _protected(vault: OpenVault, protection: Protection, *, at: datetime) -> AccountList:
    return vaults.change(vault, lambda accounts: accounts.protected_by(protection), tag=Tag.BACKUP_PROTECTED, at=at)


def _newest(vault: OpenVault, *, at: datetime) -> AccountList:
    """The list as it stands now, under the lock: `change` with nothing to change reads it."""
    return vaults.change(vault, _as_it_is, tag=Tag.BACKUP_PROTECTED, at=at)


def _as_it_is(accounts: AccountList) -> AccountList:
    return accounts


def circle(accounts: AccountList, person: Identity) -> tuple[Entry, ...]:
    """Accounts of the list that give codes for the recovery account itself: with them it would take the list to get
    the list back."""
    label = folded(person.label)
    return tuple(
        entry
        for entry in accounts
        if entry.secret is not None
        and (
            (entry.identity is not None and (entry.identity.issuer, entry.identity.uid) == (person.issuer, person.uid))
            or folded(entry.name) == label
        )
    )


# -- Off ------------------------------------------------------------------------------------------------------------


def off(backup: Backup, *, device: Device | None, at: datetime) -> Backup:
    """No new saved state from now on; after the grace all of them are deleted. Twice, the first time stands.

    Raises NotOn.
    """
    with transaction.atomic():
        _lock(backup)
        row = _row(backup)
        if not row.stream:
            raise NotOn
        if row.deletes_at is None:
            row.deletes_at = at + settings.BACKUP_GRACE
            row.save(update_fields=["deletes_at"])
            activity.record(Tag.BACKUP_OFF, user=row.user, device=device, at=at, facts=_account_fact(row))
    return row


def undo(backup: Backup, *, device: Device | None, at: datetime, vault: OpenVault | None = None) -> Backup:
    """It goes on as before. A former one takes its place again, and the one that had taken it enters its own grace.

    With the list open a saved state is made where the list has changed meanwhile. Raises TimeOver, NotOn.
    """
    with transaction.atomic():
        _lock(backup)
        row = _row(backup)
        if not row.stream:
            raise TimeOver
        if row.deletes_at is None:
            return row
        if row.deletes_at <= at:
            raise TimeOver
        if row.former_of_id is not None:
            _give_way(row.former_of_id, device=device, at=at)
            row.vault_id, row.former_of = row.former_of_id, None
        row.deletes_at = None
        row.save(update_fields=["vault", "former_of", "deletes_at"])
        activity.record(Tag.BACKUP_KEPT, user=row.user, device=device, at=at, facts=_account_fact(row))
        if vault is not None:
            making.attempt(row, _newest(vault, at=at), at=at)
        elif row.vault is not None and (row.saved_at is None or row.vault.changed_at > row.saved_at):
            row.behind_since, row.behind_changes = row.behind_since or row.vault.changed_at, row.behind_changes + 1
            row.high_water += 1  # What still waits is older than that change, and does not count for it.
            row.save(update_fields=["behind_since", "behind_changes", "high_water"])
    row.refresh_from_db()
    return row


def _give_way(vault_id: UUID, *, device: Device | None, at: datetime) -> None:
    taking = Backup.objects.select_for_update().filter(vault=vault_id).first()
    if taking is None:
        return
    if not taking.stream:
        taking.delete()
        return
    taking.vault, taking.former_of_id = None, vault_id
    taking.deletes_at = taking.deletes_at or at + settings.BACKUP_GRACE
    taking.save(update_fields=["vault", "former_of", "deletes_at"])
    activity.record(Tag.BACKUP_OFF, user=taking.user, device=device, at=at, facts=_account_fact(taking))


def delete_now(backup: Backup, *, device: Device | None, at: datetime) -> None:
    """Delete every saved state at once. The caller holds the open list, or a fresh proof of the recovery account.

    Only of one that is on its way out. Raises NotOn, StoreFailed.
    """
    with transaction.atomic():
        _lock(backup)
        row = _row(backup)
        if not row.stream or row.deletes_at is None:
            raise NotOn
        _end(row, device=device, at=at)


def expire(at: datetime) -> int:
    """Delete the backups whose grace is over. Returns how many. Raises NotAllDone for those the store kept.

    Where newer saved states lie there than the records know, these were put back, and of an Undo since then they know
    nothing: the grace begins anew, and the person is told again.
    """
    ended, failing = 0, 0
    for backup in Backup.objects.filter(deletes_at__lte=at):
        try:
            with transaction.atomic():
                _lock(backup)
                row = Backup.objects.select_for_update().filter(pk=backup.pk, deletes_at__lte=at).first()
                if row is not None and not _begins_anew(row, at=at):
                    _end(row, device=None, at=at)
                    ended += 1
        except StoreFailed as error:
            keeping.logger.error("A backup was not deleted: %s", error.cause.value)
            failing += 1
        except Exception as error:  # One that fails holds back no other.
            keeping.logger.error("A backup was not deleted: %s", type(error).__name__, exc_info=error)
            failing += 1
    if failing:
        raise keeping.NotAllDone
    return ended


def _begins_anew(row: Backup, *, at: datetime) -> bool:
    account = row.recovery_account
    newest = keeping.newest_whole(account, row.stream, above=row.high_water) if account is not None else 0
    if newest <= row.high_water:
        return False
    row.high_water, row.deletes_at = newest, at + settings.BACKUP_GRACE
    row.save(update_fields=["high_water", "deletes_at"])
    activity.record(Tag.BACKUP_OFF, user=row.user, at=at, facts=_account_fact(row))
    return True


def _end(row: Backup, *, device: Device | None, at: datetime) -> None:
    facts = _account_fact(row) | {"count": row.generations.stored().count()}
    keeping.delete_all(row)
    activity.record(Tag.BACKUP_DELETED, user=row.user, device=device, at=at, facts=facts)
    if row.vault_id is None:
        row.delete()
        return
    row.recovery_account = row.on_at = row.deletes_at = row.saved_at = row.checked_at = row.shrunk_from = None
    row.behind_since = row.behind_told_at = row.retry_at = None
    row.bound = b""
    row.stream = row.device_name = row.protection = row.failure = row.reference = ""
    row.high_water = row.accepted = row.whole = row.named = row.behind_changes = 0
    row.save()


# -- Older saved states that open otherwise -------------------------------------------------------------------------


def is_open_to_operator(vault: Vault) -> bool:
    """Whether anything is kept of this list that the recovery account alone opens, and so the operator can."""
    of_list = Q(backup__vault=vault) | Q(backup__former_of=vault)
    return Generation.objects.filter(of_list, slots=[]).exists()


def open_to_operator(backup: Backup) -> list[Generation]:
    """Saved states that the sign-in alone opens, while the backup is protected by a key: older ones."""
    if backup.protection != Protection.KEY:
        return []
    return [one for one in backup.generations.stored().newest_first() if one.opens_with_sign_in]


def open_with_former_keys(backup: Backup, accounts: AccountList) -> list[Generation]:
    """Saved states that still open with words or a passkey that open the list no more."""
    there = {one.slot for one in accounts.backup_keys}
    every = backup.generations.stored().newest_first()
    return [one for one in every if any(slot not in there for _, slot in one.slots)]


def delete_older(backup: Backup, generations: Iterable[Generation], *, device: Device | None, at: datetime) -> int:
    """Delete these saved states, never the newest proven one. Returns how many. Raises StoreFailed."""
    newest = backup.generations.stored().newest_first().first()
    chosen = [one for one in generations if newest is not None and one.pk != newest.pk]
    deleted = sum([keeping.delete(one) for one in chosen])
    if deleted:
        activity.record(Tag.BACKUP_OLDER_DELETED, user=backup.user, device=device, at=at, facts={"count": deleted})
    if deleted < len(chosen):
        raise StoreFailed(storage.Cause.UNKNOWN)
    return deleted


def accept(backup: Backup, *, device: Device | None, at: datetime) -> None:
    """ "This is right": the list is meant to be that small. The fuller saved state stays pinned for the time of Undo.

    `keeping.tidy` lets it go: whoever holds a browser for a moment deletes no backup at once.
    """
    with transaction.atomic():
        _lock(backup)
        row = _row(backup)
        if row.shrunk_from is None:
            return
        row.shrunk_from, row.accepted = None, row.high_water
        row.save(update_fields=["shrunk_from", "accepted"])
        activity.record(Tag.BACKUP_ACCEPTED, user=row.user, device=device, at=at, facts={"backup": str(row.pk)})


def needs_key(vault: Vault) -> bool:
    """Whether a backup of this list is protected by a key, so that the last one has to stay."""
    return Backup.objects.filter(vault=vault, protection=Protection.KEY).exclude(stream="").exists()


@contextmanager
def one_at_a_time(vault: OpenVault) -> Iterator[None]:
    """A second click waits here for the first, and finds what it did. What fails inside is not to be raised out of it
    where it was noted: the note would be undone too."""
    with transaction.atomic():
        _locked(vault)
        yield


# -- Rows -----------------------------------------------------------------------------------------------------------


def _locked(vault: OpenVault) -> Vault:
    return Vault.objects.select_for_update().get(pk=vault.row.pk)


def _lock(backup: Backup) -> None:
    of_list = backup.vault_id or backup.former_of_id
    if of_list is not None:
        Vault.objects.select_for_update().filter(pk=of_list).first()


def _row(backup: Backup) -> Backup:
    row = Backup.objects.select_for_update().filter(pk=backup.pk).first()
    if row is None:
        raise TimeOver
    return row


def _backup(row: Vault, user: User) -> Backup:
    backup = Backup.objects.select_for_update().filter(vault=row).first()
    return backup or Backup.objects.create(user=user, vault=row, protection="")


def _account_fact(row: Backup) -> dict[str, object]:
    return {"account": row.recovery_account.label if row.recovery_account else ""}
