"""The demo's provider over HTTP: three issuers, each with people of its own, who sign in as anew as it is asked for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from accounts.vault import otp
from authweb.demo import samples
from authweb.demo.provider.issuers import CONTOSO, ICLOUD, ISSUERS, MICROSOFT, SECRET, Issuer
from authweb.demo.provider.people import PASSWORD, PEOPLE, find
from tests import processes
from tests.demo_provider import SERVE, Provider, Somebody

SIGN_IN, CODE = ["Sign in"], ["Enter your code"]
NOT_KNOWN = ["Sign in", "No account here has this address and password."]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """The provider of these tests, begun with an empty folder."""
    with Provider(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
def bob(provider: Provider) -> Somebody:
    """Bob at Microsoft, signed in; `first` is what his first token said."""
    somebody = Somebody(provider, MICROSOFT).ask().sign_in("bob")
    somebody.first = somebody.claims()
    return somebody


# -- What is served ---------------------------------------------------------------------------------------------------


def test_provider_is_ready_within_four_seconds_of_an_empty_folder(provider: Provider, tmp_path: Path) -> None:
    began = [provider.began]
    while began[-1] >= 4 and len(began) < 4:  # A machine that is busy with something else may be slow once.
        with Provider(tmp_path / str(len(began))) as another:
            began.append(another.began)

    assert min(began) < 4, began


def test_each_issuer_names_itself_and_its_own_places(provider: Provider) -> None:
    said = {issuer.name: provider.discovery(issuer) for issuer in ISSUERS}

    port = provider.port
    assert {name: found["issuer"] for name, found in said.items()} == {
        "Microsoft": f"http://127.0.0.1:{port + 1}",
        "iCloud": f"http://127.0.0.1:{port + 2}",
        "Contoso": f"http://127.0.0.1:{port + 3}/{{tenantid}}/v2.0",
    }
    for offset, name in enumerate(said, 1):
        for place in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"):
            assert urlsplit(said[name][place]).netloc == f"127.0.0.1:{port + offset}"
        assert said[name]["code_challenge_methods_supported"] == ["S256"]
        (key,) = requests.get(said[name]["jwks_uri"], timeout=10).json()["keys"]
        assert (key["kty"], "d" in key) == ("RSA", False)


def test_work_tenant_is_named_below_its_own_name_alone(provider: Provider) -> None:
    origin = CONTOSO.origin(provider.port)
    places = ("", "/organizations/v2.0", f"/{CONTOSO.tenant}/v2.0", "/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0")
    answers = [requests.get(f"{origin}{place}/.well-known/openid-configuration", timeout=10) for place in places]

    assert [answer.json()["issuer"] if answer.ok else answer.status_code for answer in answers] == [
        f"{origin}/{{tenantid}}/v2.0",
        f"{origin}/{{tenantid}}/v2.0",
        f"{origin}/{CONTOSO.tenant}/v2.0",
        404,
    ]
    elsewhere = f"{MICROSOFT.origin(provider.port)}/{CONTOSO.tenant}/v2.0/.well-known/openid-configuration"
    assert requests.get(elsewhere, timeout=10).status_code == 404


def test_pages_say_whom_they_play_and_who_signs_in(provider: Provider) -> None:
    for issuer in ISSUERS:
        page = Somebody(provider, issuer).ask().page

        assert f"Demo: this plays <bdi>{issuer.name}</bdi>" in page
        shown = [person for person in PEOPLE if f"<bdi>{person.email}</bdi>" in page]
        assert shown == [person for person in PEOPLE if person.issuer is issuer]
        assert f"<code>{PASSWORD}</code>" in page


def test_policy_of_pages_lets_forms_end_at_authweb_alone(provider: Provider) -> None:
    for issuer in ISSUERS:
        answer = requests.get(f"{issuer.origin(provider.port)}/sign-in/", timeout=10)

        assert sorted(answer.headers["Content-Security-Policy"].split("; ")) == [
            "base-uri 'none'",
            "default-src 'none'",
            f"form-action 'self' {provider.site}",
            "frame-ancestors 'none'",
            "img-src data:",
            "style-src 'self'",
        ]


# -- Code, PKCE, tokens -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("issuer", ISSUERS, ids=lambda issuer: issuer.name)
def test_person_who_signs_in_is_named_by_the_token(provider: Provider, issuer: Issuer) -> None:
    begun = int(time.time())
    bob = Somebody(provider, issuer).ask(prompt="login", max_age="0").sign_in("bob")

    claims = bob.claims()

    person = find(issuer, email=f"bob@{issuer.domain}")
    assert person is not None
    assert bob.answer["state"] == bob.state
    assert begun <= claims.pop("auth_time") <= claims.pop("iat") <= time.time()
    assert claims.pop("exp") > time.time()
    assert (len(claims.pop("jti")), len(claims.pop("at_hash"))) == (32, 22)
    assert claims == {
        "iss": issuer.origin(provider.port) + (f"/{CONTOSO.tenant}/v2.0" if issuer is CONTOSO else ""),
        "aud": issuer.client_id,
        "nonce": bob.nonce,
        "sub": person.sub,
        "oid": person.oid,
        "email": person.email,
        "email_verified": True,
        "name": "Bob",
        "preferred_username": person.email,
        **({"tid": CONTOSO.tenant} if issuer is CONTOSO else {}),
    }


def test_nobody_shares_a_number_with_anybody() -> None:
    numbers = [number for person in PEOPLE for number in (person.sub, person.oid)]

    assert len(set(numbers)) == 2 * len(PEOPLE)


def test_numbers_come_with_the_profile_and_the_address_with_its_scope(provider: Provider) -> None:
    bob = Somebody(provider, CONTOSO).ask(scope="openid email").sign_in("bob")
    assert {"sub", "email", "oid", "tid", "name"} & bob.claims().keys() == {"sub", "email"}

    bob.ask(scope="openid profile")
    assert {"sub", "email", "oid", "tid", "name"} & bob.claims().keys() == {"sub", "oid", "tid", "name"}


@pytest.mark.parametrize(
    "instead",
    [
        {"code_verifier": "a" * 43},
        {"code_verifier": ""},
        {"client_secret": "another"},
        {"code": "another"},
        {"redirect_uri": "http://localhost/elsewhere/"},
    ],
    ids=lambda instead: next(iter(instead)),
)
def test_code_is_given_for_nothing_but_what_belongs_to_it(provider: Provider, instead: dict[str, str]) -> None:
    bob = Somebody(provider, MICROSOFT).ask().sign_in("bob")

    refused = bob.exchange(**instead)

    assert (refused.status_code, "id_token" in refused.text) == (401 if "client_secret" in instead else 400, False)


def test_code_counts_once(provider: Provider) -> None:
    bob = Somebody(provider, MICROSOFT).ask().sign_in("bob")

    assert [bob.exchange().status_code for _ in range(2)] == [200, 400]


def test_code_of_one_issuer_is_nothing_to_another(provider: Provider) -> None:
    bob = Somebody(provider, MICROSOFT).ask().sign_in("bob")

    elsewhere = requests.post(
        f"{ICLOUD.origin(provider.port)}/identity/o/api/token",
        data={
            "grant_type": "authorization_code",
            "code": bob.answer["code"],
            "redirect_uri": MICROSOFT.redirect_uri(provider.site),
            "client_id": MICROSOFT.client_id,
            "client_secret": SECRET,
            "code_verifier": bob.verifier,
        },
        timeout=10,
    )

    assert (elsewhere.status_code, elsewhere.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "asked",
    [
        {"client_id": "another"},
        {"redirect_uri": ""},
        {"redirect_uri": "http://localhost/elsewhere/"},
    ],
    ids=["another client", "no address", "another address"],
)
def test_application_that_is_not_known_is_told_nothing(provider: Provider, asked: dict[str, str]) -> None:
    somebody = Somebody(provider, MICROSOFT).ask(**asked)

    assert (somebody.status, somebody.headings, somebody.answer) == (400, ["Not known here"], {})


def test_application_of_another_issuer_is_not_known(provider: Provider) -> None:
    somebody = Somebody(provider, MICROSOFT)
    somebody.ask(client_id=CONTOSO.client_id, redirect_uri=CONTOSO.redirect_uri(provider.site))

    assert (somebody.status, somebody.headings) == (400, ["Not known here"])


def test_request_may_come_by_a_form(provider: Provider) -> None:
    bob = Somebody(provider, MICROSOFT).ask()
    (asked,) = parse_qs(urlsplit(bob.address).query)["next"]

    bob._go("POST", urlsplit(asked).path, data=dict(parse_qs(urlsplit(asked).query)))

    assert bob.headings == SIGN_IN
    assert bob.sign_in("bob").answer["state"] == bob.state


# -- How new a sign-in is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "1"}, {"prompt": "select_account"}]
)
def test_living_session_is_asked_again_where_the_application_wants_it(bob: Any, asked: dict[str, str]) -> None:
    time.sleep(1.1)  # Times are whole seconds.
    bob.ask(**asked)
    assert bob.headings == SIGN_IN

    claims = bob.sign_in("bob").claims()

    assert claims["auth_time"] > bob.first["auth_time"]
    assert claims["sub"] == bob.first["sub"]


@pytest.mark.parametrize("asked", [{}, {"max_age": "3600"}, {"prompt": "none"}, {"prompt": "none", "max_age": "3600"}])
def test_living_session_is_not_asked_where_it_is_new_enough(bob: Any, asked: dict[str, str]) -> None:
    claims = bob.ask(**asked).claims()

    assert claims["auth_time"] == bob.first["auth_time"]
    assert claims["nonce"] == bob.nonce


def test_sign_in_that_is_asked_again_may_be_somebody_elses(provider: Provider, bob: Any) -> None:
    bob.ask(prompt="login").sign_in("alice").submit(code=provider.code_of(MICROSOFT))

    assert bob.claims()["preferred_username"] == "alice@outlook.example"


def test_silence_is_an_answer_where_somebody_would_have_to_be_asked(bob: Any) -> None:
    assert bob.ask(prompt="none", max_age="0").answer == {"error": "login_required", "state": bob.state}


def test_silence_of_a_stranger_is_an_answer(provider: Provider) -> None:
    somebody = Somebody(provider, MICROSOFT).ask(prompt="none")

    assert somebody.answer == {"error": "login_required", "state": somebody.state}


@pytest.mark.parametrize(
    "asked", [{"prompt": "none login"}, {"max_age": "soon"}, {"max_age": "-1"}, {"max_age": "9" * 9999}]
)
def test_request_that_says_nothing_clear_is_refused(provider: Provider, asked: dict[str, str]) -> None:
    somebody = Somebody(provider, MICROSOFT).ask(**asked)

    assert somebody.answer == {"error": "invalid_request", "state": somebody.state}


# -- Who signs in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password, who", [("another", "bob"), (PASSWORD, "mallory"), (PASSWORD, "bob@example.org")])
def test_stranger_is_refused(provider: Provider, password: str, who: str) -> None:
    somebody = Somebody(provider, MICROSOFT).ask().sign_in(who, password)

    assert (somebody.headings, somebody.answer) == (NOT_KNOWN, {})


@pytest.mark.parametrize("issuer", ISSUERS, ids=lambda issuer: issuer.name)
def test_person_of_another_port_is_refused(provider: Provider, issuer: Issuer) -> None:
    for other in ISSUERS:
        if other is not issuer:
            somebody = Somebody(provider, issuer).ask().sign_in(f"bob@{other.domain}")

            assert (somebody.headings, somebody.answer) == (NOT_KNOWN, {})


def test_session_of_one_port_is_no_session_at_another(provider: Provider, bob: Any) -> None:
    elsewhere = Somebody(provider, ICLOUD, browser=bob.browser).ask()
    assert elsewhere.headings == SIGN_IN

    elsewhere.sign_in("bob")

    assert elsewhere.claims()["email"] == "bob@icloud.example"
    assert bob.ask().claims()["email"] == "bob@outlook.example"


def test_session_that_is_carried_to_another_port_is_signed_out(provider: Provider, bob: Any) -> None:
    carried = requests.Session()
    carried.cookies.set(f"session-{provider.port + 2}", bob.browser.cookies[f"session-{provider.port + 1}"])

    assert Somebody(provider, ICLOUD, browser=carried).ask(prompt="none").answer["error"] == "login_required"
    assert Somebody(provider, ICLOUD, browser=carried).ask().headings == SIGN_IN


def test_page_begins_with_the_address_that_the_application_names(provider: Provider) -> None:
    named = Somebody(provider, MICROSOFT).ask(login_hint="bob@outlook.example")
    assert named.value_of("login") == "bob@outlook.example"

    named.follow("alice@outlook.example")

    assert named.value_of("login") == "alice@outlook.example"
    assert Somebody(provider, MICROSOFT).ask().value_of("login") == ""
    assert Somebody(provider, MICROSOFT).ask(login_hint='"><b>').value_of("login") == '"><b>'


def test_cancel_tells_the_application_so(provider: Provider) -> None:
    at_password = Somebody(provider, MICROSOFT).ask(prompt="login").follow("Cancel")
    at_code = Somebody(provider, MICROSOFT).ask(prompt="login").sign_in("alice").follow("Cancel")

    for cancelled in (at_password, at_code):
        assert cancelled.answer == {"error": "access_denied", "state": cancelled.state}


def test_cancel_leads_nowhere_but_to_an_application_of_this_issuer(provider: Provider) -> None:
    origin = MICROSOFT.origin(provider.port)
    asked = f"/identity/o/authorize?client_id={MICROSOFT.client_id}&redirect_uri=https://elsewhere.example/"

    for going_on in (asked, "https://elsewhere.example/", ""):
        answer = requests.get(f"{origin}/cancel/", params={"next": going_on}, allow_redirects=False, timeout=10)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/")


@pytest.mark.parametrize("issuer", [MICROSOFT, CONTOSO], ids=lambda issuer: issuer.name)
def test_code_that_authweb_shows_lets_alice_in_once(provider: Provider, issuer: Issuer) -> None:
    alice = Somebody(provider, issuer).ask(prompt="login").sign_in("alice")
    assert (alice.headings, alice.answer) == (CODE, {})
    wrong = alice.submit(code="000000").headings
    begun, code = int(time.time()), provider.code_of(issuer)

    claims = alice.submit(code=code).claims()
    again = Somebody(provider, issuer).ask(prompt="login").sign_in("alice").submit(code=code)

    assert wrong == again.headings == ["Enter your code", "Incorrect code."]
    assert claims["preferred_username"] == f"alice@{issuer.domain}"
    assert claims["auth_time"] >= begun


@pytest.mark.long  # It waits until allauth, which remembers a code for half a minute, has forgotten it.
def test_code_counts_once_for_as_long_as_it_counts(provider: Provider) -> None:
    (entry,) = [entry for entry in samples.new_list(at=datetime.now(UTC)) if entry.issuer == CONTOSO.name]
    code = otp.code_at(entry, int(time.time()) + 30)
    alice = Somebody(provider, CONTOSO).ask(prompt="login").sign_in("alice").submit(code=code)
    assert "code" in alice.answer

    time.sleep(31)

    again = Somebody(provider, CONTOSO).ask(prompt="login").sign_in("alice").submit(code=code)
    assert again.headings == ["Enter your code", "Incorrect code."]


def test_alice_at_icloud_and_bob_have_no_second_factor(provider: Provider) -> None:
    assert "code" in Somebody(provider, ICLOUD).ask(prompt="login").sign_in("alice").answer


def test_page_of_an_ended_session_says_so(provider: Provider) -> None:
    bob = Somebody(provider, MICROSOFT).ask()
    bob.browser.cookies.clear()

    assert (bob.sign_in("bob").status, bob.headings) == (403, ["This page is out of date"])


def test_person_may_sign_out_at_an_issuer(provider: Provider, bob: Any) -> None:
    home = bob._go("GET", MICROSOFT.origin(provider.port) + "/")
    assert home.headings == ["Your account"]

    home.submit()

    assert home.headings == ["Nobody is signed in"]
    assert bob.ask().headings == SIGN_IN


# -- The process ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"DEBUG": "0"}, "DEMO=1 is refused unless DEBUG=1"),
        ({"DEMO": "0", "SECRET_KEY": "a" * 50}, "The demo's provider is refused unless DEMO=1"),
    ],
    ids=["without DEBUG", "without DEMO"],
)
def test_provider_is_refused_outside_the_demo(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    settings = {"DEBUG": "1", "DEMO": "1", "PORT": "9000", "DATA_DIR": str(tmp_path / "data"), **changed}

    done = subprocess.run(
        SERVE, env=processes.clean_environment(**settings), capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert not (tmp_path / "data").exists()


def test_provider_keeps_key_and_people_from_one_start_to_the_next(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with Provider(tmp_path) as provider:
            keys = requests.get(provider.discovery(MICROSOFT)["jwks_uri"], timeout=10).json()
            found.append((keys, Somebody(provider, MICROSOFT).ask().sign_in("bob").claims()["sub"]))

    assert found[0] == found[1]
    assert (tmp_path / "provider/signing-key.pem").stat().st_mode & 0o777 == 0o600


def test_provider_says_nothing_of_what_passes_through(provider: Provider) -> None:
    bob = Somebody(provider, MICROSOFT).ask().sign_in("bob")
    bob.claims()

    assert bob.answer["code"] not in provider.process.output
    assert [line for line in provider.process.output.splitlines() if not line.startswith("ready: ")] == []
