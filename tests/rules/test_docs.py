"""Documents say what is so: the settings that are read, the commands there are, the links that lead somewhere."""

from __future__ import annotations

import re

import pytest
from django.core.management import get_commands

from accounts.services import activity
from accounts.vault.keys import Label
from accounts.views.settings import GROUPS
from tests import environment
from tests.environment import ROOT
from tests.rules import tree

COMMAND = re.compile(r"\bmake ([a-z][a-z-]*)\b")
MANAGE = re.compile(r"\bmanage\.py ([a-z_]+)")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
PLACE = re.compile(r"(?<![\w./-])(?:accounts|authweb|backups|templates|static|tests|docs|deploy|locale|\.ci)/[\w./-]*")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def code_of(text: str) -> str:
    """What stands in code of a document: there `make` is a command, elsewhere a word."""
    return "\n".join(CODE.findall(text))


def settings_documented(text: str) -> set[str]:
    """The variables that docs/settings.md has a row for: each row begins with the name, in code.

    `ROLE_<ROLE>_…` stands for the three of the roles.
    """
    each = re.findall(r"^\| `ROLE_<ROLE>_([A-Z_]+)`", text, re.MULTILINE)
    return set(re.findall(r"^\| `([A-Z0-9_]+)`", text, re.MULTILINE)) | environment.of_each_role(each)


def targets() -> set[str]:
    """What the Makefile can do."""
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    return set(phony[1].split())


def test_settings_in_the_document_are_those_that_are_read() -> None:
    assert settings_documented((ROOT / "docs/settings.md").read_text()) == environment.settings_read()


def test_setting_without_a_row_would_be_missed() -> None:
    assert settings_documented("| `SITE_URL` | … |\nAlso `DEBUG`.\n| `SIGN_UP` |") == {"SITE_URL", "SIGN_UP"}
    assert len(settings_documented("| `ROLE_<ROLE>_NAME` | … |\nAlso `ROLE_<ROLE>_ISSUER`.")) == 3
    assert {
        "SITE_URL",
        "SIGN_UP",
        "BACKUP_S3_ACCESS_KEY_ID",
        "WORKERS",
        "SIGN_IN_OIDC_ISSUER",
        "SECRET_KEY",
    } <= environment.settings_read()


def test_settings_of_the_deployment_are_settings() -> None:
    lines = (ROOT / "deploy/authweb.env").read_text().splitlines()
    names = {line.lstrip("#").partition("=")[0] for line in lines if re.match(r"#?[A-Z0-9_]+=", line)}

    assert {name.removesuffix("_FILE") if name not in environment.settings_read() else name for name in names} - (
        environment.settings_read()
    ) == set()


def test_commands_in_the_documents_exist() -> None:
    missing = []
    for path in tree.documents():
        code = code_of(path.read_text())
        missing += [f"{tree.named(path)}: make {name}" for name in COMMAND.findall(code) if name not in targets()]
        missing += [f"{tree.named(path)}: manage.py {name}" for name in MANAGE.findall(code) if name not in COMMANDS]

    assert missing == []


COMMANDS = {*get_commands(), "demo"}


def test_commands_that_do_not_exist_are_found() -> None:
    code = code_of("Run `make coffee`, then\n```\nmake test\nmanage.py brew\n```\nto make sense of it.")

    assert COMMAND.findall(code) == ["coffee", "test"]
    assert [name for name in MANAGE.findall(code) if name not in COMMANDS] == ["brew"]


def test_links_in_the_documents_lead_somewhere() -> None:
    lost = [
        f"{tree.named(path)}: {link}"
        for path in tree.documents()
        for link in LINK.findall(path.read_text())
        if not (path.parent / link).exists()
    ]

    assert lost == []


def test_readme_names_both_commands() -> None:
    assert {"run", "test"} <= set(COMMAND.findall(code_of((ROOT / "README.md").read_text())))


# -- What documents name ----------------------------------------------------------------------------------------------


# How labels of backups begin, and what a passkey is asked: neither is a place.
LABELS = {*Label, "authweb/backup/1", "authweb/prf/1"}


def places_named(text: str) -> list[str]:
    """Files and folders of the repository that a document names in code; labels of keys look alike and are none."""
    named = [found.rstrip("./") for found in PLACE.findall(code_of(text))]
    return [place for place in named if place not in LABELS]


def missing_tests(text: str) -> list[str]:
    """Tests that a document names and that are not there."""
    return [
        f"{path}::{name}"
        for path, name in TEST.findall(text)
        if not (ROOT / path).is_file() or re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE) is None
    ]


def rows_of(text: str) -> list[list[str]]:
    """The rows of the tables of a document whose first cell is code, cell by cell."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def test_files_named_in_the_documents_exist() -> None:
    lost = [
        f"{tree.named(path)}: {place}"
        for path in tree.documents()
        for place in places_named(path.read_text())
        if not (ROOT / place).exists()
    ]

    assert lost == []


def test_tests_named_in_the_documents_exist() -> None:
    assert [
        f"{tree.named(path)}: {test}" for path in tree.documents() for test in missing_tests(path.read_text())
    ] == []


def test_files_and_tests_that_do_not_exist_are_found() -> None:
    text = (
        "`accounts/nowhere.py`, not `authweb/list/1`, not `/etc/authweb/x`, not accounts/else.py; "
        "`tests/rules/test_docs.py::test_nothing`, `tests/nowhere.py::test_that`, "
        "`tests/rules/test_docs.py::test_files_and_tests_that_do_not_exist_are_found`"
    )

    assert places_named(text)[0] == "accounts/nowhere.py"
    assert set(places_named(text)[1:]) == {"tests/rules/test_docs.py", "tests/nowhere.py"}
    assert missing_tests(text) == ["tests/rules/test_docs.py::test_nothing", "tests/nowhere.py::test_that"]


@pytest.mark.row("A40")
def test_threats_name_the_tests_that_show_them() -> None:
    assert len(TEST.findall((ROOT / "docs/threat-model.md").read_text())) > 20


# -- What documents repeat --------------------------------------------------------------------------------------------


def test_activity_in_the_document_is_the_table() -> None:
    facts = {
        "device": "Chrome on Linux",
        "asked": "Firefox on Mac",
        "former": "Pixel 8",
        "name": "Keychain",
        "day": "2026-05-03",
    } | {
        "count": 2,
        "all": 3,
        "role": "microsoft",
        "reason": "cancelled",
        "account": "a…@outlook.com",
        "domain": "contoso.com",
        "fault": "wildcard",
    }

    assert rows_of((ROOT / "docs/activity.md").read_text()) == [
        [f"`{tag}`", activity.sentence_of(tag, facts), str(GROUPS[line.group]), "yes" if line.mailed else "–"]
        for tag, line in activity.TAGS.items()
    ]


def test_labels_in_the_architecture_are_those_of_the_core() -> None:
    rows = rows_of((ROOT / "docs/architecture.md").read_text())
    named = [row[0].strip("`") for row in rows if re.search(r"/1\b", row[0])]

    assert named == [label.value for label in Label]
