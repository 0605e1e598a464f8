"""One of several processes that change one list at the same time. Started by tests/accounts/test_parallel.py.

Reads from standard input: the device's id, its cookie, this writer's number, how many changes, and its manner:
`careful`, `naive`, or `everything`, which says at its end which numbers of the counter account it was given. Where the
list is backed up: `numbered`, which says of each change the list's version and the saved state's number; `sending`, of
whom the first two change nothing and send what waits, as `tidy` does; `sends`.
"""

from __future__ import annotations

import sys
from typing import Any
from uuid import UUID

import django

django.setup()

from django.db.models.signals import post_save  # noqa: E402 - after Django's start
from django.utils import timezone  # noqa: E402

from accounts.models import Device  # noqa: E402
from accounts.services import codes, vaults  # noqa: E402
from accounts.services.activity import Tag  # noqa: E402
from accounts.vault.entry import Type  # noqa: E402
from accounts.vault.keys import DeviceCookie  # noqa: E402
from backups.models import Generation  # noqa: E402
from backups.services import keeping, retaining  # noqa: E402
from tests import factories  # noqa: E402
from tests.factories import Visitor  # noqa: E402


def main(device_id: str, cookie: str, number: str, changes: str, manner: str) -> None:
    """Wait for the start, then add one account after another."""
    device = Device.objects.select_related("user").get(pk=UUID(device_id))
    visitor = Visitor(device.user, factories.Client(), device, DeviceCookie.from_text(cookie))
    print("ready", flush=True)
    sys.stdin.readline()
    if manner == "everything":
        print(*[do_everything(visitor, f"{number}-{change}") for change in range(int(changes))], flush=True)
        return
    if manner == "numbered":
        print(*[numbered(visitor, f"{number}-{change}") for change in range(int(changes))], flush=True)
        return
    if manner == "sends" or (manner == "sending" and int(number) < 2):
        for _ in range(int(changes)):
            keeping.retry(timezone.now())
            retaining.tidy(timezone.now())
        return
    for change in range(int(changes)):
        entry = factories.an_entry(name=f"{number}-{change}")
        vault = visitor.vault
        if manner == "naive":  # What nobody may do: a list read earlier, written back.
            earlier = vaults.read(vault).add(entry)
            vaults.change(vault, lambda _, copy=earlier: copy, tag=Tag.ENTRY_ADDED, at=timezone.now())
        else:
            vaults.change(vault, lambda accounts, new=entry: accounts.add(new), tag=Tag.ENTRY_ADDED, at=timezone.now())


def numbered(visitor: Visitor, name: str) -> str:
    """Add an account; the list's version and the number of the saved state that were made with it."""
    found = []

    def made(sender: Any, *, instance: Generation, created: bool, **_: Any) -> None:
        if created:
            found.append(instance.sequence)

    post_save.connect(made, Generation)
    vault, entry = visitor.vault, factories.an_entry(name=name)
    vaults.change(vault, lambda accounts: accounts.add(entry), tag=Tag.ENTRY_ADDED, at=timezone.now())
    post_save.disconnect(made, Generation)
    return f"{vault.row.version}:{found[0]}"


def do_everything(visitor: Visitor, name: str) -> int:
    """What a person does at a browser: two accounts come, one is renamed and put first, one goes; a code is taken.

    The number that its code was made of.
    """
    kept, gone = factories.an_entry(name=name), factories.an_entry(name=f"{name} gone")
    changes: list[tuple[Tag, vaults.Operation]] = [
        (Tag.ENTRY_ADDED, lambda accounts: accounts.add(kept).add(gone)),
        (Tag.ENTRY_RENAMED, lambda accounts: accounts.rename(kept.id, issuer="Renamed", name=name)),
        (Tag.LIST_ORDERED, lambda accounts: accounts.reorder([kept.id, *(one.id for one in visitor.entries)])),
        (Tag.ENTRY_TRASHED, lambda accounts: accounts.trash_entry(gone.id, vaults.seconds(timezone.now()))),
    ]
    for tag, change in changes:
        vaults.change(visitor.vault, change, tag=tag, at=timezone.now())
    counter = next(entry.id for entry in visitor.entries if entry.type is Type.HOTP)
    return codes.next_code(visitor.vault, counter, at=timezone.now()).step


if __name__ == "__main__":
    main(*sys.stdin.readline().split())
