from __future__ import annotations

import io

import pytest
from PIL import Image

from accounts.vault import picture
from accounts.vault.errors import ParseError, Reason
from accounts.vault.picture import Size

SIZES = [(1, 1), (7, 300), (640, 480), (4096, 3000)]


def encoded(kind: str, size: tuple[int, int], **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "white").save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("GIF", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"\xff\xc0 not a frame" * 9}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0 some"}),
    ],
)
def test_the_header_tells_the_size(kind: str, options: dict[str, object], size: tuple[int, int]) -> None:
    data = encoded(kind, size, **options)

    assert picture.is_picture(data)
    assert picture.measure(data) == picture.check(data) == Size(*size)


def test_fill_bytes_and_lone_markers_before_a_frame_are_passed_over() -> None:
    data = encoded("JPEG", (40, 30))

    assert picture.measure(data[:2] + b"\xff\xff\xff\x01\xff\xd0" + data[2:]) == Size(40, 30)


def test_a_segment_that_claims_no_length_does_not_hold_us_up() -> None:
    data = encoded("JPEG", (40, 30))

    with pytest.raises(ParseError):
        picture.measure(data[:2] + b"\xff\xe0\0\0" * 1_000_000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"otpauth://totp/bob?secret=JBSWY3DPEHPK3PXP",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"BM" + bytes(100),
        b"%PDF-1.7",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"RIFF\0\0\0\0WEBPVP9 " + bytes(40),
        b"RIFF\0\0\0\0WEBPVP8L" + bytes(40),
        b"RIFF\0\0\0\0WEBPVP8 " + bytes(40),
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIDAT" + bytes(40),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40),
        b"GIF89a",
        b"GIF87a\0\0\1\0",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\0\4ab" + bytes(40),
        b"\xff\xd8\xff\xc4\0\4abxxxxxxxxx",
    ],
)
def test_what_is_no_picture_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        picture.check(data)

    assert caught.value.reason is Reason.PICTURE_NOT


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes(9)


@pytest.mark.parametrize(
    ("data", "facts"),
    [
        (
            png_header(13_000, 13_000),
            {"width": 13_000, "height": 13_000, "found": 13_000, "allowed": 4096, "unit": "side"},
        ),
        (png_header(1, 4097), {"width": 1, "height": 4097, "found": 4097, "allowed": 4096, "unit": "side"}),
        (
            png_header(4096, 4000),
            {"width": 4096, "height": 4000, "found": 16_384_000, "allowed": 16_000_000, "unit": "pixels"},
        ),
        (bytes(8 * 2**20 + 1), {"found": 8 * 2**20 + 1, "allowed": 8 * 2**20, "unit": "bytes"}),
    ],
)
def test_a_picture_too_large_is_refused_with_the_figures(data: bytes, facts: dict[str, object]) -> None:
    with pytest.raises(ParseError) as caught:
        picture.check(data)

    assert (caught.value.reason, dict(caught.value.facts)) == (Reason.PICTURE_TOO_LARGE, facts)


def test_the_bounds_themselves_are_allowed() -> None:
    assert picture.check(png_header(4000, 4000)) == Size(4000, 4000)
    rest = 8 * 2**20 - 33
    largest = png_header(4096, 1) + (rest - 12).to_bytes(4, "big") + b"IDAT" + bytes(rest - 8)
    assert (len(largest), picture.check(largest)) == (8 * 2**20, Size(4096, 1))


def test_a_png_has_no_more_chunks_than_a_picture_needs() -> None:
    few, many = (png_header(5, 5) + b"\0\0\0\0tEXt\0\0\0\0" * count for count in (9_999, 10_000))

    assert picture.check(few) == Size(5, 5)
    with pytest.raises(ParseError):
        picture.check(many)
    behind = few[:33] + b"\0\0\0\0IEND\0\0\0\0" + few[33:] * 2
    assert picture.check(behind) == Size(5, 5)
