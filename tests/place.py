"""A place of its own: processes of Authweb with settings, database and cache that they share with each other alone."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

from tests import environment

PREPARE = """
import django; django.setup()
from django.core.management import call_command
call_command("keys", "init"); call_command("migrate", verbosity=0); call_command("createcachetable")
from tests import factories
factories.create_user("alice@example.org")
"""


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
