"""Every door in one table: what is right opens the list, and of all that is not quite right nothing opens anything."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import arrivals
from accounts.models import DeviceType, KeySlot, SlotKind
from accounts.services import approvals, devices, held_keys, passkeys, words
from accounts.services.approvals import Asked
from accounts.services.devices import NewDevice
from accounts.vault.encoding import b64url
from accounts.vault.keys import Costs, Secret
from tests import factories
from tests.attacks import crawler
from tests.attacks.life import FIREFOX
from tests.factories import Visitor

pytestmark = pytest.mark.row("T41")

LIST = reverse("accounts:list")
ASK, WAITING = reverse("accounts:open-approve"), reverse("accounts:open-waiting")
WORDS, PASSKEY = reverse("accounts:open-words"), reverse("accounts:open-passkey")
SIX = "granite ladle marigold hexagon kettle lantern"
OTHERS = "abacus zoology kettle ladle granite lantern"
CHEAP = Costs(8 * 1024, 1, 1)
OUTPUT, OTHER = b"p" * 32, b"q" * 32

# What a person reads. Where the page is missing, or the sign-in or the doors are shown, that is what it says.
DOORS, SIGN_IN, MISSING = "Open your list on this browser", "Sign in", "That page is not here."
NONE_OF_YOURS = "This passkey opens no list of yours."
DAMAGED, WORDS_DAMAGED = "What is kept here is damaged and does not open.", "What these words open is damaged"
NOT_THE_WORDS = "Those are not the words of this list."
DOES_NOT_OPEN = "What was sent to this browser does not open your list. Nothing was changed."
NOT_THE_LETTERS = "These are not the letters of this request."


@dataclass
class World:
    """Alice's phone with an account, six words and two passkeys; bob with as much; and alice at a new browser."""

    phone: Visitor
    bob: Visitor
    new: Visitor

    def slot(self, kind: SlotKind, *, of: Visitor | None = None, **more: Any) -> KeySlot:
        """A key of hers, or of his."""
        found = KeySlot.objects.select_related("device", "vault", "by_device")
        return found.get(vault=factories.vault_of(of or self.phone), kind=kind, **more)


@pytest.fixture
def world(alice_phone: Visitor, bob: Visitor) -> World:
    for visitor, typed, outputs in ((alice_phone, SIX, (OUTPUT, OTHER)), (bob, OTHERS, (OTHER, OUTPUT))):
        factories.create_entry(on=visitor, name=f"of {visitor.user.email.partition('@')[0]}")
        words.make(visitor.vault, typed, at=timezone.now(), costs=CHEAP)
        for number, output in enumerate(outputs):
            credential = f"{number} of {visitor.user.email}".encode()
            passkeys.add(visitor.vault, credential, (Secret(output), Secret(output)), "Key", at=timezone.now())
        visitor.client.get(LIST)
    return World(factories.grown_fresh(alice_phone), factories.grown_fresh(bob), browser(alice_phone))


def browser(visitor: Visitor) -> Visitor:
    """This person at another browser, which says what it is."""
    there = factories.at_another_browser(visitor)
    there.client.defaults["HTTP_USER_AGENT"] = FIREFOX["User-Agent"]
    return there


# -- What is done -----------------------------------------------------------------------------------------------------

Tried = tuple[Client, HttpResponse]  # The browser that would have the list, and what it was answered last.


def typed(world: World, text: str = SIX, *, by: Visitor | None = None, query: str = "", **more: Any) -> Tried:
    """Words, in the new browser."""
    client = (by or world.new).client
    return client, client.post(f"{WORDS}{query}", {"device_id": uuid4(), "words": text, **more})


def touched(world: World, output: bytes = OUTPUT, *, by: Visitor | None = None, which: int = 0, **more: Any) -> Tried:
    """A passkey of alice's, in the new browser."""
    client = (by or world.new).client
    data = {"device_id": uuid4(), "credential": credential(world.phone, which), "output": b64url(output), **more}
    return client, client.post(PASSKEY, data)


