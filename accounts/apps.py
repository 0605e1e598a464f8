"""The app of users, devices, the list and its codes."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Connects, in sight, what listens to what."""

    default = True
    name = "accounts"
    verbose_name = _("People and devices")

    def ready(self) -> None:
        """Register the checks; listen to allauth's signals."""
        from accounts import checks, news  # noqa: F401, PLC0415 - models must be loaded first

        news.connect()


class StaffConfig(admin_apps.AdminConfig):
    """Django's administration on our own site."""

    default = False
    default_site = "accounts.staff.Site"
