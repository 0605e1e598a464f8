"""Static files, collected before the start: packed and named by their content, and only where they have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

_PACKED_BY = ("django", "whitenoise", "brotli")


def collect() -> bool:
    """`collectstatic`, which packs everything anew and takes seconds. False where all lies there as it was packed.

    What is noted stands outside of what is served.
    """
    mark, sources = Path(settings.DATA_DIR) / "static-collected", _sources()
    if mark.is_file() and mark.read_text() == sources + _packed():
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    mark.write_text(sources + _packed())
    return True


def _sources() -> str:
    """A digest of what would be collected, and of who packs it and how."""
    files = (Path(storage.path(path)) for finder in get_finders() for path, storage in finder.list([]))
    return _digest([settings.STORAGES["staticfiles"], *map(version, _PACKED_BY)], files)


def _packed() -> str:
    """A digest of all that is served."""
    root = Path(settings.STATIC_ROOT)
    return _digest(root, (path for path in root.rglob("*") if path.is_file()))


def _digest(about: object, files: Iterable[Path]) -> str:
    """Of where files lie and what is in them."""
    state = hashlib.sha256(repr(about).encode())
    for file in sorted(files):
        state.update(repr((str(file), hashlib.sha256(file.read_bytes()).hexdigest())).encode())
    return state.hexdigest()
