"""What people read where the core says no, or takes something with care: one sentence for each reason and each note.

The core knows reasons and figures; here they become what is, and what to do next. A test walks every reason and note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.vault.entry import Algorithm, Type
from accounts.vault.errors import Fact, Note, Reason

Facts = Mapping[str, Fact]
_Sentence = str | Promise | Callable[[Facts], str]

_MIB: Final = 2**20
_MOST_NUMBERS: Final = 12


class Said(Protocol):
    """What has a reason and its facts: an error of the core, or a problem with one account of many."""

    @property
    def reason(self) -> Reason:
        """Why."""

    @property
    def facts(self) -> Facts:
        """Figures, and short texts that may be shown."""


class Settings(Protocol):
    """How an account makes its codes."""

    @property
    def type(self) -> Type:
        """By time, by counter, Steam's way."""

    @property
    def algorithm(self) -> Algorithm:
        """The hash."""

    @property
    def digits(self) -> int:
        """How many."""

    @property
    def period(self) -> int:
        """Seconds."""

    @property
    def counter(self) -> int:
        """The next one to use."""


def sentence(said: Said, *, picture: bool = False) -> str:
    """Cause and next step; with `picture`, in the words for what a QR code holds."""
    found = OF_PICTURES.get(said.reason) if picture else None
    return _filled(found or SENTENCES[said.reason], said.facts)


def note(note: Note) -> str:
    """What a person should know about an account that was read."""
    return str(NOTES[note])


def settings(of: Settings) -> str:
    """How its codes are made, in words: digits, seconds, a counter, an unusual hash."""
    facts = {
        "digits": number(of.digits),
        "seconds": number(of.period),
        "counter": number(of.counter),
        "hash": HASHES[of.algorithm],
    }
    if of.type is Type.STEAM:
        return _("Steam: 5 letters and digits, new every 30 seconds.")
    if of.type is Type.HOTP:
        if of.algorithm is Algorithm.SHA1:
            return _("%(digits)s digits, by counter. It stands at %(counter)s.") % facts
        return _("%(digits)s digits, by counter, with %(hash)s. It stands at %(counter)s.") % facts
    if of.algorithm is Algorithm.SHA1:
        return (
            ngettext(
                "%(digits)s digits, new every second.", "%(digits)s digits, new every %(seconds)s seconds.", of.period
            )
            % facts
        )
    return (
        ngettext(
            "%(digits)s digits, new every second, with %(hash)s.",
            "%(digits)s digits, new every %(seconds)s seconds, with %(hash)s.",
            of.period,
        )
        % facts
    )


def number(value: int) -> str:
    """A number with its thousands apart, as the reader's language writes it."""
    return str(number_format(value, force_grouping=True))


DEVICE_TYPES: Final = {"ios": "iOS", "android": "Android", "computer": gettext_lazy("a computer")}
HASHES: Final = {Algorithm.SHA1: "SHA-1", Algorithm.SHA256: "SHA-256", Algorithm.SHA512: "SHA-512"}


# -- How facts are written --------------------------------------------------------------------------------------------


def _filled(sentence: _Sentence, facts: Facts) -> str:
    if callable(sentence) and not isinstance(sentence, Promise):
        return sentence(facts)
    return str(sentence) % {name: _written(fact) for name, fact in facts.items()}


def _written(fact: Fact) -> str:
    if isinstance(fact, int):
        return number(fact)
    if isinstance(fact, str):
        return _shown(fact)
    return get_text_list([number(part) for part in fact], _("and"))


def _shown(text: str) -> str:
    """A text from elsewhere: what cannot be seen by its number, what may run the other way by itself."""
    text = "".join(letter if letter.isprintable() else f"U+{ord(letter):04X}" for letter in text)
    return text if text.isascii() else f"\u2068{text}\u2069"


def _int(fact: Fact) -> int:
    return fact if isinstance(fact, int) else 0


