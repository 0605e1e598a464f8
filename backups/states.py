"""How a backup stands and why one was not made, in words: two tables, which system checks keep whole.

Colours are few: "" is well, "wait" asks for a look, "danger" is lost or about to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.models import DeviceType
from accounts.roles import Role
from accounts.vault.list import Protection
from backups.models import Cause, Status

Sentence = str | Promise


class Step(StrEnum):
    """What a person can do next; `templates/backups/_step.html` has the button of each."""

    TURN_ON = "turn_on"
    BACK_UP = "back_up"
    CHECK = "check"
    CONTINUE = "continue"
    CHANGE_ACCOUNT = "change_account"
    RESTORE = "restore"
    ACCEPT = "accept"
    UNDO = "undo"
    DELETE_NOW = "delete_now"
    MAKE_WORDS = "make_words"
    ACCEPT_PASSKEYS = "accept_passkeys"
    CHANGE_PROTECTION = "change_protection"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class State:
    """How a status is shown: its sign, its colour, its heading on the card, its words in the chip, what comes next.

    `asks`: it stays so until the person does something, so that a dot stands on "Settings".
    """

    sign: str
    tone: str
    title: Sentence
    chip: Sentence
    steps: tuple[Step, ...] = ()
    asks: bool = False


# Sentences with %(time)s are filled by `cards`.
STATES: Mapping[Status, State] = MappingProxyType(
    {
        Status.OFF: State("off", "wait", _("Not backed up."), _("Not backed up"), (Step.TURN_ON,)),
        Status.NO_PROVIDER: State("off", "wait", _("Not backed up."), _("Not backed up"), (Step.MAKE_WORDS,)),
        Status.SAVING: State("on", "", _("Saving …"), _("Saving …")),
        Status.PROTECTED: State("on", "", _("Backed up."), _("Backed up"), (Step.CHECK,)),
        Status.UNSAVED: State(
            "unsaved",
            "wait",
            _("Not backed up since %(time)s."),
            _("Not backed up since %(time)s"),
            (Step.BACK_UP,),
        ),
        # The words of the article, on the card and on the page of the failure alone; the chip says what it means.
        Status.FAILING: State(
            "failing", "danger", _("Something went wrong"), _("Not backed up since %(time)s"), asks=True
        ),
        Status.UNCHECKED: State("on", "", _("Backed up."), _("Backed up"), (Step.CHECK,)),
        Status.NEEDS_YOU: State("needs", "wait", _("Needs you"), _("Needs you"), asks=True),
        Status.SHRUNK: State("needs", "wait", _("Needs you"), _("Needs you"), (Step.RESTORE, Step.ACCEPT), asks=True),
        Status.DELETING: State(
            "deleting",
            "wait",
            _("This backup will be deleted."),
            _("Backup will be deleted"),
            (Step.UNDO, Step.DELETE_NOW),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a backup was not made: the cause, more of it, and the next steps, the likeliest first."""

    sentence: Sentence
    more: Sentence = ""
    steps: tuple[Step, ...] = (Step.CONTINUE, Step.CHANGE_ACCOUNT)


_UNFINISHED = _("The sign-in was not finished.")