def credential(visitor: Visitor, which: int) -> str:
    """The id of a passkey, as a script sends it."""
    return b64url(f"{which} of {visitor.user.email}".encode())


def letters(visitor: Visitor) -> str:
    """What this browser shows while it waits."""
    assert visitor.device is not None
    assert visitor.cookie is not None
    return approvals.letters(Asked(request_of(visitor), visitor.device, visitor.cookie))


def request_of(visitor: Visitor) -> KeySlot:
    """The row of its request."""
    return KeySlot.objects.select_related("device", "vault").get(device=visitor.device)


def answered(world: World, asking: Visitor, *, by: Visitor | None = None, **data: str) -> Any:
    """Its letters typed on the phone, or something else sent there."""
    address = reverse("accounts:request", args=[request_of(asking).pk])
    return (by or world.phone).client.post(address, data or {"letters": letters(asking)})


def approved(world: World, name: str = "Laptop") -> Visitor:
    """Another browser of alice's that asked and was let in, and has not fetched the key yet."""
    asking = factories.asking(world.phone, name=name)
    answered(world, asking)
    return asking


def fetched(visitor: Visitor, *, client: Client | None = None) -> Tried:
    """Who waits looks whether it is let in."""
    client = client or visitor.client
    return client, client.post(WAITING)


def with_cookies(session_of: Visitor | None, key_of: Visitor | None, *, named_for: Visitor) -> Client:
    """A browser with one's session and another's key."""
    client = Client(headers=FIREFOX)
    if session_of is not None:
        name = settings.SESSION_COOKIE_NAME
        client.cookies[name] = session_of.client.cookies[name].value
    if key_of is not None:
        assert key_of.cookie is not None
        client.cookies[arrivals.cookie_name(named_for.user.pk)] = key_of.cookie.to_text()
    return client


def swap(one: KeySlot, other: KeySlot, *columns: str) -> None:
    """As who writes the database swaps columns of two rows."""
    values = {slot.pk: {column: getattr(slot, column) for column in columns} for slot in (one, other)}
    spared = {"credential": b"meanwhile"} if "credential" in columns else {}
    for pk, changed in ((one.pk, spared), (other.pk, values[one.pk]), (one.pk, values[other.pk])):
        KeySlot.objects.filter(pk=pk).update(**changed) if changed else None


# -- The table --------------------------------------------------------------------------------------------------------


def words_of_another(world: World) -> Tried:
    """He has her words, and names her list."""
    his = browser(world.bob)
    return typed(world, by=his, query=f"?list={factories.vault_of(world.phone).pk}")


def words_after_ten(world: World) -> Tried:
    for _ in range(10):
        typed(world, OTHERS)
    return typed(world)


def words_twice(world: World) -> Tried:
    """By the id of the browser that they opened before: a page that was sent again from elsewhere."""
    _, first = typed(world)
    world.new.client.get(LIST)
    device = devices_of(world.phone) - {world.phone.device.pk}
    assert first.headers["Location"] == LIST
    return typed(world, by=browser(world.phone), device_id=device.pop())


def words_removed(world: World) -> Tried:
    held_keys.remove(world.phone.vault, world.slot(SlotKind.WORDS).pk, at=timezone.now())
    return typed(world)


def words_changed(world: World) -> Tried:
    words.make(world.phone.vault, OTHERS, at=timezone.now(), costs=CHEAP)
    return typed(world)


def words_for_a_removed_device(world: World) -> Tried:
    device = removed_opened_by(world, typed)
    return typed(world, by=browser(world.phone), device_id=device)


def words_of_her_other_list(world: World) -> Tried:
    first, new = factories.vault_of(world.phone), NewDevice(uuid4(), "Second", DeviceType.COMPUTER)
    made = devices.set_up(world.phone.user, new, at=timezone.now(), separate=True)
    second = Visitor(world.phone.user, Client(), made.device, made.cookie)
    words.make(second.vault, OTHERS, at=timezone.now(), costs=CHEAP)
    return typed(world, OTHERS, query=f"?list={first.pk}")


