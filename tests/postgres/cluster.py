"""A PostgreSQL cluster of a test's own: made, started on loopback, stopped, deleted."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests import processes

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/pgsql/bin")
_UNPRIVILEGED = ("postgres", "nobody")
# Nobody pulls the plug on it, and it is deleted at its end: the disk is not waited for. Every test that commits empties
# all tables afterwards, each a file of its own.
_SETTINGS = ("listen_addresses=127.0.0.1", "fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Missing(Exception):
    """A program that these tests need; says what to install."""


@contextlib.contextmanager
def started() -> Iterator[str]:
    """The address of a new, empty database server. Raises Missing."""
    binaries = require("initdb", "postgresql")
    user = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="authweb-postgres-"))
    try:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        data, port = folder / "data", processes.free_port()
        _run(user, folder, binaries / "initdb", "-D", data, "-U", "authweb", "-A", "trust", "-E", "UTF8", "--locale=C")
        options = [part for setting in _SETTINGS for part in ("-c", setting)]
        log = (folder / "log").open("wb")
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder, *options],
            cwd=folder,
            user=user,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            address = f"postgres://authweb@127.0.0.1:{port}/postgres"
            _wait(address, server, folder / "log")
            yield address
        finally:
            server.send_signal(signal.SIGINT)  # Fast: open connections are ended.
            server.wait(30)
            log.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require(program: str, package: str) -> Path:
    """The folder of a program; installed by apt under CI=true alone. Raises Missing."""
    found = _folder_of(program)
    if found is None and os.environ.get("CI") == "true" and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-q"], check=False)
        subprocess.run(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", package],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
        found = _folder_of(program)
    if found is None:
        raise Missing(f"{program} is not here. Install it: apt-get install {package}, or the like of your system.")
    return found


def _folder_of(program: str) -> Path | None:
    if on_path := shutil.which(program):
        return Path(on_path).parent
    places = [place for pattern in _PLACES for place in Path("/").glob(pattern.removeprefix("/"))]
    newest = sorted((place for place in places if (place / program).exists()), key=_version, reverse=True)
    return newest[0] if newest else None


def _version(place: Path) -> int:
    digits = "".join(letter for letter in place.parent.name if letter.isdigit())
    return int(digits or 0)


def _unprivileged() -> str | None:
    """Whom PostgreSQL runs as: it refuses root. None where we are nobody special."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise Missing("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")


def _run(user: str | None, folder: Path, *command: object) -> None:
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, user=user, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Missing(f"{command[0]} fails: {done.stderr.strip()}")


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                raise Missing(f"PostgreSQL does not start: {log.read_text(errors='replace')[-1000:]}") from None
            time.sleep(0.1)
        else:
            return
