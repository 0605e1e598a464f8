"""A list becomes a saved state: sealed, opened again by the way a restore takes, compared. Only then it may be kept.

Called inside the transaction of the change it saves, under the lock of the vault's row. Nothing that fails here undoes
the change of the list.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts import roles
from accounts.models import Vault
from accounts.roles import Role
from accounts.services import keyring, policy, vaults
from accounts.services.policy import Act
from accounts.vault import keys
from accounts.vault.entry import Type
from accounts.vault.errors import VaultError
from accounts.vault.keys import Label, Secret
from accounts.vault.keys import Role as KeyRole
from accounts.vault.list import AccountList, BackupKey, Protection
from backups import envelope
from backups.contents import Contents
from backups.contents import prove as prove_contents
from backups.envelope import Place, StoreKey
from backups.models import Backup, Cause, Generation, RecoveryAccount
from backups.services import keeping

logger = logging.getLogger(__name__)

_STREAM = 8
_SMALL = 2  # A list of under half the accounts of the fullest saved state has shrunk.


class NotMade(Exception):
    """No saved state was made, and why. The list is as it is."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause


def on_changed(sender: Any, *, vault: Vault, before: AccountList, after: AccountList, at: datetime, **_: Any) -> None:
    """A list was changed: where it is backed up, the new state is made now and kept once the change is committed."""
    # The backup's row before those of its saved states, here and in `keeping`: so none waits for another in a circle.
    rows = Backup.objects.select_for_update(of=("self",)).select_related("recovery_account", "user")
    backup = rows.filter(vault=vault).first()
    if backup is None or not backup.is_on:
        return
    if after is not before and same(before, after):
        return
    attempt(backup, after, at=at, counter_only=after is not before and _counted(before, after))


@sensitive_variables()
def attempt(backup: Backup, accounts: AccountList, *, at: datetime, counter_only: bool = False) -> Generation | None:
    """`make`, under a savepoint; it is sent once all is committed. What fails is noted on the backup: None."""
    made = None
    try:
        with transaction.atomic():
            made = make(backup, accounts, at=at, counter_only=counter_only)
    except NotMade as error:
        fell_behind(backup, error.cause, at=at)
    except Exception as error:  # Whatever it is, the change of the list stands.
        logger.error("A backup could not be made: %s", type(error).__name__, exc_info=error)
        fell_behind(backup, Cause.UNKNOWN, at=at)
    else:
        keeping.send_once_committed(backup, made, at=at)
    return made


@sensitive_variables()
def make(backup: Backup, accounts: AccountList, *, at: datetime, counter_only: bool = False) -> Generation:
    """The next saved state of a list, proven to open, with its bytes waiting. Raises NotMade."""
    account = backup.recovery_account
    assert account is not None  # noqa: S101 - a constraint of the table
    if not roles.fits(Role(account.role), account.device_type, at):
        raise NotMade(Cause.PROVIDER)
    backup_keys = _backup_keys(accounts)
    try:
        kid, key = keyring.keyring().newest(KeyRole.STORE)
        of_list = backup.vault_id or backup.former_of_id
        is_bound = of_list is not None and hmac.compare_digest(bytes(backup.bound), bound(of_list, account))
    except ImproperlyConfigured:
        raise NotMade(Cause.KEYS) from None
    if not is_bound:
        raise NotMade(Cause.OTHER_IDENTITY)
    place = Place(bytes(account.name), bytes.fromhex(backup.stream), backup.high_water + 1)
    refused = left_out(backup, accounts, at=at)
    contents = Contents.of_list(
        replace(accounts, entries=tuple(entry for entry in accounts.entries if entry.id not in refused)),
        device_type=account.device_type,
        device_name=backup.device_name,
        app=settings.VERSION,
        at=vaults.seconds(at),
    )
    try:
        sealed = prove(contents, place, kid=kid, key=key, backup_keys=backup_keys)
    except VaultError as error:
        logger.error("A backup did not open as it was made: %s", type(error).__name__)
        raise NotMade(Cause.NOT_OPENED) from None
    if backup.behind_since is not None:  # Else nothing waits.
        waiting = backup.generations.filter(state=Generation.State.WAITING)
        waiting.update(state=Generation.State.SUPERSEDED, waiting=None)
    made = Generation.objects.create(
        recovery_account=account,
        backup=backup,
        stream=backup.stream,
        sequence=place.sequence,
        sha256=hashlib.sha256(sealed).digest(),
        kid=kid,
        size=len(sealed),
        whole=contents.whole,
        named=contents.named,
        left_out=len(refused),
        left_out_marks=backup.marks(refused),
        device_name=backup.device_name,
        slots=[[one.kind, one.slot] for one in backup_keys],
        waiting=sealed,
        counter_only=counter_only,
        made_at=at,
    )
    _guard_against_shrinking(backup, made.of_list)
    backup.high_water = place.sequence
    backup.protection = accounts.backup_protection
    backup.behind_since = backup.behind_since or at
    backup.behind_changes += 1
    backup.save(update_fields=["high_water", "protection", "behind_since", "behind_changes", "shrunk_from"])
    return made