def words_of_his_list(world: World) -> Tried:
    """Her own session, his words, and the address of his list."""
    return typed(world, OTHERS, query=f"?list={factories.vault_of(world.bob).pk}")


def words_swapped(*columns: str, kind: SlotKind = SlotKind.WORDS) -> Callable[[World], Tried]:
    """With his words, or with a passkey of hers."""

    def tried(world: World) -> Tried:
        his = kind is SlotKind.WORDS
        other = world.slot(kind, of=world.bob) if his else world.slot(kind, credential=b"0 of alice@example.org")
        swap(world.slot(SlotKind.WORDS), other, *columns)
        return typed(world)

    return tried


def passkey_of_another(world: World) -> Tried:
    return touched(world, by=browser(world.bob))


def passkey_twice(world: World) -> Tried:
    touched(world)
    world.new.client.get(LIST)
    device = devices_of(world.phone) - {world.phone.device.pk}
    return touched(world, by=browser(world.phone), device_id=device.pop())


def passkey_removed(world: World) -> Tried:
    slot = world.slot(SlotKind.PASSKEY, credential=b"0 of alice@example.org")
    held_keys.remove(world.phone.vault, slot.pk, at=timezone.now())
    return touched(world)


def passkey_for_a_removed_device(world: World) -> Tried:
    device = removed_opened_by(world, touched)
    return touched(world, by=browser(world.phone), device_id=device)


def passkeys_swapped(*columns: str, his: bool = False) -> Callable[[World], Tried]:
    """Two of hers, or one of hers and one of his."""

    def tried(world: World) -> Tried:
        of = world.bob if his else world.phone
        other = world.slot(SlotKind.PASSKEY, of=of, credential=f"1 of {of.user.email}".encode())
        swap(world.slot(SlotKind.PASSKEY, credential=b"0 of alice@example.org"), other, *columns)
        return touched(world)

    return tried


def removed_opened_by(world: World, act: Callable[[World], Tried]) -> Any:
    """The id of a device that came by this door, and was removed."""
    act(world)
    world.new.client.get(LIST)
    (device,) = world.phone.user.devices.exclude(pk=world.phone.device.pk)
    devices.remove(device, at=timezone.now(), by=world.phone.device)
    return device.pk


def devices_of(visitor: Visitor) -> set[Any]:
    return set(visitor.user.devices.values_list("pk", flat=True))


def approval_right(world: World) -> Tried:
    return fetched(approved(world))


def approval_wrong(world: World) -> Tried:
    asking = factories.asking(world.phone)
    answer = answered(world, asking, letters="AAAAAAAA")
    fetched(asking)
    return asking.client, answer


def approval_by_another(world: World) -> Tried:
    asking = factories.asking(world.phone)
    answer = answered(world, asking, by=world.bob)
    fetched(asking)
    return asking.client, answer


def approval_expired(world: World) -> Tried:
    asking = approved(world)
    KeySlot.objects.filter(device=asking.device).update(expires_at=timezone.now())
    return fetched(asking)


def approval_expired_before(world: World) -> Tried:
    asking = factories.asking(world.phone)
    KeySlot.objects.filter(device=asking.device).update(expires_at=timezone.now())
    answer = answered(world, asking)
    fetched(asking)
    return asking.client, answer


def approval_twice(world: World) -> Tried:
    """Fetched, and everything sent once more; by a browser that has the session, and lost the key."""
    asking = approved(world)
    spent = letters(asking)
    fetched(asking)
    fetched(asking)
    answered(world, asking, letters=spent)
    return fetched(asking, client=with_cookies(browser(asking), None, named_for=asking))


def approval_refused(world: World) -> Tried:
    asking = factories.asking(world.phone)
    answered(world, asking, answer="refuse")
    answered(world, asking)
    return fetched(asking)


def approval_by_a_removed_device(world: World) -> Tried:
    asking = approved(world)
    devices.remove(world.phone.device, at=timezone.now(), by=None)
    return fetched(asking)


