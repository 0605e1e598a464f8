"""Codes read in a browser, which may roll over between one look and the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def in_one(look: Callable[[], Seen], period: int = 30) -> tuple[Seen, float]:
    """What `look` gives when it began and ended in the same period, and a moment (Unix seconds) of that period.

    It looks again when a period ended meanwhile; and a page has a moment at its start to draw itself anew, since a
    browser beside four others is not given the processor at once. How late codes are is measured by `make bench`.
    """
    while True:
        before = time.time()
        if before % period > min(period / 5, 1):
            seen = look()
            if int(before / period) == int(time.time() / period):
                return seen, before
        time.sleep(0.05)
