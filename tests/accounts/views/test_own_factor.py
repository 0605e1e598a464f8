"""Authweb's own second factor in the list: known by its key, and added once its recovery codes are saved."""

from __future__ import annotations

import re
from typing import Any

import pyotp
import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse

from accounts.models import Draft
from tests import factories, stored
from tests.factories import Visitor

FIRST, SECOND = (
    "This is the code you sign in to Authweb with.",
    "If you lose this list you need it to get the list back.",
)
TICK = "I have saved them outside Authweb"
ERROR = "Save the recovery codes outside Authweb, then tick this."
CODES = reverse("mfa_view_recovery_codes")


def set_up(visitor: Visitor) -> str:
    """Begin with one-time codes for Authweb; their key."""
    visitor.client.get(reverse("mfa_activate_totp"))
    return str(visitor.client.session["mfa.totp.secret"])


def turn_on(visitor: Visitor) -> str:
    """Switch one-time codes for Authweb on; their key."""
    secret = set_up(visitor)
    visitor.client.post(reverse("mfa_activate_totp"), {"code": pyotp.TOTP(secret).now()})
    assert Authenticator.objects.filter(user=visitor.user, type="totp").exists()
    return secret


def recovery_codes(visitor: Visitor) -> list[str]:
    factor = Authenticator.objects.get(user=visitor.user, type="recovery_codes")
    return list(factor.wrap().get_unused_codes())


def link(secret: str, *, issuer: str = "Authweb", name: str = "alice@example.org") -> str:
    return f"otpauth://totp/{issuer}:{name}?secret={secret}&issuer={issuer}"


def held(visitor: Visitor, *links: str) -> str:
    """The page that asks for the yes to these accounts."""
    answer = visitor.client.post(reverse("accounts:add-link"), {"link": "\n".join(links)})
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def text(answer: Any) -> str:
    return answer.content.decode()  # type: ignore[no-any-return]


def names(visitor: Visitor) -> list[str]:
    return [entry.name for entry in visitor.entries]


@pytest.mark.article("G-34")
def test_own_factor_is_known_by_its_key_whatever_its_name(alice_phone: Visitor) -> None:
    page = held(alice_phone, link(turn_on(alice_phone), issuer="Sesame", name="somebody"))

    shown = text(alice_phone.client.get(page))

    assert [shown.count(words) for words in (FIRST, SECOND, TICK)] == [1, 1, 1]
    assert re.findall(r"<li><code>(\d+)</code></li>", shown) == recovery_codes(alice_phone)
    assert len(recovery_codes(alice_phone)) == 10


@pytest.mark.article("G-34", "refused")
def test_finish_needs_the_tick_and_the_draft_is_kept(alice_phone: Visitor) -> None:
    page = held(alice_phone, link(turn_on(alice_phone)))
    form = {"issuer": "Authweb", "name": "mine"}

    refused = alice_phone.client.post(page, form)
    before = (names(alice_phone), Draft.objects.count())
    taken = alice_phone.client.post(page, {**form, "saved": "on"})

    assert refused.context["form"].errors == {"saved": [ERROR]}
    assert 'value="mine"' in text(refused)
    assert before == ([], 1)
    assert taken.status_code == 303
    assert (names(alice_phone), Draft.objects.count()) == (["mine"], 0)


def test_name_like_authwebs_with_another_key_is_any_account(alice_phone: Visitor) -> None:
    turn_on(alice_phone)
    page = held(alice_phone, link(pyotp.random_base32()))

    shown = text(alice_phone.client.get(page))
    alice_phone.client.post(page, {"issuer": "Authweb", "name": "mine"})

    assert [words in shown for words in (FIRST, TICK)] == [False, False]
    assert names(alice_phone) == ["mine"]


def test_factor_of_another_person_is_any_account(alice_phone: Visitor, bob: Visitor) -> None:
    secret = turn_on(alice_phone)

    shown = [text(visitor.client.get(held(visitor, link(secret)))) for visitor in (alice_phone, bob)]

    assert [FIRST in page for page in shown] == [True, False]


@pytest.mark.article("G-34")
def test_factor_that_is_being_set_up_is_known_and_its_codes_come_when_it_is_on(alice_phone: Visitor) -> None:
    secret = set_up(alice_phone)
    page = held(alice_phone, link(secret))
    form = {"issuer": "Authweb", "name": "mine"}

    before = text(alice_phone.client.get(page))
    refused = alice_phone.client.post(page, form)
    alice_phone.client.post(reverse("mfa_activate_totp"), {"code": pyotp.TOTP(secret).now()})
    after = text(alice_phone.client.get(page))
    alice_phone.client.post(page, {**form, "saved": "on"})

    assert [FIRST in before, "They come when your second factor is turned on." in before] == [True, True]
    assert "<li><code>" not in before
    assert refused.context["form"].errors == {"saved": [ERROR]}
    assert re.findall(r"<li><code>(\d+)</code></li>", after) == recovery_codes(alice_phone)
    assert names(alice_phone) == ["mine"]


def test_who_has_no_recovery_codes_is_led_to_make_them(alice_phone: Visitor) -> None:
    page = held(alice_phone, link(turn_on(alice_phone)))
    Authenticator.objects.filter(type="recovery_codes").delete()

    shown = text(alice_phone.client.get(page))

    assert f'href="{reverse("mfa_generate_recovery_codes")}"' in shown
    assert "<li><code>" not in shown


