"""Proofs: a fresh sign-in at an outside provider that shows who somebody is there, for one purpose, once.

A proof is no sign-in to Authweb: it signs nobody in, links nothing and makes no user. `begin` asks the provider,
`conclude` judges what comes back, `look` and `spend` are for whoever asked. What a person reads about a proof that came
to nothing is on its landing page; what else that page offers for a purpose stands in `OFFERS`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import requests
from allauth.account.internal.flows.login import record_authentication
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts import roles
from accounts.models import IdentityProof, User
from accounts.roles import NotConfigured, Role, Way
from accounts.services import activity, answers, devices, keyring, sign_in
from accounts.services.activity import Tag
from accounts.services.answers import Answer, Reason, claims_of, name_tag, tag
from accounts.vault import keys
from accounts.vault.encoding import b64url, canonical, trusted
from accounts.vault.errors import VaultError

logger = logging.getLogger(__name__)

__all__ = [
    "FAULTS",
    "OFFERS",
    "ROLES_OF",
    "Identity",
    "Lost",
    "NotConfigured",
    "NotProven",
    "Offer",
    "Purpose",
    "Reason",
    "Role",
    "RoleRefused",
    "TooManyProofs",
    "Unlinked",
    "Unreachable",
    "begin",
    "begin_again",
    "begin_sign_in",
    "begun_by",
    "called_back",
    "conclude",
    "expire",
    "fail",
    "landing_of",
    "look",
    "lost",
    "masked",
    "name_tag",
    "sealed",
    "spend",
    "tag",
]

State = IdentityProof.State

# What a provider's answer makes allauth raise when it is not what it should be.
FAULTS = (
    requests.RequestException,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    ImproperlyConfigured,
)
MOST_BEGINS = 10
BEGINS_WITHIN = timedelta(minutes=10)
_SEALED = "proof"


# -- The tables -------------------------------------------------------------------------------------------------------


class Purpose(StrEnum):
    """What a proof is for. It serves for nothing else."""

    RECOVERY_CHOOSE = "recovery-choose"
    RECOVERY_CONTINUE = "recovery-continue"
    RESTORE = "restore"
    ACCOUNT_ADD = "account-add"
    ACCOUNT_RETURN = "account-return"
    RECOVERY_DELETE = "recovery-delete"
    FRESH_SIGN_IN = "fresh-sign-in"


_KEEPERS = frozenset(role for role, row in roles.ROLES.items() if row.keeps_backups)
_ADDED = frozenset({Role.MICROSOFT, Role.ENTRA})

# Which roles may serve a purpose. A fresh sign-in goes to the person's own linked account, by no role.
ROLES_OF: Mapping[Purpose, frozenset[Role]] = {
    Purpose.RECOVERY_CHOOSE: _KEEPERS,
    Purpose.RECOVERY_CONTINUE: _KEEPERS,
    Purpose.RESTORE: _KEEPERS,
    Purpose.ACCOUNT_ADD: _ADDED,
    Purpose.ACCOUNT_RETURN: _ADDED,
    Purpose.RECOVERY_DELETE: _KEEPERS,
    Purpose.FRESH_SIGN_IN: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What the landing page of a proof that came to nothing says and offers, for one purpose.

    `heading` stands over the cause, `safe` says what was not touched, `again` is the button that begins the same proof
    again, `change` the name of the page where another account is chosen; without one there is no such button.
    """

    heading: str | Promise = _("The sign-in was not finished.")
    safe: str | Promise = _("Nothing was changed.")
    again: str | Promise = _("Try again")
    change: str = ""


# Apps above put their own in for their purposes, once they are ready: `identity.OFFERS[Purpose.RESTORE] = Offer(…)`.
OFFERS: dict[Purpose, Offer] = dict.fromkeys(Purpose, Offer())


