"""Which backup: of a list, of a person, by its id; and its row under the lock of its list."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import F, Q

from accounts.models import SlotKind, User, Vault
from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.services.vaults import OpenVault
from accounts.vault.list import AccountList, Protection
from backups.models import Backup


class NotOn(Exception):
    """Cloud Backup is not on: another browser, or another tab, was quicker."""


class TimeOver(Exception):
    """The time of Undo is over: it is deleted."""


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
    """The backups of a person that are kept, of all their lists: those in play first, earlier ones last."""
    kept = Backup.objects.filter(user=user).exclude(stream="")
    never_saved = Q(saved_at=None, deletes_at__isnull=False) & ~Q(vault=None, former_of=None)
    kept = kept.exclude(never_saved)
    kept = kept.filter(left_at=None)  # Those are gone, but for what the store has yet to let go.
    kept = kept.select_related("recovery_account", "vault").order_by(F("deletes_at").asc(nulls_first=True), "-on_at")
    return sorted(kept, key=lambda one: one.is_earlier)


def former(vault: Vault, *, at: datetime) -> list[Backup]:
    """Backups of a list under former recovery accounts, in their time of Undo, the newest first."""
    left = vault.former_backups.exclude(saved_at=None).filter(deletes_at__gt=at)
    return list(left.select_related("recovery_account").order_by("-deletes_at"))


def earlier(vault: Vault) -> list[Backup]:
    """Backups whose own list is no more and that passed to this one, the newest first; also those on their way out."""
    passed = Backup.objects.earlier().filter(passes_to=vault)
    return list(passed.select_related("recovery_account").order_by(F("saved_at").desc(nulls_last=True), "-on_at"))


def needs_key(vault: Vault) -> bool:
    """Whether a backup of this list is protected by a key, so that the last one has to stay."""
    return Backup.objects.filter(vault=vault, protection=Protection.KEY).exclude(stream="").exists()


# -- What opens it ----------------------------------------------------------------------------------------------------


def opens_by_passkey_alone(backup: Backup) -> bool:
    """Whether a passkey, and no words, opens the newest saved state."""
    if backup.protection != Protection.KEY:
        return False
    newest = backup.generations.stored().newest_first().first()
    return newest is not None and {kind for kind, _slot in newest.slots} == {SlotKind.PASSKEY.value}


def is_stranded(backup: Backup, user: User) -> bool:
    """Whether its person uses nothing that opens it: passkeys alone do, and none of theirs is accepted."""
    return user.passkeys_off and opens_by_passkey_alone(backup)


# -- Under the lock -------------------------------------------------------------------------------------------------


def locked(vault: OpenVault) -> Vault:
    """The row of an open list, locked until the transaction ends."""
    return Vault.objects.select_for_update().get(pk=vault.row.pk)


def lock(backup: Backup) -> None:
    """Lock the list that a backup is of, now or formerly, where there is one."""
    of_list = backup.vault_id or backup.former_of_id or backup.passes_to_id
    if of_list is not None:
        Vault.objects.select_for_update().filter(pk=of_list).first()


def row_of(backup: Backup) -> Backup:
    """The row of a backup as it is now, locked after its list. Raises TimeOver where it is no more."""
    row = Backup.objects.select_for_update().filter(pk=backup.pk).first()
    if row is None:
        raise TimeOver
    return row


def again(backup: Backup) -> Backup:
    """The same as the database has it by now, without a lock. Raises NotOn where it was deleted meanwhile."""
    found = Backup.objects.select_related("recovery_account").filter(pk=backup.pk).first()
    if found is None:
        raise NotOn
    return found


def begun(row: Vault, user: User) -> Backup:
    """The backup of a locked list; one that is off, where nobody has answered anything yet."""
    backup = Backup.objects.select_for_update().filter(vault=row).first()
    return backup or Backup.objects.create(user=user, vault=row, protection="")


def newest_list(vault: OpenVault, *, at: datetime) -> AccountList:
    """The list as it stands now, under the lock: `change` with nothing to change reads it."""
    return vaults.change(vault, _as_it_is, tag=Tag.BACKUP_PROTECTED, at=at)


def _as_it_is(accounts: AccountList) -> AccountList:
    return accounts


def account_fact(row: Backup) -> dict[str, object]:
    """What a line of activity says of the recovery account: its masked label."""
    return {"account": row.recovery_account.label if row.recovery_account else ""}
