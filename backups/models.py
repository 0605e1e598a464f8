"""The rows of Cloud Backup. They tell how a backup stands; what opens it lies in the envelope and in the list alone."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import roles
from accounts.models import DeviceType, User, Vault
from accounts.roles import Role
from accounts.vault.list import Protection

SAVING_TAKES = timedelta(seconds=2)
CHECKED_EVERY = timedelta(days=7)
UNCHECKED_AFTER = timedelta(days=8)
UNCHECKED_WARNS_AFTER = timedelta(days=30)
_MARK = 12


class RecoveryAccount(models.Model):
    """An outside account under which backups of one device type lie. Who it is stands here as fingerprints alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="recovery_accounts", verbose_name=_("user"))
    name = models.BinaryField(max_length=32)  # `names.ctx`: where in the store its backups lie.
    tag = models.BinaryField(max_length=32)  # `identity.tag`: by which the same person is known again.
    kid = models.PositiveIntegerField()  # The number of the NAME key that made both.
    role = models.CharField(_("provider"), max_length=16, choices=[(role.value, role.value) for role in Role])
    device_type = models.CharField(_("device type"), max_length=8, choices=DeviceType)
    label = models.CharField(_("label"), max_length=64)  # Masked: a…@outlook.com.
    proven_at = models.DateTimeField(_("last proven"))
    deleted_at = models.DateTimeField(null=True)  # When a backup that lay there was deleted last.

    class Meta:
        verbose_name = _("recovery account")
        verbose_name_plural = _("recovery accounts")
        constraints = (models.UniqueConstraint(fields=("user", "name"), name="recovery_account_is_unique"),)

    def __str__(self) -> str:
        return self.label


class Status(StrEnum):
    """How a backup stands, as the card and the chip say it."""

    OFF = "off"
    NO_PROVIDER = "no_provider"
    SAVING = "saving"
    PROTECTED = "protected"
    UNSAVED = "unsaved"
    FAILING = "failing"
    UNCHECKED = "unchecked"
    NEEDS_YOU = "needs_you"
    SHRUNK = "shrunk"
    DELETING = "deleting"


class Cause(models.TextChoices):
    """Why a backup was not made, one closed list; `pages` has its sentence and the next step."""

    NO_SIGN_IN = "no_sign_in"
    CANCELLED = "cancelled"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    STALE = "stale"
    LOST = "lost"
    OTHER_IDENTITY = "other_identity"
    WORK_ACCOUNT = "work_account"
    PROVIDER = "provider"  # The role does not fit the type of the device or the date.
    NO_KEY = "no_key"  # Protected by a key, and the list holds none.
    NOT_OPENED = "not_opened"
    STORE = "store"
    TAKEN = "taken"  # Another object has the name: records were put back.
    UNEQUAL = "unequal"
    MISSING = "missing"  # It was proven once, and is no longer there.
    KEYS = "keys"
    TOO_LARGE = "too_large"
    UNKNOWN = "unknown"


class BackupQuerySet(models.QuerySet["Backup"]):
    """Backups, many at a time."""

    def earlier(self) -> Self:
        """Those whose own list is no more, as `Backup.is_earlier`."""
        return self.filter(vault=None, former_of=None, left_at=None).exclude(stream="")


