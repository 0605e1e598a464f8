"""Outside sign-ins from the environment: whole, or the start fails and names the line."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.roles import Freshness, Way
from authweb import env, providers
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
        if name.startswith(("SIGN_IN_", "APPLE_", "ROLE_")):
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


# -- Roles ------------------------------------------------------------------------------------------------------------

PERSONAL = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"
HOME = "https://id.example.org/realms/home"


def role(name: str, **fields: str) -> dict[str, str]:
    given = {"CLIENT_ID": "id", "CLIENT_SECRET": "secret", **fields}
    return {f"ROLE_{name}_{field}": value for field, value in given.items()}


def proof_apps(found: dict) -> dict[str, tuple[str, object]]:
    return {
        app["provider_id"]: (app["settings"]["server_url"], app["settings"]["openid_configuration_overrides"])
        for app in found["openid_connect"]["APPS"]
        if app["settings"].get("proof_only")
    }


def test_roles_of_microsoft_are_built_in(configured):
    found = configured(**role("MICROSOFT"), **role("ENTRA"))
    ways = providers.ways()

    assert proof_apps(found) == {
        "microsoft-proof": ("https://login.microsoftonline.com/consumers/v2.0", {"issuer": None}),
        "entra-proof": ("https://login.microsoftonline.com/organizations/v2.0", {"issuer": None}),
    }
    assert ways == {
        "microsoft": Way("microsoft-proof", "Microsoft", "id", PERSONAL, "oid", asks={"prompt": "login"}),
        "entra": Way(
            "entra-proof",
            "Microsoft",
            "id",
            "https://login.microsoftonline.com/{tid}/v2.0",
            "oid",
            asks={"prompt": "login"},
        ),
    }


def test_role_may_be_an_issuer_of_ones_own(configured):
    found = configured(**role("APPLE", ISSUER=HOME, NAME="Home", FRESHNESS="asked", SUBJECT="person"))

    both = {"prompt": "login", "max_age": "0"}
    assert proof_apps(found) == {"apple-proof": (HOME, {})}
    assert providers.ways() == {"apple": Way("apple-proof", "Home", "id", HOME, "person", Freshness.ASKED, both)}


@pytest.mark.parametrize("own", [True, False])
def test_apple_is_one_app_for_sign_in_and_proofs_unless_it_is_mapped(configured, own):
    found = configured(**APPLE, **(role("APPLE", ISSUER=HOME) if own else {"ROLE_APPLE_FRESHNESS": "asked"}))

    way = providers.ways()["apple"]
    assert found["apple"]["APPS"][0]["client_id"] == "org.example"
    assert list(proof_apps(found)) == (["apple-proof"] if own else [])
    assert (way.provider, way.client_id) == (("apple-proof", "id") if own else ("apple", "org.example"))
    assert way.freshness is (Freshness.PROVED if own else Freshness.ASKED)
    assert (way.hints, "prompt" in way.asks) == (own, own)


def test_proof_app_is_hidden_reads_no_userinfo_and_sends_pkce(configured):
    (app,) = configured(**role("MICROSOFT"))["openid_connect"]["APPS"]

    settings = {
        name: app["settings"][name] for name in ("proof_only", "hidden", "fetch_userinfo", "oauth_pkce_enabled")
    }
    assert settings == {"proof_only": True, "hidden": True, "fetch_userinfo": False, "oauth_pkce_enabled": True}
    assert app["settings"]["token_auth_method"] == "client_secret_post"


def test_sign_in_has_a_way_for_signing_in_again(configured):
    configured(**MICROSOFT, **OPENID, **role("MICROSOFT", FRESHNESS="asked"))
    ways = providers.ways()

    assert {name: (ways[name].issuer, ways[name].subject) for name in ("microsoft-sign-in", "oidc-sign-in")} == {
        "microsoft-sign-in": (PERSONAL, "sub"),
        "oidc-sign-in": (OPENID["SIGN_IN_OIDC_ISSUER"], "sub"),
    }
    assert [ways[name].freshness for name in ("microsoft-sign-in", "oidc-sign-in")] == ["asked", "proved"]
    assert [ways[name].asks.get("max_age") for name in ("microsoft-sign-in", "oidc-sign-in")] == [None, "0"]


OLD, OLDER = "https://auth.example.org/realms/home", "https://keycloak.example.org/auth/realms/home"


def test_former_issuers_are_those_of_one_role(configured):
    configured(**role("MICROSOFT", ISSUER=HOME, FORMER_ISSUERS=f"{OLD}, {OLDER}"), **role("APPLE", ISSUER=HOME))
    ways = providers.ways()

    assert [ways[name].former for name in ("microsoft", "apple")] == [(OLD, OLDER), ()]
    assert ways["microsoft"].issuer == HOME


HALVES = {
    "ROLE_MICROSOFT_CLIENT_ID": {"ROLE_MICROSOFT_CLIENT_SECRET": "secret"},
    "ROLE_MICROSOFT_CLIENT_SECRET": {"ROLE_MICROSOFT_CLIENT_ID": "id"},
    "ROLE_MICROSOFT_CLIENT_ID, ROLE_MICROSOFT_CLIENT_SECRET": {"ROLE_MICROSOFT_ISSUER": HOME},
    "ROLE_ENTRA_CLIENT_ID, ROLE_ENTRA_CLIENT_SECRET": {"ROLE_ENTRA_FRESHNESS": "asked"},
    "ROLE_APPLE_ISSUER": role("APPLE"),
    "ROLE_APPLE_ISSUER, ROLE_APPLE_CLIENT_ID, ROLE_APPLE_CLIENT_SECRET": {"ROLE_APPLE_NAME": "Home"},
}


@pytest.mark.parametrize("missing", HALVES)
def test_half_a_role_names_the_line_that_is_missing(configured, missing):
    with pytest.raises(ImproperlyConfigured, match=f"half configured: set {missing}\\."):
        configured(**HALVES[missing])


def test_half_a_role_beside_apples_key_is_half_too(configured):
    with pytest.raises(ImproperlyConfigured, match="set ROLE_APPLE_CLIENT_ID, ROLE_APPLE_CLIENT_SECRET"):
        configured(**APPLE, ROLE_APPLE_ISSUER=HOME)


WRONG = {
    "ROLE_MICROSOFT_SUBJECT is for an issuer of your own": role("MICROSOFT", SUBJECT="sub"),
    "ROLE_MICROSOFT_FRESHNESS='askd'": role("MICROSOFT", FRESHNESS="askd"),
    "ROLE_MICROSOFT_ISSUER=.*write one issuer": role("MICROSOFT", ISSUER="https://id.example/{tid}/v2.0"),
    "ROLE_APPLE_ISSUER=.*https is required": role("APPLE", ISSUER="http://id.example.org"),
    "ROLE_ENTRA_ISSUER=.*https is required": role("ENTRA", ISSUER="http://127.0.0.1:9/{tid}"),
    "ROLE_ENTRA_ISSUER=.*write the issuer": role("ENTRA", ISSUER="id.example.org"),
    "ROLE_MICROSOFT_FORMER_ISSUERS is for an issuer of your own": role("MICROSOFT", FORMER_ISSUERS=OLD),
    "ROLE_APPLE_FORMER_ISSUERS is for an issuer of your own": {**APPLE, "ROLE_APPLE_FORMER_ISSUERS": OLD},
    "ROLE_ENTRA_FORMER_ISSUERS is for an issuer of your own": {"ROLE_ENTRA_FORMER_ISSUERS": OLD},
    **{
        f"ROLE_MICROSOFT_FORMER_ISSUERS{said}": role("MICROSOFT", ISSUER=HOME, FORMER_ISSUERS=former)
        for said, former in {
            "='http://auth.example.org': https is required": "http://auth.example.org",
            "='auth.example.org': write the issuer": "auth.example.org",
            f"='{PERSONAL}': people have other ids there": PERSONAL,
            "='https://appleid.apple.com': people have other": f"{OLD},https://appleid.apple.com",
            f"='{HOME}': that is the issuer of now": HOME,
            f"='{OLD}': .*it stands there twice": f"{OLD},{OLD}",
            ".*: {tid} stands in both": "https://auth.example.org/{tid}/v2.0",
            ": at most 4": ",".join(f"{OLD}{number}" for number in range(5)),
        }.items()
    },
    "ROLE_ENTRA_FORMER_ISSUERS.*: {tid} stands in both": role(
        "ENTRA", ISSUER="https://id.example.org/{tid}", FORMER_ISSUERS=OLD
    ),
}


@pytest.mark.parametrize("said", WRONG)
def test_wrong_line_of_a_role_is_named(configured, said):
    with pytest.raises(ImproperlyConfigured, match=said):
        configured(**WRONG[said], DEBUG="0")


def test_issuer_of_a_role_on_this_machine_may_be_http_in_debug(configured):
    configured(**role("ENTRA", ISSUER="http://127.0.0.1:9000/{tid}/v2.0"), DEBUG="1")

    assert proof_apps(providers.providers())["entra-proof"][0] == "http://127.0.0.1:9000/organizations/v2.0"


@pytest.mark.parametrize("day", ["2025-9-1x", "tomorrow", "2025-13-01"])
def test_date_that_is_none_is_refused(monkeypatch, day):
    monkeypatch.setenv("ICLOUD_FROM", day)
    with pytest.raises(ImproperlyConfigured, match="ICLOUD_FROM"):
        env.day("ICLOUD_FROM", "2025-09-01")


def test_date_begins_at_midnight_utc(monkeypatch):
    monkeypatch.delenv("ICLOUD_FROM", raising=False)

    assert env.day("ICLOUD_FROM", "2025-09-01").isoformat() == "2025-09-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (role("MICROSOFT", CLIENT_SECRET=""), "set ROLE_MICROSOFT_CLIENT_SECRET."),
        (role("APPLE", ISSUER="http://id.example.org"), "https is required."),
    ],
)
def test_start_fails_by_the_line_of_a_role(settings, said):
    done = _check(**settings)

    assert done.returncode != 0
    assert said in done.stderr


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
