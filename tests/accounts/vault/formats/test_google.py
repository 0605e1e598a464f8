from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from accounts.vault import formats
from accounts.vault.entry import Algorithm, Type
from accounts.vault.errors import Note, ParseError, Problem, Reason
from accounts.vault.formats import Format, google, protobuf
from accounts.vault.secret import Secret

KEY = b"Hello!\xde\xad\xbe\xef"


def varint(number: int) -> bytes:
    number %= 2**64
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def account(key: bytes = KEY, name: str = "bob", issuer: str = "GitHub", **numbers: int) -> bytes:
    order = {"hash": 4, "digits": 5, "type": 6, "counter": 7}
    settings = {"hash": 1, "digits": 1, "type": 2, **numbers}
    texts = field(1, key) + field(2, name.encode()) + field(3, issuer.encode())
    return texts + b"".join(field(order[name], value) for name, value in settings.items())


def message(*accounts: bytes, size: int = 1, index: int = 0, batch: int = -1_234_567) -> bytes:
    numbers = field(2, 1) + field(3, size) + field(4, index) + field(5, batch)
    return b"".join(field(1, account) for account in accounts) + numbers


def link(data: bytes) -> str:
    return "otpauth-migration://offline?data=" + quote(base64.b64encode(data), safe="")


def read(*lines: str) -> formats.Result:
    return formats.read("\n".join(lines))


def names(result: formats.Result) -> list[str]:
    return [found.entry.name for found in result.entries]


def test_an_export_of_one_picture() -> None:
    result = read(
        link(message(account(), account(name="eve", issuer="", hash=3, digits=2, type=1, counter=7), account(key=b"k")))
    )

    one, two, three = result.entries
    assert (result.format, result.problems) == (Format.GOOGLE, ())
    assert (one.entry.issuer, one.entry.name, one.entry.secret, one.notes, one.place) == (
        *("GitHub", "bob", Secret(KEY), (Note.PERIOD_UNKNOWN,), 1),
    )
    assert (two.entry.issuer, two.entry.settings, two.entry.counter, two.notes, two.place) == (
        *("", (Type.HOTP, Algorithm.SHA512, 8, 30), 7, (), 2),
    )
    assert three.notes == (Note.SHORT_SECRET, Note.PERIOD_UNKNOWN)
    assert len({found.entry.id for found in result.entries}) == 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": "GitHub:bob"}, ("GitHub", "bob", "")),
        ({"name": "GitHub:bob", "issuer": ""}, ("GitHub", "bob", "")),
        ({"name": "Contoso:bob", "issuer": "Microsoft"}, ("Microsoft", "bob", "Contoso")),
        ({"name": ":bob", "issuer": ""}, ("", ":bob", "")),
        ({"name": "بوب", "issuer": "גיטהאב"}, ("גיטהאב", "بوب", "")),
    ],
)
def test_names_are_taken_apart_as_in_links(given: dict[str, str], expected: tuple[str, str, str]) -> None:
    found = read(link(message(account(**given)))).entries[0]

    assert (found.entry.issuer, found.entry.name, found.entry.note) == expected
    assert (Note.ISSUER_PREFIX in found.notes) == bool(expected[2])


def test_what_is_not_said_is_assumed_and_noted() -> None:
    bare = field(1, KEY) + field(2, b"bob")
    counter = bare + field(6, 1)

    one, two = read(link(field(1, bare) + field(1, counter))).entries

    assert one.entry.settings == (Type.TOTP, Algorithm.SHA1, 6, 30)
    assert one.notes == (Note.TYPE_ASSUMED, Note.PERIOD_UNKNOWN)
    assert (two.entry.counter, two.notes) == (0, (Note.COUNTER_ASSUMED,))