# -- Who somebody is at a provider ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identity:
    """Who came back: the verified issuer, the person's stable id there, and what the account is called."""

    role: Role | str
    issuer: str
    uid: str
    label: str
    signed_in_at: datetime

    @property
    def masked(self) -> str:
        """The label as pages show it: "a…@outlook.com"."""
        return masked(self.label)

    def __repr__(self) -> str:
        return f"Identity({self.role}, …)"


def masked(label: str) -> str:
    """A label of which the first letter and the domain are left, also where it was masked before; empty for none."""
    name, at, domain = label.rpartition("@")
    return f"{name[:1]}…{at}{domain}"[:254] if at else f"{label[:1]}…" if label else ""


# -- The way out ------------------------------------------------------------------------------------------------------


class NotProven(Exception):
    """No such proof, not this person's, not for this, too old, or used: all alike."""


class RoleRefused(Exception):
    """Accounts of this role may not serve this purpose."""


class TooManyProofs(Exception):
    """Ten were begun within ten minutes. `next_at` is when the next one is possible."""

    def __init__(self, next_at: datetime) -> None:
        super().__init__()
        self.next_at = next_at


class Unlinked(Exception):
    """The account by which a person was to sign in again is no longer linked to them."""


class Unreachable(Exception):
    """The provider does not answer. `proof` has failed, and has its landing page."""

    def __init__(self, proof: IdentityProof) -> None:
        super().__init__()
        self.proof = proof


def begin(
    *,
    request: HttpRequest,
    role: Role,
    purpose: Purpose,
    target: str,
    back: str,
    expected: bytes | None = None,
    wanted: str = "",
    hint: str = "",
) -> str:
    """Begin a proof; the address at the provider to hand off to.

    `target` is the id of what it is for, `back` the next step: an address of ours that gets `?proof=<id>`. `expected`
    is the `tag` of who must come back (for `account-return` also a `name_tag`), `wanted` their label, which is kept
    masked and named where somebody else comes. `hint` is their full label where one is known; it goes out and is kept
    nowhere.

    Raises RoleRefused, NotConfigured, TooManyProofs, and Unreachable with the proof that has failed.
    """
    if role not in ROLES_OF[purpose]:
        raise RoleRefused(role)
    return _begin(
        request,
        roles.way(role),
        IdentityProof(role=role, purpose=purpose, target=target, back=back, expected=expected, wanted=masked(wanted)),
        hint=hint,
    )


def begin_sign_in(*, request: HttpRequest, link: SocialAccount, back: str) -> str:
    """Begin to show by a linked account that it is still its owner who is here; as `begin`, purpose `fresh-sign-in`."""
    if not roles.is_way(link.provider):
        raise NotConfigured(link.provider)
    way = roles.way(link.provider)
    label = str(link.extra_data.get("username") or "")
    proof = IdentityProof(
        role=link.provider,
        purpose=Purpose.FRESH_SIGN_IN,
        back=back,
        expected=tag(way.issuer, link.uid),
        wanted=masked(label),
    )
    return _begin(request, way, proof, hint=label)


def begin_again(request: HttpRequest, proof: IdentityProof) -> str:
    """Begin once more what a proof was begun for, whatever became of it; as `begin`.

    A fresh sign-in goes to an account that is linked now, as the first one did. Raises Unlinked where it no longer is.
    """
    if proof.purpose == Purpose.FRESH_SIGN_IN:
        return begin_sign_in(request=request, link=_link(request, proof), back=proof.back)
    again = IdentityProof(
        role=proof.role,
        purpose=proof.purpose,
        target=proof.target,
        back=proof.back,
        expected=bytes(proof.expected) if proof.expected is not None else None,
        wanted=proof.wanted,
    )
    return _begin(request, roles.way(proof.role), again, hint="")


def _link(request: HttpRequest, proof: IdentityProof) -> SocialAccount:
    """The link of this person that a fresh sign-in was begun by: a proof keeps its fingerprint alone."""
    expected, issuer = bytes(proof.expected or b""), roles.way(proof.role).issuer
    for link in SocialAccount.objects.filter(user=_person(request), provider=proof.role):
        if expected in answers.tags(issuer, link.uid):
            return link
    raise Unlinked


