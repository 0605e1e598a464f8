"""Opens a backup of Authweb without Authweb, as docs/backup-format.md gives it; shares no code with it.

KEYS is the server keys file, or the printed sheet typed into a file. FILE keeps its folders as in the store,
v1/…/…/…/….awb: they say where it belongs, and it opens nowhere else. With --words or --passkey it asks for the words,
or for the passkey's PRF output in base64url, on the terminal or as a line of standard input. Prints the contents, JSON
in UTF-8. Needs Python 3.11 or later and `cryptography` 44 or later.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import hashlib
import hmac
import json
import re
import struct
import sys
import unicodedata
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

Place = tuple[bytes, bytes, bytes]  # ctx, stream and sequence, from the folders and the name of a file
HINT_BYTES = {1: 22, 2: 16}  # words: salt 16, KiB u32, passes u8, lanes u8 · passkey: 16 bytes of SHA-256 of its id


def lp(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def derive(key: bytes, label: str, *bound: bytes, length: int = 32) -> bytes:
    info = f"authweb/backup/1/{label}".encode() + lp(*bound)
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(key)


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(otherwise)


def decrypt(both: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(both[:32]).decrypt(both[32:], sealed, bound)
    except InvalidTag:
        sys.exit("Damaged: a sealed part does not open.")


def store_keys(text: str) -> dict[int, bytes]:
    """The keys S of a server keys file, by number. Spaces and case do not count."""
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"S([0-9]{1,10})([A-Z2-7]{52})([A-Z2-7]{4})", "".join(line.split()).upper())
        if match:
            kid, key = int(match[1]), base64.b32decode(match[2] + "====")
            digest = hashlib.sha256(b"authweb/key/1" + lp(b"S", kid.to_bytes(4, "big"), key)).digest()
            expect(base64.b32encode(digest)[:4].decode() == match[3], f"The line of key S {kid} has a mistake in it.")
            found[kid] = key
    return found


def place_of(path: Path) -> Place:
    pattern = r"v1/([a-z2-7]{2})/(\1[a-z2-7]{50})/([0-9a-f]{16})/([0-9a-f]{16})-[0-9a-f]{8}\.awb"
    match = re.fullmatch(pattern, "/".join(path.resolve().parts[-5:]))
    if match is None:
        sys.exit("FILE must keep its folders: v1/xx/…/…/….awb")
    return base64.b32decode(match[2].upper() + "===="), bytes.fromhex(match[3]), bytes.fromhex(match[4])


def key_of_words(words: str, hint: bytes) -> bytes:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", words).casefold())
    text = re.sub("[-\u2010\u2011]", "", "".join(folded.split()))
    kib, passes, lanes = struct.unpack(">IBB", hint[16:])
    argon2 = Argon2id(salt=hint[:16], length=32, iterations=passes, lanes=lanes, memory_cost=kib)
    return derive(argon2.derive(text.encode()), "words")


def own_part(slots: list[tuple[int, bytes, bytes]], words: str | None, prf: bytes | None) -> bytes:
    """The part of whoever holds words or a passkey, out of the first slot that opens."""
    for kind, hint, wrapped in slots:
        with suppress(InvalidUnwrap):
            if kind == 1 and words is not None:
                return aes_key_unwrap(key_of_words(words, hint), wrapped)
            if kind == 2 and prf is not None:
                return aes_key_unwrap(derive(prf, "passkey"), wrapped)
    asked = " or ".join(sorted({"--words" if kind == 1 else "--passkey" for kind, _, _ in slots}))
    sys.exit(f"This backup needs {asked}; nothing that was given opens it.")


def opened(data: bytes, place: Place, keys: dict[int, bytes], words: str | None, prf: bytes | None) -> bytes:
    """The contents. The order of these steps is part of the format: nothing is trusted before the MAC holds."""
    ctx, stream, sequence = place
    expect(4212 <= len(data) <= 68 + 520 + 2**20 + 48 and data[:4] == b"AWB1", "Damaged: this is no backup.")
    expect(data[4] == 1, f"Version {data[4]} of the format is newer than this reader.")
    number, n, kid = data[5], int.from_bytes(data[6:8], "big"), int.from_bytes(data[8:12], "big")
    size = len(data) - 68 - n - 16 - 32
    expect(number > 0 or words is prf is None, "The key S alone opens this one: without --words and --passkey.")
    numbers = number <= 8 and (number == 0) == (n == 0) and size >= 4096 and size & (size - 1) == 0
    expect(numbers, "Damaged: its header and its length contradict each other.")
    expect(data[12:28] == stream + sequence, "Damaged: it was made in another place.")
    expect(kid in keys, f"KEYS lacks the key S {kid}.")
    mac = hmac.digest(derive(keys[kid], "mac"), lp(ctx) + data[:-32], "sha256")
    expect(hmac.compare_digest(mac, data[-32:]), "Damaged, of another place, or made with another key S.")
    share = aes_key_unwrap(derive(keys[kid], "server", ctx), data[28:68])  # Raises only where a holder of S signed it.
    head, sealed, own = data[:8] + bytes(4) + data[12:28], data[68 : 68 + n], b""
    if number:
        rest = decrypt(derive(share, "slots", *place, length=44), sealed, lp(ctx, head))
        slots = []
        while rest:
            end = 1 + HINT_BYTES.get(rest[0], 2**16)
            expect(len(rest) >= end + 40, "Damaged: a slot of no known shape.")
            slots.append((rest[0], rest[1:end], rest[end : end + 40]))
            rest = rest[end + 40 :]
        expect(len(slots) == number, "Damaged: its header tells another number of slots.")
        for kib, passes, lanes in [struct.unpack(">IBB", hint[16:]) for kind, hint, _ in slots if kind == 1]:
            fair = 8192 <= kib <= 2**20 and 1 <= passes <= 10 and 1 <= lanes <= 8
            expect(fair, "Its words ask for more work than any writer does.")
        own = own_part(slots, words, prf)
    body = data[68 + n : -32]
    padded = decrypt(derive(share + own, "body", *place, sealed, length=44), body, lp(ctx, head, sealed))
    end = 4 + int.from_bytes(padded[:4], "big")
    minimal = len(padded) == max(4096, 1 << (end - 1).bit_length())
    expect(minimal and not any(padded[end:]), "Damaged: padded otherwise than by a writer.")
    return padded[4:end]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for path in ("keys", "file"):
        parser.add_argument(path, type=Path)
    for key in ("--words", "--passkey"):
        parser.add_argument(key, action="store_true")
    given = parser.parse_args()
    ask = getpass.getpass if sys.stdin.isatty() else lambda _: sys.stdin.readline().rstrip("\r\n")
    expect(given.keys.is_file() and given.file.is_file(), "KEYS or FILE is not there.")
    words = ask("Words: ") if given.words else None
    prf = base64.urlsafe_b64decode(ask("PRF output: ") + "=") if given.passkey else None  # 43 letters for 32 bytes
    contents = opened(given.file.read_bytes(), place_of(given.file), store_keys(given.keys.read_text()), words, prf)
    sys.stdout.buffer.write(contents + b"\n" if json.loads(contents) else b"")  # JSON, or nothing.


if __name__ == "__main__":
    main()
