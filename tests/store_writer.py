"""One of several processes that write into one store. Started by tests/backups/test_storage.py.

Takes the store as Django's STORAGES would have it, in JSON, what to do, and words that belong to it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from backups.storage import NameTaken, WriteOnce


def store(described: dict[str, Any]) -> WriteOnce:
    """The store of a description: `{"BACKEND": …, "OPTIONS": {…}}`."""
    made = import_string(described["BACKEND"])(**described["OPTIONS"])
    assert isinstance(made, WriteOnce)
    return made


def generation(stream: str, sequence: int) -> str:
    """The name of a generation, as long as real ones are."""
    return f"v1/aa/{'a' * 52}/{stream}/{sequence:016x}-00000001.awb"


def race(store: WriteOnce, name: str, mark: str) -> None:
    """Create one name with bytes of one's own: say whether that was done, or the name taken."""
    try:
        store.create(name, mark.encode() * 1000)
    except NameTaken:
        print("taken", flush=True)
    else:
        print("won", flush=True)


def write(store: WriteOnce, mark: str, count: str) -> None:
    """Create so many generations in one stream, each under the next free number. Say which numbers they got."""
    kept: list[int] = []
    sequence = 0
    while len(kept) < int(count):
        sequence += 1
        try:
            store.create(generation("00" * 8, sequence), f"{mark} {sequence}".encode())
        except NameTaken:
            continue
        kept.append(sequence)
    print(*kept, flush=True)


def churn(store: WriteOnce, mark: str, count: str) -> None:
    """Create and remove so many names, in folders that others fill and empty too. Say how many were there."""
    there = 0
    for number in range(int(count)):
        name = f"v1/aa/{number % 3}/{mark}"
        store.create(name, mark.encode())
        there += store.fetch(name) == mark.encode()
        there += store.remove(name)
    print(there, flush=True)


def order(store: WriteOnce, *names: str) -> None:
    """Create these, and acknowledge each by a line."""
    for name in names:
        store.create(name, b"generation")
        os.write(1, b"acknowledged\n")


def recorded_order(store: WriteOnce, *names: str) -> None:
    """The same, and afterwards every call that changes the disk or waits for it, as the operating system got it."""
    calls: list[tuple[str, str]] = []
    opened: dict[int, str] = {}
    real_open = os.open

    def recorder(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*arguments: Any, **named: Any) -> Any:
            done = real(*arguments, **named)
            target = arguments[1] if name == "link" else arguments[0]
            calls.append((name, opened.get(target, str(target)) if isinstance(target, int) else os.fspath(target)))
            return done

        return recorded

    def noted_open(path: Any, *arguments: Any, **named: Any) -> int:
        descriptor = real_open(path, *arguments, **named)
        opened[descriptor] = os.fspath(path)
        return descriptor

    opened[1] = "1"
    os.open = noted_open
    for name in ("write", "fsync", "link", "unlink", "mkdir"):
        setattr(os, name, recorder(name, getattr(os, name)))
    order(store, *names)
    sys.stderr.write(json.dumps(calls))


if __name__ == "__main__":
    settings.configure()
    ours = store(json.loads(sys.argv[1]))
    if sys.argv[2] in ("race", "write", "churn"):
        print("ready", flush=True)
        sys.stdin.readline()
    globals()[sys.argv[2]](ours, *sys.argv[3:])
