"""Session and device cookie: each alone opens nothing, nor both of two people; what is malformed enrols nobody."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.cookies import Morsel
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts import arrivals
from accounts.models import Device, KeySlot, SlotKind, Vault
from accounts.services import approvals, devices
from accounts.vault.keys import DeviceCookie, Secret
from tests import factories
from tests.attacks import crawler
from tests.factories import Visitor

LIST = reverse("accounts:list")
FORM = {"pinned": "1", "agreed": "1", "name": "x", "issuer": "x", "note": "x", "letters": "AAAAAAAA"}
FORM |= {"words": "some words", "again": "some words", "one": "some", "other": "words", "answer": "refuse"}
# Where a list is used, kept, or opened; a separate one is begun by who signs in.
OF_THE_KEY = ("accounts/", "keys/", "open/", "devices/requests/")


def with_cookies(*visitors: tuple[Visitor, str]) -> Client:
    """A browser that holds only these: `(alice, "session")`, `(bob, "device")`."""
    client = Client(raise_request_exception=False)
    for visitor, which in visitors:
        name = settings.SESSION_COOKIE_NAME if which == "session" else arrivals.cookie_name(visitor.user.pk)
        client.cookies[name] = visitor.client.cookies[name].value
    return client


def seen(client: Client, values: dict[str, Any]) -> list[str]:
    """Pages on which a word of alice's list stands, by GET and POST."""
    found = []
    for method in ("get", "post"):
        for page in crawler.pages():
            if page.name == "account_logout":
                continue
            answer = getattr(client, method)(page.address(values), FORM if method == "post" else {})
            if b"of alice" in crawler.body(answer):
                found.append(f"{method} {page.name}")
    return found


@pytest.mark.row("T33")
@pytest.mark.parametrize(
    "held",
    [
        pytest.param([("alice", "session")], id="her session alone"),
        pytest.param([("alice", "device")], id="her device cookie alone"),
        pytest.param([("bob", "session"), ("alice", "device")], id="his session, her device cookie"),
        pytest.param([("alice", "session"), ("bob", "device")], id="her session, his device cookie"),
        pytest.param([("bob", "session"), ("bob", "device"), ("alice", "device")], id="all of his, her device cookie"),
    ],
)
def test_list_needs_session_and_device_of_one_person(
    held: list[tuple[str, str]], alice_phone: Visitor, bob: Visitor
) -> None:
    values = crawler.furnish(alice_phone)
    people = {"alice": alice_phone, "bob": bob}
    before = factories.vault_of(alice_phone).version

    found = seen(with_cookies(*((people[who], which) for who, which in held)), values)

    assert found == []
    assert factories.vault_of(alice_phone).version == before


@pytest.mark.row("T33")
def test_both_of_one_person_open_it(alice_phone: Visitor) -> None:
    """The control: with both the same pages show it."""
    values = crawler.furnish(alice_phone)

    found = seen(with_cookies((alice_phone, "session"), (alice_phone, "device")), values)

    assert {"get accounts:list", "get accounts:account", "get accounts:edit", "get accounts:trash"} <= set(found)


@pytest.mark.row("T33")
def test_device_cookie_under_another_persons_name_opens_nothing(alice_phone: Visitor, bob: Visitor) -> None:
    """Her key under his cookie's name beside his session, and beside hers under his name."""
    values = crawler.furnish(alice_phone)
    mixed = with_cookies((bob, "session"))
    mixed.cookies[arrivals.cookie_name(bob.user.pk)] = alice_phone.cookie.to_text()
    renamed = with_cookies((alice_phone, "session"))
    renamed.cookies[arrivals.cookie_name(bob.user.pk)] = alice_phone.cookie.to_text()

    assert seen(mixed, values) == []
    assert seen(renamed, values) == []


