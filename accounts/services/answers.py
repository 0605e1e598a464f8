"""What came back from a provider, and everything it is held to: a table of checks, stopping at the first that fails.

Nothing here is kept or written down; `identity` asks, and acts by what is said.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.views.decorators.debug import sensitive_variables

from accounts import roles
from accounts.roles import Freshness, Role, Way
from accounts.services import keyring
from accounts.vault import keys
from accounts.vault.encoding import b64url
from accounts.vault.keys import Label

_OLDER_NAMES = 4  # So many former NAME keys are tried for who is expected.
_CLOCKS_DIFFER = 60  # Seconds that a provider's clock may be off.
_LONGEST_UID = 255


class Reason(StrEnum):
    """Why a proof came to nothing. The list is closed; the landing page has a sentence for each."""

    CANCELLED = "cancelled"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    STALE = "stale"
    OTHER_IDENTITY = "other_identity"
    WORK_ACCOUNT = "work_account"


def claims_of(account: SocialAccount) -> dict[str, Any]:
    """What the provider said of a person in the ID token; empty without one."""
    said = getattr(account, "claims", account.extra_data)
    if account.provider != "apple":
        said = said.get("id_token") if isinstance(said, dict) else None
    return said if isinstance(said, dict) else {}


# -- Who is expected ---------------------------------------------------------------------------------------------------


def tag(issuer: str, uid: str, kid: int | None = None) -> bytes:
    """The fingerprint of an identity, 32 bytes, under the NAME key of a number or the newest one."""
    return _fingerprint(kid, b"identity", issuer, uid)


def tags(issuer: str, uid: str) -> list[bytes]:
    """The fingerprints by which an identity may have been noted: under the newest NAME key, and a few older ones."""
    return [tag(issuer, uid, kid) for kid in _kids()]


def _kids() -> list[int]:
    return keyring.name_kids()[: 1 + _OLDER_NAMES]


def name_tag(name: str, kid: int | None = None) -> bytes:
    """The fingerprint of a sign-in name, 32 bytes: for an account of which nothing but its name came back."""
    return _fingerprint(kid, b"name", name.casefold())


def _fingerprint(kid: int | None, kind: bytes, *parts: str) -> bytes:
    name = keyring.name_key(kid)
    derived = keys.derive(name, Label.IDENTITY)
    return keys.fingerprint(derived, Label.IDENTITY, kind, *(part.encode("utf-8", "replace") for part in parts))


# -- The checks --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and what it is held to."""

    claims: Mapping[str, Any]
    way: Way
    nonce: bytes
    expected: bytes | None
    asked_at: datetime
    at: datetime
    by_name: bool = False

    @property
    def issuer(self) -> str | None:
        """The issuer that the token must name."""
        return roles.issuer_of(self.way.issuer, self.claims)

    @property
    def uid(self) -> Any:
        """Who the token says it is, by the claim of the role."""
        return self.claims.get(self.way.subject)

    @property
    def signed_in_at(self) -> datetime:
        """When the person signed in there; where the operator lets asking be enough, now."""
        if self.way.freshness is Freshness.ASKED:
            return self.at
        return datetime.fromtimestamp(self.claims["auth_time"], UTC)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that an answer must hold; what stops there ends for this reason."""

    name: str
    holds: Callable[[Answer], bool]
    reason: Reason = Reason.UNTRUSTED


def _is_there(answer: Answer) -> bool:
    return bool(answer.claims)


def _is_of_now(answer: Answer) -> bool:
    now = answer.at.timestamp()
    exp, iat, nbf = (answer.claims.get(name) for name in ("exp", "iat", "nbf"))
    starts = [iat] if nbf is None else [iat, nbf]
    return _number(exp) > now and all(now - _number(time) >= -_CLOCKS_DIFFER for time in starts)


def _is_for_us(answer: Answer) -> bool:
    ours, nonce = answer.way.client_id, answer.claims.get("nonce")
    return (
        answer.claims.get("aud") in (ours, [ours])
        and answer.claims.get("azp", ours) == ours
        and isinstance(nonce, str)
        and hmac.compare_digest(nonce.encode("utf-8", "replace"), b64url(answer.nonce).encode())
    )


def _is_of_no_work(answer: Answer) -> bool:
    """At `microsoft` a work or school account has a name of its own, so that the person is told what it was."""
    at_microsoft = answer.way.provider == f"{Role.MICROSOFT}-proof"
    return not at_microsoft or _names_the_issuer(answer) or not roles.is_of_work(answer.claims.get("iss"))


def _names_the_issuer(answer: Answer) -> bool:
    return answer.issuer is not None and answer.claims.get("iss") == answer.issuer


def _names_a_person(answer: Answer) -> bool:
    return isinstance(answer.uid, str) and 1 <= len(answer.uid) <= _LONGEST_UID and answer.uid.isprintable()


def _is_fresh(answer: Answer) -> bool:
    if answer.way.freshness is Freshness.ASKED:
        return True  # The nonce ties it to our asking; that is all.
    time, earliest = answer.claims.get("auth_time"), answer.asked_at.timestamp() - _CLOCKS_DIFFER
    return type(time) is int and earliest <= time <= answer.at.timestamp() + _CLOCKS_DIFFER


def _is_who_is_expected(answer: Answer) -> bool:
    if answer.expected is None:
        return True
    issuers = roles.issuers(answer.way, str(answer.issuer))
    known = [one for issuer in issuers for one in tags(issuer, answer.uid)]
    if answer.by_name:
        said = (answer.claims.get(name) for name in ("preferred_username", "email"))
        known += [name_tag(name, kid) for name in said if isinstance(name, str) and name for kid in _kids()]
    return True in [hmac.compare_digest(answer.expected, one) for one in known]  # All of them: time tells nothing.


def _number(value: object) -> float:
    """A claim of time; what is none compares with nothing."""
    is_one = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_one and isinstance(value, int | float) else math.nan


# The rest of what an answer is held to: that it came by a state of this session, once, and by PKCE, is allauth's work
# and `called_back`'s; so is the audience, its time, and, where the issuer is one, that discovery names it.
CHECKS: tuple[Check, ...] = (
    Check("token", _is_there),
    Check("time", _is_of_now),
    Check("audience", _is_for_us),
    Check("tenant", _is_of_no_work, Reason.WORK_ACCOUNT),
    Check("issuer", _names_the_issuer),
    Check("person", _names_a_person),
    Check("freshness", _is_fresh, Reason.STALE),
    Check("expected", _is_who_is_expected, Reason.OTHER_IDENTITY),
)


@sensitive_variables()
def failing(answer: Answer) -> Check | None:
    """The first check that an answer does not hold; None where it holds them all."""
    return next((check for check in CHECKS if not check.holds(answer)), None)
