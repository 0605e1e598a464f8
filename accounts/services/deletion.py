"""A person leaves: asked for, undone within a day, carried out. Nothing of them stays."""

from __future__ import annotations

import logging
from datetime import datetime

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction

from accounts.models import Device, User, Vault
from accounts.services import activity, attempts, notices
from accounts.services.activity import Tag

logger = logging.getLogger(__name__)


class LastSuperuser(Exception):
    """Nobody else may do everything in the administration: this person stays until somebody else may."""


class TimeOver(Exception):
    """The day has come: what was asked for is no longer undone."""


class NotAllLeft(Exception):
    """Some people whose time is over could not be deleted; the log names them by their ids."""


@transaction.atomic
def ask(user: User, *, at: datetime, device: Device | None = None, by: User | None = None) -> None:
    """From now on the person's lists can only be read; ACCOUNT_DELETED_AFTER later, at `deletes_at`, all of it goes.

    Asked twice, the first time stands. `by` is who asked in the person's place. Raises LastSuperuser.
    """
    # All of them in one order: of the last two one stays, though both ask at once.
    chiefs = list(User.objects.select_for_update().filter(is_superuser=True, is_active=True).order_by("pk"))
    row = User.objects.select_for_update().get(pk=user.pk)
    if row.deletes_at is None:
        if row in chiefs and not any(chief != row and chief.deletes_at is None for chief in chiefs):
            raise LastSuperuser
        row.deletes_at = at + settings.ACCOUNT_DELETED_AFTER
        row.save(update_fields=["deletes_at"])
        by_staff = by is not None and by.pk != row.pk
        activity.record(Tag.PERSON_LEAVES, user=row, device=device, at=at, facts={"by_staff": by_staff})
    user.deletes_at = row.deletes_at


@transaction.atomic
def undo(user: User, *, at: datetime, device: Device | None = None) -> None:
    """The person stays, with all they have. For who does not leave nothing happens. Raises TimeOver."""
    row = User.objects.select_for_update().filter(pk=user.pk).first()
    if row is None or (row.deletes_at is not None and row.deletes_at <= at):
        raise TimeOver
    if row.deletes_at is not None:
        row.deletes_at = None
        row.save(update_fields=["deletes_at"])
        activity.record(Tag.PERSON_STAYS, user=row, device=device, at=at)
    user.deletes_at = None


def expire(at: datetime) -> int:
    """Delete everything of those whose time is over, and tell their former address. Returns how many people left.

    One who cannot be deleted holds back no other. Raises NotAllLeft for them at the end.
    """
    left, failed = 0, 0
    for pk in list(User.objects.filter(deletes_at__lte=at).order_by("deletes_at").values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                list(Vault.objects.select_for_update().filter(user=pk).order_by("pk"))  # First, as every change does.
                user = User.objects.select_for_update().filter(pk=pk, deletes_at__lte=at).first()
                if user is None:
                    continue  # Undone meanwhile, or another run was quicker.
                _delete(user)
            left += 1
        except Exception:
            logger.exception("A person could not be deleted: %s", pk)
            failed += 1
    if failed:
        raise NotAllLeft
    return left


def _delete(user: User) -> None:
    """All rows that are theirs or speak of them. What hangs on the user's row goes with it, lists and keys too."""
    ids = {str(user.pk), *(str(pk) for pk in user.devices.values_list("pk", flat=True))}
    addresses = {user.email, *EmailAddress.objects.filter(user=user).values_list("email", flat=True)}
    for list_id in user.vaults.values_list("pk", flat=True):
        attempts.forget_list(list_id)
    LogEntry.objects.filter(object_id__in=ids).delete()  # What staff did to them; what they did themselves cascades.
    _end_sessions(str(user.pk), {str(user.pk), *(address.casefold() for address in addresses)})
    notices.say_goodbye(user)
    user.delete()


def _end_sessions(user_id: str, names: set[str]) -> None:
    """Their sessions, noted by allauth or not, and those of nobody yet that wait for a code of theirs."""
    ended = []
    for session in Session.objects.iterator(chunk_size=200):
        data = session.get_decoded()
        signed_in = data.get(SESSION_KEY)
        if signed_in == user_id or (signed_in is None and _mentions(data, names)):
            ended.append(session.pk)
    for start in range(0, len(ended), 200):
        Session.objects.filter(pk__in=ended[start : start + 200]).delete()


def _mentions(data: object, names: set[str]) -> bool:
    """Whether one of the names stands in it as a whole, however deep."""
    if isinstance(data, dict):
        return any(_mentions(value, names) for value in data.values())
    if isinstance(data, list | tuple):
        return any(_mentions(value, names) for value in data)
    return isinstance(data, str) and data.casefold() in names
