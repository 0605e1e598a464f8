"""A person leaves: what goes, the yes, and Undo."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms_keys import LeaveForm
from accounts.http import UserRequest, fresh_sign_in, go, page, said
from accounts.services import deletion, devices, vaults
from accounts.vault.errors import Damaged


@require_http_methods(["GET", "POST"])
@fresh_sign_in
def delete(request: UserRequest) -> HttpResponse:
    """Delete one's Authweb account. Needs no open list; nothing goes before the day, which every page names."""
    if request.user.deletes_at is not None:
        return go(request, "accounts:settings")
    at = timezone.now()
    form = LeaveForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            deletion.ask(request.user, at=at, device=devices.here(request))
        except deletion.LastSuperuser:
            form.add_error(None, _("You are the last administrator of this server. Make somebody else one first."))
        else:
            return go(request, "accounts:list")
    context = {
        "form": form,
        "until": at + settings.ACCOUNT_DELETED_AFTER,
        "lists": request.user.vaults.count(),
        "accounts": _accounts_here(request),
        "devices": request.user.devices.enrolled().count(),
    }
    return page(request, "accounts/delete_account.html", context)


def _accounts_here(request: UserRequest) -> int | None:
    """How many accounts are in the list that is open here; None where none is, or it does not open."""
    vault = devices.enter(request)
    try:
        return len(vaults.read(vault)) if vault else None
    except Damaged:
        return None


@require_POST
def undo(request: UserRequest) -> HttpResponse:
    """The person stays. Asks for no fresh sign-in: what it does is to keep."""
    try:
        deletion.undo(request.user, at=timezone.now(), device=devices.here(request))
    except deletion.TimeOver:
        said(request, _("The time is over: your Authweb account is being deleted."), error=True)
    else:
        said(request, _("Undone. Your Authweb account stays."))
    return go(request, "accounts:list")
