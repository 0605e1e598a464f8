"""Proofs in tests: roles mapped to the provider of the tests, a proof begun by the button of its landing, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import requests
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import IdentityProof, User
from accounts.roles import ROLES, Role
from accounts.services.identity import Purpose
from authweb import providers
from tests.factories import Visitor
from tests.fake_op import FakeProvider, Issuer

TENANT, OTHER_TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47", "b1c2d3e4-0000-4000-8000-000000000001"
WORK_ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
BACK = reverse("accounts:settings")


@dataclass
class Roles:
    """The three roles, each at an issuer of the tests: Microsoft's two as they are built in, Apple's a server's own."""

    microsoft: Issuer
    apple: Issuer
    entra: Issuer

    def of(self, role: Role) -> Issuer:
        """The issuer of a role."""
        return {Role.MICROSOFT: self.microsoft, Role.APPLE: self.apple, Role.ENTRA: self.entra}[role]


def mapped(op: FakeProvider, monkeypatch: pytest.MonkeyPatch, settings: Any, **environment: str) -> Roles:
    """Map the roles as an operator would; then Microsoft's address alone is the one on this machine."""
    name = "alice@outlook.example"
    microsoft = op.issuer(
        "microsoft",
        iss=ROLES[Role.MICROSOFT].issuer,
        person={"sub": "pairwise-m", "oid": "0000-alice", "preferred_username": name, "email": name},
    )
    apple = op.issuer("apple", person={"sub": "000.alice", "email": "alice@icloud.example"})
    name = "alice@contoso.example"
    entra = op.issuer(
        "entra",
        iss=WORK_ISSUER,
        person={"sub": "pairwise-e", "oid": "1111-alice", "tid": TENANT, "preferred_username": name, "email": name},
    )
    for role in ("MICROSOFT", "APPLE", "ENTRA"):
        monkeypatch.setenv(f"ROLE_{role}_CLIENT_ID", "authweb")
        monkeypatch.setenv(f"ROLE_{role}_CLIENT_SECRET", "not a secret")
    monkeypatch.setenv("ROLE_APPLE_ISSUER", apple.url)
    monkeypatch.setenv("ROLE_APPLE_NAME", "Apple")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    settings.SOCIALACCOUNT_PROVIDERS, settings.WAYS = providers.providers(), providers.ways()
    for app in settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]:
        role = app["provider_id"].removesuffix("-proof")
        if app["settings"]["server_url"].startswith("https://login.microsoftonline.com/"):
            app["settings"]["server_url"] = op.issuers[role].url
    return Roles(microsoft, apple, entra)


def seed(user: User, role: str = Role.MICROSOFT, purpose: Purpose = Purpose.RESTORE, **fields: Any) -> IdentityProof:
    """A proof of an hour ago that came to nothing: its landing begins the same one again."""
    told = {"target": "target", "back": BACK, "reason": "cancelled", **fields}
    before = timezone.now() - timedelta(hours=1)
    return IdentityProof.objects.create(
        user=user, role=role, purpose=purpose, state="failed", made_at=before, nonce=bytes(32), **told
    )


def asked(visitor: Visitor, role: str = Role.MICROSOFT, purpose: Purpose = Purpose.RESTORE, **fields: Any) -> str:
    """Press the button that begins a proof; the address that the page in between leads to."""
    return hand_off(visitor.client, reverse("accounts:proof", args=[seed(visitor.user, role, purpose, **fields).pk]))


def hand_off(client: Client, address: str, data: dict[str, str] | None = None) -> str:
    """Send a form that leads to a provider; the address there."""
    answer = client.post(address, data or {})
    page = answer.content.decode()
    refresh = re.search(r'<meta http-equiv="refresh" content="0;url=([^"]+)"', page)
    assert refresh, (answer.status_code, dict(answer.headers), page)
    assert answer.headers["Cache-Control"] == "no-store"
    return unescape(refresh[1])


def way_back(address: str) -> str:
    """What the provider answers: the address of ours by which the browser comes back."""
    answer = requests.get(address, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"].removeprefix("http://testserver")


def proven(visitor: Visitor, role: str = Role.MICROSOFT, purpose: Purpose = Purpose.RESTORE, **fields: Any) -> Any:
    """There and back; the proof as it is then."""
    back = visitor.client.get(way_back(asked(visitor, role, purpose, **fields)))
    proof = newest(visitor.user)
    assert back.headers["Location"] == reverse("accounts:proof", args=[proof.pk])
    return proof


def newest(user: User) -> IdentityProof:
    """The proof begun last."""
    return IdentityProof.objects.filter(user=user).latest("made_at")


def ended(visitor: Visitor, proof: IdentityProof) -> list[str]:
    """Heading and cause on the landing of a proof."""
    page = visitor.client.get(reverse("accounts:proof", args=[proof.pk])).content.decode()
    found = re.search(r"<h1>(.*?)</h1>\s*<p class=\"lead\">(.*?)</p>", page, re.DOTALL)
    assert found, page
    return [unescape(re.sub(r"</?bdi>", "", text)).strip() for text in found.groups()]


def lie(endpoint: str, **answer: Any) -> Callable[[Issuer], None]:
    """What makes an issuer lie once."""
    return lambda issuer: issuer.next(endpoint, **answer)
