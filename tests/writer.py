"""One of several processes that change one list at the same time. Started by tests/accounts/test_parallel.py.

Reads from standard input: the device's id, its cookie, this writer's number, how many changes, `careful` or `naive`.
"""

from __future__ import annotations

import sys
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


def main(device_id: str, cookie: str, number: str, changes: str, manner: str) -> None:
    """Wait for the start, then add one account after another."""
    device = Device.objects.select_related("user").get(pk=UUID(device_id))
    visitor = Visitor(device.user, factories.Client(), device, DeviceCookie.from_text(cookie))
    print("ready", flush=True)
    sys.stdin.readline()
    for change in range(int(changes)):
        entry = factories.an_entry(name=f"{number}-{change}")
        vault = visitor.vault
        if manner == "naive":  # What nobody may do: a list read earlier, written back.
            earlier = vaults.read(vault).add(entry)
            vaults.change(vault, lambda _, copy=earlier: copy, tag=Tag.ENTRY_ADDED, at=timezone.now())
        else:
            vaults.change(vault, lambda accounts, new=entry: accounts.add(new), tag=Tag.ENTRY_ADDED, at=timezone.now())


if __name__ == "__main__":
    main(*sys.stdin.readline().split())
