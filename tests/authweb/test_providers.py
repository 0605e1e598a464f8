"""Outside sign-ins from the environment: whole, or the start fails and names the line."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from authweb import providers
from tests import environment

MICROSOFT = {"SIGN_IN_MICROSOFT_CLIENT_ID": "id", "SIGN_IN_MICROSOFT_CLIENT_SECRET": "secret"}
OPENID = {
    "SIGN_IN_OIDC_ISSUER": "https://id.example.org/realms/home/",
    "SIGN_IN_OIDC_CLIENT_ID": "id",
    "SIGN_IN_OIDC_CLIENT_SECRET": "secret",
}
APPLE = {"APPLE_SERVICES_ID": "org.example", "APPLE_TEAM_ID": "team", "APPLE_KEY_ID": "key", "APPLE_KEY": "PEM"}
TENANT = "72F988BF-86F1-41AF-91AB-2D7CD011DB47"


@pytest.fixture
def configured(monkeypatch):
    """The apps of these settings, and of no others."""
    for name in list(os.environ):
        if name.startswith(("SIGN_IN_", "APPLE_")):
            monkeypatch.delenv(name)

    def with_settings(**settings: str) -> dict:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return providers.providers()

    return with_settings


def issuers(found: dict) -> dict[str, tuple[str, str]]:
    return {
        app["provider_id"]: (app["settings"]["server_url"], app["settings"]["openid_configuration_overrides"]["issuer"])
        for app in found["openid_connect"]["APPS"]
    }


def test_nothing_is_offered_where_nothing_is_set(configured):
    assert configured() == {"openid_connect": {"APPS": []}}


def test_microsoft_is_personal_accounts_with_their_exact_issuer(configured):
    personal = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"

    assert issuers(configured(**MICROSOFT)) == {
        "microsoft-sign-in": ("https://login.microsoftonline.com/consumers/v2.0", personal)
    }


def test_microsoft_of_a_tenant_is_that_tenant_alone(configured):
    found = issuers(configured(**MICROSOFT, SIGN_IN_MICROSOFT_TENANT=TENANT))

    assert found["microsoft-sign-in"][1] == f"https://login.microsoftonline.com/{TENANT.lower()}/v2.0"


@pytest.mark.parametrize("tenant", ["common", "organizations", "contoso.com"])
def test_tenant_without_one_exact_issuer_is_refused(configured, tenant):
    with pytest.raises(ImproperlyConfigured, match="SIGN_IN_MICROSOFT_TENANT"):
        configured(**MICROSOFT, SIGN_IN_MICROSOFT_TENANT=tenant)


def test_openid_issuer_is_pinned_as_it_is_written(configured):
    found = configured(**OPENID)

    assert issuers(found) == {
        "oidc-sign-in": ("https://id.example.org/realms/home", "https://id.example.org/realms/home/")
    }
    assert found["openid_connect"]["APPS"][0]["name"] == "id.example.org"


@pytest.mark.parametrize(
    "issuer", ["http://id.example.org", "http://localhost:9000", "id.example.org", "https://a/?b=c"]
)
def test_issuer_without_https_is_refused_outside_debug(configured, issuer):
    with pytest.raises(ImproperlyConfigured, match="SIGN_IN_OIDC_ISSUER"):
        configured(**{**OPENID, "SIGN_IN_OIDC_ISSUER": issuer}, DEBUG="0")


def test_issuer_on_this_machine_may_be_http_in_debug(configured):
    assert configured(**{**OPENID, "SIGN_IN_OIDC_ISSUER": "http://127.0.0.1:9000/a"}, DEBUG="1")


@pytest.mark.parametrize("missing", [*MICROSOFT, *OPENID, *APPLE])
def test_half_configured_provider_names_the_line_that_is_missing(configured, missing):
    whole = next(settings for settings in (MICROSOFT, OPENID, APPLE) if missing in settings)

    with pytest.raises(ImproperlyConfigured, match=f"half configured: set {missing}\\."):
        configured(**{name: value for name, value in whole.items() if name != missing})


def test_start_fails_by_the_name_of_the_missing_line():
    done = _check(SIGN_IN_OIDC_CLIENT_ID="id", SIGN_IN_OIDC_CLIENT_SECRET="secret")

    assert done.returncode != 0
    assert "set SIGN_IN_OIDC_ISSUER." in done.stderr


def test_apple_is_guarded_where_it_is_configured():
    done = _check(**APPLE)

    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n")


def _check(**settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, environment.ROOT / "manage.py", "check"],
        env={
            **environment.without_ours(),
            "DEBUG": "1",
            "SITE_URL": "http://localhost:8000",
            "SECRET_KEY": secrets.token_urlsafe(60),
            **settings,
        },
        capture_output=True,
        text=True,
        check=False,
    )
