"""What happens around every request: who asks, what the browser may do with the answer, in which language and time."""

from __future__ import annotations

import logging
import zoneinfo
from collections.abc import Callable
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any

import brotli
from allauth.core.exceptions import ReauthenticationRequired
from csp.constants import HEADER as CSP_HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.crypto import constant_time_compare

from accounts import arrivals
from accounts.services import devices

logger = logging.getLogger(__name__)

Answer = Callable[[HttpRequest], HttpResponseBase]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_PERMISSIONS = (
    "camera=(), microphone=(), geolocation=(), publickey-credentials-get=(self), publickey-credentials-create=(self)"
)


class Headers:
    """Headers of every answer, and the third check of a POST: the browser's own word on where it comes from."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer; nothing dynamic is kept by a browser or a proxy."""
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """Refuse what another site sends (Fetch Metadata). Who says nothing is judged by token and Origin."""
        if request.method in _SAFE:
            return
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if site not in ("same-origin", "none") and not _exempt(view):
            raise PermissionDenied


def _exempt(view: Any) -> bool:
    """Apple answers by a cross-site POST; its view says so itself."""
    return bool(getattr(view, "cross_site_post_exempt", False))


class ContentPolicy(CSPMiddleware):
    """django-csp's middleware, which builds the policy of the settings anew for each answer: here it is built once."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """The policy of the settings; where an answer or a nonce asks for another, django-csp writes it."""
        asked = getattr(request, "_csp_nonce", None) is not None or any(
            name.startswith("_csp") for name in vars(response)
        )
        if asked or settings.DEBUG:
            return super().process_response(request, response)
        response.headers.setdefault(CSP_HEADER, _policy())
        return response


@cache
def _policy() -> str:
    return build_policy()


class Compress:
    """Brotli at its quickest level for pages.

    Never where the answer could mix a secret with text the asker chose (BREACH): a query, a form, a failure.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, smaller where that is safe and worth it."""
        response = self.get_response(request)
        if (
            isinstance(response, HttpResponse)
            and request.method == "GET"
            and not request.META.get("QUERY_STRING")
            and response.status_code == 200
            and len(response.content) > 1000
            and "Content-Encoding" not in response.headers
        ):
            patch_vary_headers(response, ("Accept-Encoding",))
            if "br" in request.headers.get("Accept-Encoding", ""):
                response.content = brotli.compress(response.content, quality=1)
                response.headers["Content-Encoding"] = "br"
                response.headers["Content-Length"] = str(len(response.content))
        return response


class Strangers:
    """Pages that everybody reads as a stranger, the help: nothing about them asks a session or a database.

    The cookies that tell who somebody is are put aside before anything can read them, so that such a page answers while
    the database does not. Whether there was a session's cookie stays known, for the links in its bar.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        before, after = str(settings.DEVICE_COOKIE_NAME).split("{person}")
        self._device = before, after

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer; the browser keeps its cookies."""
        if f"{request.path_info}/".startswith(settings.READ_BY_STRANGERS):  # As somebody types it, too.
            request.comes_with_session = settings.SESSION_COOKIE_NAME in request.COOKIES  # type: ignore[attr-defined]
            request.COOKIES = {name: value for name, value in request.COOKIES.items() if not self._tells_who(name)}
        return self.get_response(request)

    def _tells_who(self, name: str) -> bool:
        before, after = self._device
        return name == settings.SESSION_COOKIE_NAME or (name.startswith(before) and name.endswith(after))


class Sessions(SessionMiddleware):
    """Sessions of 30 days, renewed daily at most; the person and the open door of the list read with them at once."""

    def process_request(self, request: HttpRequest) -> None:
        """Read session, user, device, slot, vault and newest state by one query; what is missing is left to Django."""
        request.door = None  # type: ignore[attr-defined]
        arrival = arrivals.of(request)
        if arrival is None:
            super().process_request(request)
            return
        store = self.SessionStore(arrival.session_key)
        store._session_cache = store.decode(arrival.session_data)  # type: ignore[attr-defined]
        store.accessed = False
        request.session = store
        request.renewal_is_due = timezone.now() > arrival.session_expires - _RENEWED_BEFORE  # type: ignore[attr-defined]
        for door in arrival.doors:
            if str(door.user.pk) == store._session_cache.get(SESSION_KEY):  # type: ignore[attr-defined]
                self._enter(request, door)
        store.accessed = True  # Every page differs by person.

    def _enter(self, request: HttpRequest, door: arrivals.Door) -> None:
        session, user = request.session, door.user
        if (
            user.is_active
            and session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
            and constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
        ):
            request._cached_user = user  # type: ignore[attr-defined]
            request.door = door  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Save the session where it changed; send the device's cookie again once a week."""
        if response.status_code < 500:
            _upkeep(request, response)
        due = getattr(request, "renewal_is_due", False) and not request.session.modified and response.status_code < 500
        if due:
            request.session.modified = True
        try:
            return super().process_response(request, response)
        except (DatabaseError, SessionInterrupted) as error:
            if not due:
                raise
            logger.warning("The renewal of a session was put off: %s", type(error).__name__)
            return response


