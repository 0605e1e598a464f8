"""Proofs under attack: nothing stays of who was proven, and of two that come back at once one does."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import Event, IdentityProof
from accounts.roles import Role
from accounts.services import identity
from accounts.services.activity import Tag
from accounts.services.identity import Purpose, tag
from tests import proving, stored
from tests.attacks.canaries import Searched
from tests.factories import Visitor
from tests.fake_op import FakeProvider
from tests.proving import OTHER_TENANT, Roles, asked, newest, proven, way_back

UID, LABEL = "uid-of-the-quokka-0417", "petra.quokka@contoso.example"
ISSUER = f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"
SEARCHED = Searched.of({"uid": UID.encode(), "label": LABEL.encode(), "tenant": OTHER_TENANT.encode()})
USE = {"purpose": Purpose.ACCOUNT_ADD, "target": "target"}


@pytest.fixture
def roles(op: FakeProvider, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Roles:
    roles = proving.mapped(op, monkeypatch, settings)
    roles.entra.iss = ISSUER
    roles.entra.person |= {"oid": UID, "tid": OTHER_TENANT, "preferred_username": LABEL, "email": LABEL, "name": LABEL}
    return roles


def everything_kept(log: str) -> list[tuple[str, bytes]]:
    """Rows, sessions, the trail, the cache, and what was logged."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key, value FROM cache")
        cached = repr(cursor.fetchall())
    return [("rows", stored.everything().encode()), ("cache", cached.encode()), ("log", log.encode())]


def spent(alice: Visitor, roles: Roles) -> None:
    proof = proven(alice, Role.ENTRA, Purpose.ACCOUNT_ADD)
    assert identity.spend(proof.pk, user=alice.user, **USE).uid == UID


def run_out(alice: Visitor, roles: Roles) -> None:
    proven(alice, Role.ENTRA, Purpose.ACCOUNT_ADD)
    assert identity.expire(timezone.now() + timedelta(minutes=6)) == 1


def of_another(alice: Visitor, roles: Roles) -> None:
    expected = tag(ISSUER, "somebody else")
    assert proven(alice, Role.ENTRA, Purpose.ACCOUNT_RETURN, expected=expected).reason == "other_identity"


def untrusted(alice: Visitor, roles: Roles) -> None:
    roles.entra.next("token", claims={"nonce": LABEL})
    assert proven(alice, Role.ENTRA, Purpose.ACCOUNT_ADD).reason == "untrusted"


def stale(alice: Visitor, roles: Roles) -> None:
    roles.entra.next("token", claims={"auth_time": LABEL})
    assert proven(alice, Role.ENTRA, Purpose.ACCOUNT_ADD).reason == "stale"


def refused_by_allauth(alice: Visitor, roles: Roles) -> None:
    roles.entra.next("token", claims={"aud": LABEL})
    assert proven(alice, Role.ENTRA, Purpose.ACCOUNT_ADD).reason == "untrusted"


def said_by_the_endpoint(alice: Visitor, roles: Roles) -> None:
    roles.entra.next("token", status=400, body=LABEL.encode())
    assert proven(alice, Role.ENTRA, Purpose.ACCOUNT_ADD).reason == "unreachable"


ENDS = [spent, run_out, of_another, untrusted, stale, refused_by_allauth, said_by_the_endpoint]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_nothing_is_left_of_who_it_was(
    alice: Visitor, roles: Roles, caplog: pytest.LogCaptureFixture, end: Callable[[Visitor, Roles], None]
) -> None:
    """After a proof failed, was spent or ran out: no issuer, no uid, no label but its mask."""
    end(alice, roles)

    assert SEARCHED.hits(everything_kept(caplog.text)) == []
    assert not IdentityProof.objects.exclude(sealed_identity=None).exists()


def test_proven_is_sealed_while_it_waits(alice: Visitor, roles: Roles, caplog: pytest.LogCaptureFixture) -> None:
    proof = proven(alice, Role.ENTRA, Purpose.ACCOUNT_ADD)

    assert SEARCHED.hits(everything_kept(caplog.text)) == []
    assert identity.look(proof.pk, user=alice.user, **USE).label == LABEL


def test_search_finds_what_is_planted(alice: Visitor, roles: Roles, caplog: pytest.LogCaptureFixture) -> None:
    """The control."""
    IdentityProof.objects.filter(pk=proving.seed(alice.user).pk).update(came=LABEL, target=UID)
    Event.objects.create(user=alice.user, tag=Tag.PROOF_FAILED, facts={"iss": ISSUER}, at=timezone.now())

    found = SEARCHED.hits(everything_kept(f"{caplog.text} {LABEL}"))

    assert {"uid in rows, as it is", "label in rows, as it is", "tenant in rows, as it is"} <= set(found)
    assert "label in log, as it is" in found


def test_name_of_a_token_in_the_cache_would_tell_the_tenant(
    alice: Visitor, roles: Roles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The control: allauth notes each token by its issuer."""
    from django.core.cache import caches  # noqa: PLC0415 - the one that this test changes

    monkeypatch.setattr(caches["default"], "key_func", lambda key, prefix, version: f"{prefix}:{version}:{key}")

    proven(alice, Role.ENTRA, Purpose.ACCOUNT_ADD)

    assert "tenant in cache, as it is" in SEARCHED.hits(everything_kept(caplog.text))


def test_of_two_that_come_back_at_once_one_is_concluded(live: str, alice: Visitor, roles: Roles) -> None:
    """The same way back, in two tabs of one browser, at the same moment; the other tab is told it was not finished."""
    alice.client.get(reverse("accounts:start"))
    roles.microsoft.next("token", after=0.3)
    back = way_back(asked(alice))
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in alice.client.cookies.items())

    def come(_number: int) -> str:
        server = http.client.HTTPConnection(urlsplit(live).netloc, timeout=30)
        server.request("GET", back, headers={"Cookie": cookies, "Host": "testserver"})
        answer = server.getresponse()
        answer.read()
        server.close()
        return answer.headers["Location"]

    with ThreadPoolExecutor(4) as pool:
        landings = sorted(pool.map(come, range(4)))

    proof = newest(alice.user)
    assert landings == sorted([reverse("accounts:proof", args=[proof.pk]), *[reverse("accounts:proof-lost")] * 3])
    assert proof.state == "proven"
