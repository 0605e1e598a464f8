"""Six words, or a person's own: made up, judged, kept as a key to the list, and tried.

A try is counted before it is judged, and two at most are stretched at once. Nothing here is kept but a key slot and,
inside the sealed list, the key under which backups are wrapped.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from itertools import combinations
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import (
    CommonPasswordValidator,
    NumericPasswordValidator,
    UserAttributeSimilarityValidator,
)
from django.core.exceptions import ValidationError
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import Draft, KeySlot, SlotKind, User, Vault
from accounts.services import activity, attempts, doors, keyring, vaults, word_list
from accounts.services.activity import Tag
from accounts.services.attempts import WORDS_OF_LIST, WORDS_OF_NETWORK
from accounts.services.devices import Enrolled, NewDevice
from accounts.services.doors import NoSuchDoor
from accounts.services.vaults import OpenVault
from accounts.vault import keys
from accounts.vault.errors import Damaged, Reason, WrongKey
from accounts.vault.keys import Costs, Secret
from accounts.vault.list import BackupKey

LEAST_OWN = 12  # Characters of a person's own, once they are normalised.
MOST_TYPED = 500
_PAIRS = tuple(f"{one}{other}" for one, other in combinations(range(1, word_list.COUNT + 1), 2))
_SALT = 16

_AT_ONCE = 2
_ASKED = 0.05  # Seconds between two looks whether a turn is free.
_LOOKS = 200  # Ten seconds.
_BUSY = timedelta(minutes=1)


class Weakness(StrEnum):
    """Why words of one's own are refused."""

    SHORT = "short"
    COMMON = "common"
    SIMILAR = "similar"
    NUMBERS = "numbers"
    REPEATED = "repeated"


class Guessable(Exception):
    """Words of one's own that could be guessed."""

    def __init__(self, weakness: Weakness) -> None:
        super().__init__()
        self.weakness = weakness


class Busy(Exception):
    """Others are being served: nothing was tried. `next_at` is when it is worth another try."""

    def __init__(self, next_at: datetime) -> None:
        super().__init__()
        self.next_at = next_at


class WrongWords(Exception):
    """Not the words of this list. So many tries are left until an instant."""

    def __init__(self, left: int, until: datetime) -> None:
        super().__init__()
        self.left, self.until = left, until


class NotTypedBack(Exception):
    """What was typed back is not what is asked for: the places (from 1) that differ."""

    def __init__(self, places: tuple[int, ...]) -> None:
        super().__init__()
        self.places = places


# -- Words of one's own -----------------------------------------------------------------------------------------------

_LEAST_DIFFERENT = 5


@cache
def _validators() -> tuple[tuple[Any, Weakness], ...]:
    """Django's own, each with what its refusal means."""
    return (
        (NumericPasswordValidator(), Weakness.NUMBERS),
        (CommonPasswordValidator(), Weakness.COMMON),
        (UserAttributeSimilarityValidator(user_attributes=("email",)), Weakness.SIMILAR),
    )


@sensitive_variables()
def read_own(typed: str) -> Secret:
    """A person's own words as they were typed. Raises Guessable for what is too short to be any, ParseError."""
    if len(keys.plain(typed)) < LEAST_OWN:
        raise Guessable(Weakness.SHORT)
    return keys.normalised(typed)


@sensitive_variables()
def judge(own: str, user: User) -> Secret:
    """A person's own words, if they may be a key. Raises Guessable with the first reason against them, ParseError.

    Judged as they are stretched: capitals, spaces and hyphens add nothing.
    """
    words, text = keys.normalised(own), keys.plain(own)
    if len(text) < LEAST_OWN:
        raise Guessable(Weakness.SHORT)
    for validator, weakness in _validators():
        try:
            validator.validate(text, user)
        except ValidationError:
            raise Guessable(weakness) from None
    if len(set(text)) < _LEAST_DIFFERENT:
        raise Guessable(Weakness.REPEATED)
    return words


