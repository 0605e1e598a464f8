"""One line for each act: what happened, when, on which device; who is told of it follows from its tag."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext_lazy, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import Device, Event, User
from accounts.roles import ROLES
from accounts.services import notices
from accounts.vault import keys


class Tag(StrEnum):
    """What can happen: `source:subject:action`. Retired ones are kept."""

    DEVICE_SET_UP = "devices:device:set_up"
    DEVICE_RENAMED = "devices:device:renamed"
    DEVICE_REMOVED = "devices:device:removed"
    DEVICE_PUT_BACK = "devices:device:put_back"
    DEVICE_SHREDDED = "devices:device:shredded"
    DEVICE_OPENED_BY_WORDS = "devices:device:opened_by_words"
    DEVICE_OPENED_BY_PASSKEY = "devices:device:opened_by_passkey"
    DEVICE_OPENED_BY_APPROVAL = "devices:device:opened_by_approval"
    REQUEST_MADE = "devices:request:made"
    REQUEST_APPROVED = "devices:request:approved"
    REQUEST_REFUSED = "devices:request:refused"
    REQUEST_ENDED = "devices:request:ended"
    WORDS_MADE = "keys:words:made"
    WORDS_REMOVED = "keys:words:removed"
    WORDS_FAILED = "keys:words:refused"
    PASSKEY_ADDED = "keys:passkey:added"
    PASSKEY_REMOVED = "keys:passkey:removed"
    LIST_BEGUN = "lists:list:begun"
    LIST_PUT_ASIDE = "lists:list:put_aside"
    LIST_KEPT = "lists:list:kept"
    LIST_DELETED = "lists:list:deleted"
    ENTRY_ADDED = "lists:entry:added"
    ENTRY_RENAMED = "lists:entry:renamed"
    ENTRY_NOTED = "lists:entry:noted"
    ENTRY_PINNED = "lists:entry:pinned"
    ENTRY_TRASHED = "lists:entry:trashed"
    ENTRY_PUT_BACK = "lists:entry:put_back"
    ENTRY_DELETED = "lists:entry:deleted"
    ENTRY_COUNTED = "lists:entry:counted"
    ENTRY_SIGNED_IN = "lists:entry:signed_in"
    ENTRY_SCANNED = "lists:entry:scanned"
    ENTRY_KEPT = "lists:entry:kept"
    LIST_ORDERED = "lists:list:ordered"
    LIST_UNDONE = "lists:list:undone"
    LIST_MENDED = "lists:list:mended"
    SIGNED_IN = "sign_in:session:begun"
    SIGNED_OUT = "sign_in:session:ended"
    SIGNED_OUT_ELSEWHERE = "sign_in:session:ended_elsewhere"
    SIGN_IN_FAILED = "sign_in:session:refused"
    FACTOR_FAILED = "sign_in:factor:refused"
    SIGNED_UP = "people:person:signed_up"
    PASSWORD_CHANGED = "sign_in:password:changed"  # noqa: S105 - a tag
    PASSWORD_RESET = "sign_in:password:reset"  # noqa: S105 - a tag
    ADDRESS_ADDED = "sign_in:address:added"
    ADDRESS_CHANGED = "sign_in:address:changed"
    ADDRESS_REMOVED = "sign_in:address:removed"
    FACTOR_ADDED = "sign_in:factor:added"
    FACTOR_REMOVED = "sign_in:factor:removed"
    FACTOR_TAKEN_OFF = "sign_in:factor:taken_off"
    RECOVERY_CODES_MADE = "sign_in:recovery_codes:made"
    PASSKEYS_REFUSED = "sign_in:passkeys:off"
    PASSKEYS_ACCEPTED = "sign_in:passkeys:on"
    OUTSIDE_LINKED = "sign_in:outside:linked"
    OUTSIDE_UNLINKED = "sign_in:outside:unlinked"
    PROOF_BEGUN = "proofs:proof:begun"
    PROOF_PROVEN = "proofs:proof:proven"
    PROOF_FAILED = "proofs:proof:failed"
    PROOF_SPENT = "proofs:proof:spent"
    RECORDS_PUT_BACK = "server:records:put_back"
    DOMAIN_BLOCKED = "policy:domain:blocked"
    DOMAIN_CHANGED = "policy:domain:changed"
    DOMAIN_FREED = "policy:domain:freed"
    DOMAIN_REFUSED = "policy:domain:refused"
    MEMBER_BLOCKED = "policy:member:blocked"
    MEMBER_FREED = "policy:member:freed"
    PERSON_INVITED = "people:person:invited"
    PERSON_LEAVES = "people:person:leaves"
    PERSON_STAYS = "people:person:stays"
    BACKUP_ON = "backups:backup:on"
    BACKUP_OFF = "backups:backup:off"
    BACKUP_EARLIER_OFF = "backups:earlier:off"
    BACKUP_KEPT = "backups:backup:kept"
    BACKUP_MOVED = "backups:backup:moved"
    BACKUP_PROTECTED = "backups:backup:protected"
    BACKUP_UNPROTECTED = "backups:backup:unprotected"
    BACKUP_REPLACED = "backups:backup:replaced"
    BACKUP_DELETED = "backups:backup:deleted"
    BACKUP_FAILED = "backups:backup:failed"
    BACKUP_BEHIND = "backups:backup:behind"
    BACKUP_ACCEPTED = "backups:backup:accepted"
    BACKUP_OLDER_DELETED = "backups:older:deleted"
    RESTORED = "backups:restore:done"
    RESTORED_BY_ANOTHER = "backups:restore:by_another"


@dataclass(frozen=True, slots=True)
class Line:
    """How a tag is told: its sentence, the group it is found under, whether its owner is mailed and shown it.

    `told` is what the other devices say where that is another sentence; beside it stands "This was not me".
    """

    sentence: str | Promise
    group: str
    mailed: bool = False
    shown: bool = False  # The person's other devices say so at their next look.
    undone: bool = False  # "Undo" stands beside it while the state before is kept.
    told: str | Promise = ""


TAGS: Mapping[Tag, Line] = {
    Tag.DEVICE_SET_UP: Line(_("This device was set up: %(device)s."), "devices", mailed=True),
    Tag.DEVICE_RENAMED: Line(_("A device was renamed: %(device)s."), "devices"),
    Tag.DEVICE_REMOVED: Line(_("A device was removed: %(device)s."), "devices", mailed=True),
    Tag.DEVICE_PUT_BACK: Line(_("A removed device was put back: %(device)s."), "devices", mailed=True),
    Tag.DEVICE_SHREDDED: Line(_("The key of a removed device was deleted: %(device)s."), "devices"),
    Tag.DEVICE_OPENED_BY_WORDS: Line(
        _("Your list was opened by your words in a new browser: %(device)s."), "devices", mailed=True, shown=True
    ),
    Tag.DEVICE_OPENED_BY_PASSKEY: Line(
        _("Your list was opened by a passkey in a new browser: %(device)s."), "devices", mailed=True, shown=True
    ),
    Tag.DEVICE_OPENED_BY_APPROVAL: Line(
        _("Your list was opened by approval in a new browser: %(device)s."), "devices", mailed=True, shown=True
    ),
    Tag.REQUEST_MADE: Line(_("A browser asked to open your list: %(device)s."), "devices"),
    Tag.REQUEST_APPROVED: Line(_("You let a browser open your list: %(asked)s."), "devices"),
    Tag.REQUEST_REFUSED: Line(_("A browser that asked to open your list was refused: %(asked)s."), "devices"),
    Tag.REQUEST_ENDED: Line(_("Wrong letters ended the request of a browser: %(asked)s."), "devices"),
    Tag.WORDS_MADE: Line(_("Words that open your list were made."), "keys", mailed=True, shown=True),
    Tag.WORDS_REMOVED: Line(_("The words that opened your list were removed."), "keys", mailed=True, shown=True),
    Tag.WORDS_FAILED: Line(_("Wrong words were typed to open your list."), "keys"),
    Tag.PASSKEY_ADDED: Line(_("A passkey that opens your list was added: %(name)s."), "keys", mailed=True, shown=True),
    Tag.PASSKEY_REMOVED: Line(_("A passkey no longer opens your list: %(name)s."), "keys", mailed=True, shown=True),
    Tag.LIST_BEGUN: Line(_("A separate list was begun."), "devices", mailed=True),
    Tag.LIST_PUT_ASIDE: Line(
        _("The list of %(former)s was put aside. It is deleted on %(day)s."), "devices", mailed=True, shown=True
    ),
    Tag.LIST_KEPT: Line(_("The list of %(former)s is kept: it is in use again."), "devices", mailed=True),
    Tag.LIST_DELETED: Line(_("The list of %(former)s, which was put aside, was deleted."), "devices"),
    Tag.ENTRY_ADDED: Line(
        ngettext_lazy("%(count)d account was added.", "%(count)d accounts were added.", "count"), "list"
    ),
    Tag.ENTRY_RENAMED: Line(_("An account was renamed."), "list"),
    Tag.ENTRY_NOTED: Line(_("The note of an account was changed."), "list"),
    Tag.ENTRY_PINNED: Line(_("An account was pinned or unpinned."), "list"),
    Tag.ENTRY_TRASHED: Line(_("An account was moved to Trash."), "list", undone=True),
    Tag.ENTRY_PUT_BACK: Line(_("An account was put back from Trash."), "list"),
    Tag.ENTRY_DELETED: Line(_("An account was deleted for good."), "list"),
    Tag.ENTRY_COUNTED: Line(_("A counter account gave its next code."), "list"),
    Tag.ENTRY_SIGNED_IN: Line(_("You signed in to an account that came back by its name."), "list", undone=True),
    Tag.ENTRY_SCANNED: Line(_("An account that came back by its name has a code again."), "list"),
    Tag.ENTRY_KEPT: Line(_("An account that came back by its name is kept so, without a code."), "list", undone=True),
    Tag.LIST_ORDERED: Line(_("The order of the list was changed."), "list", undone=True),
    Tag.LIST_UNDONE: Line(_("A change of the list was undone."), "list"),
    Tag.LIST_MENDED: Line(_("The list was damaged; its last good state was put back."), "list", mailed=True),
    Tag.SIGNED_IN: Line(_("You signed in."), "sign_in"),
    Tag.SIGNED_OUT: Line(_("You signed out."), "sign_in"),
    Tag.SIGNED_OUT_ELSEWHERE: Line(_("You signed out everywhere else."), "sign_in"),
    Tag.SIGN_IN_FAILED: Line(_("A sign-in was refused: wrong password."), "sign_in"),
    Tag.FACTOR_FAILED: Line(_("A sign-in was refused: wrong code."), "sign_in"),
    Tag.SIGNED_UP: Line(_("You signed up."), "sign_in"),
    Tag.PASSWORD_CHANGED: Line(_("Your password was changed."), "sign_in"),
    Tag.PASSWORD_RESET: Line(_("Your password was set by a mailed code."), "sign_in"),
    Tag.ADDRESS_ADDED: Line(_("An e-mail address was added."), "sign_in"),
    Tag.ADDRESS_REMOVED: Line(_("An e-mail address was removed."), "sign_in"),
    Tag.ADDRESS_CHANGED: Line(_("Your e-mail address was changed."), "sign_in"),
    Tag.FACTOR_ADDED: Line(_("A passkey or a second factor was added."), "sign_in"),
    Tag.FACTOR_REMOVED: Line(_("A passkey or a second factor was removed."), "sign_in"),
    Tag.FACTOR_TAKEN_OFF: Line(_("The operator took your second factor off."), "sign_in", mailed=True),
    Tag.RECOVERY_CODES_MADE: Line(_("New recovery codes were made."), "sign_in"),
    Tag.PASSKEYS_REFUSED: Line(
        _("Your passkeys are not accepted any more: they sign you in no more, and open nothing here."),
        "sign_in",
        mailed=True,
        shown=True,
    ),
    Tag.PASSKEYS_ACCEPTED: Line(_("Your passkeys are accepted again."), "sign_in", mailed=True, shown=True),
    Tag.OUTSIDE_LINKED: Line(_("An outside sign-in was linked."), "sign_in"),
    Tag.OUTSIDE_UNLINKED: Line(_("An outside sign-in was unlinked."), "sign_in"),
    Tag.PROOF_BEGUN: Line(_("A sign-in to an outside account was begun: %(role)s."), "sign_in"),
    Tag.PROOF_PROVEN: Line(_("A sign-in to an outside account was finished: %(role)s."), "sign_in"),
    Tag.PROOF_FAILED: Line(_("A sign-in to an outside account came to nothing: %(role)s, %(reason)s."), "sign_in"),
    Tag.PROOF_SPENT: Line(_("A sign-in to an outside account was used: %(role)s."), "sign_in"),
    Tag.RECORDS_PUT_BACK: Line(
        _("The records of this server are those of %(day)s. Look at your devices and keys."),
        "devices",
        mailed=True,
        shown=True,
    ),
    Tag.DOMAIN_BLOCKED: Line(_("You block codes for %(domain)s from %(day)s on."), "list"),
    Tag.DOMAIN_CHANGED: Line(_("You changed a rule: codes for %(domain)s are blocked from %(day)s on."), "list"),
    Tag.DOMAIN_FREED: Line(_("You no longer block codes for %(domain)s."), "list"),
    Tag.DOMAIN_REFUSED: Line(_("A rule that blocks a domain was not taken: %(fault)s."), "list"),
    Tag.MEMBER_BLOCKED: Line(_("Codes for %(domain)s may not be kept here from %(day)s on."), "list", shown=True),
    Tag.MEMBER_FREED: Line(_("Codes for %(domain)s may be kept here again."), "list", shown=True),
    Tag.PERSON_INVITED: Line(_("An invitation was used."), "sign_in"),
    Tag.PERSON_LEAVES: Line(_("Deleting your Authweb account was asked for."), "sign_in", mailed=True),
    Tag.PERSON_STAYS: Line(_("Your Authweb account is kept: deleting it was undone."), "sign_in", mailed=True),
    Tag.BACKUP_ON: Line(_("Cloud Backup was turned on, under %(account)s."), "backups", mailed=True, shown=True),
    Tag.BACKUP_OFF: Line(
        _("Cloud Backup was turned off. The backup under %(account)s will be deleted."),
        "backups",
        mailed=True,
        shown=True,
    ),
    Tag.BACKUP_EARLIER_OFF: Line(_("An earlier backup under %(account)s will be deleted."), "backups", mailed=True),
    Tag.BACKUP_KEPT: Line(_("The backup under %(account)s is kept: deleting it was undone."), "backups", mailed=True),
    Tag.BACKUP_MOVED: Line(_("The backup was moved to %(account)s."), "backups", mailed=True, shown=True),
    Tag.BACKUP_PROTECTED: Line(_("What opens the backup was changed."), "backups", shown=True),
    Tag.BACKUP_UNPROTECTED: Line(
        _("The sign-in alone opens the backup from now on, and so can the operator of this server."),
        "backups",
        mailed=True,
        shown=True,
    ),
    Tag.BACKUP_REPLACED: Line(
        _("The backup before it took its place: the one under %(account)s will be deleted."), "backups", mailed=True
    ),
    Tag.BACKUP_DELETED: Line(_("The backup under %(account)s was deleted."), "backups", mailed=True),
    Tag.BACKUP_FAILED: Line(_("The list could not be backed up."), "backups"),
    Tag.BACKUP_BEHIND: Line(_("The list has not been backed up for a week."), "backups", mailed=True),
    Tag.BACKUP_ACCEPTED: Line(
        _("The smaller list was confirmed; the fuller saved state is no longer held."), "backups"
    ),
    Tag.BACKUP_OLDER_DELETED: Line(
        ngettext_lazy(
            "%(count)d older saved state was deleted.", "%(count)d older saved states were deleted.", "count"
        ),
        "backups",
    ),
    Tag.RESTORED: Line(
        ngettext_lazy(
            "Restored %(count)d of %(all)d account on %(device)s, from the backup under %(account)s.",
            "Restored %(count)d of %(all)d accounts on %(device)s, from the backup under %(account)s.",
            "all",
        ),
        "backups",
        mailed=True,
        shown=True,
        undone=True,
        told=_("Your backup under %(account)s was restored on '%(device)s', %(time)s."),
    ),
    Tag.RESTORED_BY_ANOTHER: Line(
        _("A backup under %(account)s was restored on '%(asked)s', by another person who is signed in to it."),
        "backups",
        mailed=True,
        shown=True,
        told=_(
            "A backup under %(account)s was restored on '%(asked)s', %(time)s. "
            "Whoever did that is signed in to Authweb as another person, and to %(account)s."
        ),
    ),
}


# Facts that are words of ours: told in the reader's language.
WORDS: Mapping[str, Mapping[str, str | Promise]] = {
    "role": {
        **{role.value: row.label for role, row in ROLES.items()},
        "microsoft-sign-in": _("your linked account"),
        "oidc-sign-in": _("your linked account"),
    },
    "reason": {
        "cancelled": _("cancelled"),
        "unreachable": _("no answer"),
        "untrusted": _("an answer that cannot be trusted"),
        "stale": _("not a new sign-in"),
        "other_identity": _("another account"),
        "work_account": _("a work or school account"),
    },
    "fault": {  # Of a rule that blocks a domain.
        "empty": _("there was no domain"),
        "address": _("an address of a page is no domain"),
        "at": _("an e-mail address is no domain"),
        "wildcard": _("a wildcard"),
        "space": _("a space"),
        "ip": _("numbers are no domain"),
        "too_long": _("it was too long"),
        "single": _("it had no dot"),
        "unreadable": _("it could not be a domain"),
        "past": _("its day was over"),
        "overlap": _("the domain is blocked already"),
        "own": _("your own address is at that domain, and you did not say that it is meant"),
        "incomplete": _("something was missing, or could not be read"),
    },
}
# Letters of a reference, which is read out over the telephone: without 0, 1, I, L, O.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def new_reference() -> str:
    """The name of one failure, in log, page and activity alike: AW-7K3F-Q2. It says nothing about anybody."""
    letters = "".join(keys.chosen(_LETTERS, 6))
    return f"AW-{letters[:4]}-{letters[4:]}"


def record(
    tag: Tag,
    *,
    user: User,
    at: datetime,
    device: Device | None = None,
    facts: Mapping[str, Any] | None = None,
    reference: str = "",
) -> Event:
    """Write the line of an act, inside the act's own transaction; mail its owner, and tell the other devices, where
    the tag says so.

    Facts are numbers, ids, names and types of devices, names of passkeys, and masked labels of recovery accounts; never
    a secret, nor a name or an issuer of an account of the list.
    """
    event = Event.objects.create(
        user=user,
        device=device,
        device_name=device.name if device else "",
        tag=tag,
        facts=dict(facts or {}),
        reference=reference,
        at=at,
    )
    if TAGS[tag].mailed:
        notices.mail(event)
    if TAGS[tag].shown:
        _notice(user, at=at, by=device)
    return event


def record_each(tag: Tag, users: Collection[UUID], *, at: datetime, facts: Mapping[str, Any]) -> None:
    """One line for each of many people, of an act that is somebody else's; by few queries. No mail is sent."""
    lines = [Event(user_id=user, device_name="", tag=tag, facts=dict(facts), at=at) for user in users]
    Event.objects.bulk_create(lines, batch_size=500)
    if TAGS[tag].shown:
        User.objects.filter(pk__in=list(users)).update(noticed_at=at)