def _mib(found: Fact, *, up: bool = False) -> str:
    """Bytes as MiB with one place at most; `up` rounds a size that is too large away from the one allowed."""
    tenths = _int(found) * 10
    tenths = -(-tenths // _MIB) if up else tenths // _MIB
    return str(number_format(tenths / 10 if tenths % 10 else tenths // 10, force_grouping=True))


def _other_device_type(facts: Facts) -> str:
    return _("This backup was made on %(type)s. Open Authweb on a device of that type to restore it.") % {
        "type": DEVICE_TYPES.get(str(facts["found"]), "–")
    }


def _file_too_large(facts: Facts) -> str:
    return _("This file has %(found)s MiB; %(allowed)s MiB are allowed. Take a smaller part of it.") % {
        "found": _mib(facts["found"], up=True),
        "allowed": _mib(facts["allowed"]),
    }


def _picture_too_large(facts: Facts) -> str:
    unit = facts.get("unit")
    if unit == "bytes":
        return _("This picture has %(found)s MiB; %(allowed)s MiB are allowed. Cut it down to the QR code.") % {
            "found": _mib(facts["found"], up=True),
            "allowed": _mib(facts["allowed"]),
        }
    written = {name: _written(fact) for name, fact in facts.items()}
    if unit == "side":
        return (
            _(
                "This picture has %(width)s × %(height)s pixels; %(allowed)s on a side are allowed. "
                "Cut it down to the QR code."
            )
            % written
        )
    if unit == "pixels":
        return (
            _(
                "This picture has %(width)s × %(height)s pixels, %(found)s in all; %(allowed)s are allowed. "
                "Cut it down to the QR code."
            )
            % written
        )
    return _("This picture has more pixels than it says, and more than are allowed. Cut it down to the QR code.")


def _parts_missing(facts: Facts) -> str:
    numbers = facts["missing"]
    missing = tuple(numbers) if isinstance(numbers, tuple | list) else ()
    written = {name: _written(fact) for name, fact in facts.items() if name != "missing"}
    if len(missing) > _MOST_NUMBERS:
        return _(
            "%(found)s of %(total)s QR codes of this export were read, %(count)s are missing. "
            "Add them too, or go on without them."
        ) % {**written, "count": number(len(missing))}
    return ngettext(
        "%(found)s of %(total)s read, number %(missing)s is missing. Add that QR code too, or go on without it.",
        "%(found)s of %(total)s read, numbers %(missing)s are missing. Add those QR codes too, or go on without them.",
        len(missing),
    ) % {**written, "missing": _written(missing)}


def _too_large(facts: Facts) -> str:
    written = {name: _written(fact) for name, fact in facts.items()}
    if facts.get("unit") == "bytes":
        return (
            _(
                "Your list would have %(found)s bytes; %(allowed)s are allowed, Trash included. "
                "Shorten notes, or delete accounts that you no longer need."
            )
            % written
        )
    if "holds" not in facts:
        return (
            _(
                "Your list would hold %(found)s accounts; %(allowed)s are allowed, Trash included. "
                "Delete some that you no longer need, in Trash too."
            )
            % written
        )
    count = _int(facts["count"])
    if count == 1:
        return (
            _(
                "Your list holds %(holds)s of %(allowed)s accounts, Trash included; there is no room for one more. "
                "Delete some that you no longer need, in Trash too."
            )
            % written
        )
    return (
        ngettext(
            "Your list holds %(holds)s of %(allowed)s accounts; this file has %(count)s. "
            "Delete some that you no longer need, in Trash too.",
            "Your list holds %(holds)s of %(allowed)s accounts; this file has %(count)s. "
            "Delete some that you no longer need, in Trash too.",
            count,
        )
        % written
    )


# -- The tables -------------------------------------------------------------------------------------------------------

_DAMAGED: Final = gettext_lazy("What is kept here is damaged and does not open. Ask the operator of this server.")
_LINE: Final = gettext_lazy("This line of the sheet does not fit. Read it again, letter by letter.")

SENTENCES: Final[Mapping[Reason, _Sentence]] = {
    Reason.NO_SECRET: gettext_lazy("The secret key is missing. Copy it from the site, whole."),
    Reason.SECRET_LETTER: gettext_lazy(
        "The key has a letter that cannot be there: %(letter)s. A key has the letters A to Z and the digits 2 to 7."
    ),
    Reason.SECRET_TOO_LONG: gettext_lazy("The key has %(found)s bytes; %(allowed)s are allowed. Copy the key alone."),
    Reason.NO_NAME: gettext_lazy("The name is missing. Write the site, or the account, or both."),
    Reason.NAME_TOO_LONG: gettext_lazy(
        "The account name has %(found)s characters; %(allowed)s are allowed. Write a shorter one."
    ),
    Reason.ISSUER_TOO_LONG: gettext_lazy(
        "The name of the site has %(found)s characters; %(allowed)s are allowed. Write a shorter one."
    ),
    Reason.NOTE_TOO_LONG: gettext_lazy("The note has %(found)s characters; %(allowed)s are allowed. Shorten it."),
    Reason.TAG_TOO_LONG: gettext_lazy("A tag has %(found)s characters; %(allowed)s are allowed. Shorten it."),
    Reason.TOO_MANY_TAGS: gettext_lazy("There are %(found)s tags; %(allowed)s are allowed. Take some away."),
    Reason.CONTROL_CHARACTER: gettext_lazy("There is a character in it that cannot be shown. Type it anew."),
    Reason.ICON_UNKNOWN: gettext_lazy("This icon is not known. Take another one."),
    Reason.ID: gettext_lazy("An account in it has no proper number. Export it again."),
    Reason.TIME: gettext_lazy("A time in it cannot be. Export it again."),
    Reason.TYPE_UNKNOWN: gettext_lazy("Type %(type)s is not known. Codes by time, by counter, and Steam's are taken."),
    Reason.ALGORITHM_REFUSED: gettext_lazy(
        "The hash %(algorithm)s is not taken. SHA-1, SHA-256 and SHA-512 are; ask the site for one of them."
    ),
    Reason.DIGITS: gettext_lazy("A code of %(found)s digits cannot be made; 5 to 10 can. Correct the number."),
    Reason.PERIOD: gettext_lazy(
        "A code that is new every %(found)s seconds cannot be made; 1 to 86,400 seconds can. Correct the number."
    ),
    Reason.COUNTER: gettext_lazy("%(found)s is no counter. A counter is a whole number, 0 or more. Correct it."),
    Reason.NOT_PERSONAL: gettext_lazy(
        "The code of a personal account is by time and new every 30 seconds; this one is not. "
        "Add it as 'Other account'."
    ),
    Reason.NOT_A_COUNTER: gettext_lazy("This account has no counter, or its last one was used."),
    Reason.PARAMETER_TWICE: gettext_lazy(
        "The link says “%(name)s” twice, and not the same. Copy it from the site again."
    ),
    Reason.NOT_OTPAUTH: gettext_lazy("This is no link of an account. One begins with otpauth://"),
    Reason.PHONEFACTOR: gettext_lazy(
        "This code is for approvals in Microsoft's own app. At the site choose a different authenticator app and scan "
        "the code shown there."
    ),
    Reason.TEXT_TOO_LONG: gettext_lazy("This link has %(found)s bytes; %(allowed)s are allowed. Copy the link alone."),
    Reason.NOT_UTF8: gettext_lazy("The name in it cannot be read as text. Copy it from the site again."),
    # A picture.
    Reason.PICTURE_NONE: gettext_lazy(
        "No QR code was found in this picture. Take it again, straight and near, with the whole code in it."
    ),
    Reason.PICTURE_TOO_LARGE: _picture_too_large,
    Reason.PICTURE_NOT: gettext_lazy("This is no picture that can be read. Take a PNG, JPEG, WebP or GIF."),
    Reason.PICTURE_ANIMATED: gettext_lazy("This picture moves. Take one that stands still, such as a screenshot."),
    Reason.PICTURE_TOO_COSTLY: gettext_lazy("Reading this picture takes too long. Cut it down to the QR code."),
    Reason.TOO_MANY_PICTURES: gettext_lazy(
        "These are %(found)s pictures; %(allowed)s at once are allowed. Add them in several goes."
    ),
    # A file, or several texts at once.
    Reason.FILE_EMPTY: gettext_lazy("This file is empty. Take another one."),
    Reason.FILE_TOO_LARGE: _file_too_large,
    Reason.NOT_RECOGNISED: gettext_lazy(
        "No link in it begins with otpauth:// . A key without a link goes under “Enter code manually”."
    ),
    Reason.NOTHING_IN_IT: gettext_lazy("There is no account in it. Take another one."),
    Reason.MIGRATION_BASE64: gettext_lazy("This part of an export is not whole. Scan or copy it again."),
    Reason.MIGRATION_PAYLOAD: gettext_lazy("This part of an export is damaged. Export the accounts again."),
    Reason.PARTS_MISSING: _parts_missing,
    # Sealed bytes, keys, documents.
    Reason.DAMAGED_LENGTH: _DAMAGED,
    Reason.DAMAGED_SEAL: _DAMAGED,
    Reason.DAMAGED_PADDING: _DAMAGED,
    Reason.DAMAGED_JSON: _DAMAGED,
    Reason.DAMAGED_JSON_DEEP: _DAMAGED,
    Reason.DAMAGED_JSON_TWICE: _DAMAGED,
    Reason.DAMAGED_JSON_NUMBER: _DAMAGED,
    Reason.DAMAGED_DOCUMENT: _DAMAGED,
    Reason.VERSION: gettext_lazy(
        "This was written by a newer Authweb (version %(found)s). Ask the operator of this server to update it."
    ),
    Reason.SLOT_OUTER: _DAMAGED,
    Reason.SLOT_INNER: gettext_lazy("This key does not open this list. Use another one."),
    Reason.APPROVAL: gettext_lazy("This approval was for another browser. Ask for one again."),
    Reason.COOKIE: gettext_lazy("The key in this browser is damaged. Open your list here anew."),
    Reason.WORDS_EMPTY: gettext_lazy("No words were typed. Type all of them."),
    Reason.KEY_LENGTH: _DAMAGED,
    Reason.COST_MEMORY: gettext_lazy(
        "This asks for %(found)s KiB of memory; this server allows %(allowed)s. Ask its operator."
    ),
    Reason.COST_PASSES: gettext_lazy(
        "This asks for %(found)s passes; this server allows %(allowed)s. Ask its operator."
    ),
    Reason.COST_LANES: gettext_lazy("This asks for %(found)s lanes; this server allows %(allowed)s. Ask its operator."),
    # A backup.
    Reason.KEY_MISSING: gettext_lazy(
        "This backup was made with number %(kid)s of the server's keys, which is not there. "
        "Whoever runs this server can bring it back from the printed sheet of keys."
    ),
    Reason.OTHER_DEVICE_TYPE: _other_device_type,
    # A line of the server keys file.
    Reason.LINE_ROLE: gettext_lazy("The line names no key that is known. Read its beginning again."),
    Reason.LINE_NUMBER: gettext_lazy("The number of the key is not a number. Read it again."),
    Reason.LINE_LETTER: gettext_lazy(
        "In group %(group)s there is a letter that cannot be there: %(letter)s. Read it again."
    ),
    Reason.LINE_LENGTH: gettext_lazy("The line has %(found)s letters instead of %(allowed)s. Read it again."),
    Reason.LINE_CHECK: _LINE,
    # The list.
    Reason.ALREADY_LISTED: gettext_lazy("Already in your list."),
    Reason.NOT_LISTED: gettext_lazy("This account is no longer in your list."),
    Reason.CLASH: gettext_lazy(
        "An account of this name with another key is in your list. Keep both, or leave this out."
    ),
    Reason.TOO_LARGE: _too_large,
}

# The same reason, where the text stood in a QR code.
OF_PICTURES: Final[Mapping[Reason, _Sentence]] = {
    Reason.NOT_OTPAUTH: gettext_lazy(
        "This QR code holds other text. Take the one that the site shows for an authenticator app."
    ),
    Reason.NO_SECRET: gettext_lazy("There is no secret key in this QR code. Take the one the site shows anew."),
    Reason.DIGITS: gettext_lazy(
        "This QR code asks for a code of %(found)s digits; 5 to 10 can be made. Ask the site for another one."
    ),
    Reason.PERIOD: gettext_lazy(
        "This QR code asks for a code that is new every %(found)s seconds; 1 to 86,400 can be. "
        "Ask the site for another one."
    ),
}

NOTES: Final[Mapping[Note, str | Promise]] = {
    Note.PERIOD_UNKNOWN: gettext_lazy("This format has no period; 30 seconds assumed. Check the first code."),
    Note.COUNTER_ASSUMED: gettext_lazy("No counter was given; it begins at 0. Check the first code."),
    Note.UNUSUAL_LENGTH: gettext_lazy("The key has an unusual length. Try the first code."),
    Note.SHORT_SECRET: gettext_lazy("The key is short. See that it was copied whole, and try the first code."),
    Note.ISSUER_PREFIX: gettext_lazy("It named a second site or organisation; that is kept in the note."),
    Note.TYPE_ASSUMED: gettext_lazy("The kind of code was not given; by time assumed. Check the first code."),
    Note.ICON_LEFT_OUT: gettext_lazy("Its picture was left out."),
    Note.SETTINGS_IGNORED: gettext_lazy("Steam's codes are all of one kind; other settings were left aside."),
}


def passkeys_off() -> str:
    """Why a passkey opens nothing, to a person who switched them off."""
    return _("Your passkeys are not accepted here, so they open nothing. Accept them again under Passkeys and sign-in.")
