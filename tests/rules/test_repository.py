"""The repository speaks of the project alone, and everybody can find their way in it."""

from __future__ import annotations

import re

from tests.environment import ROOT
from tests.rules import tree

TOP = {
    *("manage.py", "authweb", "accounts", "backups", "templates", "static", "tests", "README.md"),
    *("docs", "locale", "deploy", "Makefile", "pyproject.toml", ".ci", ".gitignore"),
    *("requirements.in", "requirements.txt", "requirements-dev.in", "requirements-dev.txt"),
    *("LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
}
# Put together here, so that this file does not find itself.
HOSTS = re.compile(
    "|".join(re.escape(".".join(parts)) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org")))
    + "|"
    + r"--(?:extra-)?"
    + r"index-url\b|--trusted-"
    + r"host\b"
)
MACHINE = re.compile(r"(?<![\w.])/(?:wor" + r"k|roo" + r"t|hom" + r"e/\w+)/[\w.-]+")


def found_by(pattern: re.Pattern[str]) -> list[str]:
    """Each hit in a file of text, by file and line."""
    hits = []
    for path in tree.files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        hits += [f"{tree.named(path)}:{number}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    return hits


def test_top_of_the_repository_is_as_agreed() -> None:
    assert tree.top() == TOP


def test_no_file_names_a_registry() -> None:
    # `make lock` tells pip-compile to leave them out: the options' names are the one hit.
    assert [hit for hit in found_by(HOSTS) if not hit.startswith("Makefile:")] == []


def test_no_file_names_a_place_of_one_machine() -> None:
    assert found_by(MACHINE) == []


def test_registries_and_machines_would_be_found() -> None:
    assert HOSTS.search("pip install --index" + "-url https://example.org") is not None
    assert HOSTS.search("https://files.python" + "hosted.org/x") is not None
    assert MACHINE.search("see /ro" + "ot/notes.txt") is not None
    assert MACHINE.search("https://example.org/wor" + "k/x") is None


def test_every_locked_package_has_hashes() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        locked = re.split(r"\n(?=[a-zA-Z])", (ROOT / name).read_text())
        assert [part.split(" ")[0] for part in locked if "==" in part and "--hash=sha256:" not in part] == []
        assert len([part for part in locked if "--hash=sha256:" in part]) > 20
