"""The administration's site: only what is named here is shown in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import AdminSite
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

# allauth brings pages for sessions, seeds of second factors and tokens. None of them is for staff to read.
SHOWN = frozenset(
    {
        *("accounts.User", "accounts.Device", "accounts.Event", "accounts.BlockedDomain"),
        *("auth.Group", "backups.Person", "backups.Generation"),
    }
)


class Site(AdminSite):
    """Django's own, in our clothes."""

    site_header = site_title = _("Authweb Administration")
    index_title = _("People and devices")
    site_url = "/"
    enable_nav_sidebar = False

    def register(
        self, model_or_iterable: type[Model] | Iterable[type[Model]], admin_class: Any = None, **options: Any
    ) -> None:
        """Take what SHOWN names; leave out the rest, whoever brings it."""
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        shown = [model for model in models if model._meta.label in SHOWN]
        if shown:
            super().register(shown, admin_class, **options)
