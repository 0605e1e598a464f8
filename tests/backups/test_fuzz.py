"""Hostile backups, made by changing good ones at random: whatever comes, only our own errors leave the core.

As in tests/accounts/vault/test_fuzz.py: the seed of a run is printed with a failure, what was once found is kept.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from accounts.vault.errors import VaultError
from backups import envelope
from backups.contents import Contents
from backups.names import Name
from tests.accounts.vault.support import cases
from tests.accounts.vault.test_fuzz import mutated, text
from tests.backups.envelopes import MODES, NAME, PLACE, PREPARED, TEXT, WORDS, made, opener, signed
from tests.backups.test_contents import DATA
from tests.backups.test_envelope import resealed

SECONDS = cases(5, 180)
FIRST = ("envelope", "contents")
FILES = [mode.file for mode in MODES.values()]


def opened(data: bytes) -> bytes:
    for mode in MODES.values():
        envelope.slots(data, PLACE, PREPARED.get)
        found = envelope.read(data, PLACE, PREPARED.get, backup_key=opener(mode.keys))
    return found


def anyhow(data: bytes) -> None:
    """Every act on an envelope, each for itself: none stands in another's way."""
    for act in (
        lambda: envelope.verify(data, PLACE, PREPARED.get),
        lambda: envelope.rewrap(data, PLACE, PREPARED.get, kid=2, key=PREPARED[2]),
        lambda: envelope.prove(data, PLACE, PREPARED.get, (WORDS,)),
    ):
        with suppress(VaultError):
            act()
    opened(data)


def slots(data: bytes) -> None:
    anyhow(resealed(MODES["both"].file, lambda _: data[:500], number=2))


def name(data: bytes) -> None:
    assert Name.parse(text(data)).path == text(data)


TARGETS: dict[str, tuple[list[bytes], Callable[[bytes], object]]] = {
    "envelope": (FILES, anyhow),
    "envelope, signed": (FILES, lambda data: anyhow(signed(data))),
    "slots, sealed": ([b"\1" + bytes(62) + b"\2" + bytes(56)], slots),
    "contents": ([DATA], lambda data: Contents.from_bytes(data, device_type="android")),
    "contents, sealed": ([DATA, TEXT], lambda data: Contents.from_bytes(
        envelope.read(made(data), PLACE, PREPARED.get), device_type="android")),
    "name": ([NAME.path.encode()], name),
}  # fmt: skip

# What was found once, or could have been: (target, input).
CORPUS: list[tuple[str, bytes]] = [
    ("envelope", b""),
    ("envelope", b"AWB1" + bytes(5000)),
    ("envelope, signed", MODES["both"].file[:6] + b"\xff\xff" + MODES["both"].file[8:]),
    ("slots, sealed", b""),
    ("slots, sealed", b"\1"),
    ("slots, sealed", b"\1" + bytes(22)),
    ("contents", b'{"v":1,"entries":[{"secret":null}]}'),
    ("contents", DATA.replace(b'"tags":[]', b'"tags":[[]]')),
    ("contents", DATA.replace(b'"kind":"work"', b'"kind":{}')),
    ("contents", b"[" * 100_000),
    ("name", b"v1/\xff"),
]


def attempt(target: str, data: bytes) -> bool:
    try:
        TARGETS[target][1](data)
    except VaultError as error:
        assert error.__context__ is None or isinstance(error.__context__, VaultError)
        return False
    return True


@pytest.mark.row("T11")
@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("target", TARGETS)
def test_only_our_own_errors_leave_a_hostile_backup(target: str) -> None:
    seeds = TARGETS[target][0]
    seed = int(os.environ.get("SEED") or time.time_ns())
    chance, end = random.Random(seed), time.monotonic() + SECONDS / (1 if target in FIRST else 8)
    tried = slowest = 0
    while time.monotonic() < end or tried <= 200:  # However busy the machine is.
        data = mutated(chance.choice(seeds), chance)
        start = time.process_time_ns()
        try:
            attempt(target, data)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} for {data!r}, SEED={seed}") from error
        slowest = max(slowest, time.process_time_ns() - start)
        tried += 1

    assert tried > 200
    assert slowest < 200_000_000


@pytest.mark.parametrize(("target", "data"), CORPUS)
def test_a_hostile_backup_that_was_found_once_is_refused(target: str, data: bytes) -> None:
    assert attempt(target, data) is False


def test_good_input_of_every_target_is_taken() -> None:
    Contents.from_bytes(DATA, device_type="android")
    name(NAME.path.encode())
    assert Contents.from_bytes(envelope.read(made(DATA), PLACE, PREPARED.get), device_type="android")
    assert [mode.opened(signed(mode.file)) for mode in MODES.values()] == [TEXT] * 4
