"""Who is known here."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    """Makes users known by their e-mail address."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A user with this address; without a password no password signs them in."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A user who may enter the admin and do everything there."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person."""

    class Theme(models.TextChoices):
        """How the pages look."""

        SYSTEM = "system", _("As the system")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    is_staff = models.BooleanField(_("may enter the administration"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), auto_now_add=True)

    language = models.CharField(_("language"), max_length=16, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    theme = models.CharField(_("appearance"), max_length=6, choices=Theme, default=Theme.SYSTEM)
    hide_codes = models.BooleanField(_("hide codes until tapped"), default=False)
    show_next_code = models.BooleanField(_("show the next code in the last five seconds"), default=True)
    compact_rows = models.BooleanField(_("compact rows"), default=False)
    group_digits = models.BooleanField(_("digits in two groups"), default=True)
    passkeys_off = models.BooleanField(_("takes no passkeys"), default=False)

    way_back_asked = models.PositiveSmallIntegerField(default=0, db_default=0)  # How often "Not now" was the answer.
    noticed_at = models.DateTimeField(null=True)  # The newest act that the other devices are told of.
    deletes_at = models.DateTimeField(_("will be deleted"), null=True, blank=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.email

    def save(self, **kwargs: Any) -> None:
        """Keep changes. Not `deletes_at`, unless it is named: a copy read earlier undoes no deletion and revives none.

        Nor does it bring back the row of somebody who has left meanwhile.
        """
        if not self._state.adding and kwargs.get("update_fields") is None:
            fields = (field.name for field in self._meta.concrete_fields if not field.primary_key)
            kwargs["update_fields"] = [name for name in fields if name != "deletes_at"]
        super().save(**kwargs)
