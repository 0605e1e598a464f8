from __future__ import annotations

import io
import json
import random
import resource
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable

import pytest
import qrcode
import zxingcpp
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from accounts.vault import qr, qr_child
from accounts.vault.errors import ParseError, Reason
from tests.accounts.vault.support import cases

LINK = "otpauth://totp/GitHub:alice%40example.org?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=GitHub"
OTHER = "otpauth://totp/GitLab:bob?secret=GEZDGNBVGY3TQOJQ&issuer=GitLab"


def code(text: str = LINK, scale: int = 6, border: int = 4) -> Image.Image:
    made = qrcode.QRCode(box_size=scale, border=border)
    made.add_data(text)
    return made.make_image().get_image().convert("RGB")


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def on_a_desk(image: Image.Image, size: tuple[int, int], angle: float, chance: random.Random) -> Image.Image:
    """A code as a photograph shows it: turned, shaded, blurred, noisy, on a background that is not white."""
    desk = Image.effect_noise(size, 30).convert("RGB")
    turned = image.convert("RGBA").rotate(angle, expand=True, resample=Image.Resampling.BICUBIC)
    desk.paste(turned, ((size[0] - turned.width) // 2, (size[1] - turned.height) // 2), turned)
    shade = Image.linear_gradient("L").resize(size).point(lambda value: 90 + value // 2)
    shaded = Image.composite(desk, Image.new("RGB", size), shade)
    return ImageEnhance.Contrast(shaded.filter(ImageFilter.GaussianBlur(chance.uniform(0.3, 1.2)))).enhance(0.8)


def desk_photo(angle: float, side: int = 900, seed: int = 1) -> Image.Image:
    return on_a_desk(code(scale=7), (side, side), angle, random.Random(seed))


def with_blot(image: Image.Image) -> Image.Image:
    blotted = image.copy()
    middle = image.width // 2
    ImageDraw.Draw(blotted).ellipse((middle - 10, middle - 10, middle + 10, middle + 10), fill="red")
    return blotted


def see_through(image: Image.Image, ink: str) -> Image.Image:
    clear = Image.new("RGBA", image.size, (0, 0, 0, 0))
    clear.paste(Image.new("RGBA", image.size, ink), mask=ImageOps.invert(image.convert("L")))
    return clear


def turned_by_tag(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 5  # mirrored and turned
    return encoded(ImageOps.mirror(image).rotate(90, expand=True), "JPEG", exif=exif, quality=90)


READABLE: dict[str, Callable[[], bytes]] = {
    "png": lambda: encoded(code()),
    "jpeg": lambda: encoded(code(), "JPEG", quality=60),
    "webp": lambda: encoded(code(), "WEBP"),
    "webp lossless": lambda: encoded(code(), "WEBP", lossless=True),
    "gif": lambda: encoded(code(), "GIF"),
    "black and white": lambda: encoded(code().convert("1")),
    "palette": lambda: encoded(code().convert("P")),
    "16 bit grey": lambda: encoded(code().convert("L").convert("I;16")),
    "cmyk": lambda: encoded(code().convert("CMYK"), "JPEG"),
    "one pixel a module": lambda: encoded(code(scale=1)),
    "two pixels a module": lambda: encoded(code(scale=2)),
    "no quiet zone": lambda: encoded(code(border=0)),
    "inverted": lambda: encoded(ImageOps.invert(code())),
    "inverted, no quiet zone": lambda: encoded(ImageOps.invert(code(border=1))),
    "black on nothing": lambda: encoded(see_through(code(), "black")),
    "white on nothing": lambda: encoded(see_through(code(), "white")),
    "coloured": lambda: encoded(ImageOps.colorize(code().convert("L"), "navy", "khaki")),
    "pale": lambda: encoded(ImageOps.colorize(code().convert("L"), "#aaa", "#ddd")),
    "blotted": lambda: encoded(with_blot(code())),
    "mirrored": lambda: encoded(ImageOps.mirror(code())),
    "turned by its tag": lambda: turned_by_tag(code()),
    "broken tag": lambda: encoded(code(), "JPEG", exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff"),
    "bytes behind it": lambda: encoded(code()) + b"PK\3\4 and a whole zip" * 100,
    "large and small in it": lambda: encoded(on_a_desk(code(scale=3), (3900, 2900), 0, random.Random(2)), "JPEG"),
    "large and large in it": lambda: encoded(on_a_desk(code(scale=40), (3000, 3000), 4, random.Random(3)), "JPEG"),
    **{f"turned by {angle}": lambda angle=angle: encoded(code().rotate(angle, fillcolor="white", expand=True))
       for angle in (1, 5, 17, 30, 45, 60, 90, 133, 180, 270, 300)},
    **{f"photograph at {angle}": lambda angle=angle: encoded(desk_photo(angle), "JPEG", quality=70)
       for angle in (0, 2, 8, 15, 35, 90, 185, 250)},
}  # fmt: skip


@pytest.mark.row("T5")
@pytest.mark.parametrize("name", READABLE)
def test_a_code_is_read_however_it_lies(name: str) -> None:
    assert qr.read(READABLE[name]()) == (LINK,)


@pytest.mark.row("T5")
def test_random_photographs_are_read() -> None:
    chance = random.Random(7)
    missed = []
    for number in range(cases(8, 200)):
        angle, side, quality = chance.uniform(0, 360), chance.randrange(600, 2000), chance.randrange(40, 95)
        if qr_child.read(encoded(desk_photo(angle, side, number), "JPEG", quality=quality)) != {"texts": [LINK]}:
            missed.append((number, angle, side, quality))

    assert missed == []


@pytest.mark.row("T5")
def test_several_codes_in_one_picture_are_all_read_and_equal_ones_once() -> None:
    page = Image.new("RGB", (1400, 700), "white")
    page.paste(code(LINK), (0, 0))
    page.paste(code(OTHER), (500, 100))
    page.paste(code(LINK), (950, 200))

    assert sorted(qr.read(encoded(page))) == sorted([LINK, OTHER])


def test_texts_of_all_scripts_and_kinds_are_read() -> None:
    for text in (
        "0123456789",
        "https://example.org/?a=b",
        "نام ش\u200cما · 日本 👩‍👩‍👧",
        "line\nline\ttab",
        "x" * 2000,
    ):
        assert qr.read(encoded(code(text, scale=3))) == (text,)


def animation(kind: str) -> bytes:
    return encoded(code(), kind, save_all=True, append_images=[code(OTHER).resize(code().size)])


NOT_READ: dict[str, tuple[Callable[[], bytes], Reason]] = {
    "no code in it": (lambda: encoded(Image.new("RGB", (300, 300), "white")), Reason.PICTURE_NONE),
    "noise": (lambda: encoded(Image.effect_noise((400, 400), 90)), Reason.PICTURE_NONE),
    "another barcode": (lambda: encoded(another_barcode()), Reason.PICTURE_NONE),
    "one pixel": (lambda: encoded(Image.new("L", (1, 1))), Reason.PICTURE_NONE),
    "torn code": (lambda: encoded(code().crop((0, 0, 140, 400))), Reason.PICTURE_NONE),
    "cut short": (lambda: encoded(code())[:-200], Reason.PICTURE_NOT),
    "jpeg cut short": (lambda: encoded(code(), "JPEG")[:900], Reason.PICTURE_NOT),
    "header alone": (lambda: encoded(code())[:60], Reason.PICTURE_NOT),
    "broken check": (lambda: encoded(code()).replace(b"IDAT", b"IDAT\xff"), Reason.PICTURE_NOT),
    "text named png": (lambda: LINK.encode(), Reason.PICTURE_NOT),
    "empty": (lambda: b"", Reason.PICTURE_NOT),
    "svg": (lambda: qr.svg(LINK).encode(), Reason.PICTURE_NOT),
    "bmp": (lambda: encoded(code(), "BMP"), Reason.PICTURE_NOT),
    "tiff": (lambda: encoded(code(), "TIFF"), Reason.PICTURE_NOT),
    "pdf": (lambda: encoded(code(), "PDF"), Reason.PICTURE_NOT),
    "gif magic over png": (lambda: b"GIF89a" + encoded(code())[6:], Reason.PICTURE_NOT),
    "html in a gif": (lambda: b"GIF89a\x10\0\x10\0<script>alert(1)</script>", Reason.PICTURE_NOT),
    "animated gif": (lambda: animation("GIF"), Reason.PICTURE_ANIMATED),
    "animated png": (lambda: animation("PNG"), Reason.PICTURE_ANIMATED),
    "animated webp": (lambda: animation("WEBP"), Reason.PICTURE_ANIMATED),
    "20 megabytes": (lambda: encoded(code()) + bytes(20_000_000), Reason.PICTURE_TOO_LARGE),
}


@pytest.mark.row("T5")
@pytest.mark.parametrize("name", NOT_READ)
def test_what_is_not_read_says_why(name: str) -> None:
    make, reason = NOT_READ[name]

    with pytest.raises(ParseError) as caught:
        qr.read(make())

    assert caught.value.reason is reason


def test_the_first_of_several_pictures_in_a_jpeg_is_the_picture() -> None:
    several = encoded(code(), "MPO", save_all=True, append_images=[Image.new("RGB", (50, 50))])

    assert qr.read(several) == (LINK,)


def another_barcode() -> Image.Image:
    made = zxingcpp.create_barcode("1234567890", zxingcpp.BarcodeFormat.Aztec).to_image(scale=5)
    height, width = made.shape
    return ImageOps.expand(Image.frombytes("L", (width, height), bytes(made)), border=20, fill=255)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def zeros(count: int) -> bytes:
    """Compressed zeros, made without ever holding them."""
    packer = zlib.compressobj(9)
    packed = [packer.compress(bytes(2**20)) for _ in range(count // 2**20)]
    return b"".join([*packed, packer.compress(bytes(count % 2**20)), packer.flush()])


def png(width: int, height: int, packed: bytes, *extra: bytes, depth: int = 1, colour: int = 0) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def gif_bomb(width: int = 65_000, height: int = 65_000) -> bytes:
    """A screen of one pixel, and a large frame in it."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2\2\x4c\1\0;"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame


def jpeg_bomb() -> bytes:
    data = bytearray(encoded(Image.new("L", (8, 8)), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65_535, 65_535)
    return bytes(data)


def webp_bomb() -> bytes:
    return b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (16_383).to_bytes(3, "little") * 2


BOMBS: dict[str, Callable[[], bytes]] = {
    "13,000 × 13,000": lambda: png(13_000, 13_000, zeros(13_000 * 1_626)),
    "60,000 × 60,000 in colour": lambda: png(60_000, 60_000, zeros(2**20), depth=16, colour=6),
    "2^31 wide": lambda: png(2**31 - 1, 2**31 - 1, zeros(1000)),
    "more data than pixels": lambda: png(100, 100, zeros(2**28)),
    "text": lambda: png(100, 100, zeros(1_400), chunk(b"zTXt", b"a\0\0" + zeros(2**28))),
    "many texts": lambda: png(100, 100, zeros(1_400), *[chunk(b"zTXt", b"a\0\0" + zeros(2**20))] * 90),
    "international text": lambda: png(100, 100, zeros(1_400), chunk(b"iTXt", b"a\0\1\0\0\0" + zeros(2**28))),
    "colour profile": lambda: png(100, 100, zeros(1_400), chunk(b"iCCP", b"a\0\0" + zeros(2**28))),
    "a hundred thousand chunks": lambda: png(100, 100, zeros(1_400), *[chunk(b"tEXt", b"a\0b")] * 100_000),
    "gif frame beyond its screen": gif_bomb,
    "jpeg": jpeg_bomb,
    "webp": webp_bomb,
    "as large as is allowed, 16 bit": lambda: png(4_000, 4_000, zeros(4_000 * 32_001), depth=16, colour=6),
}


@pytest.fixture(scope="module")
def child_start() -> float:
    """Processor seconds of a child that is given nothing to do."""
    return min(child_seconds(lambda: qr.read(encoded(Image.new("L", (1, 1))))) for _ in range(3))


def child_seconds(act: Callable[[], object]) -> float:
    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime + time.process_time()

    before = spent()
    with pytest.raises(ParseError):
        act()
    return spent() - before


@pytest.mark.row("T6")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_time_and_no_memory_of_ours(name: str, child_start: float) -> None:
    bomb = BOMBS[name]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    taken = min(child_seconds(lambda: qr.read(bomb)) for _ in range(2)) - child_start

    assert len(bomb) < 8 * 2**20
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 64
    if "allowed" not in name:  # A picture that may be large may also take its time, up to its bound.
        assert taken < 0.1


def test_the_child_bounds_itself(tmp_path) -> None:
    """What a led astray decoder would meet: the same bounds, and something that goes on for ever or takes too much."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); import qr_child; qr_child.bound(); "
    for act, expected in (
        ("bytearray(2**29)", "MemoryError"),
        ("import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[0], end='')", ""),
    ):
        run = [sys.executable, "-I", "-c", program + act, str(qr._CHILD.parent)]
        done = subprocess.run(run, capture_output=True, text=True, timeout=20)
        assert expected in done.stderr
        assert done.stdout in ("", "0")
    written = tmp_path / "written"
    run = [
        sys.executable,
        "-I",
        "-c",
        program + "open(sys.argv[2], 'wb').write(b'x')",
        str(qr._CHILD.parent),
        str(written),
    ]
    subprocess.run(run, capture_output=True, timeout=20)
    assert written.read_bytes() == b""
    spin = [sys.executable, "-I", "-c", program + "exec('while True: pass')", str(qr._CHILD.parent)]
    assert subprocess.run(spin, capture_output=True, timeout=20).returncode < 0


@pytest.mark.parametrize(
    "child",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "raise SystemExit(1)",
        "import time; time.sleep(60)",
    ],
)
def test_a_child_that_dies_or_hangs_is_too_costly(child: str, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    program = tmp_path / "child.py"
    program.write_text(child)
    monkeypatch.setattr(qr, "_CHILD", program)
    monkeypatch.setattr(qr, "WALL_SECONDS", 0.5)

    with pytest.raises(ParseError) as caught:
        qr.read(encoded(code()))

    assert caught.value.reason is Reason.PICTURE_TOO_COSTLY


def test_the_child_gets_no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    program = tmp_path / "child.py"
    program.write_text("import json, os; print(json.dumps({'texts': [k for k in os.environ if 'CANARY' in k]}))")
    monkeypatch.setenv("CANARY_SECRET_KEY", "canary")
    monkeypatch.setattr(qr, "_CHILD", program)

    assert qr.read(encoded(code())) == ()


# The same in this process, so that coverage sees what the child does.


@pytest.mark.parametrize(
    "name", ["png", "white on nothing", "pale", "no quiet zone", "broken tag", "one pixel a module"]
)
def test_the_child_reads(name: str) -> None:
    assert qr_child.read(READABLE[name]()) == {"texts": [LINK]}


@pytest.mark.parametrize("name", ["no code in it", "cut short", "animated gif", "bmp"])
def test_the_child_refuses(name: str) -> None:
    make, reason = NOT_READ[name]

    assert qr_child.read(make()) == {"refused": reason.value}


def test_the_child_judges_sizes_itself() -> None:
    assert qr_child.read(png(5000, 10, zeros(7000))) == {"refused": "picture_too_large"}
    assert qr_child.read(png(4096, 4000, zeros(7000))) == {"refused": "picture_too_large"}
    assert qr_child.read(gif_bomb(5000, 10)) == {"refused": "picture_too_large"}
    assert qr_child.read(gif_bomb(65_000, 65_000)) == {"refused": "picture_not"}  # Its decoder is the first to refuse.


def test_the_child_looks_at_a_large_picture_in_smaller_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(qr_child, "_codes", lambda image: seen.append(max(image.size)))

    assert qr_child.read(encoded(Image.new("LA", (2000, 900)))) == {"refused": "picture_none"}
    assert qr_child.read(encoded(Image.new("L", (300, 900)))) == {"refused": "picture_none"}
    assert seen == [2000, 2080, 1600, 1600, 1000, 1000, 600, 600, 2000, 2000, 900, 936, 600, 600, 900]


def test_the_child_says_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise MemoryError

    good = encoded(code())
    monkeypatch.setattr(qr_child.zxingcpp, "read_barcodes", none_left)
    assert qr_child.read(good) == {"refused": "picture_too_costly"}
    monkeypatch.setattr(qr_child.Image, "open", none_left)
    assert qr_child.read(good) == {"refused": "picture_too_costly"}


def test_the_child_speaks_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    bounds: list[int] = []
    monkeypatch.setattr(qr_child.resource, "setrlimit", lambda which, _: bounds.append(which))
    monkeypatch.setattr(qr_child.sys, "stdin", io.TextIOWrapper(io.BytesIO(encoded(code()))))

    qr_child.main()

    assert json.loads(capsys.readouterr().out) == {"texts": [LINK]}
    assert len(bounds) >= 3


def test_the_child_has_bounds_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[int] = []
    monkeypatch.setattr(qr_child.resource, "setrlimit", lambda which, _: bounds.append(which))
    monkeypatch.setattr(qr_child.Path, "exists", lambda _: False)

    qr_child.bound()

    assert bounds == [resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU]


def test_a_text_becomes_an_svg_that_is_read_back() -> None:
    for text in (LINK, "", "نام", "x" * 2331):
        root = ET.fromstring(qr.svg(text))  # noqa: S314 - of our own making
        side = int(root.attrib["viewBox"].split()[2])
        drawn = Image.new("L", (side, side), 255)
        paper, ink = root
        for square in filter(None, ink.attrib["d"].split("M")):
            x, y = square.removesuffix("h1v1h-1z").split()
            drawn.putpixel((int(x), int(y)), 0)
        assert qr_child.read(encoded(drawn.resize((side * 4, side * 4), Image.Resampling.NEAREST))) == (
            {"texts": [text]} if text else {"refused": "picture_none"}
        )
        assert paper.attrib == {"fill": "#fff", "d": f"M0 0h{side}v{side}h-{side}z"}


def test_an_svg_holds_nothing_that_a_strict_policy_refuses() -> None:
    made = qr.svg("<script>alert(1)</script>")

    root = ET.fromstring(made)  # noqa: S314 - of our own making
    assert {element.tag.split("}")[1] for element in root.iter()} == {"svg", "path"}
    assert "style" not in made
    assert "script" not in made


def test_a_text_that_does_not_fit_is_refused_with_its_figure() -> None:
    with pytest.raises(ParseError) as caught:
        qr.svg("x" * 2332)

    assert dict(caught.value.facts) == {"found": 2332, "allowed": 2331}