def left_out(backup: Backup, accounts: AccountList, *, at: datetime) -> Collection[str]:
    """The ids of those that a backup of this list would lack at this time, because a rule says so."""
    return policy.refused(backup.user, Act.BACK_UP, accounts.entries, at=at)


@sensitive_variables()
def prove(contents: Contents, place: Place, *, kid: int, key: Secret, backup_keys: tuple[BackupKey, ...] = ()) -> bytes:
    """The contents sealed for a place, and opened again through every slot as a restore would.

    Raises Damaged and its like where what was opened is not what was sealed, or is nothing that a restore would take.
    `key` is the server's key S of number `kid`.
    """
    store, text = StoreKey.of(key), contents.to_bytes()
    sealed = envelope.write(text, place, kid=kid, key=store, backup_keys=backup_keys)
    opened = envelope.prove(sealed, place, {kid: store}.get, backup_keys)
    prove_contents(text, opened, device_type=contents.device_type)
    return sealed


def fell_behind(backup: Backup, cause: Cause, *, at: datetime) -> None:
    """A change is in no saved state: noted, with a reference that activity and log know, once for each cause."""
    # What was rolled back is not so. The number goes by, so that no older saved state counts for this change.
    backup.refresh_from_db(fields=["behind_since", "behind_changes", "failure", "high_water"])
    backup.behind_since = backup.behind_since or at
    backup.behind_changes += 1
    backup.high_water += 1
    backup.save(update_fields=["behind_since", "behind_changes", "high_water"])
    keeping.failed(backup, cause, at=at)


def bound(list_id: UUID, account: RecoveryAccount) -> bytes:
    """By what a backup is known to be of this list, under this recovery account: neither is believed from rows alone.

    Raises ImproperlyConfigured where the server keys file lacks the key that named the account.
    """
    key = keyring.keyring().get(KeyRole.NAME, account.kid)
    return keys.fingerprint(key, Label.BACKUP_BOUND, list_id.bytes, bytes(account.name))


def new_stream() -> str:
    """The name of a backup that begins: 16 hexadecimal letters, by chance."""
    return keys.random_bytes(_STREAM).hex()


def is_small(count: int, fullest: int) -> bool:
    """Whether a list of so many accounts has shrunk, beside the fullest saved state that is kept."""
    return fullest > 0 and count * _SMALL < fullest


def _backup_keys(accounts: AccountList) -> tuple[BackupKey, ...]:
    if accounts.backup_protection is not Protection.KEY:
        return ()
    if not accounts.backup_keys:
        raise NotMade(Cause.NO_KEY)
    return accounts.backup_keys


def same(before: AccountList, after: AccountList) -> bool:
    """Whether a backup of both would hold and open the same: the Trash is in none."""
    return (
        before.entries == after.entries
        and before.backup_protection == after.backup_protection
        and before.backup_keys == after.backup_keys
    )


def _counted(before: AccountList, after: AccountList) -> bool:
    """Whether a counter went on, and nothing else happened."""
    if len(before) != len(after) or before.entries == after.entries:
        return False
    if (before.backup_keys, before.backup_protection) != (after.backup_keys, after.backup_protection):
        return False
    return all(
        one == other or (one.type is Type.HOTP and one == replace(other, counter=one.counter))
        for one, other in zip(before.entries, after.entries, strict=True)
    )


def _guard_against_shrinking(backup: Backup, count: int) -> None:
    """Pin the fullest saved state where the list became much smaller, until the person decides; let go where it grew.

    `count` is what the list has: what a rule leaves out of a saved state is not lost. A list not smaller than the
    newest saved one is no smaller than half of the fullest, unless that was said already.
    """
    if backup.shrunk_from is None and count >= backup.of_list:
        return
    stored = backup.generations.stored().filter(sequence__gt=backup.accepted).newest_first()
    fullest = max(stored, key=lambda one: one.count, default=None)
    if fullest is not None and is_small(count, fullest.count):
        backup.shrunk_from = fullest.count
        stored.filter(pk=fullest.pk).update(pinned=True)
    elif backup.shrunk_from is not None:
        backup.shrunk_from = None
        stored.update(pinned=False)