def _begin(request: HttpRequest, way: Way, proof: IdentityProof, *, hint: str) -> str:
    if not proof.back.startswith("/") or proof.back.startswith("//"):
        raise ValueError("The next step of a proof is a page of ours.")
    proof.user, proof.made_at = _person(request), timezone.now()
    proof.nonce, proof.state_id = keys.random_bytes(32), keys.random_bytes(16).hex()
    with transaction.atomic():
        _count(proof.user, at=proof.made_at)
        proof.save(force_insert=True)
        _record(Tag.PROOF_BEGUN, proof, request=request, at=proof.made_at)
    asks = {"nonce": b64url(bytes(proof.nonce)), **way.asks, **({"login_hint": hint} if hint and way.hints else {})}
    try:
        provider = get_adapter().get_provider(request, provider=way.provider)
        answer = provider.redirect(
            request,
            AuthProcess.REDIRECT,
            next_url=landing_of(proof),
            data={"proof": str(proof.pk)},
            state_id=proof.state_id,
            auth_params=asks,
        )
    except FAULTS as fault:
        fail(proof, Reason.UNREACHABLE, check=type(fault).__name__, request=request)
        raise Unreachable(proof) from None
    return str(answer.url)


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise NotProven
    return request.user


def _count(user: User, *, at: datetime) -> None:
    """One by one, so that of many begun at once none slips through. Raises TooManyProofs."""
    User.objects.select_for_update().get(pk=user.pk)
    recent = IdentityProof.objects.filter(user=user, made_at__gt=at - BEGINS_WITHIN).order_by("-made_at")
    times = list(recent.values_list("made_at", flat=True)[:MOST_BEGINS])
    if len(times) == MOST_BEGINS:
        raise TooManyProofs(times[-1] + BEGINS_WITHIN)


# -- The way back -----------------------------------------------------------------------------------------------------


class Lost(Exception):
    """The way back belongs to no proof that waits here: too old, used before, another browser's or another person's."""


def called_back(request: HttpRequest, provider_id: str) -> IdentityProof | None:
    """The proof whose way back this request comes by, which from now on nobody else comes by; None where it is none.

    A state that this session does not hold is left alone: whoever it belongs to may still come. Raises Lost for one
    that it holds and whose proof waits no more, or by which somebody came already: of several at once one goes on.
    """
    state_id = request.GET.get("state", "")
    held = statekit.get_states(request).get(state_id)
    if not state_id or held is None or held[-1] != provider_id or not _proof_id(held[0]):
        return None
    proof = begun_by(request, held[0])
    if proof is None or not IdentityProof.objects.filter(pk=proof.pk, state_id=state_id).update(state_id=""):
        raise Lost
    return proof


def _proof_id(state: Mapping[str, Any] | None) -> UUID | None:
    data = (state or {}).get("data")
    return _uuid(data.get("proof")) if isinstance(data, dict) else None


def begun_by(request: HttpRequest, state: Mapping[str, Any] | None) -> IdentityProof | None:
    """The proof that waits for this way back of allauth's, if it is one and this person's."""
    proof_id = _proof_id(state)
    if proof_id is None:
        return None
    return _waiting(request, at=timezone.now()).filter(pk=proof_id).first()


def _waiting(request: HttpRequest, *, at: datetime) -> QuerySet[IdentityProof]:
    since = at - settings.PROOF_PENDING_FOR
    if not isinstance(request.user, User):
        return IdentityProof.objects.none()
    return IdentityProof.objects.filter(user=request.user, state=State.PENDING, made_at__gte=since)


def latest(user: User, *, at: datetime) -> IdentityProof | None:
    """The last proof this person began, as long as a provider's page of it may still stand open."""
    return user.proofs.filter(made_at__gte=at - settings.PROOF_PENDING_FOR).order_by("-made_at").first()