PROBLEMS: Mapping[Cause, Problem] = MappingProxyType(
    {
        Cause.NO_SIGN_IN: Problem(_("You are not signed in to the recovery account.")),
        Cause.CANCELLED: Problem(_UNFINISHED, _("You cancelled it at the provider.")),
        Cause.UNREACHABLE: Problem(_UNFINISHED, _("The provider did not answer.")),
        Cause.UNTRUSTED: Problem(_UNFINISHED, _("The provider's answer could not be trusted.")),
        Cause.STALE: Problem(_UNFINISHED, _("It was not a new sign-in.")),
        Cause.LOST: Problem(_UNFINISHED, _("It was too long ago, was used before, or was begun in another browser.")),
        Cause.OTHER_IDENTITY: Problem(_("You signed in as another person than the one of the recovery account.")),
        Cause.WORK_ACCOUNT: Problem(
            _("A work or school account cannot hold the backup."), steps=(Step.CHANGE_ACCOUNT,)
        ),
        Cause.PROVIDER: Problem(
            _("The recovery account does not fit this type of device at this date."), steps=(Step.CHANGE_ACCOUNT,)
        ),
        Cause.NO_KEY: Problem(
            _("The backup is protected by a key that you hold, and your list has none."),
            steps=(Step.MAKE_WORDS, Step.CHANGE_PROTECTION),
        ),
        Cause.NOT_OPENED: Problem(
            _("The backup that was made did not open, so it was not kept."), steps=(Step.OPERATOR,)
        ),
        Cause.STORE: Problem(_("The copy could not be stored."), steps=(Step.BACK_UP,)),
        Cause.TAKEN: Problem(
            _("The place of the copy is taken: the records of this server are older than its store."),
            steps=(Step.BACK_UP, Step.OPERATOR),
        ),
        Cause.UNEQUAL: Problem(
            _("The copy in the store is not what was written. It does not count."),
            steps=(Step.BACK_UP, Step.OPERATOR),
        ),
        Cause.MISSING: Problem(
            _("The copy is no longer in the store. It does not count."), steps=(Step.BACK_UP, Step.OPERATOR)
        ),
        Cause.KEYS: Problem(_("The server is not set up for backups."), steps=(Step.OPERATOR,)),
        Cause.TOO_LARGE: Problem(_("The list is larger than a backup can be."), steps=(Step.OPERATOR,)),
        Cause.UNKNOWN: Problem(_("An unexpected error."), steps=(Step.BACK_UP,)),
    }
)


# -- What hangs on the type of a device -------------------------------------------------------------------------------

RESTORES_ON: Mapping[str, Sentence] = MappingProxyType(
    {
        DeviceType.IOS.value: _("iOS devices only"),
        DeviceType.ANDROID.value: _("Android devices only"),
        DeviceType.COMPUTER.value: _("computers only"),
    }
)

# As a restore speaks of them: "for Android devices".
DEVICES: Mapping[str, Sentence] = MappingProxyType(
    {
        DeviceType.IOS.value: _("iOS devices"),
        DeviceType.ANDROID.value: _("Android devices"),
        DeviceType.COMPUTER.value: _("computers"),
    }
)

# Of a backup that is closed here, filled with their `count`: where it can be restored.
CLOSED: Mapping[str, Sentence] = MappingProxyType(
    {
        DeviceType.IOS.value: ngettext_lazy(
            "%(count)d backup exists for iOS devices. It can be restored on an iOS device only.",
            "%(count)d backups exist for iOS devices. They can be restored on an iOS device only.",
            "count",
        ),
        DeviceType.ANDROID.value: ngettext_lazy(
            "%(count)d backup exists for Android devices. It can be restored on an Android device only.",
            "%(count)d backups exist for Android devices. They can be restored on an Android device only.",
            "count",
        ),
        DeviceType.COMPUTER.value: ngettext_lazy(
            "%(count)d backup exists for computers. It can be restored on a computer only.",
            "%(count)d backups exist for computers. They can be restored on a computer only.",
            "count",
        ),
    }
)

IMPORTANT_TO: Mapping[str, Sentence] = MappingProxyType(
    {
        DeviceType.IOS.value: _("On this iOS device only backups of iOS devices can be restored."),
        DeviceType.ANDROID.value: _("On this Android device only backups of Android devices can be restored."),
        DeviceType.COMPUTER.value: _("On this computer only backups of computers can be restored."),
    }
)

# The article's callout, before any step.
IMPORTANT: Mapping[str, Sentence] = MappingProxyType(
    {
        DeviceType.IOS.value: _("A backup made on this iOS device can be restored on iOS devices only."),
        DeviceType.ANDROID.value: _("A backup made on this Android device can be restored on Android devices only."),
        DeviceType.COMPUTER.value: _("A backup made on this computer can be restored on computers only."),
    }
)

