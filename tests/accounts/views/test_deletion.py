"""Leaving: what goes is named, the day and Undo stand on every page, the list can only be read until then."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.models import DeviceType, Draft, Event, User, Vault
from accounts.services import adding, deletion, devices
from accounts.services.activity import Tag
from accounts.services.devices import NewDevice
from accounts.vault.entry import Type
from tests import factories
from tests.attacks import crawler
from tests.factories import Visitor

DELETE, UNDO = reverse("accounts:delete-account"), reverse("accounts:delete-account-undo")
LIST, SETTINGS = reverse("accounts:list"), reverse("accounts:settings")
STRIP = "Your Authweb account will be deleted on"
REFUSED = "Nothing was changed. Your Authweb account will be deleted; until then the list can only be read."
LINK = "otpauth://totp/Site:name?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR"


def leaving(visitor: Visitor) -> Visitor:
    """The same person, who has asked to be deleted."""
    deletion.ask(visitor.user, at=timezone.now())
    return visitor


def text(answer: HttpResponse) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def facts(answer: HttpResponse) -> dict[str, str]:
    """The facts of a page by their names."""
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", answer.content.decode())
    return {name: re.sub(r"<[^>]+>", "", value) for name, value in pairs}


def said(answer: HttpResponse) -> list[str]:
    """What is said once."""
    return [str(message) for message in answer.context["messages"]]


@pytest.mark.article("G-29")
@time_machine.travel(datetime(2026, 5, 4, 14, 2, tzinfo=UTC), tick=False)
def test_page_names_what_goes_and_until_when_it_can_be_undone(alice_phone: Visitor) -> None:
    for number in range(14):
        factories.create_entry(on=alice_phone, name=f"account {number}")

    page = alice_phone.client.get(DELETE)

    assert facts(page) == {"List": "14 accounts", "Devices": "1", "Also": "Your sign-in and activity"}
    assert "On Tuesday at 14:02 UTC this will be deleted. Until then you can undo." in text(page)
    assert "Sites go on asking for codes: move your accounts first." in text(page)
    assert re.search(r'<a class="button button-second" href="/settings/" autofocus>', page.content.decode())


def test_page_without_an_open_list_names_it_without_a_figure(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    factories.create_entry(on=alice_phone)

    assert facts(alice_elsewhere.client.get(DELETE))["List"] == "Your list"


def test_page_counts_several_lists(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    devices.set_up(
        alice_phone.user, NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER), at=timezone.now(), separate=True
    )

    here, elsewhere = (facts(visitor.client.get(DELETE)) for visitor in (alice_phone, alice_elsewhere))

    assert [here["Lists"], here["Devices"]] == ["2, the one open here with 1 account", "2"]
    assert elsewhere["Lists"] == "2"


def test_page_of_who_has_no_list_names_the_sign_in(alice: Visitor) -> None:
    assert facts(alice.client.get(DELETE)) == {"Also": "Your sign-in and activity"}


def test_page_of_a_damaged_list_names_it_without_a_figure(alice_phone: Visitor) -> None:
    factories.vault_of(alice_phone).states.update(sealed=b"\x01" + bytes(100))

    assert facts(alice_phone.client.get(DELETE))["List"] == "Your list"


@pytest.mark.article("G-29")
def test_tick_is_asked_for_and_then_the_day_is_set(alice_phone: Visitor) -> None:
    without = alice_phone.client.post(DELETE, {})
    untouched = User.objects.get().deletes_at
    before = timezone.now()

    answer = alice_phone.client.post(DELETE, {"agreed": "on"})

    assert without.context["form"].errors == {"agreed": ["Tick this, or go back: sites go on asking for codes."]}
    assert untouched is None
    assert answer.headers["Location"] == LIST
    assert timedelta(0) <= User.objects.get().deletes_at - before - timedelta(hours=24) < timedelta(minutes=1)
    assert Event.objects.get(tag=Tag.PERSON_LEAVES).device == alice_phone.device
    assert alice_phone.client.get(DELETE).headers["Location"] == SETTINGS  # There is nothing more to ask.


def test_old_sign_in_is_made_fresh_first(alice_stale: Visitor) -> None:
    answers = [alice_stale.client.get(DELETE), alice_stale.client.post(DELETE, {"agreed": "on"})]

    assert answers[0].headers["Location"].startswith("/sign-in/reauthenticate/")
    assert [answers[1].status_code, answers[1].headers["Location"]] == [303, DELETE]
    assert User.objects.get().deletes_at is None


@pytest.mark.article("G-29")
@pytest.mark.row("T47")
def test_phished_sign_in_destroys_nothing_at_once(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    """Somebody holds her sign-in and no key: whatever they send, she has the day, the mail, and Undo by one click."""
    factories.create_entry(on=alice_phone, name="kept")
    alice_phone.client.get(LIST)
    before = crawler.rows()

    for _ in range(3):
        for more in ({}, {"now": "1"}, {"deletes_at": "2001-01-01"}, {"at": "0", "hours": "0"}):
            alice_elsewhere.client.post(f"{DELETE}?now=1&at=0", {"agreed": "on", **more})
    deletion.expire(timezone.now() + timedelta(hours=23, minutes=59))

    assert set(crawler.changed(before, crawler.rows())) == {"accounts_event", "accounts_user"}
    page = alice_phone.client.get(LIST)
    assert [STRIP in text(page), "kept" in text(page)] == [True, True]
    factories.grown_stale(alice_phone).client.post(UNDO)
    assert User.objects.get().deletes_at is None


@pytest.mark.article("G-29")
@time_machine.travel(datetime(2026, 5, 4, 14, 2, tzinfo=UTC), tick=False)
def test_every_page_says_the_day_and_offers_undo(alice_phone: Visitor) -> None:
    values = crawler.furnish(alice_phone)
    # The help and the page that browsers keep know nobody.
    pages = [page for page in crawler.pages() if not page.name.startswith(("admin:", "demo:", "help", "offline"))]

    def strips() -> dict[str, bool]:
        found = {}
        for page in pages:
            answer = alice_phone.client.get(page.address(values))
            if "text/html" in answer.headers.get("Content-Type", "") and answer.status_code in (200, 404):
                sentence = f"{STRIP} Tuesday at 14:02 UTC. Until then the list can only be read." in text(answer)
                found[page.name] = sentence and f'action="{UNDO}"' in answer.content.decode()
        return found

    before = strips()
    leaving(alice_phone)
    after = strips()
    after["nowhere"] = STRIP in text(alice_phone.client.get("/nowhere/"))

    assert [name for name, there in before.items() if there] == []
    assert [name for name, there in after.items() if not there] == []
    assert len(after) > 25


def test_strip_names_the_date_where_the_day_of_the_week_could_be_another(alice: Visitor) -> None:
    with time_machine.travel(datetime(2026, 5, 4, 14, 2, tzinfo=UTC), tick=False):
        leaving(factories.grown_fresh(alice))
        User.objects.update(deletes_at=datetime(2026, 5, 26, 14, 2, tzinfo=UTC))

        page = alice.client.get(SETTINGS)

    assert f"{STRIP} Tuesday, 26 May at 14:02 UTC." in text(page)


def test_list_of_who_leaves_offers_nothing_that_would_change_it(alice_phone: Visitor) -> None:
    entry = factories.create_entry(on=alice_phone, name="one", type=Type.HOTP)
    for name in ("two", "three"):
        factories.create_entry(on=alice_phone, name=name)
    client = alice_phone.client
    client.post(reverse("accounts:to-trash", args=[alice_phone.entries[-1].id]))
    addresses = [
        LIST,
        f"{LIST}?q=one",
        reverse("accounts:account", args=[entry.id]),
        SETTINGS,
        reverse("accounts:trash"),
        reverse("accounts:activity"),
    ]
    changing = re.compile(
        r"/accounts/add/|/accounts/order/|/accounts/undo/|/edit/|/pin/|/trash/[0-9a-f]{32}/|[0-9a-f]/trash/|/keys/start/"
    )

    def offered() -> list[set[str]]:
        links = r'(?:href|action)="([^"]+)"'
        return [
            {link for link in re.findall(links, client.get(address).content.decode()) if changing.search(link)}
            for address in addresses
        ]

    before = offered()
    leaving(alice_phone)

    assert [bool(links) for links in before] == [True] * 6
    assert offered() == [set()] * 6
    assert reverse("accounts:next-code", args=[entry.id]) in client.get(LIST).content.decode()
    assert client.post(reverse("accounts:next-code", args=[entry.id])).status_code == 200


def test_empty_list_of_who_leaves_offers_no_adding(alice_phone: Visitor) -> None:
    before = alice_phone.client.get(LIST).content.decode()

    page = leaving(alice_phone).client.get(LIST).content.decode()

    assert [reverse("accounts:add") in html for html in (before, page)] == [True, False]


@pytest.mark.parametrize("method", ["get", "post"])
def test_whatever_would_change_the_list_is_answered_by_one_sentence(alice_phone: Visitor, method: str) -> None:
    entry = factories.create_entry(on=alice_phone, name="one")
    trashed = factories.create_entry(on=alice_phone, name="two")
    client = alice_phone.client
    client.post(reverse("accounts:to-trash", args=[trashed.id]))
    draft = adding.from_text(alice_phone.vault, LINK, at=timezone.now())
    version = alice_phone.vault.row.version
    client.get(LIST)  # What was said until here.
    leaving(alice_phone)
    before = [crawler.rows()[table] for table in ("accounts_vaultstate", "accounts_draft", "accounts_vault")]
    asked = {
        "accounts:add-link": ([], {"link": LINK}),
        "accounts:add-hand": ([], {"name": "x", "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR"}),
        "accounts:add-personal": ([], {}),
        "accounts:add-work": ([], {}),
        "accounts:add-signed-in": ([uuid4()], {}),
        "accounts:edit": ([entry.id], {"issuer": "x", "name": "y", "note": ""}),
        "accounts:order": ([], {"move": entry.id, "by": "up", "id": [entry.id]}),
        "accounts:delete": ([trashed.id], {}),
    }
    if method == "post":
        asked |= {
            "accounts:add-confirm": ([draft], {"issuer": "Site", "name": "name"}),
            "accounts:pin": ([entry.id], {"pinned": "1"}),
            "accounts:to-trash": ([entry.id], {}),
            "accounts:put-back": ([trashed.id], {}),
            "accounts:undo": ([version], {"agreed": "1"}),
        }

    answers = {}
    for name, (arguments, data) in asked.items():
        answer = getattr(client, method)(reverse(name, args=arguments), data)
        answers[name] = (answer.headers.get("Location"), said(client.get(LIST)))

    assert answers == dict.fromkeys(asked, (LIST, [REFUSED]))
    assert [crawler.rows()[table] for table in ("accounts_vaultstate", "accounts_draft", "accounts_vault")] == before
    assert Draft.objects.filter(pk=draft).exists()


def test_htmx_is_led_back_to_the_list_too(alice_phone: Visitor) -> None:
    factories.create_entry(on=alice_phone, name="one")
    ids = [entry.id for entry in alice_phone.entries]
    factories.create_entry(on=alice_phone, name="two")
    leaving(alice_phone)

    answer = alice_phone.client.post(reverse("accounts:order"), {"id": ids}, headers={"HX-Request": "true"})

    assert answer.headers.get("HX-Redirect", LIST) == LIST
    assert factories.vault_of(alice_phone).version == 3


def test_who_leaves_begins_no_other_list(alice_elsewhere: Visitor) -> None:
    leaving(alice_elsewhere)

    form = {"device_id": str(uuid4()), "name": "x", "type": "ios"}
    page = alice_elsewhere.client.post(reverse("accounts:separate"), form)

    assert page.context["form"].non_field_errors() == [REFUSED]
    assert Vault.objects.count() == 1


@pytest.mark.article("G-29")
def test_undo_keeps_the_person_from_any_browser_and_asks_for_no_fresh_sign_in(
    alice_phone: Visitor, alice_elsewhere: Visitor
) -> None:
    leaving(alice_phone)

    answer = factories.grown_stale(alice_elsewhere).client.post(UNDO)

    assert answer.headers["Location"] == LIST
    assert User.objects.get().deletes_at is None
    assert said(alice_elsewhere.client.get(SETTINGS)) == ["Undone. Your Authweb account stays."]
    assert STRIP not in text(alice_phone.client.get(LIST))


def test_undo_is_no_link_and_no_strangers(alice: Visitor, bob: Visitor) -> None:
    leaving(alice)

    answers = [alice.client.get(UNDO).status_code, bob.client.post(UNDO).status_code]

    assert answers == [405, 303]
    assert alice.user.deletes_at == User.objects.get(pk=alice.user.pk).deletes_at is not None


def test_undo_after_the_second_says_that_it_is_too_late(alice: Visitor) -> None:
    leaving(alice)
    User.objects.update(deletes_at=timezone.now())

    alice.client.post(UNDO)

    assert said(alice.client.get(SETTINGS)) == ["The time is over: your Authweb account is being deleted."]
    assert User.objects.get().deletes_at is not None


def test_last_administrator_is_told_to_make_another_first(db: None) -> None:
    chief = factories.visitor("chief@example.org", is_staff=True, is_superuser=True)

    page = chief.client.post(DELETE, {"agreed": "on"})

    assert page.context["form"].non_field_errors() == [
        "You are the last administrator of this server. Make somebody else one first."
    ]
    assert User.objects.get().deletes_at is None


def test_settings_end_on_it_and_no_longer_while_it_is_under_way(alice: Visitor) -> None:
    before = alice.client.get(SETTINGS).content.decode()

    after = leaving(alice).client.get(SETTINGS).content.decode()

    assert [f'href="{DELETE}"' in page for page in (before, after)] == [True, False]
    assert re.findall(r'<a class="cell[^"]*" href="([^"]+)"', before)[-1] == DELETE


def test_once_the_person_is_gone_their_browsers_are_signed_out(alice_phone: Visitor) -> None:
    leaving(alice_phone)
    deletion.expire(timezone.now() + timedelta(hours=24))

    answer = alice_phone.client.get(LIST)

    assert answer.headers["Location"].startswith("/sign-in/")
