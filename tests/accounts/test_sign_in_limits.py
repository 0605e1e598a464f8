"""Limits of sign-in, and its cookies, in processes of their own: what is shared must be shared by all of them."""

from __future__ import annotations

import http.client
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import time_machine
from allauth.account.adapter import DefaultAccountAdapter
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.factories import PASSWORD
from tests.place import Place

LOGIN, WAYS = reverse("account_login"), reverse("accounts:settings-sign-in")
WAIT = "Too many tries. Wait 5 minutes."

SERVE = """
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
from authweb.wsgi import application
class Quiet(WSGIRequestHandler):
    def log_message(self, *args): pass
server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
SIGN_IN = """
import django; django.setup()
import json
import uuid
from allauth.mfa.models import Authenticator
from django.test import Client
from accounts.models import User
user = User.objects.get()
Authenticator.objects.create(user=user, type="webauthn", data={"name": "Key", "credential": {}})
client = Client(HTTP_HOST=HOST)
say = dict(secure=SECURE)
client.get("/sign-in/login/", **say)
answer = client.post("/sign-in/login/", {"login": user.email, "password": PASSWORD}, **say)
client.post("/start/", {"device_id": str(uuid.uuid4()), "name": "Phone", "type": "ios"}, **say)
pages = ["/settings/sign-in/", "/sign-in/password/change/", "/devices/"]
print(json.dumps({
    "onward": answer.headers.get("Location"),
    "pages": [client.get(page, **say).status_code for page in pages],
    "cookies": {name: [bool(m["secure"]), m["httponly"], m["path"], m["domain"], m["samesite"]]
                for name, m in client.cookies.items()},
}))
"""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[int]]:
    """The ports of two processes that serve one Authweb."""
    place = Place(tmp_path, DEBUG="1", SITE_URL="http://site.example:8000", ALLOWED_HOSTS="site.example")
    processes = [
        subprocess.Popen([sys.executable, "-c", SERVE], env=place.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        yield [int(process.stdout.readline()) for process in processes if process.stdout]
    finally:
        for process in processes:
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()


def attempt(port: int, host: str, password: str) -> str:
    """Sign in over real HTTP: the first error of the answer, or where it leads."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", LOGIN, headers={"Host": host})
    answer = connection.getresponse()
    page, cookie = answer.read().decode(), answer.headers["Set-Cookie"].partition(";")[0]
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    body = urlencode({"csrfmiddlewaretoken": token[1], "login": "alice@example.org", "password": password})
    headers = {"Host": host, "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", LOGIN, body, headers)
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    error = re.search(r"<li>(.*?)</li>", page)
    return error[1] if error and answer.status == 200 else str(answer.headers["Location"])


def test_sixth_wrong_password_waits_over_two_processes_and_three_ports_of_the_host(servers):
    hosts = ["site.example:5001", "site.example:5002", "site.example"]

    tries = [attempt(servers[number % 2], hosts[number % 3], "wrong") for number in range(6)]
    right = attempt(servers[0], "site.example:5003", PASSWORD)

    assert tries == ["That is not the right address and password."] * 5 + [WAIT]
    assert right == WAIT


def test_name_that_allauth_asks_for_the_key_of_failed_sign_ins_still_exists():
    assert "self._get_login_attempts_cache_key(" in inspect.getsource(DefaultAccountAdapter.pre_authenticate)


def test_limit_is_keyed_by_host_with_port_when_the_hook_is_off(db, settings):
    factories.create_user("alice@example.org")
    settings.ALLOWED_HOSTS = ["site.example"]
    settings.ACCOUNT_ADAPTER = "allauth.account.adapter.DefaultAccountAdapter"

    answers = [
        Client(HTTP_HOST=f"site.example:{5000 + number // 3}").post(
            LOGIN, {"login": "alice@example.org", "password": "wrong"}
        )
        for number in range(9)
    ]

    assert "Too many" not in answers[-1].content.decode()


def test_waiting_time_shrinks_and_ends(db, clock):
    factories.create_user("alice@example.org")
    client = Client()

    def tried(password: str) -> str:
        page = client.post(LOGIN, {"login": "alice@example.org", "password": password}).content.decode()
        error = re.search(r"<li>(.*?)</li>", page)
        return error[1] if error else ""

    for _ in range(5):
        tried("wrong")
    said = [tried(PASSWORD)]
    for seconds in (121, 120, 60):
        clock.shift(seconds)
        said.append(tried(PASSWORD))

    assert said == [WAIT, "Too many tries. Wait 3 minutes.", "Too many tries. Wait 1 minute.", ""]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Noon, until it is moved."""
    with time_machine.travel("2026-11-24T12:00:00Z", tick=False) as clock:
        yield clock


# -- Cookies ----------------------------------------------------------------------------------------------------------


def visit(place: Place, host: str, *, secure: bool) -> dict:
    head = f"HOST, SECURE, PASSWORD = {host!r}, {secure!r}, {PASSWORD!r}\n"
    return dict(json.loads(place.run(head + SIGN_IN)))


@pytest.mark.parametrize(
    ("site", "settings", "prefix", "secure"),
    [
        ("http://localhost:8000", {"DEBUG": "1"}, "", False),
        ("https://auth.example.org", {}, "__Host-", True),
    ],
    ids=["DEBUG over http", "production"],
)
def test_cookies_are_bound_to_this_host_except_in_debug_over_http(tmp_path, site, settings, prefix, secure):
    place = Place(tmp_path, SITE_URL=site, PASSKEYS="0", STATIC_ROOT=str(tmp_path / "static"), **settings)
    if secure:
        place.run(
            "import django; django.setup()\nfrom django.core.management import call_command\n"
            "call_command('collectstatic', interactive=False, verbosity=0)"
        )

    seen = visit(place, site.partition("//")[2], secure=secure)

    names = sorted(re.sub(r"(device-key-)[a-z2-7]{8}$", r"\1…", name) for name in seen["cookies"])
    assert names == sorted(f"{prefix}{name}" for name in ("csrf", "session", "device-key-…"))
    assert list(seen["cookies"].values()) == [[secure, True, "/", "", "Lax"]] * 3
    # A passkey that this server no longer takes (PASSKEYS=0) keeps nobody out, and breaks no page.
    assert (seen["onward"], seen["pages"]) == ("/accounts/", [200, 200, 200])
