"""The files of the repository, as the rules look at them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.environment import ROOT

OURS = ("accounts", "authweb", "backups")
_NOT_KEPT = re.compile(r"\.git|\.venv|\.browsers|\.hypothesis|\..*_cache|\.coverage.*|__pycache__|build|var|.*\.pyc")


def top() -> set[str]:
    """The names at the top of the repository, without what .gitignore leaves out."""
    return {path.name for path in ROOT.iterdir() if not _NOT_KEPT.fullmatch(path.name)}


def files(*names: str, ending: str = "") -> Iterator[Path]:
    """The files that are kept, below these folders or at these paths; all of them without a name."""
    for name in names or sorted(top()):
        start = ROOT / name
        paths = [start] if start.is_file() else sorted(path for path in start.rglob("*") if path.is_file())
        for path in paths:
            if path.name.endswith(ending) and not any(
                _NOT_KEPT.fullmatch(part) for part in path.relative_to(ROOT).parts[1:]
            ):
                yield path


def modules() -> Iterator[Path]:
    """Our own modules, tests and migrations left out."""
    return (path for path in files(*OURS, "manage.py", ending=".py") if "migrations" not in path.parts)


def templates() -> Iterator[Path]:
    """Every template, of pages and of mails."""
    for folder in ("templates", "authweb/demo/templates", "authweb/demo/provider/templates"):
        yield from files(folder, ending=".html")
        yield from files(folder, ending=".txt")


def documents() -> list[Path]:
    """What is written for people: at the top and in docs/."""
    return [path for path in files() if path.suffix == ".md" and path.relative_to(ROOT).parts[0] not in OURS]


def named(path: Path) -> str:
    """A path as it is said in a failure."""
    return path.relative_to(ROOT).as_posix()
