"""The help: its pages as a table, which a check keeps whole; what they tell of this server; and the search in them.

Nothing here asks a database or a session: the help answers while neither does, signed in or not.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.template import loader
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import roles
from accounts.models import DeviceType
from backups import dated_lines, moments
from backups.dated_lines import Change
from backups.states import ACCOUNTS, SIGN_IN_WITH

Sentence = str | Promise
T = TypeVar("T")

MOST_SOUGHT = 100  # Letters of a search; nobody types more than a sentence.
_SLIPS_FROM = 5  # Letters: in a shorter word one slip makes too many others.
_LIKE = 0.8  # One letter of five, or two that changed places in one of six.


@dataclass(frozen=True, slots=True)
class Topic:
    """One page. `words` are what people also call it, each language its own; `see` the pages at its end.

    `rows` are the requirements it shows.
    """

    slug: str
    icon: str
    title: Sentence
    line: Sentence
    words: Sentence
    see: tuple[str, ...]
    rows: tuple[str, ...] = ()
    link: Sentence = ""  # What leads to it, where that is not its title.

    @property
    def template(self) -> str:
        """What stands on the page."""
        return f"help/topics/{self.slug.replace('-', '_')}.html"


_EVERY = ("get-authweb", "add-accounts", "it-admins")  # As the article ends.

TOPICS: tuple[Topic, ...] = (
    Topic(
        "back-up",
        "restore",
        _("Back up your accounts"),
        _("With Cloud Backup a lost phone or a new device does not cost you your accounts. Step by step."),
        _("backup, cloud backup, turn on, switch on, save, copy, iCloud, Microsoft, recovery account, Keychain"),
        ("what-is-backed-up", "delete-or-change", "something-went-wrong", "restore", *_EVERY),
        ("S-01", "S-03", "S-06", "S-07", "S-23", "G-02"),
    ),
    Topic(
        "what-is-backed-up",
        "list",
        _("What is backed up"),
        _("Which accounts come back with their codes, and which by name only."),
        _("contents, one-time password codes, passwordless, name only, families, kinds of accounts"),
        ("back-up", "restore", "keys", *_EVERY),
    ),
    Topic(
        "delete-or-change",
        "trash",
        _("Delete a backup or change the account"),
        _("One way for both: turn Cloud Backup off, and on again with the right account."),
        _("wrong account, wrong recovery account, turn off, remove, erase, move, other account, undo"),
        ("back-up", "what-is-kept", "restore", *_EVERY),
        ("S-43",),
    ),
    Topic(
        "something-went-wrong",
        "warning",
        _("“Something went wrong”"),
        _("Why a backup could not be made, and what to do about each cause."),
        _("error, problem, failed, not signed in, not backed up, message, fault, reference"),
        ("back-up", "delete-or-change", *_EVERY),
        link=_("When a backup cannot be made"),
    ),
    Topic(
        "restore",
        "restore",
        _("Restore your accounts"),
        _("Bring your accounts back on a new device, by signing in to the recovery account."),
        _(
            "begin recovery, recover, recovery, get back, bring back, lost phone, lost my phone, new phone, stolen, "
            "theft, broken screen, try"
        ),
        ("device-types", "what-is-backed-up", "keys", *_EVERY),
    ),
    Topic(
        "device-types",
        "phone",
        _("Moving between device types"),
        _("From Android to iPhone, from a phone to a computer: what a backup can do, and what your list can."),
        _("switch phone, change phone, iOS to Android, Android to iOS, transfer, migrate, unable to recover"),
        ("keys", "restore", "back-up", *_EVERY),
        ("S-07",),
    ),
    Topic(
        "before-you-reset",
        "refresh",
        _("Before you reset a phone"),
        _("Five things to look at before a phone is erased, sold or sent for repair."),
        _("wipe, erase, factory reset, sell, give away, repair, trade in, new phone"),
        ("back-up", "keys", "restore", *_EVERY),
    ),
    Topic(
        "keys",
        "key",
        _("What each key opens"),
        _("Devices, passkeys, six words and the recovery account: what opens your list, and what opens its backups."),
        _(
            "six words, passkey, approval, approve, encryption, operator, who can read, safe, recovery sheet, print, "
            "locked out, forgot password, forgotten, hacked, stolen password"
        ),
        ("passkeys", "back-up", "restore", *_EVERY),
    ),
    Topic(
        "add-accounts",
        "plus",
        _("How to add your accounts"),
        _("By camera or picture, by pasting, by a link, by hand, or by signing in."),
        _(
            "add account, scan, QR code, camera, screenshot, secret key, setup key, otpauth, import, manual, 2FA, "
            "two-factor, wrong code, time wrong, clock, refused"
        ),
        ("what-is-backed-up", "back-up", "get-authweb", "it-admins"),
        ("S-60",),
    ),
    Topic(
        "passkeys",
        "passkey",
        _("Passkeys"),
        _("They go on working. What to leave as it is, so that they do."),
        _("passkey, fingerprint, face, security key, passkey provider, WebAuthn, without a password"),
        ("keys", "autofill", *_EVERY),
        ("S-57",),
    ),
    Topic(
        "autofill",
        "lock",
        _("Autofill"),
        _("What it was, what becomes of passwords, and where to keep them."),
        _("passwords, saved passwords, password manager, fill in, addresses, payment, credit card"),
        ("passkeys", "back-up", *_EVERY),
        ("S-40", "S-41", "S-42", "S-54", "S-55"),
    ),
    Topic(
        "get-authweb",
        "phone",
        _("Get Authweb on this device"),
        _("There is nothing to buy and no store: it is this address, and it can stand on the home screen."),
        _(
            "install, uninstall, app, download, home screen, store, another device, other browser, computer, "
            "open your list"
        ),
        ("add-accounts", "keys", "back-up", "it-admins"),
        ("S-59",),
    ),
    Topic(
        "what-is-kept",
        "clock",
        _("What is kept, and for how long"),
        _("How long this server keeps what you delete, remove or leave unfinished."),
        _(
            "retention, deleted, delete account, delete my account, undo, Trash, days, hours, grace, privacy, "
            "how long, copies, activity"
        ),
        ("delete-or-change", "keys", *_EVERY),
    ),
    Topic(
        "it-admins",
        "briefcase",
        _("For IT admins"),
        _("Block third-party codes for the accounts of your organisation, by the names written in them."),
        _("administrator, block, TOTP, third-party, Entra, EntraID, organisation, company, domain, policy, credential"),
        ("what-is-backed-up", "back-up", "get-authweb", "add-accounts"),
        ("S-61",),
        link=_("IT admins: block third-party codes"),
    ),
)

BY_SLUG = {topic.slug: topic for topic in TOPICS}

# The first page of the help: its groups, in order. The first is headed as the group of Settings that leads to it.
GROUPS: tuple[tuple[Sentence, tuple[str, ...]], ...] = (
    (_("Backup"), ("back-up", "what-is-backed-up", "delete-or-change", "something-went-wrong")),
    (_("A lost or a new device"), ("restore", "device-types", "before-you-reset", "get-authweb")),
    (_("Accounts, keys, passkeys"), ("add-accounts", "keys", "passkeys", "autofill")),
    (_("This server"), ("what-is-kept", "it-admins")),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A page of Authweb itself that a search finds beside the help: its title, where it stands, its address."""

    icon: str
    title: Sentence
    line: Sentence
    words: Sentence
    url: str
    part: str = ""


