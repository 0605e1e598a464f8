"""Adding an account: pictures, links and what is typed lead to one page that asks for the yes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from allauth.core.internal import ratelimit
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from django import forms
from django.http import Http404, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import roles, sentences, uploads
from accounts.forms_adding import ChooseForm, ConfirmForm, HandForm, LinkForm, PicturesForm, TakePictureForm
from accounts.http import VaultRequest, changing, fresh_sign_in, go, page, said, vault_required
from accounts.models import DeviceType
from accounts.roles import Role
from accounts.services import adding, held_keys, policy, previewing, sign_in, signing, vaults
from accounts.services.adding import Full, NothingTaken
from accounts.services.codes import Code
from accounts.services.drafted import Forbidden, Way
from accounts.services.identity import NotProven
from accounts.services.previewing import Preview, Waiting
from accounts.services.signing import Several
from accounts.vault.entry import Entry
from accounts.vault.errors import AlreadyListed, NotListed, ParseError, Problem, TooLarge, VaultError
from accounts.vault.formats import Format
from accounts.views.accounts import described

_MOST_FAULTS = 10  # Told one by one above a form; what is beyond is counted.
_PHONES = frozenset({DeviceType.IOS, DeviceType.ANDROID})
_LINKS = ("otpauth:", "otpauth-migration:", "steam:", "phonefactor:")

_PICTURES_RATE = {"picture": "20/m/user"}  # Reading one may take 2 s of a worker.


# -- The ways in ------------------------------------------------------------------------------------------------------


@require_safe
@vault_required
@changing
def choose(request: VaultRequest) -> HttpResponse:
    """The families of accounts that this server can add. Where there is one to choose, nobody is asked to choose it."""
    offered = {"personal": roles.configured(Role.MICROSOFT), "work": roles.configured(Role.ENTRA)}
    if not any(offered.values()):
        return go(request, "accounts:add-other")
    return page(request, "accounts/add.html", offered)


@require_safe
@vault_required
@changing
def other(request: VaultRequest) -> HttpResponse:
    """All ways on one page; the likeliest on this device leads."""
    return (
        _ways(request, "take", TakePictureForm()) if _is_phone(request) else _ways(request, "picture", PicturesForm())
    )


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@changing
def picture(request: VaultRequest) -> HttpResponse:
    """Read pictures that were taken, chosen, pasted or dropped."""
    taken = request.POST.get("way") == "take"
    kind: type[PicturesForm] = TakePictureForm if taken else PicturesForm
    form = kind(request.POST, request.FILES) if request.method == "POST" else kind()
    if form.is_bound and uploads.too_many_bytes(request):  # What came last was dropped unread.
        form.errors["pictures"] = form.error_class(
            [_("These pictures are too large together; 40 MiB at once are allowed. Add them in several goes.")]
        )
    if form.is_valid():
        pictures = form.cleaned_data["pictures"]
        if not ratelimit.consume(request, app="accounts", action="picture", config=_PICTURES_RATE, user=request.user):
            form.add_error("pictures", _("Too many pictures one after another. Wait a minute, then send them again."))
            return _ways(request, "take" if taken else "picture", form)
        return _held(
            request,
            "take" if taken else "picture",
            form,
            lambda at: adding.from_pictures(request.vault, pictures, at=at, **_whose(request)),
            field="pictures",
            many=len(pictures) > 1,
        )
    return _ways(request, "take" if taken else "picture", form)


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@changing
def link(request: VaultRequest) -> HttpResponse:
    """Read links that were typed, pasted or dropped, one a line."""
    form = LinkForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        text = form.cleaned_data["link"]
        return _held(
            request,
            "link",
            form,
            lambda at: adding.from_text(request.vault, text, at=at, **_whose(request)),
            field="link",
            many="\n" in text,
        )
    return _ways(request, "link", form)


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
@changing
def hand(request: VaultRequest) -> HttpResponse:
    """An account typed by hand. A link in place of the key is taken as the link it is."""
    form = HandForm(request.POST if request.method == "POST" else None, initial=_as_called(request))
    if form.is_valid():
        typed = form.typed()
        if typed.secret.lower().startswith(_LINKS):
            return _held(
                request,
                "hand",
                form,
                lambda at: adding.from_text(request.vault, typed.secret, at=at, **_whose(request)),
                field="secret",
            )
        return _held(
            request,
            "hand",
            form,
            lambda at: adding.by_hand(request.vault, typed, at=at, **_whose(request)),
            field="label",
        )
    return _ways(request, "hand", form)


def _as_called(request: VaultRequest) -> dict[str, str]:
    """What the account is called whose code is typed, where the list has it or somebody signed in to it."""
    proof, back = signed_in_by(request), _brought_back(request)
    if back is not None:
        return {"label": f"{back.issuer}: {back.name}".removeprefix(": ").removesuffix(": ")}
    with suppress(NotProven):
        if proof is not None:
            who = signing.look(request.vault, proof, at=timezone.now())
            return {"label": f"{roles.name_of(who.role)}: {who.label}".removesuffix(": ")}
    return {}


def _held(
    request: VaultRequest,
    way: str,
    form: forms.Form,
    hold: Callable[[datetime], UUID],
    *,
    field: str,
    many: bool = False,
) -> HttpResponse:
    """On to the page that asks for the yes, or the form again with what was wrong."""
    try:
        draft_id = hold(timezone.now())
    except policy.Refused as refused:
        form.add_error(field, refused.sentence)
    except NothingTaken as nothing:
        for fault in _faults(nothing, pictures=field == "pictures", many=many):
            form.add_error(field, fault)
    except Several:
        form.add_error(field, _("There are several accounts in it. Take the code of this one account alone."))
    except NotProven:
        return signed_in_too_long_ago(request)
    except NotListed:
        raise Http404 from None
    except VaultError as error:
        form.add_error(getattr(form, "FIELDS", {}).get(error.reason, field), sentences.sentence(error))
    else:
        return go(request, "accounts:add-confirm", draft_id)
    return _ways(request, way, form)


def _faults(nothing: NothingTaken, *, pictures: bool, many: bool) -> list[str]:
    """What was wrong with each of them, where there were several with its place."""
    told = _told(nothing.problems, nothing.forbidden, Way.PICTURE if pictures else Way.LINK, Format.OTPAUTH)
    faults = list(dict.fromkeys(f"{place}: {sentence}" if many else sentence for place, sentence in told))
    left = len(faults) - _MOST_FAULTS
    if left > 0:
        faults[_MOST_FAULTS:] = [
            ngettext("One more could not be read.", "%(count)d more could not be read.", left) % {"count": left}
        ]
    return faults


def _told(
    problems: Iterable[Problem], forbidden: Iterable[Forbidden], way: Way, format: Format
) -> list[tuple[str, str]]:
    """For each that cannot be taken: where it stood, and the sentence."""
    return [
        *((_place(one.place, way, format), sentences.sentence(one, picture=way is Way.PICTURE)) for one in problems),
        *((_place(one.place, way, format), one.sentence) for one in forbidden),
    ]


def _place(place: str | int, way: Way, format: Format) -> str:
    if isinstance(place, str):
        return place  # The name of a file.
    if format is Format.GOOGLE:
        return _("Number %(number)d") % {"number": place}
    return (_("QR code %(number)d") if way is Way.PICTURE else _("Line %(number)d")) % {"number": place}


def _ways(request: VaultRequest, way: str, form: forms.Form) -> HttpResponse:
    """All ways: one leads with its fields, the others are links."""
    context: dict[str, Any] = {"way": way, "form": form, "is_phone": _is_phone(request), "on": ""}
    proof, back = signed_in_by(request), _brought_back(request)
    if back is not None:
        if not back.scans:
            return go(request, "accounts:account", back.id)
        context["of"], context["on"] = described(back), f"?{urlencode({'entry': back.id})}"
    elif proof is not None:
        try:
            context["who"] = signing.look(request.vault, proof, at=timezone.now())
        except NotProven:
            return signed_in_too_long_ago(request)
        context["on"] = f"?{urlencode({'proof': proof})}"
    if isinstance(form, HandForm):
        context["more"] = [form[name] for name in form.MORE]
        context["says_more"] = form.says_more()
    return page(request, "accounts/add_other.html", context)


def signed_in_by(request: VaultRequest) -> UUID | None:
    """The proof of the account whose code is asked for, where the address names one."""
    try:
        return UUID(request.GET.get("proof", ""))
    except ValueError:
        return None


def _brought_back(request: VaultRequest) -> Entry | None:
    """The account of the list whose code is asked for, where the address names one. Raises Http404."""
    entry_id = request.GET.get("entry", "")
    try:
        return vaults.read(request.vault).get(entry_id) if entry_id else None
    except NotListed:
        raise Http404 from None


def _whose(request: VaultRequest) -> dict[str, Any]:
    """Whose code it is that is given, as the ways of adding take it."""
    entry_id = request.GET.get("entry", "")
    return {"entry_id": entry_id} if entry_id else {"proof": signed_in_by(request)}


def signed_in_too_long_ago(request: VaultRequest) -> HttpResponse:
    """Where a sign-in serves no more: back to where another one begins."""
    said(request, _("That sign-in is too old, or was used already. Nothing was added. Sign in again."), error=True)
    return go(request, "accounts:add")


def _is_phone(request: VaultRequest) -> bool:
    return request.vault.device.type in _PHONES


# -- The yes ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@vault_required
def confirm(request: VaultRequest, draft_id: UUID) -> HttpResponseBase:
    """What was read, and its first code; added by "Finish" alone."""
    at = timezone.now()
    try:
        if request.method == "POST" and "cancel" in request.POST:
            vaults.drop(request.vault, draft_id)
            return go(request, "accounts:list")
        if request.method == "POST" and "renew" in request.POST:
            return go(request, "accounts:add-confirm", adding.renew(request.vault, draft_id, at=at))
        return _confirm(request, draft_id, at)
    except NotProven:
        vaults.drop(request.vault, draft_id)
        return signed_in_too_long_ago(request)
    except NotListed:  # Whose code it is, that account is in Trash now.
        vaults.drop(request.vault, draft_id)
        said(request, _("This account is in Trash now."), error=True)
        return go(request, "accounts:list")
    except vaults.DraftGone:
        if adding.was_accepted(request.vault, draft_id, at=at):
            return go(request, "accounts:list")
        # Run out, dropped or somebody else's: all look the same.
        return page(request, "accounts/add_gone.html", status=404)


def _confirm(request: VaultRequest, draft_id: UUID, at: datetime) -> HttpResponseBase:
    """The page, or what became of the yes. With Authweb's own second factor recovery codes stand on it."""
    preview = _preview(request, draft_id, at)
    answer = fresh_sign_in(_yes) if preview.own_factor else _yes
    return answer(request, draft_id, preview, at)


