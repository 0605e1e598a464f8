"""Sign-in with an outside account, over real HTTP against a provider of the tests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.models import Event, User
from accounts.services.activity import Tag
from authweb import providers
from tests import factories, stored
from tests.fake_op import REMOVED, FakeProvider, Issuer
from tests.place import Place

BEGIN = "/sign-in/oidc/oidc-sign-in/login/"
LOGIN, WAYS, LIST = reverse("account_login"), reverse("accounts:settings-sign-in"), reverse("accounts:list")
NOT_FINISHED = "The sign-in was not finished."
CANCELLED, NO_ANSWER = "You cancelled at Home.", "Home did not answer."
UNTRUSTED = "The answer of Home could not be trusted."
LOST = "It was begun too long ago, or in another browser."


@pytest.fixture
def home(op: FakeProvider, settings: Any, monkeypatch: Any) -> Issuer:
    """The one provider that this Authweb knows, configured as an operator would."""
    home = op.issuer("home")
    for name, value in {
        "SIGN_IN_OIDC_ISSUER": home.url,
        "SIGN_IN_OIDC_NAME": "Home",
        "SIGN_IN_OIDC_CLIENT_ID": home.client_id,
        "SIGN_IN_OIDC_CLIENT_SECRET": home.client_secret,
    }.items():
        monkeypatch.setenv(name, value)
    settings.SOCIALACCOUNT_PROVIDERS = providers.providers()
    return home


def hand_off(client: Client, address: str = BEGIN) -> str:
    """Press the button; the address that the page in between leads to."""
    answer = client.post(address)
    page = answer.content.decode()
    refresh = re.search(r'<meta http-equiv="refresh" content="0;url=([^"]+)"', page)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store"), page
    assert refresh
    assert page.count(f'href="{refresh[1]}"') == 1
    return unescape(refresh[1])


def there_and_back(client: Client, address: str = BEGIN) -> Any:
    """To the provider, and back with its answer."""
    answer = requests.get(hand_off(client, address), allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return client.get(answer.headers["Location"].removeprefix("http://testserver"))


def is_signed_in(client: Client) -> bool:
    return client.get(WAYS).status_code == 200


def linked(home: Issuer, email: str = "alice@example.org") -> User:
    """A person who signs in by the provider's account."""
    user = factories.create_user(email)
    SocialAccount.objects.create(
        user=user, provider="oidc-sign-in", uid=home.person["sub"], extra_data={"username": home.person["email"]}
    )
    return user


def heading_and_sentence(answer: Any) -> list[str]:
    page = answer.content.decode()
    found = re.search(r"<h1>(.*?)</h1>\s*<p class=\"lead\">(.*?)</p>", page, re.S)
    assert found, page
    return [unescape(text) for text in found.groups()]


# -- There ------------------------------------------------------------------------------------------------------------


def test_button_leads_to_the_provider_with_state_and_pkce(client, db, home):
    address = urlsplit(hand_off(client))
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}

    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{home.url}/authorize"
    assert (asked["client_id"], asked["response_type"]) == ("authweb", "code")
    assert asked["redirect_uri"] == f"http://testserver{BEGIN}callback/"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) == 16
    assert sorted(asked["scope"].split()) == ["email", "openid", "profile"]


def test_nothing_of_the_query_goes_out(client, db, home):
    plain = parse_qs(urlsplit(hand_off(client)).query)
    query = (
        "?auth_params=redirect_uri%3Dhttps%253A%252F%252Fevil.example%26prompt%3Dnone"
        "&scope=admin,everything&action=rerequest&process=redirect&next=https://evil.example/&claims=all"
    )
    with_query = parse_qs(urlsplit(hand_off(client, BEGIN + query)).query)

    assert set(plain) == set(with_query)
    for name in set(plain) - {"state", "code_challenge", "scope"}:
        assert plain[name] == with_query[name]
    assert sorted(plain["scope"][0].split()) == sorted(with_query["scope"][0].split())
    states = client.session["socialaccount_states"]
    assert {state["process"] for state, _, _ in states.values()} == {"login"}
    assert [state.get("next") for state, _, _ in states.values()] == [None, None]


def test_htmx_is_led_there_by_its_own_header(client, db, home):
    answer = client.post(BEGIN, HTTP_HX_REQUEST="true")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["HX-Redirect"].startswith(f"{home.url}/authorize?")