PLACES: tuple[Place, ...] = (
    Place(
        "settings",
        _("Backup"),
        _("In Settings: Cloud Backup on and off, and how it stands"),
        _("back up, Cloud Backup"),
        "accounts:settings",
        "backup",
    ),
    Place(
        "restore",
        _("Restore from backup"),
        _("In Settings, and where a list is empty"),
        _("begin recovery, recover, restore"),
        "backups:restore",
    ),
    Place("plus", _("Add account"), _("On your list"), _("scan, QR code, new account"), "accounts:add"),
    Place("key", _("Keys"), _("In Settings: six words and passkeys"), _("six words, passkeys"), "accounts:keys"),
    Place("phone", _("Devices"), _("In Settings: browsers that open your list"), _("browsers"), "accounts:devices"),
)


# -- Pictures ---------------------------------------------------------------------------------------------------------

# What each picture shows, for who does not see it. The file is `static/help/<name>.png`; without one there is none.
PICTURES: dict[str, Sentence] = {
    "backup": _("The page Backup: Cloud Backup is on, with when it was saved and checked."),
    "turning-on": _("The page on which the recovery account is chosen."),
    "restore-preview": _("The preview of a restore: each account with what becomes of it."),
    "add-account": _("The page Add account with its three kinds of accounts."),
    "block-totp": _("The administration: Block third-party TOTP, with domain, day, reason and contact."),
    "block-totp-preview": _("The preview of a rule: how many people and devices it affects."),
    "install": _("Authweb on the home screen of a phone."),
}