# -- What the other devices are told ----------------------------------------------------------------------------------

NOTICED_FOR = timedelta(days=30)
_MOST_NOTICES = 5
_SHOWN = tuple(tag for tag, line in TAGS.items() if line.shown)


def unseen(user: User, device: Device, *, at: datetime) -> list[Event]:
    """What a device is to be told: done elsewhere in the last 30 days, not yet answered "OK" there, the oldest first.

    A few at a time, each of them once: what comes later pushes none of them out.

    Where there is nothing, this costs no query.
    """
    since = max(device.notices_seen_at or device.made_at, at - NOTICED_FOR)
    if user.noticed_at is None or user.noticed_at <= since:
        return []
    told = Event.objects.filter(user=user, tag__in=_SHOWN, at__gt=since).exclude(device=device)
    return list(told.order_by("at", "pk")[:_MOST_NOTICES])


def seen(device: Device, event_id: int) -> None:
    """A device has been told of everything up to this line of its owner's; of what came later it has not."""
    told = Event.objects.filter(user=device.user_id, pk=event_id, tag__in=_SHOWN).first()
    if told is None:
        return
    earlier = Q(notices_seen_at=None) | Q(notices_seen_at__lt=told.at)
    if Device.objects.filter(earlier, pk=device.pk).update(notices_seen_at=told.at):
        device.notices_seen_at = told.at