def _preview(request: VaultRequest, draft_id: UUID, at: datetime) -> Preview:
    being_set_up = request.session.get(SECRET_SESSION_KEY, "")
    own_seeds = sign_in.seeds(request.user, being_set_up=being_set_up)
    return previewing.look(request.vault, draft_id, at=at, own_seeds=own_seeds)


def _yes(request: VaultRequest, draft_id: UUID, preview: Preview, at: datetime) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form: ConfirmForm | ChooseForm = (
        ConfirmForm(data, waiting=preview.waiting[0], is_named=bool(preview.entry_id))
        if len(preview.waiting) == 1
        else ChooseForm(data, preview=preview)
    )
    if form.is_valid():
        done = _accepted(request, draft_id, form, preview, at)
        if done is not None:
            return done
        preview = _preview(request, draft_id, at)  # The list may have changed meanwhile.
    context: dict[str, Any] = {
        "form": form,
        "draft": draft_id,
        "preview": preview,
        "ends": preview.ends_at,
        "problems": _told(preview.problems, preview.forbidden, preview.way, preview.format),
        "recovery": sign_in.recovery(request.user) if preview.own_factor else None,
        "is_signed_in": preview.is_signed_in,
        "of": described(vaults.read(request.vault).get(preview.entry_id)) if preview.entry_id else None,
    }
    if isinstance(form, ChooseForm):
        return page(request, "accounts/confirm_several.html", context | _several(form, preview))
    return page(request, "accounts/confirm.html", context | _one(preview.waiting[0], at))


