"""What the views of backups share: which backup is meant, who may do what with it, where a failure leads."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

from accounts.http import UserRequest, View, go, said
from accounts.models import Device
from accounts.services import devices, vaults
from accounts.services.vaults import OpenVault
from accounts.vault.errors import Damaged
from backups.models import Backup
from backups.services import finding
from backups.services.finding import NotOn
from backups.services.switching import NotKept


class BackupRequest(UserRequest):
    """A request of a signed-in person about their backups; the list is open in this browser, or it is not."""

    vault: OpenVault | None
    device: Device | None


def enters(view: View) -> View:
    """Guard: signed in is enough. The list, where it opens here, comes along; a removed device has none."""

    @wraps(view)
    def guarded(request: BackupRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.vault = devices.enter(request)
        if request.vault is not None:
            try:
                vaults.read(request.vault)
            except Damaged:
                request.vault = None  # The list says so itself; its backup can be looked at all the more.
        here = devices.here(request)
        request.device = here if here is not None and here.user_id == request.user.pk and not here.removed_at else None
        return view(request, *args, **kwargs)

    return guarded


def meant(request: BackupRequest) -> Backup | None:
    """The backup that `backup` of the request names, or the one of the list that is open here, or the first one.

    None where there is none. Raises Http404 for another person's.
    """
    given = request.POST.get("backup", "") or request.GET.get("backup", "")
    if given:
        try:
            return finding.by_id(request.user, given)
        except NotOn:
            raise Http404 from None
    if request.vault is not None:
        backup = finding.of(request.vault.row)
        return backup if backup is not None and backup.stream else None
    return next((one for one in finding.every(request.user) if not one.is_earlier), None)


def is_of(backup: Backup, vault: OpenVault | None) -> bool:
    """Whether the list that is open here is the one of a backup, now or formerly, or the one that it passed to."""
    if vault is None:
        return False
    return vault.row.pk in (backup.vault_id, backup.former_of_id, backup.passes_to_id if backup.is_earlier else None)


def problem(request: HttpRequest, error: NotKept) -> HttpResponse:
    """Where every failure to back up leads: "Something went wrong", with its cause and the next step."""
    return go(request, "backups:problem", error.reference)


def not_on(request: HttpRequest) -> HttpResponse:
    """What a page is answered with that came too late: in another tab it is off already."""
    said(request, _("Cloud Backup is off."), error=True)
    return go(request, "backups:status")
