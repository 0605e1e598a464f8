"""The pages of the demo's provider, and the authorization around allauth's."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from allauth.account.authentication import get_authentication_records
from allauth.idp.oidc import views as oidc
from allauth.idp.oidc.internal.clientkit import is_redirect_uri_allowed
from allauth.idp.oidc.models import Client
from django.conf import settings
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from authweb.demo.provider import people
from authweb.demo.provider.adapter import keep_auth_time
from authweb.demo.provider.middleware import IssuerRequest

_STYLE = (Path(__file__).parent / "style.css").read_bytes()
_SECONDS = re.compile(r"[0-9]{1,9}")
_TENANTLESS = ("organizations", "{tenantid}", "{tid}")


@csrf_exempt  # As the standard has it: the application's own form may send a person here.
@never_cache
@require_http_methods(["GET", "POST"])
def authorize(request: IssuerRequest) -> HttpResponse:
    """Answer an application; before that, ask the person to sign in as often as the application wants it.

    allauth asks the same person again on `prompt=login` and knows neither `max_age` nor `select_account`: here each of
    them signs out first and goes on, without itself, from the sign-in page. Who signed in when is noted by the code.
    """
    if request.method == "POST":
        return redirect(f"{request.path}?{request.POST.urlencode()}")
    if _return_address(request, request.GET) is None:
        return render(request, "provider/unknown.html", status=400)
    prompts = set(request.GET.get("prompt", "").split())
    oldest = request.GET.get("max_age")
    if (oldest is not None and not _SECONDS.fullmatch(oldest)) or ("none" in prompts and len(prompts) > 1):
        return _refuse(request, request.GET, "invalid_request")
    signed_in = _signed_in_at(request)
    too_old = signed_in is None or (oldest is not None and time.time() - signed_in >= int(oldest))
    if "none" in prompts:
        if too_old:
            return _refuse(request, request.GET, "login_required")
    elif too_old or prompts & {"login", "select_account"}:
        logout(request)
        return redirect(f"{reverse('account_login')}?{urlencode({'next': _without_questions(request)})}")
    response: HttpResponse = oidc.authorization(request)
    code = parse_qs(urlsplit(response.get("Location", "")).query).get("code")
    if code and signed_in is not None:
        keep_auth_time(code[0], int(signed_in))
    return response


@never_cache
@require_safe
def cancel(request: IssuerRequest) -> HttpResponse:
    """The person did not want to: back to the application, which is told so."""
    asked = QueryDict(urlsplit(request.GET.get("next", "")).query)
    if _return_address(request, asked) is None:
        return redirect("home")
    return _refuse(request, asked, "access_denied")


@never_cache
@require_safe
def home(request: IssuerRequest) -> HttpResponse:
    """Who is signed in here, and who can be."""
    return render(request, "provider/home.html")


@require_POST
def sign_out(request: IssuerRequest) -> HttpResponse:
    """End the session of this issuer."""
    logout(request)
    return redirect("home")


@require_GET
def configuration(request: IssuerRequest, tenant: str) -> HttpResponse:
    """Discovery below a tenant's name: the tenant's own, or that of all of them."""
    if not request.issuer.tenant or tenant not in (request.issuer.tenant, *_TENANTLESS):
        raise Http404
    response: HttpResponse = oidc.configuration(request)
    return response


@require_safe
def style(request: HttpRequest) -> HttpResponse:
    """The one style sheet."""
    return HttpResponse(_STYLE, content_type="text/css")


def csrf_failure(request: IssuerRequest, reason: str = "") -> HttpResponse:
    """A page that was left open, while its session ended elsewhere."""
    return render(request, "provider/outdated.html", status=403)


def shell(request: IssuerRequest) -> dict[str, Any]:
    """What every page shows: whom it plays, who can sign in, the way to cancel."""
    stage = getattr(request, "_login_stage", None)
    going_on = request.GET.get("next", "") or (stage.login.redirect_url if stage is not None else "") or ""
    return {
        "issuer": request.issuer,
        "people": people.people_of(request.issuer),
        "password": people.PASSWORD,
        "site": settings.SITE_URL,
        "going_on": going_on,
    }


def _signed_in_at(request: IssuerRequest) -> float | None:
    """When whoever is signed in last showed who they are; None while nobody is."""
    if not request.user.is_authenticated:
        return None
    return max((float(record["at"]) for record in get_authentication_records(request, request.user)), default=None)


def _without_questions(request: IssuerRequest) -> str:
    """The address of this request, without what the sign-in page is about to fulfil."""
    asked = request.GET.copy()
    for name in ("prompt", "max_age"):
        asked.pop(name, None)
    return f"{request.path}?{asked.urlencode()}"


def _return_address(request: IssuerRequest, asked: QueryDict) -> str | None:
    """Where the application takes its answer; None unless it is known at this issuer, with that address."""
    client = Client.objects.filter(id=asked.get("client_id", "")).first()
    if client is None or client.pk != request.issuer.client_id:
        return None
    address = asked.get("redirect_uri", "")
    known = is_redirect_uri_allowed(address, client.get_redirect_uris(), client.allow_uri_wildcards)
    return address if known else None


def _refuse(request: IssuerRequest, asked: QueryDict, error: str) -> HttpResponse:
    """Back to the application with an error of the standard's, and with its state."""
    said = {"error": error, **({"state": asked["state"]} if "state" in asked else {})}
    return HttpResponseRedirect(f"{_return_address(request, asked)}?{urlencode(said)}")
