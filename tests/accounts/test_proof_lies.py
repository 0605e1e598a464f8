"""A provider that lies: each lie ends where it should, nobody is signed in or made by it, and each check is needed."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.urls import reverse

from accounts.models import IdentityProof, User
from accounts.roles import Role
from accounts.services import answers, identity
from accounts.services.identity import Purpose, tag
from tests.factories import Visitor
from tests.fake_op import REMOVED
from tests.proving import OTHER_TENANT, TENANT, Roles, asked, ended, newest, way_back

PERSONAL = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"
OTHER = f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"
EVIL = "https://evil.example"
SENTENCES = {
    "cancelled": "You cancelled at Microsoft.",
    "unreachable": "Microsoft did not answer.",
    "untrusted": "Its answer could not be trusted.",
    "stale": "It was not a new sign-in.",
    "work_account": "A work or school account cannot hold the backup.",
    "other_identity": "You signed in as a…@outlook.example, which is another account.",
}


def later(seconds: float) -> Any:
    return lambda now: now + seconds


# Where a lie is told: what is said, and how that ends.
CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "nonce other": ({"nonce": "another"}, "untrusted"),
    "nonce absent": ({"nonce": REMOVED}, "untrusted"),
    "nonce a number": ({"nonce": 7}, "untrusted"),
    "issuer other": ({"iss": EVIL}, "untrusted"),
    "issuer absent": ({"iss": REMOVED}, "untrusted"),
    "issuer of a tenant": ({"iss": OTHER, "tid": OTHER_TENANT}, "work_account"),
    "issuer of a tenant that is none": ({"iss": PERSONAL.replace("9188040d", "zzzzzzzz")}, "untrusted"),
    "audience other": ({"aud": "another"}, "untrusted"),
    "audience absent": ({"aud": REMOVED}, "untrusted"),
    "audience two": ({"aud": ["authweb", "another"]}, "untrusted"),
    "audience twice": ({"aud": ["authweb", "authweb"]}, "untrusted"),
    "party foreign": ({"azp": "another"}, "untrusted"),
    "party nobody": ({"azp": None}, "untrusted"),
    "over": ({"exp": later(-1)}, "untrusted"),
    "over now": ({"exp": later(0)}, "untrusted"),
    "never over": ({"exp": REMOVED}, "untrusted"),
    "over in words": ({"exp": "tomorrow"}, "untrusted"),
    "over at the end of days": ({"exp": float("inf")}, "untrusted"),
    "made never": ({"iat": REMOVED}, "untrusted"),
    "made ahead": ({"iat": later(120)}, "untrusted"),
    "made true": ({"iat": True}, "untrusted"),
    "good ahead": ({"nbf": later(120)}, "untrusted"),
    "good in words": ({"nbf": "soon"}, "untrusted"),
    "signed in never": ({"auth_time": REMOVED}, "stale"),
    "signed in by words": ({"auth_time": "now"}, "stale"),
    "signed in true": ({"auth_time": True}, "stale"),
    "signed in by halves": ({"auth_time": later(0.5)}, "stale"),
    "signed in an hour ago": ({"auth_time": later(-3600)}, "stale"),
    "signed in in an hour": ({"auth_time": later(3600)}, "stale"),
    "nobody": ({"oid": REMOVED}, "untrusted"),
    "nobody, by sub": ({"sub": REMOVED}, "untrusted"),
    "person empty": ({"oid": ""}, "untrusted"),
    "person null": ({"oid": None}, "untrusted"),
    "person a number": ({"oid": 7}, "untrusted"),
    "person of 300 letters": ({"oid": "a" * 300}, "untrusted"),
    "person of 300 letters, by sub": ({"sub": "a" * 300}, "untrusted"),
    "person of two lines": ({"oid": "a\nb"}, "untrusted"),
    "name a list": ({"name": ["a"]}, "untrusted"),
    # The controls: an address is nobody's proof, and what Microsoft really says is taken.
    "made five minutes ago": ({"iat": later(-300)}, "proven"),
    "address a list": ({"email": ["a"]}, "proven"),
    "audience in a list": ({"aud": ["authweb"], "azp": "authweb"}, "proven"),
    "clock half a minute off": ({"iat": later(30), "nbf": later(30), "auth_time": later(-30)}, "proven"),
    "person of 255 letters": ({"oid": "a" * 255}, "proven"),
}
TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "no ID token": ({"token": {"id_token": REMOVED}}, "untrusted"),
    "ID token is none": ({"token": {"id_token": "no.token.here"}}, "untrusted"),
    "ID token is a list": ({"token": {"id_token": []}}, "untrusted"),
    "expires in a word": ({"token": {"expires_in": "soon"}}, "untrusted"),
    "answer is a list": ({"body": b"[]"}, "untrusted"),
    "answer is a list of something": ({"body": b'["access_token"]'}, "untrusted"),
    "answer nests": ({"body": b"[" * 100_000}, "untrusted"),
    "refused": ({"status": 400, "body": b'{"error": "invalid_grant"}'}, "unreachable"),
    "broken": ({"status": 500}, "unreachable"),
    "HTML": ({"body": b"<html>no</html>", "content_type": "text/html"}, "unreachable"),
    # Elsewhere than at Apple the signature is not read: the token came from its issuer itself, over TLS.
    "signed by another key": ({"signed_by_another": True}, "proven"),
}
WAYS_BACK: dict[str, tuple[dict[str, Any], str]] = {
    "cancelled": ({"error": "access_denied"}, "cancelled"),
    "cancelled at Apple": ({"error": "user_cancelled_authorize"}, "cancelled"),
    "server error": ({"error": "server_error"}, "unreachable"),
    "unavailable": ({"error": "temporarily_unavailable"}, "unreachable"),
    "neither code nor error": ({}, "untrusted"),
    "code of another": ({"code": "somebody-else-s"}, "unreachable"),
    "error that is none": ({"error": "<script>"}, "untrusted"),
}
WORK: dict[str, tuple[dict[str, Any], str]] = {
    "tenant other": ({"tid": OTHER_TENANT}, "untrusted"),
    "tenant absent": ({"tid": REMOVED}, "untrusted"),
    "tenant a word": ({"tid": "contoso.example", "iss": PERSONAL.replace("9188040d", "contoso")}, "untrusted"),
    "tenant in capitals": ({"tid": TENANT.upper(), "iss": OTHER.replace(OTHER_TENANT, TENANT.upper())}, "untrusted"),
    "template unfilled": ({"iss": "https://login.microsoftonline.com/{tid}/v2.0"}, "untrusted"),
    "template unfilled, and as a tenant": (
        {"iss": "https://login.microsoftonline.com/{tid}/v2.0", "tid": "{tid}"},
        "untrusted",
    ),
    "personal tenant": ({"tid": PERSONAL.split("/")[3], "iss": PERSONAL}, "untrusted"),
    "issuer other": ({"iss": EVIL}, "untrusted"),
    "tenant true": ({"tid": OTHER_TENANT, "iss": OTHER}, "proven"),
}


def rows() -> list[object]:
    return [list(model.objects.order_by("pk").values()) for model in (User, SocialAccount, SocialToken)]


def holds_its_ground(alice: Visitor, address: str, ends: str, *, sentence: str = "") -> None:
    """Come back; the ending, what is kept of it, and everything else as it was."""
    before, person = rows(), alice.client.session["_auth_user_id"]

    landing = alice.client.get(way_back(address)).headers["Location"]

    proof = newest(alice.user)
    assert (proof.state, proof.reason) == (("proven", "") if ends == "proven" else ("failed", ends))
    assert landing == reverse("accounts:proof", args=[proof.pk])
    if ends != "proven":
        assert ended(alice, proof) == ["The sign-in was not finished.", sentence or SENTENCES[ends]]
        assert proof.sealed_identity is None
    assert rows() == before
    assert alice.client.session["_auth_user_id"] == person


@pytest.mark.parametrize("name", CLAIMS)
def test_claim_that_lies(alice: Visitor, roles: Roles, name: str) -> None:
    claims, ends = CLAIMS[name]
    roles.microsoft.next("token", claims=claims)

    holds_its_ground(alice, asked(alice), ends)


@pytest.mark.parametrize("name", TOKENS)
def test_token_endpoint_that_lies(alice: Visitor, roles: Roles, name: str) -> None:
    answer, ends = TOKENS[name]
    roles.microsoft.next("token", **answer)

    holds_its_ground(alice, asked(alice), ends)


@pytest.mark.parametrize("name", WAYS_BACK)
def test_way_back_that_lies(alice: Visitor, roles: Roles, name: str) -> None:
    query, ends = WAYS_BACK[name]
    roles.microsoft.next("authorize", query=query)

    holds_its_ground(alice, asked(alice), ends)


@pytest.mark.parametrize("name", WORK)
def test_work_account_that_lies(alice: Visitor, roles: Roles, name: str) -> None:
    claims, ends = WORK[name]
    roles.entra.next("token", claims=claims)

    holds_its_ground(alice, asked(alice, Role.ENTRA, Purpose.ACCOUNT_ADD), ends)


@pytest.mark.parametrize("role", list(Role))
def test_foreign_issuer_that_discovery_vouches_for(alice: Visitor, roles: Roles, role: Role) -> None:
    issuer = roles.of(role)
    for _ in range(2):
        issuer.next("discovery", claims={"issuer": EVIL})
    issuer.next("token", claims={"iss": EVIL})
    purpose = Purpose.ACCOUNT_ADD if role is Role.ENTRA else Purpose.RESTORE

    holds_its_ground(alice, asked(alice, role, purpose), "untrusted")


def test_discovery_of_another_issuer_at_ones_own(alice: Visitor, roles: Roles) -> None:
    """Only the token says who it is of; what is said elsewhere is a reason for doubt."""
    back = asked(alice, Role.APPLE)
    roles.apple.next("discovery", claims={"issuer": EVIL})

    holds_its_ground(alice, back, "untrusted")


def test_same_token_twice(alice: Visitor, roles: Roles) -> None:
    for ends in ("proven", "untrusted"):
        roles.microsoft.next("token", claims={"jti": "same"})
        holds_its_ground(alice, asked(alice), ends)


def test_another_person_than_expected(alice: Visitor, roles: Roles) -> None:
    expected = tag(roles.microsoft.iss, "0000-alice")
    roles.microsoft.next("token", claims={"oid": "0000-bob"})

    holds_its_ground(alice, asked(alice, expected=expected), "other_identity")
    holds_its_ground(alice, asked(alice, expected=expected), "proven")


def test_same_number_at_another_issuer_is_another_person(alice: Visitor, roles: Roles) -> None:
    expected = tag(roles.apple.url, "0000-alice")

    holds_its_ground(alice, asked(alice, expected=expected), "other_identity")


def test_person_is_the_roles_claim_and_no_other(alice: Visitor, roles: Roles) -> None:
    """At iCloud an `oid` beside names nobody; at Microsoft a `sub` does not stand in for it."""
    roles.apple.next("token", claims={"oid": "somebody else"})
    holds_its_ground(alice, asked(alice, Role.APPLE), "proven")

    who = identity.look(newest(alice.user).pk, user=alice.user, purpose=Purpose.RESTORE, target="target")
    assert who.uid == "000.alice"


# -- Each check is needed ---------------------------------------------------------------------------------------------

NEEDED = {
    "time": {"iat": later(120)},
    "audience": {"nonce": "another"},
    "tenant": {"iss": OTHER, "tid": OTHER_TENANT},
    "issuer": {"iss": EVIL},
    "person": {"oid": "a\nb"},
    "freshness": {"auth_time": later(3600)},  # One of an hour ago would be too old to be used as well.
}
# Each of these has a lie of its own below.
APART = {"token", "expected"}


def test_each_check_of_the_table_is_removed_once() -> None:
    assert {*NEEDED, *APART} == {check.name for check in answers.CHECKS}


@pytest.mark.parametrize("name", NEEDED)
def test_check_removed_lets_its_lie_pass(
    alice: Visitor, roles: Roles, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The control; a work account is refused by its issuer as well, but would not be told apart."""
    kept = tuple(check for check in answers.CHECKS if check.name != name)
    assert len(kept) == len(answers.CHECKS) - 1
    monkeypatch.setattr(answers, "CHECKS", kept)
    roles.microsoft.next("token", claims=NEEDED[name])

    holds_its_ground(alice, asked(alice), "untrusted" if name == "tenant" else "proven")


