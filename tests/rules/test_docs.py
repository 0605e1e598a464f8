"""Documents say what is so: the settings that are read, the commands there are, the links that lead somewhere."""

from __future__ import annotations

import re

from django.core.management import get_commands

from tests import environment
from tests.environment import ROOT
from tests.rules import tree

COMMAND = re.compile(r"\bmake ([a-z][a-z-]*)\b")
MANAGE = re.compile(r"\bmanage\.py ([a-z_]+)")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def code_of(text: str) -> str:
    """What stands in code of a document: there `make` is a command, elsewhere a word."""
    return "\n".join(CODE.findall(text))


def settings_documented(text: str) -> set[str]:
    """The variables that docs/settings.md has a row for: each row begins with the name, in code."""
    return set(re.findall(r"^\| `([A-Z_]+)`", text, re.MULTILINE))


def targets() -> set[str]:
    """What the Makefile can do."""
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    return set(phony[1].split())


def test_settings_in_the_document_are_those_that_are_read() -> None:
    assert settings_documented((ROOT / "docs/settings.md").read_text()) == environment.settings_read()


def test_setting_without_a_row_would_be_missed() -> None:
    assert settings_documented("| `SITE_URL` | … |\nAlso `DEBUG`.\n| `SIGN_UP` |") == {"SITE_URL", "SIGN_UP"}
    assert {"SITE_URL", "SIGN_UP", "WORKERS", "SIGN_IN_OIDC_ISSUER", "SECRET_KEY"} <= environment.settings_read()


def test_settings_of_the_deployment_are_settings() -> None:
    lines = (ROOT / "deploy/authweb.env").read_text().splitlines()
    names = {line.lstrip("#").partition("=")[0] for line in lines if re.match(r"#?[A-Z_]+=", line)}

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
