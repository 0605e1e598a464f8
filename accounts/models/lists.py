"""Lists, what opens them, and the devices on which they are open. All of it sealed or wrapped."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User


class DeviceType(models.TextChoices):
    """What a backup made here can be restored on. Fixed when the device is set up."""

    IOS = "ios", _("iOS")
    ANDROID = "android", _("Android")
    COMPUTER = "computer", _("Computer")


class DeviceQuerySet(models.QuerySet["Device"]):
    """Devices, many at a time."""

    def enrolled(self) -> Self:
        """Those that open a list, or may at their next look; who only asks for it is none of them."""
        asking = Q(slots__kind=SlotKind.APPROVAL, slots__sealed=None)
        return self.filter(removed_at=None, slots__isnull=False).exclude(asking)

    def removed(self) -> Self:
        """Those that are refused, their key kept for the time of Undo; who only asked had none."""
        return self.exclude(removed_at=None).exclude(slots__kind=SlotKind.APPROVAL)


class Device(models.Model):
    """One enrolled browser."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="devices", verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=64)
    type = models.CharField(_("type"), max_length=8, choices=DeviceType)
    verifier = models.BinaryField(max_length=32)
    made_at = models.DateTimeField(_("set up"))
    seen_at = models.DateTimeField(_("last seen"))
    cookie_sent_at = models.DateTimeField()
    notices_seen_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        ordering = ("-seen_at",)
        constraints = (models.CheckConstraint(condition=Q(type__in=DeviceType.values), name="device_type_is_known"),)

    def __str__(self) -> str:
        return self.name


class Vault(models.Model):
    """The owner of a list. Its newest state is the list."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="vaults")
    name = models.CharField(max_length=64)
    version = models.PositiveBigIntegerField(default=0)
    made_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    asked_until = models.DateTimeField(null=True)  # Until when a browser may be waiting for an approval.
    put_aside_at = models.DateTimeField(null=True, blank=True)
    # The list begun in place of this one, by who cannot open it any more: this one is put aside for it.
    gives_way_to = models.ForeignKey("self", models.SET_NULL, null=True, related_name="takes_the_place_of")

    def __str__(self) -> str:
        return self.name


class VaultState(models.Model):
    """One sealed list, numbered."""

    vault = models.ForeignKey(Vault, models.CASCADE, related_name="states")
    version = models.PositiveBigIntegerField()
    sealed = models.BinaryField()
    act = models.CharField(max_length=40)
    made_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("vault", "version"), name="state_version_is_unique"),)

    def __str__(self) -> str:
        return f"{self.vault_id} {self.version}"


class SlotKind(models.TextChoices):
    """What opens a key slot."""

    BROWSER = "browser"
    WORDS = "words"
    PASSKEY = "passkey"
    APPROVAL = "approval"


_COLUMNS_OF_KIND = {  # Which columns a slot of each kind fills; all others of this table stay empty.
    SlotKind.BROWSER: ("wrapped", "device", "share"),
    SlotKind.WORDS: ("wrapped", "salt", "kib", "passes", "lanes"),
    SlotKind.PASSKEY: ("wrapped", "credential"),
    SlotKind.APPROVAL: ("device", "share", "public_key", "expires_at"),
}
_MAY_FILL = {SlotKind.APPROVAL: ("sealed", "by_device", "refused_at")}


def _columns_fit_kind() -> Q:
    every = {column for columns in (*_COLUMNS_OF_KIND.values(), *_MAY_FILL.values()) for column in columns}
    fits = Q()
    for kind, columns in _COLUMNS_OF_KIND.items():
        empty = every - set(columns) - set(_MAY_FILL.get(kind, ()))
        one = Q(kind=kind) & Q(**{f"{column}__isnull": False for column in columns})
        fits |= one & Q(**{f"{column}__isnull": True for column in sorted(empty)})
    return fits


class KeySlotQuerySet(models.QuerySet["KeySlot"]):
    """Key slots, many at a time."""

    def doors(self) -> Self:
        """Those through which a list still opens: words, passkeys, browsers that are not removed."""
        return self.filter(
            Q(kind__in=(SlotKind.WORDS, SlotKind.PASSKEY)) | Q(kind=SlotKind.BROWSER, device__removed_at=None)
        )

    def of_person(self, user: User) -> Self:
        """Those of a person's lists; a list put aside is opened by its keys as well."""
        return self.filter(vault__user=user)

    def in_use(self) -> Self:
        """Those of lists that are not put aside."""
        return self.filter(vault__put_aside_at=None)

    def pending(self, at: datetime) -> Self:
        """Requests for approval that wait for an answer."""
        return self.filter(
            kind=SlotKind.APPROVAL, sealed=None, refused_at=None, expires_at__gt=at, device__removed_at=None
        )


class KeySlot(models.Model):
    """One way to the vault key: 48 bytes that a browser's cookie, words or a passkey open, or a request for them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    vault = models.ForeignKey(Vault, models.CASCADE, related_name="slots")
    kind = models.CharField(max_length=8, choices=SlotKind)
    kid = models.PositiveIntegerField()
    wrapped = models.BinaryField(max_length=48, null=True)
    device = models.ForeignKey(Device, models.CASCADE, null=True, related_name="slots")
    share = models.BinaryField(max_length=32, null=True)
    salt = models.BinaryField(max_length=16, null=True)
    kib = models.PositiveIntegerField(null=True)
    passes = models.PositiveSmallIntegerField(null=True)
    lanes = models.PositiveSmallIntegerField(null=True)
    credential = models.BinaryField(null=True)
    public_key = models.BinaryField(max_length=32, null=True)
    sealed = models.BinaryField(max_length=80, null=True)
    by_device = models.ForeignKey(Device, models.CASCADE, null=True, related_name="+")
    wrong = models.PositiveSmallIntegerField(default=0)
    refused_at = models.DateTimeField(null=True)
    network = models.BinaryField(max_length=32, null=True)
    expires_at = models.DateTimeField(null=True)
    name = models.CharField(max_length=64, blank=True)
    made_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = KeySlotQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=_columns_fit_kind(), name="slot_columns_fit_its_kind"),
            models.UniqueConstraint(fields=("device",), name="device_has_one_slot"),
            models.UniqueConstraint(
                fields=("vault",), condition=Q(kind=SlotKind.WORDS), name="vault_has_one_set_of_words"
            ),
            models.UniqueConstraint(
                fields=("vault", "credential"), condition=Q(kind=SlotKind.PASSKEY), name="vault_has_a_passkey_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Draft(models.Model):
    """Entries that wait, sealed, for a yes."""

    class Kind(models.TextChoices):
        """What they wait for."""

        ADD = "add"
        WORDS = "words"
        RESTORE = "restore"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    vault = models.ForeignKey(Vault, models.CASCADE, related_name="drafts")
    device = models.ForeignKey(Device, models.CASCADE, related_name="drafts")
    kind = models.CharField(max_length=8, choices=Kind)
    sealed = models.BinaryField()
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
