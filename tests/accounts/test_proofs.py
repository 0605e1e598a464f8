"""The ceremony of a proof, over real HTTP against a provider of the tests: there, back, and how each ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import time_machine
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import adapter
from accounts.models import Event, IdentityProof, User
from accounts.roles import ROLES, Role
from accounts.services import identity
from accounts.services.activity import Tag
from accounts.services.identity import NotProven, Offer, Purpose, tag
from accounts.vault.encoding import b64url
from tests import factories, proving
from tests.factories import Visitor
from tests.fake_op import FakeProvider
from tests.proving import BACK, OTHER_TENANT, TENANT, Roles, asked, ended, hand_off, newest, proven, seed, way_back

LOST = reverse("accounts:proof-lost")
NOT_FINISHED = "The sign-in was not finished."
NOT_BACKED_UP = "Something went wrong"  # As every failure to back up is headed.


def going(address: str) -> dict[str, str]:
    """What goes out in the address of a provider."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def people() -> list[object]:
    """What a proof must leave as it was."""
    return [list(model.objects.order_by("pk").values()) for model in (User, SocialAccount, SocialToken)]


def of_role(role: Role) -> Purpose:
    """A purpose that accounts of this role may serve."""
    return Purpose.RESTORE if ROLES[role].keeps_backups else Purpose.ACCOUNT_ADD


# -- There ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "asks"),
    [
        (Role.MICROSOFT, {"prompt": "login"}),
        (Role.ENTRA, {"prompt": "login"}),
        (Role.APPLE, {"prompt": "login", "max_age": "0"}),
    ],
)
def test_way_out_carries_nonce_state_pkce_and_asks_for_a_new_sign_in(
    alice: Visitor, roles: Roles, role: Role, asks: dict[str, str]
) -> None:
    """`max_age=0` goes to an issuer of one's own, and not to Microsoft."""
    address = asked(alice, role, of_role(role))
    out, proof = going(address), newest(alice.user)

    assert urlsplit(address)._replace(query="").geturl() == f"{roles.of(role).url}/authorize"
    assert {name: out.pop(name) for name in ("nonce", "state", "code_challenge_method")} == {
        "nonce": b64url(bytes(proof.nonce)),
        "state": proof.state_id,
        "code_challenge_method": "S256",
    }
    assert len(out.pop("code_challenge")) == 43
    assert sorted(out.pop("scope").split()) == ["email", "openid", "profile"]
    assert out == {
        "client_id": "authweb",
        "redirect_uri": f"http://testserver/sign-in/oidc/{role}-proof/login/callback/",
        "response_type": "code",
        **asks,
    }
    assert (len(bytes(proof.nonce)), len(proof.state_id), proof.state) == (32, 32, "pending")


def test_hint_goes_out_and_is_kept_nowhere(alice: Visitor, roles: Roles, rf: Any) -> None:
    request = rf.post("/")
    request.user, request.session = alice.user, alice.client.session

    address = identity.begin(
        request=request,
        role=Role.ENTRA,
        purpose=Purpose.ACCOUNT_ADD,
        target="",
        back=BACK,
        wanted="alice@contoso.example",
        hint="alice@contoso.example",
    )

    assert going(address)["login_hint"] == "alice@contoso.example"
    assert newest(alice.user).wanted == "a…@contoso.example"
    assert "alice@contoso.example" not in str(list(IdentityProof.objects.values()))