def approval_of_a_removed_device(world: World) -> Tried:
    asking = approved(world)
    devices.remove(asking.device, at=timezone.now(), by=None)
    again = with_cookies(browser(asking), asking, named_for=asking)
    return fetched(asking, client=again)


def approvals_swapped(*columns: str, his: bool = False) -> Callable[[World], Tried]:
    """Of two browsers that were let in: of hers both, or the other of his."""

    def tried(world: World) -> Tried:
        one = approved(world)
        other = approved(replace(world, phone=world.bob) if his else world, name="Tablet")
        swap(request_of(one), request_of(other), *columns)
        return fetched(one)

    return tried


def approval_after_its_key_was_swapped(world: World) -> Tried:
    """Before the letters are typed: those that the new browser shows are of the key it holds."""
    one, other = factories.asking(world.phone), factories.asking(world.phone, name="Tablet")
    swap(request_of(one), request_of(other), "public_key")
    answer = answered(world, one)
    fetched(one)
    return one.client, answer


def approval_claimed_by_another_device(world: World) -> Tried:
    asking, tablet = approved(world), factories.with_another_device(world.phone, name="Tablet", type="ios")
    KeySlot.objects.filter(device=asking.device).update(by_device=tablet.device)
    return fetched(asking)


def letters_at_another_request(world: World) -> Tried:
    asking, other = factories.asking(world.phone), factories.asking(world.phone, name="Tablet")
    answer = answered(world, other, letters=letters(asking))
    fetched(asking)
    fetched(other)
    return other.client, answer


def cookies(session: str, key: str | None) -> Callable[[World], Tried]:
    """A browser was let in: who fetches it has this session and this key."""

    def tried(world: World) -> Tried:
        asking, his = approved(world), factories.asking(world.bob)
        people = {"hers": asking, "his": his, "none": None, None: None}
        named_for = his if session == "his" else asking
        return fetched(asking, client=with_cookies(people[session], people[key], named_for=named_for))

    return tried


def signed_out(act: Callable[..., Tried]) -> Callable[[World], Tried]:
    return lambda world: act(world, by=Visitor(world.phone.user, Client(headers=FIREFOX)))


def beside_his_key(act: Callable[..., Tried]) -> Callable[[World], Tried]:
    """Her session in a browser where his key lies: his stays, and hers is given beside it."""

    def tried(world: World) -> Tried:
        client = with_cookies(world.new, world.bob, named_for=world.bob)
        return act(world, by=Visitor(world.phone.user, client))

    return tried