@pytest.mark.row("T33")
def test_two_people_in_one_browser_see_each_their_own_and_lose_nothing(alice_phone: Visitor, bob: Visitor) -> None:
    """One signs in after the other; the other's key stays in the browser, unchanged, and opens again afterwards."""
    factories.create_entry(on=alice_phone, name="of alice")
    factories.create_entry(on=bob, name="of bob")
    browser = Client()
    cookies = [(visitor, arrivals.cookie_name(visitor.user.pk)) for visitor in (alice_phone, bob)]
    for visitor, name in cookies:
        browser.cookies[name] = visitor.client.cookies[name].value

    shown, touched = [], []
    for visitor in (alice_phone, bob, alice_phone):
        browser.cookies[settings.SESSION_COOKIE_NAME] = (
            factories.at_another_browser(visitor).client.cookies[settings.SESSION_COOKIE_NAME].value
        )
        answer = browser.get(LIST)
        shown.append([b"of alice" in answer.content, b"of bob" in answer.content])
        touched += [name for name in answer.cookies if "device-key" in name]
        signed_out = browser.post(reverse("account_logout"))
        touched += [name for name in signed_out.cookies if "device-key" in name]

    assert shown == [[True, False], [False, True], [True, False]]
    assert touched == []
    assert [browser.cookies[name].value for _, name in cookies] == [alice_phone.cookie.to_text(), bob.cookie.to_text()]


@pytest.mark.row("T33")
def test_two_people_ask_in_one_browser_and_each_is_let_in_alone(alice_phone: Visitor, bob: Visitor) -> None:
    """Both requests wait there at once; each sees its own letters, and fetching one leaves the other as it is."""
    waiting, shown, leads, touched = reverse("accounts:open-waiting"), [], [], []
    asking = [factories.asking(visitor) for visitor in (alice_phone, bob)]
    browser = Client()
    for visitor in asking:
        browser.cookies[arrivals.cookie_name(visitor.user.pk)] = visitor.cookie.to_text()
    sessions = [visitor.client.cookies[settings.SESSION_COOKIE_NAME].value for visitor in asking]
    for visitor, had, session in zip(asking, (alice_phone, bob), sessions, strict=True):
        browser.cookies[settings.SESSION_COOKIE_NAME] = session
        letters = browser.get(waiting).context["letters"]
        slot = KeySlot.objects.get(device=visitor.device)
        shown.append(letters)
        approvals.approve(had.vault, slot.pk, letters, at=timezone.now())
    for visitor, session in zip(asking, sessions, strict=True):
        browser.cookies[settings.SESSION_COOKIE_NAME] = session
        answer = browser.post(waiting)
        leads.append(answer.headers["Location"])
        touched += [name for name in answer.cookies if "device-key" in name]
        others = KeySlot.objects.filter(kind=SlotKind.APPROVAL, vault__user=bob.user).exclude(sealed=None)
        leads.append(str(others.count()))
        assert visitor.entries == ()

    assert shown[0] != shown[1]
    assert leads == [LIST, "1", LIST, "0"]
    assert touched == []


@pytest.mark.row("T33")
def test_removed_device_is_refused_everywhere_at_once(alice_phone: Visitor) -> None:
    """Its cookie with its old session, and with a new one; its sessions are over, its drafts are gone."""
    values = crawler.furnish(alice_phone)
    alice_phone.client.get(LIST)
    old = with_cookies((alice_phone, "session"), (alice_phone, "device"))
    assert old.get(LIST).status_code == 200

    devices.remove(alice_phone.device, at=timezone.now(), by=None)
    new = with_cookies((factories.at_another_browser(alice_phone), "session"), (alice_phone, "device"))
    found = [seen(old, values), seen(new, values)]

    assert found == [[], []]
    assert old.get(LIST).headers["Location"].startswith(reverse("account_login"))
    assert new.get(LIST).headers["Location"] == reverse("accounts:open")
    assert not alice_phone.device.drafts.exists()


@pytest.mark.row("T33")
def test_removal_undone_opens_again_but_not_by_the_removed_browser(alice_phone: Visitor) -> None:
    crawler.furnish(alice_phone)
    devices.remove(alice_phone.device, at=timezone.now(), by=None)
    removed = with_cookies((factories.at_another_browser(alice_phone), "session"), (alice_phone, "device"))
    laptop = factories.at_another_browser(alice_phone).client
    address = reverse("accounts:device-undo", args=[alice_phone.device.pk])

    removed.post(address)
    by_itself = removed.get(LIST).status_code
    laptop.post(address)
    by_another = removed.get(LIST).status_code

    assert [by_itself, by_another] == [302, 200]