@transaction.atomic
def _notice(user: User, *, at: datetime, by: Device | None) -> None:
    """The other devices look for it. The one that did it does not, unless it has something else to be told."""
    before = User.objects.select_for_update().values_list("noticed_at", flat=True).get(pk=user.pk)
    if by is not None:
        told = Q() if before is None else Q(notices_seen_at__gte=before) | Q(notices_seen_at=None, made_at__gte=before)
        Device.objects.filter(told, pk=by.pk).update(notices_seen_at=at)
    User.objects.filter(pk=user.pk).update(noticed_at=at)


def told(event: Event) -> str:
    """What the other devices say of it, where that is another sentence; its time is in it. Empty where it is not."""
    line = TAGS.get(event.tag)  # type: ignore[call-overload]
    if line is None or not line.told:
        return ""
    time = date_format(timezone.localtime(event.at), gettext("j F Y, H:i"))
    return str(line.told % {**_NO_FACTS, "device": event.device_name, **event.facts, "time": time})


def done_on(event: Event) -> str:
    """The device on which it was done, by name; empty where the sentence names it already, or nobody knows."""
    by = str(event.facts.get("by") or event.device_name)
    return "" if by and by in _named(event) else by


def _named(event: Event) -> set[str]:
    """The devices that the sentence of a line names; letters that happen to stand in it are no name."""
    facts = {"device": event.device_name, **event.facts}
    marks = {fact: f"\0{fact}" for fact in ("device", "former", "asked")}
    said = sentence_of(event.tag, {**facts, **marks})
    return {str(facts.get(fact)) for fact, mark in marks.items() if mark in said}


