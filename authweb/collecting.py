"""Static files, collected before the start: packed and named by their content, and only where they have changed."""

from __future__ import annotations

import hashlib
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


def _packed() -> str:
    """A digest of all that is served."""
    root = Path(settings.STATIC_ROOT)
    state = hashlib.sha256(repr(root).encode())
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        state.update(repr((str(file.relative_to(root)), hashlib.sha256(file.read_bytes()).hexdigest())).encode())
    return state.hexdigest()


def _sources() -> str:
    """A digest of what would be collected: contents, names, and who packs them and how."""
    state = hashlib.sha256(repr([settings.STORAGES["staticfiles"], *map(version, _PACKED_BY)]).encode())
    for finder in get_finders():
        for path, storage in sorted(finder.list([]), key=lambda found: found[0]):
            with storage.open(path) as file:
                state.update(repr((path, hashlib.sha256(file.read()).hexdigest())).encode())
    return state.hexdigest()
