"""A look: what other browsers did, asked for by an open page every half minute."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import list_page
from accounts.http import VaultRequest, go, page, vault_required
from accounts.services import activity, vaults


@require_safe
@vault_required
def look(request: VaultRequest) -> HttpResponse:
    """The rows and what stands above them, where the page shows others: its list is `?v=`, its news are `?n=`.

    204 where there is nothing new: the list is not unsealed for that. `?open=` is the account beside the list. Where
    more of the page changed than these, to the list: the page loads itself anew.
    """
    at, news = timezone.now(), request.GET.get("n", "")
    told = list_page.news(request, at=at)
    same = request.GET.get("v") == str(request.vault.row.version)
    if same and news == told.token:
        return HttpResponse(status=204)
    if not told.frames(news):
        return go(request, "accounts:list")
    accounts = vaults.read(request.vault)
    if not len(accounts) and not same:
        return go(request, "accounts:list")
    context = list_page.context(request, accounts, at=at, opened=request.GET.get("open", ""), told=told)
    return page(request, "accounts/look.html", context)


@require_POST
@vault_required
def seen(request: VaultRequest) -> HttpResponse:
    """ "OK": this device was told of everything up to the line `until`; what came later is told still."""
    until = request.POST.get("until", "")
    if until.isascii() and until.isdecimal() and len(until) < 19:
        activity.seen(request.vault.device, int(until))
    if not request.htmx:
        return go(request, "accounts:list")
    context = list_page.of_news(list_page.news(request, at=timezone.now()))
    return page(request, "accounts/_list_notices.html", context)
