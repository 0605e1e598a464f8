"""`manage.py keys`: make, add, print, type back and compare the server's keys."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.services import keyring, rotation
from accounts.vault import keys
from accounts.vault.errors import ParseError
from accounts.vault.keys import Role, ServerKey

_WRONG = {  # What is wrong with a line, as one reads it on paper.
    "line_role": "it begins with none of S, NAME, F, PEPPER",
    "line_number": "after the role comes a whole number",
    "line_letter": "group {group} has a letter that cannot be there: {letter}",
    "line_length": "it has {found} letters after the number; {allowed} belong there",
    "line_check": "a letter is wrong: the last four do not fit the others",
}


class Command(BaseCommand):
    """The server keys file: one line a key, to be kept on paper too."""

    help = "Makes, adds, prints, takes back from paper and checks the server keys."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to do."""
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("init", help="make the file with one key of each role")
        add = acts.add_parser("add", help="add a newer key of a role, which writes from now on")
        add.add_argument("role", type=str.upper, choices=[role.value for role in Role])
        acts.add_parser("sheet", help="print the lines, for paper")
        acts.add_parser("enter", help="type the lines back from paper, from standard input")
        acts.add_parser("check", help="compare the file with the database, and count what each key carries")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        path = Path(settings.SERVER_KEYS_FILE)
        try:
            getattr(self, f"do_{options['act']}")(path, **({"role": options["role"]} if "role" in options else {}))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None

    def do_init(self, path: Path) -> None:
        """A new file; never over one that is there."""
        if path.exists():
            raise CommandError(f"{path} is there already. A new key is added by `keys add ROLE`.")
        keyring.write(path, keyring.made(Role))
        self.stdout.write(f"Made {path}. Print it now with `manage.py keys sheet`: without it every list is lost.")

    def do_add(self, path: Path, role: str) -> None:
        """One more key."""
        there = keyring.read(path)
        added = keyring.made([Role(role)], beside=there)
        keyring.write(path, [*there, *added])
        self.stdout.write(f"Added {role} {added[0].kid}. Restart Authweb, then print the sheet again.")

    def do_sheet(self, path: Path) -> None:
        """The lines as they stand."""
        for key in keyring.read(path):
            self.stdout.write(keys.format_key_line(key))

    def do_enter(self, path: Path) -> None:
        """Lines from paper; the first bad one is named, and nothing is written."""
        if path.exists():
            raise CommandError(f"{path} is there already. Move it away first.")
        found: list[ServerKey] = []
        if sys.stdin.isatty():
            self.stdout.write("Type the lines of the sheet. An empty line ends.")
        for number, line in enumerate(sys.stdin, 1):
            if not line.strip():
                if sys.stdin.isatty():
                    break
                continue
            try:
                found.append(keys.parse_key_line(line))
            except ParseError as error:
                wrong = _WRONG[error.reason.value].format(**error.facts)
                raise CommandError(f"Line {number}: {wrong}. Nothing was written.") from None
        missing = [role.value for role in Role if role not in {key.role for key in found}]
        if missing:
            raise CommandError(f"No line for {', '.join(missing)}. Nothing was written.")
        keyring.write(path, found)
        self.stdout.write(f"Wrote {path} with {len(found)} keys. Compare them by `manage.py keys check`.")

    def do_check(self, path: Path) -> None:
        """Raises when a key differs from what the database was written with."""
        keyring.keyring.cache_clear()
        keyring.check()
        carried = rotation.carried(timezone.now())
        newest, _ = keyring.pepper()
        for role, kid in sorted(keyring.keyring().by_name):
            hanging = ""
            if role is Role.PEPPER and (kid == newest or carried[kid]):
                hanging = f", carries {carried[kid]} key slots"
            elif role is Role.PEPPER:
                hanging = "; nothing carries it: its line can go"
            self.stdout.write(f"{role.value} {kid}: as the database knows it{hanging}")
        for missing in keyring.missing_kids():
            gone, number = missing.split()
            if gone == Role.PEPPER and not carried[int(number)]:
                self.stdout.write(f"{missing}: its line is gone, and nothing hangs on it")
            else:
                self.stderr.write(f"{missing}: the database knows it, the file lacks it")