def _upkeep(request: HttpRequest, response: HttpResponse) -> None:
    """What is noted beside an answer. A database that takes nothing just now does not take the answer away."""
    door = getattr(request, "door", None)
    try:
        if door is not None and getattr(request, "vault", None) is not None:
            devices.keep_up(door, response, at=timezone.now())
        devices.remember(request)
    except DatabaseError as error:
        logger.warning("The upkeep of a device was put off: %s", type(error).__name__)


_RENEWED_BEFORE = timedelta(seconds=settings.SESSION_COOKIE_AGE - 24 * 3600)


class Preferences:
    """The person's language and time zone, or the browser's language and the server's zone."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer in them."""
        user = request.user if request.COOKIES.get(settings.SESSION_COOKIE_NAME) else None
        is_known = user is not None and user.is_authenticated
        chosen, remembered = getattr(user, "language", ""), request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
        if chosen in _languages():
            language = chosen
        else:  # What is remembered may be the choice of somebody else.
            chosen, language = "", _of_browser(None if is_known else remembered, request.META.get(_ACCEPTED))
        zone = getattr(user, "time_zone", "")
        with translation.override(language, deactivate=True):
            if zone:
                with timezone.override(_zone(zone)):
                    response = self.get_response(request)
            else:
                response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        if is_known and chosen != (remembered or ""):
            _remember_language(response, chosen)
        return response


def _remember_language(response: HttpResponseBase, chosen: str) -> None:
    """The language a person chose, for pages that do not know who reads them: the help, the sign-in. Or none."""
    if not chosen:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME, samesite="Lax")
        return
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        chosen,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


_ACCEPTED = "HTTP_ACCEPT_LANGUAGE"


@cache
def _languages() -> frozenset[str]:
    return frozenset(code for code, _ in settings.LANGUAGES)


@lru_cache(maxsize=256)
def _of_browser(chosen: str | None, accepted: str | None) -> str:
    """The language of a browser that says so: Django's own answer, remembered."""
    request = HttpRequest()
    request.COOKIES = {settings.LANGUAGE_COOKIE_NAME: chosen} if chosen is not None else {}
    request.META = {_ACCEPTED: accepted} if accepted is not None else {}
    return translation.get_language_from_request(request)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return zoneinfo.ZoneInfo(settings.TIME_ZONE)


class SignInRequired(LoginRequiredMiddleware):
    """Django's, which sends who is signed out to the sign-in; for htmx by its own header, not into a part of a page."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseBase:  # type: ignore[override]
        """To the sign-in, and from there back to the page."""
        if request.headers.get("HX-Request"):
            # The page that shows the part asks again itself, on its GET.
            return HttpResponse(headers={"HX-Refresh": "true"})
        return super().handle_no_permission(request, view_func)


class NoSuspendedPost:
    """No POST waits for a fresh sign-in.

    allauth would store the request in the session row: its body, and its headers with the device's cookie, and so
    the key to the list would lie in the database. The same page is asked for again instead, and asks on its GET.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """303 to the page itself; for htmx by its own header, on a GET too: a redirect would be swapped in."""
        if not isinstance(exception, ReauthenticationRequired):
            return None
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Redirect": request.get_full_path()})
        if request.method in ("GET", "HEAD"):
            return None
        return HttpResponse(status=303, headers={"Location": request.get_full_path()})
