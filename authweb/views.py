"""Welcome, help, health, and what is said when a page cannot be given."""

from __future__ import annotations

import logging
import sys
import time
from threading import Lock
from weakref import WeakKeyDictionary

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.services import browsers
from accounts.services.activity import new_reference
from authweb import databases, help_pages, help_search, installing
from backups.storage import StoreFailed, WriteOnce, backups

logger = logging.getLogger("authweb")

# Anybody may ask how this server does. The store of backups may be somebody else's, slow, and paid for by the request.
_STORE_ASKED_EVERY = 5.0  # Seconds, in each process.
_store_answered: WeakKeyDictionary[WriteOnce, tuple[float, bool]] = WeakKeyDictionary()
_store_is_asked = Lock()


@require_safe
@login_not_required
def welcome(request: HttpRequest) -> HttpResponse:
    """What this is, and the two ways in; who is signed in goes on to the list."""
    if request.user.is_authenticated:
        return redirect("accounts:list")
    return render(request, "authweb/welcome.html", {"sign_up_is_open": settings.SIGN_UP == "open"})


@require_safe
@login_not_required
def help_index(request: HttpRequest) -> HttpResponse:
    """All pages of the help, or those that a search finds."""
    asked = request.GET.get("q", "")
    query, at = help_search.sought(asked), timezone.now()
    too_long = len(asked) > help_search.MOST_SOUGHT
    context = {
        "groups": [(label, [help_pages.BY_SLUG[slug] for slug in slugs]) for label, slugs in help_pages.GROUPS],
        "query": "" if too_long else query,
        "most": help_search.MOST_SOUGHT if too_long else 0,
        "found": help_search.find(query, at=at) if query and not too_long else None,
    }
    return render(request, "help/index.html", context)


@require_safe
@login_not_required
def help_page(request: HttpRequest, topic: str) -> HttpResponse:
    """One page of the help, for the kind of device that the browser says it is on."""
    page = help_pages.BY_SLUG.get(topic)
    if page is None:
        raise Http404
    _name, own = browsers.detect(request.headers.get("User-Agent", ""))
    context = {"topic": page, "see": [help_pages.BY_SLUG[slug] for slug in page.see]}
    return render(request, "help/page.html", context | help_pages.facts(own=own, at=timezone.now()))


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """For a monitor: whether the stores answer. No session, no cookie, no detail of a failure.

    Where the store of backups alone is down the site works on, and changes wait for it.
    """
    answers = {"database": _database_answers(), "cache": _cache_answers(), "store": _store_answers()}
    stores = {name: "ok" if answered else "down" for name, answered in answers.items()}
    return JsonResponse(stores, status=200 if all(answers.values()) else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        logger.exception("The database does not answer.")
        return False


def _cache_answers() -> bool:
    try:
        cache.get("healthz")
        return True
    except Exception:  # Each cache has errors of its own; whatever it is, the cache does not answer.
        logger.exception("The cache does not answer.")
        return False


def _store_answers() -> bool:
    """As it answered last, a few seconds ago; one request at a time asks anew.

    Who comes while another asks is told what was known: a slow store holds up one request, and only as long as nothing
    is known yet all of them.
    """
    store = backups()
    known = _store_answered.get(store)
    if known is not None and _is_new(known):
        return known[1]
    if not _store_is_asked.acquire(blocking=known is None):
        return known is not None and known[1]
    try:
        known = _store_answered.get(store)  # Who waited for the first finds its answer.
        if known is not None and _is_new(known):
            return known[1]
        answered = _asked(store)
        _store_answered[store] = time.monotonic(), answered
        return answered
    finally:
        _store_is_asked.release()


def _is_new(known: tuple[float, bool]) -> bool:
    return time.monotonic() - known[0] < _STORE_ASKED_EVERY


def _asked(store: WriteOnce) -> bool:
    try:
        store.ready()
    except StoreFailed as failed:
        logger.error("The store of backups cannot be written to: %s.", failed)
        return False
    return True


# -- Installed on a device --------------------------------------------------------------------------------------------

# These are nobody's, and asked for again and again by browsers themselves.
_KEPT_FOR_AN_HOUR = {"Cache-Control": "private, max-age=3600"}


@require_safe
@login_not_required
def manifest(request: HttpRequest, language: str) -> HttpResponse:
    """What a device is told of the app."""
    told = installing.manifest(_known(language))
    return JsonResponse(told, content_type="application/manifest+json", headers=_KEPT_FOR_AN_HOUR)


@require_safe
@login_not_required
def worker(request: HttpRequest) -> HttpResponse:
    """The script that shows `offline` where no server is reached."""
    return HttpResponse(installing.worker(), content_type="text/javascript; charset=utf-8", headers=_KEPT_FOR_AN_HOUR)


@require_safe
@login_not_required
def offline(request: HttpRequest, language: str) -> HttpResponse:
    """The page that browsers keep for where no server is reached."""
    return HttpResponse(installing.offline(_known(language)), headers=_KEPT_FOR_AN_HOUR)


def _known(language: str) -> str:
    if language not in dict(settings.LANGUAGES):
        raise Http404
    return language


# -- What cannot be given ---------------------------------------------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The request could not be read."""
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """This person may not, or another site sent the request."""
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """No such page, or somebody else's: both look the same."""
    return render(request, "404.html", status=404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was too old, or came from elsewhere. What was typed is not repeated."""
    return render(request, "403_csrf.html", status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """The fault is ours: a reference that stands in the log too. Asks no database, no session, no context processor.

    Where the database takes nothing for the time being, that is said: nothing was changed, and later it will be.
    """
    reference, refused = new_reference(), databases.refuses_to_write(sys.exc_info()[1])
    logger.error("%s: %s %s", reference, request.method, request.path)
    try:
        content = loader.get_template("503.html" if refused else "500.html").render({"reference": reference})
    except Exception:  # This page is the last one: whatever is broken, it answers.
        logger.exception("%s: the page of the error failed too", reference)
        content = f"{_('The fault is on our side.')} {reference}"
    if refused:
        return HttpResponse(content, status=503, headers={"Retry-After": "120"})
    return HttpResponse(content, status=500)
