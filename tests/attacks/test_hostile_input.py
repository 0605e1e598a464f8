"""Input as attackers send it, at every page: a refusal or a page, soon, and never a failure."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import Attempt, KeySlot, SlotKind
from accounts.vault import keys
from tests import factories
from tests.attacks import crawler
from tests.attacks.crawler import Page
from tests.attacks.life import FIREFOX
from tests.factories import Visitor

CPU = 0.2  # Seconds of one request, refusals aside.
STRETCHES = ("accounts:words-own",)  # What is sent there can be words that are made a key: one derivation beside it.

# Every name by which a form or a page of ours, of allauth's or of Django's takes something.
NAMES = (
    *("q", "from", "page", "group", "next", "lang", "id", "move", "by", "pinned", "agreed", "name", "type", "issuer"),
    *("note", "link", "label", "secret", "digits", "period", "algorithm", "counter", "way", "chosen", "keep", "renew"),
    *("theme", "time_zone", "language", "hide_codes", "device_id", "email", "login", "password", "password1"),
    *("password2", "oldpassword", "code", "action", "action_add", "credential", "o", "p", "e", "all", "_popup"),
    *("process", "scope", "auth_params", "state", "error", "version"),
    *("words", "again", "one", "other", "take", "own", "list", "output", "first", "second", "letters", "answer"),
    *("warned", "known", "told", "type"),
)

VALUES: Mapping[str, str] = {
    "SQL": "' OR 1=1; DROP TABLE accounts_user; --",
    "SQL, union": '") UNION SELECT password FROM accounts_user WHERE ("1"="1',
    "traversal": "../../../../../../etc/passwd%00.png",
    "header": "x\r\nSet-Cookie: device-key-aaaaaaaa=planted\r\nX-Planted: 1",
    "redirect": "https://elsewhere.example/",
    "redirect, no scheme": "//elsewhere.example/",
    "redirect, backslash": "/\\elsewhere.example/",
    "redirect, script": "javascript:alert(1)",
    "template": "{{ request.COOKIES }}{% load x %}${7*7}#{7*7}",
    "format": "%s%n%(user)s{0.__class__}",
    "nothing": "",
    "zero": "\x00",
    "surrogate": "\ud800",
    "numbers": "9" * 400,
    "less than nothing": "-1",
    "direction": "\u202egnp.exe\u2066",
    "combining": "a" + "\u0301" * 1_000,
    "JSON": '{"id": {"$ne": null}, "rawId": [], "response": 1}',
}


def passed(text: str) -> str:
    """As a query or form carries it; lone surrogates go as the bytes that stand for them."""
    return quote(text.encode("utf-8", "surrogatepass"))


@cache
def derivation() -> float:
    """Seconds of the processor that stretching words takes here, at most."""
    return max(_stretched() for _ in range(3))


def _stretched() -> float:
    begun = time.process_time()
    keys.stretch("granite anvil dolphin", bytes(16), keys.WORDS_COSTS)
    return time.process_time() - begun


def judged(page: Page, answer: HttpResponse, seconds: float) -> list[str]:
    """What is wrong with an answer to hostile input."""
    faults = []
    if answer.status_code >= 500:
        faults.append(str(answer.status_code))
    allowed = CPU + (derivation() if page.name in STRETCHES and seconds > CPU else 0)
    if seconds > allowed and answer.status_code < 400:
        faults.append(f"{seconds * 1000:.0f} ms")
    place = answer.headers.get("Location", "") + answer.headers.get("HX-Redirect", "")
    if "elsewhere.example" in place.split("?")[0] or place.startswith("javascript:"):
        faults.append(f"leads to {place}")
    if "X-Planted" in answer.headers or any(name.startswith("device-key-aaaa") for name in answer.cookies):
        faults.append("a header was planted")
    if b"root:x:0" in crawler.body(answer):
        faults.append("a file was shown")
    return [f"{page.name}: {fault}" for fault in faults]


@pytest.fixture
def ask(alice_phone: Visitor) -> Callable[..., tuple[HttpResponse, float]]:
    """Ask as alice, and say how much of the processor it took."""
    return asking(crawler.quiet(alice_phone.client))


@pytest.fixture
def ask_signed_out(db: None) -> Callable[..., tuple[HttpResponse, float]]:
    """The same by who is not signed in: they alone reach the entrances."""
    return asking(Client(raise_request_exception=False))


def asking(client: Client) -> Callable[..., tuple[HttpResponse, float]]:
    """A way to ask by this browser."""

    def asked(method: str, address: str, **options: Any) -> tuple[HttpResponse, float]:
        answer, seconds = once(method, address, **options)
        for _ in range(3):  # Again: what is loaded first, Python's collector, a busy machine are not the request's.
            if seconds <= CPU:
                break
            again, later = once(method, address, **options)
            if again.status_code != answer.status_code:
                break
            seconds = min(seconds, later)
        return answer, seconds

    def once(method: str, address: str, **options: Any) -> tuple[HttpResponse, float]:
        begun = time.process_time()
        answer = client.generic(method, address, **options)
        crawler.body(answer)
        return answer, time.process_time() - begun

    return asked


@pytest.fixture
def elsewhere(alice_phone: Visitor) -> Client:
    """Alice at a browser that waits to be let in; words open her list too, and stretching them takes half a second."""
    words = factories.create_key(on=alice_phone, kind=SlotKind.WORDS)
    KeySlot.objects.filter(pk=words.pk).update(passes=10)
    factories.create_key(on=alice_phone, kind=SlotKind.PASSKEY)
    client = crawler.quiet(factories.asking(alice_phone).client)
    client.defaults["HTTP_USER_AGENT"] = FIREFOX["User-Agent"]
    return client


@pytest.fixture
def ask_elsewhere(elsewhere: Client) -> Callable[..., tuple[HttpResponse, float]]:
    """The same at that browser: the doors are open to who has the list not yet."""
    return asking(elsewhere)


@pytest.fixture
def values(alice_phone: Visitor) -> dict[str, Any]:
    return crawler.furnish(alice_phone)


def pages() -> list[Page]:
    """All but those that end the session, or remove the browser that asks."""
    left_out = ("account_logout", "admin:logout", "accounts:device-remove")
    return [page for page in crawler.pages() if page.name not in left_out]


# One of each sort in the short form; all of them, by everybody, in the long one.
SHORT = {
    "ask": ("SQL", "header", "redirect, no scheme", "template", "zero", "surrogate", "numbers", "combining", "JSON"),
    "ask_elsewhere": ("SQL, union", "redirect", "zero", "surrogate"),
    "ask_signed_out": ("SQL", "redirect, backslash", "zero", "surrogate", "JSON"),
}


def cases() -> list[Any]:
    """Every kind by everybody."""
    return [
        pytest.param(kind, who, marks=() if kind in SHORT[who] else pytest.mark.long)
        for who in SHORT
        for kind in VALUES
    ]


@pytest.mark.row("T38")
@pytest.mark.parametrize(("kind", "who"), cases())
def test_hostile_values_in_every_field_and_query_fail_nowhere(
    kind: str, who: str, values: dict[str, Any], alice_phone: Visitor, request: pytest.FixtureRequest
) -> None:
    ask = request.getfixturevalue(who)
    everything = "&".join(f"{name}={passed(VALUES[kind])}" for name in NAMES)
    users = type(alice_phone.user).objects.count()

    faults = []
    for page in pages():
        if who == "ask_elsewhere" and not page.route.startswith(("open/", "start/", "devices/")):
            continue  # Without the key all else leads to the doors.
        address = page.address(values)
        faults += judged(page, *ask("GET", f"{address}?{everything}"))
        form = {"data": everything, "content_type": "application/x-www-form-urlencoded"}
        faults += judged(page, *ask("POST", address, **form))

    assert faults == []
    assert type(alice_phone.user).objects.count() == users
    assert ask("GET", reverse("accounts:list"))[0].status_code == (200 if who == "ask" else 302)


# Words that are none, in ways that make a search for them long.
MANGLED = {
    "one letter": "a" * 500,
    "no end": "acid" * 124 + "acix",
    "all apart": "a " * 250,
    "near misses": "kettel marigldo granitte " * 20,
    "six near misses": "kettel ladel granitte marigolt hexagno lanternn",
    "joined, one letter wrong": "graniteladlemarigoldhexagonkettlelantrn",
    "five": "granite ladle marigold hexagon kettle",
    "seven": "granite ladle marigold hexagon kettle lantern acid",
    "hyphens": "-" * 500,
    "letters that grow": "\ufdfa" * 500,
    "letters that combine": "a" + "\u0301" * 499,
    "too long": "granite " * 100_000,
}


def at_the_doors(text: str) -> list[tuple[str, dict[str, str]]]:
    """Each way to send it where a list is opened, with everything else as it should be."""
    device, words = {"device_id": str(uuid4())}, reverse("accounts:open-words")
    id, output = {"credential": "b25l"}, {"output": "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA"}
    return [
        (words, {**device, "words": text}),
        (words, {**device, "words": text, "take": "lantern"}),
        (words, {**device, "words": "granite ladle marigold hexagon kettle lantrn", "take": text}),
        (f"{words}?list={passed(text)[:2000]}", {**device, "words": "granite"}),
        (reverse("accounts:open-passkey"), {**device, "credential": text, **output}),
        (reverse("accounts:open-passkey"), {**device, **id, "output": text}),
        (f"{reverse('accounts:open-approve')}?list={passed(text)[:2000]}", {"device_id": text}),
        (f"{reverse('accounts:open-name')}?list={passed(text)[:2000]}", {"name": text, "type": "ios"}),
        (reverse("accounts:open-waiting"), {"warned": text}),
    ]


@pytest.mark.row("T38")
@pytest.mark.parametrize("text", [*VALUES.values(), *MANGLED.values()], ids=[*VALUES, *MANGLED])
def test_hostile_text_at_the_doors_is_answered_soon_and_costs_no_try(
    text: str, ask_elsewhere: Callable[..., tuple[HttpResponse, float]]
) -> None:
    """Nothing that is no six words is stretched."""
    ask_elsewhere("GET", reverse("accounts:open"))
    before = crawler.rows()

    faults = []
    for address, form in at_the_doors(text):
        body = "&".join(f"{name}={passed(value)}" for name, value in form.items())
        form_of = {"data": body, "content_type": "application/x-www-form-urlencoded"}
        faults += judged(Page(address, "", None), *ask_elsewhere("POST", address, **form_of))

    assert faults == []
    assert crawler.changed(before, crawler.rows()) == []


@pytest.mark.row("T38")
def test_six_words_are_stretched_and_that_is_noticed(ask_elsewhere: Callable[..., tuple[HttpResponse, float]]) -> None:
    """The control: these cost a try and half a second."""
    address, form = at_the_doors("granite ladle marigold hexagon kettle lantern")[0]
    body = {"data": urlencode(form), "content_type": "application/x-www-form-urlencoded"}

    answer, seconds = ask_elsewhere("POST", address, **body)

    assert len(judged(Page(address, "", None), answer, seconds)) == 1
    assert Attempt.objects.filter(act=Attempt.Act.WORDS).count() == 2 * 4  # Of the list and of the network, four times.


@pytest.mark.row("T38")
@pytest.mark.parametrize("text", [*VALUES.values(), *MANGLED.values()], ids=[*VALUES, *MANGLED])
def test_hostile_text_where_keys_are_made_makes_none(
    text: str, ask: Callable[..., tuple[HttpResponse, float]], values: dict[str, Any], alice_phone: Visitor
) -> None:
    """Typed back, typed as letters, sent for a passkey. What might be right by itself differs from the second time."""
    request = reverse("accounts:request", args=[values["request_id"]])
    output = {"first": "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA", "name": "Key"}
    sent = [
        (reverse("accounts:words-confirm", args=[values["words_id"]]), {"one": text, "other": text}),
        (reverse("accounts:words-own"), {"words": text, "again": f"{text}x"}),
        (reverse("accounts:passkey-new"), {"credential": text, **output, "second": "A" * 43}),
        (reverse("accounts:passkey-new"), {"credential": "b25l", **output, "second": text}),
        (request, {"letters": text}),
        (request, {"answer": text}),
    ]
    keys = KeySlot.objects.doors().count()

    faults = []
    for address, form in sent:
        body = "&".join(f"{name}={passed(value)}" for name, value in form.items())
        form_of = {"data": body, "content_type": "application/x-www-form-urlencoded"}
        faults += judged(Page(address, "", None), *ask("POST", address, **form_of))

    assert faults == []
    assert KeySlot.objects.doors().count() == keys
    assert not KeySlot.objects.filter(kind=SlotKind.APPROVAL).exclude(sealed=None).exists()


@pytest.mark.row("T38")
@pytest.mark.parametrize("kind", list(VALUES))
def test_hostile_addresses_are_not_there(kind: str, ask: Callable[..., tuple[HttpResponse, float]]) -> None:
    faults, statuses = [], set()
    for page in pages():
        if page.parameters and not page.name.startswith("openid_connect"):
            address = page.address(dict.fromkeys(crawler.NOBODYS, VALUES[kind].encode("utf-8", "replace").decode()))
            answer, seconds = ask("GET", address)
            statuses.add(answer.status_code)
            faults += judged(page, answer, seconds)

    assert faults == []
    assert statuses <= {301, 302, 400, 404, 405, 410}


@pytest.mark.row("T38")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "elsewhere.example"},
        {"Host": "testserver@elsewhere.example"},
        {"Host": "testserver:port"},
        {"Host": "' OR 1=1 --"},
        {"X-Forwarded-Host": "elsewhere.example"},
        {"X-Forwarded-For": "'; DROP TABLE accounts_user; --, ::1, x" * 50},
        {"X-Forwarded-Proto": "https\r\nX-Planted: 1"},
        {"User-Agent": "\x00\x1b[31m" + "A" * 60_000},
        {"Accept-Language": "../../etc/passwd, " + "en;q=0.1, " * 5_000},
        {"Accept-Encoding": "br;q=" + "9" * 5_000},
        {"Referer": "https://elsewhere.example/"},
        {"HX-Request": "true", "HX-Target": "account'><script>", "HX-Current-URL": "https://elsewhere.example/"},
        {"HX-Request": "true", "HX-Trigger": "%" * 5_000, "HX-Prompt-URI-AutoEncoded": "true", "HX-Prompt": "%zz%"},
        {"Content-Length": "-1"},
        {"Content-Length": "99999999999999999999"},
        {"Cookie": "session=" + "x" * 8_000},
        {"Cookie": "session=\x00; csrf=\x00"},
        {"Cookie": "; ".join(f"a{number}={number}" for number in range(3_000))},
        {"Range": "bytes=0-1,2-3,9999-"},
        {"If-None-Match": '"' * 10_000},
        {"X-HTTP-Method-Override": "DELETE"},
    ],
    ids=lambda headers: " ".join(headers)[:40],
)
def test_hostile_headers_fail_nowhere(
    headers: dict[str, str], ask: Callable[..., tuple[HttpResponse, float]], values: dict[str, Any]
) -> None:
    faults = []
    for page in pages()[:: 1 if "Host" in headers else 3]:
        answer, seconds = ask("GET", page.address(values), headers=headers)
        faults += judged(page, answer, seconds)
        if "elsewhere.example" in answer.content.decode(errors="replace") if not answer.streaming else False:
            faults.append(f"{page.name}: names the Host that was claimed")
        if "Host" in headers and answer.status_code != 400:
            faults.append(f"{page.name}: {answer.status_code}")

    assert faults == []


@pytest.mark.row("T40")
def test_fields_of_a_megabyte_are_refused_or_soon_answered(
    ask: Callable[..., tuple[HttpResponse, float]], values: dict[str, Any]
) -> None:
    size = 1_000_000
    faults = []
    for page in pages():
        for name in _fields(page):
            form = {"data": f"{name}={'A' * size}", "content_type": "application/x-www-form-urlencoded"}
            faults += judged(page, *ask("POST", page.address(values), **form))

    assert faults == []


def _fields(page: Page) -> tuple[str, ...]:
    """What a page takes: each is tried where it is read, and one of them everywhere."""
    taken = {
        "accounts:edit": ("name", "issuer", "note"),
        "accounts:add-link": ("link",),
        "accounts:add-hand": ("label", "secret"),
        "accounts:add-confirm": ("name", "issuer", "chosen"),
        "accounts:order": ("id",),
        "accounts:device-rename": ("name",),
        "accounts:start": ("name",),
        "accounts:separate": ("name",),
        "accounts:request": ("letters", "answer"),
        "accounts:words-own": ("words", "again"),
        "accounts:words-confirm": ("one", "renew"),
        "accounts:passkey-new": ("name", "credential", "first"),
        "account_login": ("login",),
        "account_signup": ("email",),
        "mfa_activate_totp": ("code",),
    }
    return taken.get(page.name, ("q",))


@pytest.mark.row("T40")
@pytest.mark.parametrize(
    "link",
    [
        f"otpauth://totp/{'A' * 1_000_000}?secret=JBSWY3DPEHPK3PXP",
        f"otpauth://totp/x?secret={'A' * 1_000_000}",
        f"otpauth://totp/x?{'&' * 900_000}secret=JBSWY3DPEHPK3PXP",
        f"otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&{'a=b&' * 200_000}",
        f"otpauth-migration://offline?data={'%41' * 300_000}",
        "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP\n" * 20_000,
        "\n" * 900_000,
        "otpauth://" + "%" * 900_000,
        "otpauth://totp/" + "%25" * 300_000,
    ],
    ids=["label", "secret", "ampersands", "pairs", "export", "lines", "empty lines", "percent", "percent twice"],
)
def test_long_links_are_refused_soon(link: str, ask: Callable[..., tuple[HttpResponse, float]]) -> None:
    address = reverse("accounts:add-link")
    form = {"data": f"link={quote(link)}"[: 1024 * 1024], "content_type": "application/x-www-form-urlencoded"}
    ask("GET", address)

    answer, seconds = ask("POST", address, **form)

    assert answer.status_code < 500
    assert seconds < CPU or answer.status_code >= 400, f"{seconds * 1000:.0f} ms"


@pytest.mark.row("T40")
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"id": "' + b"A" * 900_000 + b'"}',
        b'{"a": 1, "a": 2}',
        b"\xff\xfe\x00",
        b"1e999999",
        b"1" * 100_000,
        b"null",
        b'"text"',
        b"[]",
        b'{"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": []}',
        b'{"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {"userHandle": 1, "signature": []}}',
        b'{"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {"clientDataJSON": "e30",'
        b' "userHandle": "AAAA", "authenticatorData": "AAAA", "signature": "AAAA", "attestationObject": "oGFh"}}',
    ],
    ids=[
        *("brackets", "braces", "long", "twice", "no UTF-8", "infinite", "digits", "null", "text", "list"),
        *("no response", "wrong kinds", "cut short"),
    ],
)
@pytest.mark.parametrize("who", ["ask", "ask_signed_out"])
def test_deep_and_odd_json_fails_nowhere(
    body: bytes, who: str, values: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """As a body, and as the one field that carries JSON: what a passkey says."""
    ask = request.getfixturevalue(who)
    faults = []
    for page in pages():
        if page.name.startswith("admin:"):
            continue
        address = page.address(values)
        faults += judged(page, *ask("POST", address, data=body, content_type="application/json"))
        if "webauthn" in page.name or "passkey" in page.name or "authenticate" in page.name:
            ask("GET", address)  # A ceremony is begun by looking at its page.
            form = {"data": f"credential={quote(body)}&name=x", "content_type": "application/x-www-form-urlencoded"}
            faults += judged(page, *ask("POST", address, **form))

    assert faults == []


@pytest.mark.row("T40")
@pytest.mark.parametrize("kind", ["too many fields", "too many files", "no boundary", "cut short", "names", "nested"])
def test_forms_that_are_none_fail_nowhere(
    kind: str, ask: Callable[..., tuple[HttpResponse, float]], values: dict[str, Any]
) -> None:
    multipart = "multipart/form-data; boundary=x"
    part = b'--x\r\nContent-Disposition: form-data; name="pictures"; filename="%s"\r\n\r\nno picture\r\n'
    options: dict[str, dict[str, Any]] = {
        "too many fields": {
            "data": "&".join(f"a{number}=1" for number in range(3_000)),
            "content_type": "application/x-www-form-urlencoded",
        },
        "too many files": {"data": part % b"a.png" * 200 + b"--x--", "content_type": multipart},
        "no boundary": {"data": b"--x\r\n", "content_type": "multipart/form-data"},
        "cut short": {"data": (part % b"a.png")[:-30], "content_type": multipart},
        "names": {
            "data": b"".join(part % name for name in (b"../../etc/passwd", b"\xff\x00.png", b"a" * 9_000, b""))
            + b"--x--",
            "content_type": multipart,
        },
        "nested": {
            "data": b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n--y--\r\n--x--",
            "content_type": multipart,
        },
    }

    faults = []
    for page in pages():
        faults += judged(page, *ask("POST", page.address(values), **options[kind]))

    assert faults == []


@pytest.mark.row("T40")
def test_body_of_twenty_megabytes_is_read_and_refused(
    ask: Callable[..., tuple[HttpResponse, float]], alice_phone: Visitor
) -> None:
    picture = io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(20_000_000))
    picture.name = "large.png"
    answer = alice_phone.client.post(reverse("accounts:add-picture"), {"pictures": picture})
    form = {"data": "link=" + "A" * 20_000_000, "content_type": "application/x-www-form-urlencoded"}

    text, _ = ask("POST", reverse("accounts:add-link"), **form)

    assert answer.status_code == 200
    assert "8 MiB" in answer.content.decode() or "too large" in answer.content.decode()
    assert text.status_code == 400


@pytest.mark.row("T38")
@pytest.mark.parametrize("onward", [value for kind, value in VALUES.items() if kind.startswith("redirect")])
def test_sign_in_leads_nowhere_else(onward: str, alice: Visitor) -> None:
    client = Client()
    page = client.get(reverse("account_login"), {"next": onward})

    answer = client.post(
        f"{reverse('account_login')}?next={quote(onward)}",
        {"login": "alice@example.org", "password": "correct horse battery staple", "next": onward},
    )

    assert answer.headers["Location"] == reverse("accounts:list")
    assert f'href="{onward}"' not in page.content.decode()


@pytest.mark.row("T38")
@pytest.mark.parametrize(
    "path",
    [
        "/%00",
        "/%ff%fe",
        "/" + "a/" * 5_000,
        "/..%2f..%2fetc/passwd",
        "/static/../authweb/settings.py",
        "//x",
        "/.git/config",
        "/%0d%0aX-Planted:1",
    ],
)
def test_odd_addresses_are_not_there(path: str, db: None) -> None:
    handler = WSGIHandler()
    request = RequestFactory().get("/")
    request.path_info = request.path = request.META["PATH_INFO"] = path

    answer = handler.get_response(request)

    assert answer.status_code in (301, 302, 400, 404)
    assert "X-Planted" not in answer.headers


@pytest.mark.row("T38")
def test_judge_sees_what_is_wrong() -> None:
    """The control: each fault that is looked for is found in an answer that has it."""
    page = Page("page", "", None)
    away = HttpResponse(status=302, headers={"Location": "https://elsewhere.example/x?y"})
    planted = HttpResponse(headers={"X-Planted": "1"})

    found = [
        judged(page, HttpResponse(status=500), 0),
        judged(page, HttpResponse(), 0.3),
        judged(page, away, 0),
        judged(page, planted, 0),
        judged(page, HttpResponse(b"root:x:0:0"), 0),
        judged(page, HttpResponse(status=404), 0.3),
        judged(page, HttpResponse(json.dumps({"next": "https://elsewhere.example/"})), 0),
    ]

    assert [len(faults) for faults in found] == [1, 1, 1, 1, 1, 0, 0]
