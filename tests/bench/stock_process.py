"""The stock project of `tests.bench.stock`, in a process of its own, asked whenever a round wants it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests import environment
from tests.bench.timing import Took


class Stock:
    """`with Stock(directory) as stock:`, then `stock.empty(40)`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.stock"],
            cwd=environment.ROOT,
            env={
                **environment.without_ours(),
                "DJANGO_SETTINGS_MODULE": "tests.bench.stock.settings",
                "STOCK_DIR": str(directory),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._said() == "ready"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def empty(self, count: int, *, kept: bool = False) -> Took:
        """The CPU of so many empty views for a signed-in person; with `kept` the database stays connected."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count} {'kept' if kept else 'stock'}\n")
        self._process.stdin.flush()
        return Took(float(self._said()))

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