# -- The cookie itself ------------------------------------------------------------------------------------------------


def attributes(morsel: Morsel[str]) -> dict[str, Any]:
    """What the browser is told of a cookie."""
    return {name: value for name, value in morsel.items() if value and name != "expires"}


@pytest.mark.row("T33")
def test_device_cookie_is_exactly_as_designed(alice: Visitor, settings: Any) -> None:
    settings.DEVICE_COOKIE_NAME, settings.DEVICE_COOKIE_SECURE = "__Host-device-key-{person}", True
    form = alice.client.get(reverse("accounts:start"), secure=True).context["form"]
    stood = {name: form[name].value() for name in form.fields}

    answer = alice.client.post(reverse("accounts:start"), {**stood, "name": "Phone", "type": "ios"}, secure=True)

    (sent,) = [morsel for name, morsel in answer.cookies.items() if "device" in name]
    person = base64.b32encode(alice.user.pk.bytes).decode()[:8].lower()
    device = Device.objects.get()
    value = base64.urlsafe_b64decode(sent.value + "==")
    assert sent.key == f"__Host-device-key-{person}"
    assert attributes(sent) == {
        "path": "/",
        "max-age": 34_560_000,
        "secure": True,
        "httponly": True,
        "samesite": "Lax",
    }
    assert [len(sent.value), len(sent.value) <= 100, "domain" in sent.OutputString().lower()] == [66, True, False]
    assert [value[:1], value[1:17], len(value[17:])] == [b"\x01", device.pk.bytes, 32]
    assert value[17:] not in b"".join(bytes(slot.wrapped) + bytes(slot.share) for slot in KeySlot.objects.all())


@pytest.mark.row("T33")
def test_device_cookie_is_sent_again_unchanged_once_a_week_alone(alice_phone: Visitor) -> None:
    name, begun = arrivals.cookie_name(alice_phone.user.pk), timezone.now()
    sent = {}
    for days in (0, 1, 6.9, 7.1, 8, 14, 14.2):
        with time_machine.travel(begun + timedelta(days=days)):
            answer = alice_phone.client.get(LIST)
            assert answer.status_code == 200
            if name in answer.cookies:
                sent[days] = (answer.cookies[name].value, answer.cookies[name]["max-age"])

    assert sent == dict.fromkeys((7.1, 14.2), (alice_phone.cookie.to_text(), 34_560_000))


# -- Cookies that are none --------------------------------------------------------------------------------------------


@pytest.fixture
def strange(alice_phone: Visitor, bob: Visitor, mallory_removed: Visitor) -> Callable[[int], Iterator[str]]:
    """Values no device of alice's has: malformed, truncated, altered, another's, a removed one's, of nobody."""
    chance = random.Random(20)
    right = alice_phone.cookie.to_text()
    letters = string.ascii_letters + string.digits + "-_"
    everything = (
        letters + string.punctuation.replace(";", "").replace(",", "").replace('"', "").replace("\\", "") + " é\t"
    )

    def altered() -> str:
        place = chance.randrange(len(right))
        return (
            right[:place] + chance.choice([letter for letter in letters if letter != right[place]]) + right[place + 1 :]
        )

    def drawn(text: str, most: int) -> str:
        return "".join(chance.choices(text, k=chance.randrange(most)))

    kinds: list[Callable[[], str]] = [
        altered,
        lambda: right[: chance.randrange(66)],
        lambda: right + chance.choice(letters) + drawn(letters, 40),
        lambda: right.swapcase(),
        lambda: bob.cookie.to_text(),
        lambda: mallory_removed.cookie.to_text(),
        lambda: DeviceCookie(alice_phone.device.pk.bytes, Secret(chance.randbytes(32))).to_text(),
        lambda: DeviceCookie(chance.randbytes(16), alice_phone.cookie.key).to_text(),
        lambda: DeviceCookie(chance.randbytes(16), Secret(chance.randbytes(32))).to_text(),
        lambda: base64.urlsafe_b64encode(b"\x02" + chance.randbytes(48)).decode().rstrip("="),
        lambda: drawn(letters, 200),
        lambda: drawn(everything, 100),
        lambda: "A" * chance.choice((0, 65, 66, 67, 4000)),
    ]
    return lambda count: (kinds[number % len(kinds)]() for number in range(count))


