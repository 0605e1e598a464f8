"""A newer pepper: every key slot passes under it, without anybody's secret."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.models import KeyCheck, KeySlot
from accounts.services import keyring
from accounts.vault import keys
from accounts.vault.errors import Damaged
from accounts.vault.keys import Role, Secret

logger = logging.getLogger(__name__)

_AT_ONCE = 100


def rewrap(_at: datetime) -> int:
    """Bring every slot that an older pepper wraps under the newest. Returns how many.

    Killed midway, the next run goes on: each slot opens at any instant, by the pepper its row names. What does not open
    under its pepper, or names one that the file lacks, is named in the log and left. A slot that somebody holds locked
    waits for the next run; a request for approval wraps nothing yet and runs out by itself.
    """
    kid, pepper = keyring.pepper()
    if not KeyCheck.objects.filter(role=Role.PEPPER, kid=kid).exists():
        return 0  # No server has started with it yet: those that run could not read what it wraps.
    old = KeySlot.objects.filter(kid__lt=kid, wrapped__isnull=False).order_by("pk")
    rewrapped, last = 0, UUID(int=0)
    while True:
        with transaction.atomic():
            slots = list(old.filter(pk__gt=last).select_for_update(skip_locked=True)[:_AT_ONCE])
            rewrapped += sum(_rewrap(slot, kid, pepper) for slot in slots)
        if not slots:
            return rewrapped
        last = slots[-1].pk


def _rewrap(slot: KeySlot, kid: int, pepper: Secret) -> int:
    known = keyring.keyring().by_name.get((Role.PEPPER, slot.kid))
    if known is None:
        logger.error("The key slot %s stays: the server keys file lacks PEPPER %d", slot.pk, slot.kid)
        return 0
    wrapped = bytes(slot.wrapped or b"")
    try:
        again = keys.rewrap(wrapped, known, pepper, slot.vault_id.bytes, slot.pk.bytes)
    except Damaged:
        logger.error("The key slot %s stays: PEPPER %d does not open it", slot.pk, slot.kid)
        return 0
    return KeySlot.objects.filter(pk=slot.pk, kid=slot.kid, wrapped=wrapped).update(kid=kid, wrapped=again)


def carried(at: datetime) -> Counter[int]:
    """How many slots hang on each pepper: those it wraps, and requests for approval that have not run out."""
    hanging = KeySlot.objects.filter(Q(wrapped__isnull=False) | Q(expires_at__gt=at))
    return Counter(hanging.values_list("kid", flat=True))
