from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.vault.encoding import (
    LARGEST,
    b64url,
    canonical,
    from_b64url,
    lp,
    pad,
    strict,
    trusted,
    unpad,
)
from accounts.vault.errors import Damaged, Reason

whole = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


def reason_of(call, *arguments) -> Reason:
    with pytest.raises(Damaged) as caught:
        call(*arguments)
    return caught.value.reason


def test_length_prefixes_tell_parts_apart() -> None:
    assert lp(b"ab", b"", b"c") == b"\0\0\0\2ab\0\0\0\0\0\0\0\1c"
    assert lp(b"ab", b"c") != lp(b"a", b"bc")
    assert lp() == b""


def test_canonical_json_has_one_form() -> None:
    value = {"b": [1, True, None], "a": 'é\u2028"\\', "ä": -5}

    assert canonical(value) == '{"a":"é\u2028\\"\\\\","b":[1,true,null],"ä":-5}'.encode()
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@pytest.mark.parametrize("value", [1.5, [1.0], {"a": {"b": (2e30,)}}, float("nan"), float("inf"), "\ud800", {1, 2}])
def test_canonical_refuses_what_has_no_one_form(value) -> None:
    assert reason_of(canonical, value) is Reason.DAMAGED_DOCUMENT


def test_text_that_looks_like_a_fraction_is_text() -> None:
    assert canonical({"a": [":1.5", ",2e3"], "b": ("[7.5",)}) == b'{"a":[":1.5",",2e3"],"b":["[7.5"]}'


def test_canonical_refuses_what_is_too_deep_to_write() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    assert reason_of(canonical, deep) is Reason.DAMAGED_DOCUMENT


@given(whole)
def test_what_is_written_is_read_by_both_readers(value) -> None:
    data = canonical(value)

    assert trusted(data) == value
    try:
        assert strict(data) == value
    except Damaged as error:
        assert error.reason is Reason.DAMAGED_JSON_NUMBER  # noqa: PT017
        assert any(len(number) > 20 for number in data.decode().replace("-", "").split(","))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff", Reason.NOT_UTF8),
        (b"", Reason.DAMAGED_JSON),
        (b"{", Reason.DAMAGED_JSON),
        (b"{} {}", Reason.DAMAGED_JSON),
        (b"{'a':1}", Reason.DAMAGED_JSON),
        (b'{"a":1,"a":1}', Reason.DAMAGED_JSON_TWICE),
        (b'[{"a":{"b":1,"b":2}}]', Reason.DAMAGED_JSON_TWICE),
        (b"[1.0]", Reason.DAMAGED_JSON_NUMBER),
        (b"[1e3]", Reason.DAMAGED_JSON_NUMBER),
        (b"[NaN]", Reason.DAMAGED_JSON_NUMBER),
        (b"[Infinity]", Reason.DAMAGED_JSON_NUMBER),
        (b"[123456789012345678901]", Reason.DAMAGED_JSON_NUMBER),
        (b"[" * 21 + b"]" * 21, Reason.DAMAGED_JSON_DEEP),
        (b'{"a":' * 21 + b"1" + b"}" * 21, Reason.DAMAGED_JSON_DEEP),
        (b"[" * 100_000 + b"]" * 100_000, Reason.DAMAGED_JSON),
    ],
)
def test_strict_json_names_what_is_wrong(data: bytes, reason: Reason) -> None:
    assert reason_of(strict, data) is reason


@pytest.mark.parametrize("data", [b"[" * 20 + b"]" * 20, b"\xef\xbb\xbf[]", b" [1, -2]\n", b'{"a":1,"b":1}'])
def test_strict_json_takes_what_is_right(data: bytes) -> None:
    assert isinstance(strict(data), list | dict)


@pytest.mark.parametrize("data", [b"\xff", b"", b"[1.5]", b"[NaN]", b"[" * 100_000])
def test_trusted_json_is_still_checked_for_shape(data: bytes) -> None:
    assert reason_of(trusted, data) is Reason.DAMAGED_JSON


@pytest.mark.parametrize("size", [0, 1, 4091, 4092, 4093, 8188, 8189, 100_000, 2**20 - 4])
def test_padding_is_a_power_of_two_and_comes_off_again(size: int) -> None:
    data = b"x" * size

    padded = pad(data)

    assert len(padded) in {2**power for power in range(12, 21)}
    assert len(padded) == 4096 or len(padded) < 2 * (size + 4)
    assert unpad(padded) == data


def test_padding_refuses_what_does_not_fit() -> None:
    assert reason_of(pad, bytes(LARGEST - 3)) is Reason.DAMAGED_LENGTH


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        b"\0\0\0",
        bytes(4095),
        bytes(4097),
        bytes(8192),  # not minimal
        (4093).to_bytes(4, "big") + bytes(4092),  # longer than what is there
        (2**32 - 1).to_bytes(4, "big") + bytes(4092),
        pad(b"abc")[:-1] + b"\1",
        pad(b"abc")[:7] + b"\1" + bytes(4088),
        (2**20).to_bytes(4, "big") + bytes(2**21 - 4),
    ],
)
def test_padding_is_exact(padded: bytes) -> None:
    assert reason_of(unpad, padded) is Reason.DAMAGED_PADDING


@given(st.binary(max_size=50))
def test_base64url_is_read_back(data: bytes) -> None:
    assert from_b64url(b64url(data)) == data


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "AA==", "A+AA", "A/AA", "AA A", "AAé", "AA\n", "A.AA"])
def test_base64url_has_one_text_for_one_value(text: str) -> None:
    assert reason_of(from_b64url, text) is Reason.DAMAGED_DOCUMENT