def _accepted(
    request: VaultRequest, draft_id: UUID, form: ConfirmForm | ChooseForm, preview: Preview, at: datetime
) -> HttpResponse | None:
    """Done, and on to the list; None when it was refused, and why stands in the form."""
    choice = form.choice()
    if not choice.chosen:
        vaults.drop(request.vault, draft_id)
        said(request, _("Nothing was added."))
        return go(request, "accounts:list")
    field = "name" if "name" in form.fields else None
    try:
        count = adding.accept(request.vault, draft_id, choice, at=at)
    except policy.Refused as refused:
        form.add_error(field, refused.sentence)
    except AlreadyListed as error:
        form.add_error(field, sentences.sentence(error))
    except (ParseError, Full, TooLarge) as error:
        given = str(error.facts.get("field", ""))
        form.add_error(given if given in form.fields else form.FIELDS.get(error.reason), sentences.sentence(error))
    else:
        if preview.entry_id:
            return _after_bringing_back(request, preview.entry_id)
        said(
            request,
            _("Added.") if count == 1 else ngettext("%(count)d added.", "%(count)d added.", count) % {"count": count},
        )
        return after_adding(request, min(choice.chosen) if count == 1 else "")
    return None


def after_adding(request: VaultRequest, entry_id: str) -> HttpResponse:
    """On to the list, to the row of what was added, wherever it stands; first to a way back, where that is due."""
    if held_keys.way_back_is_due(request.vault):
        return go(request, "accounts:way-back")
    return go(request, reverse("accounts:list") + (f"#account-{entry_id}" if entry_id else ""))


