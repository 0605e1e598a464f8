"""A site whose database does not take what is written: read-only for an unprivileged user, or on a disk that is full.

Started by tests/attacks/test_starved.py: `make` puts a person there and says what her browser holds, `ask` asks for
pages as she does, `look` says what is in her list. Facts go in and out as JSON. `ask` takes away what it is told to:
`nothing`, `writing` (the files are read-only, and so is their folder), `room` (no file may grow).
"""

from __future__ import annotations

import json
import logging
import os
import resource
import stat
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import django

django.setup()

from django.conf import settings  # noqa: E402 - after Django's start
from django.contrib.sessions.models import Session  # noqa: E402
from django.db import OperationalError, connection  # noqa: E402
from django.template import loader  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import Device  # noqa: E402
from accounts.services import adding  # noqa: E402
from accounts.vault.entry import Type  # noqa: E402
from accounts.vault.keys import DeviceCookie  # noqa: E402
from tests import factories  # noqa: E402
from tests.factories import Visitor  # noqa: E402

settings.ALLOWED_HOSTS, settings.DEBUG = ["testserver"], False
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

NOBODY = 65_534
LINK = "otpauth://totp/New:new?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR"


def make() -> dict[str, Any]:
    """Alice, and bob for the rehearsal: each with an account, a counter, and an account that waits for a yes."""
    return {name: _person(name) for name in ("alice", "bob")}


def _person(name: str) -> dict[str, Any]:
    visitor = factories.enrolled(f"{name}@example.org", name="Phone", type="ios")
    entry = factories.create_entry(on=visitor, issuer="Example", name="kept")
    counter = factories.create_entry(on=visitor, issuer="Counter", name="counted", type=Type.HOTP, counter=5)
    visitor.client.get(reverse("accounts:list"))
    draft = adding.from_text(visitor.vault, LINK, at=timezone.now())
    assert visitor.device is not None
    assert visitor.cookie is not None
    return {
        "email": visitor.user.email,
        "cookies": {name: morsel.value for name, morsel in visitor.client.cookies.items()},
        "device": str(visitor.device.pk),
        "cookie": visitor.cookie.to_text(),
        "entry": entry.id,
        "counter": counter.id,
        "draft": str(draft),
    }


def ask(alice: dict[str, Any], bob: dict[str, Any], taken: str) -> list[list[Any]]:
    """What alice is told, page by page: name, status, heading, whether there is a reference, whether it says too much.

    Bob asks for the same before, so that all is loaded by then: who is nobody may not even read Python's own files.
    """
    _asked(bob)
    _fail()
    Session.objects.update(expire_date=timezone.now() + timedelta(days=20))  # Its renewal is due,
    Device.objects.update(seen_at=timezone.now() - timedelta(days=30))  # and so is the device's upkeep.
    take_away(taken)
    return _asked(alice)


def _fail() -> None:
    for number in (500, 503, 404):
        loader.get_template(f"{number}.html").render({"reference": "x"})
    try:
        raise OperationalError
    except OperationalError as error:
        logging.getLogger("authweb").info("A rehearsal: %s", "x".encode("unicode_escape"), exc_info=error)


def _asked(person: dict[str, Any]) -> list[list[Any]]:
    client, other = Client(raise_request_exception=False), Client(raise_request_exception=False)
    client.cookies.load(person["cookies"])
    pages: list[tuple[str, tuple[Any, ...], dict[str, Any] | None]] = [
        ("accounts:list", (), None),
        ("accounts:codes", (), None),
        ("accounts:account", (person["entry"],), None),
        ("accounts:devices", (), None),
        ("accounts:pin", (person["entry"],), {"pinned": "1"}),
        ("accounts:edit", (person["entry"],), {"issuer": "Other", "name": "other", "note": ""}),
        ("accounts:next-code", (person["counter"],), {}),
        ("accounts:to-trash", (person["entry"],), {}),
        ("accounts:add-link", (), {"link": LINK.replace("New:new", "Newer:newer")}),
        ("accounts:add-confirm", (person["draft"],), {"issuer": "New", "name": "new"}),
        ("accounts:device-rename", (person["device"],), {"name": "Renamed"}),
        ("accounts:settings-codes", (), {"hide_codes": "1"}),
    ]
    told = []
    for name, arguments, data in pages:
        address = reverse(name, args=arguments)
        told.append(_told(name, client.get(address) if data is None else client.post(address, data)))
    form = {"login": person["email"], "password": factories.PASSWORD}
    told.append(_told("account_login", other.post(reverse("account_login"), form)))
    told.append(_told("healthz", other.get(reverse("healthz"))))
    return told


def _told(name: str, answer: Any) -> list[Any]:
    text = answer.content.decode()
    heading = text.partition("<h1>")[2].partition("</h1>")[0].strip()
    return [name, answer.status_code, heading, "AW-" in text, "OperationalError" in text or "sqlite" in text.lower()]


def take_away(what: str) -> None:
    """From here on the database does not take what is written."""
    database = Path(str(connection.settings_dict["NAME"]))
    connection.close()
    files = sorted(database.parent.glob(f"{database.name}*"))
    if what == "writing":
        if os.geteuid() == 0:  # Root ignores mode bits.
            for path in (*files, database.parent):
                os.chown(path, NOBODY, NOBODY)
        for path in files:
            path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        database.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    if what == "room":
        connection.cursor().execute("SELECT 1")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))


def look(alice: dict[str, Any], bob: dict[str, Any]) -> dict[str, Any]:
    """What is in alice's list, read anew."""
    device = Device.objects.select_related("user").get(pk=UUID(alice["device"]))
    visitor = Visitor(device.user, Client(), device, DeviceCookie.from_text(alice["cookie"]))
    return {
        "entries": [[entry.issuer, entry.name, entry.pinned, entry.counter] for entry in visitor.entries],
        "version": visitor.vault.row.version,
        "device": device.name,
        "drafts": device.drafts.count(),
        "hide_codes": device.user.hide_codes,
    }


if __name__ == "__main__":
    given = json.loads(sys.stdin.read() or "{}")
    done: Any = {"make": make, "ask": ask, "look": look}[sys.argv[1]](**given)  # type: ignore[operator]
    print(json.dumps(done))
