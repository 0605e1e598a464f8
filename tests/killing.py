"""Writers that are killed at any moment, and what they leave. Started by tests/backups/test_storage.py.

`python -m tests.killing FOLDER MANNER KILLS`: some writers at a time write one generation after another, each into a
folder of its own, and acknowledge each through a pipe. One of them is killed (SIGKILL), its folder is read, another
goes on in its place. At the end one line of JSON: `kills`, `acknowledged`, `torn` (stored, and not whole), `lost`
(kills after which nothing whole was as new as what had been acknowledged).

MANNER `careful` is DirectoryStore. `naive` is what one writes without thinking, the control that must fail.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from backups.storage import DirectoryStore
from tests.store_writer import generation

_NUMBER, _HASH = 8, 32
_SIZES = (4096, 16384, 65536)  # Padded envelopes of small lists.
_LANES = 4
_KEPT = 3


def parts(sequence: int) -> Iterator[bytes]:
    """One generation, piece by piece as it is made: number, what it carries, hash over both."""
    head = sequence.to_bytes(_NUMBER, "big")
    body = os.urandom(_SIZES[sequence % len(_SIZES)])
    yield head
    yield body
    yield hashlib.sha256(head + body).digest()


def whole(data: bytes) -> int | None:
    """The number of a generation; None where it is torn."""
    inside, digest = data[:-_HASH], data[-_HASH:]
    if len(data) <= _NUMBER + _HASH or hashlib.sha256(inside).digest() != digest:
        return None
    return int.from_bytes(inside[:_NUMBER], "big")


class Careful:
    """Each generation under a name of its own in a store that writes once; older ones are removed."""

    def __init__(self, folder: Path) -> None:
        self.store = DirectoryStore(folder)

    def last(self) -> int:
        """The newest that has a name."""
        return max((int(name[-29:-13], 16) for name in self.store.names()), default=0)

    def write(self, sequence: int) -> None:
        """One more."""
        self.store.create(generation("00" * 8, sequence), b"".join(parts(sequence)))
        if sequence > _KEPT:
            self.store.remove(generation("00" * 8, sequence - _KEPT))

    def read(self) -> list[int | None]:
        """What lies there; what was begun and what is old is cleared away, as `tidy` does later on."""
        names = list(self.store.names())
        found = [whole(self.store.fetch(name)) for name in names]
        self.store.sweep(datetime.now(UTC))
        for name in names[:-_KEPT]:
            self.store.remove(name)
        return found


class Naive:
    """One file, opened and written to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "backup.awb"

    def last(self) -> int:
        """The one that is there."""
        return (whole(self.path.read_bytes()) or 0) if self.path.exists() else 0

    def write(self, sequence: int) -> None:
        """In its place the next."""
        with open(self.path, "wb") as file:
            for part in parts(sequence):
                file.write(part)

    def read(self) -> list[int | None]:
        """What lies there."""
        return [whole(self.path.read_bytes())] if self.path.exists() else []


class Lane:
    """One folder, and the writer that is at it now."""

    def __init__(self, folder: Path, manner: str) -> None:
        folder.mkdir()
        self.folder, self.make = folder, Naive if manner == "naive" else Careful
        self.acknowledged = 0
        self._begin()

    def _begin(self) -> None:
        self._pipe, told = os.pipe()
        ours = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            with contextlib.suppress(BaseException):
                writer = self.make(self.folder)
                sequence = max(writer.last(), self.acknowledged)
                while os.getppid() == ours:  # Whoever kills and looks may be ended too.
                    sequence += 1
                    writer.write(sequence)
                    os.write(told, sequence.to_bytes(_NUMBER, "big"))
            os._exit(1)
        os.close(told)

    def kill(self) -> list[int | None]:
        """Kill the writer, hear what it had acknowledged, look at what it left."""
        os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        if os.WIFEXITED(status):
            raise RuntimeError("A writer ended by itself.")
        while heard := os.read(self._pipe, 65536):
            self.acknowledged = int.from_bytes(heard[-_NUMBER:], "big")
        os.close(self._pipe)
        return self.make(self.folder).read()

    def go_on(self) -> None:
        """Another writer in its place, once it has something to say; what is acknowledged until then counts too."""
        self._begin()
        select.select([self._pipe], [], [], 10)


def main(folder: str, manner: str, kills: str) -> None:
    """Kill, look, count."""
    lanes = [Lane(Path(folder) / str(number), manner) for number in range(_LANES)]
    torn = lost = 0
    for _ in range(int(kills)):
        time.sleep(random.uniform(0, 0.008))
        lane = random.choice(lanes)
        found = lane.kill()
        torn += found.count(None)
        lost += max((sequence for sequence in found if sequence), default=0) < lane.acknowledged
        lane.go_on()
    for lane in lanes:
        lane.kill()
    acknowledged = sum(lane.acknowledged for lane in lanes)
    print(json.dumps({"kills": int(kills), "acknowledged": acknowledged, "torn": torn, "lost": lost}))


if __name__ == "__main__":
    main(*sys.argv[1:])
