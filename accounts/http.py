"""What views share: their request, their guards, their answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from allauth.account import app_settings as account_settings
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from accounts import chips, roles
from accounts.models import IdentityProof, User
from accounts.roles import Role
from accounts.services import attempts, devices, identity, vaults
from accounts.services.identity import Purpose
from accounts.templatetags.look import clock
from accounts.vault.errors import Damaged

View = Callable[..., HttpResponseBase]


class VaultRequest(HttpRequest):
    """A request of a signed-in person whose browser holds a key to the list."""

    user: User
    vault: vaults.OpenVault
    htmx: HtmxDetails


class UserRequest(HttpRequest):
    """A request of a signed-in person; the list may be closed."""

    user: User
    htmx: HtmxDetails


def vault_required(view: View) -> View:
    """Guard: the list is open in this browser. Without its key: "Set up this device" or "Open your list".

    The key of a list put aside opens that one for nothing but to keep it.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        vault = devices.enter(request)
        if vault is None:
            if devices.enter_aside(request) is not None:
                return go(request, "accounts:aside")
            has_list = request.user.is_authenticated and devices.has_list(request.user)
            if request.resolver_match is not None and request.resolver_match.view_name == RESTORE:
                return go(request, "accounts:lost" if has_list else "accounts:start", query={"then": "restore"})
            return go(request, "accounts:open" if has_list else "accounts:start")
        request.vault = vault  # type: ignore[attr-defined]
        try:
            return view(request, *args, **kwargs)
        except vaults.DeviceRemoved:
            return go(request, "accounts:open")
        except vaults.BeingDeleted:
            said(request, being_deleted(), error=True)
            return go(request, "accounts:list")
        except Damaged:
            return go(request, "accounts:list")  # It says so, and offers the last good state.

    return guarded


