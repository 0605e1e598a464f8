"""A place of its own: processes of Authweb with settings, database and cache that they share with each other alone."""

from __future__ import annotations

import functools
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from accounts.services import keyring
from accounts.vault.keys import Role
from tests import environment, processes

PREPARE = """
import django; django.setup()
from tests import factories
factories.create_user("alice@example.org")
"""


def begin(data: Path, *, keys: Path | None = None, cache: bool = True) -> None:
    """Leave what comes before a first start: server keys of its own, a migrated database, the table of the cache.

    Without `cache` that table is left to the start.
    """
    data.mkdir(parents=True, exist_ok=True)
    keyring.write(keys or data / "server-keys.txt", keyring.made(Role))
    (data / "authweb.sqlite3").write_bytes(_migrated(cache=cache))


@functools.cache
def _migrated(*, cache: bool) -> bytes:
    """An empty database as the commands leave it, made once for all who begin with one."""
    with tempfile.TemporaryDirectory() as data:
        for arguments in (("migrate", "--verbosity=0"), *([("createcachetable",)] if cache else [])):
            done = processes.manage(*arguments, settings={"DEBUG": "1", "DEMO": "1", "DATA_DIR": data})
            assert done.returncode == 0, done.stderr
        return (Path(data) / "authweb.sqlite3").read_bytes()


class Place:
    """A database, a cache and settings that processes share; nothing of the tests' own."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.environment = {
            **environment.without_ours(),
            "DJANGO_SETTINGS_MODULE": "authweb.settings",
            "PYTHONPATH": str(environment.ROOT),
            "DATA_DIR": str(directory),
            "SECRET_KEY": secrets.token_urlsafe(60),
            "EMAIL_URL": "smtp://127.0.0.1:9",
            **settings,
        }
        self.environment.pop("DATABASE_URL", None)
        begin(directory)
        self.run(PREPARE)

    def run(self, script: str) -> str:
        """What a process prints."""
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
