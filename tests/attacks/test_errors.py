"""Something raises in every view, with secrets in its text, its variables and the request: no report shows one."""

from __future__ import annotations

import functools
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import wraps
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.http import HttpRequest, HttpResponse
from django.template import Engine
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from accounts.models import Draft, KeySlot
from accounts.services import approvals, codes, deletion, devices, held_keys, keyring, passkeys, vaults, words
from accounts.services.approvals import Asked
from accounts.vault import keys
from accounts.vault.encoding import b64url
from accounts.vault.keys import Costs, Secret
from backups.services import fates, opening, restoring, searching
from tests import factories
from tests.attacks import crawler, life
from tests.factories import Visitor

# What a report must not hold, each by where it is put. Letters alone, so that no escaping hides it.
CANARIES = {
    "text": "CanaryInTheTextOfTheException",
    "cause": "CanaryInTheTextOfItsCause",
    "context": "CanaryInTheTextOfItsContext",
    "note": "CanaryInANoteOfTheException",
    "variable": "CanaryInALocalVariable",
    "unicode": "CanaryInUndecodableText",
    "posted": "CanaryInAPostedValue",
    "words": "CanaryInTypedWords",
    "letters": "CanaryInTypedLetters",
    "output": "CanaryInWhatAPasskeyGives",
    "query": "CanaryInTheQuery",
    "file": "CanaryInTheNameOfAFile",
    "cookie": "CanaryInAnotherCookie",
    "header": "CanaryInAHeader",
    "agent": "CanaryInTheUserAgent",
}


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django compiles the templates of its reports for each report anew, half of what one takes."""
    monkeypatch.setattr(Engine, "from_string", functools.cache(Engine.from_string))


@dataclass
class Written:
    """All that was written down while something failed."""

    log: io.StringIO = field(default_factory=io.StringIO)
    pages: list[bytes] = field(default_factory=list)

    def leaks(self, *, beside: dict[str, str]) -> set[str]:
        """Which canaries, and which of the browser's own secrets, stand in it."""
        everything = self.log.getvalue() + b"".join(self.pages).decode(errors="replace")
        for sent in mail.outbox:
            if sent.to != ["operator@example.org"]:
                continue  # A notice to its owner, which names the browser.
            everything += f"{sent.subject}\n{sent.body}\n{getattr(sent, 'alternatives', '')}"
        for row in Session.objects.all():
            everything += str(row.get_decoded())
        return {name for name, value in {**CANARIES, **beside}.items() if value in everything}


@pytest.fixture
def written(settings: Any) -> Iterator[Written]:
    """What the log of the settings writes, as it writes it; and mails to administrators, which nobody switched on."""
    written = Written()
    root = logging.getLogger()
    ours = next(handler for handler in root.handlers if type(handler) is logging.StreamHandler and handler.filters)
    before, level = ours.setStream(written.log), root.level
    root.setLevel(logging.DEBUG)
    settings.ADMINS = [("Operator", "operator@example.org")]
    yield written
    root.setLevel(level)
    ours.setStream(before)


# What pages of keys are sent: each field with the canary of its kind.
FIELDS = {
    "secret": CANARIES["posted"],
    **dict.fromkeys(("words", "again", "one", "other", "take"), CANARIES["words"]),
    **dict.fromkeys(("credential", "output", "first", "second"), CANARIES["output"]),
    "letters": CANARIES["letters"],
}


def fail(*_: Any, **__: Any) -> Any:
    """Raise as badly as code can: a chain of exceptions that quote secrets, with more of them in variables."""
    variable = CANARIES["variable"]
    nested = {"entry": SimpleNamespace(secret=variable)}
    try:
        try:
            b"\xff".decode()
        except UnicodeDecodeError:
            raise LookupError(CANARIES["context"]) from None
    except LookupError as error:
        try:
            raise KeyError(CANARIES["cause"]) from error
        except KeyError as cause:
            raised = RuntimeError(f"{CANARIES['text']} {nested!r}"[: len(CANARIES["text"])])
            raised.add_note(CANARIES["note"])
            raise raised from cause


