"""Every way in which the core says no. It knows reasons and figures, never sentences: the pages have those.

A fact is a number or a short text that may be shown (the letter that cannot be there, the size found and the size
allowed). A fact never holds a key, and never more of a hostile text than a person needs to recognise it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

Fact = str | int | tuple[int, ...]


class Reason(StrEnum):
    """Why something was refused. In brackets: the facts that go with it."""

    # One account: a link, a row of a file, a form filled in by hand.
    NO_SECRET = "no_secret"  # noqa: S105 - a reason, not a password; so are the next two
    SECRET_LETTER = "secret_letter"  # noqa: S105 - (letter)
    SECRET_TOO_LONG = "secret_too_long"  # noqa: S105 - (found, allowed) bytes
    NO_NAME = "no_name"
    NAME_TOO_LONG = "name_too_long"  # (found, allowed) characters, as the two below
    ISSUER_TOO_LONG = "issuer_too_long"
    NOTE_TOO_LONG = "note_too_long"
    TAG_TOO_LONG = "tag_too_long"
    TOO_MANY_TAGS = "too_many_tags"  # (found, allowed)
    CONTROL_CHARACTER = "control_character"  # (field)
    ICON_UNKNOWN = "icon_unknown"
    ID = "id"
    TIME = "time"
    TYPE_UNKNOWN = "type_unknown"  # (type)
    ALGORITHM_REFUSED = "algorithm_refused"  # (algorithm)
    DIGITS = "digits"  # (found)
    PERIOD = "period"  # (found)
    COUNTER = "counter"  # (found)
    NOT_PERSONAL = "not_personal"  # no code of a personal account: those are by time, new every 30 seconds
    NOT_A_COUNTER = "not_a_counter"  # the next code was asked of an account without a counter
    PARAMETER_TWICE = "parameter_twice"  # (name)
    NOT_OTPAUTH = "not_otpauth"
    PHONEFACTOR = "phonefactor"  # Microsoft's own push link: no code can come of it
    TEXT_TOO_LONG = "text_too_long"  # (found, allowed) bytes
    NOT_UTF8 = "not_utf8"

    # A picture.
    PICTURE_NONE = "picture_none"  # a picture, but no QR code in it
    PICTURE_TOO_LARGE = "picture_too_large"  # (found, allowed, unit) or (width, height, allowed, unit)
    PICTURE_NOT = "picture_not"  # no picture of a kind that is read, or a damaged one
    PICTURE_ANIMATED = "picture_animated"
    PICTURE_TOO_COSTLY = "picture_too_costly"
    TOO_MANY_PICTURES = "too_many_pictures"  # (found, allowed)

    # A file, or several texts at once.
    FILE_EMPTY = "file_empty"
    FILE_TOO_LARGE = "file_too_large"  # (found, allowed) bytes
    NOT_RECOGNISED = "not_recognised"
    NOTHING_IN_IT = "nothing_in_it"
    MIGRATION_BASE64 = "migration_base64"
    MIGRATION_PAYLOAD = "migration_payload"
    PARTS_MISSING = "parts_missing"  # (found, total, missing) missing = the numbers, counted from 1

    # Sealed bytes, keys, documents.
    DAMAGED_LENGTH = "damaged_length"  # (found)
    DAMAGED_SEAL = "damaged_seal"  # the tag does not fit: other key, other place, or altered bytes
    DAMAGED_PADDING = "damaged_padding"
    DAMAGED_JSON = "damaged_json"
    DAMAGED_JSON_DEEP = "damaged_json_deep"  # (allowed)
    DAMAGED_JSON_TWICE = "damaged_json_twice"
    DAMAGED_JSON_NUMBER = "damaged_json_number"
    DAMAGED_DOCUMENT = "damaged_document"
    VERSION = "version"  # (found)
    SLOT_OUTER = "slot_outer"  # the slot is damaged, in the wrong row, or the server key is another
    SLOT_INNER = "slot_inner"  # not these words, not this passkey, not this cookie
    APPROVAL = "approval"  # sealed to another browser, slot, device or list
    COOKIE = "cookie"
    WORDS_EMPTY = "words_empty"
    KEY_LENGTH = "key_length"  # (found, allowed)
    COST_MEMORY = "cost_memory"  # (found, allowed) KiB; allowed is the bound that was passed
    COST_PASSES = "cost_passes"  # (found, allowed)
    COST_LANES = "cost_lanes"  # (found, allowed)

    # A backup.
    KEY_MISSING = "key_missing"  # (kid) the server keys file lacks the key this one was made with
    OTHER_DEVICE_TYPE = "other_device_type"  # (found)

    # A line of the server keys file.
    LINE_ROLE = "line_role"
    LINE_NUMBER = "line_number"
    LINE_LETTER = "line_letter"  # (letter, group) group counted from 1, the check is the last
    LINE_LENGTH = "line_length"  # (found, allowed) letters
    LINE_CHECK = "line_check"

    # The list.
    ALREADY_LISTED = "already_listed"
    NOT_LISTED = "not_listed"
    CLASH = "clash"
    TOO_LARGE = "too_large"  # (found, allowed, unit) unit = entries or bytes


class Note(StrEnum):
    """Taken, with care: what a person should know about an account that was read."""

    PERIOD_UNKNOWN = "period_unknown"
    COUNTER_ASSUMED = "counter_assumed"
    UNUSUAL_LENGTH = "unusual_length"
    SHORT_SECRET = "short_secret"  # noqa: S105 - a note, not a password
    ISSUER_PREFIX = "issuer_prefix"
    TYPE_ASSUMED = "type_assumed"
    ICON_LEFT_OUT = "icon_left_out"
    SETTINGS_IGNORED = "settings_ignored"  # a Steam row that claims other digits, period or hash


class VaultError(Exception):
    """The root of all errors of the core. Carries a reason and its facts; prints nothing else."""

    def __init__(self, reason: Reason, **facts: Fact) -> None:
        super().__init__(reason, facts)
        self.reason = reason
        self.facts: Mapping[str, Fact] = MappingProxyType(facts)

    def __str__(self) -> str:
        return f"{self.reason.value} {dict(self.facts)}" if self.facts else self.reason.value


class ParseError(VaultError):
    """One text, or one account, cannot be taken."""


class Damaged(VaultError):
    """The bytes are not what was written, or do not belong where they lie."""


class WrongKey(VaultError):
    """The bytes are whole, and this key does not open them."""


class Unsupported(VaultError):
    """A known thing in a version or of a kind that is not read, or nothing that is known."""


class TooCostly(VaultError):
    """Refused before any work was done: it would cost more than is allowed."""


class KeyMissing(VaultError):
    """The server keys file lacks the key of this number. Fact: kid."""

    def __init__(self, kid: int) -> None:
        super().__init__(Reason.KEY_MISSING, kid=kid)
        self.kid = kid


class WrongDeviceType(VaultError):
    """A backup of another type of device. Fact: found, one of `ios`, `android`, `computer`."""

    def __init__(self, found: str) -> None:
        super().__init__(Reason.OTHER_DEVICE_TYPE, found=found)
        self.found = found


class TooLarge(VaultError):
    """More than the list may hold. Facts: found, allowed, unit ("entries" or "bytes")."""

    def __init__(self, *, found: int, allowed: int, unit: str) -> None:
        super().__init__(Reason.TOO_LARGE, found=found, allowed=allowed, unit=unit)
        self.found, self.allowed, self.unit = found, allowed, unit


class NotListed(VaultError):
    """No account of that id is in the list (or in the Trash, where the Trash was asked)."""

    def __init__(self) -> None:
        super().__init__(Reason.NOT_LISTED)


class AlreadyListed(VaultError):
    """The same account is in the list. `entry` is the one that is there, an `accounts.vault.entry.Entry`.

    `in_trash` tells whether it waits in the Trash.
    """

    def __init__(self, entry: Any, *, in_trash: bool = False) -> None:
        super().__init__(Reason.ALREADY_LISTED)
        self.entry: Any = entry  # Entries raise these errors, so their class cannot be named here.
        self.in_trash = in_trash


class Clash(VaultError):
    """An account of the same issuer and name is in the list with another key or other settings: `entry`."""

    def __init__(self, entry: Any) -> None:
        super().__init__(Reason.CLASH)
        self.entry: Any = entry


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that could not be taken, and where it stood: a line or position (counted from 1), or a name."""

    place: str | int
    reason: Reason
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @classmethod
    def of(cls, place: str | int, error: VaultError) -> Problem:
        """The problem that an error is, once it is known where it happened."""
        return cls(place, error.reason, error.facts)
