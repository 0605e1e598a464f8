"""Every row of the plan of security tests that concerns what is built has a test that names it."""

from __future__ import annotations

import re

from tests.environment import ROOT

MARK = re.compile(r"pytest\.mark\.row\(\"([AT]\d+)\"\)")

# Codes, links, pictures, sealed bytes, parallel changes; canaries, errors, sockets; scripts, headers, forged requests,
# foreign things; doors, cookies; locks and keys; staff; hostile input; undo; another pepper, random schedules, guessed
# words, every door, the dump alone, passkeys, leaving. By their own numbers: the disk without a door, removed devices,
# swapped places, what words cost and how often they are tried, the dump as a test of words, the browser after sign-out.
# Backups: what a holder of the MAC key alters, vectors and the opener; each altered bit, what is planted, sizes.
# Of the store of backups: writers that are killed, the order in which they write, faults, writers of one stream.
# Of restore: wrong types, other people's, proofs that are none; the recovery account's notices and limit.
# Of Cloud Backup: a server that is killed, columns written at random, removed keys; the disk with server keys.
ROWS = {
    *("T1", "T2", "T3", "T4", "T5", "T6", "T8", "T10", "T11", "T16"),
    *("T25", "T26", "T27", "T29", "T30", "T31", "T32", "T33", "T34", "T36", "T38", "T39", "T40", "T46"),
    *("T19", "T20", "T21", "T41", "T42", "T45", "T47"),
    *("T9", "T12", "T13", "T14", "T15", "T17", "T43", "T44"),
    *("T18", "T22", "A14", "A31"),
    *("A2", "A3", "A6", "A8", "A9", "A10", "A11", "A13", "A16", "A17", "A18", "A23", "A34", "A40", "A42"),
}


def marked() -> dict[str, int]:
    """The rows that tests name, and how many name each."""
    found: dict[str, int] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for row in MARK.findall(path.read_text(encoding="utf-8")):
            found[row] = found.get(row, 0) + 1
    return found


def test_every_row_of_the_plan_has_a_test() -> None:
    assert set(marked()) == ROWS


def test_mark_of_a_row_is_found() -> None:
    assert MARK.findall("@pytest.mark.row" + '("T99")\n@pytest.mark.article("S-1")') == ["T99"]