@pytest.mark.parametrize(
    ("broken", "reason", "facts"),
    [
        (account(hash=4), Reason.ALGORITHM_REFUSED, {"algorithm": "MD5"}),
        (account(hash=9), Reason.ALGORITHM_REFUSED, {"algorithm": "9"}),
        (account(digits=3), Reason.DIGITS, {"found": 3}),
        (account(type=3), Reason.TYPE_UNKNOWN, {"type": "3"}),
        (account(type=1, counter=-5), Reason.COUNTER, {"found": -5}),
        (account(key=b""), Reason.NO_SECRET, {}),
        (account(key=bytes(641)), Reason.SECRET_TOO_LONG, {"found": 641, "allowed": 640}),
        (account(name="", issuer=""), Reason.NO_NAME, {}),
        (account(name="a\u202eb"), Reason.CONTROL_CHARACTER, {"field": "name"}),
        (field(1, KEY) + field(2, b"\xff"), Reason.NOT_UTF8, {}),
        (field(1, KEY) + field(2, b"bob") + field(3, b"\xff"), Reason.NOT_UTF8, {}),
        (field(1, 5), Reason.MIGRATION_PAYLOAD, {}),
        (field(4, b"1"), Reason.MIGRATION_PAYLOAD, {}),
        (account()[:-1] + b"\xff", Reason.MIGRATION_PAYLOAD, {}),
    ],
)
def test_one_account_that_cannot_be_taken_leaves_the_others(
    broken: bytes, reason: Reason, facts: dict[str, object]
) -> None:
    result = read(link(message(account(name="a"), broken, account(name="c"))))

    assert names(result) == ["a", "c"]
    assert [found.place for found in result.entries] == [1, 3]
    assert result.problems == (Problem(2, reason, facts),)


def parts(count: int, batch: int = 77) -> list[str]:
    return [link(message(account(name=f"bob{index}"), size=count, index=index, batch=batch)) for index in range(count)]


def test_parts_are_joined_in_their_order_whatever_the_order_of_the_pictures() -> None:
    one, two, three = parts(3)

    result = read(three, one, "", two)

    assert (names(result), result.problems) == (["bob0", "bob1", "bob2"], ())
    assert [found.place for found in result.entries] == [1, 2, 3]


def test_a_missing_part_is_named_and_the_others_may_be_taken() -> None:
    result = read(*parts(5)[1:3])

    assert names(result) == ["bob1", "bob2"]
    assert result.problems == (Problem(1, Reason.PARTS_MISSING, {"found": 2, "total": 5, "missing": (1, 4, 5)}),)


def test_the_same_part_twice_counts_once() -> None:
    one, two = parts(2)

    result = read(one, two, one, two)

    assert (names(result), result.problems) == (["bob0", "bob1"], ())


def test_two_exports_are_told_apart_by_their_ids() -> None:
    mine, theirs = parts(2, batch=1), parts(2, batch=-2)

    result = read(mine[0], theirs[0], theirs[1])

    assert names(result) == ["bob0", "bob0", "bob1"]
    assert result.problems == (Problem(1, Reason.PARTS_MISSING, {"found": 1, "total": 2, "missing": (2,)}),)


def test_two_different_pictures_of_one_number_are_both_taken() -> None:
    result = read(link(message(account(name="a"), size=1)), link(message(account(name="b"), size=1)))

    assert (names(result), result.problems) == (["a", "b"], ())


def test_parts_without_size_index_and_id_stand_alone() -> None:
    result = read(link(field(1, account(name="a"))), link(field(1, account(name="b"))))

    assert (names(result), result.problems) == (["a", "b"], ())


@pytest.mark.parametrize("spelt", ["+raw plus", "%2B", "space", "no padding", "upper", "slash", "other parameter"])
def test_a_link_in_all_its_spellings(spelt: str) -> None:
    data = base64.b64encode(message(account(key=b"\xfb\xef\xbe\xff\xff" * 4))).decode()
    assert "+" in data
    text = {
        "+raw plus": f"otpauth-migration://offline?data={data}",
        "%2B": f"otpauth-migration://offline?data={quote(data, safe='')}",
        "space": f"otpauth-migration://offline?data={data.replace('+', ' ')}",
        "no padding": f"otpauth-migration://offline?data={data.rstrip('=')}",
        "upper": f"OTPAUTH-MIGRATION://OFFLINE?DATA={data}",
        "slash": f"otpauth-migration://offline/?data={data}",
        "other parameter": f"otpauth-migration://offline?v=1&data={data}",
    }[spelt]

    assert names(read(text)) == ["bob"]


