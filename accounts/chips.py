"""The chip: how a list stands, in the dock and in the top bar. Apps above say more of it than accounts know."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from accounts.services.vaults import OpenVault


class Chip(NamedTuple):
    """What is shown, ready for HTML; and a word that is another one whenever it says something else."""

    html: SafeString | str = ""
    token: str = ""


Maker = Callable[[OpenVault, datetime], Chip | None]

MAKERS: list[Maker] = []  # The first that has one to show decides. Apps above join here, once they are ready.


def of(vault: OpenVault, *, at: datetime) -> Chip:
    """The chip of a list, without a query and without opening it; an empty one where there is nothing to say."""
    for maker in MAKERS:
        chip = maker(vault, at)
        if chip is not None:
            return chip
    return Chip(_one_way_in(get_language() or "")) if vault.one_way_in else Chip()


def token(*facts: object) -> str:
    """The word of a chip that shows these: eight letters."""
    return f"{zlib.crc32(repr(facts).encode()):08x}"


@lru_cache(maxsize=32)
def _one_way_in(language: str) -> SafeString:
    return render_to_string("accounts/_chip.html")