@lru_cache(maxsize=64)
def has_picture(name: str, folder: Path) -> bool:
    """Whether there is a picture of this name."""
    return name in PICTURES and (folder / "help" / f"{name}.png").is_file()


# -- What pages tell of this server -----------------------------------------------------------------------------------


def in_order(own: DeviceType | None) -> list[DeviceType]:
    """The device types, the reader's own first."""
    return sorted(DeviceType, key=lambda type: type != own)


def facts(*, own: DeviceType | None, at: datetime) -> dict[str, Any]:
    """What the pages say of this server, of the reader's kind of device, and of a day."""
    ios = roles.fitting("ios", at)[0]
    return {
        "own": own,
        "types": [str(type) for type in in_order(own)],
        "icloud_line": dated_lines.told(Change.ICLOUD, at=at),
        "autofill_line": dated_lines.told(Change.AUTOFILL, at=at),
        "is_icloud": ios is roles.Role.APPLE,
        "ios_account": ACCOUNTS[ios],
        "ios_sign_in": SIGN_IN_WITH[ios],
        "android_sign_in": SIGN_IN_WITH[roles.Role.MICROSOFT],
        "keeps_backups": roles.any_configured(),
        "site": settings.SITE_URL,
        "sign_up_is_open": settings.SIGN_UP == "open",
        "kept": _kept(),
    }


def _kept() -> dict[str, str]:
    """How long things stay, from the settings."""
    spans = {
        "trash": settings.TRASH_KEPT,
        "aside": settings.LISTS_PUT_ASIDE_FOR,
        "device": settings.REMOVED_DEVICE_KEPT,
        "backup": settings.BACKUP_GRACE,
        "person": settings.ACCOUNT_DELETED_AFTER,
        "draft": settings.DRAFT_KEPT,
        "approval": settings.APPROVAL_KEPT,
        "proof": settings.PROOF_MAX_AGE,
        "sign_in": timedelta(seconds=settings.SESSION_COOKIE_AGE),
        "states": settings.STATES_KEPT_FOR,
        "unseen": settings.UNSEEN_DEVICE_KEPT,
        "copies": settings.OPERATOR_COPIES_KEPT,
    }
    return {name: moments.lasting(span) if span else "" for name, span in spans.items()}


# -- Search -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """What a page says in one language, folded for comparing: a space before and behind each word.

    What people call it stands in `words` between bars.
    """

    title: str
    words: str
    headings: str = ""
    line: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search finds, the likeliest first."""

    topics: tuple[Topic, ...]
    places: tuple[Place, ...]


_WEIGHTS = (("title", 16), ("words", 12), ("headings", 8), ("line", 4), ("body", 1))
_CALLED = 50  # The whole search is what people call it.
_HEADINGS = re.compile(r"<h[23][^>]*>(.*?)</h[23]>", re.DOTALL)
_TAGS = re.compile(r"<[^>]*>")
_WORDS = re.compile(r"\w+")
_UMLAUTS = re.compile(r"([aou])e")  # As a keyboard without them writes them.


def sought(text: str) -> str:
    """A search as its page repeats it: one line, without what no reader would see."""
    seen = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text[: MOST_SOUGHT + 1])
    return " ".join(seen.split())