def test_nothing_begins_on_a_get(client, db, home):
    answer = client.get(BEGIN)

    assert answer.status_code == 200
    assert "socialaccount_states" not in client.session
    assert home.requests == []


@pytest.mark.parametrize("provider_id", ["openid_connect", "home", "microsoft-sign-in", "apple"])
def test_app_that_is_no_sign_in_is_not_there(client, db, home, provider_id):
    assert client.post(f"/sign-in/oidc/{provider_id}/login/").status_code == 404
    assert client.get(f"/sign-in/oidc/{provider_id}/login/callback/").status_code == 404


def test_proof_app_is_not_there(client, db, home, settings):
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]["proof_only"] = True

    assert client.post(BEGIN).status_code == 404


def test_app_of_the_database_opens_no_way_in(client, db, home):
    SocialApp.objects.create(
        provider="openid_connect",
        provider_id="planted",
        name="Planted",
        client_id="1",
        settings={"server_url": home.url},
    )

    assert client.post("/sign-in/oidc/planted/login/").status_code == 404
    assert "Planted" not in client.get(LOGIN).content.decode()


# -- Back -------------------------------------------------------------------------------------------------------------


def test_linked_person_is_signed_in(client, db, home):
    user = linked(home)

    answer = there_and_back(client)

    assert answer.headers["Location"] == LIST
    assert client.session["_auth_user_id"] == str(user.pk)
    assert Event.objects.get(tag=Tag.SIGNED_IN).facts == {"by": "socialaccount"}


def test_database_keeps_the_label_and_no_token(client, db, home):
    linked(home)
    home.person["preferred_username"] = "alice.new@home.example"

    there_and_back(client)

    assert SocialAccount.objects.get().extra_data == {"username": "alice.new@home.example"}
    everything = stored.everything()
    assert [word in everything for word in ("access-", "eyJ", "id_token", "auth_time")] == [False] * 4
    assert not SocialToken.objects.exists()


def test_somebody_new_signs_up_by_the_form_and_a_mailed_code(client, db, home):
    answer = there_and_back(client)
    form = client.get(answer.headers["Location"])
    waiting = stored.everything()
    client.post(answer.headers["Location"], {"email": "alice@home.example"})
    before = is_signed_in(client)
    code = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", str(mail.outbox[-1].body), re.M)
    client.post(reverse("account_email_verification_sent"), {"code": code[1]})

    assert 'value="alice@home.example"' in form.content.decode()
    assert [word in waiting for word in ("access-", "id_token", "auth_time")] == [False] * 3
    assert (before, is_signed_in(client)) == (False, True)
    assert SocialAccount.objects.get().user == User.objects.get(email="alice@home.example")


def test_provider_s_word_on_an_address_signs_nobody_in(client, db, home, settings):
    user = factories.create_user("alice@home.example")
    home.person["email_verified"] = True
    settings.SOCIALACCOUNT_EMAIL_AUTHENTICATION = True  # Even then.

    answer = there_and_back(client)
    client.post(answer.headers["Location"], {"email": "alice@home.example"})

    assert answer.headers["Location"] == reverse("socialaccount_signup")
    assert not is_signed_in(client)
    assert not SocialAccount.objects.filter(user=user).exists()
    assert "That address signs in already, so nothing was made." in str(mail.outbox[-1].body)


def test_closed_sign_up_is_closed_here_too(client, db, home, settings):
    settings.SIGN_UP = "closed"

    answer = there_and_back(client)

    assert "By invitation only" in answer.content.decode()
    assert not User.objects.exists()


# -- Linking ----------------------------------------------------------------------------------------------------------