# Door, case: what is tried, and what is read. Words and passkeys run out by nothing but tries; a passkey has none.
OPENS: dict[tuple[str, str], Callable[[World], Tried]] = {
    ("words", "right"): typed,
    ("words", "right, as they are typed by hand"): lambda world: typed(world, f" {SIX.upper().replace(' ', '-')} "),
    ("words", "right, beside a stranger's key"): beside_his_key(typed),
    ("passkey", "right"): touched,
    ("passkey", "the other"): lambda world: touched(world, OTHER, which=1),
    ("passkey", "right, beside a stranger's key"): beside_his_key(touched),
    ("approval", "right"): approval_right,
    ("approval", "right, with the cookies named again"): cookies("hers", "hers"),
}
OPENS_NOTHING: dict[tuple[str, str], tuple[Callable[[World], Tried], str]] = {
    ("words", "wrong"): (lambda world: typed(world, OTHERS), NOT_THE_WORDS),
    ("words", "another person's"): (words_of_another, NOT_THE_WORDS),
    ("words", "no try is left"): (words_after_ten, "Too many wrong words were typed."),
    ("words", "used twice"): (words_twice, "This page was out of date. Type the words here."),
    ("words", "removed"): (words_removed, DOORS),
    ("words", "changed"): (words_changed, NOT_THE_WORDS),
    ("words", "removed device"): (words_for_a_removed_device, "This page was out of date. Type the words here."),
    ("words", "her other list's"): (words_of_her_other_list, NOT_THE_WORDS),
    ("words", "his, at his list"): (words_of_his_list, NOT_THE_WORDS),
    ("words", "wrapped swapped with his"): (words_swapped("wrapped"), WORDS_DAMAGED),
    ("words", "wrapped and salt swapped with his"): (
        words_swapped("wrapped", "salt"),
        WORDS_DAMAGED,
    ),
    ("words", "salt swapped with his"): (words_swapped("salt"), NOT_THE_WORDS),
    ("words", "wrapped swapped with a passkey"): (
        words_swapped("wrapped", kind=SlotKind.PASSKEY),
        WORDS_DAMAGED,
    ),
    ("words", "signed out"): (signed_out(typed), SIGN_IN),
    ("passkey", "wrong"): (lambda world: touched(world, OTHER), NONE_OF_YOURS),
    ("passkey", "another person's"): (passkey_of_another, NONE_OF_YOURS),
    ("passkey", "used twice"): (passkey_twice, DOORS),
    ("passkey", "removed"): (passkey_removed, NONE_OF_YOURS),
    ("passkey", "removed device"): (passkey_for_a_removed_device, DOORS),
    ("passkey", "its id with what the other gives"): (lambda world: touched(world, OUTPUT, which=1), NONE_OF_YOURS),
    ("passkey", "his id"): (lambda world: touched(world, credential=credential(world.bob, 1)), NONE_OF_YOURS),
    ("passkey", "wrapped swapped with the other"): (passkeys_swapped("wrapped"), DAMAGED),
    ("passkey", "ids swapped with the other"): (passkeys_swapped("credential"), NONE_OF_YOURS),
    ("passkey", "both swapped with the other"): (passkeys_swapped("credential", "wrapped"), DAMAGED),
    ("passkey", "wrapped swapped with his"): (passkeys_swapped("wrapped", his=True), DAMAGED),
    ("passkey", "both swapped with his"): (passkeys_swapped("credential", "wrapped", his=True), NONE_OF_YOURS),
    ("passkey", "signed out"): (signed_out(touched), SIGN_IN),
    ("approval", "wrong letters"): (approval_wrong, NOT_THE_LETTERS),
    ("approval", "right letters, another person"): (approval_by_another, MISSING),
    ("approval", "expired"): (approval_expired, "The ten minutes are over."),
    ("approval", "expired before the letters"): (approval_expired_before, "The ten minutes are over."),
    ("approval", "used twice"): (approval_twice, DOORS),
    ("approval", "refused"): (approval_refused, "Refused on Alice's phone."),
    ("approval", "by a removed device"): (
        approval_by_a_removed_device,
        "Alice's phone approved, and was removed before this browser opened the list.",
    ),
    ("approval", "of a removed device"): (approval_of_a_removed_device, "This device was removed on"),
    ("approval", "sealed swapped with the other"): (approvals_swapped("sealed"), DOES_NOT_OPEN),
    ("approval", "sealed swapped with his"): (approvals_swapped("sealed", "by_device", his=True), DOES_NOT_OPEN),
    ("approval", "share swapped with the other"): (approvals_swapped("share"), DOES_NOT_OPEN),
    ("approval", "list swapped with his"): (approvals_swapped("vault", his=True), DOORS),
    ("approval", "key swapped before"): (approval_after_its_key_was_swapped, NOT_THE_LETTERS),
    ("approval", "another device claims it"): (approval_claimed_by_another_device, DOES_NOT_OPEN),
    ("approval", "letters of the other request"): (letters_at_another_request, NOT_THE_LETTERS),
    ("approval", "her session alone"): (cookies("hers", None), DOORS),
    ("approval", "her key alone"): (cookies("none", "hers"), SIGN_IN),
    ("approval", "her session, his key"): (cookies("hers", "his"), DOORS),
    ("approval", "his session, her key"): (cookies("his", "hers"), DOORS),
}


@dataclass
class Seen:
    """What came of it: whose list is shown, how many keys of devices came, cookies that were set, what is read."""

    shown: str
    keys: int
    cookies: int
    status: int
    says: str


