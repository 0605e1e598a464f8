"""What the tests of the core share: vectors, sizes of runs, and accounts to work with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from accounts.vault.entry import Entry
from accounts.vault.list import AccountList
from accounts.vault.secret import Secret

VECTORS = Path(__file__).parents[2] / "vectors"
# As a function of the run, not of a fixture: sizes of runs stand in decorators and settings too.
LONG = os.environ.get("AUTHWEB_LONG") == "1" or "--long" in sys.argv


def cases(short: int, long: int) -> int:
    """How many cases to try: few in each run, many with `--long` or AUTHWEB_LONG=1, where N=… overrules the number."""
    return int(os.environ.get("N") or long) if LONG else short


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def id_of(number: int) -> str:
    return f"{number:032x}"


def new_entry(number: int = 1, **fields: Any) -> Entry:
    """An account that differs from all others of another number."""
    fields.setdefault("issuer", "GitHub")
    fields.setdefault("name", f"alice{number}@example.org")
    fields.setdefault("secret", Secret(b"key of account %06d" % number))
    return Entry.new(id=id_of(number), **fields)


def new_list(*numbers: int) -> AccountList:
    return AccountList(tuple(new_entry(number) for number in numbers))


def ids(accounts: AccountList) -> list[int]:
    """The accounts of a list by their numbers, in order."""
    return [int(entry.id, 16) for entry in accounts.entries]
