"""Restoring a list from one of its backups."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.http import VaultRequest, page, vault_required


@require_safe
@vault_required
def index(request: VaultRequest) -> HttpResponse:
    """The first step of the wizard."""
    return page(request, "backups/restore.html")
