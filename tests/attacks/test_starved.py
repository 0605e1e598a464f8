"""The database is read-only or full: people are told so, codes are shown where they can be, and nothing is lost."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import place, processes
from tests.environment import ROOT


@pytest.fixture
def site() -> Iterator[dict[str, str]]:
    """Settings of a site with an empty database, in a folder that everybody reaches: pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="authweb-starved-"))
    folder.chmod(0o755)
    data = folder / "data"
    settings = {
        "DEBUG": "1",
        "DATA_DIR": str(data),
        "SERVER_KEYS_FILE": str(folder / "server-keys.txt"),
        "SECRET_KEY": secrets.token_urlsafe(60),
    }
    place.begin(data, keys=Path(settings["SERVER_KEYS_FILE"]))
    yield settings
    data.chmod(0o755)
    shutil.rmtree(folder)


def run(command: str, site: dict[str, str], **given: Any) -> Any:
    """A command of tests/attacks/starved.py, and what it says; the log beside it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks.starved", command],
        cwd=ROOT,
        env=processes.clean_environment(**site, DJANGO_SETTINGS_MODULE="authweb.settings"),
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


BEFORE = {
    "entries": [["Example", "kept", False, 0], ["Counter", "counted", False, 5]],
    "version": 3,
    "device": "Phone",
    "drafts": 1,
    "hide_codes": False,
}
LOOKS = ("accounts:list", "accounts:codes", "accounts:account", "accounts:devices")
ACTS = (
    *("accounts:pin", "accounts:edit", "accounts:next-code", "accounts:to-trash", "accounts:add-link"),
    *("accounts:add-confirm", "accounts:device-rename", "accounts:settings-codes"),
)
SAID = [503, "Nothing can be saved just now.", True]


def told(site: dict[str, str], taken: str) -> tuple[dict[str, list[Any]], dict[str, Any], list[str]]:
    """What alice was told page by page, what is there afterwards, and where a page said more than it should."""
    people = run("make", site)
    assert run("look", site, **people) == BEFORE
    answers = run("ask", site, **people, taken=taken)
    told = {name: [status, heading, reference] for name, status, heading, reference, _ in answers}
    return told, run("look", site, **people), [name for name, *_, too_much in answers if too_much]


def test_full_disk_shows_codes_and_takes_no_change(site: dict[str, str]) -> None:
    """Not even where something of the visit would be noted: its upkeep waits until there is room."""
    answers, after, too_much = told(site, "room")

    assert {name: answers[name][0] for name in LOOKS} == dict.fromkeys(LOOKS, 200)
    assert {name: answers[name] for name in ACTS} == dict.fromkeys(ACTS, SAID)
    assert answers["account_login"][0] in (429, 503)
    assert after == BEFORE
    assert too_much == []


def test_read_only_database_is_said_and_nothing_is_lost(site: dict[str, str]) -> None:
    """SQLite reads a log beside its file, which it must be able to make: here it can read nothing either."""
    answers, after, too_much = told(site, "writing")

    assert {name: answers[name] for name in (*LOOKS, *ACTS, "account_login")} == dict.fromkeys(
        (*LOOKS, *ACTS, "account_login"), SAID
    )
    assert answers["healthz"][0] == 503
    assert after == BEFORE
    assert too_much == []


def test_same_acts_are_done_where_nothing_is_taken_away(site: dict[str, str]) -> None:
    """The control: what was refused above was refused for want of room alone."""
    answers, after, _ = told(site, "nothing")

    assert {name: status for name, (status, *_) in answers.items() if status not in (200, 302, 303)} == {}
    assert after == {
        "entries": [["Counter", "counted", False, 6], ["New", "new", False, 0]],
        "version": 8,
        "device": "Renamed",
        "drafts": 1,
        "hide_codes": True,
    }