# -- Six words are made -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drawn:
    """Words that are no key yet: all six, the two (from 1) that are typed back, and until when they wait."""

    words: tuple[str, ...] = field(repr=False)
    asked: tuple[int, int]
    ends_at: datetime


def begin(vault: OpenVault, *, at: datetime) -> UUID:
    """Draw six words and keep them, sealed, until two of them are typed back: 15 minutes. Raises BeingDeleted."""
    (pair,) = keys.chosen(_PAIRS, 1)
    document = {"words": list(word_list.made()), "asked": [int(place) for place in pair]}
    return vaults.hold(vault, document, kind=Draft.Kind.WORDS, at=at).id


def renew(vault: OpenVault, draft_id: UUID, *, at: datetime) -> UUID:
    """Keep the same words for another 15 minutes, under a number of their own. Raises DraftGone, BeingDeleted."""
    with transaction.atomic():
        document = vaults.take(vault, draft_id, kind=Draft.Kind.WORDS, at=at)
        return vaults.hold(vault, document, kind=Draft.Kind.WORDS, at=at).id


@sensitive_variables()
def look(vault: OpenVault, draft_id: UUID, *, at: datetime) -> Drawn:
    """The words that wait. Raises DraftGone."""
    document = vaults.look(vault, draft_id, kind=Draft.Kind.WORDS, at=at)
    one, other = document["asked"]
    ends_at = vault.row.drafts.values_list("expires_at", flat=True).get(pk=draft_id)
    return Drawn(tuple(document["words"]), (one, other), ends_at)


@sensitive_variables()
def finish(vault: OpenVault, draft_id: UUID, typed: tuple[str, str], *, at: datetime) -> KeySlot:
    """The words are typed back, so they become the key. Raises NotTypedBack and keeps them; DraftGone; as `make`."""
    drawn = look(vault, draft_id, at=at)
    asked = zip(drawn.asked, typed, strict=True)
    differ = tuple(place for place, word in asked if keys.plain(word) != keys.plain(drawn.words[place - 1]))
    if differ:
        raise NotTypedBack(differ)
    return make(vault, " ".join(drawn.words), at=at, draft_id=draft_id)


def was_finished(vault: OpenVault, draft_id: UUID, *, at: datetime) -> bool:
    """Whether a draft that is gone became the key: the second of two clicks, or the way back to its page."""
    since = at - 2 * settings.DRAFT_KEPT
    return vault.user.events.filter(at__gte=since, tag=Tag.WORDS_MADE, facts__draft=str(draft_id)).exists()


@sensitive_variables()
def make(
    vault: OpenVault,
    typed: Secret | str,
    *,
    at: datetime,
    costs: Costs = keys.WORDS_COSTS,
    draft_id: UUID | None = None,
) -> KeySlot:
    """These words open the list from now on, and the ones before them no more; nor any backup made from now on.

    The slot is opened again before it counts. With `draft_id` that draft is spent. Raises Busy, DraftGone,
    DeviceRemoved, BeingDeleted.
    """
    salt = keys.random_bytes(_SALT)
    slot = KeySlot(vault=vault.row, kind=SlotKind.WORDS, salt=salt, made_at=at)
    slot.kib, slot.passes, slot.lanes = costs.kib, costs.passes, costs.lanes
    root = stretched(typed, salt, costs, at=at)
    slot.kid, pepper = keyring.pepper()
    place = (vault.row.id.bytes, slot.id.bytes)
    slot.wrapped = keys.make_slot(vault.key, keys.words_key(root, *place), pepper, *place)
    backup = BackupKey(slot.id.hex, SlotKind.WORDS.value, _hint(slot), keys.backup_key_of_words(root))
    facts = {"draft": str(draft_id)} if draft_id else None
    with transaction.atomic():
        Vault.objects.select_for_update().get(pk=vault.row.pk)
        if draft_id is not None:
            vaults.use(vault, draft_id, kind=Draft.Kind.WORDS, at=at)
        before = KeySlot.objects.filter(vault=vault.row, kind=SlotKind.WORDS)
        gone = [slot_id.hex for slot_id in before.values_list("pk", flat=True)]
        before.delete()
        slot.save(force_insert=True)
        if _unwrapped(KeySlot.objects.get(pk=slot.pk), root) != vault.key:
            raise WrongKey(Reason.SLOT_INNER)
        vaults.change(
            vault,
            lambda accounts: accounts.without_backup_keys(gone).with_backup_key(backup),
            tag=Tag.WORDS_MADE,
            at=at,
            facts=facts,
        )
    return slot