def test_check_of_who_is_expected_removed_lets_another_pass(
    alice: Visitor, roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "CHECKS", answers.CHECKS[:-1])

    holds_its_ground(alice, asked(alice, expected=tag(roles.microsoft.iss, "0000-bob")), "proven")


def test_check_of_the_token_removed_is_caught_by_the_next(
    alice: Visitor, roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "CHECKS", answers.CHECKS[1:])
    roles.microsoft.next("token", token={"id_token": REMOVED})

    holds_its_ground(alice, asked(alice), "untrusted")


# -- What is written down ---------------------------------------------------------------------------------------------


def test_log_names_the_check_and_quotes_nothing(alice: Visitor, roles: Roles, caplog: pytest.LogCaptureFixture) -> None:
    roles.microsoft.next("token", claims={"nonce": "a-secret-word"})
    roles.microsoft.next("token", body=b'{"a-secret-word": 1}')
    roles.microsoft.next("token", token={"expires_in": "a-secret-word"})
    roles.microsoft.next("token", claims={"auth_time": "a-secret-word"})
    for _ in range(4):
        alice.client.get(way_back(asked(alice)))

    said = [record.getMessage() for record in caplog.records if record.name.startswith("accounts")]
    references = list(
        IdentityProof.objects.exclude(reference="").order_by("made_at").values_list("reference", flat=True)
    )
    assert [line.split(", ")[0] for line in said] == [f"A proof ended: {reference}" for reference in references]
    assert [line.split(", ", 3)[3].split(" at ")[0] for line in said] == [
        "untrusted, audience",
        "untrusted, OAuth2Error",
        "untrusted, ValueError",
        "stale, freshness; ROLE_MICROSOFT_FRESHNESS=asked if it never proves one",
    ]
    assert "a-secret-word" not in caplog.text
