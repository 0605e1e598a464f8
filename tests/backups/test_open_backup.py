"""The format as a stranger meets it: the document beside the code, and a reader of its own, as a process."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from accounts.vault import keys
from accounts.vault.encoding import b64url, lp, pad
from accounts.vault.keys import Label, Secret, ServerKey
from accounts.vault.list import AccountList
from backups import contents, envelope, names
from backups.contents import Contents
from backups.names import Name
from backups.portions import PORTIONS
from tests.accounts.vault.support import new_entry
from tests.backups.envelopes import (
    CTX,
    KEYS,
    MODES,
    NAME,
    NAME_KEY,
    PREPARED,
    S,
    V,
    another,
    chance,
    made,
    opener,
    signed,
)
from tests.backups.test_contents import CONTENTS, DATA
from tests.environment import ROOT

READER = ROOT / "docs/open_backup.py"
DOCUMENT = (ROOT / "docs/backup-format.md").read_text("utf-8")
WORDS, PRF = V["words"]["text"], b64url(bytes.fromhex(V["prf"]))
EXAMPLE = V["example"]
EXAMPLE_NAME = Name.parse(EXAMPLE["name"])
# How a person opens each protection: the option, and what is typed.
WAYS = {
    "none": [((), "")],
    "words": [(("--words",), WORDS)],
    "passkey": [(("--passkey",), PRF)],
    "both": [
        (("--words",), " Correct-HORSE\u2010battery\tstaple dolphin anvil"),
        (("--passkey",), PRF),
        (("--words", "--passkey"), f"other words\n{PRF}"),
    ],
}


def stored(folder: Path, path: str, data: bytes) -> Path:
    """A backup as it lies in a store, and the server keys file beside that."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    lines = [keys.format_key_line(ServerKey(keys.Role.STORE, kid, key)) for kid, key in S.items()]
    lines.append(keys.format_key_line(ServerKey(keys.Role.NAME, 1, NAME_KEY)))
    (folder / "keys").write_text("# the sheet\n" + "\n".join(lines).lower() + "\n", encoding="ascii")
    return file


def run(file: Path, folder: Path, *options: str, typed: str = "") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-I", READER, folder / "keys", file, *options],
        input=typed.encode(),
        env={"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=False,
    )


@pytest.mark.row("T12")
@pytest.mark.row("A34")
@pytest.mark.parametrize("mode", MODES)
def test_reader_opens_a_real_file_of_every_protection_by_every_key(mode: str, tmp_path: Path) -> None:
    vector = MODES[mode].file
    moved = envelope.rewrap(vector, NAME.place, S.get, kid=2, key=S[2])
    for number, (text, data, kid) in enumerate(
        [(V["text"].encode(), vector, 1), (V["text"].encode(), moved, 2), (DATA, made(DATA, KEYS[mode]), 1)]
    ):
        folder = tmp_path / str(number)
        file = stored(folder, Name(CTX, NAME.stream, NAME.sequence, kid).path, data)
        for options, typed in WAYS[mode]:
            done = run(file, folder, *options, typed=typed)
            assert (done.returncode, done.stdout, done.stderr) == (0, text + b"\n", b"")


@pytest.mark.row("A34")
def test_reader_says_what_is_wrong_and_prints_nothing_else(tmp_path: Path) -> None:
    file = stored(tmp_path, NAME.path, MODES["both"].file)
    needs = b"This backup needs --passkey or --words; nothing that was given opens it.\n"
    cases: list[tuple[bytes, str, tuple[str, ...], str, bytes]] = [
        (MODES["both"].file, NAME.path, (), "", needs),
        (MODES["both"].file, NAME.path, ("--words",), "other words", needs),
        (MODES["both"].file, NAME.path, ("--passkey",), PRF[::-1], needs),
        (MODES["none"].file[:-1], NAME.path, (), "", b"Damaged: this is no backup.\n"),
        (b"BWB1" + MODES["none"].file[4:], NAME.path, (), "", b"Damaged: this is no backup.\n"),
        (signed(b"AWB1\2" + MODES["none"].file[5:]), NAME.path, (), "",
         b"Version 2 of the format is newer than this reader.\n"),
        (MODES["none"].file + b"\0", NAME.path, (), "",
         b"Damaged: its header and its length contradict each other.\n"),
        (MODES["none"].file, Name(CTX, NAME.stream, 8, 1).path, (), "", b"Damaged: it was made in another place.\n"),
        (MODES["none"].file, Name(bytes(32), NAME.stream, 7, 1).path, (), "",
         b"Damaged, of another place, or made with another key S.\n"),
        (MODES["none"].file[:11] + b"\3" + MODES["none"].file[12:], NAME.path, (), "", b"KEYS lacks the key S 3.\n"),
        (MODES["none"].file, "elsewhere.awb", (), "",
         "FILE must keep its folders: v1/xx/…/…/….awb\n".encode()),
    ]  # fmt: skip
    for number, (data, path, options, typed, said) in enumerate(cases):
        folder = tmp_path / str(number)
        done = run(stored(folder, path, data), folder, *options, typed=typed)
        assert (done.returncode, done.stdout, done.stderr) == (1, b"", said)
    sheet = (tmp_path / "keys").read_text().replace("ceiq 7ivi", "ceiq 7iva")
    (tmp_path / "keys").write_text(sheet)
    assert run(file, tmp_path).stderr == b"The line of key S 1 has a mistake in it.\n"


