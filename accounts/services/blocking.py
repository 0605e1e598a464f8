"""Blocked domains: which rules there are, whose codes they are about, and what administrators do to them.

Accounts are sealed: of members and devices it can be told how many a rule affects, of accounts it cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import NamedTuple
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import BlockedDomain, Device, User
from accounts.services import activity
from accounts.services.activity import Tag
from accounts.services.vaults import OpenVault
from accounts.vault import domains
from accounts.vault.entry import Entry, Kind


@dataclass(frozen=True, slots=True)
class Block:
    """A rule: codes for `domain` may not be kept here from 00:00 UTC of `from_date` on."""

    domain: str
    from_date: date
    reason: str
    contact: str

    @property
    def readable(self) -> str:
        """The domain as people read it."""
        return domains.readable(self.domain)

    @property
    def said(self) -> dict[str, str]:
        """What sentences name of it, which end with a full stop of their own."""
        return {"domain": self.readable, "reason": self.reason.rstrip("."), "contact": self.contact.rstrip(".")}

    def holds(self, at: datetime) -> bool:
        """Whether its day has come."""
        return at >= datetime.combine(self.from_date, time(), UTC)


Blocks = Mapping[str, Block]


def block_of(rule: BlockedDomain) -> Block:
    """A rule as a value, kept or not."""
    return Block(rule.domain, rule.from_date, rule.reason, rule.contact)


def every() -> Blocks:
    """All rules by their domains, by one query."""
    rows = BlockedDomain.objects.values_list("domain", "from_date", "reason", "contact")
    return {row[0]: Block(*row) for row in rows}


# -- Whose codes ------------------------------------------------------------------------------------------------------


def of(entry: Entry, blocks: Blocks, *, brought: bool = False) -> Block | None:
    """The rule that an account comes under, whether or not its day has come; of two the earlier one.

    It has a secret key, was not added by sign-in, and its name ends in "@" and the domain, or its issuer is the domain;
    no subdomains. `brought`: its code comes just now, and codes come with no sign-in.
    """
    if entry.secret is None or not (brought or _is_third_party(entry)):
        return None
    found = [blocks[domain] for domain in domains.named_by(entry) if domain in blocks]
    return min(found, key=lambda block: block.from_date, default=None)


def _is_third_party(entry: Entry) -> bool:
    """Whether it was added without a sign-in. Its kind says so, since a backup carries no identity."""
    return entry.kind is Kind.THIRD_PARTY and entry.identity is None


class Under(NamedTuple):
    """What a page says of an account under a rule: which, and whether its day has come."""

    block: Block
    holds: bool


def among(entries: Iterable[Entry], blocks: Blocks, *, at: datetime) -> dict[str, Under]:
    """The accounts that come under a rule, by their ids."""
    if not blocks:
        return {}
    found = ((entry.id, of(entry, blocks)) for entry in entries)
    return {entry_id: Under(block, block.holds(at)) for entry_id, block in found if block is not None}


def held(entries: Iterable[Entry], blocks: Blocks, *, at: datetime, brought: bool = False) -> dict[str, Block]:
    """Those under a rule whose day has come."""
    if not (now := {domain: block for domain, block in blocks.items() if block.holds(at)}):
        return {}
    return {entry.id: block for entry in entries if (block := of(entry, now, brought=brought)) is not None}


def met_by(vault: OpenVault) -> Blocks:
    """All rules, for a page of the list: where there is none, as the list knew when it came, this costs no query."""
    return every() if vault.has_rules else {}


def began(since: datetime, until: datetime) -> bool:
    """Whether a rule holds at `until` that did not at `since`: its day came between the two, or it was made there."""
    if until <= since:
        return False
    held = BlockedDomain.objects.filter(from_date__lte=until.astimezone(UTC).date())
    return held.filter(Q(from_date__gt=since.astimezone(UTC).date()) | Q(dated_at__gt=since)).exists()


def refusal(block: Block) -> str:
    """Why a code is not taken, and whom to ask."""
    return _("Codes for %(domain)s may not be kept here: %(reason)s. Ask %(contact)s.") % block.said


def short(block: Block) -> str:
    """The same where there is little room."""
    return _("Blocked for %(domain)s") % {"domain": block.readable}


# -- What administrators do -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Affected:
    """Whom a rule is about: people with a verified address at the domain, and their devices."""

    people: frozenset[UUID]
    devices: int


def affected(domain: str) -> Affected:
    """Who that is now. `domain` is in its one spelling."""
    ends = Q(email__iendswith=f"@{domain}") | Q(email__iendswith=f"@{domains.readable(domain)}")
    rows = EmailAddress.objects.filter(ends, verified=True).values_list("user_id", "email")
    people = frozenset(user for user, address in rows if domains.of_address(address) == domain)
    return Affected(people, Device.objects.filter(user__in=people, removed_at=None).count())


@transaction.atomic
def keep(rule: BlockedDomain, *, by: User, at: datetime) -> None:
    """Keep a rule, new or changed. Its administrator's activity has a line, and so has that of everybody it affects.

    Of another reason or contact people are told nothing, since their line has neither; where nothing is another,
    nothing is done.
    """
    before = BlockedDomain.objects.select_for_update().filter(pk=rule.pk).first()
    if before is not None and block_of(before) == block_of(rule):
        return
    is_told = before is None or (before.domain, before.from_date) != (rule.domain, rule.from_date)
    if is_told:
        rule.dated_at = at
    rule.save()
    facts = {"domain": rule.readable, "day": rule.from_date.isoformat()}
    activity.record(Tag.DOMAIN_BLOCKED if before is None else Tag.DOMAIN_CHANGED, user=by, at=at, facts=facts)
    if is_told:
        _tell(rule, Tag.MEMBER_BLOCKED, facts, by=by, at=at)


@transaction.atomic
def lift(rule: BlockedDomain, *, by: User, at: datetime) -> None:
    """A rule is no more; the same people are told."""
    facts = {"domain": rule.readable}
    activity.record(Tag.DOMAIN_FREED, user=by, at=at, facts=facts)
    _tell(rule, Tag.MEMBER_FREED, facts, by=by, at=at)
    rule.delete()


def refuse(fault: str, *, by: User, at: datetime) -> None:
    """What was typed made no rule, and why: a line of activity, without what was typed."""
    activity.record(Tag.DOMAIN_REFUSED, user=by, at=at, facts={"fault": fault})


def _tell(rule: BlockedDomain, tag: Tag, facts: Mapping[str, str], *, by: User, at: datetime) -> None:
    activity.record_each(tag, affected(rule.domain).people - {by.pk}, at=at, facts=facts)