_NO_FACTS: Mapping[str, Any] = {
    **dict.fromkeys(("device", "former", "asked", "name", "day", "account", "role", "reason", "domain", "fault"), ""),
    "count": 1,
    "all": 0,
}

# What staff read in place of facts that are for the owner alone: these name what somebody has elsewhere.
WITHHELD: Mapping[str, str | Promise] = {
    "account": pgettext_lazy("after: under, moved to", "an outside account"),
    "name": _("its name is not shown here"),
}


def sentence(event: Event, *, to_staff: bool = False) -> str:
    """What happened, in the reader's language; a tag of another release is shown as it stands."""
    withheld = WITHHELD if to_staff else {}
    return sentence_of(event.tag, {"device": event.device_name, **event.facts, **withheld})


def sentence_of(tag: str, facts: Mapping[str, Any] | None = None) -> str:
    """The sentence of a tag with its facts filled in."""
    if tag not in Tag._value2member_map_:
        return tag
    given = {**_NO_FACTS, **(facts or {})}
    for fact, words in WORDS.items():
        given[fact] = words.get(str(given[fact]), given[fact])
    if given["day"]:
        given["day"] = date_format(date.fromisoformat(given["day"]), gettext("j F Y"))
    return str(TAGS[Tag(tag)].sentence % given)