def test_htmx_is_led_there_by_its_own_header(alice: Visitor, roles: Roles) -> None:
    landing = reverse("accounts:proof", args=[seed(alice.user).pk])

    answer = alice.client.post(landing, headers={"HX-Request": "true"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["HX-Redirect"].startswith(f"{roles.microsoft.url}/authorize?")


@pytest.mark.article("S-62", "refused")
@pytest.mark.article("G-19", "refused")
@pytest.mark.parametrize(
    "purpose", [Purpose.RECOVERY_CHOOSE, Purpose.RECOVERY_CONTINUE, Purpose.RECOVERY_DELETE, Purpose.RESTORE]
)
def test_work_account_is_refused_as_recovery_account_at_begin(
    alice: Visitor, roles: Roles, rf: Any, purpose: Purpose
) -> None:
    request = rf.post("/")
    request.user, request.session = alice.user, alice.client.session
    asks = {"request": request, "purpose": purpose, "target": "", "back": BACK}

    with pytest.raises(identity.RoleRefused):
        identity.begin(role=Role.ENTRA, **asks)

    assert not IdentityProof.objects.exists()
    assert identity.begin(role=Role.MICROSOFT, **asks).startswith(roles.microsoft.url)
    assert identity.begin(role=Role.ENTRA, **{**asks, "purpose": Purpose.ACCOUNT_ADD}).startswith(roles.entra.url)


def test_refusal_to_begin_is_said_on_the_page_one_came_from(alice: Visitor, roles: Roles, settings: Any) -> None:
    landing = reverse("accounts:proof", args=[seed(alice.user).pk])
    settings.WAYS = {}

    answer = alice.client.post(landing, follow=True)

    assert answer.redirect_chain == [(landing, 303)]
    assert "This server has no provider for that. Ask its operator." in answer.content.decode()


def test_eleventh_begin_in_ten_minutes_waits(alice: Visitor, bob: Visitor, roles: Roles) -> None:
    User.objects.filter(pk=alice.user.pk).update(time_zone="UTC")
    with time_machine.travel("2026-05-05T14:00:00Z", tick=False) as clock:
        landing = reverse("accounts:proof", args=[seed(alice.user).pk])
        client = factories.at_another_browser(alice).client
        first = [client.post(landing).status_code for _ in range(10)]
        clock.shift(599)
        eleventh = client.post(landing, follow=True)
        asked(bob)
        clock.shift(1)
        later = client.post(landing)

    assert first == [200] * 10
    assert "Ten sign-ins were begun within ten minutes. The next one is possible at 14:10." in eleventh.content.decode()
    assert later.status_code == 200
    assert IdentityProof.objects.filter(user=alice.user, state="pending").count() == 11


# -- Back, and proven -------------------------------------------------------------------------------------------------


@pytest.mark.article("G-22", "allowed")
@pytest.mark.parametrize("role", list(Role))
def test_honest_ceremony_is_proven_and_changes_nothing_else(alice: Visitor, roles: Roles, role: Role) -> None:
    asked(bob_too := alice, role, of_role(role))  # A first one that is never finished holds nothing up.
    before, session = people(), alice.client.session.session_key

    proof = proven(bob_too, role, of_role(role))
    onward = alice.client.get(reverse("accounts:proof", args=[proof.pk]))
    who = identity.look(proof.pk, user=alice.user, purpose=of_role(role), target="target")

    issuer = roles.of(role)
    assert onward.headers["Location"] == f"{BACK}?proof={proof.pk}"
    assert (who.role, who.issuer) == (role, issuer.speaks_as)
    assert who.uid == issuer.person["sub" if role is Role.APPLE else "oid"]
    assert who.label == issuer.person["email"]
    assert who.masked == f"a…@{who.label.partition('@')[2]}"
    assert (timezone.now() - who.signed_in_at) < timedelta(seconds=5)
    assert people() == before
    assert (alice.client.session["_auth_user_id"], alice.client.session.session_key) == (str(alice.user.pk), session)


@pytest.mark.article("G-22", "refused")
def test_account_by_which_somebody_else_signs_in_is_proven_and_signs_in_nobody(
    alice: Visitor, bob: Visitor, roles: Roles
) -> None:
    """Sign-in and proofs share Apple's own app where no other one is configured, so allauth finds the link."""
    SocialAccount.objects.create(user=bob.user, provider=f"{Role.APPLE}-proof", uid=roles.apple.person["sub"])
    links = SocialAccount.objects.values_list("user", "provider", "uid")
    before, session = list(links), alice.client.session.session_key

    proof = proven(alice, Role.APPLE)

    assert (proof.user, proof.state, list(links)) == (alice.user, "proven", before)
    assert (alice.client.session["_auth_user_id"], alice.client.session.session_key) == (str(alice.user.pk), session)


@pytest.mark.article("G-22")
def test_hook_switched_off_would_sign_out_or_make_something(
    alice: Visitor, roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the hook nothing is proven."""
    monkeypatch.setattr(adapter.SocialAccountAdapter, "pre_social_login", lambda *_: None)

    alice.client.get(way_back(asked(alice)))

    assert newest(alice.user).state == "pending"


@pytest.mark.article("G-22", "refused")
@pytest.mark.parametrize("process", ["login", "connect", "redirect"])
def test_proof_app_signs_in_links_and_makes_nobody(alice: Visitor, roles: Roles, process: str) -> None:
    """A state as allauth's own button would have made it, and one that only an address asked for."""
    address = asked(alice)
    session = alice.client.session
    for state, _, _ in session["socialaccount_states"].values():
        state.update(process=process, data=None)
    session.save()
    before, key = people(), session.session_key

    back = alice.client.get(way_back(address))

    assert back.headers["Location"] == LOST
    assert people() == before
    assert (alice.client.session["_auth_user_id"], alice.client.session.session_key) == (str(alice.user.pk), key)


def test_proof_app_has_no_page_of_its_own_and_no_button(alice: Visitor, client: Client, roles: Roles) -> None:
    addresses = [f"/sign-in/oidc/{role}-proof/login/" for role in Role]

    statuses = [browser.post(address).status_code for browser in (alice.client, client) for address in addresses]
    page = client.get(reverse("account_login")).content.decode()

    assert statuses == [404] * 6
    assert "-proof" not in page


def test_two_tabs_and_two_roles_are_proven_each_for_its_step(alice: Visitor, roles: Roles) -> None:
    first = asked(alice, Role.MICROSOFT, Purpose.RECOVERY_CHOOSE, target="one", back="/settings/codes/")
    second = asked(alice, Role.APPLE, Purpose.RESTORE, target="two", back="/settings/?step=2")

    landings = [alice.client.get(way_back(address)).headers["Location"] for address in (second, first)]
    onward = [alice.client.get(landing).headers["Location"] for landing in landings]

    two, one = (IdentityProof.objects.get(target=target, state="proven") for target in ("two", "one"))
    assert onward == [f"/settings/?step=2&proof={two.pk}", f"/settings/codes/?proof={one.pk}"]


# -- Back, and not proven ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [{"error": "access_denied"}, {"error": "user_cancelled_authorize"}])
def test_cancel_leads_back_to_the_step_with_one_sentence(alice: Visitor, roles: Roles, query: dict[str, str]) -> None:
    roles.microsoft.next("authorize", query=query)

    back = alice.client.get(way_back(asked(alice)), follow=True)
    page = back.content.decode()

    proof = newest(alice.user)
    assert (proof.state, proof.reason) == ("failed", "cancelled")
    assert ended(alice, proof) == [NOT_FINISHED, "You cancelled at Microsoft."]
    assert "Nothing was changed." in page
    assert f'href="{BACK}"' in page
    assert f"Reference {proof.reference}." in page
    assert Event.objects.get(tag=Tag.PROOF_FAILED).reference == proof.reference


def test_try_again_begins_the_same_proof_again(alice: Visitor, roles: Roles) -> None:
    roles.microsoft.next("authorize", query={"error": "access_denied"})
    expected = tag(roles.microsoft.iss, "0000-alice")
    failed = proven(alice, purpose=Purpose.RECOVERY_CONTINUE, expected=expected, wanted="a…@outlook.example")

    alice.client.get(way_back(hand_off(alice.client, reverse("accounts:proof", args=[failed.pk]))))

    again = newest(alice.user)
    same = ("role", "purpose", "target", "back", "expected", "wanted")
    assert (failed.state, again.state) == ("failed", "proven")
    assert [getattr(again, name) for name in same] == [getattr(failed, name) for name in same]


def test_landing_offers_what_the_purpose_says(alice: Visitor, roles: Roles, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = Offer(heading="Of backups", safe="Kept.", again="Continue", change="accounts:keys")
    monkeypatch.setitem(identity.OFFERS, Purpose.RECOVERY_CONTINUE, offer)
    proof = seed(alice.user, purpose=Purpose.RECOVERY_CONTINUE, reason="stale")

    page = alice.client.get(reverse("accounts:proof", args=[proof.pk])).content.decode()

    assert ended(alice, proof) == ["Of backups", "It was not a new sign-in."]
    assert "<p>Kept.</p>" in page
    assert '<button class="button button-main" type="submit">Continue</button>' in page
    assert f'<a class="button button-second" href="{reverse("accounts:keys")}">Change account</a>' in page


@pytest.mark.article("S-50")
@pytest.mark.parametrize("purpose", list(Purpose))
def test_sign_of_a_failed_backup_stands_by_failures_to_back_up_alone(alice: Visitor, purpose: Purpose) -> None:
    proof = seed(alice.user, purpose=purpose)

    page = alice.client.get(reverse("accounts:proof", args=[proof.pk])).content.decode()

    to_back_up = purpose in (Purpose.RECOVERY_CHOOSE, Purpose.RECOVERY_CONTINUE)
    assert ["sign-failing" in page, NOT_BACKED_UP in page] == [to_back_up, to_back_up]


def test_another_person_than_expected_is_told_by_both_masked_labels(alice: Visitor, roles: Roles) -> None:
    roles.microsoft.person |= {"oid": "0000-bob", "preferred_username": "bob@outlook.example"}
    before = people()

    proof = proven(
        alice,
        purpose=Purpose.RECOVERY_CONTINUE,
        expected=tag(roles.microsoft.iss, "0000-alice"),
        wanted="a…@outlook.example",
    )

    assert (proof.state, proof.reason) == ("failed", "other_identity")
    assert ended(alice, proof) == [NOT_BACKED_UP, "You signed in as b…@outlook.example, not a…@outlook.example."]
    assert people() == before


@pytest.mark.parametrize(
    ("person", "state"),
    [
        ({"preferred_username": "Alice@Contoso.example", "email": "other@contoso.example"}, "proven"),
        ({"preferred_username": "al@contoso.example", "email": "alice@contoso.example"}, "proven"),
        ({"preferred_username": "bob@contoso.example", "email": "bob@contoso.example"}, "failed"),
    ],
)
def test_account_that_came_back_by_name_is_taken_by_that_name_alone(
    alice: Visitor, roles: Roles, person: dict[str, str], state: str
) -> None:
    roles.entra.person |= person
    expected = identity.name_tag("alice@contoso.EXAMPLE")

    proof = proven(alice, Role.ENTRA, Purpose.ACCOUNT_RETURN, expected=expected, wanted="a…@contoso.example")
    roles.entra.next("authorize", query={"error": "access_denied"})
    cancelled = proven(alice, Role.ENTRA, Purpose.ACCOUNT_RETURN, expected=expected)

    assert proof.state == state
    assert (cancelled.state, cancelled.reason) == ("failed", "cancelled")
    if state == "failed":
        assert ended(alice, proof)[1] == "You signed in as b…@contoso.example, not a…@contoso.example."


def test_name_serves_no_other_purpose(alice: Visitor, roles: Roles) -> None:
    """An address may change hands: a recovery account is known by its issuer and number alone."""
    expected = identity.name_tag("alice@outlook.example")

    assert proven(alice, purpose=Purpose.RECOVERY_CONTINUE, expected=expected).reason == "other_identity"


@pytest.mark.parametrize(
    ("former", "uid", "state"),
    [("https://old.example", "000.alice", "proven"), ("https://old.example", "000.bob", "failed")]
    + [("https://other.example", "000.alice", "failed"), ("", "000.alice", "failed")],
)
def test_who_is_expected_from_a_former_issuer_of_the_role_is_known_by_the_same_id(
    alice: Visitor, roles: Roles, settings: Any, former: str, uid: str, state: str
) -> None:
    way = settings.WAYS["apple"]
    settings.WAYS = {**settings.WAYS, "apple": replace(way, former=(former,) if former else ())}
    roles.apple.person |= {"sub": uid}

    proof = proven(alice, Role.APPLE, Purpose.RECOVERY_CONTINUE, expected=tag("https://old.example", "000.alice"))

    assert (proof.state, proof.reason) == (state, "" if state == "proven" else "other_identity")


def test_former_issuer_of_another_role_is_nobody_s_here(alice: Visitor, roles: Roles, settings: Any) -> None:
    microsoft = replace(settings.WAYS["microsoft"], former=("https://old.example",))
    settings.WAYS = {**settings.WAYS, "microsoft": microsoft}

    proof = proven(alice, Role.APPLE, Purpose.RECOVERY_CONTINUE, expected=tag("https://old.example", "000.alice"))

    assert proof.reason == "other_identity"


@pytest.mark.article("S-62", "refused")
@pytest.mark.article("G-19", "refused")
@pytest.mark.parametrize("tenant", [TENANT, OTHER_TENANT])
def test_work_account_at_microsoft_is_told_apart(alice: Visitor, roles: Roles, tenant: str) -> None:
    roles.microsoft.next("token", claims={"iss": f"https://login.microsoftonline.com/{tenant}/v2.0", "tid": tenant})

    proof = proven(alice, purpose=Purpose.RECOVERY_CHOOSE)

    assert (proof.state, proof.reason) == ("failed", "work_account")
    assert ended(alice, proof) == [NOT_BACKED_UP, "A work or school account cannot hold the backup."]


def test_tenant_of_a_work_account_is_in_its_issuer(alice: Visitor, roles: Roles) -> None:
    issuer = f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"
    roles.entra.next("token", claims={"iss": issuer, "tid": OTHER_TENANT})

    proof = proven(alice, Role.ENTRA, Purpose.ACCOUNT_ADD)

    assert identity.look(proof.pk, user=alice.user, purpose=Purpose.ACCOUNT_ADD, target="target").issuer == issuer


def test_template_of_ones_own_stands_for_its_tenants(
    alice: Visitor, op: FakeProvider, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    template = f"{op.address}/entra/{{tid}}/v2.0"
    roles = proving.mapped(op, monkeypatch, settings, ROLE_ENTRA_ISSUER=template, ROLE_ENTRA_SUBJECT="oid")
    roles.entra.below, roles.entra.iss = "organizations/v2.0", template.replace("{tid}", TENANT)

    proof = proven(alice, Role.ENTRA, Purpose.ACCOUNT_ADD)

    who = identity.look(proof.pk, user=alice.user, purpose=Purpose.ACCOUNT_ADD, target="target")
    assert (who.issuer, who.uid) == (roles.entra.iss, "1111-alice")
    assert going(asked(alice, Role.ENTRA, Purpose.ACCOUNT_ADD))["max_age"] == "0"


# -- Time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "seconds", "serves"), [(4, 59, True), (5, 0, True), (5, 1, False)])
def test_proof_is_used_within_five_minutes_of_its_sign_in(
    alice: Visitor, roles: Roles, minutes: int, seconds: int, serves: bool
) -> None:
    proof = proven(alice)
    use = {"user": alice.user, "purpose": Purpose.RESTORE, "target": "target"}
    at = proof.signed_in_at + timedelta(minutes=minutes, seconds=seconds)

    if serves:
        assert identity.spend(proof.pk, **use, at=at).uid == "0000-alice"
    else:
        for act in (identity.look, identity.spend):
            with pytest.raises(NotProven):
                act(proof.pk, **use, at=at)
    proof.refresh_from_db()
    assert proof.state == ("spent" if serves else "proven")


@pytest.mark.parametrize(("seconds", "state"), [(599, "proven"), (601, "pending")])
def test_way_back_is_open_for_ten_minutes(alice: Visitor, roles: Roles, seconds: int, state: str) -> None:
    address = asked(alice)
    back = way_back(address)

    with time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=True):
        landing = alice.client.get(back).headers["Location"]

    proof = newest(alice.user)
    assert proof.state == state
    assert landing == (LOST if state == "pending" else reverse("accounts:proof", args=[proof.pk]))


def test_provider_that_proves_no_sign_in_serves_where_asking_is_enough(
    alice: Visitor,
    op: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    roles = proving.mapped(op, monkeypatch, settings)
    roles.microsoft.next("token", claims={"auth_time": lambda now: now - 3600})
    refused = proven(alice)
    monkeypatch.setenv("ROLE_MICROSOFT_FRESHNESS", "asked")
    roles = proving.mapped(op, monkeypatch, settings)
    roles.microsoft.next("token", claims={"auth_time": lambda now: now - 3600})
    before = timezone.now().replace(microsecond=0)
    taken = proven(alice)

    assert (refused.state, refused.reason) == ("failed", "stale")
    assert ended(alice, refused) == [NOT_FINISHED, "It was not a new sign-in."]
    assert "; ROLE_MICROSOFT_FRESHNESS=asked if it never proves one" in caplog.text
    assert taken.state == "proven"
    assert before <= taken.signed_in_at <= timezone.now()  # Our time, not that of the old sign-in.


# -- Providers that are not there -------------------------------------------------------------------------------------

_HTML = {"body": b"<html>no</html>", "content_type": "text/html"}
NO_ANSWER = [
    {"status": 500},
    {"status": 404},
    _HTML,
    {"body": b"[]"},
    {"claims": {"authorization_endpoint": None}},
    {"claims": {"token_endpoint": 1}},
]


@pytest.mark.parametrize("answer", NO_ANSWER, ids=str)
def test_provider_that_is_down_at_begin_is_told(alice: Visitor, roles: Roles, answer: dict[str, Any]) -> None:
    roles.microsoft.next("discovery", **answer)

    landing = alice.client.post(reverse("accounts:proof", args=[seed(alice.user).pk])).headers["Location"]

    proof = newest(alice.user)
    assert (landing, proof.reason) == (identity.landing_of(proof), "unreachable")
    assert ended(alice, proof) == [NOT_FINISHED, "Microsoft did not answer."]


@pytest.mark.parametrize("answer", NO_ANSWER, ids=str)
def test_provider_that_is_down_at_the_way_back_is_told(alice: Visitor, roles: Roles, answer: dict[str, Any]) -> None:
    back = way_back(asked(alice))
    roles.microsoft.next("discovery", **answer)

    alice.client.get(back)

    assert (newest(alice.user).state, newest(alice.user).reason) == ("failed", "unreachable")


@pytest.mark.parametrize("endpoint", ["discovery", "token"])
def test_slow_provider_is_given_up(alice: Visitor, roles: Roles, settings: Any, endpoint: str) -> None:
    """A request to it has five seconds; here a part of one."""
    from allauth.socialaccount import app_settings  # noqa: PLC0415 - reads its settings anew

    assert app_settings.REQUESTS_TIMEOUT == 5
    settings.SOCIALACCOUNT_REQUESTS_TIMEOUT = 0.3
    back = way_back(asked(alice))
    roles.microsoft.next(endpoint, after=1.5)

    started = timezone.now()
    alice.client.get(back)

    assert newest(alice.user).reason == "unreachable"
    assert timezone.now() - started < timedelta(seconds=1)


def test_provider_that_is_gone_is_told(alice: Visitor, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    with FakeProvider() as gone:
        proving.mapped(gone, monkeypatch, settings)
        back = way_back(asked(alice))
    alice.client.get(back)
    alice.client.post(reverse("accounts:proof", args=[seed(alice.user).pk]))

    ends = IdentityProof.objects.filter(made_at__gt=timezone.now() - timedelta(minutes=5))
    assert set(ends.values_list("state", "reason")) == {("failed", "unreachable")}
    assert ends.count() == 2


# -- A way back that is none here -------------------------------------------------------------------------------------


def another_browser(alice: Visitor, bob: Visitor, back: str) -> Any:
    return bob.client.get(back)


def hers_elsewhere(alice: Visitor, bob: Visitor, back: str) -> Any:
    return factories.at_another_browser(alice).client.get(back)


def signed_out(alice: Visitor, bob: Visitor, back: str) -> Any:
    alice.client.post(reverse("account_logout"))
    return alice.client.get(back)


def after_bobs_sign_in(alice: Visitor, bob: Visitor, back: str) -> Any:
    alice.client.post(reverse("account_logout"))
    alice.client.force_login(bob.user)
    return alice.client.get(back)


def another_route(alice: Visitor, bob: Visitor, back: str) -> Any:
    return alice.client.get(back.replace("microsoft-proof", "apple-proof"))


def no_state(alice: Visitor, bob: Visitor, back: str) -> Any:
    return alice.client.get(back.partition("?")[0] + "?code=1")


def foreign_state(alice: Visitor, bob: Visitor, back: str) -> Any:
    return alice.client.get(back.partition("?")[0] + "?code=1&state=somebody-else-s")


@pytest.mark.parametrize(
    "come",
    [another_browser, hers_elsewhere, signed_out, after_bobs_sign_in, another_route, no_state, foreign_state],
    ids=lambda come: come.__name__,
)
def test_way_back_that_is_none_here_leaves_the_proof_as_it_was(
    alice: Visitor, bob: Visitor, roles: Roles, come: Callable[..., Any]
) -> None:
    back = way_back(asked(alice))
    before = IdentityProof.objects.filter(state="pending").values().get()

    answer = come(alice, bob, back)

    page = Client().get(answer.headers["Location"]).content.decode()
    assert answer.headers["Location"] == LOST
    assert NOT_FINISHED in page
    assert "It was used before, was begun too long ago, or in another browser." in page
    assert IdentityProof.objects.filter(state="pending").values().get() == before


def test_way_back_counts_once(alice: Visitor, roles: Roles) -> None:
    back = way_back(asked(alice))
    first = alice.client.get(back).headers["Location"]
    before = newest(alice.user)

    second = alice.client.get(back).headers["Location"]

    assert (first, second) == (identity.landing_of(before), LOST)
    assert newest(alice.user).state == before.state == "proven"


def test_who_comes_back_twice_is_led_on(alice: Visitor, bob: Visitor, roles: Roles) -> None:
    """As by the browser's Back into the provider's page; a proof of somebody else leads nobody on."""
    alice.client.get(way_back(asked(alice)))
    onward = f'href="{identity.landing_of(newest(alice.user))}"'

    shown = alice.client.get(LOST).content.decode()
    assert onward in shown
    assert NOT_FINISHED not in shown
    assert "<h1>This sign-in is over.</h1>" in shown
    assert "Go on where you began" not in bob.client.get(LOST).content.decode()
    IdentityProof.objects.update(made_at=timezone.now() - settings.PROOF_PENDING_FOR - timedelta(seconds=1))
    assert "Go on where you began" not in alice.client.get(LOST).content.decode()


def test_state_of_another_role_is_none(alice: Visitor, roles: Roles) -> None:
    """An answer of iCloud's with the state of Microsoft's, and the other way round."""
    first, second = asked(alice, Role.MICROSOFT), asked(alice, Role.APPLE)
    states = [going(first)["state"], going(second)["state"]]

    landings = [
        alice.client.get(way_back(address.replace(states[here], states[1 - here]))).headers["Location"]
        for here, address in enumerate((first, second))
    ]

    assert landings == [LOST, LOST]


def test_landing_of_somebody_elses_proof_looks_like_none(alice: Visitor, bob: Visitor, roles: Roles) -> None:
    hers, nobodys = seed(alice.user).pk, "00000000-0000-0000-0000-000000000000"

    answers = [
        (act(reverse("accounts:proof", args=[pk])).headers["Location"])
        for pk in (hers, nobodys)
        for act in (bob.client.get, bob.client.post)
    ]

    assert answers == [LOST] * 4


# -- The trail --------------------------------------------------------------------------------------------------------


def test_trail_says_begun_proven_failed_and_spent_and_not_who(alice: Visitor, roles: Roles) -> None:
    proof = proven(alice)
    identity.spend(proof.pk, user=alice.user, purpose=Purpose.RESTORE, target="target")
    roles.microsoft.next("token", claims={"nonce": "another"})
    proven(alice)

    trail = list(Event.objects.filter(user=alice.user).order_by("id").values_list("tag", "facts"))

    said = {"role": "microsoft", "purpose": "restore"}
    assert trail == [
        (Tag.PROOF_BEGUN, said),
        (Tag.PROOF_PROVEN, said),
        (Tag.PROOF_SPENT, said),
        (Tag.PROOF_BEGUN, said),
        (Tag.PROOF_FAILED, {**said, "reason": "untrusted", "check": "audience"}),
    ]
    page = alice.client.get(reverse("accounts:activity")).content.decode()
    assert "A sign-in to an outside account came to nothing: Microsoft, an answer that cannot be trusted." in page


# -- A fresh sign-in of the person ------------------------------------------------------------------------------------

AGAIN = reverse("sign_in_again")
GUARDED = reverse("mfa_activate_totp")


@pytest.fixture
def carol(db: None, op: FakeProvider, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Visitor:
    """Carol, who signs in by her account at "Home" and by nothing else."""
    home = op.issuer("home", person={"sub": "carol-1", "preferred_username": "carol@home.example"})
    said = {"ISSUER": home.url, "NAME": "Home", "CLIENT_ID": "authweb", "CLIENT_SECRET": "not a secret"}
    for name, value in said.items():
        monkeypatch.setenv(f"SIGN_IN_OIDC_{name}", value)
    proving.mapped(op, monkeypatch, settings)
    visitor = factories.visitor("carol@example.org")
    visitor.user.set_unusable_password()
    visitor.user.save()
    SocialAccount.objects.create(
        user=visitor.user, provider="oidc-sign-in", uid="carol-1", extra_data={"username": "carol@home.example"}
    )
    return factories.at_another_browser(visitor)


def test_linked_account_opens_guarded_pages_for_five_minutes(carol: Visitor, op: FakeProvider) -> None:
    link = SocialAccount.objects.get()
    asked_for = carol.client.get(GUARDED, follow=True).content.decode()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        address = hand_off(carol.client, AGAIN, {"next": GUARDED, "link": str(link.pk)})
        landing = carol.client.get(way_back(address)).headers["Location"]
        onward = carol.client.get(landing).headers["Location"]
        clock.shift(299)
        in_time = carol.client.get(GUARDED).status_code
        clock.shift(2)
        late = carol.client.get(GUARDED).headers["Location"]

    assert "Sign in again with <bdi>Home</bdi>" in asked_for
    assert going(address)["prompt"] == "login"
    assert going(address)["max_age"] == "0"
    assert (onward, in_time, late.partition("?")[0]) == (GUARDED, 200, AGAIN)
    proof = newest(carol.user)
    assert (proof.state, proof.sealed_identity) == ("spent", None)
    assert "carol-1" not in str(dict(carol.client.session))


def test_another_account_there_opens_nothing(carol: Visitor, op: FakeProvider) -> None:
    op.issuers["home"].person["sub"] = "mallory-1"
    link = SocialAccount.objects.get()

    carol.client.get(way_back(hand_off(carol.client, AGAIN, {"next": GUARDED, "link": str(link.pk)})))

    assert newest(carol.user).reason == "other_identity"
    assert carol.client.get(GUARDED).headers["Location"].partition("?")[0] == AGAIN


@pytest.mark.parametrize("became", ["gone", "of another person", "another account"])
def test_fresh_sign_in_is_not_begun_again_by_an_account_that_is_no_longer_linked(
    carol: Visitor, alice: Visitor, op: FakeProvider, became: str
) -> None:
    link = SocialAccount.objects.get()
    op.issuers["home"].next("authorize", query={"error": "access_denied"})
    carol.client.get(way_back(hand_off(carol.client, AGAIN, {"next": GUARDED, "link": str(link.pk)})))
    landing = identity.landing_of(newest(carol.user))
    while_linked = going(hand_off(carol.client, landing))
    begun = IdentityProof.objects.count()

    if became == "gone":
        link.delete()
    else:
        changed = {"user": alice.user} if became == "of another person" else {"uid": "carol-2"}
        SocialAccount.objects.filter(pk=link.pk).update(**changed)
    answer = carol.client.post(landing, follow=True)

    assert while_linked["login_hint"] == "carol@home.example"
    assert answer.redirect_chain == [(landing, 303)]
    assert "This account is no longer linked here. Sign in again in another way." in answer.content.decode()
    assert IdentityProof.objects.count() == begun
    assert carol.client.get(GUARDED).headers["Location"].partition("?")[0] == AGAIN


def test_living_session_there_is_no_new_sign_in(carol: Visitor, op: FakeProvider) -> None:
    op.issuers["home"].next("token", claims={"auth_time": lambda now: now - 3600})
    link = SocialAccount.objects.get()

    carol.client.get(way_back(hand_off(carol.client, AGAIN, {"next": GUARDED, "link": str(link.pk)})))

    assert newest(carol.user).reason == "stale"
    assert carol.client.get(GUARDED).headers["Location"].partition("?")[0] == AGAIN


def test_who_has_a_password_is_asked_for_it_and_no_link_replaces_it(carol: Visitor, alice: Visitor) -> None:
    """Nor does the account of somebody else."""
    link = SocialAccount.objects.get()
    SocialAccount.objects.filter(pk=link.pk).update(user=alice.user)

    with_password = alice.client.post(AGAIN, {"next": GUARDED, "link": str(link.pk)})
    of_another = carol.client.post(AGAIN, {"next": GUARDED, "link": str(link.pk)})

    assert with_password.headers["Location"] == GUARDED
    assert of_another.headers["Location"].partition("?")[0] == reverse("account_confirm_password_reset_code")
    assert not IdentityProof.objects.exists()


def test_callback_needs_a_provider_that_is_there(alice: Visitor, roles: Roles) -> None:
    assert alice.client.get("/sign-in/oidc/nobody-proof/login/callback/?code=1&state=2").status_code == 404
    assert requests.get(f"{roles.microsoft.url}/jwks", timeout=10).status_code == 200