IMPORTANT_OF: Mapping[str, Sentence] = MappingProxyType(
    {
        DeviceType.IOS.value: _("This backup can be restored on iOS devices only."),
        DeviceType.ANDROID.value: _("This backup can be restored on Android devices only."),
        DeviceType.COMPUTER.value: _("This backup can be restored on computers only."),
    }
)

ACCOUNTS: Mapping[Role, Sentence] = MappingProxyType(
    {
        Role.MICROSOFT: _("Microsoft personal account"),
        Role.APPLE: _("iCloud account"),
        Role.ENTRA: _("Work or school account"),
    }
)

SIGN_IN_WITH: Mapping[Role, Sentence] = MappingProxyType(
    {
        Role.MICROSOFT: _("Sign in with Microsoft"),
        Role.APPLE: _("Sign in with iCloud"),
        Role.ENTRA: _("Sign in at work or school"),
    }
)

GO_ON_WITH: Mapping[Role, Sentence] = MappingProxyType(
    {
        Role.MICROSOFT: _("Sign in with Microsoft to go on backing up."),
        Role.APPLE: _("Sign in with iCloud to go on backing up."),
        Role.ENTRA: _("A work or school account cannot hold the backup."),
    }
)

# What holds recovery accounts of a type of device on a day, by the roles that fit.
KEPT_UNDER: Mapping[tuple[Role, ...], Sentence] = MappingProxyType(
    {
        (Role.MICROSOFT,): _(
            "On %(day)s backups for %(devices)s are kept under a Microsoft personal account. "
            "The recovery account is of another kind."
        ),
        (Role.APPLE,): _(
            "On %(day)s backups for %(devices)s are kept under an iCloud account. "
            "The recovery account is of another kind."
        ),
        (Role.MICROSOFT, Role.APPLE): _(
            "On %(day)s backups for %(devices)s are kept under a Microsoft personal account or an iCloud account. "
            "The recovery account is of another kind."
        ),
    }
)

PROTECTIONS: Mapping[str, Sentence] = MappingProxyType(
    {
        Protection.SIGN_IN.value: _("Sign-in only"),
        Protection.KEY.value: _("Sign-in and a key you hold"),
    }
)

OPERATOR_CAN_OPEN = _("The operator of this server can open this backup, and so your codes.")

# By what the person holds: words, a passkey. Where there is none yet, both are meant.
NOTHING_OPENS: Mapping[tuple[bool, bool], Sentence] = MappingProxyType(
    {
        (True, True): _(
            "Nothing stored opens this backup without your six words or your passkey. "
            "The server sees them while you use them."
        ),
        (True, False): _(
            "Nothing stored opens this backup without your six words. The server sees them while you use them."
        ),
        (False, True): _("Nothing stored opens this backup without your passkey. The server sees it while you use it."),
        (False, False): _(
            "Nothing stored opens this backup without your six words or your passkey. "
            "The server sees them while you use them."
        ),
    }
)

OPENS_WITH: Mapping[tuple[bool, bool], Sentence] = MappingProxyType(
    {
        (True, True): _("sign-in and your six words or your passkey"),
        (True, False): _("sign-in and your six words"),
        (False, True): _("sign-in and your passkey"),
        (False, False): _("sign-in and a key you hold"),
    }
)
NOTHING_USED_OPENS = _("nothing that you use now")
SIGN_IN_OPENS = _("sign-in only: the operator of this server can open it")

# -- How far a restore is ---------------------------------------------------------------------------------------------


def restore_steps(step: int, *, last: int = 5) -> dict[str, Any]:
    """What `templates/backups/_steps.html` shows of a step of a restore."""
    return {"step": step, "bars": range(1, last + 1), "last_step": last}
