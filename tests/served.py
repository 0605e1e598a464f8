"""Authweb as `make serve` starts it, with somebody in it: static files packed and named by their content.

A browser of the same machine reaches it as http://localhost, which browsers trust like https: cookies that only https
may set are taken there.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import BrowserContext

from tests import processes
from tests.environment import ROOT
from tests.processes import MANAGE, Started

# In a process that has the settings of the server: what comes before its first start, and somebody signed in whose list
# is open. Says her cookies.
_PREPARE = """
import json, sys
import django; django.setup()
from django.core.management import call_command
call_command("keys", "init"); call_command("migrate", verbosity=0); call_command("createcachetable")
from tests import factories, people
visitor = factories.enrolled("alice@example.org", name="Alice's phone", type="android", time_zone="Europe/Berlin")
people.listed(visitor, int(sys.argv[1]))
factories.create_entry(on=visitor, issuer="Quick", name="every five seconds", period=5)
print(json.dumps(people.known_cookies(visitor)))
"""


class Served:
    """`with Served(directory, accounts=100) as served:`. The last of alice's accounts is "Quick", of 5 seconds."""

    def __init__(self, directory: Path, *, accounts: int) -> None:
        port = processes.free_port()
        self.address = f"http://localhost:{port}"
        self.settings = {
            "SITE_URL": f"https://localhost:{port}",
            "SSL_REDIRECT": "0",
            "EMAIL_URL": f"file://{directory}/mails",
            "SECRET_KEY": secrets.token_urlsafe(60),
            "DATA_DIR": str(directory),
            "PORT": str(port),
            "WORKERS": "1",
        }
        self.cookies = self._prepared(accounts)
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

    def _prepared(self, accounts: int) -> Any:
        settings = {**self.settings, "DJANGO_SETTINGS_MODULE": "authweb.settings", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", _PREPARE, str(accounts)],
            env={**processes.clean_environment(), **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])