@pytest.mark.article("G-34")
def test_recovery_codes_are_shown_after_a_fresh_sign_in_alone(alice_phone: Visitor) -> None:
    secret = turn_on(alice_phone)
    page, other = held(alice_phone, link(secret)), held(alice_phone, link(pyotp.random_base32()))
    factories.grown_stale(alice_phone)

    shown = alice_phone.client.get(page)
    posted = alice_phone.client.post(page, {"issuer": "Authweb", "name": "a name of hers", "saved": "on"})

    assert shown.headers["Location"].startswith("/sign-in/")
    assert (posted.status_code, posted.headers["Location"]) == (303, page)
    assert alice_phone.client.get(other).status_code == 200
    assert names(alice_phone) == []
    assert "account_reauthentication_state" not in alice_phone.client.session
    assert "a name of hers" not in stored.everything()


def test_stale_sign_in_may_cancel_and_wait_longer(alice_phone: Visitor) -> None:
    page = held(alice_phone, link(turn_on(alice_phone)))
    factories.grown_stale(alice_phone)

    renewed = alice_phone.client.post(page, {"renew": "1"}).headers["Location"]
    cancelled = alice_phone.client.post(renewed, {"cancel": "1"})

    assert renewed != page
    assert (cancelled.headers["Location"], Draft.objects.count()) == (reverse("accounts:list"), 0)


@pytest.mark.article("G-34")
def test_among_several_the_tick_is_asked_for_the_own_factor_alone(alice_phone: Visitor) -> None:
    secret = turn_on(alice_phone)
    page = held(alice_phone, link(secret), link(pyotp.random_base32(), issuer="GitHub", name="other"))
    shown = alice_phone.client.get(page)
    own, other = (waiting.id for waiting in shown.context["preview"].waiting)

    refused = alice_phone.client.post(page, {"chosen": [own, other]})
    nothing = names(alice_phone)
    alice_phone.client.post(page, {"chosen": [other]})
    with_own = held(alice_phone, link(secret), link(pyotp.random_base32(), issuer="GitLab", name="third"))
    chosen = [waiting.id for waiting in alice_phone.client.get(with_own).context["preview"].waiting]
    alice_phone.client.post(with_own, {"chosen": chosen, "saved": "on"})

    assert [text(shown).count(words) for words in (FIRST, SECOND, TICK)] == [1, 1, 1]
    assert (refused.context["form"].errors, nothing) == ({"saved": [ERROR]}, [])
    assert names(alice_phone) == ["other", "alice@example.org", "third"]


def test_own_factor_that_is_listed_already_asks_for_nothing(alice_phone: Visitor) -> None:
    secret = turn_on(alice_phone)
    alice_phone.client.post(
        held(alice_phone, link(secret)), {"issuer": "Authweb", "name": "alice@example.org", "saved": "on"}
    )
    page = held(alice_phone, link(secret))
    factories.grown_stale(alice_phone)

    shown = alice_phone.client.get(page)

    assert "Already in your list" in text(shown)
    assert FIRST not in text(shown)


def test_left_out_beside_one_of_its_name_it_needs_no_tick(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone, issuer="Authweb", name="alice@example.org")
    page = held(alice_phone, link(turn_on(alice_phone)))

    answer = alice_phone.client.post(page, {"issuer": "Authweb", "name": "alice@example.org", "keep": "leave"})

    assert (answer.status_code, len(alice_phone.entries)) == (303, 1)


def test_seed_that_does_not_open_hinders_nobody(alice_phone: Visitor) -> None:
    secret = turn_on(alice_phone)
    for factor in Authenticator.objects.all():
        damaged = {key: "AAAAAUFB" if isinstance(value, str) else value for key, value in factor.data.items()}
        Authenticator.objects.filter(pk=factor.pk).update(data=damaged)
    page = held(alice_phone, link(secret))

    shown = alice_phone.client.get(page)
    alice_phone.client.post(page, {"issuer": "Authweb", "name": "mine"})

    assert (shown.status_code, FIRST in text(shown), names(alice_phone)) == (200, False, ["mine"])


@pytest.mark.article("G-34")
def test_page_of_recovery_codes_says_so_once_the_list_gives_the_code(alice_phone: Visitor, bob: Visitor) -> None:
    secret = turn_on(alice_phone)
    said = [SECOND in text(alice_phone.client.get(CODES))]
    alice_phone.client.post(held(alice_phone, link(secret)), {"issuer": "Authweb", "name": "a", "saved": "on"})
    said.append(SECOND in text(alice_phone.client.get(CODES)))
    said.append(SECOND in text(factories.at_another_browser(alice_phone).client.get(CODES)))

    assert said == [False, True, False]


def test_key_that_was_shown_stays_the_one_until_it_is_turned_on(alice_phone: Visitor) -> None:
    """Scanned into the list on the same phone, its code is typed on the page that is opened again."""
    client = factories.grown_fresh(alice_phone).client
    address = reverse("mfa_activate_totp")

    shown = [client.get(address).context["form"].secret for _ in range(2)]
    client.post(address, {"code": pyotp.TOTP(shown[0]).now()})

    assert shown[0] == shown[1]
    assert Authenticator.objects.filter(user=alice_phone.user, type="totp").count() == 1
    assert "mfa.totp.secret" not in client.session
