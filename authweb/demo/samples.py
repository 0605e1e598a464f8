"""What a new list holds in the demo: an account of each shape that a list must bear."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from accounts.vault import keys
from accounts.vault.entry import Algorithm, Entry, Type
from accounts.vault.keys import Secret
from authweb.demo.provider.people import ALICE_AT_CONTOSO, ALICE_AT_MICROSOFT

# Known to everybody, as all of the demo is. Each is read out of its letters here, so none looks like a real one.
_SAMPLES: tuple[dict[str, Any], ...] = (
    {"issuer": "GitHub", "name": "alice", "pinned": True},
    {"issuer": "Google", "name": "alice@example.org"},
    {"issuer": "Mastodon 🐘", "name": "@alice@social.example 🌻👩‍🚀"},
    {
        "issuer": "The Society of Long-Winded Correspondents and Their Friends",
        "name": "alice.wonderland-liddell.with.a.very.long.address@correspondence.department.example.org",
        "note": "Long on purpose: it shows how a row bears it.",
    },
    {"issuer": "بنك المثال", "name": "أليس@example.org"},
    {"issuer": "Steam", "name": "alice_plays", "type": Type.STEAM},
    {"issuer": "Ministry of Forms", "name": "A-1234-567", "digits": 8},
    {"issuer": "Slow Clock Hosting", "name": "root", "period": 60, "algorithm": Algorithm.SHA256},
    {"issuer": "Archive", "name": "alice", "algorithm": Algorithm.SHA512},
    {"issuer": "Bank of Counters", "name": "Account 42", "type": Type.HOTP, "counter": 7},
    # The second factors of alice at the demo's provider: with these codes she signs in there.
    *(
        {"issuer": person.issuer.name, "name": person.email, "secret": Secret(person.key)}
        for person in (ALICE_AT_MICROSOFT, ALICE_AT_CONTOSO)
    ),
)


def new_list(*, at: datetime) -> tuple[Entry, ...]:
    """Twelve accounts, as if they were added one a day."""
    added = int(at.timestamp())
    return tuple(
        Entry.new(
            id=keys.new_id(),
            added=added - (len(_SAMPLES) - number) * 86_400,
            **{"secret": Secret(f"the demo's account {number:02}".encode("ascii")), **sample},
        )
        for number, sample in enumerate(_SAMPLES)
    )
