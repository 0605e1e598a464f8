"""The chip of a list that is backed up, or is not: its sign, its state, a second line; and the cell in Settings."""

from __future__ import annotations

import html
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from accounts import arrivals, chips, filling
from accounts.chips import Chip
from accounts.filling import Filler
from accounts.models import Vault
from accounts.services.vaults import OpenVault
from backups import moments
from backups.models import UNCHECKED_WARNS_AFTER, Backup, RecoveryAccount, Status
from backups.services import finding
from backups.states import STATES

# What a state is told by, and no more: it is read with every page.
READ = (
    *("id", "vault_id", "recovery_account_id", "stream", "protection", "deletes_at", "saved_at", "checked_at"),
    *("whole", "named", "left_out", "behind_since", "behind_changes", "failure", "reference", "shrunk_from"),
)
READ_OF_ACCOUNT = ("id", "role", "device_type", "label")

SAVED = frozenset({Status.PROTECTED, Status.UNCHECKED})  # The list as it stands is in the store.

BESIDE = (
    arrivals.Beside(Backup, READ, by="vault_id", other=Vault, of_other="id"),
    arrivals.Beside(RecoveryAccount, READ_OF_ACCOUNT, by="id", other=Backup, of_other="recovery_account_id"),
)


def of(vault: OpenVault) -> Backup | None:
    """The backup of an open list as it stood when the request came: it came with the list, without a query."""
    if vault.found is None:
        return finding.of(vault.row)
    backup = vault.found.made(Backup)
    if backup is not None and backup.recovery_account_id is not None:
        backup.recovery_account = vault.found.made(RecoveryAccount)
    return backup


class Told(NamedTuple):
    """How a backup stands, in few words."""

    status: Status
    sign: str
    tone: str
    state: str
    line: str
    asks: bool


def told(backup: Backup | None, vault: OpenVault, *, at: datetime) -> Told:
    """What chip and cell say. `vault` may be unread: then accounts are not counted in it."""
    status = (backup or Backup()).status(at)
    state = STATES[status]
    sign, tone, asks = state.sign, state.tone, state.asks
    words, line, user = str(state.chip), "", vault.user
    if backup is None or status in (Status.OFF, Status.NO_PROVIDER):
        tone, line = ("", _counted(vault)) if backup is None or not backup.stream else (tone, "")
    elif status is Status.DELETING and backup.deletes_at is not None:
        line = moments.ahead(backup.deletes_at, user)
    elif status in (Status.UNSAVED, Status.FAILING):
        since = moments.short(backup.behind_since or at, user, at=at)
        words %= {"time": since}
    elif status in (Status.NEEDS_YOU, Status.SHRUNK):
        line = _("Look at it")
    elif status in SAVED and finding.is_stranded(backup, user):
        needs = STATES[Status.NEEDS_YOU]
        return Told(status, needs.sign, needs.tone, str(needs.chip), _("Nothing you use opens it"), needs.asks)
    elif status in SAVED and backup.saved_at is not None:
        line = _("%(count)s of %(all)s, %(time)s") % {
            "count": backup.count,
            "all": backup.of_list,
            "time": moments.short(backup.saved_at, user, at=at),
        }
        if status is Status.UNCHECKED:
            line, sign, tone = unchecked(backup, at=at)
    return Told(status, sign, tone, words, line, asks)


def unchecked(backup: Backup, *, at: datetime) -> tuple[str, str, str]:
    """How long a backup was not read again, its sign and its colour: over 30 days it is a warning."""
    if backup.checked_at is None:
        return _("Not checked yet"), "needs", "wait"
    days = (at - backup.checked_at).days
    line = ngettext("Checked %(count)d day ago", "Checked %(count)d days ago", days) % {"count": days}
    late = at - backup.checked_at > UNCHECKED_WARNS_AFTER
    return (line, "needs", "wait") if late else (line, "on", "")


def _counted(vault: OpenVault) -> str:
    if vault.opened is None:
        return _("Cloud Backup is off")
    count = len(vault.opened)
    return ngettext("%(count)d account", "%(count)d accounts", count) % {"count": count}


def chip(vault: OpenVault, at: datetime) -> Chip | None:
    """The chip of a list; None where there is no backup and "One way in" says more."""
    backup = of(vault)
    off = backup is None or not backup.stream
    if off and vault.only_door:
        return None
    says = told(backup, vault, at=at)
    token = chips.token(says.status, says.sign, says.state, "" if off else says.line)
    if off and vault.opened is not None and not len(vault.opened):
        return Chip("", token)  # There is nothing to lose yet.
    values = {"state": html.escape(says.state), "line": html.escape(says.line)}
    shown = _filler(get_language() or "", says.sign, says.tone, bool(says.line), says.asks)(values)
    return Chip(mark_safe(shown), token)  # noqa: S308 - what is filled in was escaped two lines above


_MARKS = filling.marks(("state", "line"))


@lru_cache(maxsize=256)
def _filler(language: str, sign: str, tone: str, has_line: bool, asks: bool) -> Filler:
    context = {"sign": sign, "tone": tone, "asks": asks, "state": _MARKS["state"]}
    context["line"] = _MARKS["line"] if has_line else ""
    return filling.filler(render_to_string("backups/_chip.html", context))