def changing(view: View) -> View:
    """Guard, inside `vault_required`: a page that is there to change the list. While the person leaves, none does."""

    @wraps(view)
    def guarded(request: VaultRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.deletes_at is not None:
            raise vaults.BeingDeleted
        return view(request, *args, **kwargs)

    return guarded


def fresh_sign_in(view: View) -> View:
    """Guard: signed in again within the last five minutes; asked for on the GET that shows the form, never on its POST.

    A sign-in a moment ago does not count: allauth asks who is there once more, and then for five minutes no longer.

    Who has neither a password nor a second factor would pass allauth's own guard in silence, and so would whoever
    holds their browser: they sign in again by a linked account, or by a mailed code.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not get_adapter().get_reauthentication_methods(request.user) and not signed_in_again_outside(request):
            return go(request, "sign_in_again", query={"next": request.get_full_path()})
        raise_if_reauthentication_required(request, app="allauth.account")
        return view(request, *args, **kwargs)

    return guarded


def signed_in_again_outside(request: HttpRequest) -> bool:
    """Whether the person showed by a linked account, within the last five minutes, that it is them.

    Asked for who has nothing else to sign in again with: whoever has is asked for that, by allauth.
    """
    records = get_authentication_records(request, request.user)
    times = [one["at"] for one in records if one.get("reauthenticated") and one["method"] == "socialaccount"]
    return bool(times) and time.time() - times[-1] < account_settings.REAUTHENTICATION_TIMEOUT


def network_of(request: HttpRequest) -> bytes:
    """Where the browser of a request is, as `attempts.network` has it: compared and counted, it tells nothing."""
    return attempts.network(get_adapter().get_client_ip(request))


def page(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """A rendered page; with `template.html#partial` that partial for htmx, the whole page otherwise."""
    whole, _, partial = template.partition("#")
    name = template if partial and getattr(request, "htmx", False) else whole
    return render(request, name, context, status=status)


def go(request: HttpRequest, to: str, *args: Any, query: dict[str, str] | None = None, **kwargs: Any) -> HttpResponse:
    """On to another page of ours, for htmx by its own header: a redirect would be swapped in."""
    address = to if to.startswith("/") else reverse(to, args=args, kwargs=kwargs)
    if query:
        address = f"{address}?{urlencode(query)}"
    if getattr(request, "htmx", False):
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address, status=303 if request.method != "GET" else 302)


# Where accounts are brought back from a backup: offered where this server has a recovery provider.
RESTORE = "backups:restore"

# Where making a key may lead on to, by a word in the address of its pages; never by an address.
ONWARD = {"backup": "backups:on", "backup-account": "backups:account", "backup-protection": "backups:protection"}


def onward(request: HttpRequest) -> dict[str, str]:
    """What an address says of where to go on: the word, and what has to come along. Empty where it says nothing."""
    if request.GET.get("next", "") not in ONWARD:
        return {}
    carried = {"next": request.GET["next"]}
    with suppress(ValueError):
        carried["proof"] = str(UUID(request.GET.get("proof", "")))
    if request.GET.get("keep") == "1":
        carried["keep"] = "1"
    return carried


def onward_query(request: HttpRequest) -> str:
    """The same, to stand behind an address of one of these pages."""
    carried = onward(request)
    return f"?{urlencode(carried)}" if carried else ""


def onward_address(request: HttpRequest) -> str:
    """Where to go on once a key is made; empty where the address says nothing."""
    carried = onward(request)
    if not carried:
        return ""
    to = reverse(ONWARD[carried.pop("next")])
    return f"{to}?{urlencode(carried | {'protection': 'key'})}"


def hand_off(request: HttpRequest, address: str, *, name: str) -> HttpResponse:
    """To a provider. `form-action 'self'` blocks POST -> 302 -> elsewhere, so a page of ours leads there."""
    if getattr(request, "htmx", False):
        return HttpResponse(headers={"HX-Redirect": address})
    return render(request, "accounts/hand_off.html", {"address": address, "name": name})


def prove(
    request: HttpRequest,
    *,
    role: Role,
    purpose: Purpose,
    target: str,
    back: str,
    expected: bytes | None = None,
    wanted: str = "",
    hint: str = "",
) -> HttpResponse:
    """Begin a proof, as `identity.begin`, and hand off to its provider. What stands in the way is said on `back`."""
    return _handed_off(
        request,
        lambda: identity.begin(
            request=request,
            role=role,
            purpose=purpose,
            target=target,
            back=back,
            expected=expected,
            wanted=wanted,
            hint=hint,
        ),
        role=role,
        back=back,
    )


def prove_by_link(request: HttpRequest, link: SocialAccount, *, back: str) -> HttpResponse:
    """Let a person show by a linked account that it is still them; from there to `back`."""
    return _handed_off(
        request,
        lambda: identity.begin_sign_in(request=request, link=link, back=back),
        role=link.provider,
        back=request.get_full_path(),
    )


def prove_again(request: HttpRequest, proof: IdentityProof) -> HttpResponse:
    """Begin again what a proof was begun for."""
    return _handed_off(
        request, lambda: identity.begin_again(request, proof), role=proof.role, back=identity.landing_of(proof)
    )


def _handed_off(request: HttpRequest, begin: Callable[[], str], *, role: str, back: str) -> HttpResponse:
    try:
        address = begin()
    except identity.Unreachable as failed:
        return go(request, identity.landing_of(failed.proof))
    except identity.TooManyProofs as error:
        sentence = _("Ten sign-ins were begun within ten minutes. The next one is possible at %(time)s.")
        said(request, sentence % {"time": clock(error.next_at, request.user)}, error=True)
    except identity.RoleRefused:
        said(request, _("A work or school account cannot hold the backup."), error=True)
    except identity.Unlinked:
        said(request, _("This account is no longer linked here. Sign in again in another way."), error=True)
    except identity.NotConfigured:
        said(request, _("This server has no provider for that. Ask its operator."), error=True)
    else:
        return hand_off(request, address, name=roles.name_of(role))
    return go(request, back)


def said(request: HttpRequest, sentence: str, *, undo: str = "", error: bool = False) -> None:
    """Leave one sentence for the next page; with the address of an Undo beside it."""
    messages.add_message(request, messages.ERROR if error else messages.SUCCESS, sentence, extra_tags=undo)


def too_many_devices() -> str:
    """Why this browser does not become a device, whatever door was opened."""
    return _("You have %(most)d devices, as many as one person can have. Remove one first.") % {
        "most": devices.MOST_DEVICES
    }


def being_deleted() -> str:
    """What a change is answered with while the person leaves."""
    return _("Nothing was changed. Your Authweb account will be deleted; until then the list can only be read.")


def shell(request: HttpRequest) -> dict[str, Any]:
    """For base.html: what every page knows."""
    user = getattr(request, "_cached_user", None) or getattr(request, "user", None)
    vault = getattr(request, "vault", None)
    return {
        "DEMO": settings.DEMO,
        "theme": getattr(user, "theme", "system"),
        "list_is_open": vault is not None,
        "chip": SimpleLazyObject(lambda: chips.of(vault, at=timezone.now()).html) if vault is not None else "",
    }