def landing_of(proof: IdentityProof) -> str:
    """The page that says how a proof ended, and leads on."""
    return reverse("accounts:proof", args=[proof.pk])


def lost() -> HttpResponse:
    """On to the page of a way back that belongs to no proof."""
    return HttpResponseRedirect(reverse("accounts:proof-lost"))


@sensitive_variables()
def conclude(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    """Judge what came back by a proof's state; on to its landing page. What belongs to no proof here is lost."""
    at = timezone.now()
    proof = begun_by(request, sociallogin.state)
    if proof is None:
        return lost()
    way = roles.way(proof.role)
    if sociallogin.account.provider != way.provider:
        return lost()
    answer = Answer(
        claims=claims_of(sociallogin.account),
        way=way,
        nonce=bytes(proof.nonce),
        expected=bytes(proof.expected) if proof.expected is not None else None,
        asked_at=proof.made_at,
        at=at,
        by_name=proof.purpose == Purpose.ACCOUNT_RETURN,
    )
    check = answers.failing(answer)
    if check is not None:
        came = masked(sign_in.label(dict(answer.claims))) if check.reason is Reason.OTHER_IDENTITY else ""
        fail(proof, check.reason, check=check.name, request=request, came=came)
        return HttpResponseRedirect(landing_of(proof))
    if not _prove(proof, answer, request=request):
        return lost()
    if proof.purpose == Purpose.FRESH_SIGN_IN:
        _sign_in_again(request, proof, at=at)
    return HttpResponseRedirect(landing_of(proof))


@sensitive_variables()
def _prove(proof: IdentityProof, answer: Answer, *, request: HttpRequest) -> bool:
    said = {"issuer": str(answer.issuer), "uid": answer.uid, "label": sign_in.label(dict(answer.claims))}
    # A fraction of a second is dropped, as a claim has none: nobody gains a second by it.
    signed_in_at = answer.signed_in_at.replace(microsecond=0)
    proven = {"sealed_identity": sealed(proof, signed_in_at, said), "signed_in_at": signed_in_at}
    with transaction.atomic():
        if not _change(proof, State.PENDING, state=State.PROVEN, **proven):
            return False
        _record(Tag.PROOF_PROVEN, proof, request=request, at=answer.at)
    return True


@sensitive_variables()
def sealed(proof: IdentityProof, signed_in_at: datetime, said: Mapping[str, str]) -> bytes:
    """Who was proven, sealed for this row alone."""
    return keyring.seal(_SEALED, _meaning(proof, signed_in_at), canonical(said))


def _meaning(proof: IdentityProof, signed_in_at: datetime) -> bytes:
    """Everything that says what a proof is good for. Its identity is sealed to this: who writes in the database, and
    has no server keys, moves it to no other person or step, calls it no other role, and makes it no younger.
    """
    of = [proof.pk.hex, proof.user_id.hex, proof.purpose, proof.target, proof.role, proof.back]
    return canonical([*of, signed_in_at.astimezone(UTC).isoformat()])


def _sign_in_again(request: HttpRequest, proof: IdentityProof, *, at: datetime) -> None:
    """What a fresh sign-in is for happens at once: pages that ask for one open. The session learns no uid."""
    spend(proof.pk, user=_person(request), purpose=Purpose.FRESH_SIGN_IN, target="", at=at)
    record_authentication(request, request.user, "socialaccount", provider=proof.role, reauthenticated=True)


def fail(proof: IdentityProof, reason: Reason, *, request: HttpRequest, check: str = "", came: str = "") -> None:
    """A proof that waits comes to nothing. Why, and which check said so, stands in log and activity; no name does."""
    reference, at = activity.new_reference(), timezone.now()
    with transaction.atomic():
        wiped: dict[str, Any] = {"sealed_identity": None, "reason": reason, "reference": reference, "came": came}
        if not _change(proof, State.PENDING, state=State.FAILED, **wiped):
            return
        _record(Tag.PROOF_FAILED, proof, request=request, at=at, reason=reason, check=check)
    advice = f"; ROLE_{proof.role.upper()}_FRESHNESS=asked if it never proves one" if reason is Reason.STALE else ""
    logger.warning("A proof ended: %s, %s, %s, %s, %s%s", reference, proof.role, proof.purpose, reason, check, advice)


def _change(proof: IdentityProof, before: State, **fields: Any) -> bool:
    """One UPDATE that must hit the row as it was; of several at once one does."""
    if not IdentityProof.objects.filter(pk=proof.pk, state=before).update(**fields):
        return False
    for name, value in fields.items():
        setattr(proof, name, value)
    return True


# -- Its use ----------------------------------------------------------------------------------------------------------


@sensitive_variables()
def look(proof_id: UUID | str, *, user: User, purpose: Purpose, target: str, at: datetime | None = None) -> Identity:
    """Who was proven, for this person, purpose and target, without using it up. Raises NotProven.

    At most PROOF_MAX_AGE after the sign-in there. `at` is now where it is not given.
    """
    return _opened(_proven(proof_id, user=user, purpose=purpose, target=target, at=at or timezone.now()))


@sensitive_variables()
def spend(proof_id: UUID | str, *, user: User, purpose: Purpose, target: str, at: datetime | None = None) -> Identity:
    """The same, once: the proof is used up, and who it was is wiped with it. Raises NotProven."""
    at = at or timezone.now()
    with transaction.atomic():
        proof = _proven(proof_id, user=user, purpose=purpose, target=target, at=at)
        identity = _opened(proof)
        if not _change(proof, State.PROVEN, state=State.SPENT, sealed_identity=None):
            raise NotProven
        _record(Tag.PROOF_SPENT, proof, request=None, at=at)
    return identity


def _proven(proof_id: UUID | str, *, user: User, purpose: Purpose, target: str, at: datetime) -> IdentityProof:
    known = _uuid(proof_id)
    if known is None:
        raise NotProven
    found = IdentityProof.objects.filter(
        pk=known,
        user=user,
        purpose=purpose,
        target=target,
        state=State.PROVEN,
        signed_in_at__gte=at - settings.PROOF_MAX_AGE,
    ).first()
    if found is None:
        raise NotProven
    return found


@sensitive_variables()
def _opened(proof: IdentityProof) -> Identity:
    if proof.sealed_identity is None or proof.signed_in_at is None:
        raise NotProven
    try:
        said = trusted(keyring.unseal(_SEALED, _meaning(proof, proof.signed_in_at), bytes(proof.sealed_identity)))
    except (VaultError, ImproperlyConfigured) as fault:
        logger.error("A proof does not open: %s, %s", proof.pk, type(fault).__name__)
        raise NotProven from None
    assert isinstance(said, dict)  # noqa: S101 - written by `_prove`, and authenticated just now
    role = Role(proof.role) if proof.role in roles.NAMES else proof.role
    return Identity(role=role, signed_in_at=proof.signed_in_at, **said)


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None


def expire(at: datetime) -> int:
    """Wipe who was proven and can be used no more; delete rows after a day. Returns how many rows were touched."""
    over = IdentityProof.objects.exclude(sealed_identity=None).filter(signed_in_at__lt=at - settings.PROOF_MAX_AGE)
    wiped = over.update(sealed_identity=None)
    return wiped + IdentityProof.objects.filter(made_at__lt=at - settings.PROOF_KEPT).delete()[0]


def _record(tag: Tag, proof: IdentityProof, *, request: HttpRequest | None, at: datetime, **facts: str) -> None:
    here = devices.here(request) if request is not None else None
    device = here if here is not None and here.user_id == proof.user_id else None
    said = {"role": proof.role, "purpose": proof.purpose, **{name: str(fact) for name, fact in facts.items() if fact}}
    activity.record(tag, user=proof.user, device=device, at=at, facts=said, reference=proof.reference)
