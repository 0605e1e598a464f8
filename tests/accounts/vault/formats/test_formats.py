from __future__ import annotations

from itertools import count

import pytest
from PIL import Image

from accounts.vault import formats
from accounts.vault.errors import ParseError, Problem, Reason, TooCostly, TooLarge, Unsupported
from accounts.vault.formats import Format
from tests.accounts.vault.formats.test_google import link, message, parts
from tests.accounts.vault.support import id_of
from tests.accounts.vault.test_qr import LINK, OTHER, code, encoded


def names(result: formats.Result) -> list[str]:
    return [found.entry.name for found in result.entries]


@pytest.mark.parametrize("data", [b"", "", b" \r\n\t", "\n\n"])
def test_an_empty_file_is_called_empty(data: bytes | str) -> None:
    with pytest.raises(Unsupported) as caught:
        formats.read(data)

    assert caught.value.reason is Reason.FILE_EMPTY


@pytest.mark.parametrize(
    "data", [b"JBSWY3DPEHPK3PXP", b"\xff\xfe\0", b"{}", b"%PDF-1.7", b"PK\3\4", "otpauthmigration://offline?data=AA"]
)
def test_what_is_of_no_kind_that_is_read_says_so(data: bytes | str) -> None:
    with pytest.raises(Unsupported) as caught:
        formats.read(data, filename="export.json", password=None)

    assert caught.value.reason is Reason.NOT_RECOGNISED


def test_a_file_too_large_is_refused_with_its_figure() -> None:
    with pytest.raises(TooCostly) as caught:
        formats.read(b"x" * (5 * 2**20 + 1))

    assert dict(caught.value.facts) == {"found": 5 * 2**20 + 1, "allowed": 5 * 2**20}


def test_a_file_of_more_lines_than_the_list_holds_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge) as caught:
        formats.read(f"{LINK}\n" + "x\n" * 2000)

    assert dict(caught.value.facts) == {"found": 2001, "allowed": 2000, "unit": "entries"}
    assert len(formats.read(f"{LINK}\n" * 2000).entries) == 2000


@pytest.mark.parametrize("data", [LINK, LINK.encode(), "\ufeff" + LINK, b"\xef\xbb\xbf" + LINK.encode()])
def test_texts_are_read_with_and_without_a_byte_order_mark(data: bytes | str) -> None:
    assert names(formats.read(data)) == ["alice@example.org"]


def test_a_picture_is_read_by_what_is_in_it_whatever_its_name() -> None:
    result = formats.read(encoded(code()), filename="notes.txt")

    assert (result.format, names(result), result.entries[0].place) == (Format.OTPAUTH, ["alice@example.org"], 1)


def test_all_codes_of_a_picture_are_read() -> None:
    page = Image.new("RGB", (1200, 700), "white")
    page.paste(code(LINK), (0, 0))
    page.paste(code(OTHER), (600, 100))

    assert sorted(names(formats.read(encoded(page)))) == ["alice@example.org", "bob"]


def test_a_picture_of_an_export_is_read() -> None:
    result = formats.read(encoded(code(parts(2)[1], scale=4)))

    assert (result.format, names(result)) == (Format.GOOGLE, ["bob1"])
    assert result.problems == (Problem(1, Reason.PARTS_MISSING, {"found": 1, "total": 2, "missing": (1,)}),)


def test_a_picture_without_a_code_says_why() -> None:
    with pytest.raises(ParseError) as caught:
        formats.read(encoded(Image.new("L", (50, 50))))

    assert caught.value.reason is Reason.PICTURE_NONE


def test_texts_of_several_pictures_are_joined() -> None:
    one, two, three = parts(3)

    result = formats.read_texts([three, LINK, one, "https://example.org/", two])

    assert names(result) == ["alice@example.org", "bob0", "bob1", "bob2"]
    assert result.problems == (Problem(4, Reason.NOT_OTPAUTH, {}),)


def test_a_code_of_another_kind_is_a_problem() -> None:
    assert formats.read_texts(["WIFI:S:home;;"]).problems == (Problem(1, Reason.NOT_OTPAUTH, {}),)
    assert formats.read_texts([]).entries == ()
    assert formats.read_texts([link(message())]) == formats.Result((), (), Format.GOOGLE)


def test_ids_come_from_whoever_is_asked_for_them() -> None:
    numbers = count(1)

    result = formats.read(f"{LINK}\n{OTHER}", new_id=lambda: id_of(next(numbers)))

    assert [found.entry.id for found in result.entries] == [id_of(1), id_of(2)]
