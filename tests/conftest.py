"""What all tests share: the environment, the database, the cast, a server that listens, a browser that is watched."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests import environment

environment.prepare()  # Before Django reads its settings.

import django  # noqa: E402 - after the environment

django.setup()

import pytest  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright  # noqa: E402

from accounts.services import keyring  # noqa: E402
from accounts.vault import keys  # noqa: E402
from tests import browsers, emptying, factories, proving  # noqa: E402
from tests.factories import Visitor  # noqa: E402
from tests.fake_op import FakeProvider  # noqa: E402
from tests.proving import Roles  # noqa: E402

# Real hashing of passwords takes half a second each time; what it does is Django's to test.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

keyring.write(Path(settings.SERVER_KEYS_FILE), keyring.made(keys.Role))

# Those need a real PostgreSQL: `make test-postgres` starts one and runs them.
collect_ignore = [] if environment.is_postgres() else ["postgres"]


# -- Short and long form ----------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: the long form of each row."""
    parser.addoption("--long", action="store_true", help="run the long form of the tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has no short form; on PostgreSQL what asks no database; with ROW=… keep that row alone; say so."""
    row = os.environ.get("ROW")
    left_out = [
        item
        for item in items
        if (item.get_closest_marker("long") and not config.getoption("--long"))
        or (environment.is_postgres() and not _asks_a_database(item))
        or (row and row not in [marker.args[0] for marker in item.iter_markers("row")])
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Keep Python's collector from what lives as long as the tests: it looked through all of Django again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


# Pages whose queries are their own; the others ask by the services, whose tests PostgreSQL runs all.
_PAGES_THAT_ASK = frozenset({"test_accounts", "test_devices", "test_doors", "test_looks", "test_status"})


# Those look at what pages say, mails, and providers of sign-in.
_SAID = frozenset(
    {
        *("test_languages", "test_list_page", "test_words_of_pages", "test_proof_lies"),
        *("test_sign_in_guards", "test_sign_in_limits", "test_sign_in_mails", "test_sign_in_outside"),
    }
)


def _asks_a_database(item: pytest.Item) -> bool:
    """Whether a test may, in a way that no other does; those of `tests/postgres` ask PostgreSQL by themselves."""
    if item.path.parent.name == "views" and item.path.stem not in _PAGES_THAT_ASK:
        return False
    if item.path.stem in _SAID:
        return False
    fixtures = {"db", "transactional_db", "live_server"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures or item.get_closest_marker("django_db")) or "postgres" in item.path.parts


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether this is `make test-long`."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def amount(long: bool) -> Callable[..., int]:
    """How many cases: `amount(short=10_000, long=1_000_000)`; N=… overrules it in the long form.

    `postgres` where that is enough on PostgreSQL, since the same cases run on SQLite beside it.
    """

    def chosen(*, short: int, long: int, postgres: int = 0) -> int:
        if is_long:
            return int(os.environ.get("N") or long)
        return postgres if postgres and environment.is_postgres() else short

    is_long = long
    return chosen


# -- Database ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: Any) -> None:
    """SQLite in a file, as people have it: threads of one process lock each other as processes do."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "tests.sqlite3")


emptying.install()


@pytest.fixture(autouse=True)
def _empty_cache(request: pytest.FixtureRequest) -> Iterator[None]:
    """Counters of one test do not hold back the next. What is rolled back leaves none; the rest is cleared here."""
    marker = request.node.get_closest_marker("django_db")
    commits = {"transactional_db", "live_server"} & set(request.fixturenames) or (
        marker is not None and marker.kwargs.get("transaction")
    )
    if commits:
        request.getfixturevalue("transactional_db")
    yield
    if commits:
        cache.clear()


@pytest.fixture
def queries() -> Callable[[Callable[[], object]], int]:
    """How many queries an act makes: `queries(lambda: client.get(address))`."""

    def counted(act: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as captured:
            act()
        return len(captured)

    return counted


# -- The cast ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def alice(db: None) -> Visitor:
    """Alice, signed in, in a browser without a key; she has no list."""
    return factories.visitor("alice@example.org")


@pytest.fixture
def alice_phone(db: None) -> Visitor:
    """Alice at her phone, where her list is open."""
    return factories.enrolled("alice@example.org", name="Alice's phone", type="ios")


@pytest.fixture
def alice_elsewhere(alice_phone: Visitor) -> Visitor:
    """Alice signed in on a browser that holds no key to her list."""
    return factories.at_another_browser(alice_phone)


@pytest.fixture
def alice_stale(alice_phone: Visitor) -> Visitor:
    """Alice at her phone, whose sign-in is older than five minutes."""
    return factories.grown_stale(alice_phone)


@pytest.fixture
def bob(db: None) -> Visitor:
    """Bob, a stranger to alice, with a list of his own on his computer."""
    return factories.enrolled("bob@example.org", name="Bob's computer", type="computer")


@pytest.fixture
def mallory_removed(db: None) -> Visitor:
    """Mallory, signed in at a device that was removed; its cookie is still there."""
    return factories.removed(factories.enrolled("mallory@example.org", name="Mallory's phone", type="android"))


@pytest.fixture
def newer_key(tmp_path: Path, settings: Any) -> Iterator[Callable[[keys.Role], Path]]:
    """`newer_key(role)` adds a key to a keys file of this test's own, known to a server since its start. The file."""
    file = tmp_path / "server-keys.txt"
    keyring.write(file, keyring.read(Path(settings.SERVER_KEYS_FILE)))
    settings.SERVER_KEYS_FILE = file
    keyring.keyring.cache_clear()

    def added(role: keys.Role) -> Path:
        there = keyring.read(file)
        keyring.write(file, [*there, *keyring.made([role], beside=there)])
        keyring.check()
        return file

    yield added
    keyring.keyring.cache_clear()


@pytest.fixture
def newer_pepper(newer_key: Callable[[keys.Role], Path]) -> Callable[[], Path]:
    """`newer_pepper()` adds a pepper."""
    return lambda: newer_key(keys.Role.PEPPER)


# -- A provider of the tests ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def op() -> Iterator[FakeProvider]:
    """A provider of this module's own."""
    with FakeProvider() as op:
        yield op


@pytest.fixture
def roles(op: FakeProvider, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Roles:
    """Each role at a provider of the tests."""
    return proving.mapped(op, monkeypatch, settings)


# -- A browser at a server --------------------------------------------------------------------------------------------


@pytest.fixture
def live(live_server: Any) -> str:
    """The address of a server that listens, over the test's own database; without a slash at its end."""
    return str(live_server.url)


@pytest.fixture(scope="session")
def _playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(_playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for the session."""
    browser = _playwright.chromium.launch(executable_path=browsers.find(), args=list(browsers.ARGUMENTS))
    yield browser
    browser.close()


class Faults:
    """What went wrong in the pages of a test. Each is a fault of the test, unless it said beforehand to expect it."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._expected: list[str] = []

    def expect(self, pattern: str) -> None:
        """Let pass what this regular expression finds: a server stopped on purpose, a refused request."""
        self._expected.append(pattern)

    def unexpected(self) -> list[str]:
        """What nobody expected."""
        return [fault for fault in self.found if not any(re.search(pattern, fault) for pattern in self._expected)]

    def watch(self, context: BrowserContext) -> None:
        """Collect violations of the content policy, errors of scripts and of the console, answers of 500 and above."""
        context.expose_binding("reportViolation", lambda _source, text: self.found.append(f"content policy: {text}"))
        context.add_init_script(
            "document.addEventListener('securitypolicyviolation', (event) => window.reportViolation("
            "`${event.effectiveDirective} refused ${event.blockedURI} at ${event.documentURI}: ${event.sample}`));"
        )
        context.on("weberror", lambda error: self.found.append(f"script: {error.error}"))
        context.on(
            "console",
            lambda message: (
                self.found.append(f"console: {message.text} {message.location.get('url', '')}")
                if message.type == "error"
                else None
            ),
        )
        context.on(
            "response",
            lambda answer: self.found.append(f"{answer.status}: {answer.url}") if answer.status >= 500 else None,
        )


@pytest.fixture
def faults() -> Iterator[Faults]:
    """What went wrong in the pages of this test; at its end there must be nothing."""
    faults = Faults()
    yield faults
    assert faults.unexpected() == []


@pytest.fixture
def new_context(browser: Browser, live: str, faults: Faults) -> Iterator[Callable[..., BrowserContext]]:
    """More browsers, each with cookies of its own and watched: `new_context(viewport=…, java_script_enabled=False)`."""
    contexts: list[BrowserContext] = []

    def opened(**options: Any) -> BrowserContext:
        # The worker of the app would stand between a test and what it holds back; it has tests of its own.
        context = browser.new_context(base_url=live, **{"service_workers": "block", **options})
        context.set_default_timeout(10_000)
        faults.watch(context)
        contexts.append(context)
        return context

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    """A phone: 360 px wide."""
    return new_context(viewport={"width": 360, "height": 740})


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of the phone. `page.goto("/")` goes to the live server."""
    return context.new_page()


@pytest.fixture
def sign_in(live: str) -> Callable[[BrowserContext, Visitor], None]:
    """Put a visitor's cookies into a browser: `sign_in(context, alice_phone)`; session and key, as a real visit has."""

    def signed_in(context: BrowserContext, visitor: Visitor) -> None:
        context.add_cookies(
            [
                {"name": morsel.key, "value": morsel.value, "url": live, "httpOnly": True, "sameSite": "Lax"}
                for morsel in visitor.client.cookies.values()
            ]
        )

    return signed_in
