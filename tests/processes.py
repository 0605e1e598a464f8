"""Real processes for tests: started, listened to, told to end, and looked at afterwards."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests import environment
from tests.environment import ROOT

MANAGE = (sys.executable, str(ROOT / "manage.py"))


_NEVER_GIVEN = (10_000, 32_000)  # Linux gives 32,768 and above to connections, others 49,152 and above.
_CHANCE = random.SystemRandom()  # Not the same for processes that begin with the same seed.


def free_port(*, and_next: int = 0) -> int:
    """A port of this machine that nobody listens at just now, nor at so many after it.

    Of those that no system gives to connections: between here and the process that takes it, many are made.
    """
    while True:
        port = _CHANCE.randrange(*_NEVER_GIVEN)
        with contextlib.ExitStack() as held:
            try:
                for one in range(port, port + 1 + and_next):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", one))
            except OSError:
                continue
            return port


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment of a process that knows these settings of Authweb and no others."""
    kept = environment.without_ours()
    for name in (
        "DJANGO_SETTINGS_MODULE",
        "DJANGO_ALLOW_ASYNC_UNSAFE",
        "MAKEFLAGS",
        "MAKELEVEL",
        "MFLAGS",
        "PYTHONUNBUFFERED",
    ):
        kept.pop(name, None)
    return {**kept, **settings}


def manage(
    *arguments: str, settings: Mapping[str, str], stdin: str = "", seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """A command of Django's under these settings, done within so many seconds."""
    return subprocess.run(
        [*MANAGE, *arguments],
        env=clean_environment(**settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Started:
    """A process that runs while it is needed: `with Started([…], settings=…) as process:`; ended hard if it must be."""

    def __init__(self, command: Sequence[str], *, settings: Mapping[str, str], cwd: Path = ROOT) -> None:
        self._log = tempfile.NamedTemporaryFile(prefix="authweb-process-", suffix=".log")  # noqa: SIM115 - closed at exit
        # A session of its own, so that everything of it can be found and ended.
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=clean_environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = [self.process.pid, *self.children()]
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        for pid in left:
            if is_alive(pid) and pid != self.process.pid:
                os.kill(pid, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()

    @property
    def output(self) -> str:
        """What it has said so far."""
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")

    def wait_for(self, said: str, *, seconds: float = 60) -> None:
        """Until it has said this. Fails when it ends before, or takes too long."""
        self.wait_until(lambda: said in self.output, seconds=seconds)

    def wait_until(self, true: Callable[[], bool], *, seconds: float = 60) -> None:
        """Until something is true. Fails when the process ends before, or it takes too long."""
        until = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None, f"It ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < until, f"Not within {seconds} s:\n{self.output}"
            time.sleep(0.05)

    def children(self) -> list[int]:
        """Its descendants that live now."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = {int(pid): int(parent) for pid, parent in (line.split() for line in listed.splitlines())}
        found: list[int] = []
        frontier = [self.process.pid]
        while frontier:
            frontier = [pid for pid, parent in parents.items() if parent in frontier]
            found += frontier
        return found

    def end(self, number: signal.Signals = signal.SIGINT, *, seconds: float = 20) -> int:
        """Tell it to end, and how it did."""
        self.process.send_signal(number)
        return self.process.wait(seconds)


def is_alive(pid: int) -> bool:
    """Whether this process is there, and is more than a name that nobody has asked for yet."""
    asked = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(asked.strip()) and not asked.strip().startswith("Z")


def command_of(pid: int) -> str:
    """What a process was started with."""
    return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def environment_of(pid: int) -> str:
    """The same with its environment, `NAME=value`, behind it."""
    return subprocess.run(
        ["ps", "eww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=True
    ).stdout
