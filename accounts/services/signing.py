"""Accounts by sign-in: who was proven at a provider becomes an account of the list, with a code or by name only.

A proof is begun for one list and used once: with the yes that adds the account. It signs nobody in to Authweb.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts import roles
from accounts.roles import Role
from accounts.services import identity, policy, vaults
from accounts.services.activity import Tag
from accounts.services.identity import Identity, NotProven, Purpose
from accounts.services.policy import Act
from accounts.services.vaults import OpenVault
from accounts.vault import domains, keys
from accounts.vault import entry as core
from accounts.vault.entry import Entry, Kind
from accounts.vault.errors import AlreadyListed, ParseError, Reason
from accounts.vault.list import AccountList

# The codes of a personal account. Asked where one is added, not of an entry: what was kept once is always read.
_PERSONAL = (core.Type.TOTP, 30)


class Several(Exception):
    """More than one account was given where the code of one that was signed in to was asked for."""


@sensitive_variables()
def look(vault: OpenVault, proof_id: UUID | str, *, at: datetime) -> Identity:
    """Who signed in for this list, at most PROOF_MAX_AGE ago. Raises NotProven."""
    return identity.look(proof_id, user=vault.user, purpose=Purpose.ACCOUNT_ADD, target=str(vault.row.pk), at=at)


@sensitive_variables()
def spend(vault: OpenVault, proof_id: UUID | str, *, at: datetime) -> Identity:
    """The same, once; inside the transaction of what it is spent for. Raises NotProven."""
    return identity.spend(proof_id, user=vault.user, purpose=Purpose.ACCOUNT_ADD, target=str(vault.row.pk), at=at)


def named(entry: Entry, who: Identity) -> Entry:
    """The entry under the names of its provider and of the account there."""
    return entry.renamed(issuer=roles.name_of(who.role), name=who.label)


def bound(entry: Entry, who: Identity) -> Entry:
    """The entry as the one of whoever signed in.

    Raises ParseError for a personal account with a code that has none, or one that is not by time and new every 30
    seconds; and NotProven where it is a personal one and the sign-in was not: a work or school account is in backups by
    name alone.
    """
    checked_code(entry)
    if (entry.kind is Kind.WORK) is not (who.role == Role.ENTRA):
        raise NotProven
    return replace(entry, identity=_stands_for(who), signed_in=vaults.seconds(who.signed_in_at))


def coded(entry: Entry, who: Identity) -> Entry:
    """The code as one of whoever signed in; as any other where its name is of a domain that the sign-in is not.

    A sign-in to one account says nothing of the code of another. Raises as `bound`.
    """
    proven = domains.named_by(named(entry, who))
    others = [text for text in domains.named_by(entry) if text not in proven and domains.is_one(text)]
    return replace(entry, kind=Kind.THIRD_PARTY, identity=None, signed_in=None) if others else bound(entry, who)


def role_of(entry: Entry) -> Role:
    """The role by which somebody signs in to an account: a work or school one, or a personal one."""
    return Role.ENTRA if entry.kind is Kind.WORK else Role.MICROSOFT


def _stands_for(who: Identity) -> core.Identity:
    return core.Identity(role=str(who.role), issuer=who.issuer, uid=who.uid)


def checked_code(entry: Entry) -> Entry:
    """The entry, if its code is one that its kind may have. Raises ParseError."""
    if entry.kind is Kind.PERSONAL_CODE:
        if entry.secret is None:
            raise ParseError(Reason.NO_SECRET)
        if (entry.type, entry.period) != _PERSONAL:
            raise ParseError(Reason.NOT_PERSONAL)
    return entry


def listed(accounts: AccountList, who: Identity | core.Identity | None) -> Entry | None:
    """The account of the list that stands for this one at its provider, whatever it is called here."""
    if who is None:
        return None
    found = (accounts.standing_for(issuer, who.uid) for issuer in roles.issuers_of(who.role, who.issuer))
    return next((entry for entry in found if entry is not None), None)


def check_new(accounts: AccountList, entry: Entry) -> None:
    """Raise AlreadyListed where an account of the list stands for the same one at its provider."""
    there = listed(accounts, entry.identity)
    if there is not None:
        raise AlreadyListed(there)


@sensitive_variables()
def by_name(who: Identity) -> Entry:
    """The account of whoever signed in, by name only: of work or school, or a personal one without a password."""
    kind = Kind.WORK if who.role == Role.ENTRA else Kind.PERSONAL_PASSWORDLESS
    entry = Entry.new(
        id=keys.new_id(), issuer=roles.name_of(who.role), name=who.label, secret=None, type=core.Type.TOTP, kind=kind
    )
    return bound(entry, who)


@sensitive_variables()
@transaction.atomic
def add(vault: OpenVault, proof_id: UUID, *, at: datetime) -> Entry:
    """Add by name only the account that was signed in to, once: of two clicks one does it. The proof is spent with it.

    Raises NotProven, policy.Refused, AlreadyListed, TooLarge; then nothing has changed and the proof still serves.
    """
    entry = replace(by_name(spend(vault, proof_id, at=at)), added=vaults.seconds(at))
    policy.require(vault.user, Act.ADD, entry, at=at)

    def added(accounts: AccountList) -> AccountList:
        check_new(accounts, entry)
        return accounts.add(entry)

    vaults.change(vault, added, tag=Tag.ENTRY_ADDED, at=at, facts={"count": 1, "proof": str(proof_id)})
    return entry


def was_added(vault: OpenVault, proof_id: UUID, *, at: datetime) -> bool:
    """Whether this person said yes to a proof that is spent: the second of two clicks, or the way back to its page."""
    since = at - 2 * settings.DRAFT_KEPT
    return vault.user.events.filter(at__gte=since, tag=Tag.ENTRY_ADDED, facts__proof=str(proof_id)).exists()


# -- Accounts that came back by their name ----------------------------------------------------------------------------


def expected(entry: Entry) -> bytes:
    """Who must come back for an account: whoever it stands for, or the one of its name where nobody is known."""
    who = entry.identity
    return identity.name_tag(entry.name) if who is None else identity.tag(who.issuer, who.uid)


@sensitive_variables()
@transaction.atomic
def sign_in_again(vault: OpenVault, proof_id: UUID, entry_id: str, *, at: datetime) -> bool:
    """Spend the sign-in to an account that came back by name: it waits no more, and has no code by that.

    Returns whether it waited until now. Raises NotProven, NotListed, TooLarge, and AlreadyListed where another account
    stands for whoever signed in; then nothing has changed and the proof still serves.
    """
    who = identity.spend(proof_id, user=vault.user, purpose=Purpose.ACCOUNT_RETURN, target=entry_id, at=at)
    signed_in_at = vaults.seconds(who.signed_in_at)
    return _changed(
        vault,
        lambda accounts: accounts.signed_in(entry_id, _stands_for(who), signed_in_at),
        tag=Tag.ENTRY_SIGNED_IN,
        at=at,
    )


def keep_name(vault: OpenVault, entry_id: str, *, at: datetime) -> bool:
    """Let an account that came back by name wait no more: it is kept so. Whether it waited. Raises NotListed."""
    return _changed(vault, lambda accounts: accounts.by_name_only(entry_id), tag=Tag.ENTRY_KEPT, at=at)


def _changed(vault: OpenVault, operation: vaults.Operation, *, tag: Tag, at: datetime) -> bool:
    """Whether it was this that changed the list: of two clicks one did, and only that one can be undone."""
    changed = False

    def applied(accounts: AccountList) -> AccountList:
        nonlocal changed
        after = operation(accounts)
        changed = after is not accounts
        return after

    vaults.change(vault, applied, tag=tag, at=at)
    return changed