def fail_undecodable(*_: Any, **__: Any) -> Any:
    """Raise what quotes the text that it could not read."""
    raise UnicodeEncodeError("ascii", f"{CANARIES['unicode']}\udcff", 0, len(CANARIES["unicode"]), "no ASCII")


def patterns(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    """Every pattern of the URLconf."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern)
        else:
            yield pattern


def under(view: Any, raising: Any) -> Any:
    """The view, with something beneath it that raises once every guard of the project was passed."""

    @wraps(view)
    def raises(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        variable = CANARIES["variable"]
        assert variable
        return raising(request)  # type: ignore[no-any-return]

    return raises


def asked(step: int = 1) -> list[crawler.Page]:
    """All pages, or each so many, but those that sign out: the others would not be reached any more."""
    return [page for page in crawler.pages() if page.name not in ("account_logout", "admin:logout")][::step]


def attack(visitor: Visitor, written: Written, *, values: dict[str, Any], step: int = 1) -> tuple[int, dict[str, str]]:
    """Ask for every page, by GET and POST, with canaries in all that a request has. Returns how many failed."""
    client = crawler.quiet(visitor.client)
    client.cookies["theme-hint"] = CANARIES["cookie"]
    headers = {
        "X-Trace": CANARIES["header"],
        "User-Agent": CANARIES["agent"],
        "Referer": f"http://testserver/?q={CANARIES['query']}",
    }
    failed = 0
    for page in asked(step):
        address = f"{page.address(values)}?q={CANARIES['query']}"
        upload = io.BytesIO(CANARIES["posted"].encode())
        upload.name = f"{CANARIES['file']}.png"
        for method, data in (("get", None), ("post", {**FIELDS, "pictures": upload})):
            if method == "post":
                answer = client.post(address, data, headers=headers)
            else:
                answer = client.get(address, headers=headers)
            failed += answer.status_code == 500
            if answer.status_code == 500:
                written.pages.append(crawler.body(answer))
    assert visitor.cookie is not None
    return failed, {
        "device key": visitor.cookie.to_text(),
        "session": str(client.cookies["session"].value),
        "csrf": str(client.cookies["csrf"].value) if "csrf" in client.cookies else "no token was sent",
    }


@pytest.mark.row("T26")
@pytest.mark.parametrize("debug", [False, True], ids=["as people see it", "debug"])
@pytest.mark.parametrize("raising", [fail, fail_undecodable])
def test_failure_in_every_view_shows_nothing(
    debug: bool, raising: Any, alice_phone: Visitor, written: Written, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    values = crawler.furnish(alice_phone)
    for pattern in patterns():
        monkeypatch.setattr(pattern, "callback", under(pattern.callback, raising))
    settings.DEBUG = debug

    failed, own = attack(alice_phone, written, values=values)

    assert failed == 2 * len(asked())
    assert written.leaks(beside=own) == set()
    assert "RuntimeError" in written.log.getvalue() or raising is fail_undecodable
    assert mail.outbox == []


@pytest.mark.row("T26")
@pytest.mark.parametrize("debug", [False, True], ids=["as people see it", "debug"])
def test_failure_of_the_services_under_the_views_shows_nothing(
    debug: bool, alice_phone: Visitor, written: Written, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """With the list already open: its key and its accounts are in the frames below."""
    values = crawler.furnish(alice_phone)
    for module, names in (
        (vaults, ("read", "change", "undo", "hold", "look", "take", "mend")),
        (codes, ("ahead", "first", "next_code")),
        (devices, ("of", "has_list", "rename", "remove", "put_back", "set_up")),
        (held_keys, ("of", "one", "remove", "not_now")),
        (words, ("begin", "look", "finish", "make", "judge")),
        (passkeys, ("of", "add")),
        (approvals, ("of", "approve", "refuse", "pending")),
        (deletion, ("ask", "undo")),
        (keyring, ("seal", "unseal")),
        (searching, ("find",)),
        (opening, ("hold",)),
        (fates, ("preview",)),
        (restoring, ("accept", "report")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, fail)
    settings.DEBUG = debug

    failed, own = attack(alice_phone, written, values=values)

    assert failed > 35
    assert written.leaks(beside=own) == set()


# -- Far below, where the keys are ------------------------------------------------------------------------------------

OUTPUT = b"CanaryOfWhatAPasskeyGivesIs32Byt"
SIX = life.WRONG_WORDS


@dataclass(frozen=True)
class Act:
    """A request of somebody who has the right key, and which function of the core fails while it is used."""

    fails: str
    client: Client
    address: str
    data: dict[str, Any]


@pytest.fixture
def acts(alice_phone: Visitor) -> list[Act]:
    """One at each place where words, a passkey or letters are looked at: doors, making them, approving."""
    at, elsewhere = timezone.now(), factories.at_another_browser(alice_phone).client
    words.make(alice_phone.vault, SIX, at=at, costs=Costs(8 * 1024, 1, 1))
    passkeys.add(alice_phone.vault, b"one", (Secret(OUTPUT), Secret(OUTPUT)), "Keychain", at=at)
    drawn = {"words": SIX.split(), "asked": [1, 2]}  # Not drawn: any word might stand in a page by itself.
    draft = vaults.hold(alice_phone.vault, drawn, kind=Draft.Kind.WORDS, at=at).pk
    asks, approved = (factories.asking(alice_phone, name=name) for name in ("Laptop", "Tablet"))
    letters = {visitor.device.pk: letters_of(visitor) for visitor in (asks, approved)}
    slots = {visitor.device.pk: KeySlot.objects.get(device=visitor.device).pk for visitor in (asks, approved)}
    approvals.approve(alice_phone.vault, slots[approved.device.pk], letters[approved.device.pk], at=at)
    phone, given = alice_phone.client, b64url(OUTPUT)
    open_words, confirm = reverse("accounts:open-words"), reverse("accounts:words-confirm", args=[draft])
    typed = {"device_id": uuid4(), "words": SIX}
    used = {"device_id": uuid4(), "credential": b64url(b"one"), "output": given}
    added = {"name": "Second", "credential": b64url(b"two"), "first": given, "second": given}
    back = {"one": "abacus", "other": "zoology"}
    own = {"words": SIX, "again": SIX}
    yes = {"letters": letters[asks.device.pk]}
    request = reverse("accounts:request", args=[slots[asks.device.pk]])
    return [
        Act("stretch", elsewhere, open_words, typed),
        Act("words_key", elsewhere, open_words, typed),
        Act("open_slot", elsewhere, open_words, typed),
        Act("new_device_key", elsewhere, open_words, typed),
        Act("normalised", phone, reverse("accounts:words-own"), own),
        Act("stretch", phone, reverse("accounts:words-own"), own),
        Act("plain", phone, confirm, back),
        Act("make_slot", phone, confirm, back),
        Act("passkey_key", elsewhere, reverse("accounts:open-passkey"), used),
        Act("open_slot", elsewhere, reverse("accounts:open-passkey"), used),
        Act("make_slot", phone, reverse("accounts:passkey-new"), added),
        Act("backup_key_of_passkey", phone, reverse("accounts:passkey-new"), added),
        Act("same_letters", phone, request, yes),
        Act("seal_key", phone, request, yes),
        Act("private_half", approved.client, reverse("accounts:open-waiting"), {}),
        Act("open_key", approved.client, reverse("accounts:open-waiting"), {}),
        Act("browser_key", approved.client, reverse("accounts:open-waiting"), {}),
    ]


def letters_of(visitor: Visitor) -> str:
    """What a browser that asks shows."""
    assert visitor.device is not None
    assert visitor.cookie is not None
    slot = KeySlot.objects.select_related("device", "vault").get(device=visitor.device)
    return approvals.letters(Asked(slot, visitor.device, visitor.cookie))


def fail_below(acts: list[Act], written: Written, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], set[str]]:
    """The status of each act, and which of all that was sent or held stands in a report."""
    statuses = []
    for act in acts:
        with monkeypatch.context() as patched:
            patched.setattr(keys, act.fails, fail)
            answer = crawler.quiet(act.client).post(act.address, act.data, headers=life.FIREFOX)
        statuses.append(answer.status_code)
        written.pages.append(crawler.body(answer))
    sent = {f"{act.fails}: {name}": value for act in acts for name, value in act.data.items() if name in FIELDS}
    held = {morsel.key: morsel.value for act in acts for morsel in act.client.cookies.values() if morsel.value}
    raw = {"output, raw": OUTPUT.decode(), "words, joined": keys.plain(SIX)}
    return statuses, written.leaks(beside={**sent, **held, **raw})


@pytest.mark.row("T26")
@pytest.mark.parametrize("debug", [False, True], ids=["as people see it", "debug"])
def test_failure_with_the_right_key_in_hand_shows_nothing(
    debug: bool, acts: list[Act], written: Written, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DEBUG = debug

    statuses, leaks = fail_below(acts, written, monkeypatch)

    assert statuses == [500] * len(acts)
    assert leaks == set()


@pytest.mark.row("T26")
def test_djangos_own_report_would_show_keys(
    acts: list[Act], written: Written, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """The control: words as typed and as stretched, what a passkey gives as sent and as bytes, letters."""
    monkeypatch.setattr("django.views.debug.get_exception_reporter_filter", lambda _request: Plain())
    monkeypatch.setattr("django.views.debug.get_exception_reporter_class", lambda _request: ExceptionReporter)
    settings.DEBUG = True

    _, leaks = fail_below(acts, written, monkeypatch)

    assert {"stretch: words", "same_letters: letters", "open_slot: output", "make_slot: first"} <= leaks


# -- The controls -----------------------------------------------------------------------------------------------------


@pytest.mark.row("T26")
def test_mail_to_administrators_would_show_nothing_if_it_were_switched_on(
    alice_phone: Visitor, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is mailed. An operator who adds Django's handler still gets reports without secrets."""
    handler = AdminEmailHandler(include_html=True)
    logging.getLogger("django.request").addHandler(handler)
    try:
        for pattern in patterns():
            monkeypatch.setattr(pattern, "callback", under(pattern.callback, fail))
        failed, own = attack(alice_phone, written, values=dict(crawler.NOBODYS), step=7)
    finally:
        logging.getLogger("django.request").removeHandler(handler)

    assert len([sent for sent in mail.outbox if sent.to == ["operator@example.org"]]) == failed
    assert written.leaks(beside=own) == set()


class Plain(SafeExceptionReporterFilter):
    """Django's own filter, under another name: the settings' cache knows ours."""


@pytest.mark.row("T26")
def test_djangos_own_filter_would_leak(
    alice_phone: Visitor, written: Written, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """The control: the same attack, with Django's report in place of ours."""
    for pattern in patterns():
        monkeypatch.setattr(pattern, "callback", under(pattern.callback, fail))
    monkeypatch.setattr("django.views.debug.get_exception_reporter_filter", lambda _request: Plain())
    monkeypatch.setattr("django.views.debug.get_exception_reporter_class", lambda _request: ExceptionReporter)
    settings.DEBUG = True

    _, own = attack(alice_phone, written, values=dict(crawler.NOBODYS), step=7)

    leaks = written.leaks(beside=own)
    assert {"text", "cause", "note", "variable", "posted", "query", "header", "words", "letters", "output"} <= leaks


@pytest.mark.row("T26")
def test_log_without_its_filter_would_leak(
    alice_phone: Visitor, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pattern in patterns():
        monkeypatch.setattr(pattern, "callback", under(pattern.callback, fail))
    ours = next(handler for handler in logging.getLogger().handlers if getattr(handler, "stream", None) is written.log)
    monkeypatch.setattr(ours, "filters", [])

    _, own = attack(alice_phone, written, values=dict(crawler.NOBODYS), step=7)

    assert {"text", "cause", "note"} <= written.leaks(beside=own)


@pytest.mark.row("T26")
def test_page_of_an_error_is_the_same_each_time(alice_phone: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names a reference that stands in the log, and nothing else that differs; and nobody is signed out by it."""
    client = crawler.quiet(alice_phone.client)
    monkeypatch.setattr(vaults, "read", fail)
    with override_settings(DEBUG=False):
        answers = [client.get("/accounts/").content.decode() for _ in range(2)]

    references = [answer.split("AW-")[1][:7] for answer in answers]
    assert references[0] != references[1]
    assert answers[0].replace(references[0], "") == answers[1].replace(references[1], "")
