"""A process that changes a list until it is killed. Started by tests/backups/test_killed.py, which kills it.

Reads from standard input: the device's id and its cookie; then a name a line. For each it becomes a new process, which
says its number, then adds one account after another, and says the name of each once the change is acknowledged.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from uuid import UUID

import django

django.setup()

from django.utils import timezone  # noqa: E402 - after Django's start

from accounts.models import Device  # noqa: E402
from accounts.services import vaults  # noqa: E402
from accounts.services.activity import Tag  # noqa: E402
from accounts.vault.keys import DeviceCookie  # noqa: E402
from tests import factories  # noqa: E402
from tests.factories import Visitor  # noqa: E402


def live(device_id: str, cookie: str, name: str) -> None:
    """Change after change; nothing else ends it."""
    print(os.getpid(), flush=True)
    device = Device.objects.select_related("user").get(pk=UUID(device_id))
    visitor = Visitor(device.user, factories.Client(), device, DeviceCookie.from_text(cookie))
    vault = visitor.vault
    for number in count():
        entry = factories.an_entry(name=f"{name}-{number}")
        vaults.change(vault, lambda accounts, new=entry: accounts.add(new), tag=Tag.ENTRY_ADDED, at=timezone.now())
        print(entry.name, flush=True)


def main() -> None:
    """Only the processes that it becomes connect to the database: what is forked open is shared."""
    device_id, cookie = sys.stdin.readline().split()
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            live(device_id, cookie, line.strip())
        os.waitpid(pid, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
