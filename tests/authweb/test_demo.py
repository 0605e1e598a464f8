"""`make run`: it starts, says where it is, is quick the second time, and Ctrl-C ends all of it, the provider too."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from authweb.demo.provider.issuers import ISSUERS, PORTS
from tests import processes
from tests.processes import MANAGE, Started


def settings_in(folder: Path) -> dict[str, str]:
    """Those of a demo that keeps everything there, on ports of its own."""
    return {
        "DEBUG": "1",
        "DEMO": "1",
        "PORT": str(processes.free_port(and_next=PORTS - 1)),
        "DATA_DIR": str(folder / "demo"),
    }


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """A demo of this test's own."""
    return settings_in(tmp_path)


@pytest.fixture
def demo(settings: dict[str, str]) -> Iterator[Started]:
    """The demo, running."""
    with Started([*MANAGE, "demo"], settings=settings) as started:
        started.wait_for("Ctrl-C ends it.")
        yield started


class Shown(NamedTuple):
    """A demo that runs, and its settings."""

    demo: Started
    settings: dict[str, str]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """One demo for all who only look at it."""
    settings = settings_in(tmp_path_factory.mktemp("shown"))
    with Started([*MANAGE, "demo"], settings=settings) as started:
        started.wait_for("Ctrl-C ends it.")
        yield Shown(started, settings)


def get(port: str, path: str) -> tuple[int, str]:
    """Status and text of a page of this machine."""
    with contextlib.closing(http.client.HTTPConnection("localhost", int(port), timeout=10)) as asked:
        asked.request("GET", path)
        answer = asked.getresponse()
        return answer.status, answer.read().decode()


def test_demo_says_where_it_is_and_who_signs_in(shown: Shown) -> None:
    assert f"Authweb, the demo:  http://localhost:{shown.settings['PORT']}\n" in shown.demo.output
    assert "alice@example.org, password authweb-demo\n" in shown.demo.output
    assert "alice and bob at outlook.example, icloud.example, contoso.example,\n" in shown.demo.output
    assert get(shown.settings["PORT"], "/healthz") == (200, '{"database": "ok", "cache": "ok", "store": "ok"}')
    assert get(shown.settings["PORT"], "/")[0] == 200
    assert get(shown.settings["PORT"], "/static/css/base.css")[0] == 200


def test_demo_has_its_provider_beside_it(shown: Shown) -> None:
    for issuer in ISSUERS:
        somebody = requests.get(f"{issuer.origin(int(shown.settings['PORT']))}/", timeout=10)

        assert f"Demo: this plays <bdi>{issuer.name}</bdi>" in somebody.text


def test_site_of_the_demo_knows_who_plays_which_role(settings: dict[str, str]) -> None:
    port = settings["PORT"]
    own = {
        "ROLE_APPLE_ISSUER": "https://id.example.org",
        "ROLE_APPLE_CLIENT_ID": "own",
        "ROLE_APPLE_CLIENT_SECRET": "-",
    }
    with Started([*MANAGE, "demo"], settings={**settings, **own}) as started:
        started.wait_for("Ctrl-C ends it.")
        # The server renames itself, which hides what it was started with; `tidy` is started alike.
        tidy = next(pid for pid in started.children() if "tidy" in processes.command_of(pid))
        told = dict(re.findall(r"\b(ROLE_[A-Z_]+)=(\S+)", processes.environment_of(tidy)))

    assert told == {
        "ROLE_MICROSOFT_ISSUER": f"http://127.0.0.1:{int(port) + 1}",
        "ROLE_MICROSOFT_CLIENT_ID": "authweb-microsoft-proof",
        "ROLE_MICROSOFT_CLIENT_SECRET": "known-to-everybody",
        "ROLE_MICROSOFT_NAME": "Microsoft",
        "ROLE_MICROSOFT_SUBJECT": "oid",
        "ROLE_ENTRA_ISSUER": f"http://127.0.0.1:{int(port) + 3}/{{tid}}/v2.0",
        "ROLE_ENTRA_CLIENT_ID": "authweb-entra-proof",
        "ROLE_ENTRA_CLIENT_SECRET": "known-to-everybody",
        "ROLE_ENTRA_NAME": "Contoso",
        "ROLE_ENTRA_SUBJECT": "oid",
        **own,
    }


