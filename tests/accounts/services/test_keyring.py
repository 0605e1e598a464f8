"""The server keys file: no default, no key twice, none exchanged unnoticed, all typed back from paper."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from accounts.models import KeyCheck
from accounts.services import keyring
from accounts.vault import keys
from accounts.vault.errors import Damaged
from accounts.vault.keys import Role


@pytest.fixture
def file(tmp_path: Path, settings: LazySettings) -> Path:
    """Where this test's keys will lie."""
    settings.SERVER_KEYS_FILE = path = tmp_path / "keys.txt"
    keyring.keyring.cache_clear()
    yield path
    keyring.keyring.cache_clear()


def put(file: Path, text: str) -> None:
    """Another text in place of the keys, as safe from others as they were."""
    file.unlink(missing_ok=True)
    file.write_text(text)
    file.chmod(0o400)


def test_init_makes_one_key_of_each_role_for_its_owner_alone(file: Path) -> None:
    call_command("keys", "init", stdout=io.StringIO())

    assert [(key.role, key.kid) for key in keyring.read(file)] == [(role, 1) for role in Role]
    assert stat.S_IMODE(file.stat().st_mode) == 0o400


def test_init_never_writes_over_a_file(file: Path) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    before = file.read_text()

    with pytest.raises(CommandError, match="is there already"):
        call_command("keys", "init")

    assert file.read_text() == before


def test_two_inits_make_different_keys(file: Path, tmp_path: Path, settings: LazySettings) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    settings.SERVER_KEYS_FILE = tmp_path / "other.txt"
    call_command("keys", "init", stdout=io.StringIO())

    assert not set(file.read_text().splitlines()) & set((tmp_path / "other.txt").read_text().splitlines())


@pytest.mark.row("T36")
def test_sheet_typed_back_is_the_file(
    file: Path, tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    call_command("keys", "add", "pepper", stdout=io.StringIO())
    sheet = io.StringIO()
    call_command("keys", "sheet", stdout=sheet)
    settings.SERVER_KEYS_FILE = tmp_path / "typed.txt"
    typed = sheet.getvalue().lower().replace(" ", "  ")

    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    call_command("keys", "enter", stdout=io.StringIO())

    assert (tmp_path / "typed.txt").read_text() == file.read_text()


def test_enter_names_the_first_bad_line_and_writes_nothing(
    file: Path, tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    lines = file.read_text().splitlines()
    last = lines[2].split()
    last[4] = "A" * 4 if last[4] != "A" * 4 else "B" * 4
    lines[2] = " ".join(last)
    settings.SERVER_KEYS_FILE = tmp_path / "typed.txt"

    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    with pytest.raises(CommandError, match="^Line 3: a letter is wrong: the last four do not fit the others"):
        call_command("keys", "enter")

    assert not (tmp_path / "typed.txt").exists()


def test_enter_names_the_role_that_is_missing(
    file: Path, tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    lines = [line for line in file.read_text().splitlines() if not line.startswith("PEPPER")]
    settings.SERVER_KEYS_FILE = tmp_path / "typed.txt"

    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    with pytest.raises(CommandError, match="^No line for PEPPER"):
        call_command("keys", "enter")


@pytest.mark.row("T36")
def test_no_file_is_no_start(file: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="make them by `manage.py keys init`"):
        keyring.keyring()


def test_same_key_twice_is_refused(file: Path) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    text = file.read_text()
    put(file, text + text.splitlines()[0] + "\n")

    with pytest.raises(ImproperlyConfigured, match="line 5: S 1 stands there twice"):
        keyring.read(file)


@pytest.mark.row("T36")
def test_check_learns_new_keys_and_stops_at_one_that_differs(db: None, file: Path) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    keyring.check()
    known = KeyCheck.objects.count()
    text = file.read_text()
    other = keys.format_key_line(keys.new_server_key(Role.PEPPER, 1))
    put(file, "\n".join(other if line.startswith("PEPPER") else line for line in text.splitlines()))
    keyring.keyring.cache_clear()

    with pytest.raises(keyring.KeysDiffer, match="PEPPER 1 is not the one"):
        keyring.check()

    assert known == 4


def test_check_names_what_the_file_lacks(db: None, file: Path) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    call_command("keys", "add", "S", stdout=io.StringIO())
    keyring.check()
    text = file.read_text()
    put(file, "\n".join(line for line in text.splitlines() if not line.startswith("S 2")))
    keyring.keyring.cache_clear()

    keyring.check()

    assert keyring.missing_kids() == ["S 2"]


def test_added_key_writes_and_the_old_one_still_reads(file: Path) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    old = keyring.seal("totp", b"", b"seed")

    call_command("keys", "add", "F", stdout=io.StringIO())
    new = keyring.seal("totp", b"", b"seed")

    assert [old[:4], new[:4]] == [b"\0\0\0\1", b"\0\0\0\2"]
    assert [keyring.unseal("totp", b"", sealed) for sealed in (old, new)] == [b"seed", b"seed"]


def test_field_of_another_purpose_or_row_does_not_open(file: Path) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    sealed = keyring.seal("totp", b"row", b"seed")

    for purpose, row in (("recovery", b"row"), ("totp", b"other")):
        with pytest.raises(Damaged):
            keyring.unseal(purpose, row, sealed)
    assert keyring.unseal("totp", b"row", sealed) == b"seed"


def test_file_that_everybody_may_read_is_refused(file: Path) -> None:
    call_command("keys", "init", stdout=io.StringIO())
    file.chmod(0o444)

    with pytest.raises(ImproperlyConfigured, match="open to everybody on this machine: chmod 0400"):
        keyring.read(file)
