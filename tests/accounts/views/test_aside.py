"""The question before a list is begun in place of another, what both answers lead to, and what becomes of the other."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.models import Device, DeviceType, SlotKind, Vault
from accounts.services import aside, deletion, devices, words
from accounts.services.devices import NewDevice
from accounts.vault.keys import Costs
from tests import factories
from tests.factories import Visitor, create_entry
from tests.pages import buttons, main, plain

OPEN, LOST = reverse("accounts:open"), reverse("accounts:lost")
SEPARATE, INSTEAD = reverse("accounts:separate"), reverse("accounts:instead")
ASIDE, LIST, DEVICES = reverse("accounts:aside"), reverse("accounts:list"), reverse("accounts:devices")
RESTORE, START = reverse("backups:restore"), reverse("accounts:start")
SIX = "granite ladle marigold hexagon kettle lantern"
FIREFOX = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"}


def form(**more: str) -> dict[str, str]:
    return {"device_id": str(uuid4()), "name": "Laptop", "type": "computer", **more}


def row(visitor: Visitor) -> Vault:
    return Vault.objects.get(slots__device=visitor.device)


def listed(visitor: Visitor, **more: str) -> str:
    """The query that names the visitor's list."""
    return "?" + "&".join(f"{name}={value}" for name, value in {"list": str(row(visitor).pk), **more}.items())


def text(answer: Any) -> str:
    """What a page says, names in it as they are read."""
    return plain(re.sub(r"</?bdi>", "", main(answer)))


def to(answer: Any) -> str:
    """Where an answer leads."""
    return str(answer.headers["Location"])


# -- The question -----------------------------------------------------------------------------------------------------


@pytest.mark.article("G-32")
@pytest.mark.parametrize("then", [{}, {"then": "restore"}])
def test_question_names_where_the_list_was_open_last(alice_elsewhere: Visitor, then: dict[str, str]) -> None:
    phone = Device.objects.get()
    Device.objects.update(seen_at="2026-05-03T14:02Z")
    query = f"?list={phone.slots.get().vault_id}" + "".join(f"&{name}={value}" for name, value in then.items())

    asked = alice_elsewhere.client.get(LOST + query)

    assert "Your list was last open on 'Alice's phone', 3 May 2026 at 14:02 UTC." in text(asked)
    assert "I can still open it" in text(asked)
    assert f'href="{INSTEAD}{query.replace("&", "&amp;")}"' in main(asked)
    assert ("restored into a new list" in text(asked)) == bool(then)
    assert [Device.objects.count(), Vault.objects.count()] == [1, 1]


def test_question_of_a_restore_shows_first_who_can_approve_and_asks_there(
    alice_phone: Visitor, alice_elsewhere: Visitor
) -> None:
    asked = alice_elsewhere.client.get(f"{LOST}?then=restore", headers=FIREFOX)
    address, device_id = re.findall(r'action="([^"]*)"|name="device_id" value="([^"]*)"', main(asked))[:2]
    waiting = alice_elsewhere.client.post(address[0], {"device_id": device_id[1]}, headers=FIREFOX)

    says = text(asked)
    assert says.index("Approve on Alice's phone") < says.index("I can still open it")
    assert address[0] == reverse("accounts:open-approve") + listed(alice_phone)
    assert to(waiting) == reverse("accounts:open-waiting")


def test_question_names_the_keys_that_open_the_list_and_leads_to_their_doors(
    alice_phone: Visitor, alice_elsewhere: Visitor
) -> None:
    query, client = listed(alice_phone), alice_elsewhere.client
    without = text(client.get(LOST + query))
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS, at=datetime(2026, 5, 3, 14, 2, tzinfo=UTC))
    factories.create_key(on=alice_phone, kind=SlotKind.PASSKEY, name="Key")

    asked = client.get(LOST + query)
    alice_elsewhere.user.passkeys_off = True
    alice_elsewhere.user.save()
    off = text(client.get(LOST + query))

    said = ("Your six words of 3 May 2026 open it.", "Your passkey opens it.")
    assert [[line in page for line in said] for page in (without, text(asked), off)] == [
        [False, False],
        [True, True],
        [True, False],
    ]
    doors = [f'class="cell" href="{address}{query}"' for address in (reverse("accounts:open-words"), OPEN)]
    assert [door in main(asked) for door in doors] == [True, True]


