"""Accounts that a restore brought back by their name: signed in to again, scanned again, or kept so, one by one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import list_page
from accounts.http import VaultRequest, changing, go, page, prove, said, vault_required
from accounts.services import signing, vaults
from accounts.services.identity import NotProven, Purpose
from accounts.vault.entry import Entry
from accounts.vault.errors import AlreadyListed
from accounts.views.accounts import acts, described, listed, undo_of

_DONE_FOR = timedelta(hours=24)  # So long a sign-in stands among what is done.
_LONGEST_NEXT = 100  # It has to fit into the way back of a proof.


@require_safe
@vault_required
@changing
def index(request: VaultRequest) -> HttpResponse:
    """What waits for its person, and what was done of it. "Finish later" leads to `?next=`, or to the list."""
    return _checklist(request)


def _checklist(request: VaultRequest, there: Entry | None = None) -> HttpResponse:
    """`there` is the account of the list that stands for whoever signed in just now to another one."""
    accounts = vaults.read(request.vault)
    shown = accounts.ordered()
    since = vaults.seconds(timezone.now() - _DONE_FOR)
    done = [entry for entry in shown if entry.needs is None and entry.identity and (entry.signed_in or 0) > since]
    context: dict[str, Any] = {
        "waiting": [{"entry": described(entry), "acts": acts(entry)} for entry in shown if entry.waits],
        "done": [described(entry) for entry in done],
        "there": None if there is None else described(there),
        "badge": list_page.badge(accounts),
        "later": _onward(request) or reverse("accounts:list"),
        "on": _on(request),
    }
    return page(request, "accounts/again.html", context)


def _onward(request: VaultRequest) -> str:
    """Where the address says to go on: a path of ours, or nothing."""
    onward = request.GET.get("next", "")
    ours = onward.startswith("/") and url_has_allowed_host_and_scheme(onward, allowed_hosts=None)
    return onward if ours and len(urlencode({"next": onward})) <= _LONGEST_NEXT else ""


def _on(request: VaultRequest) -> str:
    """The same, to stand behind an address of these pages."""
    onward = _onward(request)
    return f"?{urlencode({'next': onward})}" if onward else ""


def _back(request: VaultRequest, entry_id: str = "") -> HttpResponse:
    fragment = f"#again-{entry_id}" if entry_id else ""
    return go(request, reverse("accounts:again") + _on(request) + fragment)


@require_http_methods(["GET", "POST"])
@vault_required
@changing
@listed
def sign_in(request: VaultRequest, entry_id: str) -> HttpResponse:
    """By a POST to the provider of an account, its name filled in. Back from there it waits no more, at once.

    The way back is a GET that changes something: by a proof that was begun for this account, once.
    """
    entry = vaults.read(request.vault).get(entry_id)
    if request.method == "POST":
        return _ask(request, entry)
    try:
        proof = UUID(request.GET.get("proof", ""))
    except ValueError:
        return _back(request, entry_id)
    try:
        done = signing.sign_in_again(request.vault, proof, entry_id, at=timezone.now())
    except NotProven:
        if entry.needs is not None:
            said(request, _("That sign-in is too old, or was used already. Sign in again."), error=True)
    except AlreadyListed as error:
        # On this very page: what is left for the next one lies in the session, where no name of an account belongs.
        return _checklist(request, error.entry)
    else:
        said(request, _("You signed in. This account waits no more."), undo=undo_of(request) if done else "")
    return _back(request)


def _ask(request: VaultRequest, entry: Entry) -> HttpResponse:
    if not entry.signs_in:
        return _back(request)  # It was done in another tab, or is of no provider.
    if not entry.name:
        said(request, _("This account has no name to sign in with. Give it its name first."), error=True)
        return go(request, "accounts:edit", entry.id)
    return prove(
        request,
        role=signing.role_of(entry),
        purpose=Purpose.ACCOUNT_RETURN,
        target=entry.id,
        back=reverse("accounts:again-sign-in", args=[entry.id]) + _on(request),
        expected=signing.expected(entry),
        wanted=entry.name,
        hint=entry.name,
    )


@require_POST
@vault_required
@listed
def keep(request: VaultRequest, entry_id: str) -> HttpResponse:
    """Let an account wait no more: its name stays. The second of two clicks finds it done."""
    done = signing.keep_name(request.vault, entry_id, at=timezone.now())
    said(request, _("Its name is kept, without a code."), undo=undo_of(request) if done else "")
    return _back(request)
