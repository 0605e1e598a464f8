"""Backups without a list pass to the one that was restored from their account: "Earlier backups".

Either their list is gone, or will be; or the records are, and the store alone tells of them. They get no newer saved
state. They are shown, and deleted with the list's own.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.views.decorators.debug import sensitive_variables

from accounts.services.identity import Identity
from accounts.services.vaults import OpenVault
from accounts.vault.list import Protection
from backups.contents import Contents
from backups.models import Backup, Generation
from backups.services import making, objects, recovery, retaining, searching
from backups.services.searching import Choice
from backups.storage import StoreFailed

logger = logging.getLogger(__name__)

_THINNED_AFTER = timedelta(days=retaining.DAYS_KEPT)  # From then on none is one of the last seven days'.


@sensitive_variables()
def unrecorded(person: Identity, contents: Contents, stream: str, number: int, *, at: datetime) -> list[Choice]:
    """The newest saved state of each backup that lies under a proven account and that no row knows.

    `contents`, `stream`, `number` are of the one that is being restored, of which all is known. Asked before the
    transaction that adopts them. Of a store that fails nothing is found: the next restore asks again.
    """
    if objects.is_silent(at):
        return []
    try:
        with objects.asking(at):
            found = list(searching.unrecorded(person, contents.device_type, stream))
    except StoreFailed as error:
        logger.warning("Earlier backups were not looked for: %s", error.cause.value)
        return []
    return [_known(one, contents, number) if one.name.stream.hex() == stream else one for one in found]


def _known(newest: Choice, contents: Contents, number: int) -> Choice:
    """With what the saved state that is being restored tells: of an older one, from which device it is."""
    if newest.name.sequence != number:
        return replace(newest, device_name=contents.device_name)
    return newest.told_by(contents)


def adopt(vault: OpenVault, person: Identity, found: Collection[Choice], stream: str, *, at: datetime) -> None:
    """What lies under a proven account passes to this list: now where its own list is gone, later where it goes later.

    `found` is what `unrecorded` gave, `stream` the one that is restored. Whoever opens a backup has a right to it; what
    was only found may be somebody else's who holds the same account, and goes to them once they open it. In the
    transaction of the restore, which has locked the list.
    """
    names = recovery.ctxs(person, vault.device.type)
    under = Backup.objects.filter(recovery_account__name__in=names, left_at=None).exclude(stream="")
    own = under.filter(user=vault.user).exclude(vault=vault.row).exclude(former_of=vault.row)
    own.exclude(passes_to=vault.row).update(passes_to=vault.row)
    for choice in found:
        with suppress(IntegrityError), transaction.atomic():  # Another restore was quicker.
            _recorded(vault, person, choice, unopened=choice.name.stream.hex() != stream, at=at)
    rows = under.select_for_update(of=("self",)).select_related("recovery_account")
    row = rows.filter(stream=stream, unopened=True).first()
    if row is not None:
        _opened(row, vault, person, at=at)


def _recorded(vault: OpenVault, person: Identity, newest: Choice, *, unopened: bool, at: datetime) -> None:
    """A backup of which nothing was known: by it everything in its stream is deleted one day."""
    account = recovery.account(vault.user, person, vault.device.type, ctx=newest.name.ctx, at=at)
    Backup.objects.create(
        user=vault.user,
        passes_to=vault.row,
        unopened=unopened,
        recovery_account=account,
        bound=making.bound(vault.row.pk, account),
        stream=newest.name.stream.hex(),
        device_name=newest.device_name,
        protection=Protection.KEY if newest.kinds else Protection.SIGN_IN,
        high_water=newest.name.sequence,
        on_at=at,
        saved_at=newest.made_at,
        whole=newest.whole,
        named=newest.named,
    )


def _opened(row: Backup, vault: OpenVault, person: Identity, *, at: datetime) -> None:
    """One that was only found is opened. Where another had found it before, it was never theirs, nor was its end."""
    if row.user_id != vault.user.pk:
        assert row.recovery_account is not None  # noqa: S101 - a constraint of the table
        ctx = bytes(row.recovery_account.name)
        row.recovery_account = recovery.account(vault.user, person, vault.device.type, ctx=ctx, at=at)
        row.user, row.passes_to, row.deletes_at = vault.user, vault.row, None
        row.bound = making.bound(vault.row.pk, row.recovery_account)
    row.unopened = False
    row.save(update_fields=["user", "recovery_account", "passes_to", "bound", "unopened", "deletes_at"])


def tidy(at: datetime) -> int:
    """To earlier backups nothing newer comes after which older saved states would go: a week later those go by this.

    The newest three stay, and pinned ones. What has no records was thinned out while it had some, and stays as it is:
    names alone say nothing of what opens. Returns how many went.
    """
    earlier = Backup.objects.earlier().filter(deletes_at=None)
    states = Count("generations", filter=Q(generations__state=Generation.State.PROVEN, generations__pinned=False))
    full = earlier.filter(saved_at__lte=at - _THINNED_AFTER).annotate(states=states)
    full = full.filter(states__gt=retaining.NEWEST_KEPT)
    return sum(retaining.prune(pk, at=at) for pk in full.values_list("pk", flat=True))