@pytest.mark.row("A34")
def test_reader_is_short_and_shares_no_code() -> None:
    lines = READER.read_text("utf-8").splitlines()
    imported = {
        (node.module or "").partition(".")[0]
        if isinstance(node, ast.ImportFrom)
        else node.names[0].name.partition(".")[0]
        for node in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    assert len(lines) <= 150
    assert imported - sys.stdlib_module_names == {"cryptography"}


# -- The worked example -----------------------------------------------------------------------------------------------


def block(fence: str) -> list[str]:
    return re.findall(rf"^```{fence}\n(.*?)\n```$", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.mark.row("T12")
@pytest.mark.row("A34")
def test_worked_example_is_what_the_code_writes_and_the_reader_reads(tmp_path: Path) -> None:
    text = EXAMPLE["contents"].encode()
    file = base64.b64decode(EXAMPLE["file"])
    drawn = chance(KEYS["both"])

    assert block("json") == [EXAMPLE["contents"]]
    assert envelope.write(text, EXAMPLE_NAME.place, kid=1, key=S[1], backup_keys=KEYS["both"], chance=drawn) == file
    assert envelope.prove(file, EXAMPLE_NAME.place, PREPARED.get, KEYS["both"]) == text
    assert Contents.from_bytes(text, device_type="android").to_bytes() == text
    command = block("")[-1].split()
    assert command[:3] == ["python", "docs/open_backup.py", "keys"]
    done = run(stored(tmp_path, command[3], file), tmp_path, *command[4:], typed=WORDS)
    assert (done.stdout, done.stderr) == (text + b"\n", b"")


@pytest.mark.row("T12")
@pytest.mark.row("A34")
@pytest.mark.parametrize(("option", "typed"), [("--words", WORDS), ("--passkey", PRF)])
def test_fuller_vector_is_what_the_code_writes_and_the_reader_reads(option: str, typed: str, tmp_path: Path) -> None:
    """Seven slots, the fitting ones among others of their kind; numbers that are others in hexadecimal."""
    vector = V["fuller"]
    name, text, file = Name.parse(vector["name"]), vector["contents"].encode(), base64.b64decode(vector["file"])
    key = Secret(bytes.fromhex(vector["s"]["10"]))
    others = [another("passkey", number) for number in range(3, 8)]
    given = (*others[:3], KEYS["both"][1], *others[3:], KEYS["both"][0])

    assert (name.sequence, name.kid) == (26, 10)
    assert {row.get("type") for row in json.loads(text)["entries"]} == {"totp", "hotp", "steam", None}
    assert Contents.from_bytes(text, device_type="android").to_bytes() == text
    drawn = chance(KEYS["both"])
    assert envelope.write(text, name.place, kid=10, key=key, backup_keys=given, chance=drawn) == file
    assert hashlib.sha256(file).hexdigest() == vector["sha256"]
    stored(tmp_path, vector["name"], file)
    (tmp_path / "keys").write_text(keys.format_key_line(ServerKey(keys.Role.STORE, 10, key)) + "\n", "ascii")
    done = run(tmp_path / vector["name"], tmp_path, option, typed=typed)
    assert (done.stdout, done.stderr) == (text + b"\n", b"")


@pytest.mark.row("A34")
@pytest.mark.parametrize(("option", "typed"), [("--words", WORDS), ("--passkey", PRF)])
def test_reader_that_was_given_a_key_takes_no_file_that_needs_none(option: str, typed: str, tmp_path: Path) -> None:
    """Whoever has S can put one in the place of a protected one."""
    done = run(stored(tmp_path, NAME.path, MODES["none"].file), tmp_path, option, typed=typed)

    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().strip() == "The key S alone opens this one: without --words and --passkey."


@pytest.mark.row("A34")
def test_steps_of_the_worked_example_are_the_codes() -> None:
    file, place = base64.b64decode(EXAMPLE["file"]), EXAMPLE_NAME.place
    share = PREPARED[1].unwrap(CTX, file[28:68])
    kinds = {"words": b"\1", "passkey": b"\2"}
    slots = b"".join(kinds[slot.kind] + slot.hint + slot.wrapped for slot in envelope.slots(file, place, S.get))
    sealed = file[68 : 68 + 136]
    of_slots = keys.derive(share, Label.BACKUP_SLOTS, *place.bound, length=44).reveal()
    own = Secret(share.reveal() + bytes.fromhex(V["random_a"]))
    of_body = keys.derive(own, Label.BACKUP_BODY, *place.bound, sealed, length=44).reveal()
    steps = {
        "ctx": CTX,
        "key of the MAC": keys.derive(S[1], Label.BACKUP_MAC).reveal(),
        "key of the server's slot": keys.derive(S[1], Label.BACKUP_SERVER, CTX).reveal(),
        "slots": slots,
        "SHA-256(lp(slots, padded contents))": hashlib.sha256(lp(slots, pad(EXAMPLE["contents"].encode()))).digest(),
        "ss": share.reveal(),
        "bytes 0 to 27": file[:28],
        "server's slot": file[28:68],
        "key of the slots": of_slots[:32],
        "nonce of the slots": of_slots[32:],
        "sealed slots": sealed,
        "key of the body": of_body[:32],
        "nonce of the body": of_body[32:],
        "MAC": file[-32:],
        "SHA-256 of the file, 4,348 bytes": hashlib.sha256(file).digest(),
    }
    written = dict(re.findall(r"^\| ([^|]+) \| `([0-9a-f]{24,})` \|$", DOCUMENT, re.MULTILINE))
    elsewhere = {"stretched": V["words"]["stretched"], "key of the slot": V["backup_keys"]["words"]}

    assert written == {**elsewhere, **{step: value.hex() for step, value in steps.items()}}
    assert V["backup_keys"]["passkey"] in DOCUMENT
    assert [f"`{path}`" in DOCUMENT for path in (V["object_name"], V["key_line_S_1"], EXAMPLE["name"])] == [True] * 3


# -- What the document repeats ----------------------------------------------------------------------------------------


def table(after: str) -> list[list[str]]:
    """The rows of the first table after a sentence, without its head."""
    found = re.search(r"^(?:\|.*\n)+", DOCUMENT[DOCUMENT.index(after) :], re.MULTILINE)
    assert found is not None
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in found[0].splitlines()[2:]]


def test_labels_in_the_document_are_those_of_the_code() -> None:
    assert [row[0] for row in table("These are all labels")] == [
        label.value for label in Label if label.startswith("authweb/backup/")
    ]


@pytest.mark.article("S-66")
def test_fields_in_the_document_are_those_that_are_read_and_written() -> None:
    said = {str: "text", int: "number", bool: "truth", list: "list of texts"}

    for after, fields in (("**Whole**:", contents._WHOLE), ("**Name only**:", contents._NAMED)):
        rows = [(row[0], row[1].partition(", ")[0]) for row in table(after)]
        assert rows == [(name, said[type_]) for name, type_ in fields.items()]
    frame = [row[0] for row in table("## The contents")]
    assert frame == ["v", *contents._FRAME, "entries"]
    assert set(json.loads(DATA)) == set(frame)
    written = {tuple(sorted(row)) for row in json.loads(DATA)["entries"]}
    assert written == {tuple(sorted(contents._WHOLE)), tuple(sorted(contents._NAMED))}


def test_portions_in_the_document_are_the_table() -> None:
    rows = [(row[0], row[1].replace(" ", "_")) for row in table("is its portion:")]

    assert rows == [(kind.value, portion.value) for kind, portion in PORTIONS.items()]


def test_offsets_in_the_document_are_those_of_the_code() -> None:
    at = 0
    for offset, size, _ in table("## The envelope"):
        if not offset.isdigit() or not size.isdigit():
            break
        assert int(offset) == at
        at += int(size)
    assert at == 68
    longest = 68 + envelope.MOST_SLOTS * 63 + 16 + 2**20 + 48
    assert f"{longest:,} at most" in DOCUMENT
    assert 68 + 4096 + 48 == 4212
    assert list(names.DEVICE_TYPES) == re.findall(r"`(ios|android|computer)`", DOCUMENT)[:3]


def test_what_the_browser_is_asked_is_what_the_document_says() -> None:
    script = (ROOT / "static/js/passkey_key.js").read_text("utf-8")

    for asked in (
        'prf: { eval: { first: new TextEncoder().encode("authweb/prf/1") } }',
        'userVerification: "required"',
    ):
        assert asked in script
        assert asked in DOCUMENT


def test_every_kind_of_account_comes_through_the_reader(tmp_path: Path) -> None:
    accounts = AccountList((*CONTENTS.entries, new_entry(99, name="\U0001f511 « ünï »")))
    data = Contents.of_list(accounts, device_type="android", device_name="x", app="1", at=1).to_bytes()
    file = stored(tmp_path, NAME.path, made(data, KEYS["both"]))

    done = run(file, tmp_path, "--passkey", typed=PRF)

    assert Contents.from_bytes(done.stdout.strip(), device_type="android").entries == accounts.entries
    assert opener(KEYS["both"]) is not None
