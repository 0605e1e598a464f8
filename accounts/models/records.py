"""What is counted, checked and written down. No row holds more than a fingerprint of what it is about."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.lists import Device
from accounts.models.people import User


class Attempt(models.Model):
    """One try of something that is counted. Whose it was stands there as a fingerprint alone."""

    class Act(models.TextChoices):
        """What is counted."""

        WORDS = "words"
        APPROVAL = "approval"
        RESTORE = "restore"

    subject = models.BinaryField(max_length=32)
    act = models.CharField(max_length=16, choices=Act)
    at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("subject", "act", "at"), name="attempt_by_subject"),)

    def __str__(self) -> str:
        return f"{self.act} {self.at:%Y-%m-%d %H:%M}"


class KeyCheck(models.Model):
    """What a server key answers to a fixed question, so that another key under its number stops the start."""

    role = models.CharField(max_length=6)
    kid = models.PositiveIntegerField()
    check_value = models.BinaryField(max_length=32)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("role", "kid"), name="keycheck_is_unique"),)

    def __str__(self) -> str:
        return f"{self.role} {self.kid}"


class AppendOnly(TypeError):
    """What happened is not rewritten: lines of activity go with their owner alone."""


class EventQuerySet(models.QuerySet["Event"]):
    """Activity, many lines at a time: read and added to."""

    def update(self, **_: Any) -> int:
        """Refused."""
        raise AppendOnly

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused; with a user they go by cascade."""
        raise AppendOnly


class Event(models.Model):
    """One line of activity. Rows are added, never changed."""

    user = models.ForeignKey(User, models.CASCADE, related_name="events", verbose_name=_("user"))
    device = models.ForeignKey(Device, models.SET_NULL, null=True, blank=True, verbose_name=_("device"))
    device_name = models.CharField(_("device's name"), max_length=64, blank=True)
    tag = models.CharField(_("what happened"), max_length=40)
    facts = models.JSONField(_("facts"), default=dict, blank=True)
    reference = models.CharField(_("reference"), max_length=16, blank=True)
    at = models.DateTimeField(_("when"))

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("line of activity")
        verbose_name_plural = _("lines of activity")
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=("user", "-at"), name="event_of_user_by_time"),)

    def __str__(self) -> str:
        return f"{self.tag} {self.at:%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the line. Raises AppendOnly for one that is there."""
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refused."""
        raise AppendOnly