def look(act: Callable[[World], Tried], world: World, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Try it, and look around afterwards."""
    before: set[Any] = set()
    given: list[str] = []
    send = Client.request

    def watched(self: Client, **request: Any) -> Any:
        before.clear()
        before.update(opening())
        answer = send(self, **request)
        given[:] = [name for name in answer.cookies if "device-key" in name and answer.cookies[name].value]
        return answer

    monkeypatch.setattr(Client, "request", watched)
    client, answer = act(world)
    monkeypatch.undo()
    came, set_here = opening() - before, len(given)
    client.raise_request_exception = False
    says = read(answer)
    page = client.get(LIST).content
    shown = [name for name in ("of alice", "of bob") if name.encode() in page]
    return Seen(" and ".join(shown), len(came), set_here, answer.status_code, says)


def opening() -> set[Any]:
    """The key slots that open a list, with their bytes."""
    doors = KeySlot.objects.doors().values_list("pk", "kind", "wrapped")
    return {(pk, kind, bytes(wrapped)) for pk, kind, wrapped in doors}


def read(answer: Any) -> str:
    """What the person who was answered reads in the end: scripts and browsers follow where they are led."""
    client = answer.client
    for _ in range(3):
        if answer.headers["Content-Type"] == "application/json":
            told = answer.json()
            if "sentence" in told:
                return str(told["sentence"])
            answer = client.get(told["location"])
        elif answer.status_code in (302, 303):
            answer = client.get(answer.headers["Location"])
    return html.unescape(" ".join(re.sub("<[^>]*>", "", crawler.body(answer).decode()).split()))


@pytest.mark.parametrize("case", OPENS, ids=" ".join)
def test_what_is_right_opens(case: tuple[str, str], world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the table: one list, one key more, one cookie; the browser that asked was given it before."""
    seen = look(OPENS[case], world, monkeypatch)

    assert [seen.shown, seen.keys, seen.status < 400] == ["of alice", 1, True]
    assert seen.cookies == (0 if case[0] == "approval" else 1)


@pytest.mark.parametrize("case", OPENS_NOTHING, ids=" ".join)
def test_what_is_not_right_opens_nothing(case: tuple[str, str], world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    act, says = OPENS_NOTHING[case]

    seen = look(act, world, monkeypatch)

    assert replace(seen, says=says) == Seen("", 0, 0, seen.status, says)
    assert seen.status < 500
    assert says in seen.says


# -- By looking at a page, no door opens ------------------------------------------------------------------------------


def crawled(client: Client, values: dict[str, Any], query: dict[str, Any]) -> Iterator[tuple[str, HttpResponse]]:
    """Each page asked for, with everything that would be right in its address."""
    for page in crawler.pages():
        if page.name in ("account_logout", "admin:logout"):
            continue
        for method in (client.get, client.head):
            yield page.name, method(page.address(values), query)


def test_no_door_opens_by_looking_at_any_page(world: World) -> None:
    waits, let_in = factories.asking(world.phone, name="Tablet"), approved(world)
    for visitor in (waits, let_in):
        visitor.client.get(WAITING)
    query = {
        "device_id": uuid4(),
        "words": SIX,
        "credential": credential(world.phone, 0),
        "output": b64url(OUTPUT),
        "letters": letters(waits),
        "list": factories.vault_of(world.phone).pk,
    }
    values = {**crawler.NOBODYS, "request_id": request_of(waits).pk}
    before, asked = crawler.rows(), 0

    given, failed = [], []
    for client in (world.new.client, waits.client, let_in.client, world.phone.client):
        for name, answer in crawled(crawler.quiet(client), values, query):
            asked += 1
            given += [name for cookie in answer.cookies if "device-key" in cookie]
            failed += [name] if answer.status_code >= 500 else []

    assert [given, failed, crawler.changed(before, crawler.rows())] == [[], [], []]
    assert asked > 4 * 200
    assert [fetched(let_in)[1].headers["Location"] == LIST, typed(world)[1].headers["Location"] == LIST] == [True, True]
