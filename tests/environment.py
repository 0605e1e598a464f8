"""What Authweb reads from the environment while it is tested: nothing of the machine's own."""

from __future__ import annotations

import atexit
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_READ = r"env\.(?:text|flag|number|day|one_of|words|secret)\(\s*"
DATABASE = "TEST_DATABASE_URL"  # Set by `python -m tests.postgres`; SQLite without it.


def settings_read() -> set[str]:
    """The variables that the modules of `authweb` read, `NAME_FILE` forms not counted; each role's by its own name."""
    names: set[str] = set()
    for module in sorted((ROOT / "authweb").rglob("*.py")):
        source = module.read_text()
        names.update(re.findall(rf"{_READ}\"([A-Z0-9_]+)\"", source))
        names.update(of_each_role(re.findall(rf"{_READ}f\"ROLE_\{{role\.name\}}_([A-Z_]+)\"", source)))
    return names


def of_each_role(endings: Iterable[str]) -> set[str]:
    """The variables of these endings: one for each role."""
    return {f"ROLE_{role}_{ending}" for role in ("MICROSOFT", "APPLE", "ENTRA") for ending in endings}


def without_ours() -> dict[str, str]:
    """The environment without any variable that Authweb reads, so that a developer's own setting changes no test."""
    ours = {name for setting in settings_read() for name in (setting, f"{setting}_FILE")}
    prefixes = ("SIGN_IN_", "APPLE_", "ROLE_")
    return {name: value for name, value in os.environ.items() if name not in ours and not name.startswith(prefixes)}


def prepare() -> None:
    """Set the environment of this process. Before Django reads its settings."""
    kept = without_ours()
    os.environ.clear()
    os.environ.update(kept)
    data = Path(tempfile.mkdtemp(prefix="authweb-tests-"))
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="authweb.settings",
        # Settings are read as on http://localhost; pytest-django turns DEBUG itself off again.
        DEBUG="1",
        SITE_URL="http://localhost:8000",
        DATA_DIR=str(data),
        SERVER_KEYS_FILE=str(data / "server-keys.txt"),
        SECRET_KEY=secrets.token_urlsafe(60),
        EMAIL_URL="console://",
        # Playwright runs an event loop in the thread of the tests; Django would refuse the database there.
        DJANGO_ALLOW_ASYNC_UNSAFE="1",
    )
    # Nobody asks these; a test whose browser goes to a provider starts one, and maps the roles to it.
    for role in ("MICROSOFT", "APPLE"):
        os.environ.update({f"ROLE_{role}_CLIENT_ID": "authweb", f"ROLE_{role}_CLIENT_SECRET": "not a secret"})
    os.environ["ROLE_APPLE_ISSUER"] = "https://apple.example"
    if os.environ.get(DATABASE):
        os.environ["DATABASE_URL"] = os.environ[DATABASE]


def is_postgres() -> bool:
    """Whether these tests run on the PostgreSQL that `python -m tests.postgres` started."""
    return bool(os.environ.get(DATABASE))
