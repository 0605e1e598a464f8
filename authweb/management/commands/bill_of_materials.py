"""`manage.py bill_of_materials`: what a production is made of, for those who look for known faults in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand

_LOCKED = re.compile(r"^([a-z0-9._-]+)==(\S+) \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


class Command(BaseCommand):
    """Writes it as CycloneDX 1.5."""

    help = "Print every locked package with its version and hashes, as CycloneDX 1.5 (JSON)."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Read off the lock, which says what is installed and nothing else."""
        lock = (Path(settings.BASE_DIR) / "requirements.txt").read_text(encoding="utf-8")
        components = [
            {
                "type": "library",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/{name}@{version}",
                "hashes": [
                    {"alg": "SHA-256", "content": content} for content in re.findall(r"sha256:([0-9a-f]{64})", hashes)
                ],
            }
            for name, version, hashes in _LOCKED.findall(lock)
        ]
        bill = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}
        self.stdout.write(json.dumps(bill, indent=2))