def _hint(slot: KeySlot) -> Secret:
    """What a backup says of these words: salt 16, KiB u32, passes u8, lanes u8."""
    kib, passes, lanes = (figure or 0 for figure in (slot.kib, slot.passes, slot.lanes))
    return Secret(bytes(slot.salt or b"") + kib.to_bytes(4, "big") + bytes([passes, lanes]))


# -- The list is opened -----------------------------------------------------------------------------------------------


@sensitive_variables()
def open_list(
    user: User, list_id: UUID, typed: Secret | str, new: NewDevice, *, network: bytes, at: datetime
) -> Enrolled:
    """The right words make a device of the browser. `network` is where it is, as `attempts.network` has it.

    Raises NoSuchDoor, Damaged (the slot is altered, or the server's key is another: no words are judged by it),
    TooCostly, TooManyTries, Busy, DeviceGone; none of them costs a try. WrongWords does.
    """
    slot = KeySlot.objects.of_person(user).filter(vault=list_id, kind=SlotKind.WORDS).first()
    if slot is None:
        raise NoSuchDoor
    words, costs = keys.normalised(typed), Costs(slot.kib or 0, slot.passes or 0, slot.lanes or 0).checked()
    place, pepper = (slot.vault_id.bytes, slot.id.bytes), keyring.pepper_of(slot.kid)
    keys.rewrap(bytes(slot.wrapped or b""), pepper, pepper, *place)  # Damaged is told before anything is counted.
    subject = attempts.of_list(list_id)
    tried = attempts.count([(WORDS_OF_LIST, subject), (WORDS_OF_NETWORK, network)], at=at)
    try:
        key = _unwrapped(slot, stretched(words, bytes(slot.salt or b""), costs, at=at))
    except WrongKey:
        activity.record(Tag.WORDS_FAILED, user=user, at=at)
        raise WrongWords(*attempts.left(WORDS_OF_LIST, subject, at=at)) from None
    except Busy:
        attempts.forget(tried)
        raise
    attempts.forget(tried)
    try:
        return doors.enter_by(slot, key, new, tag=Tag.DEVICE_OPENED_BY_WORDS, at=at)
    except WrongKey:
        raise Damaged(Reason.SLOT_INNER) from None


def tries_left(list_id: UUID, *, at: datetime) -> tuple[int, datetime]:
    """How many more words may be tried at a list, and until when no more."""
    return attempts.left(WORDS_OF_LIST, attempts.of_list(list_id), at=at)


@sensitive_variables()
def _unwrapped(slot: KeySlot, root: Secret) -> keys.VaultKey:
    place = (slot.vault_id.bytes, slot.id.bytes)
    return keys.open_slot(bytes(slot.wrapped or b""), keys.words_key(root, *place), keyring.pepper_of(slot.kid), *place)


@sensitive_variables()
def stretched(typed: Secret | str, salt: bytes, costs: Costs, *, at: datetime) -> Secret:
    """What words become before any key is made of them, in one of the two turns. Raises Busy, TooCostly."""
    with _turn(at):
        return keys.stretch(typed, salt, costs.checked())


@contextmanager
def _turn(at: datetime) -> Iterator[None]:
    """One of two turns over all processes that share DATA_DIR: each derivation takes 64 MiB and a processor.

    Raises Busy after ten seconds. A lock goes with the process that holds it, however that ends.
    """
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = [
            stack.enter_context((settings.DATA_DIR / f"words-{number}.lock").open("ab")) for number in range(_AT_ONCE)
        ]
        for _ in range(_LOOKS):
            for file in files:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
            time.sleep(_ASKED)
    raise Busy(at + _BUSY)
