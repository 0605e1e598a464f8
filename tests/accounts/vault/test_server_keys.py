from __future__ import annotations

import pytest

from accounts.vault import keys
from accounts.vault.errors import ParseError, Reason
from accounts.vault.keys import Role, Secret, ServerKey
from tests.accounts.vault.support import vectors

V = vectors("keys")["server_keys"]
KEY = ServerKey(Role.STORE, 1, Secret(bytes.fromhex(V["key"])))


def test_line_and_keycheck_are_the_vectors() -> None:
    assert keys.format_key_line(KEY) == V["line"]
    assert keys.parse_key_line(V["line"]) == KEY
    assert keys.keycheck(KEY.key, Role.STORE, 1).hex() == V["keycheck"]


def test_a_keycheck_belongs_to_role_number_and_key() -> None:
    made = {keys.keycheck(key, role, kid) for key in (KEY.key, Secret(bytes(32))) for role in Role for kid in (1, 2)}

    assert len(made) == 16


@pytest.mark.parametrize("change", [str.lower, lambda line: line.replace(" ", ""), lambda line: "\t" + "  ".join(line)])
def test_case_and_spaces_do_not_count(change) -> None:
    assert keys.parse_key_line(change(V["line"])) == KEY


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("kid", [1, 2, 77, 2**32 - 1])
@pytest.mark.parametrize("first", [0x00, 0x11, 0xD6, 0xFF])  # 0xD6 gives a key whose first letter is a digit
def test_every_key_is_read_back(role: Role, kid: int, first: int) -> None:
    key = ServerKey(role, kid, Secret(bytes([first]) + keys.random_bytes(31)))
    line = keys.format_key_line(key)

    assert keys.parse_key_line(line) == key
    assert keys.parse_key_line(line.replace(" ", "")) == key


@pytest.mark.parametrize(
    ("line", "reason", "facts"),
    [
        ("", Reason.LINE_ROLE, {}),
        ("# a remark", Reason.LINE_ROLE, {}),
        (V["line"].replace("S ", "T ", 1), Reason.LINE_ROLE, {}),
        ("S", Reason.LINE_NUMBER, {}),
        (V["line"].replace("1", "0", 1), Reason.LINE_NUMBER, {}),
        (V["line"].replace("1", "4294967296", 1), Reason.LINE_NUMBER, {}),
        (V["line"].replace("1", "9" * 30, 1), Reason.LINE_NUMBER, {}),
        (V["line"].replace("1", "-", 1), Reason.LINE_NUMBER, {}),
        (V["line"].replace("CEIR", "CE1R", 1), Reason.LINE_LETTER, {"letter": "1", "group": 1}),
        (V["line"].replace("CEIQ", "CEI0", 1), Reason.LINE_LETTER, {"letter": "0", "group": 13}),
        (V["line"][:-1], Reason.LINE_LENGTH, {"found": 55, "allowed": 56}),
        (V["line"] + "A", Reason.LINE_LENGTH, {"found": 57, "allowed": 56}),
        ("S 1", Reason.LINE_LENGTH, {"found": 0, "allowed": 56}),
        (V["line"].replace("CEIR", "CEIS", 1), Reason.LINE_CHECK, {}),
        (V["line"].replace("7IVI", "7IVJ", 1), Reason.LINE_CHECK, {}),
        (V["line"].replace("S 1", "S 2", 1), Reason.LINE_CHECK, {}),
        (V["line"].replace("S 1", "F 1", 1), Reason.LINE_CHECK, {}),
        (V["line"].replace("CEIQ", "CEIR", 1), Reason.LINE_CHECK, {}),  # the last letter has bits left over
    ],
)
def test_a_line_names_what_is_wrong(line: str, reason: Reason, facts: dict[str, object]) -> None:
    with pytest.raises(ParseError) as caught:
        keys.parse_key_line(line)

    assert (caught.value.reason, dict(caught.value.facts)) == (reason, facts)
