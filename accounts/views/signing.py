"""Accounts by sign-in: personal, and of work or school. A proof is asked for here, and added by "Finish" alone."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import roles, sentences
from accounts.http import VaultRequest, changing, go, page, prove, said, vault_required
from accounts.roles import Role
from accounts.services import policy, signing, vaults
from accounts.services.identity import NotProven, Purpose
from accounts.vault.errors import AlreadyListed, TooLarge
from accounts.views.adding import after_adding, signed_in_by, signed_in_too_long_ago


@require_http_methods(["GET", "POST"])
@vault_required
@changing
def personal(request: VaultRequest) -> HttpResponse:
    """To the provider of personal accounts; back from there, whether the account signs in without a password too."""
    if request.method == "POST":
        return _ask(request, Role.MICROSOFT, reverse("accounts:add-personal"))
    proof = signed_in_by(request)
    if proof is None:
        return go(request, "accounts:add")
    try:
        who = signing.look(request.vault, proof, at=timezone.now())
    except NotProven:
        return signed_in_too_long_ago(request)
    there = signing.listed(vaults.read(request.vault), who)
    if there is not None or who.role != Role.MICROSOFT:  # It says so.
        return go(request, "accounts:add-signed-in", proof)
    return page(request, "accounts/add_personal.html", {"who": who, "proof": proof})


@require_http_methods(["GET", "POST"])
@vault_required
@changing
def work(request: VaultRequest) -> HttpResponse:
    """Signing in, or scanning a QR code; by a POST to the provider of work and school accounts, and from there on."""
    if request.method == "POST":
        return _ask(request, Role.ENTRA, reverse("accounts:add-work"))
    proof = signed_in_by(request)
    if proof is not None:
        return go(request, "accounts:add-signed-in", proof)
    if not roles.configured(Role.ENTRA):
        return go(request, "accounts:add")
    return page(request, "accounts/add_work.html")


def _ask(request: VaultRequest, role: Role, back: str) -> HttpResponse:
    return prove(request, role=role, purpose=Purpose.ACCOUNT_ADD, target=str(request.vault.row.pk), back=back)


@require_http_methods(["GET", "POST"])
@vault_required
@changing
@sensitive_variables()
def confirm(request: VaultRequest, proof_id: UUID) -> HttpResponse:
    """Who signed in, kept by name only; added by "Finish" alone. The second of two clicks finds it done."""
    at, refused = timezone.now(), ""
    try:
        if request.method == "POST":
            try:
                entry = signing.add(request.vault, proof_id, at=at)
            except policy.Refused as error:
                refused = error.sentence
            except TooLarge as error:
                refused = sentences.sentence(error)
            except AlreadyListed:
                pass  # The page says so.
            else:
                said(request, _("Added."))
                return after_adding(request, entry.id)
        who = signing.look(request.vault, proof_id, at=at)
    except NotProven:
        if signing.was_added(request.vault, proof_id, at=at):
            return go(request, "accounts:list")
        return signed_in_too_long_ago(request)
    accounts, entry = vaults.read(request.vault), signing.by_name(who)
    there = signing.listed(accounts, who)
    context = {"entry": entry, "listed": there, "proof": proof_id, "refused": refused}
    return page(request, "accounts/add_signed_in.html", context)