GOOD = link(message(account()))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("otpauth-migration://offline", Reason.MIGRATION_BASE64),
        ("otpauth-migration://offline?data=", Reason.MIGRATION_BASE64),
        ("otpauth-migration://offline?data=A", Reason.MIGRATION_BASE64),
        ("otpauth-migration://offline?data=AA*A", Reason.MIGRATION_BASE64),
        ("otpauth-migration://offline?data=ÄÄÄÄ", Reason.MIGRATION_BASE64),
        ("otpauth-migration://online?data=AAAA", Reason.NOT_OTPAUTH),
        ("otpauth-migration:offline?data=AAAA", Reason.NOT_OTPAUTH),
        ("otpauth-migration://offline?data=" + "A" * 5000, Reason.TEXT_TOO_LONG),
        (link(message(account())[:-1]), Reason.MIGRATION_PAYLOAD),
        (link(b"\x0a\x7f\0"), Reason.MIGRATION_PAYLOAD),
        (link(field(1, 7)), Reason.MIGRATION_PAYLOAD),
        (link(field(3, b"7")), Reason.MIGRATION_PAYLOAD),
        (link(message(size=2, index=2)), Reason.MIGRATION_PAYLOAD),
        (link(message(size=2, index=-1)), Reason.MIGRATION_PAYLOAD),
        (link(message(size=2**31 - 1, index=0)), Reason.MIGRATION_PAYLOAD),
    ],
)
def test_a_damaged_link_is_a_problem_and_leaves_the_others(text: str, reason: Reason) -> None:
    result = read(GOOD, text)

    assert names(result) == ["bob"]
    assert [(problem.place, problem.reason) for problem in result.problems] == [(2, reason)]


@pytest.mark.parametrize("length", range(1, len(message(account()))))
def test_a_message_cut_short_is_damaged_or_says_less(length: int) -> None:
    result = read(link(message(account())[:length]))

    assert result.problems or names(result) == ["bob"]


def test_protobuf_passes_over_what_it_does_not_know() -> None:
    data = varint(99 << 3 | 1) + bytes(8) + varint(98 << 3 | 5) + bytes(4) + field(97, 5) + field(96, b"x")

    assert list(protobuf.fields(data)) == [(97, 5), (96, b"x")]
    assert names(read(link(data + message(account() + data)))) == ["bob"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00",  # field 0
        b"\x0b",  # a group begins
        b"\x0c",  # a group ends
        b"\x0e",
        b"\x0f",
        b"\x08",
        b"\x80",
        b"\x09" + bytes(7),
        b"\x0d" + bytes(3),
        b"\x0a\x02a",
        b"\x08" + b"\xff" * 10,
        b"\x08" + b"\xff" * 9 + b"\x02",
        b"\x0a" + b"\xff" * 9 + b"\x01",
    ],
)
def test_protobuf_refuses_what_is_no_message(data: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        list(protobuf.fields(data))

    assert caught.value.reason is Reason.MIGRATION_PAYLOAD


@pytest.mark.parametrize("number", [0, 1, 127, 128, 2**31 - 1, 2**63 - 1, -1, -(2**31), -(2**63)])
def test_protobuf_reads_signed_numbers(number: int) -> None:
    ((_, value),) = protobuf.fields(field(1, number))

    assert protobuf.number(value) == number


def test_the_last_of_a_repeated_number_counts_and_parts_compare() -> None:
    data = message(account()) + field(3, 4) + field(4, 2)

    assert google.parse(link(data)) == google.Part((account(),), size=4, index=2, batch=-1_234_567)
