"""The recovery account: who was proven, under which names their backups lie, what is there already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Q

from accounts import roles
from accounts.models import User, Vault
from accounts.services import identity, keyring
from accounts.services.identity import Identity
from accounts.vault.entry import Entry, folded
from accounts.vault.list import AccountList
from backups import names
from backups.models import Backup, RecoveryAccount
from backups.services import objects

LABEL = 64  # Letters of a masked label that a row holds.


def known(user: User, device_type: str, at: datetime) -> RecoveryAccount | None:
    """The account that "Continue" means: the one proven last whose provider fits this device type and date."""
    fitting = [role.value for role in roles.recovery_roles(device_type, at)]
    accounts = RecoveryAccount.objects.filter(user=user, device_type=device_type, role__in=fitting)
    return accounts.order_by("-proven_at").first()


def ctxs(person: Identity, device_type: str) -> list[bytes]:
    """The names under which this person's backups of a device type lie, the newest first: one for each NAME key, under
    the issuer that was verified and then under each that the same role had before."""
    return list(_made_by(person, device_type))


def _made_by(person: Identity, device_type: str) -> dict[bytes, tuple[int, str]]:
    """The same, each with the number of its NAME key and its issuer."""
    kids, issuers = keyring.name_kids(), roles.issuers_of(person.role, person.issuer)
    return {
        names.ctx(keyring.name_key(kid), issuer, person.uid, device_type): (kid, issuer)
        for issuer in issuers
        for kid in kids
    }


def found(person: Identity, device_type: str, *, besides: Vault | None = None, at: datetime) -> list[objects.Found]:
    """The backups that lie under a proven account already, but for the list's own, and those that it was restored from.

    Raises StoreFailed.
    """
    with objects.asking(at):
        there = objects.found(ctxs(person, device_type))
    if besides is None:
        return there
    of_list = Backup.objects.filter(Q(vault=besides) | Q(passes_to=besides))
    own = set(of_list.values_list("stream", flat=True))
    return [one for one in there if one.stream not in own]


def account(
    user: User, person: Identity, device_type: str, *, ctx: bytes | None = None, at: datetime
) -> RecoveryAccount:
    """The row of a proven account: the one that is there, whichever NAME key or issuer made its name, or a new one.

    With one of its `ctxs`, the row of just that name. KeyError for a name of somebody else.
    """
    made_by = _made_by(person, device_type)
    known = list(made_by) if ctx is None else [ctx]
    rows = RecoveryAccount.objects.filter(user=user, name__in=known)
    there = min(rows, key=lambda row: known.index(bytes(row.name)), default=None)
    if there is not None:
        there.label, there.proven_at = person.masked[:LABEL], at
        there.save(update_fields=["label", "proven_at"])
        return there
    kid, issuer = made_by[known[0]]
    return RecoveryAccount.objects.create(
        user=user,
        name=known[0],
        tag=identity.tag(issuer, person.uid, kid),
        kid=kid,
        role=str(person.role),
        device_type=device_type,
        label=person.masked[:LABEL],
        proven_at=at,
    )


def labels(user: User, device_type: str, *, besides: Identity) -> list[str]:
    """What the person's own other recovery accounts of a device type are called, masked, if a backup is kept there."""
    names = ctxs(besides, device_type)
    kept = RecoveryAccount.objects.filter(user=user, device_type=device_type, generations__isnull=False)
    return sorted(set(kept.exclude(name__in=names).values_list("label", flat=True)))


@dataclass(frozen=True, slots=True)
class Gone:
    """What became of the backups that lay under a proven account, where none is left: `deleted_at` of the last one, or
    that the store has yet to let one go."""

    deleted_at: datetime | None = None
    is_under_way: bool = False


def gone(person: Identity, device_type: str) -> Gone:
    """What the records of whoever held this account tell of backups that ended: whoever proves it learns that much."""
    names = ctxs(person, device_type)
    leaving = Backup.objects.filter(recovery_account__name__in=names, saved_at__isnull=False, left_at__isnull=False)
    if leaving.exclude(protection="").exists():  # Emptied once it is deleted, and was told to be.
        return Gone(is_under_way=True)
    accounts = RecoveryAccount.objects.filter(name__in=names)
    return Gone(deleted_at=accounts.aggregate(last=Max("deleted_at"))["last"])


def is_of(account: RecoveryAccount, person: Identity, device_type: str) -> bool:
    """Whether a recovery account is that of this person, for devices of this type."""
    return account.device_type == device_type and bytes(account.name) in ctxs(person, device_type)


def holds(person: Identity, backup: Backup) -> bool:
    """Whether a backup lies under the account of this person."""
    account = backup.recovery_account
    return account is not None and is_of(account, person, account.device_type)


def circle(accounts: AccountList, person: Identity) -> tuple[Entry, ...]:
    """Accounts of the list that give codes for the recovery account itself: with them it would take the list to get
    the list back."""
    label, issuers = folded(person.label), roles.issuers_of(person.role, person.issuer)
    return tuple(
        entry
        for entry in accounts
        if entry.secret is not None
        and (folded(entry.name) == label or any(entry.stands_for(issuer, person.uid) for issuer in issuers))
    )
