"""A server that people reach, with `tidy` beside it: started together, ended together."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

from django.conf import settings
from django.core.management import CommandError

# The address of the proxy or person, what was asked for without its query, how it went, in how many milliseconds.
_REQUEST = '%(addr)s "%(method)s %(path)s" %(status)d %(dt_ms).1f ms'
_LOOK_EVERY = 0.1
_TIME_TO_END = 10.0
_LAST_PORT = 65535

Command = Sequence[str]


def site(*, host: str, port: int, workers: int, log_requests: bool = True) -> Command:
    """The server. One thread a worker: two would pay a third more time for taking turns."""
    return (
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws"),
        *("--host", host, "--port", str(port), "--workers", str(workers)),
        *("--blocking-threads", "1", "--runtime-threads", "1", "--respawn-failed-workers"),
        *("--log-level", "warning"),
        *(("--access-log", "--access-log-fmt", _REQUEST) if log_requests else ()),
        "authweb.wsgi:application",
    )


def tidy() -> Command:
    """`manage.py tidy`, again and again."""
    every = str(int(settings.TIDY_EVERY.total_seconds()))
    return (sys.executable, str(settings.BASE_DIR / "manage.py"), "tidy", "--every", every)


def refuse_taken(host: str, port: int, *, ports: int = 1) -> None:
    """Raise CommandError where something listens already; the server itself would share the port with it.

    `ports` that many are needed, from `port` on.
    """
    last = port + ports - 1
    other = port + ports if last + ports <= _LAST_PORT else port - ports
    if last > _LAST_PORT:
        raise CommandError(f"Ports {port} to {last} are needed, and {_LAST_PORT} is the last: choose PORT={other}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for needed in range(port, last + 1):
        with socket.socket(family) as ours:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                ours.bind((host, needed))
            except OSError as error:
                raise CommandError(
                    f"Port {needed} of {host} cannot be had ({os.strerror(error.errno or 0)}"
                    + (f"; {port} to {last} are needed" if ports > 1 else "")
                    + f"): end what listens there, or choose another, as in PORT={other}."
                ) from None


def answers(port: int, path: str = "/healthz", *, host: str = "") -> bool:
    """Whether the site on this port of this machine is up, also with the store of backups away; or whatever else
    answers there under that name.
    """
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        asked.request("GET", path, headers={"Host": host or settings.ALLOWED_HOSTS[0]})
        return asked.getresponse().status in (http.client.OK, http.client.SERVICE_UNAVAILABLE)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asked.close()


def together(commands: Sequence[Command], *, up: Callable[[], bool] = lambda: True, told: Callable[[], None]) -> int:
    """Run these processes until this one is told to end (Ctrl-C, SIGTERM, SIGHUP) or one of them ends by itself.

    Calls `told` once, when `up` is first true. Returns 0 where it was told to end, else what the process that ended
    returned, 1 at least: whoever started us may start us again.
    """
    stop: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        stop.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    children: list[subprocess.Popen[bytes]] = []
    try:
        # Sessions of their own: the terminal's Ctrl-C reaches this process, which ends them in order.
        children += [subprocess.Popen(command, start_new_session=True) for command in commands]  # noqa: S603 - ours
        silent = True
        while not stop:
            ended = [child for child in children if child.poll() is not None]
            if ended:
                return max(1, ended[0].returncode)
            if silent and up():
                silent = False
                told()
            time.sleep(_LOOK_EVERY)
        return 0
    finally:
        _end(children)
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    until = time.monotonic() + _TIME_TO_END
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, until - time.monotonic()))
        # What a child left behind is in the child's session, and goes with it.
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
        child.wait()
