"""No secret of the server has a default; a key that is another stops the start; what is installed is locked."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

import pytest

from tests import place, processes
from tests.environment import ROOT

PRODUCTION = {
    "SITE_URL": "https://auth.example.org",
    "EMAIL_URL": "smtp://mail.example.org:587",
}
DEMOS_OWN = "demo: known to everybody, refused outside the demo " + "0" * 20


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """Settings with which a production starts, but for the one that a test takes away."""
    (tmp_path / "data").mkdir()
    return {
        **PRODUCTION,
        "DATA_DIR": str(tmp_path / "data"),
        "SERVER_KEYS_FILE": str(tmp_path / "server-keys.txt"),
        "SECRET_KEY": secrets.token_urlsafe(60),
    }


@pytest.mark.row("T36")
@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "must hold 50 characters or more"),
        ("too short", "must hold 50 characters or more"),
        (DEMOS_OWN, "SECRET_KEY is the demo's"),
    ],
    ids=["none", "short", "the demo's"],
)
def test_production_starts_with_no_known_secret_key(key: str, said: str, production: dict[str, str]) -> None:
    done = processes.manage("check", settings={**production, "SECRET_KEY": key})

    assert done.returncode == 1
    assert said in done.stderr
    assert not key or key not in done.stderr


@pytest.mark.row("T36")
def test_demo_is_refused_where_people_are(production: dict[str, str]) -> None:
    done = processes.manage("check", settings={**production, "DEMO": "1"})

    assert done.returncode == 1
    assert "DEMO=1 is refused" in done.stderr


@pytest.mark.row("T36")
def test_production_needs_server_keys_and_makes_none_by_itself(production: dict[str, str]) -> None:
    migrated = processes.manage("migrate", "--verbosity=0", settings=production)
    checked = processes.manage("keys", "check", settings=production)

    assert migrated.returncode == 0, migrated.stderr
    assert checked.returncode == 1
    assert "manage.py keys init" in checked.stderr
    assert not Path(production["SERVER_KEYS_FILE"]).exists()


@pytest.mark.row("T36")
@pytest.mark.parametrize("command", ["keys check", "serve"])
def test_another_key_stops_the_start_and_the_first_one_lets_it_go_on(command: str, production: dict[str, str]) -> None:
    file = Path(production["SERVER_KEYS_FILE"])
    place.begin(Path(production["DATA_DIR"]), keys=file, cache=False)
    assert processes.manage("keys", "check", settings=production).returncode == 0
    right = file.read_text()
    file.unlink()
    assert processes.manage("keys", "init", settings=production).returncode == 0
    assert file.read_text() != right

    stopped = processes.manage(*command.split(), settings=production)
    file.chmod(0o600)
    file.write_text(right)
    again = processes.manage("keys", "check", settings=production)

    assert stopped.returncode == 1
    assert "is not the one this database was written with" in stopped.stderr
    assert again.returncode == 0


@pytest.mark.row("T36")
def test_demo_stops_too_when_its_key_is_another(tmp_path: Path) -> None:
    settings = {"DEBUG": "1", "DEMO": "1", "DATA_DIR": str(tmp_path), "PORT": str(processes.free_port(and_next=3))}
    place.begin(tmp_path, cache=False)
    assert processes.manage("keys", "check", settings=settings).returncode == 0
    (tmp_path / "server-keys.txt").unlink()
    assert processes.manage("keys", "init", settings=settings).returncode == 0

    done = processes.manage("demo", settings=settings)

    assert done.returncode == 1
    assert "is not the one this database was written with" in done.stderr


@pytest.mark.row("T36")
def test_names_of_cookies_are_bound_to_https_in_production(production: dict[str, str]) -> None:
    script = (
        "import json; from django.conf import settings as s; print(json.dumps([s.SESSION_COOKIE_NAME,"
        " s.CSRF_COOKIE_NAME, s.DEVICE_COOKIE_NAME,"
        " s.SESSION_COOKIE_SECURE and s.CSRF_COOKIE_SECURE and s.DEVICE_COOKIE_SECURE,"
        " s.SESSION_COOKIE_HTTPONLY and s.CSRF_COOKIE_HTTPONLY, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS,"
        " s.SECURE_SSL_HOST, s.DEBUG, s.ADMINS]))"
    )

    done = processes.manage("shell", "--no-imports", "-c", script, settings=production)

    assert json.loads(done.stdout) == [
        "__Host-session",
        "__Host-csrf",
        "__Host-device-key-{person}",
        True,
        True,
        True,
        31_536_000,
        "auth.example.org",
        False,
        [],
    ]


# -- What is installed ------------------------------------------------------------------------------------------------

_LOCKED = re.compile(r"^([a-z0-9._-]+)==(\S+) \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def locked(name: str) -> dict[str, tuple[str, int]]:
    """The packages of a lock: version, and how many files of it are known by their hash."""
    text = (ROOT / name).read_text()
    return {package: (version, hashes.count("sha256:")) for package, version, hashes in _LOCKED.findall(text)}


@pytest.mark.row("T36")
@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_line_of_the_locks_is_a_package_with_hashes(name: str) -> None:
    text = (ROOT / name).read_text()
    rest = [line for line in _LOCKED.sub("", text).splitlines() if line.strip() and not line.strip().startswith("#")]

    assert rest == []
    assert len(locked(name)) > 20


@pytest.mark.row("T36")
def test_package_without_a_hash_is_seen() -> None:
    assert _LOCKED.sub("", "evil==1.0\n") != ""
    assert _LOCKED.sub("", f"good==1.0 \\\n    --hash=sha256:{'0' * 64}\n") == ""


@pytest.mark.row("T36")
def test_install_takes_locked_packages_alone() -> None:
    made = (ROOT / "Makefile").read_text()

    assert re.findall(r"^FROM_LOCK := (.*)$", made, re.MULTILINE) == ["install --quiet --require-hashes --no-deps -r"]
    assert [line for line in re.findall(r".*\$\(PIP\).*", made) if "FROM_LOCK" not in line and ":=" not in line] == []


@pytest.mark.row("T36")
def test_bill_of_materials_names_what_the_lock_names(production: dict[str, str]) -> None:
    """Every package that a production installs, with its version and the hashes of its files."""
    done = processes.manage("bill_of_materials", settings=production)

    bill = json.loads(done.stdout)
    found = {part["name"]: (part["version"], len(part["hashes"])) for part in bill["components"]}
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert found == locked("requirements.txt")
    assert {part["purl"] for part in bill["components"]} == {
        f"pkg:pypi/{name}@{version}" for name, (version, _) in found.items()
    }