def test_list_whose_devices_are_gone_is_named_as_it_was_begun(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    Vault.objects.update(changed_at="2026-05-03T14:02Z")
    Device.objects.all().delete()

    assert "Your list was begun on 'Alice's phone' and changed last on 3 May 2026." in text(
        alice_elsewhere.client.get(LOST)
    )


@pytest.mark.parametrize("then", ["", "restore"])
def test_who_can_open_it_goes_back_to_the_doors_and_is_not_asked_again(
    alice_phone: Visitor, alice_elsewhere: Visitor, then: str
) -> None:
    client, more = alice_elsewhere.client, {"then": then} if then else {}
    query, at_once = listed(alice_phone, **more), client.get(SEPARATE + listed(alice_phone, **more))

    back = client.post(LOST + query)
    asked_again = client.get(LOST + query)
    shown = client.get(SEPARATE + query)
    begun = client.post(SEPARATE + query, form(**more))

    assert to(at_once) == LOST + query
    assert to(back) == OPEN + listed(alice_phone)
    assert to(asked_again) == SEPARATE + query
    assert "The list of 'Alice's phone' stays as it is." in text(shown)
    assert ('name="then" value="restore"' in main(shown)) == bool(then)
    assert to(begun) == (RESTORE if then else LIST)
    assert [vault.put_aside_at for vault in Vault.objects.all()] == [None, None]


def test_said_of_one_list_it_is_asked_of_another(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    client = alice_elsewhere.client
    client.post(LOST + listed(alice_phone))
    separate = devices.set_up(
        alice_phone.user, NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER), at=timezone.now(), separate=True
    )

    assert client.get(f"{LOST}?list={separate.vault.pk}").status_code == 200


def test_without_a_list_or_with_one_open_nothing_is_asked(alice: Visitor, bob: Visitor) -> None:
    assert [to(alice.client.get(address)) for address in (LOST, INSTEAD, ASIDE)] == [START, START, LIST]
    assert [to(bob.client.get(address)) for address in (LOST, SEPARATE, INSTEAD, ASIDE)] == [LIST] * 4
    assert [to(bob.client.get(f"{address}?then=restore")) for address in (LOST, INSTEAD)] == [RESTORE] * 2


def test_who_has_no_list_restores_all_the_same(alice: Visitor) -> None:
    """ "Restore from backup" was chosen on a page of a list that is gone by now: the choice is not forgotten."""
    query = "?then=restore"

    leads = [to(alice.client.get(address + query)) for address in (LOST, INSTEAD)]
    separate, start = (alice.client.get(address + query) for address in (SEPARATE, START))
    begun = alice.client.post(START + query, form(then="restore"))

    assert leads == [START + query] * 2
    assert ['name="then" value="restore"' in main(page) for page in (separate, start)] == [True, True]
    assert ["The backup is restored into it." in text(page) for page in (separate, start)] == [True, True]
    assert buttons(start) == ["Set up this device"]
    assert f'action="{START}{query}"' in main(start)
    assert to(begun) == RESTORE


# -- It cannot be opened any more -------------------------------------------------------------------------------------


def test_new_list_asks_for_a_fresh_sign_in_and_says_when_the_other_goes(
    alice_phone: Visitor, alice_elsewhere: Visitor
) -> None:
    query = listed(alice_phone)
    with time_machine.travel("2026-05-03T14:02Z", tick=False):
        shown = factories.grown_fresh(alice_elsewhere).client.get(INSTEAD + query, headers=FIREFOX)
    stale = factories.grown_stale(factories.at_another_browser(alice_phone)).client

    assert "As soon as the new one is begun it is put aside, and deleted on 2 June 2026." in text(shown)
    assert shown.context["form"]["name"].value() == "Firefox on Windows"
    assert to(stale.get(INSTEAD + query)).startswith("/sign-in/")
    assert to(stale.post(INSTEAD + query, form())) == INSTEAD + query
    assert Vault.objects.count() == 1


def test_new_list_is_begun_here_and_the_other_is_put_aside(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    client, query = alice_elsewhere.client, listed(alice_phone)

    answer = client.post(INSTEAD + query, form())

    assert to(answer) == LIST
    assert client.get(LIST).status_code == 200
    assert row(alice_phone).put_aside_at is not None


def test_restore_leads_to_the_wizard_and_puts_nothing_aside_yet(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    client, query = alice_elsewhere.client, listed(alice_phone, then="restore")
    shown = text(client.get(INSTEAD + query))

    answer = client.post(INSTEAD + query, form(then="restore"))

    stays = "Your list of 'Alice's phone' stays until something was restored. Then it is put aside"
    assert f"{stays} and deleted after 30 days; if you find a key to it before then, you can keep it." in shown
    assert "Choose what your lost device was: its backup can be restored on the same type only." in shown
    assert to(answer) == RESTORE
    assert client.get(RESTORE).status_code == 200
    former = row(alice_phone)
    assert [former.put_aside_at, former.gives_way_to] == [None, Vault.objects.get(name="Laptop")]


def test_list_that_the_form_does_not_name_is_not_put_aside(
    alice_phone: Visitor, alice_elsewhere: Visitor, bob: Visitor
) -> None:
    answers = [
        alice_elsewhere.client.post(INSTEAD + query, form())
        for query in ("", "?list=nonsense", listed(bob), f"?list={uuid4()}")
    ]

    assert [to(answer) for answer in answers] == [OPEN + listed(alice_phone)] * 4
    assert [vault.put_aside_at for vault in Vault.objects.all()] == [None, None]


@pytest.mark.parametrize("then", [{}, {"then": "restore"}])
def test_list_that_goes_at_that_moment_is_no_error(
    alice_phone: Visitor, alice_elsewhere: Visitor, monkeypatch: pytest.MonkeyPatch, then: dict[str, str]
) -> None:
    """Its 30 days are over between the question and the yes: `tidy` deletes it just before."""
    client, query, begin = alice_elsewhere.client, listed(alice_phone, **then), aside.begin_instead

    def just_after(*of: Any, **more: Any) -> Any:
        Vault.objects.all().delete()
        return begin(*of, **more)

    monkeypatch.setattr(aside, "begin_instead", just_after)
    answer = client.post(INSTEAD + query, form(**then))
    start = client.get(to(answer), follow=True)

    assert to(answer) == LOST + ("?then=restore" if then else "")
    assert [str(message) for message in start.context["messages"]] == [
        "That list was deleted meanwhile. Nothing was changed."
    ]
    assert start.redirect_chain[-1][0] == START + ("?then=restore" if then else "")
    assert Vault.objects.count() == 0


def test_while_the_person_leaves_no_list_is_begun(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    deletion.ask(alice_phone.user, at=timezone.now())

    answer = alice_elsewhere.client.post(INSTEAD + listed(alice_phone), form())

    assert "Nothing was changed. Your Authweb account will be deleted" in text(answer)
    assert Vault.objects.count() == 1


# -- Put aside --------------------------------------------------------------------------------------------------------


@pytest.fixture
def given_up(alice_phone: Visitor, alice_elsewhere: Visitor) -> Visitor:
    """Alice at her laptop, where a list was begun in place of her phone's."""
    create_entry(on=alice_phone, issuer="GitHub")
    words.make(alice_phone.vault, SIX, at=timezone.now(), costs=Costs(8 * 1024, 1, 1))
    new = NewDevice(uuid4(), "Laptop", DeviceType.COMPUTER)
    with time_machine.travel("2026-05-03T14:02Z", tick=False):
        made = aside.begin_instead(alice_phone.user, row(alice_phone).pk, new, restores=False, at=timezone.now())
    return factories.with_key(alice_elsewhere, made.device, made.cookie)


@pytest.mark.article("G-32")
def test_devices_page_names_it_and_the_day_it_goes(given_up: Visitor) -> None:
    here = text(given_up.client.get(DEVICES))
    there = factories.at_another_browser(given_up).client.get(DEVICES)

    assert "Lists put aside List of Alice's phone Deleted on 2 June 2026, unless you keep it." in here
    assert "Open with a key" not in here
    assert "Open with a key" in buttons(there)


def test_old_browser_is_offered_to_keep_it_and_shows_no_code_before(alice_phone: Visitor, given_up: Visitor) -> None:
    client = alice_phone.client

    leads = [to(client.get(address)) for address in (LIST, reverse("accounts:add"), RESTORE)]
    codes = client.get(reverse("accounts:codes"))
    shown = client.get(ASIDE)

    assert leads == [ASIDE] * 3
    assert codes.status_code == 302
    assert "It is deleted on 2 June 2026." in text(shown)
    assert "it holds 1 account." in text(shown)
    assert "GitHub" not in text(shown)
    assert buttons(shown) == ["Keep it", "Open your other list on this browser"]
    assert row(alice_phone).put_aside_at is not None


@pytest.mark.article("G-32")
def test_kept_it_is_in_use_again_beside_the_new_one(alice_phone: Visitor, given_up: Visitor) -> None:
    answer = alice_phone.client.post(ASIDE, follow=True)

    assert [str(message) for message in answer.context["messages"]] == ["Kept. This list is in use again."]
    assert "GitHub" in text(answer)
    assert "Lists put aside" not in text(given_up.client.get(DEVICES))
    assert given_up.client.get(LIST).status_code == 200


def test_leaving_it_is_not_kept_and_that_is_said(alice_phone: Visitor, given_up: Visitor) -> None:
    deletion.ask(alice_phone.user, at=timezone.now())

    answer = alice_phone.client.post(ASIDE, follow=True)

    assert answer.redirect_chain == [(ASIDE, 303)]
    assert "until then the list can only be read" in answer.content.decode()


def test_words_open_it_in_a_third_browser_which_may_keep_it(alice_phone: Visitor, given_up: Visitor) -> None:
    client, query = factories.at_another_browser(alice_phone).client, listed(alice_phone)
    client.defaults["HTTP_USER_AGENT"] = FIREFOX["User-Agent"]
    doors = client.get(OPEN + query)
    by_default = text(client.get(OPEN))

    opened = client.post(reverse("accounts:open-words") + query, {"device_id": str(uuid4()), "words": SIX}, follow=True)
    kept = client.post(ASIDE, follow=True)

    assert "It is deleted on 2 June 2026, unless a key opens it here and you keep it." in text(doors)
    assert [word in text(doors) for word in ("Type your six words", "Approve on", "Restore", "separate")] == [
        *(True, False, False, False)
    ]
    assert "Open the list of 'Alice's phone', which is put aside" in by_default
    assert opened.redirect_chain[-1][0] == ASIDE
    assert "GitHub" in text(kept)


def test_no_approval_is_asked_for_it(alice_phone: Visitor, given_up: Visitor) -> None:
    client, query = factories.at_another_browser(alice_phone).client, listed(alice_phone)

    answer = client.post(reverse("accounts:open-approve") + query, {"device_id": str(uuid4())}, headers=FIREFOX)

    assert to(answer) == OPEN + query
    assert Device.objects.count() == 2


def test_old_browser_is_told_that_its_key_goes_where_another_list_is_opened(
    alice_phone: Visitor, given_up: Visitor
) -> None:
    told = text(alice_phone.client.get(OPEN))

    assert (
        "This browser holds the key to a list that is put aside. If another list is opened here, that key goes." in told
    )


def test_it_is_not_given_up_again(alice_phone: Visitor, given_up: Visitor) -> None:
    client, query = factories.at_another_browser(alice_phone).client, listed(alice_phone)

    assert [to(client.get(address + query)) for address in (LOST, INSTEAD)] == [OPEN + query] * 2


def test_list_of_another_person_is_neither_named_nor_kept(given_up: Visitor, bob: Visitor) -> None:
    assert "put aside" not in text(bob.client.get(DEVICES))
    assert to(bob.client.post(ASIDE)) == LIST
    assert Vault.objects.exclude(put_aside_at=None).count() == 1


def test_removal_of_its_last_key_says_that_it_goes_with_it(alice_phone: Visitor, given_up: Visitor) -> None:
    assert alice_phone.device is not None
    address = reverse("accounts:device-remove", args=[alice_phone.device.pk])
    with_words = text(given_up.client.get(address))
    row(alice_phone).slots.filter(kind=SlotKind.WORDS).delete()

    alone = text(given_up.client.get(address))

    assert ["that list is deleted with it" in page for page in (with_words, alone)] == [False, True]


# -- Restore from backup, as large as the other choice ----------------------------------------------------------------


def test_restore_is_offered_beside_each_other_choice(
    alice_phone: Visitor, alice_elsewhere: Visitor, bob: Visitor, settings: Any
) -> None:
    nobody, carol = factories.Client(), factories.visitor("carol@example.org")
    pages = {
        "welcome": lambda: main(nobody.get(reverse("welcome"))),
        "start": lambda: main(carol.client.get(START)),
        "empty list": lambda: main(bob.client.get(LIST)),
        "doors": lambda: main(alice_elsewhere.client.get(OPEN)),
        "settings": lambda: main(bob.client.get(reverse("accounts:settings"))),
        "settings, list closed": lambda: main(alice_elsewhere.client.get(reverse("accounts:settings"))),
    }
    offered = {name for name, page in pages.items() if "Restore from backup" in page()}
    doors = main(alice_elsewhere.client.get(OPEN))

    settings.WAYS = {}
    without = {name for name, page in pages.items() if "Restore from backup" in page()}

    assert offered == set(pages)
    assert without == set()
    assert f'class="choice" href="{LOST}{listed(alice_phone, then="restore").replace("&", "&amp;")}"' in doors


@pytest.mark.article("G-26")
def test_order_of_the_doors_ends_with_the_backup(alice_phone: Visitor, alice_elsewhere: Visitor) -> None:
    factories.create_key(on=alice_phone, kind=SlotKind.PASSKEY)
    words.make(alice_phone.vault, SIX, at=timezone.now(), costs=Costs(8 * 1024, 1, 1))

    said = text(alice_elsewhere.client.get(OPEN))

    doors = ("Approve on", "Use your passkey", "Type your six words", "Restore from backup", "Start a separate list")
    places = [said.index(door) for door in doors]
    assert places == sorted(places)
    assert "When all of these are lost." in said


def test_setting_up_to_restore_leads_to_the_wizard(alice: Visitor) -> None:
    answer = alice.client.post(START, form(then="restore"))

    assert to(answer) == RESTORE
    assert alice.client.get(RESTORE).status_code == 200
    assert Device.objects.get().name == "Laptop"


def test_restore_without_the_open_list_comes_to_its_question_at_once(alice: Visitor, bob: Visitor) -> None:
    elsewhere = factories.at_another_browser(bob)

    answers = [who.client.get(reverse("backups:restore")) for who in (alice, elsewhere)]

    assert [answer.headers["Location"] for answer in answers] == [
        f"{reverse('accounts:start')}?then=restore",
        f"{reverse('accounts:lost')}?then=restore",
    ]


@pytest.mark.parametrize(
    ("name", "sign_up", "onward", "said"),
    [
        ("account_login", "open", RESTORE, (True, True, False)),
        ("account_login", "closed", RESTORE, (True, False, False)),
        ("account_signup", "open", RESTORE, (False, False, True)),
        ("account_login", "open", reverse("accounts:list"), (False, False, False)),
    ],
)
def test_sign_in_before_a_restore_says_which_account_it_asks_for(
    db: None, settings: Any, name: str, sign_up: str, onward: str, said: tuple[bool, ...]
) -> None:
    settings.SIGN_UP = sign_up

    page = text(factories.Client().get(reverse(name), {"next": onward}))

    assert said == (
        "Restore from backup: first sign in to Authweb. This is not your iCloud or Microsoft account" in page,
        "If you no longer have your Authweb account, create a new one" in page,
        "Restore from backup: first create an Authweb account." in page,
    )


def test_welcome_signs_in_first_and_leads_on(alice: Visitor) -> None:
    stranger = factories.Client()

    to_sign_in = to(stranger.get(RESTORE))
    answer = stranger.post(to_sign_in, {"login": "alice@example.org", "password": factories.PASSWORD}, follow=True)

    assert to_sign_in == f"{reverse('account_login')}?next={RESTORE}"
    assert [step for step, _ in answer.redirect_chain] == [RESTORE, f"{START}?then=restore"]
    sign_up = f"{reverse('account_signup')}?{urlencode({'next': RESTORE})}"
    assert sign_up in factories.Client().get(to_sign_in).content.decode()