def test_demo_keeps_everything_in_its_folder(shown: Shown) -> None:
    kept = {path.name for path in Path(shown.settings["DATA_DIR"]).iterdir()}

    assert {"authweb.sqlite3", "server-keys.txt", "provider"} <= kept
    assert {path.name for path in (Path(shown.settings["DATA_DIR"]) / "provider").iterdir()} >= {
        "provider.sqlite3",
        "signing-key.pem",
    }
    assert (Path(shown.settings["DATA_DIR"]) / "server-keys.txt").stat().st_mode & 0o777 == 0o400


def test_demo_ends_with_all_its_processes_on_ctrl_c(demo: Started, settings: dict[str, str]) -> None:
    children = demo.children()
    assert len(children) >= 4  # The server, its worker, `tidy`, the provider.

    assert demo.end(signal.SIGINT) == 0

    assert [pid for pid in children if processes.is_alive(pid)] == []
    for port in range(int(settings["PORT"]), int(settings["PORT"]) + 4):
        with pytest.raises(OSError):
            get(str(port), "/healthz")


def test_make_run_ends_with_all_its_processes_on_the_terminals_ctrl_c(settings: dict[str, str]) -> None:
    with Started(["make", "run", f"PORT={settings['PORT']}"], settings={"DATA_DIR": settings["DATA_DIR"]}) as run:
        run.wait_for("Ctrl-C ends it.")
        children = run.children()

        os.killpg(run.process.pid, signal.SIGINT)  # As a terminal does: make and what it started hear it together.

        run.process.wait(20)
        assert [pid for pid in children if processes.is_alive(pid)] == []
        assert "Traceback" not in run.output


@pytest.mark.parametrize("part", ["granian", "provider.serve"])
def test_demo_ends_when_a_part_of_it_ends(demo: Started, part: str) -> None:
    children = demo.children()

    os.kill(next(pid for pid in children if part in processes.command_of(pid)), signal.SIGKILL)

    assert demo.process.wait(20) != 0
    assert "The demo ended by itself." in demo.output
    assert [pid for pid in children if processes.is_alive(pid)] == []


def test_demo_is_ready_within_seconds_the_second_time(settings: dict[str, str]) -> None:
    for _ in range(2):
        begun = time.monotonic()
        with Started([*MANAGE, "demo"], settings=settings) as started:
            started.wait_for("Ctrl-C ends it.")
            took = time.monotonic() - begun
            started.end()

    assert took < 20


@pytest.mark.parametrize("offset", range(4))
def test_demo_says_in_one_sentence_which_port_is_taken(settings: dict[str, str], offset: int) -> None:
    port = int(settings["PORT"])
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + offset))
        other.listen()

        done = processes.manage("demo", settings=settings)

    assert done.returncode == 1
    assert done.stderr == (
        f"CommandError: Port {port + offset} of 127.0.0.1 cannot be had (Address already in use; {port} to {port + 3} "
        f"are needed): end what listens there, or choose another, as in PORT={port + 4}.\n"
    )
    assert not Path(settings["DATA_DIR"]).exists()


def test_demo_says_that_its_ports_would_be_too_high(settings: dict[str, str]) -> None:
    done = processes.manage("demo", settings={**settings, "PORT": "65533"})

    assert done.returncode == 1
    assert done.stderr == "CommandError: Ports 65533 to 65536 are needed, and 65535 is the last: choose PORT=65529.\n"


def test_demo_shows_its_mails_to_everybody(shown: Shown) -> None:
    before = len(re.findall(r"/demo/mail/\d+/", get(shown.settings["PORT"], "/demo/mail/")[1]))
    done = processes.manage("sendtestemail", "bob@example.org", settings=shown.settings)

    status, mails = get(shown.settings["PORT"], "/demo/mail/")
    names = re.findall(r"/demo/mail/(\d+)/", mails)

    assert (done.returncode, status, len(names)) == (0, 200, 1 + before)
    assert "Test email from" in mails
    assert get(shown.settings["PORT"], f"/demo/mail/{names[0]}/")[0] == 200
    assert get(shown.settings["PORT"], "/demo/mail/0000000000000000/")[0] == 404
    assert get(shown.settings["PORT"], "/demo/mail/..%2Fserver-keys/")[0] == 404


def test_demo_is_refused_outside_debug(settings: dict[str, str]) -> None:
    done = processes.manage("demo", settings={**settings, "DEBUG": "0"})

    assert done.returncode == 1
    assert "DEMO=1 is refused unless DEBUG=1" in done.stderr