class Backup(models.Model):
    """Cloud Backup of one list. Its last columns sum up the generations, so that a list tells its state by one row.

    Off: no stream. In play: `vault` and a stream. On its way out: `deletes_at`, and `former_of` in place of `vault`
    where another recovery account has taken its place meanwhile. Gone: a former one with `left_at`, whose objects go.
    Earlier: its own list is no more, and it waits for `passes_to`, the list that was restored from its account.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # As long as it has a row something may lie in the store: nobody is forgotten before that.
    user = models.ForeignKey(User, models.RESTRICT, related_name="backups", verbose_name=_("user"))
    vault = models.OneToOneField(Vault, models.SET_NULL, null=True, related_name="backup")
    former_of = models.ForeignKey(Vault, models.SET_NULL, null=True, related_name="former_backups")
    passes_to = models.ForeignKey(Vault, models.SET_NULL, null=True, related_name="earlier_backups")
    # Found in the store without a record, and never opened since: it may be somebody else's of the same account.
    unopened = models.BooleanField(default=False)
    recovery_account = models.ForeignKey(
        RecoveryAccount, models.RESTRICT, null=True, related_name="backups", verbose_name=_("recovery account")
    )
    # Fingerprint of list and recovery account, by a server key: who writes rows sends it to no account of their own.
    bound = models.BinaryField(max_length=32, default=bytes)
    stream = models.CharField(max_length=16, blank=True)
    device_name = models.CharField(_("made on"), max_length=64, blank=True)
    protection = models.CharField(_("protection"), max_length=7, choices=[(p.value, p.value) for p in Protection])
    high_water = models.PositiveBigIntegerField(default=0)  # The newest number given in this stream.
    switches = models.JSONField(default=dict)  # Of an iPhone: question -> [answer, when].
    on_at = models.DateTimeField(_("on since"), null=True)
    deletes_at = models.DateTimeField(_("will be deleted"), null=True)
    left_at = models.DateTimeField(null=True)  # From then on it is no list's, and no Undo finds it.

    saved_at = models.DateTimeField(_("last saved"), null=True)  # When the newest proven generation was made.
    checked_at = models.DateTimeField(_("last checked"), null=True)
    restore_tried_at = models.DateTimeField(_("restore last tried"), null=True)  # By this list, up to the preview.
    whole = models.PositiveIntegerField(_("accounts with code"), default=0)
    named = models.PositiveIntegerField(_("accounts by name"), default=0)
    # By a rule: they are in the list alone.
    left_out = models.PositiveIntegerField(_("accounts left out"), default=0, db_default=0)
    left_out_marks = models.TextField(blank=True, default="", db_default="")  # Which, as `marks`.
    behind_since = models.DateTimeField(_("behind since"), null=True)  # The oldest change that is in none.
    behind_changes = models.PositiveIntegerField(default=0)
    behind_told_at = models.DateTimeField(null=True)
    failure = models.CharField(_("failure"), max_length=16, choices=Cause, blank=True)
    reference = models.CharField(_("reference"), max_length=16, blank=True)
    retry_at = models.DateTimeField(null=True)
    shrunk_from = models.PositiveIntegerField(null=True)  # Accounts in the pinned generation that asks for a decision.
    accepted = models.PositiveBigIntegerField(default=0)  # "This is right" was said of everything up to this number.

    objects = BackupQuerySet.as_manager()

    class Meta:
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        constraints = (
            models.CheckConstraint(
                condition=Q(stream="", recovery_account=None, on_at=None, deletes_at=None)
                | Q(recovery_account__isnull=False, on_at__isnull=False) & ~Q(stream=""),
                name="backup_is_on_or_off",
            ),
            models.CheckConstraint(condition=Q(vault=None) | Q(former_of=None), name="backup_is_in_play_or_former"),
            models.UniqueConstraint(fields=("stream",), condition=~Q(stream=""), name="backup_stream_has_one_row"),
        )

    def __str__(self) -> str:
        return f"{self.id}"

    @property
    def is_on(self) -> bool:
        """Whether changes of the list go to it."""
        return self.vault_id is not None and self.is_kept

    @property
    def is_kept(self) -> bool:
        """Whether nobody has said that it be deleted."""
        return bool(self.stream) and self.deletes_at is None

    @property
    def is_earlier(self) -> bool:
        """Whether its own list is no more."""
        return self.vault_id is None and self.former_of_id is None and not self.is_gone

    @property
    def is_gone(self) -> bool:
        """Whether it left its list for good: its objects are being deleted, and no Undo finds it."""
        return self.left_at is not None

    @property
    def count(self) -> int:
        """Accounts in the newest proven generation."""
        return self.whole + self.named

    @property
    def of_list(self) -> int:
        """Accounts that the list had when that was made: those in it, and those that a rule left out."""
        return self.count + self.left_out

    def mark(self, entry_id: str) -> str:
        """By what the rows of this backup know an account that a rule left out. Nobody finds its id, made by chance."""
        return hashlib.sha256(f"{self.stream} {entry_id}".encode()).hexdigest()[:_MARK]

    def marks(self, entry_ids: Iterable[str]) -> str:
        """Several of them, as they are kept."""
        return " ".join(sorted(map(self.mark, entry_ids)))

    def status(self, at: datetime) -> Status:
        """One of ten states; of what was checked, never of what was sent."""
        if not self.stream:
            return Status.OFF if roles.any_configured() else Status.NO_PROVIDER
        if self.deletes_at is not None:
            return Status.DELETING
        account = self.recovery_account
        if account is not None and not roles.configured(Role(account.role)):
            return Status.NO_PROVIDER
        if account is not None and not roles.fits(Role(account.role), account.device_type, at):
            return Status.NEEDS_YOU
        if self.failure:
            return Status.NEEDS_YOU if self.failure in NEEDS_THE_PERSON else Status.FAILING
        if self.behind_since is not None:
            return Status.SAVING if at - self.behind_since <= SAVING_TAKES else Status.UNSAVED
        if self.shrunk_from is not None:
            return Status.SHRUNK
        if self.checked_at is None or at - self.checked_at > UNCHECKED_AFTER:
            return Status.UNCHECKED
        return Status.PROTECTED


NEEDS_THE_PERSON = frozenset({Cause.PROVIDER, Cause.NO_KEY})


class GenerationQuerySet(models.QuerySet["Generation"]):
    """Saved states, many at a time."""

    def stored(self) -> Self:
        """Those that a restore could read: proven to open, then read back equal."""
        return self.filter(state=Generation.State.PROVEN)

    def newest_first(self) -> Self:
        """By their numbers, without the bytes that wait."""
        return self.order_by("-sequence").defer("waiting")


class Generation(models.Model):
    """One saved state of a list: its bytes while they wait, then its place, size and fingerprint."""

    class State(models.TextChoices):
        """Where it is on its way."""

        WAITING = "waiting"  # Proven to open; not yet in the store, or not known to be.
        PROVEN = "proven"  # Read back equal.
        SUPERSEDED = "superseded"  # A newer one was made before it was sent.
        DAMAGED = "damaged"  # It was proven, and is other bytes now, or gone.

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    recovery_account = models.ForeignKey(RecoveryAccount, models.RESTRICT, related_name="generations")
    backup = models.ForeignKey(Backup, models.SET_NULL, null=True, related_name="generations")
    stream = models.CharField(max_length=16)
    sequence = models.PositiveBigIntegerField(_("number"))
    sha256 = models.BinaryField(max_length=32)
    kid = models.PositiveIntegerField()
    size = models.PositiveIntegerField(_("bytes"))
    whole = models.PositiveIntegerField(_("accounts with code"))
    named = models.PositiveIntegerField(_("accounts by name"))
    left_out = models.PositiveIntegerField(_("accounts left out"), default=0, db_default=0)
    left_out_marks = models.TextField(blank=True, default="", db_default="")  # Which, as `Backup.marks`.
    device_name = models.CharField(_("made on"), max_length=64)
    slots = models.JSONField(default=list)  # [kind, id of the key slot]; none: the sign-in alone opens it.
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    waiting = models.BinaryField(null=True)
    tries = models.PositiveIntegerField(default=0)
    counter_only = models.BooleanField(default=False)  # Made because a counter went on, and for nothing else.
    pinned = models.BooleanField(_("pinned"), default=False)
    made_at = models.DateTimeField(_("saved"))
    tried_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(_("checked"), null=True)

    objects = GenerationQuerySet.as_manager()

    class Meta:
        verbose_name = _("saved state")
        verbose_name_plural = _("saved states")
        ordering = ("-sequence",)
        constraints = (
            models.UniqueConstraint(fields=("stream", "sequence"), name="generation_is_unique"),
            models.CheckConstraint(
                condition=Q(state="waiting", waiting__isnull=False) | ~Q(state="waiting") & Q(waiting=None),
                name="generation_holds_bytes_while_it_waits",
            ),
        )

    def __str__(self) -> str:
        return f"{self.stream} {self.sequence}"

    @property
    def count(self) -> int:
        """Accounts in it."""
        return self.whole + self.named

    @property
    def of_list(self) -> int:
        """Accounts of the list that it was made of."""
        return self.count + self.left_out

    @property
    def opens_with_sign_in(self) -> bool:
        """Whether the recovery account alone opens it, and so whoever operates the server."""
        return not self.slots


class Person(User):
    """A person as the administration looks at their backups: no table of its own, and nobody's to change."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("backup of a person")
        verbose_name_plural = _("backups of people")
