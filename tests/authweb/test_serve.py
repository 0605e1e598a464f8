"""`make serve`, as deploy/ starts it: refuses what is not ready, answers, keeps queries out of its log, ends whole."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import secrets
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import place, processes
from tests.environment import ROOT
from tests.processes import Started


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Those of deploy/authweb.env, with places of this test's own."""
    lines = (ROOT / "deploy/authweb.env").read_text().splitlines()
    deployed = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    secret = tmp_path / "secret-key"
    secret.write_text(secrets.token_urlsafe(60) + "\n")
    return {
        **deployed,
        "DATA_DIR": str(tmp_path / "data"),
        "SECRET_KEY_FILE": str(secret),
        "SERVER_KEYS_FILE": str(tmp_path / "server-keys.txt"),
        "PORT": str(processes.free_port()),
        "WORKERS": "1",
    }


@pytest.fixture
def ready(settings: dict[str, str]) -> dict[str, str]:
    """The same after the two commands that come before the first start."""
    place.begin(Path(settings["DATA_DIR"]), keys=Path(settings["SERVER_KEYS_FILE"]), cache=False)
    return settings


def ask(settings: dict[str, str], path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """A page over loopback, asked for as the proxy does."""
    headers = {"Host": str(urlsplit(settings["SITE_URL"]).hostname), "X-Forwarded-For": "192.0.2.7", **headers}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", int(settings["PORT"]), timeout=10)) as asked:
        asked.request("GET", path, headers=headers)
        answer = asked.getresponse()
        return answer, answer.read()


def test_serve_answers_as_it_is_deployed(ready: dict[str, str]) -> None:
    with Started(["make", "serve"], settings=ready) as served:
        served.wait_for(f"Authweb answers at {ready['SITE_URL']}")

        health, stores = ask(ready, "/healthz")
        plain, _ = ask(ready, "/", **{"X-Forwarded-Proto": "http"})
        page, html = ask(ready, "/?token=of-the-query", **{"X-Forwarded-Proto": "https"})
        sheet = re.findall(rb'href="(/static/css/base\.[0-9a-f]+\.css)"', html)
        style, packed = ask(ready, sheet[0].decode(), **{"X-Forwarded-Proto": "https", "Accept-Encoding": "br"})
        stranger, _ = ask(ready, "/healthz", Host="elsewhere.example")
        children = served.children()
        ended = served.end(signal.SIGTERM)

        assert (health.status, json.loads(stores)) == (200, {"database": "ok", "cache": "ok", "store": "ok"})
        assert (plain.status, plain.headers["Location"]) == (301, "https://auth.example.org/")
        assert page.status == 200
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"].split("; ")
        assert (style.status, style.headers["Content-Encoding"]) == (200, "br")
        assert style.headers["Cache-Control"] == "max-age=315360000, public, immutable"
        assert 0 < len(packed) < 12_000
        assert stranger.status == 400
        assert '"GET /" 200' in served.output
        assert "of-the-query" not in served.output
        assert ended in (0, 2, -signal.SIGTERM)  # make says 2 of a recipe that was told to end.
        assert [pid for pid in children if processes.is_alive(pid)] == []


def test_serve_is_what_the_unit_starts(settings: dict[str, str]) -> None:
    unit = (ROOT / "deploy/authweb.service").read_text()
    recipe = re.search(r"^serve:.*\n\t@exec \$\(PY\) (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert recipe is not None
    assert f"ExecStart=/srv/authweb/.venv/bin/python {recipe[1]}\n" in unit
    assert "EnvironmentFile=/etc/authweb/authweb.env\n" in unit


def test_proxy_of_the_deployment_leads_to_the_server(settings: dict[str, str]) -> None:
    deployed = (ROOT / "deploy/authweb.env").read_text()
    port = re.search(r"^PORT=(\d+)$", deployed, re.MULTILINE)
    host = re.search(r"^SITE_URL=https://(.+)$", deployed, re.MULTILINE)
    caddy = (ROOT / "deploy/Caddyfile").read_text()

    assert port is not None
    assert host is not None
    assert f"\nreverse_proxy 127.0.0.1:{port[1]} {{\n" in caddy.replace("\t", "")
    assert f"\n{host[1]} {{\n" in caddy
    assert "encode" not in re.sub(r"#.*", "", caddy)
    assert re.search(r"^\s*request_buffers \d+MB$", caddy, re.MULTILINE) is not None


def test_serve_refuses_while_migrations_are_open(settings: dict[str, str]) -> None:
    Path(settings["DATA_DIR"]).mkdir()
    assert processes.manage("keys", "init", settings=settings).returncode == 0

    done = processes.manage("serve", settings=settings)

    assert done.returncode == 1
    assert "(backups.W001)" in done.stderr  # Everything in one place: that is said, and stops nothing.
    assert done.stderr.splitlines()[-1].startswith("CommandError: Migrations are open (")
    assert done.stderr.endswith("more): run manage.py migrate, then start again.\n")


def test_serve_refuses_another_key_under_a_known_number(ready: dict[str, str]) -> None:
    assert processes.manage("keys", "check", settings=ready).returncode == 0
    Path(ready["SERVER_KEYS_FILE"]).unlink()
    assert processes.manage("keys", "init", settings=ready).returncode == 0

    done = processes.manage("serve", settings=ready)

    assert done.returncode == 1
    assert "is not the one this database was written with" in done.stderr


def test_serve_refuses_keys_with_which_the_store_was_not_written(ready: dict[str, str]) -> None:
    """Database and keys file are new, and the backups are not: nobody would ever find them."""
    store = Path(ready["DATA_DIR"]) / "backups/keys"
    store.mkdir(parents=True)
    (store / "S-1.check").write_bytes(bytes(32))

    done = processes.manage("serve", settings=ready)

    assert done.returncode == 1
    assert "The server key S 1 is not the one that the backups in the store were written with" in done.stderr


def test_serve_refuses_without_server_keys(settings: dict[str, str]) -> None:
    Path(settings["DATA_DIR"]).mkdir()
    assert processes.manage("migrate", "--verbosity=0", settings=settings).returncode == 0

    done = processes.manage("serve", settings=settings)

    assert done.returncode == 1
    assert "make them by `manage.py keys init`" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SECRET_KEY_FILE", "", "SECRET_KEY"),
        ("SITE_URL", "http://auth.example.org", "https is required"),
        ("EMAIL_URL", "console://", "Mail is not sent"),
        ("WORKERS", "many", "WORKERS='many'"),
        ("SIGN_UP", "maybe", "SIGN_UP='maybe'"),
    ],
)
def test_serve_names_a_setting_that_is_wrong(name: str, value: str, said: str, ready: dict[str, str]) -> None:
    done = processes.manage("serve", settings={**ready, name: value})

    assert done.returncode != 0
    assert said in done.stderr
