"""The help: its pages as a table, which a check keeps whole, and what they tell of this server.

Nothing here asks a database or a session: the help answers while neither does, signed in or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import roles
from accounts.models import DeviceType
from backups import dated_lines, moments
from backups.dated_lines import Change
from backups.states import ACCOUNTS, SIGN_IN_WITH

Sentence = str | Promise


@dataclass(frozen=True, slots=True)
class Topic:
    """One page. `words` are what people also call it, each language its own; `see` the pages at its end."""

    slug: str
    icon: str
    title: Sentence
    line: Sentence
    words: Sentence
    see: tuple[str, ...]
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
    ),
    Topic(
        "passkeys",
        "passkey",
        _("Passkeys"),
        _("They go on working. What to leave as it is, so that they do."),
        _("passkey, fingerprint, face, security key, passkey provider, WebAuthn, without a password"),
        ("keys", "autofill", *_EVERY),
    ),
    Topic(
        "autofill",
        "lock",
        _("Autofill"),
        _("What it was, what becomes of passwords, and where to keep them."),
        _("passwords, saved passwords, password manager, fill in, addresses, payment, credit card"),
        ("passkeys", "back-up", *_EVERY),
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