@pytest.mark.row("T34")
def test_ten_thousand_strange_cookies_make_no_device_and_set_none(
    alice_phone: Visitor, strange: Callable[[int], Iterator[str]], amount: Callable[..., int]
) -> None:
    """Beside alice's own session, at pages that need the list and pages that do not."""
    handler, factory = WSGIHandler(), RequestFactory()
    session = alice_phone.client.cookies[settings.SESSION_COOKIE_NAME].value
    own = arrivals.cookie_name(alice_phone.user.pk)
    count = amount(short=10_000, long=10_000)
    before = [Device.objects.count(), KeySlot.objects.count(), Vault.objects.count()]
    addresses = [LIST, reverse("accounts:codes"), reverse("accounts:trash"), reverse("accounts:add-link")]
    last = [reverse("accounts:open"), reverse("accounts:devices")]  # Rendered: a page in a hundred.

    wrong = []
    for number, value in enumerate(strange(count)):
        address = last[number // 100 % 2] if number % 100 == 0 else addresses[number % 4]
        request = factory.get(address, headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}; {own}={value}"})
        answer = handler.get_response(request)
        expected = 200 if number % 100 == 0 else 302
        if answer.status_code != expected or any("device" in name for name in answer.cookies):
            wrong.append((value, answer.status_code, list(answer.cookies)))

    assert wrong == []
    assert [Device.objects.count(), KeySlot.objects.count(), Vault.objects.count()] == before


@pytest.mark.row("T34")
def test_right_cookie_among_the_strange_ones_would_be_noticed(alice_phone: Visitor) -> None:
    """The control: the same request with the right value is not refused."""
    session = alice_phone.client.cookies[settings.SESSION_COOKIE_NAME].value
    own = arrivals.cookie_name(alice_phone.user.pk)
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}; {own}={alice_phone.cookie.to_text()}"

    answer = WSGIHandler().get_response(RequestFactory().get(LIST, headers={"Cookie": cookie}))

    assert answer.status_code == 200


@pytest.mark.row("T34")
def test_strange_cookies_sent_by_post_enrol_nobody(
    alice_phone: Visitor, strange: Callable[[int], Iterator[str]]
) -> None:
    values = crawler.furnish(alice_phone)
    before = crawler.rows()
    name = arrivals.cookie_name(alice_phone.user.pk)

    wrong = []
    for value in strange(26):
        client = with_cookies((alice_phone, "session"))
        client.cookies[name] = value
        for page in crawler.pages():
            if page.route.startswith(OF_THE_KEY) and page.name != "accounts:separate":
                answer = client.post(page.address(values), FORM)
                if answer.status_code >= 500 or name in answer.cookies:
                    wrong.append((page.name, value, answer.status_code))

    assert wrong == []
    assert crawler.changed(before, crawler.rows()) == []


@pytest.mark.row("T34")
@pytest.mark.parametrize("count", [9, 60])
def test_pile_of_device_cookies_does_not_hide_the_right_one_when_it_comes_first(
    count: int, alice_phone: Visitor
) -> None:
    """Of a pile eight are looked at, so that nobody makes the server search for many at once."""
    session = alice_phone.client.cookies[settings.SESSION_COOKIE_NAME].value
    pile = "; ".join(
        f"device-key-{number:08d}={DeviceCookie(random.randbytes(16), Secret(bytes(32))).to_text()}"
        for number in range(count)
    )
    own = f"{arrivals.cookie_name(alice_phone.user.pk)}={alice_phone.cookie.to_text()}"
    handler, factory = WSGIHandler(), RequestFactory()
    statuses = [
        handler.get_response(
            factory.get(LIST, headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}; {first}; {second}"})
        ).status_code
        for first, second in ((own, pile), (pile, own))
    ]

    assert statuses[0] == 200
    assert statuses[1] in (200, 302)
