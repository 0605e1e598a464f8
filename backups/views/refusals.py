"""Opening a saved state for a page: its number, or in words why it was not opened and which other one may be."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from accounts.http import VaultRequest
from accounts.services import identity, words
from accounts.services.attempts import TooManyTries
from accounts.services.identity import Identity, NotProven, Purpose
from accounts.vault.errors import KeyMissing, TooCostly, Unsupported, VaultError, WrongKey
from backups import moments
from backups.services import objects, opening, searching
from backups.services.opening import KeyNeeded, Opener, WrongWords
from backups.services.searching import Choice, Found, NotThere
from backups.storage import StoreFailed


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a saved state was not opened; of a damaged one what else there is, and what is chosen in its place."""

    sentence: str
    found: Found | None = None
    instead: Choice | None = None


@sensitive_variables()
def hold(request: VaultRequest, proof: str, choice: str, opener: Opener, *, is_trial: bool) -> UUID | Refused | None:
    """The number of an opened saved state; or why there is none; None without a proof."""
    at = timezone.now()
    try:
        return opening.hold(request.vault, proof, choice, opener, is_trial=is_trial, at=at)
    except NotProven:
        return None
    except WrongKey:
        return _wrong_passkey(request, proof, choice)
    except (WrongWords, TooManyTries, words.Busy) as error:
        return Refused(_wrong_words(request, error))
    except (StoreFailed, NotThere, KeyNeeded, Unsupported, KeyMissing, TooCostly) as error:
        return Refused(_cannot(error))
    except VaultError:
        return _damaged(request, proof, choice)


def _wrong_words(request: VaultRequest, error: WrongWords | TooManyTries | words.Busy) -> str:
    """That they were wrong, or not tried; and when there are tries."""
    if isinstance(error, WrongWords):
        if not error.left:
            sentence = _("Those are not the words of this backup. No try is left until %(day)s at %(time)s.")
            return sentence % moments.named(error.until, request.user)
        sentence = ngettext(
            "Those are not the words of this backup. %(count)d try left until %(day)s at %(time)s.",
            "Those are not the words of this backup. %(count)d tries left until %(day)s at %(time)s.",
            error.left,
        )
        return sentence % {"count": error.left, **moments.named(error.until, request.user)}
    sentence = (
        _("Others are being served. These words were not tried; send them again on %(day)s at %(time)s.")
        if isinstance(error, words.Busy)
        else _(
            "Too many wrong words were typed. These were not tried. The next try is possible on %(day)s at %(time)s."
        )
    )
    return sentence % moments.named(error.next_at, request.user)


def _damaged(request: VaultRequest, proof: str, key: str) -> Refused | None:
    """One that turned out to be damaged: the one before it is offered, once it was read."""
    person = proven(request, proof)
    if person is None:
        return None
    try:
        found = find(request, person)
        whole = opening.whole_before(found, key, request.vault.device.type, at=timezone.now())
    except StoreFailed:
        return Refused(_("This saved state is damaged. Choose another one."))
    return Refused(instead_of(request, found, key, whole), found, whole)


def instead_of(request: VaultRequest, found: Found, key: str, whole: Choice | None) -> str:
    """That a saved state is damaged, and which one is not."""
    if whole is None:
        if any(not choice.is_damaged for choice in found.every if choice.key != key):
            return _("This saved state is damaged. Choose another one.")
        return _("This saved state is damaged, and there is no other one here.")
    if whole.made_at is None:
        return _("This saved state is damaged. An earlier one is fine.")
    sentence = (
        _("This saved state is damaged. The one before it, %(day)s, is fine.")
        if whole == found.before(key)[0]
        else _("This saved state is damaged. An earlier one, %(day)s, is fine.")
    )
    return sentence % {"day": moments.short(whole.made_at, request.user, at=timezone.now())}


def _wrong_passkey(request: VaultRequest, proof: str, key: str) -> Refused | None:
    """A passkey that opens no slot; before which day another one may have."""
    person = proven(request, proof)
    if person is None:
        return None
    try:
        other = find(request, person).other_passkeys(key)
    except StoreFailed:
        other = None
    if other is None or other[0].made_at is None or other[1].made_at is None:
        return Refused(_("This passkey does not open this backup."))
    earlier, before = (timezone.localtime(choice.made_at) for choice in other)
    named = moments.full if earlier.date() == before.date() else moments.short
    sentence = _("This passkey does not open this backup; one made before %(day)s may.")
    return Refused(sentence % {"day": named(before, request.user, at=timezone.now())})


def silent() -> str:
    """That the store does not answer."""
    return _("The store of backups does not answer. Nothing is lost by that. Try again in a minute.")


def _cannot(error: Exception) -> str:
    """Why a saved state was not opened, and what to do."""
    match error:
        case NotThere():
            return _("This saved state is no longer there. Choose another one.")
        case KeyNeeded():
            return _("This backup needs a key that you hold: your six words, or your passkey.")
        case Unsupported():
            return _("This backup was made by a newer Authweb. Ask the operator of this server to update it.")
        case KeyMissing():
            return _("The server lacks the key of this backup. Its operator has it on the printed sheet.")
        case TooCostly():
            return _("This backup asks for more work than any that Authweb makes. It was not opened.")
    return silent()


def find(request: VaultRequest, person: Identity) -> Found:
    """What lies under this recovery account for this type of device. Raises StoreFailed."""
    with objects.asking_for_somebody(timezone.now()):
        return searching.find(person, request.vault.device.type)


def proven(request: VaultRequest, proof: str) -> Identity | None:
    """Who proved the recovery account by this; None where nobody did, or no longer."""
    try:
        return identity.look(proof, user=request.user, purpose=Purpose.RESTORE, target=str(request.vault.row.pk))
    except NotProven:
        return None