def find(text: str, *, at: datetime) -> Found:
    """What has all of these words, else what has any of them: in the reader's language, else in another one.

    Where nothing has, words that are like those of a page stand for them: somebody slipped.
    """
    # One letter would be the beginning of nearly everything.
    words = [word for word in _folded(text).split() if len(word) > 1]
    own = translation.get_language() or settings.LANGUAGE_CODE
    languages = [own, *(code for code, _name in settings.LANGUAGES if code != own)]
    found = _found(words, languages, at)
    if not found.topics:
        meant = [word for word in (_meant(word, languages, at) for word in words) if word]
        found = _found(meant, languages, at)
    return found


def _found(words: list[str], languages: list[str], at: datetime) -> Found:
    for whole in (True, False):
        for language in languages:
            topics, places = _texts(language, at)
            found = Found(_likeliest(topics, words, whole=whole), _likeliest(places, words, whole=whole))
            if found.topics:
                return found
    return Found((), ())


def _meant(word: str, languages: list[str], at: datetime) -> str:
    """The word of a page that is nearly this one; "" where there is none, or where it is too short to tell."""
    if len(word) < _SLIPS_FROM:
        return ""
    for language in languages:
        topics, _places = _texts(language, at)
        known = {one for text in topics.values() for one in f"{text.title}{text.words}{text.headings}".split()}
        like = difflib.get_close_matches(word, sorted(known), n=1, cutoff=_LIKE)
        if like:
            return like[0]
    return ""


def _likeliest(texts: Mapping[T, Text], words: list[str], *, whole: bool) -> tuple[T, ...]:
    scores = {one: _score(text, words, whole=whole) for one, text in texts.items()}
    return tuple(sorted((one for one in texts if scores[one]), key=lambda one: -scores[one]))


def _score(text: Text, words: list[str], *, whole: bool) -> int:
    """How well a page fits; 0 where it does not. `whole`: each word must be there."""
    scores = [sum(weight for name, weight in _WEIGHTS if f" {word}" in getattr(text, name)) for word in words]
    if not scores or not (all(scores) if whole else any(scores)):
        return 0
    phrase = f" {' '.join(words)} "
    called = _CALLED if f"|{phrase}|" in text.words else 0
    return called + sum(scores) + sum(2 * weight for name, weight in _WEIGHTS if phrase in getattr(text, name))


def _folded(text: str) -> str:
    """Words without capitals and accents, a space before and behind each. "ö", "oe" and "o" are one letter."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(one for one in plain if not unicodedata.combining(one))
    words = _WORDS.findall(_UMLAUTS.sub(r"\1", bare))
    return f" {' '.join(words)} "


def _texts(language: str, at: datetime) -> tuple[Mapping[Topic, Text], Mapping[Place, Text]]:
    come = tuple(dated_lines.told(change, at=at).has_come for change in Change)
    return _texts_of(language, come, at.astimezone(UTC).date())


@lru_cache(maxsize=16)
def _texts_of(language: str, come: tuple[bool, ...], day: date) -> tuple[Mapping[Topic, Text], Mapping[Place, Text]]:
    """All pages in one language: rendered once a day in each process, and where a dated line changes."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    with translation.override(language):
        said = facts(own=None, at=at)
        topics = {topic: _text(topic, loader.render_to_string(topic.template, said)) for topic in TOPICS}
        places = {place: Text(_folded(str(place.title)), _names(place.words)) for place in PLACES}
    return topics, places


def _text(topic: Topic, html: str) -> Text:
    return Text(
        title=_folded(f"{topic.title} {topic.link}"),
        words=_names(topic.words),
        headings=_folded(_plain(" ".join(_HEADINGS.findall(html)))),
        line=_folded(str(topic.line)),
        body=_folded(_plain(html)),
    )


def _names(words: Sentence) -> str:
    """What people call a page, each between bars."""
    return f"|{'|'.join(_folded(one) for one in str(words).split(','))}|"


def _plain(html: str) -> str:
    return unescape(_TAGS.sub(" ", html))
