"""Six words: typed in a new browser, made in one that has the list; and words of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID, uuid4

from allauth.core import ratelimit
from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import sentences
from accounts.forms_keys import OpenByWordsForm, OwnWordsForm, TypedBackForm
from accounts.http import (
    UserRequest,
    VaultRequest,
    changing,
    fresh_sign_in,
    go,
    network_of,
    onward,
    onward_address,
    onward_query,
    page,
    said,
    too_many_devices,
    vault_required,
)
from accounts.models import User
from accounts.services import devices, held_keys, word_list, words
from accounts.services.attempts import WORDS_OF_LIST, TooManyTries
from accounts.services.devices import DeviceGone, NewDevice, TooManyDevices
from accounts.services.doors import Doors, NoSuchDoor
from accounts.services.vaults import DraftGone
from accounts.services.word_list import NotInList, OtherNumber
from accounts.services.words import Busy, Guessable, NotTypedBack, Weakness, WrongWords
from accounts.templatetags.look import clock, weekday
from accounts.vault.errors import Damaged, ParseError, TooCostly
from accounts.views import doors

_WEAK = {
    Weakness.SHORT: gettext_lazy("That is too short: 12 characters or more, spaces and hyphens not counted."),
    Weakness.COMMON: gettext_lazy("That is one of the passwords that are tried first. Choose other words."),
    Weakness.SIMILAR: gettext_lazy("That is too much like your e-mail address. Choose other words."),
    Weakness.NUMBERS: gettext_lazy("That is a number alone. Add words to it."),
    Weakness.REPEATED: gettext_lazy("That repeats a few characters. Choose other words."),
}


# -- In a new browser -------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
def open_list(request: UserRequest) -> HttpResponse:
    """Type your six words, or with `?own=1` your own. What was typed is shown again here, and nowhere else."""
    if devices.enter(request) is not None:
        return go(request, "accounts:list")
    found, own = doors.chosen(request), request.GET.get("own") == "1"
    if found is None:
        return go(request, "accounts:start")
    query = {"list": str(found.vault.pk)}
    context = doors.context_of(request, found)
    if not found.words:
        return go(request, "accounts:open", query=query)
    new = doors.new_device(request, uuid4())
    if new is None:
        return go(request, "accounts:open-name", query=query)
    typed = _typed(request) if request.method == "POST" else None
    form = OpenByWordsForm(typed, own=own, initial={"device_id": new.id})
    if form.is_bound and form.is_valid():
        new = replace(new, id=form.cleaned_data["device_id"])
        opened = _opened(request, found, new, form, own=own)
        if opened is not None:
            return opened
    left, until = words.tries_left(found.vault.pk, at=timezone.now())
    tries = {"left": left, "until": until} if left < WORDS_OF_LIST.most else None
    to_own = f"{reverse('accounts:open-words')}?{urlencode(query | {'own': '1'})}"
    return page(
        request, "accounts/open_words.html", context | {"form": form, "own": own, "tries": tries, "to_own": to_own}
    )


def _typed(request: UserRequest) -> Mapping[str, str]:
    """What was sent; with the neighbour in place of a word, where its button was pressed."""
    typed = request.POST.get("words", "")
    if "take" in request.POST and len(typed) <= words.MOST_TYPED:
        typed = word_list.corrected(typed, request.POST["take"])
    return {"device_id": request.POST.get("device_id", ""), "words": typed}


def _opened(
    request: UserRequest, found: Doors, new: NewDevice, form: OpenByWordsForm, *, own: bool
) -> HttpResponse | None:
    """The list is open; or None, and why not stands in the form."""
    at, typed, query = timezone.now(), form.cleaned_data["words"], {"list": str(found.vault.pk)}
    try:
        read = words.read_own(typed) if own else word_list.read(typed)
        if "take" in request.POST:
            return None
        enrolled = words.open_list(request.user, found.vault.pk, read, new, network=network_of(request), at=at)
    except NoSuchDoor:
        return go(request, "accounts:open", query=query)
    except TooManyDevices:
        form.add_error("words", too_many_devices())
    except DeviceGone:
        said(request, _("This page was out of date. Type the words here."), error=True)
        return go(request, "accounts:open-words", query=query)
    except NotInList as fault:
        form.fault = fault
        form.add_error("words", _not_in_list(fault))
    except (OtherNumber, Guessable, ParseError, TooManyTries, Busy, WrongWords, Damaged, TooCostly) as error:
        form.add_error("words", _sentence(error, request.user))
    else:
        response = go(request, "accounts:list")
        devices.send_cookie(response, request.user, enrolled.cookie)
        return response
    return None


def _not_in_list(fault: NotInList) -> str:
    if fault.nearest:
        return _("%(word)s: %(nearest)s? This cost no try.") % {"word": fault.word, "nearest": fault.nearest}
    return _("There is no word like it. This cost no try.")


def _sentence(error: Exception, user: User) -> str:
    """Why words opened nothing, or were not made a key, and what it cost."""
    match error:
        case OtherNumber(found=count):
            return ngettext(
                "This is %(count)d word; there are six. This cost no try.",
                "These are %(count)d words; there are six. This cost no try.",
                count,
            ) % {"count": count}
        case Guessable():
            return _("Your own words have 12 characters or more. This cost no try.")
        case WrongWords(left=0, until=until):
            sentence = _("Those are not the words of this list. No try is left until %(day)s at %(time)s.")
            return sentence % _moment(until, user)
        case WrongWords(left=left, until=until):
            return ngettext(
                "Those are not the words of this list. %(count)d try left until %(day)s at %(time)s.",
                "Those are not the words of this list. %(count)d tries left until %(day)s at %(time)s.",
                left,
            ) % {"count": left, **_moment(until, user)}
        case TooManyTries(next_at=next_at):
            sentence = _(
                "Too many wrong words were typed. These were not tried. "
                "The next try is possible on %(day)s at %(time)s."
            )
            return sentence % _moment(next_at, user)
        case Busy(next_at=next_at):
            sentence = _("Others are being served. These words were not tried; send them again on %(day)s at %(time)s.")
            return sentence % _moment(next_at, user)
        case Damaged():
            return _(
                "What these words open is damaged, or this server has other keys than those it was made with. "
                "This cost no try. Tell the operator of this server, or open the list another way."
            )
        case TooCostly():
            return sentences.sentence(error)
    return _("No words were typed. Type all of them.")


def _moment(moment: datetime, user: User) -> dict[str, str]:
    """Day and time, as sentences name them."""
    local = timezone.localtime(moment)
    return {"day": weekday(local), "time": clock(local, user)}


# -- In a browser that has the list -----------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@changing
@fresh_sign_in
def new(request: VaultRequest) -> HttpResponse:
    """Make six words, or change them. They are drawn by the button, not by looking."""
    if request.method == "POST":
        draft_id = words.begin(request.vault, at=timezone.now())
        return go(request, "accounts:words-confirm", draft_id, query=onward(request))
    context = {"held": held_keys.of(request.vault.row), "onward": onward_query(request)}
    return page(request, "accounts/words_new.html", context)


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@changing
@fresh_sign_in
def confirm(request: VaultRequest, draft_id: UUID) -> HttpResponse:
    """The six words, once, on the screen and on the sheet; two of them typed back make them the key."""
    at = timezone.now()
    held = held_keys.of(request.vault.row)
    try:
        if request.method == "POST" and "renew" in request.POST:
            renewed = words.renew(request.vault, draft_id, at=at)
            return go(request, "accounts:words-confirm", renewed, query=onward(request))
        drawn = words.look(request.vault, draft_id, at=at)
        form = TypedBackForm(request.POST if request.method == "POST" else None, drawn=drawn)
        if form.is_bound and form.is_valid():
            try:
                words.finish(request.vault, draft_id, form.typed(), at=at)
            except NotTypedBack as error:
                for place in error.places:
                    form.add_differing(place)
            except Busy as error:
                form.add_error(None, _sentence(error, request.user))
            else:
                return _made(request, held)
    except DraftGone:
        if words.was_finished(request.vault, draft_id, at=at):
            return go(request, onward_address(request) or "accounts:keys")
        # Run out or somebody else's: all look the same.
        return page(request, "accounts/words_gone.html", status=404)
    return page(
        request,
        "accounts/words_confirm.html",
        {
            "form": form,
            "draft": draft_id,
            "drawn": drawn,
            "ends": drawn.ends_at,
            "held": held,
            "onward": onward_query(request),
            "at": at,
            "address": f"{settings.SITE_URL}{reverse('accounts:open')}",
        },
    )


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@changing
@fresh_sign_in
def own(request: VaultRequest) -> HttpResponse:
    """Words of one's own, typed twice; guessable ones are refused with the reason."""
    held = held_keys.of(request.vault.row)
    form = OwnWordsForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        limited: HttpResponse | None = ratelimit.consume_or_429(request, action="make_words", user=request.user)
        if limited:
            return limited  # Each takes one of two turns that everybody waits for.
        try:
            words.make(request.vault, words.judge(form.cleaned_data["words"], request.user), at=timezone.now())
        except Guessable as error:
            form.add_error("words", str(_WEAK[error.weakness]))
        except Busy as error:
            form.add_error(None, _sentence(error, request.user))
        else:
            return _made(request, held)
    context = {"form": form, "held": held, "onward": onward_query(request)}
    return page(request, "accounts/words_own.html", context)


def _made(request: VaultRequest, before: held_keys.Held) -> HttpResponse:
    if before.words:
        said(request, _("Changed. The old words no longer open your list."))
    else:
        said(request, _("Made. Your words open your list from now on."))
    return go(request, onward_address(request) or held_keys.onward(request.vault, before) or "accounts:keys")