def test_account_is_linked_and_unlinked_with_a_mail_each(alice, home, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        answer = there_and_back(alice.client, f"{BEGIN}?process=connect")
    link = SocialAccount.objects.get(user=alice.user)
    page = alice.client.get(WAYS).content.decode()
    alice.client.post(reverse("socialaccount_connections"), {"account": link.pk})

    assert answer.headers["Location"] == WAYS
    assert "<bdi>alice@home.example</bdi>" in page
    assert not SocialAccount.objects.exists()
    assert [message.subject for message in mail.outbox] == [
        "Home was linked to your Authweb account",
        "Home was unlinked from your Authweb account",
    ]
    assert list(Event.objects.order_by("id").values_list("tag", flat=True)) == [
        Tag.OUTSIDE_LINKED,
        Tag.OUTSIDE_UNLINKED,
    ]


def test_linking_asks_for_a_fresh_sign_in_before_it_begins(alice, home):
    client = factories.grown_stale(alice).client

    answers = [client.get(f"{BEGIN}?process=connect"), client.post(f"{BEGIN}?process=connect")]

    assert answers[0].headers["Location"].partition("?")[0] == reverse("account_reauthenticate")
    assert (answers[1].status_code, answers[1].headers["Location"]) == (303, f"{BEGIN}?process=connect")
    assert home.requests == []


def test_linking_signed_out_leads_to_sign_in(client, db, home):
    answer = client.post(f"{BEGIN}?process=connect")

    assert answer.headers["Location"].partition("?")[0] == LOGIN


def test_account_of_somebody_else_is_not_linked(alice, home):
    linked(home, "bob@example.org")

    answer = there_and_back(alice.client, f"{BEGIN}?process=connect")
    page = alice.client.get(answer.headers["Location"]).content.decode()

    assert "That account signs in somebody else already." in page
    assert not SocialAccount.objects.filter(user=alice.user).exists()


# -- Ceremonies that come to nothing ----------------------------------------------------------------------------------


def lie(endpoint: str, **answer: Any) -> Callable[[Issuer], None]:
    return lambda home: home.next(endpoint, **answer)


_HTML = {"body": b"<html>no</html>", "content_type": "text/html"}
LIES: dict[str, tuple[Callable[[Issuer], None], str]] = {
    "cancelled": (lie("authorize", query={"error": "access_denied"}), CANCELLED),
    "server error": (lie("authorize", query={"error": "server_error"}), NO_ANSWER),
    "neither code nor error": (lie("authorize", query={}), UNTRUSTED),
    "foreign state": (lie("authorize", query={"code": "1", "state": "somebody-else-s"}), LOST),
    "issuer of another": (lie("token", claims={"iss": "https://evil.example"}), UNTRUSTED),
    "issuer absent": (lie("token", claims={"iss": REMOVED}), UNTRUSTED),
    "for another client": (lie("token", claims={"aud": "another"}), UNTRUSTED),
    "for nobody": (lie("token", claims={"aud": REMOVED}), UNTRUSTED),
    "long over": (lie("token", claims={"exp": 1}), UNTRUSTED),
    "person absent": (lie("token", claims={"sub": REMOVED}), UNTRUSTED),
    "person empty": (lie("token", claims={"sub": ""}), UNTRUSTED),
    "person of 300 letters": (lie("token", claims={"sub": "a" * 300}), UNTRUSTED),
    "no ID token": (lie("token", token={"id_token": REMOVED}), UNTRUSTED),
    "ID token is no token": (lie("token", token={"id_token": "no.token.here"}), UNTRUSTED),
    "ID token is a list": (lie("token", token={"id_token": []}), UNTRUSTED),
    "name is a list": (lie("token", claims={"name": ["a"]}), UNTRUSTED),
    "expires in a word": (lie("token", token={"expires_in": "soon"}), UNTRUSTED),
    "expires in the end of days": (lie("token", token={"expires_in": 10**30}), UNTRUSTED),
    "token answer is a list": (lie("token", body=b"[]"), UNTRUSTED),
    "token answer is HTML": (lie("token", **_HTML), NO_ANSWER),
    "token answer nests": (lie("token", body=b"[" * 100_000), UNTRUSTED),
    "token endpoint refuses": (lie("token", status=400), NO_ANSWER),
    "token endpoint breaks": (lie("token", status=500), NO_ANSWER),
}


@pytest.mark.parametrize("name", LIES)
def test_lie_ends_on_a_page_that_says_so(client, db, home, name):
    user = linked(home)
    before = (User.objects.count(), SocialAccount.objects.values_list("uid", flat=True)[0])
    script, sentence = LIES[name]
    script(home)

    answer = there_and_back(client)

    assert answer.status_code == (200 if sentence == CANCELLED else 400)
    assert heading_and_sentence(answer) == [NOT_FINISHED, sentence]
    assert not is_signed_in(client)
    assert (User.objects.count(), SocialAccount.objects.get(user=user).uid) == before


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": 500}, NO_ANSWER),
        ({"status": 404}, NO_ANSWER),
        (_HTML, NO_ANSWER),
        ({"body": b"[]"}, NO_ANSWER),
        ({"claims": {"authorization_endpoint": REMOVED}}, NO_ANSWER),
    ],
)
def test_discovery_that_fails_is_told_at_once(client, db, home, answer, sentence):
    home.next("discovery", **answer)

    assert heading_and_sentence(client.post(BEGIN)) == [NOT_FINISHED, sentence]