def _after_bringing_back(request: VaultRequest, entry_id: str) -> HttpResponse:
    """On to what else waits; where nothing does, to the row of the account that has its code again."""
    said(request, _("The code is back."))
    if any(entry.waits for entry in vaults.read(request.vault)):
        return go(request, "accounts:again")
    return after_adding(request, entry_id)


def _one(waiting: Waiting, at: datetime) -> dict[str, Any]:
    """What the page of one account shows of it."""
    code = waiting.code
    return {
        "waiting": waiting,
        "settings": sentences.settings(waiting),
        "notes": [sentences.note(note) for note in waiting.notes],
        "code": code,
        "spoken": " ".join(code.first) if code else "",
        "code_ends": _ends(code),
        "now": f"{at.timestamp():.3f}",
        "listed_added": _moment(waiting.listed.added) if waiting.listed else None,
    }


def _ends(code: Code | None) -> datetime | None:
    return _moment(code.ends_at) if code and code.period else None


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, tz=UTC) if seconds else None


def _several(form: ChooseForm, preview: Preview) -> dict[str, Any]:
    """What the page of several accounts shows: each with its tick; notes that all have are said once."""
    ticked = form.ticked()
    common = frozenset.intersection(*(frozenset(waiting.notes) for waiting in preview.waiting))
    return {
        "common_notes": [sentences.note(note) for note in preview.waiting[0].notes if note in common],
        "rows": [
            {
                "waiting": waiting,
                "ticked": waiting.id in ticked,
                "settings": "" if waiting.is_usual else sentences.settings(waiting),
                "notes": [sentences.note(note) for note in waiting.notes if note not in common],
            }
            for waiting in preview.waiting
        ],
        "addable": len(preview.addable),
    }
