"""The status card: everything that it says of a backup, but for labels of outside accounts, which the page isolates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import roles
from accounts.models import Event
from accounts.roles import Role
from accounts.rows import day_of
from accounts.services import blocking
from accounts.services.held_keys import Held
from accounts.services.vaults import OpenVault
from accounts.templatetags.look import clock
from backups import chip, moments
from backups.models import NEEDS_THE_PERSON, UNCHECKED_WARNS_AFTER, Backup, Cause, Status
from backups.services import finding, searching
from backups.states import DEVICES, GO_ON_WITH, KEPT_UNDER, PROBLEMS, STATES, Step

_WITH_FACTS = frozenset({Status.PROTECTED, Status.UNCHECKED, Status.DELETING, Status.NO_PROVIDER})


@dataclass(frozen=True, slots=True)
class Card:
    """How one backup stands, in sentences. `second` stands under the title, `strong` before the texts.

    `fuller` is what a restore calls the fuller saved state that is held.
    """

    backup: Backup
    status: Status
    sign: str
    tone: str
    title: str
    second: str = ""
    strong: str = ""
    texts: tuple[str, ...] = ()
    setting: str = ""  # The one that the operator would have to set.
    steps: tuple[Step, ...] = ()
    reference: str = ""
    fuller: str = ""

    @property
    def has_facts(self) -> bool:
        """Whether facts are told: in trouble the cause, what is safe and the next step are enough."""
        return bool(self.backup.stream) and self.status in _WITH_FACTS

    @property
    def is_on(self) -> bool:
        """What the switch shows: the true state."""
        return self.backup.is_on


def of(backup: Backup | None, *, user: Any, vault: OpenVault | None, held: Held | None, at: datetime) -> Card:
    """The card of a backup; None stands for a list that never had one. `vault` is the list, where it is open here."""
    backup = backup or Backup(user=user)
    status = backup.status(at)
    count = len(vault.opened) if vault is not None and vault.opened is not None else None
    if status is Status.OFF and vault is not None and not roles.recovery_roles(vault.device.type, at):
        status = Status.NO_PROVIDER
    say = _Sayings(backup, user=user, at=at)
    if status is Status.OFF:
        return _made(backup, status, second=_accounts(count), texts=_lost(count, held))
    if status is Status.NO_PROVIDER:
        return _no_provider(backup, vault, held, say, count=count, at=at)
    if status is Status.DELETING:
        steps = tuple(step for step in STATES[status].steps if step is not Step.DELETE_NOW or not backup.unopened)
        return _made(backup, status, title=say.will_be_deleted(), second=_accounts(backup.count), steps=steps)
    if status is Status.UNSAVED:
        return _made(backup, status, title=say.title(status), second=say.waiting(), texts=say.kept())
    if status is Status.FAILING:
        return _failing(backup, say)
    if status is Status.NEEDS_YOU:
        return _needs_you(backup, say, at=at)
    if status is Status.SHRUNK:
        return _shrunk(backup, count)
    of_all = _("%(count)s of %(all)s accounts") % {
        "count": backup.count,
        "all": backup.of_list if count is None else count,
    }
    left, steps = _left_out(backup, vault, say, at=at)
    if status in chip.SAVED and finding.is_stranded(backup, user):
        return _stranded(backup, status, vault, second=of_all, texts=left)
    if status is Status.UNCHECKED:
        line, sign, tone = chip.unchecked(backup, at=at)
        late = backup.checked_at is not None and at - backup.checked_at > UNCHECKED_WARNS_AFTER
        more = (_("It was not read again for over 30 days. Check it now."),) if late else ()
        texts = (*left, f"{line}.", *more)
        return _made(
            backup, status, sign=sign, tone=tone, second=of_all, texts=texts, steps=(*steps, *STATES[status].steps)
        )
    if status is Status.SAVING:
        return _made(backup, status, second=say.waiting())
    return _made(backup, status, second=of_all, texts=left, steps=(*steps, *STATES[status].steps))


def _left_out(
    backup: Backup, vault: OpenVault | None, say: _Sayings, *, at: datetime
) -> tuple[tuple[str, ...], tuple[Step, ...]]:
    """Why accounts of the list are in no saved state, and what to do where the newest one goes by other rules."""
    if vault is None or vault.opened is None:
        return (), ()
    held = blocking.held(vault.opened.entries, blocking.met_by(vault), at=at)
    if not held and not backup.left_out:
        return (), ()
    now = Counter(held.values())
    texts = [
        ngettext(
            "%(count)d account is no longer backed up: blocked for %(domain)s since %(day)s.",
            "%(count)d accounts are no longer backed up: blocked for %(domain)s since %(day)s.",
            count,
        )
        % {"count": count, "domain": block.readable, "day": day_of(block.from_date)}
        for block, count in now.items()
    ]
    lacking = set(backup.left_out_marks.split())
    is_lacking = {entry.id: backup.mark(entry.id) in lacking for entry in vault.opened.entries}
    more = sum(lacks for entry_id, lacks in is_lacking.items() if entry_id not in held)
    still = sum(not is_lacking[entry_id] for entry_id in held)
    if more:
        texts.append(
            ngettext(
                "%(count)d account is blocked no longer and is in no saved state yet.",
                "%(count)d accounts are blocked no longer and are in no saved state yet.",
                more,
            )
            % {"count": more}
        )
    if still and backup.saved_at is not None:
        sentence = ngettext(
            "The saved state of %(time)s still holds it. A restore does not bring it back.",
            "The saved state of %(time)s still holds them. A restore does not bring them back.",
            still,
        )
        texts.append(sentence % {"time": say.short(backup.saved_at)})
    return tuple(texts), (Step.BACK_UP,) if more else ()


class _Sayings:
    """Sentences that several states share."""

    def __init__(self, backup: Backup, *, user: Any, at: datetime) -> None:
        self.backup, self.user, self.at = backup, user, at

    def short(self, moment: datetime) -> str:
        return moments.short(moment, self.user, at=self.at)

    def title(self, status: Status) -> str:
        return str(STATES[status].title) % {"time": self.short(self.backup.behind_since or self.at)}

    def waiting(self) -> str:
        count = self.backup.behind_changes
        if not count:  # A saved state was lost, and nothing was changed since.
            return ""
        return ngettext("%(count)d change waits.", "%(count)d changes wait.", count) % {"count": count}

    def kept(self) -> tuple[str, ...]:
        if self.backup.saved_at is None:
            return ()
        return (_("The backup of %(time)s is kept.") % {"time": self.short(self.backup.saved_at)},)

    def will_be_deleted(self) -> str:
        sentence = _("This backup will be deleted on %(day)s at %(time)s.")
        return sentence % moments.named(self.backup.deletes_at or self.at, self.user)


def _made(backup: Backup, status: Status, **fields: Any) -> Card:
    state = STATES[status]
    fields = {"sign": state.sign, "tone": state.tone, "title": str(state.title), "steps": state.steps, **fields}
    return Card(backup, status, **fields)


def _accounts(count: int | None) -> str:
    if count is None:
        return ""
    return ngettext("%(count)d account", "%(count)d accounts", count) % {"count": count}


def _lost(count: int | None, held: Held | None) -> tuple[str, ...]:
    if count == 0:
        return (_("This list is empty. Its backup begins with the first account."),)
    if count is None:
        lost = _("If this list is lost, its accounts are lost with it.")
    else:
        lost = ngettext(
            "If this list is lost, %(count)d account is lost with it.",
            "If this list is lost, %(count)d accounts are lost with it.",
            count,
        ) % {"count": count}
    if held is not None and held.words:
        return (lost, _("Your six words open this list while this server keeps it."))
    if held is not None and held.passkeys:
        return (lost, _("Your passkey opens this list while this server keeps it."))
    return (lost,)


def _no_provider(
    backup: Backup, vault: OpenVault | None, held: Held | None, say: _Sayings, *, count: int | None, at: datetime
) -> Card:
    account = backup.recovery_account
    role = Role(account.role) if account is not None else _wanted(vault, at=at)
    strong = _("This server has no recovery provider.")
    if backup.stream:
        kept = (
            _("The backup of %(time)s is kept, but nobody could restore it now.") % {"time": say.short(backup.saved_at)}
            if backup.saved_at is not None
            else _("Nobody could restore it now.")
        )
        return _made(
            backup,
            Status.NO_PROVIDER,
            title=_("Needs its operator"),
            strong=strong,
            texts=(kept,),
            setting=roles.setting(role),
        )
    words = held is not None and bool(held.words)
    more = (
        _("Your six words open this list while this server keeps it.")
        if words
        else _("Six words open this list while this server keeps it.")
    )
    texts = (_("Without one nobody could get a backup back, so it cannot be turned on."), more)
    steps = () if words or vault is None else (Step.MAKE_WORDS,)
    return _made(
        backup,
        Status.NO_PROVIDER,
        second=_accounts(count),
        strong=strong,
        texts=texts,
        setting=roles.setting(role),
        steps=steps,
    )


def _wanted(vault: OpenVault | None, *, at: datetime) -> Role:
    """The role whose provider is missing: by the type of this device."""
    if vault is not None and vault.device.type == "ios" and roles.fits(Role.APPLE, "ios", at):
        return Role.APPLE
    return Role.MICROSOFT


def _failing(backup: Backup, say: _Sayings) -> Card:
    problem = PROBLEMS[Cause(backup.failure or Cause.UNKNOWN)]
    since = _("Not backed up since %(time)s.") % {"time": say.short(backup.behind_since or say.at)}
    cause = " ".join(filter(None, (str(problem.sentence), again(backup, say.user, at=say.at))))
    return _made(
        backup,
        Status.FAILING,
        second=" ".join((since, say.waiting())),
        texts=(cause, " ".join((_("Your list is unchanged."), *say.kept()))),
        steps=problem.steps,
        reference=backup.reference,
    )


def again(backup: Backup, user: Any, *, at: datetime) -> str:
    """When it is tried again by itself, where that helps."""
    helps = backup.failure in (Cause.STORE, Cause.UNEQUAL) and backup.retry_at is not None
    if not helps or backup.retry_at is None:
        return ""
    moment = clock(timezone.localtime(max(backup.retry_at, at)), user)
    return _("Authweb tries again at %(time)s.") % {"time": moment}


def misfit(event: Event) -> str:
    """Which accounts hold backups of the type of device that a failure names, on its day; empty where it names none."""
    type = event.facts.get("type")
    if type not in DEVICES:
        return ""
    day = date_format(timezone.localtime(event.at), _("j F Y"))
    return str(KEPT_UNDER[roles.fitting(type, event.at)]) % {"day": day, "devices": DEVICES[type]}


def _needs_you(backup: Backup, say: _Sayings, *, at: datetime) -> Card:
    if backup.failure in NEEDS_THE_PERSON and backup.failure != Cause.PROVIDER:
        problem = PROBLEMS[Cause(backup.failure)]
        texts = (str(problem.sentence), *say.kept())
        return _made(backup, Status.NEEDS_YOU, texts=texts, steps=problem.steps, reference=backup.reference)
    account = backup.recovery_account
    fitting = roles.recovery_roles(account.device_type, at) if account is not None else ()
    texts = ((str(GO_ON_WITH[fitting[0]]),) if fitting else ()) + say.kept()
    return _made(backup, Status.NEEDS_YOU, texts=texts, steps=(Step.CHANGE_ACCOUNT,), reference=backup.reference)


def _stranded(backup: Backup, status: Status, vault: OpenVault | None, *, second: str, texts: tuple[str, ...]) -> Card:
    """It is saved and checked, and yet no use to its person until they hold a key again."""
    needs = STATES[Status.NEEDS_YOU]
    return _made(
        backup,
        status,
        sign=needs.sign,
        tone=needs.tone,
        title=str(needs.title),
        second=second,
        strong=_("Nothing you use now opens this backup."),
        texts=texts,
        steps=(Step.ACCEPT_PASSKEYS,) if vault is None else (Step.MAKE_WORDS, Step.ACCEPT_PASSKEYS),
    )


def _shrunk(backup: Backup, count: int | None) -> Card:
    fuller = backup.shrunk_from or 0
    held = max(backup.generations.stored().filter(pinned=True), key=lambda one: one.count, default=None)
    went = ngettext(
        "Your list went from %(fuller)d to %(count)d account.",
        "Your list went from %(fuller)d to %(count)d accounts.",
        backup.count if count is None else count,
    ) % {"fuller": fuller, "count": backup.count if count is None else count}
    kept = ngettext("The backup of %(count)d account is kept.", "The backup of %(count)d accounts is kept.", fuller) % {
        "count": fuller
    }
    return _made(backup, Status.SHRUNK, texts=(went, kept), fuller=searching.key_of(held) if held else "")
