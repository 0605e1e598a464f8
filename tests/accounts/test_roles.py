"""Which role fits which device at which date, and whom an issuer stands for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts import checks, roles
from accounts.roles import ROLES, Freshness, Role, Way
from tests.proving import OTHER_TENANT, TENANT

BEFORE, SINCE = datetime(2025, 8, 31, 23, 59, 59, tzinfo=UTC), datetime(2025, 9, 1, tzinfo=UTC)
M, A, E = Role.MICROSOFT, Role.APPLE, Role.ENTRA
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"


@pytest.fixture
def every(settings: Any) -> None:
    """A server that has a provider for each role."""
    settings.WAYS = {role: Way(f"{role}-proof", role, "id", ROLES[role].issuer, "sub") for role in Role}


@pytest.mark.article("S-11")
@pytest.mark.article("S-10")
@pytest.mark.article("G-04")
@pytest.mark.article("G-06", "allowed")
@pytest.mark.parametrize(
    ("device_type", "at", "recovery", "restore"),
    [
        ("android", BEFORE, (M,), (M,)),
        ("android", SINCE, (M,), (M,)),
        ("ios", BEFORE, (M,), (M,)),
        ("ios", SINCE, (A,), (A, M)),
        ("computer", BEFORE, (M, A), (M, A)),
        ("computer", SINCE, (M, A), (M, A)),
    ],
)
def test_role_follows_from_type_and_date_alone(
    every: None, device_type: str, at: datetime, recovery: tuple[Role, ...], restore: tuple[Role, ...]
) -> None:
    assert roles.recovery_roles(device_type, at) == recovery
    assert roles.restore_roles(device_type, at) == restore
    assert roles.role_of(device_type, at) == recovery[0]


@pytest.mark.article("G-04")
def test_date_is_a_setting(every: None, settings: Any) -> None:
    settings.ICLOUD_FROM = datetime(2030, 1, 1, tzinfo=UTC)

    assert roles.role_of("ios", SINCE) is M
    assert roles.role_of("ios", datetime(2030, 1, 1, tzinfo=UTC)) is A


@pytest.mark.article("S-62", "refused")
def test_work_accounts_keep_no_backup(every: None) -> None:
    types = ("android", "ios", "computer")

    assert E not in {role for type in types for at in (BEFORE, SINCE) for role in roles.restore_roles(type, at)}


def test_role_without_a_provider_is_offered_nowhere(settings: Any) -> None:
    settings.WAYS = {"apple": Way("apple", "Apple", "id", ROLES[A].issuer, "sub")}

    assert [roles.configured(role) for role in Role] == [False, True, False]
    assert roles.recovery_roles("android", SINCE) == ()
    assert roles.recovery_roles("computer", SINCE) == (A,)
    assert roles.restore_roles("ios", SINCE) == (A,)
    # The page still names who would fit.
    assert (roles.role_of("android", SINCE), roles.role_of("computer", SINCE)) == (M, A)
    assert [roles.name_of(role) for role in Role] == ["Microsoft", "Apple", "Microsoft"]
    with pytest.raises(roles.NotConfigured):
        roles.way(M)


@pytest.mark.article("G-33")
def test_server_without_a_recovery_provider_is_warned(settings: Any) -> None:
    entra = {"entra": Way("entra-proof", "Contoso", "id", ROLES[E].issuer, "oid")}
    settings.WAYS = entra
    found = checks.a_recovery_account_can_be_had()
    settings.WAYS = {**entra, "apple": Way("apple", "Apple", "id", ROLES[A].issuer, "sub")}

    assert [(warning.id, warning.hint) for warning in found] == [("accounts.W009", "ROLE_MICROSOFT_CLIENT_ID=…")]
    assert checks.a_recovery_account_can_be_had() == []


def test_role_for_which_asking_is_enough_is_warned_of(settings: Any) -> None:
    way = Way("microsoft-proof", "Microsoft", "id", ROLES[M].issuer, "oid", Freshness.ASKED)
    settings.WAYS = {"microsoft": way}

    assert [warning.id for warning in checks.fresh_sign_ins_are_proved()] == ["accounts.W010"]
    settings.WAYS = {}
    assert checks.fresh_sign_ins_are_proved() == []


@pytest.mark.parametrize(
    ("claims", "issuer"),
    [
        ({"tid": TENANT}, f"https://login.microsoftonline.com/{TENANT}/v2.0"),
        ({"tid": PERSONAL}, None),
        ({"tid": TENANT.upper()}, None),
        ({"tid": "common"}, None),
        ({"tid": ["x"]}, None),
        ({"tid": ""}, None),
        ({}, None),
    ],
)
def test_template_is_filled_by_a_tenant_alone(claims: dict[str, object], issuer: str | None) -> None:
    assert roles.issuer_of(ROLES[E].issuer, claims) == issuer
    assert roles.issuer_of("https://one.example", claims) == "https://one.example"


def test_issuer_of_work_is_known(every: None, settings: Any) -> None:
    settings.WAYS = {"entra": Way("entra-proof", "Keycloak", "id", "https://id.example/work", "sub")}
    host = "https://login.microsoftonline.com"
    issuers: dict[object, bool] = {
        f"{host}/{TENANT}/v2.0": True,
        f"{host}/{OTHER_TENANT}/v2.0": True,
        f"{host}/{PERSONAL}/v2.0": False,
        f"{host}/common/v2.0": False,
        f"{host}//v2.0": False,
        f"{host}/v2.0": False,
        "https://id.example/work": True,
        "https://id.example/home": False,
        None: False,
    }

    assert {issuer: roles.is_of_work(issuer) for issuer in issuers} == issuers


# -- Former issuers ---------------------------------------------------------------------------------------------------

NOW, OLD, OLDER = "https://id.example/realms/a", "https://old.example/realms/a", "https://older.example"


def own(issuer: str, *former: str, role: str = "microsoft") -> Way:
    return Way(f"{role}-proof", role, "id", issuer, "sub", former=former)


def test_former_issuers_are_for_who_comes_from_the_role_s_own_issuer(settings: Any) -> None:
    settings.WAYS = {"microsoft": own(NOW, OLD, OLDER), "apple": own("https://apple.example", role="apple")}

    assert roles.issuers_of(M, NOW) == (NOW, OLD, OLDER)
    for role, issuer in ((A, NOW), (A, "https://apple.example"), (M, OLD), (M, f"{NOW}/"), (E, NOW), ("other", NOW)):
        assert roles.issuers_of(role, issuer) == (issuer,)


def test_former_issuer_of_a_tenant_is_of_the_same_tenant() -> None:
    way = own("https://id.example/{tid}/v2.0", "https://old.example/{tid}")

    found = [roles.issuers(way, f"https://id.example/{tenant}/v2.0") for tenant in (TENANT, PERSONAL, "x")]

    assert found[0] == (f"https://id.example/{TENANT}/v2.0", f"https://old.example/{TENANT}")
    assert [len(one) for one in found] == [2, 1, 1]


def test_former_issuer_that_vouches_for_somebody_still_is_named(settings: Any) -> None:
    settings.WAYS = {"microsoft": own(NOW, OLD), "apple": own(OLDER, role="apple")}
    whole = checks.former_issuers_are_nobodys_now()
    settings.WAYS = {"microsoft": own(NOW, OLD, OLDER), "apple": own(OLDER, role="apple")}

    (found,) = checks.former_issuers_are_nobodys_now()

    assert whole == []
    assert (found.id, found.msg) == (
        "accounts.E011",
        f"Role microsoft: {OLDER} is no former issuer, it is that of apple.",
    )