def test_provider_that_is_gone_is_told(client, db, home, settings):
    with FakeProvider() as gone:
        app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
        app["settings"]["server_url"] = gone.issuer("home").url

    assert heading_and_sentence(client.post(BEGIN)) == [NOT_FINISHED, NO_ANSWER]


def test_slow_provider_is_given_up_within_six_seconds(client, db, home, settings):
    settings.SOCIALACCOUNT_REQUESTS_TIMEOUT = 0.3
    home.next("discovery", after=1)

    assert heading_and_sentence(client.post(BEGIN)) == [NOT_FINISHED, NO_ANSWER]


def test_foreign_issuer_is_refused_although_discovery_vouches_for_it(client, db, home):
    linked(home)
    foreign = {"issuer": "https://evil.example"}
    home.next("discovery", claims=foreign)
    home.next("discovery", claims=foreign)
    home.next("token", claims={"iss": "https://evil.example"})

    assert heading_and_sentence(there_and_back(client)) == [NOT_FINISHED, UNTRUSTED]


def test_answer_counts_once_and_in_its_own_browser(client, db, home):
    linked(home)
    answer = requests.get(hand_off(client), allow_redirects=False, timeout=10)
    back = answer.headers["Location"].removeprefix("http://testserver")

    elsewhere = Client().get(back)
    first, second = client.get(back), client.get(back)

    assert heading_and_sentence(elsewhere) == [NOT_FINISHED, LOST]
    assert first.headers["Location"] == LIST
    assert heading_and_sentence(second) == [NOT_FINISHED, LOST]


def test_log_quotes_nothing_of_the_answer(client, db, home, caplog):
    linked(home)
    for lies in ({"token": {"expires_in": "a-secret-word"}}, {"body": b'{"a-secret-word": 1}'}, {"status": 500}):
        home.next("token", **lies)
        there_and_back(client)

    assert "a-secret-word" not in caplog.text
    assert caplog.text.count("An outside sign-in ended: oidc-sign-in") == 3


# -- Apple ------------------------------------------------------------------------------------------------------------

APPLE = {"APPLE_SERVICES_ID": "org.example", "APPLE_TEAM_ID": "team", "APPLE_KEY_ID": "key", "APPLE_KEY": "PEM"}
POST = """
import django; django.setup()
import json
from django.test import Client
client = Client()
cross = {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "https://appleid.apple.com"}
address = "/sign-in/apple/login/callback/"
small = client.post(address, {"code": "1", "state": "unknown"}, **cross)
back = client.get(small.headers["Location"].removeprefix("http://testserver"))
large = client.post(address, {"code": "1", "user": "x" * 30000}, **cross)
many = [client.post(address, {"code": "1"}, **cross).status_code for _ in range(20)]
other = client.post("/sign-in/login/", {"login": "a@b.example"}, **cross)
begun = client.post("/sign-in/apple/login/")
print(json.dumps({
    "small": small.status_code, "cookies": sorted(small.cookies),
    "back": [back.status_code, "begun too long ago" in back.content.decode()],
    "large": large.status_code, "many": many[-1], "other": other.status_code,
    "begun": [begun.status_code, "https://appleid.apple.com/auth/authorize?" in begun.content.decode()],
}))
"""


def test_apple_s_answer_comes_from_another_site_small_and_not_too_often(tmp_path):
    place = Place(tmp_path, DEBUG="1", SITE_URL="http://testserver", **APPLE)

    assert json.loads(place.run(POST)) == {
        "small": 302,
        "cookies": ["apple-login-session"],
        "back": [400, True],
        "large": 413,
        "many": 429,
        "other": 403,
        "begun": [200, True],
    }
