"""A saved state is opened for whoever proved its account, and held until the yes.

What opens an envelope passes through here and is kept nowhere; what was in it is held sealed under the list's own key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import Attempt, Draft
from accounts.services import attempts, identity, vaults, words
from accounts.services.attempts import WORDS_OF_NETWORK, Limit
from accounts.services.identity import Identity, Purpose
from accounts.services.vaults import OpenVault
from accounts.vault import keys
from accounts.vault.encoding import canonical
from accounts.vault.errors import Damaged, VaultError, WrongKey
from accounts.vault.keys import Secret
from backups import contents, envelope
from backups.models import Backup, Generation
from backups.names import Name
from backups.services import keeping, objects, searching
from backups.services.searching import Choice, Found, NotThere
from backups.storage import NotStored, StoreFailed

WORDS_OF_RECOVERY = Limit(Attempt.Act.WORDS, 10, timedelta(hours=24))

_READ_AGAIN = 5  # Saved states before a damaged one, of which so many are read while somebody waits.


@dataclass(frozen=True, slots=True)
class Opener:
    """What a person opens a saved state with: the words as typed, or a passkey's output. Neither is kept.

    `network` is where they type, as `attempts.network` has it.
    """

    words: Secret | str = field(default="", repr=False)
    output: Secret | None = field(default=None, repr=False)
    network: bytes = b""


class KeyNeeded(Exception):
    """The sign-in alone does not open it, and no key came with it."""


class WrongWords(Exception):
    """They open no slot of it. `left` tries are left until `until`."""

    def __init__(self, left: int, until: datetime) -> None:
        super().__init__()
        self.left, self.until = left, until


@sensitive_variables()
def hold(vault: OpenVault, proof: str, key: str, opener: Opener, *, is_trial: bool = False, at: datetime) -> UUID:
    """Open a saved state of a proven account and hold what is in it until the yes: 15 minutes. Spends the proof, under
    whose number it waits from then on. A try of the list's own backup is remembered by that.

    Raises NotProven, NotThere, KeyNeeded, WrongWords, WrongKey (of a passkey), TooManyTries, words.Busy, StoreFailed,
    Damaged, Unsupported, KeyMissing, TooCostly; then the proof serves on. A damaged one counts no longer from then on.
    """
    person = identity.look(proof, user=vault.user, purpose=Purpose.RESTORE, target=str(vault.row.pk), at=at)
    with objects.asking_for_somebody(at):
        choice = searching.choice(person, vault.device.type, key)
        try:
            text, by = _opened(person, choice, opener, vault.device.type, at=at)
        except Damaged:
            _note(choice, vault.device.type, at=at)
            raise
    document = document_of(text, person, choice.name, by=by, is_trial=is_trial)
    with transaction.atomic():
        identity.spend(proof, user=vault.user, purpose=Purpose.RESTORE, target=str(vault.row.pk), at=at)
        draft = vaults.hold(vault, document, kind=Draft.Kind.RESTORE, at=at, id=UUID(proof))
        if is_trial:
            own = Backup.objects.filter(vault=vault.row, stream=choice.name.stream.hex())
            own.filter(recovery_account__name=choice.name.ctx).update(restore_tried_at=at)
    return draft.id


@sensitive_variables()
def document_of(text: bytes, person: Identity, name: Name, *, by: str = "", is_trial: bool = False) -> bytes:
    """What waits for the yes, as JSON: the contents as they are, a text that was checked; of which saved state; whose
    backup it is; `by` which kind of key it was opened, where it needed one.
    """
    who = [str(person.role), person.issuer, person.uid, person.label, person.signed_in_at.isoformat()]
    beside = {
        "v": 1,
        "stream": name.stream.hex(),
        "number": name.sequence,
        "person": who,
        "trial": is_trial,
        "by": by,
    }
    return b'{"contents":' + text + b"," + canonical(beside).removeprefix(b"{")


@sensitive_variables()
def person_of(document: Mapping[str, Any]) -> Identity:
    """Whose backup waits, as it was proven."""
    role, issuer, uid, label, signed_in_at = document["person"]
    return Identity(role, issuer, uid, label, datetime.fromisoformat(signed_in_at))


def is_held(vault: OpenVault, proof: str, *, at: datetime) -> bool:
    """Whether what a proof was spent on still waits: the second of two clicks goes where the first led to."""
    try:
        draft_id = UUID(proof)
    except ValueError:
        return False
    return vault.device.drafts.filter(pk=draft_id, kind=Draft.Kind.RESTORE, expires_at__gt=at).exists()


def _note(damaged: Choice, device_type: str, *, at: datetime) -> None:
    """It no longer counts. Where it is the newest of its backup, that is checked now, as "Check now" does: whose it is
    learn of it.
    """
    name = damaged.name
    same = Generation.objects.stored().filter(recovery_account__name=name.ctx, stream=name.stream.hex())
    row = same.filter(sequence=name.sequence).exclude(backup=None).select_related("backup").first()
    if row is None or row.backup is None or not row.backup.is_on:
        return
    with suppress(StoreFailed):
        if row == row.backup.generations.stored().newest_first().first():
            keeping.check(row.backup, at=at)
        elif not _is_whole(damaged, device_type):
            same.filter(pk=row.pk, kid=row.kid, sha256=row.sha256).update(state=Generation.State.DAMAGED)


def whole_before(found: Found, key: str, device_type: str, *, at: datetime) -> Choice | None:
    """The newest saved state before a damaged one, of its backup, that is what this server made: read now, and known by
    its seal; where a record has them, by the very bytes that once were proven to open; opened where it needs no key.
    Raises StoreFailed.
    """
    with objects.asking_for_somebody(at):
        earlier = [choice for choice in found.before(key) if not choice.is_damaged]
        return next((choice for choice in earlier[:_READ_AGAIN] if _is_whole(choice, device_type)), None)


@sensitive_variables()
def _is_whole(choice: Choice, device_type: str) -> bool:
    place, sha256 = choice.name.place, choice.sha256
    try:
        data = objects.fetched(choice.name)
        if envelope.slots(data, place, objects.server_key, sha256=sha256):
            return True
        contents.checked(envelope.read(data, place, objects.server_key, sha256=sha256), device_type=device_type)
    except (NotStored, VaultError):
        return False
    return True


@sensitive_variables()
def _opened(person: Identity, choice: Choice, opener: Opener, device_type: str, *, at: datetime) -> tuple[bytes, str]:
    """What is in it, and the kind of key that opened it; empty where the sign-in alone did."""
    try:
        data = objects.fetched(choice.name)
    except NotStored:
        raise NotThere from None
    place, sha256 = choice.name.place, choice.sha256
    slots = envelope.slots(data, place, objects.server_key, sha256=sha256)
    backup_key = None
    if slots and opener.output is not None:
        backup_key = (envelope.PASSKEY, keys.backup_key_of_passkey(opener.output))
    elif slots and opener.words:
        backup_key = _by_words(person, data, choice, slots, opener, at=at)
    elif slots:
        raise KeyNeeded
    text = envelope.read(data, place, objects.server_key, backup_key=backup_key, sha256=sha256)
    return contents.checked(text, device_type=device_type), backup_key[0] if backup_key else ""


@sensitive_variables()
def _by_words(
    person: Identity, data: bytes, choice: Choice, slots: Sequence[envelope.Slot], opener: Opener, *, at: datetime
) -> tuple[str, Secret]:
    """The key that these words make. Counted before it is computed. Raises WrongWords, TooManyTries, Busy."""
    counted = subject(person)
    limits = [(WORDS_OF_RECOVERY, counted), *([(WORDS_OF_NETWORK, opener.network)] if opener.network else [])]
    tried = attempts.count(limits, at=at)
    try:
        for slot in slots:
            if slot.kind != envelope.WORDS:
                continue
            made = keys.backup_key_of_words(words.stretched(opener.words, slot.salt, slot.costs, at=at))
            try:
                envelope.read(data, choice.name.place, objects.server_key, backup_key=(envelope.WORDS, made))
            except WrongKey:
                continue
            attempts.forget(tried)
            return envelope.WORDS, made
    except words.Busy:
        attempts.forget(tried)
        raise
    raise WrongWords(*attempts.left(WORDS_OF_RECOVERY, counted, at=at))


def subject(person: Identity) -> bytes:
    """Whose tries and restores are counted: the recovery account, whoever asks."""
    return attempts.of_identity(identity.tag(person.issuer, person.uid))
