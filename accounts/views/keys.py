"""Keys to the list that a person holds: shown, removed, and asked for while there is one way in alone."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.http import VaultRequest, changing, fresh_sign_in, go, page, said, vault_required
from accounts.models import SlotKind
from accounts.services import held_keys, sign_in
from accounts.services.held_keys import LastKey, NoSuchKey


@require_safe
@vault_required
def index(request: VaultRequest) -> HttpResponse:
    """Keys to your list: since when, last used, what each opens."""
    return page(request, "accounts/keys.html", {"held": held_keys.of(request.vault.row)})


@require_http_methods(["GET", "POST"])
@vault_required
@changing
@fresh_sign_in
def remove(request: VaultRequest, slot_id: UUID) -> HttpResponse:
    """Words or a passkey open the list no more. First the page says what stops, and what stays."""
    vault = request.vault
    try:
        key = held_keys.one(vault.row, slot_id)
        held = held_keys.of(vault.row)
        if request.method == "POST":
            held_keys.remove(vault, slot_id, at=timezone.now())
            if key.kind == SlotKind.WORDS:
                said(request, _("Removed. Those words no longer open your list."))
            else:
                said(request, _("Removed. That passkey no longer opens your list."))
            return go(request, held_keys.onward(vault, held) or "accounts:keys")
    except LastKey:
        return go(request, "accounts:key-remove", slot_id)
    except NoSuchKey:
        if held_keys.was_removed(vault, slot_id):
            return go(request, "accounts:keys")
        raise Http404 from None
    context = {"key": key, "stays": held.without(key), "needed": held_keys.stays(vault.row, key)}
    if key.kind == SlotKind.PASSKEY:
        context["signs_in"] = sign_in.passkeys_of(request.user).signs_in_by(key)
    return page(request, "accounts/key_remove.html", context)


@require_http_methods(["GET", "POST"])
@vault_required
def way_back(request: VaultRequest) -> HttpResponse:
    """Keep a way back, while this browser alone opens the list; "Not now" is remembered."""
    if request.method == "POST":
        held_keys.not_now(request.vault)
        return go(request, "accounts:list")
    return page(request, "accounts/way_back.html", {"held": held_keys.of(request.vault.row)})
