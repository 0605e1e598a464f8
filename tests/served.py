"""Authweb as `make serve` starts it, with somebody in it: static files packed and named by their content.

A browser of the same machine reaches it as http://localhost, which browsers trust like https: cookies that only https
may set are taken there.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from playwright.sync_api import BrowserContext

from tests import processes
from tests.environment import ROOT
from tests.processes import MANAGE, Started

# In a process that has the settings of the server: what comes before its first start, and somebody signed in whose list
# is open. Says her cookies.
_BEFORE_THE_FIRST_START = """
import json, sys
import django; django.setup()
from django.core.management import call_command
call_command("keys", "init"); call_command("migrate", verbosity=0); call_command("createcachetable")
from tests import factories, people
"""
_PREPARE = """
visitor = factories.enrolled("alice@example.org", name="Alice's phone", type="android", time_zone="Europe/Berlin")
people.listed(visitor, int(sys.argv[1]))
factories.create_entry(on=visitor, issuer="Quick", name="every five seconds", period=5)
print(json.dumps(people.known_cookies(visitor)))
"""
# As many people, each with a list that is backed up. Says of each the cookies, the stream, and the id of an account.
_PREPARE_BACKED_UP = """
from django.utils import timezone
from accounts.services import vaults
from authweb import collecting
from tests.bench import saving
collecting.collect()  # Each person looks at her list once.
found = []
for _ in range(int(sys.argv[2])):
    person = people.Person.with_accounts(int(sys.argv[1]))
    backup = saving.backed_up(person.visitor)
    entry = vaults.read(person.visitor.vault).entries[-1]
    cookies = people.known_cookies(person.visitor)
    found.append({"cookies": cookies, "stream": backup.stream, "entry": entry.id, "issuer": entry.issuer})
print(json.dumps(found))
"""


class Served:
    """`with Served(directory, accounts=100) as served:`. The last of alice's accounts is "Quick", of 5 seconds."""

    def __init__(self, directory: Path, *, accounts: int, workers: int = 1) -> None:
        port = processes.free_port()
        self.address = f"http://localhost:{port}"
        self.settings = {
            "SITE_URL": f"https://localhost:{port}",
            "SSL_REDIRECT": "0",
            "EMAIL_URL": f"file://{directory}/mails",
            "SECRET_KEY": secrets.token_urlsafe(60),
            "DATA_DIR": str(directory),
            "PORT": str(port),
            "WORKERS": str(workers),
        }
        self._prepare(accounts)
        self.start()

    def start(self) -> None:
        """Once more, after it has ended: with all that it kept."""
        self.server = Started([*MANAGE, "serve"], settings=self.settings)

    def __enter__(self) -> Self:
        self.server.__enter__()
        self.server.wait_for("Authweb answers at")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.__exit__(kind, error, trace)

    def sign_in(self, context: BrowserContext) -> None:
        """Put alice's cookies into a browser."""
        context.add_cookies(
            [
                {
                    "name": name,
                    "value": value,
                    "url": self.settings["SITE_URL"],
                    "httpOnly": True,
                    "secure": True,
                    "sameSite": "Lax",
                }
                for name, value in self.cookies.items()
            ]
        )

    def _prepare(self, accounts: int) -> None:
        self.cookies = self.inside(_BEFORE_THE_FIRST_START + _PREPARE, str(accounts))

    def inside(self, script: str, *arguments: str) -> Any:
        """What a script says last, as JSON, in a process of its own that has the settings of the server."""
        settings = {**self.settings, "DJANGO_SETTINGS_MODULE": "authweb.settings", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env={**processes.clean_environment(), **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@dataclass(frozen=True, slots=True)
class BackedUp:
    """Somebody whose list is backed up: her cookies, the stream of the backup, one of her accounts."""

    cookies: dict[str, str]
    stream: str
    entry: str
    issuer: str


class ServedBackedUp(Served):
    """The same, and in it so many `people`, each with so many accounts and Cloud Backup on; nobody else."""

    def __init__(self, directory: Path, *, accounts: int, people: int, workers: int) -> None:
        self._people = people
        self.people: list[BackedUp] = []
        super().__init__(directory, accounts=accounts, workers=workers)

    def _prepare(self, accounts: int) -> None:
        made = self.inside(_BEFORE_THE_FIRST_START + _PREPARE_BACKED_UP, str(accounts), str(self._people))
        self.people = [BackedUp(**one) for one in made]

    def rename(self, one: BackedUp, name: str) -> None:
        """Send the form that gives her account another name. Fails, or raises OSError, unless it is acknowledged."""
        token = "a" * 32
        cookies = {**one.cookies, _CSRF: token}
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "X-CSRFToken": token,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urlencode({"issuer": one.issuer, "name": name, "note": ""})
        with contextlib.closing(
            http.client.HTTPConnection("localhost", int(self.settings["PORT"]), timeout=30)
        ) as asked:
            asked.request("POST", f"/accounts/{one.entry}/edit/", form, headers=headers)
            answer = asked.getresponse()
            answer.read()
        assert answer.status == http.client.SEE_OTHER, answer.status

    def proven(self, one: BackedUp) -> int:
        """The number of her newest proven saved state, as the database has it."""
        database = sqlite3.connect(Path(self.settings["DATA_DIR"]) / "authweb.sqlite3", timeout=20)
        with contextlib.closing(database):
            asked = "SELECT MAX(sequence) FROM backups_generation WHERE stream = ? AND state = 'proven'"
            return int(database.execute(asked, (one.stream,)).fetchone()[0] or 0)

    def names(self) -> dict[str, str]:
        """By stream: the name of her account in the newest proven saved state, opened as a restore would."""
        return dict(self.inside(_OPENED, json.dumps({one.stream: one.entry for one in self.people})))


_CSRF = "__Host-csrf"
_OPENED = """
import json, sys
import django; django.setup()
from backups.models import Backup
from tests.backups import support
found = {}
for stream, entry in json.loads(sys.argv[1]).items():
    newest = support.newest(Backup.objects.get(stream=stream))
    found[stream] = next(one.name for one in support.contents(newest).entries if one.id == entry)
print(json.dumps(found))
"""
