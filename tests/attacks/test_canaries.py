"""Twenty planted secrets and labels, in 24 encodings: found nowhere at rest, in no log, mail or stranger's page."""

from __future__ import annotations

import base64
import gzip
import io
import logging
import re
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import Device, Draft, Event, User
from accounts.vault.encoding import b64url
from tests import factories
from tests.attacks import canaries, crawler, life
from tests.attacks.canaries import ENCODINGS, NOTES, SECRETS, TWENTY, Searched

pytestmark = [pytest.mark.row("T25"), pytest.mark.django_db(transaction=True)]

# Where a person reads the labels of her own list; and "add" shows what is about to come into it.
OF_THE_LIST = {
    "accounts:list",
    "accounts:account",
    "accounts:look",
    "accounts:edit",
    "accounts:order",
    "accounts:trash",
    "accounts:delete",
    "accounts:add-confirm",
    "accounts:next-code",
    "accounts:add-hand",  # Her own form again, after a mistake: the label in it, never the key.
}

# What else a person is shown while they use it, and where alone.
SHOWN = re.compile("(six words|waiting words|wrong words|mistyped own words|letters).* in ([a-z:-]+), ")


def dump() -> Iterator[tuple[str, bytes]]:
    """Every value of every row of every table: sessions and the cache are tables too."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a table's own name
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for column, value in zip(columns, row, strict=True):
                    raw = bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode()
                    yield f"{table}.{column}", raw


def files() -> Iterator[tuple[str, bytes]]:
    """The files of the database, its log beside it included; by another process, which drops no lock of ours."""
    if connection.vendor == "sqlite":
        name = Path(str(connection.settings_dict["NAME"]))
        for path in sorted(name.parent.glob(f"{name.name}*")):
            yield path.name, subprocess.run(["cat", path], capture_output=True, check=True).stdout


def mails() -> Iterator[tuple[str, bytes]]:
    """Every mail that left."""
    for sent in mail.outbox:
        yield f"the mail {sent.subject!r}", sent.message().as_bytes()


def test_nothing_at_rest_is_a_secret_or_a_label(
    written: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    lived = life.lived()
    everything = Searched.of({**TWENTY, **NOTES, **lived.keys})
    log = [("the log", written.getvalue().encode())]
    at_once = everything.hits([*dump(), *files(), *log, *mails()])
    call_command("tidy")
    own = Searched.of(lived.own()).hits([*dump(), *files(), *log, *mails()])

    assert at_once == []
    assert own == []
    assert list(tmp_path.iterdir()) == []
    assert len(mail.outbox) >= 3
    assert {"Petra's phone in accounts_device.name, as it is"} <= set(
        Searched.of({"Petra's phone": b"Petra's phone"}).hits(dump())
    )


def test_no_page_gives_a_stored_secret_and_labels_go_to_their_owner_alone() -> None:
    lived = life.lived()
    factories.enrolled("bob@example.org", name="Bob's phone", type="ios")
    staff = factories.visitor("staff@example.org", is_staff=True, is_superuser=True)
    petra = User.objects.get(email=life.EMAIL)
    drafts = {draft.kind: draft.pk for draft in petra.vaults.get().drafts.order_by("expires_at")}
    values = {
        **crawler.NOBODYS,
        "entry_id": "0" * 32,
        "device_id": Device.objects.filter(user=petra).earliest("made_at").pk,
        "draft_id": drafts[Draft.Kind.ADD],
        "words_id": drafts[Draft.Kind.WORDS],
        "object_id": petra.pk,
    }
    of_petra = list(lived.answers) + list(_crawled(lived.client, values))
    of_others = [
        *_crawled(factories.at_another_browser(factories.Visitor(petra, Client())).client, values),
        *_crawled(staff.client, values),
        *_crawled(Client(), values),
    ]
    secrets = Searched.of({**SECRETS, **lived.keys})
    labels = Searched.of({**life.as_visitor_sees(), **NOTES})

    elsewhere = [hit for hit in labels.hits(of_petra) if hit.split(" in ")[1].split(",")[0] not in OF_THE_LIST]
    own = {name: value for name, value in lived.own().items() if name not in ("device key", "password")}
    once = [
        hit
        for hit in Searched.of(own).hits(of_petra)
        if not re.search("in mfa_(activate_totp|[a-z]+_recovery)|recovery code [0-9]+ in accounts:add-confirm", hit)
    ]

    stored = secrets.hits([*of_petra, *((name, as_read(answer)) for name, answer in of_petra)])
    shown = {(hit[1], hit[2]) for hit in map(SHOWN.match, stored) if hit}
    told = [hit for hit in stored if not SHOWN.match(hit)]

    assert told == []
    assert shown == {
        ("six words", "accounts:words-confirm"),
        ("waiting words", "accounts:words-confirm"),
        ("wrong words", "accounts:open-words"),
        ("mistyped own words", "accounts:open-words"),
        ("letters", "accounts:open-waiting"),
    }
    assert secrets.hits(of_others) + labels.hits(of_others) == []
    assert elsewhere == []
    assert once == []
    assert len(labels.hits(of_petra)) > 50
    assert len(of_others) > 300


def as_read(page: bytes) -> bytes:
    """The letters of a page without what stands between them: words that a page shows one below the other."""
    return re.sub(rb"<[^>]*>|[\d\s]+", b"", page)


def _crawled(client: Client, values: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    client.raise_request_exception = False
    for page in crawler.pages():
        if page.name in ("account_logout", "admin:logout"):
            continue
        answer = client.get(page.address(values), headers={"Accept-Encoding": "br, gzip"})
        yield page.name, crawler.body(answer)
        answer = client.get(page.address(values), {"q": "a"})
        yield page.name, crawler.body(answer) + str(dict(answer.headers)).encode()


@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_planted_canary_is_found_in_each_encoding(encoding: str) -> None:
    for name, value in TWENTY.items():
        planted = b"\x00 before " + ENCODINGS[encoding](value) + b" behind \xff"
        if len(ENCODINGS[encoding](value)) >= 8:
            assert f"{name} in here, {encoding}" in Searched.of({name: value}).hits([("here", planted)])


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        zlib.compress,
        brotli.compress,
        base64.b64encode,
        lambda data: base64.urlsafe_b64encode(zlib.compress(data)).rstrip(b"="),
        lambda data: gzip.compress(base64.b64encode(brotli.compress(data))),
        lambda data: b'{"x": "' + base64.b64encode(data) + b'"}',
    ],
)
def test_planted_canary_is_found_packed_and_wrapped(pack: Any) -> None:
    planted = pack(b"some text around it: " + canaries.base32(SECRETS["secret 3"]).encode() + b" and behind it")

    assert Searched.of(TWENTY).hits([("here", planted)])[0].startswith("secret 3 in here, base32")


def test_planted_leaks_are_found_where_they_would_be(written: io.StringIO) -> None:
    """A naive activity line, a session that holds more than ids, a cache, a log, a mail: each is found."""
    user = factories.create_user("bob@example.org")
    key = canaries.base32(SECRETS["secret 0"])
    event = Event(user=user, tag="lists:entry:added", facts={"name": "bilby.of.the.desert"}, at=user.date_joined)
    event.save()
    session = SessionStore()
    session["draft"] = f"otpauth://totp/x?secret={key}"
    session.save()
    cache.set("list", {"entries": [("Wombatledger", SECRETS["secret 1"])]}, 60)
    logging.getLogger("accounts").info("added %s", TWENTY["issuer 4"].decode())
    mail.send_mail("Added", f"You added {TWENTY['issuer 2'].decode()}.", None, ["bob@example.org"])

    hits = Searched.of(TWENTY).hits([*dump(), *mails(), ("the log", written.getvalue().encode())])

    assert {hit.partition(" in ")[0] for hit in hits} == {
        "name 5",
        "secret 0",
        "secret 1",
        "issuer 1",
        "issuer 2",
        "issuer 4",
    }
    if connection.vendor == "sqlite":
        assert [hit for hit in Searched.of(TWENTY).hits(files()) if "name 5" in hit] != []


# How each key would come to be written: as somebody types it, sends it, or holds it.
KEYS = {
    "six words": (life.phrases("six words", life.WRONG_WORDS), "Typed: zoology KETTLE, then kettle ladle."),
    "words joined": (life.phrases("words joined", life.WRONG_WORDS), "abacuszoologykettleladlegranitelantern"),
    "own words": (life.phrases("own words", life.OWN_WORDS), life.OWN_WORDS),
    "output": ({"output": life.OUTPUT}, b64url(life.OUTPUT)),
    "key of a browser": ({"key of a browser": life.OTHER_OUTPUT}, b64url(bytes(17) + life.OTHER_OUTPUT)),
    "letters": ({"letters": b"GAKGWLXV"}, "letters=GAKGWLXV"),
}


@pytest.mark.parametrize("kind", list(KEYS))
def test_planted_key_is_found_where_it_would_be(kind: str, written: io.StringIO) -> None:
    """In a row, a session, the cache, the log, a mail, an answer."""
    looked_for, text = KEYS[kind]
    user = factories.create_user("bob@example.org")
    Event(user=user, tag="keys:words:refused", facts={"typed": text}, at=user.date_joined).save()
    session = SessionStore()
    session["typed"] = text
    session.save()
    cache.set("typed", text, 60)
    logging.getLogger("accounts").info("refused: %s", text)
    mail.send_mail("Refused", text, None, ["bob@example.org"])

    places = [*dump(), *mails(), ("the log", written.getvalue().encode()), ("an answer", text.encode())]
    hits = {hit.partition(" in ")[2].partition(",")[0] for hit in Searched.of(looked_for).hits(places)}

    assert hits == {
        "accounts_event.facts",
        "django_session.session_data",
        "cache.value",
        "the mail 'Refused'",
        "the log",
        "an answer",
    }


def test_words_that_a_page_shows_one_below_the_other_are_found() -> None:
    page = b"<ol><li><span>1</span> <span>granite</span></li>\n<li><span>2</span> <span>ladle</span></li></ol>"

    looked_for = Searched.of(life.phrases("six words", "granite ladle"))

    assert looked_for.hits([("a page", page)]) == []
    assert looked_for.hits([("a page", as_read(page))]) != []


def test_twenty_canaries_are_looked_for_in_24_encodings() -> None:
    assert [len(TWENTY), len(ENCODINGS)] == [20, 24]
