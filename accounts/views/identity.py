"""Outside sign-ins and proofs: guards around allauth's pages, and the pages on which a proof ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

import requests
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.base.provider import Provider
from allauth.utils import get_request_param
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from accounts import adapter, roles
from accounts.http import UserRequest, View, fresh_sign_in, go, hand_off, page, prove_again
from accounts.models import IdentityProof, User
from accounts.services import identity
from accounts.services.identity import OFFERS, Purpose, Reason

logger = logging.getLogger(__name__)

_APPLE_MOST_BYTES = 20_000
_APPLE_RATE = {"apple_callback": "20/m/ip"}


def begins(view: View) -> View:
    """Guard of the way out: sign-in apps only, of the query only where to go afterwards, answered by a hand-off."""

    def leave(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        provider = _provider(request, kwargs.get("provider_id", "apple"))
        if adapter.is_for_proofs(provider):
            raise Http404  # A proof begins where it is needed, and by a POST of ours alone.
        _let_through_what_may(request)
        answer = _watched(lambda: view(request, *args, **kwargs), request, provider)
        if isinstance(answer, HttpResponseRedirect):
            return hand_off(request, answer.url, name=provider.name)
        return answer

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if get_request_param(request, "process") != AuthProcess.CONNECT:
            return leave(request, *args, **kwargs)
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return fresh_sign_in(leave)(request, *args, **kwargs)

    return guarded


def ends(view: View) -> View:
    """Guard of the way back: whatever a provider answers, a page of ours says how it ended."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        provider = _provider(request, kwargs.get("provider_id", "apple"))
        try:
            proof = identity.called_back(request, provider.sub_id)
        except identity.Lost:
            return identity.lost()
        return _watched(lambda: view(request, *args, **kwargs), request, provider, proof)

    return guarded


def posted_by_apple(view: View) -> View:
    """Guard of Apple's answer, which another site posts without our cookies: small, and not too often."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if int(request.META.get("CONTENT_LENGTH") or 0) > _APPLE_MOST_BYTES:
            return HttpResponse(status=413)
        if not ratelimit.consume(request, app="accounts", action="apple_callback", config=_APPLE_RATE):
            limited: HttpResponse = ratelimit.respond_429(request)
            return limited
        return view(request, *args, **kwargs)

    guarded.cross_site_post_exempt = True  # type: ignore[attr-defined]
    return guarded


def _provider(request: HttpRequest, provider_id: str) -> Provider:
    """The app of this id. Raises Http404."""
    for app in get_adapter().list_apps(request):
        if provider_id == (app.provider_id or app.provider):
            provider: Provider = app.get_provider(request)
            return provider
    raise Http404


def _let_through_what_may(request: HttpRequest) -> None:
    """`auth_params`, `scope` and `action` would be passed on to the provider as they came, a foreign address too."""
    kept = QueryDict(mutable=True)
    kept["process"] = (
        AuthProcess.CONNECT if get_request_param(request, "process") == AuthProcess.CONNECT else AuthProcess.LOGIN
    )
    onward = get_request_param(request, REDIRECT_FIELD_NAME)
    if onward:
        kept[REDIRECT_FIELD_NAME] = onward
    request.GET = kept  # type: ignore[assignment]
    request.POST = QueryDict()


def _watched(
    answer: Callable[[], HttpResponseBase],
    request: HttpRequest,
    provider: Provider,
    proof: IdentityProof | None = None,
) -> HttpResponseBase:
    try:
        return answer()
    except ImmediateHttpResponse as ended:
        response: HttpResponse = ended.response
        return response
    except identity.FAULTS as error:
        # By kind and place: the text of these errors quotes what the provider sent, tokens included.
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else ""
        gone = isinstance(error, requests.RequestException)
        if proof is not None:
            reason = Reason.UNREACHABLE if gone else Reason.UNTRUSTED
            identity.fail(proof, reason, request=request, check=f"{type(error).__name__} at {place}")
            return go(request, identity.landing_of(proof))
        if adapter.is_for_proofs(provider):
            return identity.lost()
        logger.warning("An outside sign-in ended: %s, %s at %s", provider.sub_id, type(error).__name__, place)
        if gone:
            return adapter.unreachable(request, provider.name)
        return adapter.untrusted(request, provider.name)


# -- Where a proof ends -----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def proof(request: UserRequest, proof_id: UUID) -> HttpResponse:
    """The landing of a proof: on to its next step, or one sentence on why not, and begun again by a button."""
    found = IdentityProof.objects.filter(pk=proof_id, user=request.user).first()
    if found is None:
        return go(request, "accounts:proof-lost")
    if request.method == "POST":
        return prove_again(request, found)
    if found.state == IdentityProof.State.PROVEN:
        joint = "&" if "?" in found.back else "?"
        return go(request, f"{found.back}{joint}{urlencode({'proof': str(found.pk)})}")
    if found.state == IdentityProof.State.SPENT:
        return go(request, found.back)
    return page(
        request,
        "accounts/proof.html",
        {
            "proof": found,
            "provider": roles.name_of(found.role),
            "offer": OFFERS[Purpose(found.purpose)],
            "for_backup": found.purpose not in (Purpose.ACCOUNT_ADD, Purpose.ACCOUNT_RETURN, Purpose.FRESH_SIGN_IN),
            "backs_up": found.purpose in (Purpose.RECOVERY_CHOOSE, Purpose.RECOVERY_CONTINUE),
        },
    )


@login_not_required
@require_safe
def proof_lost(request: HttpRequest) -> HttpResponse:
    """The end of a way back that belongs to no proof here; one that this person began lately is led on to."""
    began = identity.latest(request.user, at=timezone.now()) if isinstance(request.user, User) else None
    return page(request, "accounts/proof_lost.html", {"onward": identity.landing_of(began) if began else None})
